//! The running data plane, seen from the control plane.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread::JoinHandle,
    time::Instant,
};

use arc_swap::ArcSwap;
use portcullis_handshake::{ConfigError, key_matches};
use portcullis_policy::Ledger;
use portcullis_seal::{ReplayWindow, SealRules};
use portcullis_telemetry::RecordSinks;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use thiserror::Error;

use crate::{
    heartbeat::Heartbeats,
    http::REPLAY_ENTRIES_MAX,
    listener,
    live::LiveConnections,
    plan::{IoChoice, ListenerPlan, Plan, RuntimePlan},
    shard::{self, Census, IoBackend, ShardError, ShardStart},
    sighting::SightingSinks,
    spool::Spool,
};

/// Why the data plane did not start.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartError {
    /// Somebody listens there already.
    #[error("listener {listener:?}: {address} is taken by another process")]
    Taken {
        /// The listener's name.
        listener: String,
        /// Its address.
        address: SocketAddr,
    },
    /// The address cannot be bound.
    #[error("listener {listener:?}: cannot listen on {address}")]
    Bind {
        /// The listener's name.
        listener: String,
        /// Its address.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// `io_uring` was demanded.
    #[error("io_uring is not to be had here")]
    NoIoUring(#[source] io::Error),
    /// A thread could not be made.
    #[error("cannot start a thread")]
    Thread(#[source] io::Error),
    /// A shard ended before it accepted.
    #[error("shard {shard} did not start")]
    Shard {
        /// Its number.
        shard: usize,
        /// Why.
        source: ShardError,
    },
    /// A shard panicked before it accepted.
    #[error("a shard panicked at its start")]
    Panicked,
}

/// What the control plane publishes. Shards take it up within 100 ms of its being stored.
#[derive(Debug, Clone)]
pub struct Published {
    /// What the shards run on.
    pub plan: Arc<ArcSwap<Plan>>,
    /// What is known of the status of clients.
    pub ledger: Arc<ArcSwap<Ledger>>,
}

/// The running shards.
#[derive(Debug)]
pub struct Gateway {
    addresses: Vec<(String, SocketAddr)>,
    io: IoBackend,
    draining: Arc<AtomicBool>,
    censuses: Vec<Arc<Census>>,
    live: Arc<LiveConnections>,
    replay: Arc<ReplayWindow>,
    spool: Arc<Spool>,
    heartbeats: Heartbeats,
    threads: Vec<JoinHandle<()>>,
}

impl Gateway {
    /// Binds all listeners, starts all shards and waits until each accepts.
    ///
    /// # Errors
    /// [`StartError`]: an address is taken, `io_uring` was demanded and is not allowed, a thread cannot be made.
    pub fn start(
        runtime: &RuntimePlan,
        published: &Published,
        (records, sightings): (&RecordSinks, &SightingSinks),
        live: Arc<LiveConnections>,
    ) -> Result<Self, StartError> {
        let io = choose(runtime.io)?;
        let (addresses, sockets) = bind_all(&published.plan.load().listeners, runtime.shards.get())?;
        let draining = Arc::new(AtomicBool::new(false));
        let (report, reports) = mpsc::channel();
        let mut threads = Vec::new();
        let censuses: Vec<Arc<Census>> = sockets.iter().map(|_| Arc::default()).collect();
        let epoch = Instant::now();
        let replay = Arc::new(ReplayWindow::new(&SealRules::default(), REPLAY_ENTRIES_MAX));
        let spool = Arc::new(Spool::new(runtime.spool.directory.clone(), runtime.spool.bytes_max));
        let heartbeats = Heartbeats::new(sockets.len(), epoch);
        for (number, sockets) in sockets.into_iter().enumerate() {
            let start = ShardStart {
                number,
                epoch,
                cpu: (!runtime.cpus.is_empty()).then(|| runtime.cpus[number % runtime.cpus.len()]),
                io,
                published: published.clone(),
                sockets,
                records: records.clone(),
                sightings: sightings.clone(),
                draining: Arc::clone(&draining),
                census: Arc::clone(&censuses[number]),
                live: Arc::clone(&live),
                replay: Arc::clone(&replay),
                spool: Arc::clone(&spool),
                pulse: heartbeats.pulse(number),
                drain_timeout: runtime.drain_timeout,
            };
            let report = report.clone();
            let thread = std::thread::Builder::new().name(format!("shard-{number}"));
            let body = move || {
                let started = report.clone();
                if let Err(source) = shard::run(start, move || drop(started.send(Ok(())))) {
                    tracing::error!(shard = number, error = %source, "a shard ended");
                    drop(report.send(Err(StartError::Shard { shard: number, source })));
                }
            };
            threads.push(thread.spawn(body).map_err(StartError::Thread)?);
        }
        drop(report);
        for _ in &threads {
            reports.recv().map_err(|_| StartError::Panicked)??;
        }
        Ok(Self { addresses, io, draining, censuses, live, replay, spool, heartbeats, threads })
    }

    /// Listener names and the addresses that they are bound to, in the order of the plan.
    pub fn addresses(&self) -> &[(String, SocketAddr)] {
        &self.addresses
    }

    /// What carries the I/O.
    pub fn io_backend(&self) -> IoBackend {
        self.io
    }

    /// The most memory that connections took since this was last asked, all shards together, in units of an idle connection (about
    /// 13 kB); a busy one is two.
    pub fn take_memory_peak(&self) -> usize {
        self.censuses.iter().map(|census| census.take_peak()).sum()
    }

    /// How many client certificates have a connection at present.
    pub fn certificates_connected(&self) -> usize {
        self.live.certificates()
    }

    /// How many sealed requests are remembered so that none comes twice, and how many bytes of bodies wait on disk.
    pub fn sealed_requests_held(&self) -> (usize, u64) {
        (self.replay.len(), self.spool.bytes())
    }

    /// The living connections of each certificate.
    pub const fn live_connections(&self) -> &Arc<LiveConnections> {
        &self.live
    }

    /// The last turn of each shard's loop: a shard that spins or hangs has not [failed](Self::has_failed), and is seen here.
    pub fn heartbeats(&self) -> &Heartbeats {
        &self.heartbeats
    }

    /// Begins to drain: no more connections are accepted, what is in flight is finished, idle connections close.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Release);
    }

    /// Whether a shard has ended though none was asked to: the others serve on, but its share of the connections is
    /// lost until the process is started anew.
    pub fn has_failed(&self) -> bool {
        !self.draining.load(Ordering::Acquire) && self.threads.iter().any(JoinHandle::is_finished)
    }

    /// Whether every shard has ended.
    pub fn is_finished(&self) -> bool {
        self.threads.iter().all(JoinHandle::is_finished)
    }

    /// Waits for the shards to end (blocking). What is left after the drain timeout is cut by the shards themselves.
    /// False if one of them panicked.
    pub fn join(self) -> bool {
        self.threads.into_iter().map(JoinHandle::join).fold(true, |all, one| all & one.is_ok())
    }
}

/// Whether a server certificate chain and key can be used together.
///
/// # Errors
/// The reason, in words for the operator.
pub fn check_certificate(
    chain: &[CertificateDer<'static>],
    key: &PrivateKeyDer<'static>,
) -> Result<(), ConfigError> {
    key_matches(chain, key)
}

fn choose(choice: IoChoice) -> Result<IoBackend, StartError> {
    match choice {
        IoChoice::Epoll => Ok(IoBackend::Epoll),
        IoChoice::IoUring => IoBackend::probe_io_uring().map_err(StartError::NoIoUring),
        IoChoice::Auto => Ok(IoBackend::probe_io_uring().unwrap_or_else(|error| {
            tracing::warn!(%error, "io_uring is not to be had here: epoll carries the I/O");
            IoBackend::Epoll
        })),
    }
}

/// The sockets of each shard, and the addresses that they share.
type Bound = (Vec<(String, SocketAddr)>, Vec<Vec<TcpListener>>);

fn bind_all(listeners: &[ListenerPlan], shards: usize) -> Result<Bound, StartError> {
    let mut addresses = Vec::new();
    let mut sockets: Vec<Vec<TcpListener>> = (0..shards).map(|_| Vec::new()).collect();
    for plan in listeners {
        let bind_error =
            |source| StartError::Bind { listener: plan.name.clone(), address: plan.address, source };
        if !plan.shared_port {
            listener::probe(plan.address).map_err(|error| match error.kind() {
                io::ErrorKind::AddrInUse => {
                    StartError::Taken { listener: plan.name.clone(), address: plan.address }
                }
                _ => bind_error(error),
            })?;
        }
        let mut address = plan.address;
        for sockets in &mut sockets {
            let socket = listener::bind(address).map_err(bind_error)?;
            // Port 0 is chosen by the kernel once, for the first shard.
            address = socket.local_addr().map_err(bind_error)?;
            sockets.push(socket);
        }
        addresses.push((plan.name.clone(), address));
    }
    Ok((addresses, sockets))
}
