//! Measurements, each by this program as a process of its own, so that the load's CPU time is not the comparison's.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, bail};
use serde_json::Value;

use super::certificates::{Certificates, SERVER_NAME};
use super::interrupt::Interrupt;
use super::measure::{Measure, Work};
use super::outcome::Asked;
use super::process::{Launch, Process};

/// Longest that one measurement may take. The longest that is made takes half a minute on a slow machine.
const MEASUREMENT_TIMEOUT: Duration = Duration::from_secs(300);
/// Handshakes of a measurement, before they are scaled: a second of them with the fastest server.
const HANDSHAKES: u64 = 6_000;
/// Handshakes while a server reloads: some seconds of them with the fastest server.
const RELOAD_HANDSHAKES: u64 = 12_000;
/// The fewest, scaled: a second and more.
const RELOAD_HANDSHAKES_MIN: u64 = 6_000;
/// Connections that are held, at most: what the servers are set up for.
const IDLE_CONNECTIONS: u64 = 8_000;
/// Connections for each core when a server is to have no pause.
const THROUGHPUT_CONNECTIONS: u32 = 16;

/// How measurements are made.
#[derive(Debug)]
pub(crate) struct Load<'a> {
    /// This program.
    pub(crate) own: PathBuf,
    /// The certificates.
    pub(crate) certificates: &'a Certificates,
    /// The cores of the load.
    pub(crate) cpus: &'a [usize],
    /// Connections at one time.
    pub(crate) connections: u32,
    /// The cipher that is offered.
    pub(crate) cipher: &'a str,
    /// What all counts are multiplied by.
    pub(crate) scale: f64,
    /// A directory for what measurements write.
    pub(crate) work: &'a Path,
}

impl Load<'_> {
    /// What a measure asks.
    pub(crate) fn asked(&self, measure: &Measure) -> Asked {
        // Counts are far below 2^52.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive and small")]
        let scaled = |count: u64, least: u64| ((count as f64 * self.scale).round() as u64).max(least);
        let connections = self.connections;
        match measure.work {
            Work::Handshake { .. } => {
                Asked { count: scaled(HANDSHAKES, 50), warmup: scaled(100, 20), connections }
            }
            Work::Throughput => {
                let cores = u32::try_from(measure.setup.cores).unwrap_or(u32::MAX);
                let connections = THROUGHPUT_CONNECTIONS.saturating_mul(cores);
                Asked { count: scaled(HANDSHAKES, 200), warmup: scaled(200, 40), connections }
            }
            Work::Reload => {
                Asked { count: scaled(RELOAD_HANDSHAKES, RELOAD_HANDSHAKES_MIN), warmup: 20, connections }
            }
            Work::Request { count, .. } => {
                Asked { count: scaled(count, 8), warmup: scaled(count / 20, 4), connections }
            }
            Work::Idle => {
                let held =
                    u32::try_from(scaled(IDLE_CONNECTIONS, 50).min(IDLE_CONNECTIONS)).unwrap_or(u32::MAX);
                Asked { count: held.into(), warmup: 50, connections: held }
            }
        }
    }

    /// Requests that a measure sends to the backend.
    pub(crate) fn requests(&self, measure: &Measure) -> u64 {
        let Asked { count, warmup, connections } = self.asked(measure);
        // Each connection of `request` does one GET more, before the warm-up.
        let first = if matches!(measure.work, Work::Request { .. }) { u64::from(connections) } else { 0 };
        count + warmup + first
    }

    /// Makes a measurement of a server, whose first core is named. `each_second` is called so often while it is under way.
    pub(crate) fn run(
        &self,
        measure: &Measure,
        (address, pid, core): (SocketAddr, u32, usize),
        interrupt: &Interrupt,
        each_second: impl FnMut() -> Result<()>,
    ) -> Result<Value> {
        let mut arguments = self.arguments(measure);
        if measure.has_floor() {
            arguments.extend(["--floor-core".to_owned(), core.to_string()]);
        }
        for (option, value) in [("--target", address.to_string()), ("--server-pid", pid.to_string())] {
            // Servers that reload replace processes, whose CPU time goes with them.
            if option != "--server-pid" || measure.work != Work::Reload {
                arguments.extend([option.to_owned(), value]);
            }
        }
        self.report(arguments, interrupt, each_second)
    }

    fn report(
        &self,
        arguments: Vec<String>,
        interrupt: &Interrupt,
        mut each_second: impl FnMut() -> Result<()>,
    ) -> Result<Value> {
        let launch = Launch {
            name: "measurement",
            program: &self.own,
            arguments,
            environment: Vec::new(),
            cpus: &[],
            directory: self.work,
        };
        let mut process = Process::start(&launch)?;
        let mut status = None;
        for second in 0..MEASUREMENT_TIMEOUT.as_secs() {
            if second > 0 {
                each_second()?;
            }
            interrupt.wait_until(Duration::from_secs(1), || {
                status = process.ended()?;
                Ok(status.is_some())
            })?;
            if status.is_some() {
                break;
            }
        }
        let Some(status) = status else {
            bail!("a measurement is not over after {} s", MEASUREMENT_TIMEOUT.as_secs());
        };
        // Status 1 with a report says that something failed, which is in the report.
        match (status.code(), serde_json::from_str(&process.output()?)) {
            (Some(0 | 1), Ok(report)) => Ok(report),
            _ => bail!("{}: {status}: {}", launch.arguments.join(" "), process.last_words()),
        }
    }

    fn arguments(&self, measure: &Measure) -> Vec<String> {
        let Asked { count, warmup, connections } = self.asked(measure);
        let mut words: Vec<String> = Vec::new();
        let mut add = |option: &str, value: &str| words.extend([option.to_owned(), value.to_owned()]);
        add("--sni", SERVER_NAME);
        add("--ca", &self.certificates.root().to_string_lossy());
        add("--cert", &self.certificates.client().to_string_lossy());
        add("--key", &self.certificates.client_key().to_string_lossy());
        // The server's certificate must be on a curve that the client names before TLS 1.3 (RFC 8422, section 5.1.1). The key is
        // agreed by the first, which all prefer.
        add("--kx", "x25519,secp256r1");
        add("--cipher", self.cipher);
        add("--format", "json");
        add("--path", &measure.path());
        add("--warmup", &warmup.to_string());
        add("--connections", &connections.to_string());
        match self.cpus {
            [core] => add("--core", &core.to_string()),
            cores => add("--cpus", &super::process::list(cores)),
        }
        let command = match measure.work {
            Work::Handshake { tls, resumed } => {
                add("--tls", tls);
                if resumed {
                    add("--resume-ratio", "1");
                }
                "handshake"
            }
            Work::Throughput | Work::Reload => "handshake",
            Work::Request { streams, .. } => {
                if let Some(streams) = streams {
                    add("--streams", &streams.to_string());
                }
                "request"
            }
            Work::Idle => {
                // Longer than servers take to give back what they do not need.
                let settle_s = (12.0 * self.scale).clamp(1.0, 12.0);
                add("--settle-s", &settle_s.to_string());
                add("--hold-s", &(settle_s + 1.0).to_string());
                "idle"
            }
        };
        if command != "idle" {
            add("--count", &count.to_string());
        }
        if let Work::Request { streams: Some(_), .. } = measure.work {
            words.push("--http2".to_owned());
        }
        words.insert(0, command.to_owned());
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::WorkDirectory;
    use crate::compare::certificates::Anchor;
    use clap::ValueEnum as _;

    #[test]
    fn the_load_is_asked_for_what_the_measure_says() {
        let work = WorkDirectory::make().unwrap();
        let certificates = Certificates::in_directory(work.path(), Anchor::Root).unwrap();
        let load = Load {
            own: PathBuf::from("loadtest"),
            certificates: &certificates,
            cpus: &[1],
            connections: 8,
            cipher: "aes256gcm",
            scale: 0.5,
            work: work.path(),
        };
        let words = |name: &str| load.arguments(&Measure::from_str(name, false).unwrap()).join(" ");
        assert!(words("handshake-tls12").starts_with("handshake --sni localhost "));
        assert!(words("handshake-tls12").ends_with(" --core 1 --tls 1.2 --count 3000"));
        assert!(words("resumed").ends_with(" --tls 1.3 --resume-ratio 1 --count 3000"));
        assert!(words("proxied-h2-10").ends_with(" --streams 10 --count 20000 --http2"));
        assert!(words("idle").ends_with(" --connections 4000 --core 1 --settle-s 6 --hold-s 7"));
        assert!(words("rate-2cores").contains(" --connections 32 "));
        let body = Measure::from_str("body-1m", false).unwrap();
        assert_eq!(load.requests(&body), 250 + 13 + 8);
    }
}
