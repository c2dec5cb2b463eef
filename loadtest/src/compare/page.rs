//! A comparison as a page: for each measure its ratios as bars, and its numbers under them.

use anyhow::Result;
use maud::{Markup, html};

use super::comparison::{Comparison, MeasureReport, ResultReport};
use crate::page::{Bar, Table, bars, document, legend, short};

/// The page.
pub(crate) fn page(comparison: &Comparison) -> Result<String> {
    let measures = comparison.measures.iter();
    let measures = measures.map(|measure| section(comparison, measure)).collect::<Result<Vec<_>>>()?;
    let content = html! {
        (head(comparison))
        h2 { "Medians" }
        (medians(comparison).markup())
        (legend(comparison.servers.iter().enumerate().map(|(colour, server)| (colour, server.name.as_str()))))
        @for measure in &measures { (measure) }
    };
    Ok(document(&format!("Servers compared, {}", comparison.date), &content))
}

fn head(comparison: &Comparison) -> Markup {
    let mut servers = Table::new(&["server", "version", "TLS library", "certificate handed on as"]);
    for server in &comparison.servers {
        let form = server.hand_off.map(|form| form.to_string());
        let cells = [Some(server.name.clone()), server.version.clone(), server.tls.clone(), form];
        servers.lines.push(cells.map(Option::unwrap_or_default).to_vec());
    }
    html! {
        p { (comparison.machine) ", " (comparison.kernel) "; servers on core " (list(&comparison.server_cpus))
            ", load and backend on core " (list(&comparison.load_cpus)) "; trust anchor: " (comparison.anchor)
            "; cipher: " (comparison.cipher) "; connections: " (comparison.connections) "; rounds: " (comparison.rounds)
            "; counts times " (comparison.scale) "." }
        p { code { (comparison.command_line) } }
        @if let Some(floor) = comparison.floor_us {
            p { "The floor, one P-256 signature, one verification and one X25519 agreement: " (tenth(floor.median))
                " µs of CPU (" (tenth(floor.least)) " to " (tenth(floor.greatest)) ")." }
        }
        @if let Some(complaint) = comparison.complaint() {
            p { strong { (complaint) } }
        }
        (servers.markup())
        p.quiet { "Every figure is a cost: shorter is better. Bars are medians of the rounds over the cheapest peer's, and the "
            "thin lines reach from the least to the greatest." }
    }
}

/// All measures at a glance.
fn medians(comparison: &Comparison) -> Table {
    let names = comparison.servers.iter().map(|server| server.name.as_str());
    let mut table = Table::new(&std::iter::once("").chain(names).collect::<Vec<_>>());
    for measure in &comparison.measures {
        let name = format!("{}, {}", measure.title, measure.unit);
        table
            .lines
            .push(std::iter::once(name).chain(measure.results.iter().map(ResultReport::cell)).collect());
    }
    table
}

fn section(comparison: &Comparison, measure: &MeasureReport) -> Result<Markup> {
    let base = measure.strongest(&comparison.servers);
    let (over, axis) = match base {
        Some((name, median)) => (median, format!("times that of {name}")),
        None => (1.0, format!("{}, {}", measure.figure, measure.unit)),
    };
    let results = measure.results.iter().enumerate();
    let drawn: Vec<_> = results
        .filter_map(|(colour, result)| {
            let summary = result.summary?;
            let figure = format!("{} {}", short(summary.median), measure.unit);
            let text =
                if base.is_some() { format!("{:.2}  ({figure})", summary.median / over) } else { figure };
            let spread = Some((summary.least / over, summary.greatest / over));
            Some(Bar { name: result.server.clone(), colour, value: summary.median / over, text, spread })
        })
        .collect();
    let plot = bars(&axis, &drawn)?;
    Ok(html! {
        h2 id=(measure.name) { (measure.title) }
        p.quiet { (measure.figure) ", " (measure.unit) " (" code { (measure.name) } ")" }
        @if let Some(plot) = plot { figure { (plot) } }
        (table(comparison, measure).markup())
    })
}

fn table(comparison: &Comparison, measure: &MeasureReport) -> Table {
    let bases: Vec<_> =
        comparison.servers.iter().filter(|server| server.is_base).map(|server| &server.name).collect();
    let unit = measure.unit;
    let mut heads =
        vec!["server".to_owned(), format!("median, {unit}"), "least".to_owned(), "greatest".to_owned()];
    heads.extend(["MAD".to_owned(), "/ floor".to_owned()]);
    heads.extend(bases.iter().map(|name| format!("/ {name}")));
    let line = |result: &ResultReport| {
        let Some(summary) = result.summary else {
            let why = result.why_not.as_deref().unwrap_or("not measured");
            let void = if result.void { "void: " } else { "" };
            return vec![result.server.clone(), format!("{void}{why}")];
        };
        let figures = [summary.median, summary.least, summary.greatest, summary.mad].map(tenth);
        let ratios = bases.iter().map(|name| result.ratios.get(*name).copied());
        let ratios = std::iter::once(result.over_floor).chain(ratios);
        let ratios = ratios.map(|ratio| ratio.map(|ratio| format!("{ratio:.2}")).unwrap_or_default());
        std::iter::once(result.server.clone()).chain(figures).chain(ratios).collect()
    };
    Table { heads, lines: measure.results.iter().map(line).collect() }
}

fn list(cpus: &[usize]) -> String {
    super::process::list(cpus)
}

fn tenth(figure: f64) -> String {
    format!("{figure:.1}")
}

#[cfg(test)]
mod tests {
    use super::super::comparison::example;
    use super::*;

    #[test]
    fn every_server_and_every_figure_is_on_the_page() {
        let page = page(&example()).unwrap();
        for text in [
            "full handshake, TLS 1.3, P-256",
            "1.2.3",
            "OpenSSL 3.5.9",
            "escaped PEM",
            "400.0",
            "380.0",
            "420.0",
            "8.00",
            "0.50  (100 µs)",
            "times that of haproxy",
            "not resumed",
            "void: 2 of 3 failed",
            "50.0",
            "&lt;b&gt;extra",
        ] {
            assert!(page.contains(text), "{text}");
        }
        assert!(!page.contains("<b>extra") && !page.contains("http:"));
    }
}
