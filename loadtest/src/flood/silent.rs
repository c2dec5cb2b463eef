//! Connections that say nothing, little or nonsense. Each lasts until the server has enough of it, or its time is over.

use std::cell::{Cell, RefCell};
use std::os::fd::AsRawFd as _;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use monoio::io::{AsyncReadRent as _, AsyncWriteRentExt as _, OwnedReadHalf, OwnedWriteHalf, Splitable as _};
use monoio::net::TcpStream;
use monoio::task::JoinHandle;
use nix::libc::linger;
use nix::sys::socket::{setsockopt, sockopt};
use rustls::ClientConnection;

use crate::arguments::{ArrivalTimes, LoadArguments};
use crate::deadline::{Deadline, Watchdog};
use crate::driver::{self, Driver};
use crate::failure::{Failure, Stage};
use crate::load::interval::Interval;
use crate::load::pacer::{Pacer, Times};
use crate::load::schedule::{Arrivals, End, Schedule};
use crate::load::thread::Length;
use crate::plan::{self, Needs, Plan};

use super::FloodKind;
use super::ending::{Ending, Endings};
use super::flood_report::FloodReport;

/// Time between two bytes of a slow client: long enough that its connections cost this program nothing.
const SLOW_BYTE: Duration = Duration::from_millis(200);
/// Most bytes of nonsense. Servers read a record header first, which is five.
const GARBAGE_BYTES_MAX: usize = 2048;
/// Bytes that are kept of what a server says, which is an alert or no TLS at all.
const HEARD_BYTES_MAX: usize = 64;

/// What all connections share.
struct Flood {
    kind: FloodKind,
    plan: Plan,
    hold: Duration,
    hello: Vec<u8>,
    random: RefCell<fastrand::Rng>,
    endings: RefCell<Endings>,
}

/// Makes such a flood.
pub(super) fn run(kind: FloodKind, arguments: &LoadArguments, hold: Duration) -> Result<FloodReport> {
    if arguments.threads.is_some() || arguments.hlog.is_some() || arguments.warmup > 0 {
        bail!("--threads, --warmup and --hlog are not for connections that make no handshake");
    }
    let needs = Needs {
        connections: arguments.connections,
        keeps_sessions: false,
        http2: arguments.http2,
        body_bytes: 0,
        crowd: false,
    };
    let plan = Plan::prepare(&arguments.session, needs, &[])?;
    let length = match (&arguments.duration, arguments.count) {
        (Some(duration), _) => Length::Time(plan::duration("--duration", duration)?),
        (None, Some(count)) => Length::Count(count),
        (None, None) => bail!("one of --count and --duration must be given"),
    };
    let flood = Flood {
        kind,
        hold,
        hello: hello(&plan)?,
        random: RefCell::new(fastrand::Rng::with_seed(arguments.session.clients.seed)),
        endings: RefCell::new(Endings::new()?),
        plan,
    };
    driver::run(arguments.session.io, |driver| make(arguments, Rc::new(flood), length, driver))
}

async fn make(
    arguments: &LoadArguments,
    flood: Rc<Flood>,
    length: Length,
    driver: Driver,
) -> Result<FloodReport> {
    let interval = Interval::begin(&arguments.session.server_pid, None)?;
    let watchdog = Watchdog::start();
    let end = match length {
        Length::Count(count) => End::Count(count),
        Length::Time(time) => End::At(interval.start() + time),
    };
    let schedule = match arguments.rate {
        None => Schedule::closed(end),
        Some(rate) => {
            let seed =
                (arguments.arrivals == ArrivalTimes::Poisson).then_some(arguments.session.clients.seed);
            let arrivals = Rc::new(Arrivals::default());
            let pacer = Pacer::start(interval.start(), Times::new(rate, seed), end)?;
            monoio::spawn(pacer.run(Rc::clone(&arrivals)));
            Schedule::Open(arrivals)
        }
    };
    let tasks: Vec<JoinHandle<()>> = (0..arguments.connections)
        .map(|_| monoio::spawn(Rc::clone(&flood).work(schedule.clone(), watchdog.deadline())))
        .collect();
    for task in tasks {
        task.await;
    }
    let measured = interval.end(Instant::now())?;
    let endings = flood.endings.replace(Endings::new()?);
    Ok(FloodReport::new(flood.kind, arguments, &flood.plan, flood.hold, driver, &endings, &measured))
}

/// The first message of a handshake, which a slow client never brings to its end.
fn hello(plan: &Plan) -> Result<Vec<u8>> {
    let config = Arc::clone(&plan.clients.client(0).config);
    let mut tls = ClientConnection::new(config, plan.server_name.clone()).context("a ClientHello")?;
    let mut hello = Vec::new();
    tls.write_tls(&mut hello).context("a ClientHello")?;
    Ok(hello)
}

impl Flood {
    async fn work(self: Rc<Self>, schedule: Schedule, deadline: Rc<Deadline>) {
        while let Some(start) = schedule.next().await {
            match self.connect().await {
                Err(failure) => {
                    let ending = Ending::NotConnected(failure);
                    self.endings.borrow_mut().count(&ending, start.elapsed());
                }
                Ok(stream) => {
                    let begun = Instant::now();
                    deadline.arm(stream.as_raw_fd(), begun + self.hold);
                    let ending = self.bother(stream, &deadline).await;
                    self.endings.borrow_mut().count(&ending, begun.elapsed());
                }
            }
        }
    }

    async fn connect(&self) -> Result<TcpStream, Failure> {
        let connect = TcpStream::connect_addr(self.plan.target);
        let stream = monoio::time::timeout(self.plan.timeout, connect)
            .await
            .map_err(|_| Failure::Timeout(Stage::Connect))?
            .map_err(Failure::Connect)?;
        let reset = linger { l_onoff: 1, l_linger: 0 };
        setsockopt(stream.as_raw_fd(), sockopt::Linger, &reset)
            .map_err(|errno| Failure::Connect(errno.into()))?;
        Ok(stream)
    }

    /// Says what is to be said, and listens until the connection ends.
    async fn bother(self: &Rc<Self>, stream: TcpStream, deadline: &Deadline) -> Ending {
        let (reads, writes) = stream.into_split();
        let is_over = Rc::new(Cell::new(false));
        let speaks = monoio::spawn(Rc::clone(self).speak(writes, Rc::clone(&is_over)));
        let ending = listen(reads).await;
        is_over.set(true);
        let ending = if deadline.disarm() { Ending::Held } else { ending };
        drop(speaks.await);
        ending
    }

    /// Returns the half that it spoke on: dropped, it would tell the server that nothing more comes.
    async fn speak(
        self: Rc<Self>,
        mut writes: OwnedWriteHalf<TcpStream>,
        is_over: Rc<Cell<bool>>,
    ) -> OwnedWriteHalf<TcpStream> {
        match self.kind {
            FloodKind::HalfOpen | FloodKind::Certificates => {}
            FloodKind::Garbage => {
                // What the server does then, the other half hears.
                let _ = writes.write_all(self.garbage()).await;
            }
            FloodKind::Slow => {
                // All but the last byte, so that nothing can come of it however long it lasts.
                for byte in &self.hello[..self.hello.len() - 1] {
                    if is_over.get() || writes.write_all(vec![*byte]).await.0.is_err() {
                        break;
                    }
                    monoio::time::sleep(SLOW_BYTE).await;
                }
            }
        }
        writes
    }

    fn garbage(&self) -> Vec<u8> {
        let mut random = self.random.borrow_mut();
        let length = random.usize(1..=GARBAGE_BYTES_MAX);
        (0..length).map(|_| random.u8(..)).collect()
    }
}

/// Listens until the end.
async fn listen(mut reads: OwnedReadHalf<TcpStream>) -> Ending {
    let (mut heard, mut inbox) = (Vec::new(), Vec::with_capacity(HEARD_BYTES_MAX));
    loop {
        let (result, filled) = reads.read(inbox).await;
        inbox = filled;
        match result {
            Ok(0) => return Ending::closed(&heard),
            Ok(_) => heard.extend(inbox.iter().take(HEARD_BYTES_MAX - heard.len())),
            Err(error) => return Ending::broken(&heard, &error),
        }
    }
}
