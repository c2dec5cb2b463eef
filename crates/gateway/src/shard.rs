//! One thread of the data plane.

use std::{
    cell::{Cell, RefCell},
    io,
    net::{SocketAddr, TcpListener},
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use monoio::{IoUringDriver, LegacyDriver, RuntimeBuilder};
use portcullis_handshake::{ConfigError, PeerChain};
use portcullis_identity::{Thumbprint, distinguished_name};
use portcullis_keys::{KeyIdentity, Sighted};
use portcullis_policy::{
    Assessment, Concerned, ContentRule, Denial, DomainId, Enrolment, Ledger, Registration, RevocationCheck,
    Severity, TrustDomain,
};
use portcullis_seal::ReplayWindow;
use portcullis_telemetry::{
    AccessRecord, AuditRecord, ListenerMetrics, RecordSinks, RefusalLog, Refused, ShardMetrics,
};
use portcullis_trust::{KnownStatus, PathError};
use rustls_pki_types::UnixTime;

use crate::{
    bell::{Bell, Ear},
    deadlines::Deadlines,
    gateway::Published,
    heartbeat::Pulse,
    http::{Seals, Tokens},
    judge::{Judged, Observed, Standing},
    listener,
    live::{LiveConnections, Place},
    plan::Plan,
    sighting::{Sighting, SightingSinks},
    slots::Slots,
    spool::Spool,
    verification::{Verifications, Verified},
    view::View,
};

/// How often a shard looks for news and turns its coarse clock. Deadlines are seconds, and news must reach living
/// connections within one.
const HOUSEKEEPING: Duration = Duration::from_millis(100);

/// The kernel interface that carries the I/O.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IoBackend {
    /// `io_uring`
    IoUring,
    /// epoll
    Epoll,
}

impl IoBackend {
    /// The name in logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::IoUring => "io_uring",
            Self::Epoll => "epoll",
        }
    }

    /// `io_uring` where this kernel lets this process have it, otherwise why not.
    pub(crate) fn probe_io_uring() -> io::Result<Self> {
        uring_builder().build(8).map(|_| Self::IoUring)
    }
}

/// A ring whose completions wait for the next system call of its thread instead of interrupting it: a third less CPU
/// for a TLS request than the default ring. Kernels before 5.19 do not know the flag.
fn uring_builder() -> io_uring::Builder {
    let mut builder = io_uring::IoUring::builder();
    builder.setup_coop_taskrun();
    if builder.build(8).is_err() {
        return io_uring::IoUring::builder();
    }
    builder
}

/// What a shard is started with.
#[derive(Debug)]
pub(crate) struct ShardStart {
    pub(crate) number: usize,
    pub(crate) epoch: Instant,
    pub(crate) cpu: Option<usize>,
    pub(crate) io: IoBackend,
    pub(crate) published: Published,
    /// Bound, listening, in the order of the plan.
    pub(crate) sockets: Vec<TcpListener>,
    pub(crate) records: RecordSinks,
    pub(crate) sightings: SightingSinks,
    pub(crate) draining: Arc<AtomicBool>,
    pub(crate) census: Arc<Census>,
    pub(crate) live: Arc<LiveConnections>,
    pub(crate) replay: Arc<ReplayWindow>,
    pub(crate) spool: Arc<Spool>,
    pub(crate) pulse: Pulse,
    pub(crate) drain_timeout: Duration,
}

/// How much memory the connections of a shard take, as the control plane may read it: one for each connection, and
/// one more for each that hyper's buffers serve, which take as much again. Written by the shard's housekeeping, so that no
/// connection costs an atomic.
#[derive(Debug, Default)]
pub(crate) struct Census {
    now: AtomicUsize,
    peak: AtomicUsize,
}

impl Census {
    fn count(&self, weight: usize) {
        self.now.store(weight, Ordering::Relaxed);
        self.peak.fetch_max(weight, Ordering::Relaxed);
    }

    /// The most there was since this was last asked.
    pub(crate) fn take_peak(&self) -> usize {
        self.peak.swap(self.now.load(Ordering::Relaxed), Ordering::Relaxed)
    }
}

/// What the tasks of a shard share. Nothing in it is written by another thread but the drain flag.
#[derive(Debug)]
pub(crate) struct Shard {
    number: usize,
    /// When the gate began.
    epoch: Instant,
    live: Arc<LiveConnections>,
    pub(crate) bell: Bell,
    /// Rung with every new ledger, for those that wait for an answer in it.
    pub(crate) ledger_bell: Bell,
    pub(crate) deadlines: Deadlines,
    pub(crate) listeners: Vec<ShardListener>,
    pub(crate) metrics: ShardMetrics,
    /// The present time, at most [`HOUSEKEEPING`] and the loop lag old.
    pub(crate) clock: Rc<Cell<Instant>>,
    /// The same in seconds of Unix time.
    unix_clock: Cell<i64>,
    view: RefCell<Rc<View>>,
    ledger: RefCell<Arc<Ledger>>,
    verifications: Verifications,
    /// What is known of access tokens.
    pub(crate) tokens: Tokens,
    /// What is known of seals.
    pub(crate) seals: Seals,
    sightings: SightingSinks,
    refusals: RefCell<RefusalLog>,
    /// Given up at the end, though tasks that the runtime leaves behind may keep the shard alive: the writers of the
    /// records end when the last sinks are gone.
    records: RefCell<Option<RecordSinks>>,
    draining: Cell<bool>,
    busy: Cell<usize>,
}

/// Counts a connection as busy until dropped.
#[derive(Debug)]
pub(crate) struct Busy<'a>(&'a Cell<usize>);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// A listener as one shard keeps it.
#[derive(Debug)]
pub(crate) struct ShardListener {
    pub(crate) name: Arc<str>,
    pub(crate) metrics: Rc<ListenerMetrics>,
    pub(crate) slots: Rc<Slots>,
}

impl Shard {
    pub(crate) fn now(&self) -> Instant {
        self.clock.get()
    }

    /// A time in nanoseconds since the gate began: the clock that all shards share.
    pub(crate) fn nanoseconds(&self, time: Instant) -> u64 {
        u64::try_from(time.saturating_duration_since(self.epoch).as_nanos()).unwrap_or(u64::MAX)
    }

    /// The present in seconds of Unix time, as old as [`now`](Self::now) may be.
    pub(crate) fn unix_now(&self) -> i64 {
        self.unix_clock.get()
    }

    /// Turns the clocks, and wakes whose deadline has come.
    fn turn_clock(&self, now: Instant) {
        self.clock.set(now);
        self.unix_clock.set(unix_now());
        self.deadlines.wake(now);
    }

    pub(crate) fn view(&self) -> Rc<View> {
        Rc::clone(&self.view.borrow())
    }

    /// What is known at present of the status of clients.
    pub(crate) fn with_ledger<T>(&self, read: impl FnOnce(&Ledger) -> T) -> T {
        read(&self.ledger.borrow())
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.get()
    }

    /// The place at the bell of a connection that begins, found from now on by its certificate.
    pub(crate) fn begin_listening(&self, thumbprint: Option<Thumbprint>) -> Ear {
        let ear = Ear::new(&self.bell);
        if let Some(thumbprint) = thumbprint {
            self.live.enter(thumbprint, Place { shard: self.number, ear: ear.place() });
        }
        ear
    }

    /// The connection ends.
    pub(crate) fn end_listening(&self, ear: &Ear, thumbprint: Option<Thumbprint>) {
        if let Some(thumbprint) = thumbprint {
            self.live.leave(thumbprint, Place { shard: self.number, ear: ear.place() });
        }
        ear.leave(&self.bell);
    }

    /// Counts a connection that hyper serves.
    pub(crate) fn begin_busy(&self) -> Busy<'_> {
        self.busy.set(self.busy.get() + 1);
        Busy(&self.busy)
    }

    /// Logs a refusal, within the bounds of the log.
    pub(crate) fn refused(&self, code: &'static str, who: &Refused<'_>, detail: impl FnOnce() -> String) {
        self.refusals.borrow_mut().refused(code, who, detail, self.now());
    }

    /// The verdict on a chain, whose leaf has that hash, by the rules of a domain of `view`: the one that is remembered where it
    /// holds.
    pub(crate) fn verify(
        &self,
        view: &View,
        domain: DomainId,
        chain: (Thumbprint, Rc<PeerChain>),
        now: UnixTime,
    ) -> Verified {
        let verify =
            |ledger: &Ledger| self.verifications.verify((&view.plan.policy, domain), ledger, chain, now);
        let verified = self.with_ledger(verify);
        match verified.is_remembered() {
            true => self.metrics.verifications_remembered.increment(1),
            false => self.metrics.verifications_made.increment(1),
        }
        verified
    }

    /// Remembers a verdict on a certificate whose key was proved.
    pub(crate) fn remember(&self, verified: Verified) -> Rc<Judged> {
        self.verifications.remember(verified, unix_now())
    }

    /// Counts and records a verdict on a client certificate.
    pub(crate) fn judged(
        &self,
        (listener, peer): (usize, SocketAddr),
        view: &View,
        domain: &TrustDomain,
        judged: &Judged,
    ) {
        let standing = &judged.standing;
        let listener = &self.listeners[listener];
        listener.metrics.verified(standing.result());
        if let Standing::Refused { denial: Denial::Path(PathError::CriticalExtension { oid, .. }), .. } =
            standing
        {
            listener.metrics.critical_extension(oid);
        }
        if let Some(Observed { code, detail }) = &judged.would_be_refused {
            listener.metrics.would_refuse(code);
            let who = standing.refused(&listener.name, peer);
            self.refusals.borrow_mut().would_refuse(code, &who, || detail.clone(), self.now());
        }
        let auth = &domain.client_auth;
        let policy = |rule: ContentRule| match auth.rules.severities.of(rule.into()) {
            Severity::Deny => "deny",
            Severity::Warn | Severity::Note => "allow",
        };
        let status = judged.status.get();
        if matches!(status.revocation, RevocationCheck::Known(KnownStatus::Unknown { .. })) {
            listener.metrics.revocation_unknown(match auth.waits_for_status() {
                true => "wait",
                false => policy(ContentRule::RevocationUnknown),
            });
        }
        if matches!(status.registration, Registration::Unknown { .. }) {
            let is_enforced = auth.register.is_some_and(|register| register.is_enforced);
            let policy = if is_enforced { policy(ContentRule::RegisterUnknown) } else { "observe" };
            listener.metrics.register_unknown(policy);
        }
        if view.plan.audit_log {
            self.audit(judged.audit(&listener.name, &domain.name, peer));
        }
        self.report_sighting(domain, judged);
        self.report_to_keys(domain, judged);
    }

    /// Tells of a certificate that its key does not have yet, or whose identity has no key. Nobody is told of a certificate that is
    /// refused for anything but its key.
    fn report_to_keys(&self, domain: &TrustDomain, judged: &Judged) {
        let (Some(rules), Some(identity)) = (domain.client_auth.keys, &judged.key_identity) else { return };
        let is_enrolable = |assessment: &&Assessment| assessment.is_enrolable();
        let Some(assessment) = judged.standing.assessment().filter(is_enrolable) else { return };
        let is_wanted = self.with_ledger(|ledger| match ledger.keys.get(&identity.digest()) {
            Some(key) => key.certificate(&assessment.identity.thumbprint).is_none(),
            None => rules.enrolment != Enrolment::Closed && !ledger.keys.is_full(),
        });
        if is_wanted && !self.sightings.keys.put(sighted(identity.clone(), assessment, rules.enrolment)) {
            self.metrics.key_sightings_dropped.increment(1);
        }
    }

    /// Tells of a certificate whose status should be known and is not, or is about to be forgotten. Its key is proved and its
    /// path is trusted, or nobody is told.
    pub(crate) fn report_sighting(&self, domain: &TrustDomain, judged: &Judged) {
        let (Some(revocation), Some(assessment)) =
            (&domain.client_auth.revocation, judged.standing.assessment())
        else {
            return;
        };
        let Some(Ok(path)) = &assessment.path else { return };
        let identity = &assessment.identity;
        if revocation.is_exempt(identity, path.issuer())
            || !self.with_ledger(|ledger| ledger.status.wants_word_of(&identity.thumbprint, unix_now()))
        {
            return;
        }
        let Some(chain) = &judged.chain else { return };
        let sighting = Sighting { leaf: chain.leaf.clone(), issuer: path.issuer().clone() };
        if !self.sightings.status.put(sighting) {
            self.metrics.sightings_dropped.increment(1);
        }
    }

    /// Hands an access record over.
    pub(crate) fn access(&self, record: AccessRecord) {
        if !self.records.borrow().as_ref().is_some_and(|records| records.access.put(record)) {
            self.metrics.access_records_dropped.increment(1);
        }
    }

    /// Hands an audit record over.
    pub(crate) fn audit(&self, record: AuditRecord) {
        if !self.records.borrow().as_ref().is_some_and(|records| records.audit.put(record)) {
            self.metrics.audit_records_dropped.increment(1);
        }
    }

    fn connections(&self) -> usize {
        self.listeners.iter().map(|listener| listener.slots.connections()).sum()
    }

    /// The one before is dropped by the control plane, which keeps it until no shard has it.
    fn take_up_ledger(&self, ledger: &Arc<Ledger>) {
        let before = self.ledger.replace(Arc::clone(ledger));
        self.ledger_bell.ring();
        match ledger.news.since(before.news.turn()) {
            Concerned::Anyone => self.bell.ring(),
            Concerned::Only(thumbprints) => {
                for thumbprint in thumbprints {
                    for place in self.live.ears(&thumbprint, self.number) {
                        self.bell.ring_for(place);
                    }
                }
            }
        }
    }

    fn take_up(&self, plan: &Arc<Plan>, number: usize) {
        let before = self.view();
        match View::new(Arc::clone(plan), number, Some(&before)) {
            Ok(view) => {
                for old in before.upstreams.iter().map(|old| &old.upstream) {
                    if !view.upstreams.iter().any(|new| Rc::ptr_eq(&new.upstream, old)) {
                        old.retire();
                    }
                }
                self.verifications.take_up(view.plan.cache);
                self.seals.take_up(&view.plan);
                self.view.replace(Rc::new(view));
                self.bell.ring();
            }
            // The control plane checks what it publishes, so this is a fault of ours: keep serving what works.
            Err(error) => tracing::error!(shard = number, %error, "a published plan cannot be taken up"),
        }
    }
}

/// A certificate as whoever keeps keys is told of it.
fn sighted(identity: KeyIdentity, assessment: &Assessment, enrolment: Enrolment) -> Sighted {
    let certificate = &assessment.identity;
    let issuer = match assessment.listing() {
        Some(listing) => listing.provider.clone(),
        None => distinguished_name(&certificate.issuer).unwrap_or_default(),
    };
    let subject = &certificate.subject;
    Sighted {
        identity,
        thumbprint: certificate.thumbprint,
        spki_sha256: certificate.spki_sha256,
        validity: (certificate.validity.not_before, certificate.validity.not_after),
        holder: subject.organization.clone().or_else(|| subject.common_name.clone()),
        issuer: issuer.into(),
        needs_approval: enrolment == Enrolment::Approve,
    }
}

/// The present, in seconds of Unix time.
pub(crate) fn unix_now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// Runs a shard to its end on the present thread. `started` is called once it accepts.
///
/// # Errors
/// The plan has a certificate whose key does not serve it, or the kernel refuses a ring, an epoll or a socket.
pub(crate) fn run(start: ShardStart, started: impl FnOnce()) -> Result<(), ShardError> {
    if let Some(cpu) = start.cpu {
        monoio::utils::bind_to_cpu_set([cpu])
            .map_err(|error| ShardError::Pin { cpu, source: error.into() })?;
    }
    match start.io {
        IoBackend::IoUring => {
            let builder = RuntimeBuilder::<IoUringDriver>::new().uring_builder(uring_builder());
            builder.enable_timer().build()?.block_on(serve(start, started))
        }
        IoBackend::Epoll => {
            RuntimeBuilder::<LegacyDriver>::new().enable_timer().build()?.block_on(serve(start, started))
        }
    }
}

/// Why a shard did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ShardError {
    /// The thread could not be pinned.
    #[error("cannot pin a shard to core {cpu}")]
    Pin {
        /// The core.
        cpu: usize,
        /// Why not.
        source: io::Error,
    },
    /// The plan cannot be run on.
    #[error("the plan cannot be run on")]
    Config(#[from] ConfigError),
    /// The kernel refused something.
    #[error("the kernel refused a ring, an epoll or a socket")]
    Io(#[from] io::Error),
}

async fn serve(start: ShardStart, started: impl FnOnce()) -> Result<(), ShardError> {
    // Each thread has its own generator of random numbers. To gather its seed takes some ten milliseconds, which no
    // client shall wait for.
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    provider.secure_random.fill(&mut [0]).map_err(|_| io::Error::other("there is no randomness"))?;
    let plan = start.published.plan.load_full();
    let listeners = plan.listeners.iter().map(|listener| {
        let metrics = Rc::new(ListenerMetrics::register(&listener.name, start.number));
        ShardListener { name: listener.name.as_str().into(), slots: Slots::new(Rc::clone(&metrics)), metrics }
    });
    let shard = Rc::new(Shard {
        number: start.number,
        epoch: start.epoch,
        live: start.live,
        bell: Bell::default(),
        ledger_bell: Bell::default(),
        deadlines: Deadlines::default(),
        listeners: listeners.collect(),
        metrics: ShardMetrics::register(start.number),
        clock: Rc::new(Cell::new(Instant::now())),
        unix_clock: Cell::new(unix_now()),
        view: RefCell::new(Rc::new(View::new(Arc::clone(&plan), start.number, None)?)),
        ledger: RefCell::new(start.published.ledger.load_full()),
        verifications: Verifications::new(plan.cache),
        tokens: Tokens::default(),
        seals: Seals::new(plan.cache, start.replay, start.spool),
        sightings: start.sightings,
        refusals: RefCell::default(),
        records: RefCell::new(Some(start.records)),
        draining: Cell::new(false),
        busy: Cell::new(0),
    });
    shard.seals.take_up(&plan);
    let mut acceptors = Vec::new();
    for (index, socket) in start.sockets.into_iter().enumerate() {
        acceptors.push(listener::accept(Rc::clone(&shard), index, socket)?);
    }
    started();
    keep_house(&shard, start.number, start.published, &start.census, &start.pulse, &start.draining).await;
    shard.draining.set(true);
    for acceptor in acceptors {
        acceptor.stop();
    }
    shard.bell.ring();
    let deadline = Instant::now() + start.drain_timeout;
    // Handshakes under way, and connections, have their deadlines until then.
    while shard.connections() > 0 && Instant::now() < deadline {
        monoio::time::sleep(HOUSEKEEPING).await;
        let now = Instant::now();
        shard.turn_clock(now);
        start.pulse.beat(now);
    }
    shard.records.take();
    Ok(())
}

/// Turns the clock, takes new plans up, and returns when the shard is to drain.
async fn keep_house(
    shard: &Shard,
    number: usize,
    published: Published,
    census: &Census,
    pulse: &Pulse,
    draining: &AtomicBool,
) {
    let mut plans = arc_swap::Cache::new(published.plan);
    let mut ledgers = arc_swap::Cache::new(published.ledger);
    while !draining.load(Ordering::Acquire) {
        let asleep = Instant::now();
        monoio::time::sleep(HOUSEKEEPING).await;
        let now = Instant::now();
        shard.turn_clock(now);
        pulse.beat(now);
        census.count(shard.connections() + shard.busy.get());
        let (admitted, refused) = shard.verifications.len();
        shard.metrics.set_verifications_kept(admitted, refused);
        shard.metrics.set_loop_lag(now.saturating_duration_since(asleep).saturating_sub(HOUSEKEEPING));
        for upstream in &shard.view().upstreams {
            upstream.upstream.sweep(now);
        }
        let ledger = ledgers.load();
        if !Arc::ptr_eq(ledger, &shard.ledger.borrow()) {
            shard.take_up_ledger(ledger);
        }
        let plan = plans.load();
        if !Arc::ptr_eq(plan, &shard.view.borrow().plan) {
            shard.take_up(plan, number);
        }
    }
}
