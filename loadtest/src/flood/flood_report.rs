//! The result of a flood of connections that make no handshake.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use clap::ValueEnum as _;
use serde::Serialize;

use crate::arguments::LoadArguments;
use crate::driver::Driver;
use crate::load::interval::Measured;
use crate::plan::Plan;
use crate::report::{Report, Row, figure, row};
use crate::server_use::ServerFigures;

use super::FloodKind;
use super::ending::Endings;

/// What was asked, and what came of it.
#[derive(Debug, Serialize)]
pub(super) struct FloodReport {
    command: &'static str,
    flood: String,
    target: SocketAddr,
    sni: String,
    title: Option<String>,
    count: Option<u64>,
    duration: Option<String>,
    rate: Option<f64>,
    connections: u32,
    hold_s: f64,
    core: Option<usize>,
    io: String,
    attempted: u64,
    not_connected: u64,
    held: u64,
    ended_by_server: u64,
    endings: BTreeMap<String, u64>,
    borne_p50_ms: Option<f64>,
    borne_max_ms: Option<f64>,
    elapsed_s: f64,
    rate_per_s: f64,
    server_pids: Vec<u32>,
    #[serde(flatten)]
    server: ServerFigures,
    client_cpu_us_per_op: f64,
}

impl FloodReport {
    /// Puts the result together.
    pub(super) fn new(
        kind: FloodKind,
        arguments: &LoadArguments,
        plan: &Plan,
        hold: Duration,
        driver: Driver,
        endings: &Endings,
        measured: &Measured,
    ) -> Self {
        let session = &arguments.session;
        let attempted = endings.not_connected + endings.held + endings.ended;
        let (operations, elapsed_s) = (attempted.max(1) as f64, measured.elapsed.as_secs_f64());
        let ms = |quantile| endings.borne.quantile_us(quantile).map(|us| us / 1000.0);
        Self {
            command: "flood",
            flood: kind.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned()),
            target: plan.target,
            sni: session.sni.clone(),
            title: arguments.title.clone(),
            count: arguments.count,
            duration: arguments.duration.clone(),
            rate: arguments.rate,
            connections: arguments.connections,
            hold_s: hold.as_secs_f64(),
            core: session.core,
            io: driver.to_string(),
            attempted,
            not_connected: endings.not_connected,
            held: endings.held,
            ended_by_server: endings.ended,
            endings: endings.counts.clone(),
            borne_p50_ms: ms(0.5),
            borne_max_ms: ms(1.0),
            elapsed_s,
            rate_per_s: attempted as f64 / elapsed_s,
            server_pids: session.server_pid.clone(),
            server: measured.server.map(|used| used.figures(operations)).unwrap_or_default(),
            client_cpu_us_per_op: measured.client.as_secs_f64() * 1e6 / operations,
        }
    }
}

impl Report for FloodReport {
    /// Whatever a server does with such connections is an answer. Those that did not come about were no flood.
    fn complaint(&self) -> Option<String> {
        (self.not_connected > 0)
            .then(|| format!("{} of {} connections did not come about", self.not_connected, self.attempted))
    }

    fn rows(&self) -> Vec<Row> {
        let mut rows = vec![
            row("command", format!("{} {}", self.command, self.flood)),
            row("target", format!("{} ({})", self.target, self.sni)),
            row("connections", self.connections),
            row("io", &self.io),
            row("attempted", self.attempted),
            row("held to the end", format!("{} for {} s", self.held, self.hold_s)),
            row("ended by the server", self.ended_by_server),
            row("not connected", self.not_connected),
            figure("server bore one, p50", self.borne_p50_ms, "ms"),
            figure("server bore one, at most", self.borne_max_ms, "ms"),
            row("elapsed", format!("{:.3} s", self.elapsed_s)),
            row("rate", format!("{:.1} /s", self.rate_per_s)),
            figure("server CPU per connection", self.server.server_cpu_us_per_op, "us"),
            figure("client CPU per connection", Some(self.client_cpu_us_per_op), "us"),
        ];
        rows.extend(self.endings.iter().map(|(ending, times)| row(ending, times)));
        rows.extend(self.server.rows());
        rows
    }
}
