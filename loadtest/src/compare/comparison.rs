//! What a comparison found, as it is written. Its keys as JSON are an interface, which the README lists.

use std::collections::BTreeMap;

use serde::Serialize;

use super::hand_off::Form;
use super::measure::Measure;
use super::outcome::{Measurement, Outcome};
use super::summary::{Summary, ratio};

/// The whole of it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Comparison {
    /// Always "compare".
    pub(crate) command: &'static str,
    /// How this program was called.
    pub(crate) command_line: String,
    /// The day, UTC, as 2026-11-24.
    pub(crate) date: String,
    /// The processor.
    pub(crate) machine: String,
    /// The kernel.
    pub(crate) kernel: String,
    /// Cores of the servers.
    pub(crate) server_cpus: Vec<usize>,
    /// Cores of the load and the backend.
    pub(crate) load_cpus: Vec<usize>,
    /// What the servers trust.
    pub(crate) anchor: String,
    /// The cipher that was offered.
    pub(crate) cipher: String,
    /// Connections at one time, where a measure has no number of its own.
    pub(crate) connections: u32,
    /// How often everything was measured.
    pub(crate) rounds: u32,
    /// What counts were multiplied by.
    pub(crate) scale: f64,
    /// The servers, in the order in which they took turns.
    pub(crate) servers: Vec<ServerReport>,
    /// CPU µs of the cryptography that a full handshake cannot avoid, looked at while handshakes were measured.
    pub(crate) floor_us: Option<Summary>,
    /// What was measured.
    pub(crate) measures: Vec<MeasureReport>,
}

/// A server.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ServerReport {
    /// Its name in this comparison.
    pub(crate) name: String,
    /// Whether it is one that Portcullis is compared with, to which ratios are given.
    pub(crate) is_base: bool,
    /// Its version, if it was started here.
    pub(crate) version: Option<String>,
    /// Its TLS library.
    pub(crate) tls: Option<String>,
    /// In which form it hands the client's certificate on.
    pub(crate) hand_off: Option<Form>,
}

/// A measure.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct MeasureReport {
    /// Its name on the command line.
    pub(crate) name: &'static str,
    /// What it is, for people.
    pub(crate) title: &'static str,
    /// The unit of its figures.
    pub(crate) unit: &'static str,
    /// What its figures are.
    pub(crate) figure: &'static str,
    /// What each server came to.
    pub(crate) results: Vec<ResultReport>,
}

/// What a server came to.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ResultReport {
    /// The server.
    pub(crate) server: String,
    /// A figure of each round.
    pub(crate) figures: Vec<f64>,
    /// The figures as one.
    pub(crate) summary: Option<Summary>,
    /// Median of the figures, each over the floor meanwhile, where the floor is under them.
    pub(crate) over_floor: Option<f64>,
    /// Median over that of each server that ratios are given to.
    pub(crate) ratios: BTreeMap<String, f64>,
    /// Why there is no figure.
    pub(crate) why_not: Option<String>,
    /// Whether that is because something failed that must not.
    pub(crate) void: bool,
}

impl MeasureReport {
    /// Of what the rounds came to: for each server, a measurement of each round.
    pub(crate) fn new(measure: &Measure, servers: &[ServerReport], measured: &[Vec<Measurement>]) -> Self {
        let unit = measure.unit();
        let mut results: Vec<_> = servers
            .iter()
            .zip(measured)
            .map(|(server, measurements)| ResultReport::new(server, measurements))
            .collect();
        let is_base = |name: &str| servers.iter().any(|server| server.is_base && server.name == name);
        let bases: Vec<_> = results
            .iter()
            .filter(|result| is_base(&result.server))
            .filter_map(|result| Some((result.server.clone(), result.summary?.median)))
            .collect();
        for result in &mut results {
            let Some(Summary { median, .. }) = result.summary else { continue };
            let ratios = bases.iter().filter_map(|(name, base)| Some((name.clone(), ratio(median, *base)?)));
            result.ratios = ratios.collect();
        }
        Self { name: measure.name, title: measure.title, unit: unit.symbol(), figure: unit.of(), results }
    }

    /// The cheapest of the servers that ratios are given to, and its median.
    pub(crate) fn strongest<'a>(&'a self, servers: &[ServerReport]) -> Option<(&'a str, f64)> {
        let is_base = |name: &str| servers.iter().any(|server| server.is_base && server.name == name);
        let bases = self.results.iter().filter(|result| is_base(&result.server));
        let medians = bases.filter_map(|result| Some((result.server.as_str(), result.summary?.median)));
        medians.min_by(|one, other| one.1.total_cmp(&other.1))
    }
}

impl ResultReport {
    /// One round without a figure leaves none: what remains would be of fewer rounds than that of the others.
    fn new(server: &ServerReport, measurements: &[Measurement]) -> Self {
        let mut figures = Vec::new();
        let (mut why_not, mut void) = (None, false);
        for measurement in measurements {
            match &measurement.outcome {
                Outcome::Figure(figure) => figures.push(*figure),
                Outcome::None(why) if !void => why_not = Some(why.clone()),
                Outcome::Void(why) => (why_not, void) = (Some(why.clone()), true),
                Outcome::None(_) => {}
            }
        }
        let summary = if why_not.is_none() { Summary::of(&figures) } else { None };
        let over_floor: Vec<_> = measurements.iter().filter_map(Measurement::over_floor).collect();
        let over_floor = Summary::of(&over_floor).filter(|_| why_not.is_none()).map(|summary| summary.median);
        let server = server.name.clone();
        Self { server, figures, summary, over_floor, ratios: BTreeMap::new(), why_not, void }
    }
}

impl ResultReport {
    /// The median, or in few words why there is none.
    pub(crate) fn cell(&self) -> String {
        match (self.summary, &self.why_not) {
            (Some(summary), _) if summary.median >= 1000.0 => format!("{:.0}", summary.median),
            (Some(summary), _) => format!("{:.1}", summary.median),
            (None, _) if self.void => "void".to_owned(),
            (None, Some(why)) if why.starts_with("not resumed") => "not resumed".to_owned(),
            _ => "–".to_owned(),
        }
    }
}

impl Comparison {
    /// What makes it one that did not end well.
    pub(crate) fn complaint(&self) -> Option<String> {
        let mut lines = Vec::new();
        for measure in &self.measures {
            for result in measure.results.iter().filter(|result| result.void) {
                let why = result.why_not.as_deref().unwrap_or_default();
                lines.push(format!("void: {}: {}: {why}", measure.name, result.server));
            }
        }
        (!lines.is_empty()).then(|| lines.join("\n"))
    }
}

/// A comparison for tests: one measure with a floor, five servers.
#[cfg(test)]
pub(crate) fn example() -> Comparison {
    use clap::ValueEnum as _;
    let server = |name: &str, is_base| ServerReport {
        name: name.to_owned(),
        is_base,
        version: Some("1.2.3".to_owned()),
        tls: Some("OpenSSL 3.5.9".to_owned()),
        hand_off: Some(Form::EscapedPem),
    };
    let servers = vec![
        server("nginx", true),
        server("haproxy", true),
        server("portcullis-epoll", false),
        server("caddy", true),
        server("<b>extra", false),
    ];
    // The machine was slower in the second round, and faster in the third.
    let floors_us = [50.0, 55.0, 45.0];
    let measured = |outcomes: [Outcome; 3]| {
        let measurement = |(outcome, floor_us)| Measurement { outcome, floor_us: Some(floor_us) };
        outcomes.into_iter().zip(floors_us).map(measurement).collect::<Vec<_>>()
    };
    let figures = |figures: [f64; 3]| measured(figures.map(Outcome::Figure));
    let measurements = [
        figures([400.0, 420.0, 380.0]),
        figures([200.0, 201.0, 199.0]),
        figures([100.0, 110.0, 90.0]),
        vec![Measurement::none("not resumed".to_owned())],
        measured([
            Outcome::Figure(1.0),
            Outcome::Void("2 of 3 failed".to_owned()),
            Outcome::None("x".to_owned()),
        ]),
    ];
    let floor_us = Summary::of(&floors_us);
    let measure = Measure::from_str("handshake", false).unwrap();
    Comparison {
        command: "compare",
        command_line: "loadtest compare".to_owned(),
        date: "2026-11-24".to_owned(),
        machine: "a machine".to_owned(),
        kernel: "Linux 6".to_owned(),
        server_cpus: vec![0],
        load_cpus: vec![1],
        anchor: "root".to_owned(),
        cipher: "aes128gcm".to_owned(),
        connections: 32,
        rounds: 3,
        scale: 1.0,
        measures: vec![MeasureReport::new(&measure, &servers, &measurements)],
        servers,
        floor_us,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_of_medians_to_peers_and_the_floor() {
        let comparison = example();
        let measure = &comparison.measures[0];
        let [nginx, _, portcullis, caddy, extra] = &measure.results[..] else { panic!("five servers") };
        assert_eq!(nginx.over_floor, Some(8.0));
        assert_eq!(portcullis.ratios["nginx"], 0.25);
        assert_eq!(portcullis.ratios["haproxy"], 0.5);
        assert_eq!(portcullis.over_floor, Some(2.0));
        assert!(!portcullis.ratios.contains_key("caddy"), "it has no figure");
        assert!(!nginx.ratios.contains_key("portcullis-epoll"), "ratios are to peers");
        assert_eq!((caddy.summary, caddy.void), (None, false));
        assert_eq!((extra.summary, extra.void), (None, true));
        assert_eq!(measure.strongest(&comparison.servers), Some(("haproxy", 200.0)));
    }

    #[test]
    fn what_is_void_is_complained_of() {
        let complaint = example().complaint().unwrap();
        assert_eq!(complaint, "void: handshake: <b>extra: 2 of 3 failed");
    }
}
