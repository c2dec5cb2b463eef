//! What one measurement came to, read from the result of the load.

use serde_json::Value;

use super::measure::{Measure, Work};
use super::summary::ratio;

/// The share of its cores' time that a server must have been busy for its throughput to be its own.
const BUSY_MIN: f64 = 0.9;
/// The key exchange of every handshake.
const KEY_EXCHANGE: &str = "X25519";
/// Fewest reloads that a measurement must have seen.
const RELOADS_MIN: u32 = 2;

/// What one measurement came to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    /// A figure in the measure's unit.
    Figure(f64),
    /// The server or the machine cannot do what is measured. The reason stands in the place of the figure.
    None(String),
    /// Something failed that must not: the figure would prove nothing, nor does the comparison end well.
    Void(String),
}

/// One measurement.
#[derive(Clone, Debug)]
pub(crate) struct Measurement {
    /// What it came to.
    pub(crate) outcome: Outcome,
    /// CPU µs of the floor meanwhile, where it was looked at.
    pub(crate) floor_us: Option<f64>,
}

/// What was asked of the load, which its result is held against.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    /// Operations.
    pub(crate) count: u64,
    /// Operations before.
    pub(crate) warmup: u64,
    /// Connections at one time.
    pub(crate) connections: u32,
}

impl Measurement {
    /// One that there is no load for.
    pub(crate) fn none(why: String) -> Self {
        Self { outcome: Outcome::None(why), floor_us: None }
    }

    /// Its figure over the floor.
    pub(crate) fn over_floor(&self) -> Option<f64> {
        let Outcome::Figure(figure) = self.outcome else { return None };
        ratio(figure, self.floor_us?)
    }
}

impl Outcome {
    /// Reads the result of a measurement; `reloads` is how often the server was told to reload.
    pub(crate) fn read(measure: &Measure, asked: Asked, report: &Value, reloads: u32) -> Self {
        let number = |key: &str| report.get(key).and_then(Value::as_f64);
        let count = |key: &str| report.get(key).and_then(Value::as_u64).unwrap_or_default();
        let wrong: u64 = ["failed", "unexpected_status", "warmup_failed", "lost"].map(count).iter().sum();
        if wrong > 0 {
            let text = format!("{wrong} of {} failed{}", asked.count, causes(report));
            return if measure.work == Work::Reload { Self::None(text) } else { Self::Void(text) };
        }
        let key = match measure.work {
            Work::Handshake { .. } | Work::Request { .. } => "server_cpu_us_per_op",
            Work::Throughput => "rate_per_s",
            Work::Reload => "p99_us",
            Work::Idle => "server_pss_bytes_per_connection",
        };
        if let Some(other) = not_as_agreed(measure, report) {
            return Self::Void(other);
        }
        let Some(figure) = number(key).filter(|figure| figure.is_finite()) else {
            return Self::Void(format!("the load reports no {key}"));
        };
        match measure.work {
            Work::Handshake { resumed: true, .. } => {
                resumed(asked, count("handshakes"), count("resumed"), figure)
            }
            Work::Handshake { .. } if count("resumed") > 0 => Self::Void("sessions were resumed".to_owned()),
            Work::Handshake { .. } if count("tickets_received") > 0 => Self::Void(
                "it sends session tickets, which costs CPU time that others do not spend".to_owned(),
            ),
            Work::Throughput => {
                let used_us = number("server_cpu_us_per_op").unwrap_or_default();
                let load_busy = number("client_busy").unwrap_or_default();
                throughput(1e6 / figure, used_us, measure.setup.cores, load_busy)
            }
            Work::Reload if reloads < RELOADS_MIN => Self::None(format!("over after {reloads} reloads")),
            Work::Request { bytes: Some(bytes), .. } if count("bytes_received") < bytes * asked.count => {
                Self::Void(format!("answers are shorter than {bytes} bytes"))
            }
            _ => Self::Figure(figure),
        }
    }
}

/// What the handshakes agreed on, if that is not the work that all servers are given.
fn not_as_agreed(measure: &Measure, report: &Value) -> Option<String> {
    let tls = if let Work::Handshake { tls, .. } = measure.work { tls } else { "1.3" };
    for (key, expected) in [("tls_version", tls), ("key_exchange", KEY_EXCHANGE)] {
        if let Some(agreed) = report.get(key).and_then(Value::as_str).filter(|agreed| *agreed != expected) {
            return Some(format!("{key} is {agreed}, not {expected}"));
        }
    }
    None
}

/// Only the first handshakes, of which the warm-up consists, may be full ones.
fn resumed(asked: Asked, handshakes: u64, resumed: u64, figure: f64) -> Outcome {
    let full = handshakes.saturating_sub(resumed);
    if resumed < asked.count || full > asked.warmup + u64::from(asked.connections) {
        return Outcome::None(format!("not resumed ({resumed} of {handshakes} were)"));
    }
    Outcome::Figure(figure)
}

/// Either the load was the limit, or other work of the machine was, which both shares of time then tell.
fn throughput(wall_us: f64, used_us: f64, cores: usize, load_busy: f64) -> Outcome {
    let busy = used_us / (wall_us * cores as f64);
    if busy < BUSY_MIN {
        let [server, load] = [busy, load_busy].map(|share| share * 100.0);
        return Outcome::None(format!("not at its limit (server busy {server:.0} %, load busy {load:.0} %)"));
    }
    Outcome::Figure(wall_us)
}

fn causes(report: &Value) -> String {
    let failures = report.get("failures").and_then(Value::as_object);
    let statuses = report.get("statuses").and_then(Value::as_object);
    let failures = failures.into_iter().flatten().map(|(cause, times)| format!("{times} x {cause}"));
    let statuses = statuses.into_iter().flatten().filter(|(status, _)| *status != "200");
    let causes: Vec<_> =
        failures.chain(statuses.map(|(status, times)| format!("{times} x status {status}"))).collect();
    if causes.is_empty() { String::new() } else { format!(" ({})", causes.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum as _;
    use serde_json::json;

    fn read(name: &str, report: &Value, reloads: u32) -> Outcome {
        let asked = Asked { count: 100, warmup: 10, connections: 2 };
        Outcome::read(&Measure::from_str(name, false).unwrap(), asked, report, reloads)
    }

    #[test]
    fn a_failure_voids_a_figure() {
        assert_eq!(read("handshake", &json!({"server_cpu_us_per_op": 3.5}), 0), Outcome::Figure(3.5));
        for key in ["failed", "unexpected_status", "warmup_failed", "lost"] {
            let report = json!({"server_cpu_us_per_op": 3.5, key: 2, "failures": {"eof: answer": 2}});
            let Outcome::Void(why) = read("handshake", &report, 0) else { panic!("{key}") };
            assert_eq!(why, "2 of 100 failed (2 x eof: answer)");
        }
        assert!(matches!(read("handshake", &json!({}), 0), Outcome::Void(_)));
        let older = json!({"server_cpu_us_per_op": 3.5, "tls_version": "1.2", "key_exchange": "X25519"});
        assert!(matches!(read("handshake", &older, 0), Outcome::Void(_)));
        assert_eq!(read("handshake-tls12", &older, 0), Outcome::Figure(3.5));
        let mixed = json!({"server_cpu_us_per_op": 3.5, "key_exchange": "mixed"});
        assert!(matches!(read("handshake", &mixed, 0), Outcome::Void(_)));
        let tickets = json!({"server_cpu_us_per_op": 3.5, "tickets_received": 1});
        assert!(matches!(read("handshake", &tickets, 0), Outcome::Void(_)));
    }

    #[test]
    fn a_resumed_handshake_is_one() {
        let report = |resumed| json!({"server_cpu_us_per_op": 3.5, "handshakes": 110, "resumed": resumed});
        assert_eq!(read("resumed", &report(108), 0), Outcome::Figure(3.5));
        assert_eq!(read("resumed", &report(0), 0), Outcome::None("not resumed (0 of 110 were)".to_owned()));
        assert!(matches!(read("resumed", &report(97), 0), Outcome::None(_)));
        assert!(matches!(read("handshake", &report(1), 0), Outcome::Void(_)));
    }

    #[test]
    fn throughput_is_the_servers_only_when_it_was_busy() {
        let report =
            |used: f64| json!({"rate_per_s": 10_000.0, "server_cpu_us_per_op": used, "client_busy": 0.97});
        assert_eq!(read("rate-1core", &report(95.0), 0), Outcome::Figure(100.0));
        let why = "not at its limit (server busy 80 %, load busy 97 %)";
        assert_eq!(read("rate-1core", &report(80.0), 0), Outcome::None(why.to_owned()));
        assert!(matches!(read("rate-2cores", &report(95.0), 0), Outcome::None(_)));
        assert_eq!(read("rate-2cores", &report(190.0), 0), Outcome::Figure(100.0));
    }

    #[test]
    fn failures_during_reloads_are_a_finding() {
        assert_eq!(read("reload", &json!({"p99_us": 9.0}), 2), Outcome::Figure(9.0));
        assert!(matches!(read("reload", &json!({"p99_us": 9.0}), 1), Outcome::None(_)));
        let report = json!({"p99_us": 9.0, "failed": 3, "failures": {"connect: refused": 3}});
        assert_eq!(
            read("reload", &report, 2),
            Outcome::None("3 of 100 failed (3 x connect: refused)".to_owned())
        );
    }

    #[test]
    fn answers_must_be_whole() {
        let report = |bytes: u64| json!({"server_cpu_us_per_op": 3.5, "bytes_received": bytes});
        assert_eq!(read("body-1k", &report(102_400), 0), Outcome::Figure(3.5));
        assert!(matches!(read("body-1k", &report(102_399), 0), Outcome::Void(_)));
    }
}
