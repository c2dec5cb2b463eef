//! The result of `handshake` and `request`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::ValueEnum;
use serde::Serialize;

use crate::arguments::LoadArguments;
use crate::clients::{ClientOutcomes, Kind};
use crate::driver::Driver;
use crate::latency::LatencySummary;
use crate::plan::Plan;
use crate::report::{Report, Row, figure, row};
use crate::server_cpu::CpuSource;
use crate::tally::Tally;

use super::interval::Measured;

/// What was asked, and what came of it.
#[derive(Debug, Serialize)]
pub(crate) struct LoadReport {
    command: &'static str,
    target: SocketAddr,
    sni: String,
    path: String,
    client_certificate: Option<PathBuf>,
    client_certificates: usize,
    client_keys: usize,
    seed: u64,
    count: u64,
    connections: u32,
    warmup: u64,
    expect_status: u16,
    timeout_s: f64,
    core: Option<usize>,
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
    tickets_received: u64,
    reconnects: u64,
    elapsed_s: f64,
    rate_per_s: f64,
    #[serde(flatten)]
    latency: LatencySummary,
    server_pids: Vec<u32>,
    server_cpu_us_per_op: Option<f64>,
    server_cpu_source: Option<CpuSource>,
    client_cpu_us_per_op: f64,
    client_busy: f64,
    bytes_received: u64,
    tls_version: Option<String>,
    cipher_suite: Option<String>,
    key_exchange: Option<String>,
    clients: ClientOutcomes,
    statuses: BTreeMap<u16, u64>,
    failures: BTreeMap<String, u64>,
}

impl LoadReport {
    /// Puts the result together from the tallies of the warm-up and of the measurement.
    pub(crate) fn new(
        command: &'static str,
        arguments: &LoadArguments,
        plan: &Plan,
        driver: Driver,
        measured: Measured,
        [warmup, tally]: [&Tally; 2],
    ) -> Self {
        let session = &arguments.session;
        let operations = tally.operations().max(1) as f64;
        let elapsed_s = measured.elapsed.as_secs_f64();
        let client_s = measured.client.as_secs_f64();
        let mut failures = tally.causes.clone();
        failures.merge(&warmup.causes);
        let [tls_version, cipher_suite, key_exchange] = warmup.agreement.and(tally.agreement).names();
        Self {
            command,
            target: plan.target,
            sni: session.sni.clone(),
            path: session.path.clone(),
            client_certificate: session.cert.clone(),
            client_certificates: plan.clients.certificates,
            client_keys: plan.clients.keys,
            seed: session.clients.seed,
            count: arguments.count,
            connections: arguments.connections,
            warmup: arguments.warmup,
            expect_status: session.expect_status,
            timeout_s: session.timeout_s,
            core: session.core,
            io: driver.to_string(),
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
            tickets_received: warmup.tickets_received + tally.tickets_received,
            reconnects: tally.reconnects,
            elapsed_s,
            rate_per_s: tally.completed as f64 / elapsed_s,
            latency: tally.latency.summary(),
            server_pids: session.server_pid.clone(),
            server_cpu_us_per_op: measured.server.map(|used| used.ns as f64 / 1000.0 / operations),
            server_cpu_source: measured.server.map(|used| used.source),
            client_cpu_us_per_op: client_s * 1e6 / operations,
            client_busy: client_s / elapsed_s,
            bytes_received: tally.bytes_received,
            tls_version,
            cipher_suite,
            key_exchange,
            clients: tally.clients,
            statuses: tally.statuses.clone(),
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
        if self.failed + self.unexpected_status + self.warmup_failed + self.warmup_unexpected == 0 {
            return None;
        }
        let mut complaint = format!(
            "{} of {} failed, {} had an unexpected status, {} failed in the warm-up",
            self.failed, self.count, self.unexpected_status, self.warmup_failed
        );
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
        for (status, times) in self.statuses.iter().filter(|(status, _)| **status != self.expect_status) {
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
            row("completed", format!("{} of {}", self.completed, self.count)),
            row("failed", self.failed),
            row("refused as expected", self.refused),
            row("unexpected status", self.unexpected_status),
            row("failed in the warm-up", self.warmup_failed),
            row("handshakes", format!("{}, {} resumed", self.handshakes, self.resumed)),
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
            figure("server CPU per operation", self.server_cpu_us_per_op, "us"),
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
        for (kind, outcomes) in self.clients.kinds().filter(|(kind, _)| *kind != Kind::Good) {
            let text = format!("{} as expected, {} otherwise", outcomes.expected, outcomes.unexpected);
            rows.push(row(&format!("{} clients", kind.name()), text));
        }
        if self.server_cpu_source == Some(CpuSource::Stat) {
            rows.push(row("note", "server CPU is exact to ticks of 10 ms only"));
        }
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
