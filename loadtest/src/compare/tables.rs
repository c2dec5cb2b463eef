//! A comparison in lines of text, and as a table in Markdown.

use super::comparison::{Comparison, MeasureReport, ResultReport};

/// The comparison as lines: what was compared, then a line for each measure and server.
pub(crate) fn text(comparison: &Comparison) -> String {
    let mut text = format!(
        "{}, {}, {}; cores {:?} of servers, {:?} of load\nanchor: {}; cipher: {}; connections: {}; rounds: {}; counts times {}\n",
        comparison.date,
        comparison.machine,
        comparison.kernel,
        comparison.server_cpus,
        comparison.load_cpus,
        comparison.anchor,
        comparison.cipher,
        comparison.connections,
        comparison.rounds,
        comparison.scale
    );
    for server in &comparison.servers {
        text += &format!("{}: {}", server.name, server.version.as_deref().unwrap_or("not started here"));
        if let Some(tls) = &server.tls {
            text += &format!(", {tls}");
        }
        if let Some(form) = server.hand_off {
            text += &format!("; hands the certificate on as {form}");
        }
        text.push('\n');
    }
    if let Some(floor) = comparison.floor_us {
        let (median, least, greatest) = (floor.median, floor.least, floor.greatest);
        text +=
            &format!("floor (P-256 sign and verify, X25519): {median:.1} µs ({least:.1} to {greatest:.1})\n");
    }
    text + "\n" + &lines(comparison)
}

fn lines(comparison: &Comparison) -> String {
    let bases = || comparison.servers.iter().filter(|server| server.is_base).map(|server| &server.name);
    let mut table =
        vec![["measure", "server", "median", "least", "greatest", "MAD", "unit"].map(str::to_owned).to_vec()];
    table[0].push("/ floor".to_owned());
    table[0].extend(bases().map(|name| format!("/ {name}")));
    for measure in &comparison.measures {
        for result in &measure.results {
            let mut line = vec![measure.name.to_owned(), result.server.clone()];
            line.extend(figures(measure, result));
            line.push(two(result.over_floor));
            line.extend(bases().map(|name| two(result.ratios.get(name).copied())));
            table.push(line);
        }
    }
    align(&table)
}

/// Median, least, greatest, median distance and unit; or in the place of all why there are none.
fn figures(measure: &MeasureReport, result: &ResultReport) -> Vec<String> {
    let Some(summary) = result.summary else {
        let why = result.why_not.as_deref().unwrap_or("not measured");
        return vec![if result.void { format!("void: {why}") } else { why.to_owned() }];
    };
    let mut figures: Vec<_> = [summary.median, summary.least, summary.greatest, summary.mad]
        .map(|figure| format!("{figure:.1}"))
        .to_vec();
    figures.push(measure.unit.to_owned());
    figures
}

fn two(ratio: Option<f64>) -> String {
    ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"))
}

/// Columns of one width, names to the left and figures to the right. A line that is shorter than the first has a sentence in
/// its third place, which no column is made wider for.
fn align(table: &[Vec<String>]) -> String {
    let columns = table.first().map_or(0, Vec::len);
    let width = |column: usize| {
        let whole = table.iter().filter(|line| line.len() == columns);
        whole.map(|line| line[column].chars().count()).max().unwrap_or_default()
    };
    let names =
        |column: usize| table.iter().map(|line| line[column].chars().count()).max().unwrap_or_default();
    let widths: Vec<_> =
        (0..columns).map(|column| if column < 2 { names(column) } else { width(column) }).collect();
    let mut text = String::new();
    for line in table {
        let (first, second) = (widths[0], widths[1]);
        text += &format!("{:first$}  {:second$}", line[0], line[1]);
        if line.len() == columns {
            for (cell, width) in line.iter().zip(&widths).skip(2) {
                text += &format!("  {cell:>width$}");
            }
        } else {
            text += &format!("  {}", line[2]);
        }
        text.push('\n');
    }
    text
}

/// The medians alone, a column for each server, for a README. A figure has its ratio to the floor where there is one.
pub(crate) fn markdown(comparison: &Comparison) -> String {
    let mut text = "| |".to_owned();
    for server in &comparison.servers {
        text += &format!(" {} |", server.name);
    }
    text += "\n|---|";
    text += &"---|".repeat(comparison.servers.len());
    for measure in &comparison.measures {
        text += &format!("\n| {}, {} |", measure.title, measure.unit);
        for result in &measure.results {
            text += &format!(" {} |", result.cell());
        }
        if measure.results.iter().any(|result| result.over_floor.is_some()) {
            text += "\n| … as a multiple of the floor |";
            for result in &measure.results {
                text += &format!(" {} |", two(result.over_floor));
            }
        }
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::super::comparison::example;
    use super::*;

    #[test]
    fn every_server_has_its_line() {
        let text = text(&example());
        let words = |name: &str| {
            let line = text.lines().find(|line| line.starts_with(name));
            line.unwrap().split_whitespace().map(str::to_owned).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(words("handshake  nginx"), "handshake nginx 400.0 380.0 420.0 20.0 µs 8.00 1.00 2.00 -");
        assert_eq!(
            words("handshake  portcullis"),
            "handshake portcullis-epoll 100.0 90.0 110.0 10.0 µs 2.00 0.25 0.50 -"
        );
        assert_eq!(words("handshake  caddy"), "handshake caddy not resumed");
        assert_eq!(words("handshake  <b>extra"), "handshake <b>extra void: 2 of 3 failed");
        assert!(text.contains("floor (P-256 sign and verify, X25519): 50.0 µs"));
        assert!(text.contains("nginx: 1.2.3, OpenSSL 3.5.9; hands the certificate on as escaped PEM\n"));
    }

    #[test]
    fn figures_stand_under_their_heads() {
        let table = [vec!["m", "s", "median"], vec!["mm", "sss", "1.0"], vec!["m", "s"]];
        let table = table.map(|line| line.into_iter().map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(align(&table[..2]), "m   s    median\nmm  sss     1.0\n");
    }

    #[test]
    fn the_markdown_is_a_table() {
        let markdown = markdown(&example());
        let lines: Vec<_> = markdown.lines().collect();
        assert_eq!(lines[0], "| | nginx | haproxy | portcullis-epoll | caddy | <b>extra |");
        assert_eq!(lines[1], "|---|---|---|---|---|---|");
        assert_eq!(
            lines[2],
            "| full handshake, TLS 1.3, P-256, µs | 400.0 | 200.0 | 100.0 | not resumed | void |"
        );
        assert_eq!(lines[3], "| … as a multiple of the floor | 8.00 | 4.00 | 2.00 | - | - |");
        assert_eq!(lines.len(), 4);
    }
}
