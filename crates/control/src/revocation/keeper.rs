//! Who is asked about which certificate, and when again.

mod certificates;
mod crls;

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    fs,
    hash::{BuildHasher as _, Hasher as _, RandomState},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use metrics::counter;
use portcullis_gateway::{LiveConnections, Sighting};
use portcullis_identity::Thumbprint;
use portcullis_trust::Issuer;
use reqwest::Url;
use tokio::{
    sync::mpsc::Receiver,
    task::{Id, JoinError, JoinHandle, JoinSet, spawn_blocking},
    time::{Instant, MissedTickBehavior, interval, sleep_until},
};

use certificates::Tracked;
use crls::TrackedCrl;

use super::{
    RevocationError, Surroundings,
    agenda::Agenda,
    archive::{Archive, ArchiveError, Change},
    crl_file::{self, CrlFault, CrlFile},
    crl_memory::CrlMemory,
    facts::RevocationFacts,
    inquiry::{Answered, InquiryError, ocsp_limits},
};
use crate::{
    CrlSource, RevocationSettings,
    clock::now_unix_s,
    error::chain,
    fetch::{Access, Backoff, Fetcher},
    ledger::{LedgerKeeper, PUBLISH_INTERVAL},
    recorder::Recorder,
};

/// How often changes are written to the disk. What a crash loses is asked again.
const WRITE_INTERVAL: Duration = Duration::from_secs(1);
/// How often it is written down what is known altogether.
const STATE_INTERVAL: Duration = Duration::from_secs(10);
/// Changes that wait for the disk at most; a disk that is slower than that loses news over a restart only.
const CHANGES_MAX: usize = 20_000;

/// What is done.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Job {
    Certificate(Thumbprint),
    Crl(CrlSource),
}

/// What came of it.
enum Outcome {
    Certificate(Thumbprint, Result<Answered, InquiryError>),
    Crl(CrlSource, Result<Option<CrlFile>, CrlFault>),
}

/// Keeps the status of certificates up to date. All of it is done by one task; what waits for the network or the disk are tasks of
/// their own.
#[derive(Debug)]
pub(super) struct Keeper {
    settings: RevocationSettings,
    ledger: LedgerKeeper,
    recorder: Recorder,
    live: Arc<LiveConnections>,
    ocsp: Fetcher,
    crl: Fetcher,
    archive: Archive,
    crl_folder: PathBuf,
    crl_memory: CrlMemory,
    certificates: HashMap<Thumbprint, Tracked>,
    /// The certificates by when they were last seen.
    by_seen: BTreeSet<(i64, Thumbprint)>,
    crls: HashMap<CrlSource, TrackedCrl>,
    issuers: HashSet<Arc<Issuer>>,
    agenda: Agenda<Job>,
    /// What each task does.
    jobs: HashMap<Id, Job>,
    changes: Vec<Change>,
    writing: Option<JoinHandle<Result<(), ArchiveError>>>,
    random: RandomState,
    draws: u64,
}

impl Keeper {
    /// Reads what was answered before.
    pub(super) fn open(settings: RevocationSettings, around: Surroundings) -> Result<Self, RevocationError> {
        let folder = |source| RevocationError::Folder { path: settings.cache.display().to_string(), source };
        let crl_folder = settings.cache.join("crls");
        fs::create_dir_all(&crl_folder).map_err(folder)?;
        let path = settings.cache.join("status.redb");
        let damaged =
            |source| RevocationError::Archive { path: path.display().to_string(), source: Box::new(source) };
        let archive = Archive::open(&path).map_err(damaged)?;
        let kept = archive.read().map_err(damaged)?;
        let (ocsp, crl) = fetchers(&settings)?;
        let mut keeper = Self {
            settings,
            ledger: around.ledger,
            recorder: around.recorder,
            live: around.live,
            ocsp,
            crl,
            archive,
            crl_folder,
            crl_memory: CrlMemory::default(),
            certificates: HashMap::new(),
            by_seen: BTreeSet::new(),
            crls: HashMap::new(),
            issuers: HashSet::new(),
            agenda: Agenda::new(),
            jobs: HashMap::new(),
            changes: Vec::new(),
            writing: None,
            random: RandomState::new(),
            draws: 0,
        };
        for configured in keeper.settings.crls.clone() {
            keeper.track_crl(configured);
        }
        for kept in kept {
            keeper.recall(kept);
        }
        keeper.remove_other_crls();
        keeper.ledger.publish();
        tracing::info!(
            certificates = keeper.certificates.len(),
            crls = keeper.crls.len(),
            "revocation is followed"
        );
        Ok(keeper)
    }

    pub(super) async fn run(
        mut self,
        mut sightings: Receiver<Sighting>,
        mut changes: Receiver<RevocationSettings>,
    ) {
        let mut running = JoinSet::new();
        let (mut publish, mut write) = (interval(PUBLISH_INTERVAL), interval(WRITE_INTERVAL));
        let mut state = interval(STATE_INTERVAL);
        publish.set_missed_tick_behavior(MissedTickBehavior::Delay);
        write.set_missed_tick_behavior(MissedTickBehavior::Delay);
        state.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let due = self.agenda.next_due();
            tokio::select! {
                sighting = sightings.recv() => match sighting {
                    Some(sighting) => self.sighted(sighting),
                    // The shards are gone.
                    None => break,
                },
                Some(outcome) = running.join_next_with_id() => self.finished(outcome, &mut running),
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    while let Some(job) = self.agenda.take_due(Instant::now()) {
                        self.begin(job, &mut running);
                    }
                }
                _ = publish.tick() => self.ledger.publish(),
                _ = write.tick() => {
                    self.write_changes().await;
                    self.recorder.revocation(&self.facts());
                }
                _ = state.tick() => self.write_state(),
                Some(settings) = changes.recv() => self.configure(settings),
            }
        }
        running.shutdown().await;
        if let Some(writing) = self.writing.take() {
            drop(writing.await);
        }
        self.write_changes().await;
        if let Some(writing) = self.writing.take() {
            drop(writing.await);
        }
    }

    fn note(&mut self, change: Change) {
        if self.changes.len() < CHANGES_MAX {
            self.changes.push(change);
        } else {
            counter!("portcullis_revocation_write_errors_total").increment(1);
        }
    }

    /// Begins what is due, or lets it wait for its host.
    fn begin(&mut self, job: Job, running: &mut JoinSet<Outcome>) {
        match job {
            Job::Certificate(thumbprint) => self.begin_certificate(thumbprint, running),
            Job::Crl(source) => self.begin_crl(source, running),
        }
    }

    /// Does a job beside everything else.
    fn spawn(
        &mut self,
        job: Job,
        running: &mut JoinSet<Outcome>,
        work: impl Future<Output = Outcome> + Send + 'static,
    ) {
        let task = running.spawn(work);
        self.jobs.insert(task.id(), job);
    }

    fn finished(&mut self, outcome: Result<(Id, Outcome), JoinError>, running: &mut JoinSet<Outcome>) {
        let id = outcome.as_ref().map_or_else(JoinError::id, |(id, _)| *id);
        let Some(job) = self.jobs.remove(&id) else { return };
        self.agenda.finish(&job);
        match outcome {
            Ok((_, Outcome::Certificate(thumbprint, result))) => self.take_answer(thumbprint, result),
            Ok((_, Outcome::Crl(source, result))) => self.take_crl(source, result),
            Err(error) => {
                tracing::error!(error = chain(&error), "a question about revocation broke off");
                self.schedule(job, self.settings.refresh_interval, 1);
            }
        }
        while let Some(job) = self.agenda.take_ready() {
            self.begin(job, running);
        }
    }

    fn schedule(&mut self, job: Job, period: Duration, failures: u32) {
        let delay = Backoff::new(period).delay(failures, self.draw());
        self.agenda.schedule(job, Instant::now() + delay);
    }

    /// Sets a time within a period for one of many jobs, so that they are not all due at once.
    fn spread(&mut self, job: Job, period: Duration) {
        let draw = u32::try_from(self.draw() >> 32).unwrap_or(u32::MAX);
        let delay = period.mul_f64(f64::from(draw) / f64::from(u32::MAX));
        self.agenda.schedule(job, Instant::now() + delay);
    }

    fn draw(&mut self) -> u64 {
        self.draws = self.draws.wrapping_add(1);
        let mut hasher = self.random.build_hasher();
        hasher.write_u64(self.draws);
        hasher.finish()
    }

    fn configure(&mut self, settings: RevocationSettings) {
        match fetchers(&settings) {
            Ok((ocsp, crl)) => (self.ocsp, self.crl) = (ocsp, crl),
            Err(error) => {
                let error = chain(&error);
                tracing::error!(error, "revocation goes on under its old settings");
                return;
            }
        }
        self.settings = settings;
        for configured in self.settings.crls.clone() {
            self.track_crl(configured);
        }
        // Their times were chosen by the settings before.
        let certificates: Vec<Thumbprint> = self.certificates.keys().copied().collect();
        let period = self.settings.refresh_interval;
        for thumbprint in certificates {
            self.spread(Job::Certificate(thumbprint), period);
        }
    }

    /// Hands the changes to the disk, unless it is still busy with those before.
    async fn write_changes(&mut self) {
        if let Some(writing) = self.writing.take_if(|writing| writing.is_finished()) {
            let written = writing.await.map_err(ArchiveError::from).and_then(|written| written);
            if let Err(error) = written {
                counter!("portcullis_revocation_write_errors_total").increment(1);
                tracing::error!(error = chain(&error), "answers about revocation were not kept");
            }
        }
        if self.writing.is_none() && !self.changes.is_empty() {
            let (archive, changes) = (self.archive.clone(), std::mem::take(&mut self.changes));
            self.writing = Some(tokio::spawn(async move { archive.write(changes).await }));
        }
    }

    /// Leaves word for `trust show`, which cannot open what a gate has open.
    fn write_state(&self) {
        let (facts, folder) = (self.facts(), self.settings.cache.clone());
        spawn_blocking(move || {
            if let Err(error) = facts.write(&folder) {
                tracing::warn!(error = chain(&error), "the state of revocation was not written");
            }
        });
    }

    /// What is known altogether.
    fn facts(&self) -> RevocationFacts {
        let now = now_unix_s();
        let ends = self.certificates.values().filter_map(|tracked| Some(tracked.answer?.next_update));
        let (mut answers, mut next_update) = (0, None::<i64>);
        for end in ends.filter(|end| *end >= now) {
            answers += 1;
            next_update = Some(next_update.map_or(end, |earliest| earliest.min(end)));
        }
        let crls = self.crls.iter().filter_map(|(source, tracked)| tracked.facts(source)).collect();
        RevocationFacts {
            as_of: now,
            certificates: self.certificates.len(),
            answers,
            next_update,
            crls,
            crl_memory_bytes: self.crl_memory.taken(),
        }
    }
}

fn fetchers(settings: &RevocationSettings) -> Result<(Fetcher, Fetcher), crate::fetch::FetchError> {
    let access = Access::Public { private_hosts: settings.private_hosts.clone() };
    let ocsp = Fetcher::new(access.clone(), ocsp_limits(), &settings.https_roots)?;
    let crl = Fetcher::new(access, crl_file::crl_limits(settings.crl_bytes_max), &settings.https_roots)?;
    Ok((ocsp, crl))
}

fn host(url: &str) -> String {
    Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default()
}

fn count(source: &'static str, result: &'static str) {
    counter!("portcullis_revocation_checks_total", "source" => source, "result" => result).increment(1);
}

#[cfg(test)]
mod tests;
