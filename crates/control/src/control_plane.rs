//! The life of the process, from the configuration to the last connection.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use arc_swap::ArcSwap;
use portcullis_gateway::{Gateway, LiveConnections, Published, SightingSinks, plan::Plan, sightings};
use portcullis_telemetry::RecordSinks;
use portcullis_trust::TrustStore;
use tokio::{
    sync::watch,
    task::{JoinError, JoinHandle},
    time::{Instant, Interval, MissedTickBehavior, interval, sleep},
};

use crate::{
    AdminSettings, Configuration, ControlError, Mistakes,
    admin_listener::{AdminListener, Api, Backend, Phase, Sources},
    configuration::Fixed,
    error::chain,
    issuers::Issuers,
    keys::{Audit, Keys, ToldApart},
    ledger::LedgerKeeper,
    logging::Log,
    memory::Memory,
    open_files,
    record_file::{RecordKind, RecordWriter},
    recorder::Recorder,
    register::{ReadRegister, RegisterTask, read_for_reload},
    revocation::{Revocation, Surroundings},
    service_manager::ServiceManager,
    signals::{Signal, Signals},
    ticket_keys::TicketKeys,
    trusted_lists::{DownloadError, Outcome, Refreshed, TrustedLists},
};

/// How often histograms are emptied into their buckets and the like. What a shard observes in the meantime is kept one by
/// one, so this bounds memory.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);
/// Shards cut what is left at the drain timeout by themselves; this is for their threads to end.
const DRAIN_MARGIN: Duration = Duration::from_secs(5);
/// For the last records to be written. A file that takes none costs them, and not the end of the process.
const RECORDS_GRACE: Duration = Duration::from_secs(1);
/// A drain that is watched ends within this of the last shard.
const DRAIN_POLL: Duration = Duration::from_millis(20);

/// Runs the gate until a signal ends it.
///
/// `on_ready` is called once every shard accepts. SIGHUP rereads the configuration, SIGTERM and SIGINT drain, and a second
/// one of these ends the drain.
///
/// # Errors
/// [`ControlError::Configuration`] before anything is opened; the others say what failed at the start or at the end.
pub fn run(path: &Path, on_ready: impl FnOnce()) -> Result<(), ControlError> {
    let configuration = Configuration::check(path)?;
    let log = Log::start(configuration.log.level)?;
    open_files::raise_limit();
    let recorder = Recorder::install()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(ControlError::Runtime)?;
    let result = runtime.block_on(async {
        // From here on a signal waits for its turn instead of ending the process.
        let signals = Signals::listen().map_err(ControlError::Runtime)?;
        let plane = ControlPlane::start(path, configuration, log, recorder).await?;
        on_ready();
        plane.serve(signals).await
    });
    // A reload that hangs on a dead file system must not keep the process.
    runtime.shutdown_background();
    result
}

/// Everything that runs beside the shards.
struct ControlPlane {
    path: PathBuf,
    fixed: Arc<[Fixed]>,
    drain_timeout: Duration,
    plan: Arc<ArcSwap<Plan>>,
    lists: TrustedLists,
    /// What must be there for the gate to be ready and is not.
    lists_missing: watch::Sender<Option<String>>,
    /// Plans that a shard may still look at. The last reference to one is dropped here, since that takes time.
    retired: Vec<Arc<Plan>>,
    /// Who is asked about revocation, if anybody is.
    revocation: Option<Revocation>,
    register: RegisterTask,
    /// Who keeps the keys of clients, if they have any.
    keys: Option<Keys>,
    issuers: Issuers,
    ticket_keys: TicketKeys,
    /// What the admin listener goes by, if there is one.
    admin: Option<watch::Sender<Arc<AdminSettings>>>,
    gateway: Gateway,
    writers: [RecordWriter; 2],
    recorder: Recorder,
    log: Log,
    memory: Memory,
    phase: watch::Sender<Phase>,
    manager: ServiceManager,
    /// The last line that the manager was told, but for shards that are stuck.
    status: String,
    /// Whether one is.
    stuck: bool,
}

impl ControlPlane {
    async fn start(
        path: &Path,
        configuration: Configuration,
        log: Log,
        recorder: Recorder,
    ) -> Result<Self, ControlError> {
        log_warnings(path, &configuration);
        recorder.configured(&configuration);
        let Configuration {
            runtime,
            mut plan,
            admin,
            log: log_settings,
            fixed,
            trust,
            revocation,
            register,
            keys,
            issuer_sources,
            ticket_keys,
            ..
        } = configuration;
        let mut issuers = Issuers::default();
        issuers.configure(&mut plan.issuers, issuer_sources);
        let ticket_keys = TicketKeys::new(ticket_keys, Arc::clone(&plan.resumption.ring));
        recorder.ticket_key_since(ticket_keys.since());
        let mut lists = TrustedLists::new(trust);
        // So that the first client is judged under the lists; without them the gate starts all the same and says so.
        if let Some(read) = lists.first().await {
            tell_refresh(&recorder, &read);
            plan = plan.with_lists(lists.anchors().as_ref());
            recorder.anchors(&plan);
        }
        let (lists_missing, missing) = watch::channel(lists.missing());
        let (phase, phases) = watch::channel(Phase::Starting);
        let (api, mut admin_settings) = (Api::default(), None);
        if let Some(settings) = admin {
            let listener = AdminListener::bind(settings.address).await?;
            tracing::info!(listener = "admin", address = %listener.address(), "listening");
            let (sender, settings) = watch::channel(Arc::new(settings));
            admin_settings = Some(sender);
            let sources = Sources { recorder: recorder.clone(), phase: phases, lists_missing: missing };
            tokio::spawn(listener.serve(sources, api.clone(), settings));
        }
        let (access, access_writer) = RecordWriter::start(
            RecordKind::Access,
            log_settings.access_file.as_deref(),
            log_settings.access_rotation,
        )?;
        let (audit, audit_writer) = RecordWriter::start(
            RecordKind::Audit,
            log_settings.audit_file.as_deref(),
            log_settings.audit_rotation,
        )?;
        let (ledger, plan) = (LedgerKeeper::new(), Arc::new(ArcSwap::from_pointee(plan)));
        let ((status, seen), (key_sink, sighted)) = (sightings(), sightings());
        let live = Arc::new(LiveConnections::default());
        let around =
            Surroundings { ledger: ledger.clone(), recorder: recorder.clone(), live: Arc::clone(&live) };
        let start = |settings| Revocation::start(settings, around, seen);
        let revocation = revocation.map(start).transpose();
        let revocation = revocation.map_err(|error| ControlError::Revocation(error.into()))?;
        let register = RegisterTask::start(register, ledger.clone()).await;
        let start = |settings| {
            let audit = Audit { sink: audit.clone(), plan: Arc::clone(&plan) };
            let told_apart = ToldApart::new(Arc::clone(ledger.published()));
            recorder.keys(told_apart.clone());
            Keys::start(&settings, ledger.clone(), sighted, (audit, told_apart))
        };
        let keys = keys.map(start).transpose()?;
        let published = Published { plan: Arc::clone(&plan), ledger: Arc::clone(ledger.published()) };
        let sinks = SightingSinks { status, keys: key_sink };
        let gateway = Gateway::start(&runtime, &published, (&RecordSinks { access, audit }, &sinks), live)?;
        for (listener, address) in gateway.addresses() {
            tracing::info!(listener, %address, "listening");
        }
        let desk = keys.as_ref().map(|keys| keys.desk().clone());
        api.open(Backend { desk, live: Arc::clone(gateway.live_connections()), published });
        let io = gateway.io_backend();
        recorder.io_backend(io);
        phase.send_replace(Phase::Serving(gateway.heartbeats().clone()));
        let shards = runtime.shards.get();
        tracing::info!(shards, io = io.as_str(), "ready");
        let manager = ServiceManager::from_environment();
        let status = format!("serving on {} (shards: {shards})", io.as_str());
        manager.ready(&status);
        let (path, drain_timeout) = (path.to_owned(), runtime.drain_timeout);
        Ok(Self {
            path,
            fixed,
            drain_timeout,
            plan,
            lists,
            lists_missing,
            retired: Vec::new(),
            revocation,
            register,
            keys,
            issuers,
            ticket_keys,
            admin: admin_settings,
            gateway,
            writers: [access_writer, audit_writer],
            recorder,
            log,
            memory: Memory::default(),
            phase,
            manager,
            status,
            stuck: false,
        })
    }

    async fn serve(mut self, mut signals: Signals) -> Result<(), ControlError> {
        let mut upkeep = interval(UPKEEP_INTERVAL);
        upkeep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut pings = Pings::every(self.manager.ping_interval());
        let mut reload = Reload::Idle;
        loop {
            tokio::select! {
                _ = upkeep.tick() => self.keep_up(),
                () = pings.due() => self.ping(),
                refreshed = self.lists.refreshed() => {
                    tell_refresh(&self.recorder, &refreshed);
                    if refreshed.store.is_ok() {
                        self.publish_lists();
                    }
                }
                () = self.ticket_keys.due() => self.rotate_ticket_keys(),
                read = reload.finished() => {
                    self.status = self.take_up(read);
                    reload = if reload.is_asked_again() { self.read_anew() } else { self.finish_reload() };
                }
                signal = signals.next() => match (signal, &mut reload) {
                    (Signal::Stop, _) => break,
                    (Signal::Reload, Reload::Idle) => reload = self.read_anew(),
                    (Signal::Reload, Reload::Reading { again, .. }) => *again = true,
                },
            }
            if self.gateway.has_failed() {
                return Err(ControlError::DataPlaneEnded);
            }
        }
        self.drain(signals, pings).await
    }

    fn keep_up(&mut self) {
        self.look_after_shards();
        self.recorder.log_lines_dropped(self.log.lines_dropped());
        self.recorder.run_upkeep();
        self.recorder.certificates_connected(self.gateway.certificates_connected());
        self.recorder.sealed_requests_held(self.gateway.sealed_requests_held());
        self.memory.give_back_after(self.gateway.take_memory_peak());
        self.retired.retain(|plan| Arc::strong_count(plan) > 1);
        self.issuers.let_go();
        self.issuers.record_waiting();
        self.lists_missing.send_replace(self.lists.missing());
    }

    /// Puts the lists that were read in the place of those before.
    fn publish_lists(&mut self) {
        let plan = self.plan.load_full();
        let plan = plan.with_lists(self.lists.anchors().as_ref());
        self.recorder.anchors(&plan);
        self.retired.push(self.plan.swap(Arc::new(plan)));
        self.lists_missing.send_replace(self.lists.missing());
    }

    fn rotate_ticket_keys(&mut self) {
        match self.ticket_keys.rotate() {
            Ok(ring) => {
                self.retired.push(self.plan.swap(Arc::new(self.plan.load().with_ring(ring))));
                self.tell_rotation();
            }
            Err(error) => tracing::error!(%error, "ticket keys were not rotated; those before serve on"),
        }
    }

    fn tell_rotation(&self) {
        tracing::info!("ticket keys rotated");
        self.recorder.ticket_keys_rotated(self.ticket_keys.since());
    }

    /// Tells of a shard that is stuck, and again when none is.
    fn look_after_shards(&mut self) {
        let stuck = self.gateway.heartbeats().stuck(Instant::now().into_std());
        if let Some((shard, silence)) = stuck {
            let silence_s = silence.as_secs();
            tracing::error!(shard, silence_s, "a shard is stuck");
            self.manager.status(format_args!("shard {shard} has been stuck for {silence_s} s"));
        } else if self.stuck {
            tracing::info!("no shard is stuck any longer");
            self.manager.status(&self.status);
        }
        self.stuck = stuck.is_some();
    }

    /// A sign of life, unless a shard gives none: then it is for the service manager to act.
    fn ping(&self) {
        if self.gateway.heartbeats().stuck(Instant::now().into_std()).is_none() {
            self.manager.ping();
        }
    }

    /// Begins to read the configuration as it is written now.
    fn read_anew(&self) -> Reload {
        self.manager.reloading();
        self.writers.iter().for_each(RecordWriter::reopen);
        let (path, previous, fixed) = (self.path.clone(), self.plan.load_full(), Arc::clone(&self.fixed));
        // Reading takes long where files come over a network; scrapes, probes and signals must not wait for it.
        let known = self.lists.known();
        let read = move || {
            let anchors = |store: &Arc<TrustStore>| Arc::clone(&store.anchors);
            let listed = known.store.as_ref().map(anchors);
            let mut configuration = Configuration::reload(&path, &previous, &fixed, listed.as_ref())?;
            let lists = known.under(configuration.trust.as_ref());
            let lists =
                lists.map_err(|error| Mistakes::of_file(&path, format!("[trust]: {}", chain(&error))))?;
            let listed = lists.as_ref().map(anchors);
            configuration.plan = configuration.plan.with_lists(listed.as_ref());
            let register = configuration.register.as_ref().and_then(read_for_reload);
            Ok(ReadAnew { configuration, lists, register })
        };
        let task = tokio::task::spawn_blocking(read);
        Reload::Reading { task, again: false }
    }

    /// Publishes what was read, or goes on with what there was. Says which.
    fn take_up(&mut self, read: Result<Result<ReadAnew, Mistakes>, JoinError>) -> String {
        let why = match read {
            Ok(Ok(read)) => return self.publish(read),
            Ok(Err(mistakes)) => {
                log_mistakes(&mistakes);
                format!("see the log (mistakes: {})", mistakes.iter().count())
            }
            Err(error) => {
                tracing::error!(%error, "reload failed");
                "see the log".to_owned()
            }
        };
        self.recorder.reloaded(false);
        format!("reload failed, the old configuration serves: {why}")
    }

    /// Nobody asked again meanwhile: the reload is over, whatever came of it.
    fn finish_reload(&self) -> Reload {
        self.manager.ready(&self.status);
        Reload::Idle
    }

    fn publish(&mut self, ReadAnew { mut configuration, lists, register }: ReadAnew) -> String {
        log_warnings(&self.path, &configuration);
        self.lists.configure(configuration.trust.take(), lists);
        // Whether there is one does not change while the gate runs.
        if let (Some(revocation), Some(settings)) = (&self.revocation, configuration.revocation.take()) {
            revocation.configure(settings);
        }
        self.register.configure(configuration.register.take(), register);
        if let (Some(keys), Some(settings)) = (&self.keys, configuration.keys.take()) {
            keys.configure(settings);
        }
        self.issuers
            .configure(&mut configuration.plan.issuers, std::mem::take(&mut configuration.issuer_sources));
        if let (Some(admin), Some(settings)) = (&self.admin, configuration.admin.take()) {
            // Connections end where others come into force, a scraper's that was just made among them.
            admin.send_if_modified(|present| {
                let differ = !present.let_in_the_same(&settings);
                if differ {
                    *present = Arc::new(settings);
                }
                differ
            });
        }
        // They may have been read anew since the configuration was.
        let listed = self.lists.anchors();
        configuration.plan = configuration.plan.with_lists(listed.as_ref());
        let (source, ring) = (configuration.ticket_keys.clone(), &mut configuration.plan.resumption.ring);
        let since = self.ticket_keys.since();
        *ring = self.ticket_keys.configure(source, Arc::clone(ring));
        if self.ticket_keys.since() != since {
            self.tell_rotation();
        }
        self.lists_missing.send_replace(self.lists.missing());
        self.recorder.configured(&configuration);
        self.recorder.reloaded(true);
        let (listeners, routes) = (configuration.plan.listeners.len(), configuration.plan.actions.len());
        self.retired.push(self.plan.swap(Arc::new(configuration.plan)));
        tracing::info!(listeners, routes, "reloaded");
        format!("serving the new configuration (listeners: {listeners}, routes: {routes})")
    }

    async fn drain(mut self, mut signals: Signals, mut pings: Pings) -> Result<(), ControlError> {
        let timeout_s = self.drain_timeout.as_secs_f64();
        self.status = format!("draining, {timeout_s} s at most");
        self.manager.stopping(&self.status);
        self.phase.send_replace(Phase::Draining(self.gateway.heartbeats().clone()));
        tracing::info!(timeout_s, "draining");
        self.gateway.drain();
        let deadline = Instant::now() + self.drain_timeout + DRAIN_MARGIN;
        while !self.gateway.is_finished() {
            if Instant::now() >= deadline {
                return Err(ControlError::DrainOverrun);
            }
            tokio::select! {
                () = sleep(DRAIN_POLL) => {}
                () = pings.due() => self.ping(),
                signal = signals.next() => match signal {
                    Signal::Reload => tracing::warn!("the configuration is not reread while draining"),
                    Signal::Stop => return Err(ControlError::Interrupted),
                },
            }
        }
        self.finish_records().await;
        self.keep_up();
        if !self.gateway.join() {
            return Err(ControlError::DataPlaneEnded);
        }
        tracing::info!("stopped");
        Ok(())
    }

    /// The writers, and who keeps answers, end once the last shard has let go of the queues and all is written.
    async fn finish_records(&self) {
        let deadline = Instant::now() + RECORDS_GRACE;
        let is_kept = || {
            self.revocation.as_ref().is_none_or(Revocation::is_finished)
                && self.keys.as_ref().is_none_or(Keys::is_finished)
        };
        while !(self.writers.iter().all(RecordWriter::is_finished) && is_kept()) && Instant::now() < deadline
        {
            sleep(DRAIN_POLL).await;
        }
    }
}

/// The times at which the service manager wants a sign of life.
struct Pings(Option<Interval>);

impl Pings {
    fn every(period: Option<Duration>) -> Self {
        let interval = |period| {
            let mut interval = interval(period);
            interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
            interval
        };
        Self(period.map(interval))
    }

    /// The next one; never, if it wants none. Nothing is lost if the future is dropped.
    async fn due(&mut self) {
        match &mut self.0 {
            Some(interval) => drop(interval.tick().await),
            None => std::future::pending().await,
        }
    }
}

/// A configuration, with the trusted lists and the register under its settings.
struct ReadAnew {
    configuration: Configuration,
    lists: Option<Arc<TrustStore>>,
    register: Option<ReadRegister>,
}

/// Whether the configuration is being read.
enum Reload {
    /// It is not.
    Idle,
    /// It is.
    Reading {
        task: JoinHandle<Result<ReadAnew, Mistakes>>,
        /// Whether it may have changed since, so that it must be read once more.
        again: bool,
    },
}

impl Reload {
    /// What was read; never, if nothing is. Nothing is lost if the future is dropped.
    async fn finished(&mut self) -> Result<Result<ReadAnew, Mistakes>, JoinError> {
        match self {
            Self::Idle => std::future::pending().await,
            Self::Reading { task, .. } => task.await,
        }
    }

    const fn is_asked_again(&self) -> bool {
        matches!(self, Self::Reading { again: true, .. })
    }
}

fn tell_refresh(recorder: &Recorder, Refreshed { outcomes, store }: &Refreshed) {
    for Outcome { territory, failure } in outcomes {
        recorder.list_fetched(territory, failure.as_ref().map_or("success", DownloadError::code));
        if let Some(failure) = failure {
            let (code, error) = (failure.code(), chain(failure));
            tracing::warn!(%territory, code, error, "a trusted list was not fetched");
        }
    }
    recorder.lists_refreshed(store.as_deref().ok());
    match store {
        Ok(store) => {
            for (territory, state) in &store.lists {
                if let Some(problem) = &state.problem {
                    let (code, serving) =
                        (problem.code(), state.serving.as_ref().map(|facts| facts.sequence));
                    tracing::warn!(%territory, code, serving, detail = %problem, "a trusted list was not taken up");
                }
                for passed_over in state.serving.iter().flat_map(|facts| &facts.passed_over) {
                    tracing::warn!(%territory, detail = passed_over, "a service was passed over");
                }
            }
            for detail in &store.unusable {
                tracing::debug!(detail, "a service's certificate cannot be a trust anchor");
            }
            let (lists, anchors) = (store.lists.len(), store.anchors.len());
            tracing::info!(
                sequence = store.lotl.sequence,
                lists,
                anchors,
                unusable = store.unusable.len(),
                "trusted lists read"
            );
        }
        Err(error) => {
            let error = chain(error);
            tracing::error!(error, "trusted lists were not taken up; what served serves on");
        }
    }
}

fn log_warnings(path: &Path, configuration: &Configuration) {
    for warning in &configuration.warnings {
        let (file, line, key) = (path.display(), warning.line(), warning.key());
        tracing::warn!(%file, line, key, detail = warning.message(), "configuration");
    }
}

fn log_mistakes(mistakes: &Mistakes) {
    let file = mistakes.file().display();
    tracing::error!(%file, mistakes = mistakes.iter().count(), "reload failed");
    for mistake in mistakes.iter() {
        let (line, key) = (mistake.line(), mistake.key());
        tracing::error!(%file, line, key, detail = mistake.message(), "configuration");
    }
}
