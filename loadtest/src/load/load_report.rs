//! The result of `handshake` and `request`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::ValueEnum;
use serde::Serialize;

use crate::arguments::LoadArguments;
use crate::clients::{self, ClientOutcomes};
use crate::driver::Driver;
use crate::latency::LatencySummary;
use crate::plan::Plan;
use crate::report::{Report, Row, figure, row};
use crate::server_use::ServerFigures;
use crate::step_figures::StepFigures;
use crate::tally::Tally;

use super::Kind;
use super::interval::Measured;
use super::seconds::{SecondFigures, Seconds};

/// The share of its cores' time past which this program may be slower than the server.
const BUSY_MAX: f64 = 0.95;

/// What was asked, and what came of it.
#[derive(Debug, Serialize)]
pub(crate) struct LoadReport {
    command: &'static str,
    flood: Option<&'static str>,
    target: SocketAddr,
    sni: String,
    path: String,
    client_certificate: Option<PathBuf>,
    client_certificates: u64,
    client_keys: usize,
    title: Option<String>,
    count: Option<u64>,
    duration: Option<String>,
    rate: Option<f64>,
    arrivals: Option<String>,
    seed: u64,
    resume_ratio: f64,
    threads: usize,
    connections: u32,
    http: &'static str,
    streams: Option<u32>,
    body_bytes: u64,
    warmup: u64,
    expect_status: u16,
    timeout_s: f64,
    core: Option<usize>,
    cpus: Vec<usize>,
    io: String,
    tls_offered: String,
    kx_offered: Vec<String>,
    completed: u64,
    refused: u64,
    failed: u64,
    unexpected_status: u64,
    warmup_failed: u64,
    warmup_unexpected: u64,
    handshakes: u64,
    resumed: u64,
    resumption_wanted: u64,
    resumption_missed: u64,
    tickets_received: u64,
    reconnects: u64,
    elapsed_s: f64,
    rate_per_s: f64,
    #[serde(flatten)]
    latency: LatencySummary,
    late_p99_us: Option<f64>,
    late_max_us: Option<f64>,
    percentiles: Vec<(f64, f64)>,
    series: Vec<SecondFigures>,
    server_pids: Vec<u32>,
    #[serde(flatten)]
    server: ServerFigures,
    floor_core: Option<usize>,
    floor_us: Option<f64>,
    over_floor: Option<f64>,
    client_cpu_us_per_op: f64,
    client_busy: f64,
    client_was_limit: bool,
    bytes_received: u64,
    tls_version: Option<String>,
    cipher_suite: Option<String>,
    key_exchange: Option<String>,
    clients: ClientOutcomes,
    steps: Vec<StepFigures>,
    statuses: BTreeMap<u16, u64>,
    unexpected_statuses: BTreeMap<u16, u64>,
    failures: BTreeMap<String, u64>,
}

/// A run that is over.
pub(super) struct Ran<'a> {
    pub(super) kind: Kind,
    pub(super) driver: Driver,
    pub(super) measured: Measured,
    pub(super) warmup: &'a Tally,
    pub(super) tally: &'a Tally,
    pub(super) seconds: &'a Seconds,
}

impl LoadReport {
    /// Puts the result together.
    pub(super) fn new(arguments: &LoadArguments, plan: &Plan, threads: usize, ran: &Ran<'_>) -> Self {
        let (session, Ran { measured, warmup, tally, .. }) = (&arguments.session, ran);
        let operations = tally.operations().max(1) as f64;
        let elapsed_s = measured.elapsed.as_secs_f64();
        let client_s = measured.client.as_secs_f64();
        let client_busy = client_s / elapsed_s / threads as f64;
        let mut failures = tally.causes.clone();
        failures.merge(&warmup.causes);
        let [tls_version, cipher_suite, key_exchange] = warmup.agreement.and(tally.agreement).names();
        let is_open = arguments.rate.is_some();
        let server = measured.server.map(|used| used.figures(operations)).unwrap_or_default();
        let over_floor = server.server_cpu_us_per_op.zip(measured.floor_us).map(|(used, floor)| used / floor);
        let late = |quantile| tally.lateness.quantile_us(quantile).filter(|_| is_open);
        Self {
            command: ran.kind.as_str(),
            flood: (ran.kind == Kind::Crowd).then_some("certificates"),
            target: plan.target,
            sni: session.sni.clone(),
            path: session.path.clone(),
            client_certificate: session.cert.clone(),
            client_certificates: plan.clients.certificates(),
            client_keys: plan.clients.keys,
            title: arguments.title.clone(),
            count: arguments.count,
            duration: arguments.duration.clone(),
            rate: arguments.rate,
            arrivals: is_open.then(|| option_name(&arguments.arrivals)),
            seed: session.clients.seed,
            resume_ratio: arguments.resume_ratio,
            threads,
            connections: arguments.connections,
            http: if arguments.http2 { "2" } else { "1.1" },
            streams: arguments.http2.then_some(arguments.streams),
            body_bytes: arguments.body_bytes,
            warmup: arguments.warmup,
            expect_status: session.expect_status,
            timeout_s: session.timeout_s,
            core: session.core,
            cpus: session.cpus.clone(),
            io: ran.driver.to_string(),
            tls_offered: option_name(&session.tls),
            kx_offered: session.kx.iter().map(option_name).collect(),
            completed: tally.completed,
            refused: tally.refused,
            failed: tally.failed,
            unexpected_status: tally.unexpected_status,
            warmup_failed: warmup.failed,
            warmup_unexpected: warmup.clients.unexpected(),
            handshakes: warmup.handshakes + tally.handshakes,
            resumed: warmup.resumed + tally.resumed,
            resumption_wanted: tally.resumption_wanted,
            resumption_missed: tally.resumption_missed,
            tickets_received: warmup.tickets_received + tally.tickets_received,
            reconnects: tally.reconnects,
            elapsed_s,
            rate_per_s: (tally.completed + tally.refused) as f64 / elapsed_s,
            latency: tally.latency.summary(),
            late_p99_us: late(0.99),
            late_max_us: late(1.0),
            percentiles: tally.latency.percentiles(),
            series: ran.seconds.figures(elapsed_s),
            server_pids: session.server_pid.clone(),
            server,
            floor_core: arguments.floor_core,
            floor_us: measured.floor_us,
            over_floor,
            client_cpu_us_per_op: client_s * 1e6 / operations,
            client_busy,
            client_was_limit: client_busy >= BUSY_MAX,
            bytes_received: tally.bytes_received,
            tls_version,
            cipher_suite,
            key_exchange,
            clients: tally.clients,
            steps: plan
                .steps
                .iter()
                .zip(&tally.steps)
                .map(|(step, outcomes)| StepFigures::of(step, outcomes))
                .collect(),
            statuses: tally.statuses.clone(),
            unexpected_statuses: tally.unexpected_statuses.clone(),
            failures: failures.into_counts(),
        }
    }
}

/// The word of the command line for a value.
fn option_name(value: &impl ValueEnum) -> String {
    value.to_possible_value().map_or_else(String::new, |possible| possible.get_name().to_owned())
}

impl Report for LoadReport {
    fn complaint(&self) -> Option<String> {
        if self.failed + self.unexpected_status + self.warmup_unexpected + self.resumption_missed == 0 {
            return None;
        }
        let operations = self.completed + self.refused + self.unexpected_status + self.failed;
        let mut complaint = format!(
            "{} of {operations} failed, {} had an unexpected status, {} failed in the warm-up",
            self.failed, self.unexpected_status, self.warmup_failed
        );
        if self.resumption_missed > 0 {
            complaint += &format!(
                "; {} handshakes resumed a session that should not, or did not that should",
                self.resumption_missed
            );
        }
        if self.warmup_unexpected > self.warmup_failed {
            let answers = self.warmup_unexpected - self.warmup_failed;
            complaint += &format!("\n  {answers} answers in the warm-up were not expected");
        }
        for (kind, outcomes) in self.clients.kinds().filter(|(_, outcomes)| outcomes.unexpected > 0) {
            let all = outcomes.expected + outcomes.unexpected;
            complaint += &format!(
                "\n  {} of {all} {} clients otherwise than expected",
                outcomes.unexpected,
                kind.name()
            );
        }
        for (cause, times) in &self.failures {
            complaint += &format!("\n  {times} x {cause}");
        }
        for (status, times) in &self.unexpected_statuses {
            complaint += &format!("\n  {times} x status {status}");
        }
        Some(complaint)
    }

    fn rows(&self) -> Vec<Row> {
        let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
        let mut rows = vec![
            row("command", self.command),
            row("target", format!("{} ({}{})", self.target, self.sni, self.path)),
            row("connections", self.connections),
            row("io", &self.io),
            row("TLS", text(&self.tls_version)),
            row("cipher suite", text(&self.cipher_suite)),
            row("key exchange", text(&self.key_exchange)),
            row("completed", self.completed),
            row("failed", self.failed),
            row("refused as expected", self.refused),
            row("unexpected status", self.unexpected_status),
            row("failed in the warm-up", self.warmup_failed),
            row("handshakes", format!("{}, {} resumed", self.handshakes, self.resumed)),
            row("resumption missed", self.resumption_missed),
            row("tickets received", self.tickets_received),
            row("reconnects", self.reconnects),
            row("elapsed", format!("{:.3} s", self.elapsed_s)),
            row("rate", format!("{:.1} /s", self.rate_per_s)),
            figure("latency min", self.latency.min_us, "us"),
            figure("latency mean", self.latency.mean_us, "us"),
            figure("latency p50", self.latency.p50_us, "us"),
            figure("latency p99", self.latency.p99_us, "us"),
            figure("latency p99.9", self.latency.p999_us, "us"),
            figure("latency max", self.latency.max_us, "us"),
            figure("server CPU per operation", self.server.server_cpu_us_per_op, "us"),
            figure("client CPU per operation", Some(self.client_cpu_us_per_op), "us"),
            row("client busy", format!("{:.0} %", self.client_busy * 100.0)),
            row("received", format!("{} bytes", self.bytes_received)),
        ];
        if self.client_certificates > 1 {
            rows.push(row(
                "clients",
                format!("{} certificates, {} keys", self.client_certificates, self.client_keys),
            ));
        }
        for (kind, outcomes) in self.clients.kinds().filter(|(kind, _)| *kind != clients::Kind::Good) {
            let text = format!("{} as expected, {} otherwise", outcomes.expected, outcomes.unexpected);
            rows.push(row(&format!("{} clients", kind.name()), text));
        }
        for step in &self.steps {
            let us =
                |latency: Option<f64>| latency.map_or_else(|| "-".to_owned(), |us| format!("{us:.1} us"));
            let outcomes = &step.outcomes;
            let (p50, p99) = (us(outcomes.p50_us), us(outcomes.p99_us));
            let text = format!(
                "{} completed, {} refused, p50 {p50}, p99 {p99}",
                outcomes.completed, outcomes.refused
            );
            rows.push(row(&format!("step {}", step.name), text));
        }
        if self.rate.is_some() {
            rows.push(figure("began late by, p99", self.late_p99_us, "us"));
        }
        if let Some(floor_us) = self.floor_us {
            rows.push(figure("floor meanwhile", Some(floor_us), "us"));
            let times = self.over_floor.map_or_else(|| "-".to_owned(), |times| format!("{times:.2}"));
            rows.push(row("server CPU over the floor", times));
        }
        if self.client_was_limit {
            rows.push(row("note", "this program had no time left: the server may be able to do more"));
        }
        rows.extend(self.server.rows());
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::{Io, Kx, Tls};

    #[test]
    fn options_are_named_as_they_are_written() {
        assert_eq!(option_name(&Tls::V13), "1.3");
        assert_eq!(option_name(&Kx::X25519mlkem768), "x25519mlkem768");
        assert_eq!(option_name(&Io::Uring), "io_uring");
    }
}
