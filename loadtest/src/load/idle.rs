//! `loadtest idle`: connections that are held and say nothing, and what each takes of the server's memory.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Serialize;

use crate::arguments::IdleArguments;
use crate::connection::{self, Connection};
use crate::deadline::Watchdog;
use crate::driver::{self, Driver};
use crate::failure::{Causes, Failure};
use crate::plan::{self, Needs, Plan};
use crate::process;
use crate::report::{Report, Row, figure, row};
use crate::tally::Tally;
use crate::tickets::Share;

use super::schedule::{End, Schedule};
use super::worker::{Choices, Worker};
use super::{SharedTally, join};

/// Connections that are opened at one time. A server that keeps what its busiest moment needed should not be charged for
/// thousands of handshakes at once.
const OPENERS: u32 = 8;
/// Wait before the first reading of the server's memory, in which it closes the connections of the warm-up.
const WARMUP_SETTLE: Duration = Duration::from_millis(500);

/// What was asked, and what came of it.
#[derive(Debug, Serialize)]
pub(crate) struct IdleReport {
    command: &'static str,
    target: SocketAddr,
    sni: String,
    path: String,
    client_certificate: Option<PathBuf>,
    connections: u32,
    warmup: u64,
    requested: bool,
    hold_s: f64,
    settle_s: f64,
    core: Option<usize>,
    io: String,
    held: u64,
    failed: u64,
    unexpected_status: u64,
    warmup_failed: u64,
    lost: u64,
    handshakes: u64,
    resumed: u64,
    tickets_received: u64,
    server_pids: Vec<u32>,
    server_pss_before_bytes: Option<u64>,
    server_pss_during_bytes: Option<u64>,
    server_pss_bytes_per_connection: Option<f64>,
    tls_version: Option<String>,
    cipher_suite: Option<String>,
    key_exchange: Option<String>,
    statuses: BTreeMap<u16, u64>,
    failures: BTreeMap<String, u64>,
}

/// The connections that are held.
#[derive(Debug, Default)]
struct Held {
    descriptors: RefCell<BTreeSet<i32>>,
    lost: Cell<u64>,
    causes: RefCell<Causes>,
}

/// Opens the connections, holds them, and lets them go.
pub(crate) fn run(arguments: &IdleArguments) -> Result<IdleReport> {
    let hold = plan::seconds("--hold-s", arguments.hold_s)?;
    let settle = plan::seconds("--settle-s", arguments.settle_s)?;
    if hold < settle {
        bail!(
            "--hold-s is shorter than --settle-s: the server's memory would be read after the connections are gone"
        );
    }
    if !arguments.session.clients.bad.is_empty() {
        bail!("--bad: idle holds connections of good clients only");
    }
    let needs = Needs {
        connections: arguments.connections,
        keeps_sessions: false,
        http2: false,
        body_bytes: 0,
        crowd: false,
    };
    let plan = Rc::new(Plan::prepare(&arguments.session, needs, &[])?);
    driver::run(arguments.session.io, |driver| measure(arguments, plan, driver, settle, hold - settle))
}

async fn measure(
    arguments: &IdleArguments,
    plan: Rc<Plan>,
    driver: Driver,
    settle: Duration,
    rest: Duration,
) -> Result<IdleReport> {
    let watchdog = Watchdog::start();
    let warmup = Rc::new(RefCell::new(Tally::new(plan.expect_status)?));
    let tally = Rc::new(RefCell::new(Tally::new(plan.expect_status)?));
    let choices = Choices {
        draw: Rc::new(RefCell::new(plan.clients.draw(0))),
        resumption: Rc::new(Cell::new(Share::new(0.0))),
    };
    let open = async |count: u64, tally: &SharedTally| {
        let schedule = Schedule::closed(End::Count(count));
        let openers = (0..OPENERS).map(|_| {
            let worker = Worker::new(&plan, &watchdog, &choices, tally);
            monoio::spawn(open_all(worker, schedule.clone(), !arguments.no_request))
        });
        join(openers.collect()).await.into_iter().flatten().collect::<Vec<Connection>>()
    };
    drop(open(arguments.warmup, &warmup).await);
    monoio::time::sleep(WARMUP_SETTLE).await;
    let before_bytes = pss_bytes(&arguments.session.server_pid)?;

    let connections = open(arguments.connections.into(), &tally).await;
    let opened = connections.len();
    let held = Held::begin(connections);
    monoio::time::sleep(settle).await;
    let during_bytes = pss_bytes(&arguments.session.server_pid)?;
    monoio::time::sleep(rest).await;
    held.end();
    let tallies = [&*warmup.borrow(), &*tally.borrow()];
    Ok(IdleReport::new(arguments, &plan, driver, tallies, &held, opened, [before_bytes, during_bytes]))
}

async fn open_all(mut worker: Worker, schedule: Schedule, with_request: bool) -> Vec<Connection> {
    let mut opened = Vec::new();
    while let Some(start) = schedule.next().await {
        match open_one(&mut worker, start, with_request).await {
            Ok(connection) => opened.push(connection),
            Err(failure) => worker.tally.borrow_mut().failed(&failure, 1),
        }
    }
    opened
}

async fn open_one(worker: &mut Worker, start: Instant, with_request: bool) -> Result<Connection, Failure> {
    let until = worker.until(start);
    let mut connection = worker.open(until).await?;
    if !with_request {
        return Ok(connection);
    }
    let answer = worker.get(&mut connection, until).await?;
    if answer.closes {
        return Err(Failure::Closes);
    }
    worker.tally.borrow_mut().answered(answer, start.elapsed());
    Ok(connection)
}

fn pss_bytes(server_pids: &[u32]) -> Result<Option<u64>> {
    if server_pids.is_empty() {
        return Ok(None);
    }
    process::family_pss_bytes(server_pids).context("--server-pid").map(Some)
}

impl Held {
    /// Waits on every connection, so that one the server closes is seen.
    fn begin(connections: Vec<Connection>) -> Rc<Self> {
        let held = Rc::new(Self::default());
        for connection in connections {
            let descriptor = connection.descriptor();
            held.descriptors.borrow_mut().insert(descriptor);
            let holder = Rc::clone(&held);
            monoio::spawn(async move {
                let failure = connection.hold().await;
                // Whoever takes the descriptor out first knows why the connection ended.
                if holder.descriptors.borrow_mut().remove(&descriptor) {
                    holder.lost.set(holder.lost.get() + 1);
                    holder.causes.borrow_mut().add(&failure, 1);
                }
            });
        }
        held
    }

    /// Lets all connections go.
    fn end(&self) {
        for descriptor in self.descriptors.take() {
            connection::release(descriptor);
        }
    }
}

impl IdleReport {
    fn new(
        arguments: &IdleArguments,
        plan: &Plan,
        driver: Driver,
        [warmup, tally]: [&Tally; 2],
        held: &Held,
        opened: usize,
        [before_bytes, during_bytes]: [Option<u64>; 2],
    ) -> Self {
        let session = &arguments.session;
        let lost = held.lost.get();
        let mut failures = tally.causes.clone();
        failures.merge(&warmup.causes);
        failures.merge(&held.causes.borrow());
        let [tls_version, cipher_suite, key_exchange] = warmup.agreement.and(tally.agreement).names();
        let per_connection = |(before, during): (u64, u64)| (during as f64 - before as f64) / opened as f64;
        Self {
            command: "idle",
            target: plan.target,
            sni: session.sni.clone(),
            path: session.path.clone(),
            client_certificate: session.cert.clone(),
            connections: arguments.connections,
            warmup: arguments.warmup,
            requested: !arguments.no_request,
            hold_s: arguments.hold_s,
            settle_s: arguments.settle_s,
            core: session.core,
            io: driver.to_string(),
            held: opened as u64 - lost,
            failed: tally.failed,
            unexpected_status: tally.unexpected_status,
            warmup_failed: warmup.failed,
            lost,
            handshakes: warmup.handshakes + tally.handshakes,
            resumed: warmup.resumed + tally.resumed,
            tickets_received: warmup.tickets_received + tally.tickets_received,
            server_pids: session.server_pid.clone(),
            server_pss_before_bytes: before_bytes,
            server_pss_during_bytes: during_bytes,
            server_pss_bytes_per_connection: before_bytes
                .zip(during_bytes)
                .filter(|_| opened > 0)
                .map(per_connection),
            tls_version,
            cipher_suite,
            key_exchange,
            statuses: tally.statuses.clone(),
            failures: failures.into_counts(),
        }
    }
}

impl Report for IdleReport {
    fn complaint(&self) -> Option<String> {
        if self.failed + self.unexpected_status + self.warmup_failed + self.lost == 0 {
            return None;
        }
        let mut complaint = format!(
            "{} of {} failed, {} had an unexpected status, {} were closed by the server while held, {} failed in the \
             warm-up",
            self.failed, self.connections, self.unexpected_status, self.lost, self.warmup_failed
        );
        for (cause, times) in &self.failures {
            complaint += &format!("\n  {times} x {cause}");
        }
        Some(complaint)
    }

    fn rows(&self) -> Vec<Row> {
        let kib = |bytes: Option<u64>| bytes.map(|bytes| bytes as f64 / 1024.0);
        let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
        vec![
            row("command", self.command),
            row("target", format!("{} ({})", self.target, self.sni)),
            row("io", &self.io),
            row("TLS", text(&self.tls_version)),
            row("cipher suite", text(&self.cipher_suite)),
            row("key exchange", text(&self.key_exchange)),
            row("one GET before", if self.requested { "yes" } else { "no" }),
            row("held", format!("{} of {} for {} s", self.held, self.connections, self.hold_s)),
            row("failed", self.failed),
            row("unexpected status", self.unexpected_status),
            row("closed by the server", self.lost),
            row("failed in the warm-up", self.warmup_failed),
            figure("server PSS before", kib(self.server_pss_before_bytes), "KiB"),
            figure("server PSS during", kib(self.server_pss_during_bytes), "KiB"),
            figure("server PSS per connection", self.server_pss_bytes_per_connection, "bytes"),
        ]
    }
}
