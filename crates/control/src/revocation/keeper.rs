//! Who is asked about which certificate, and when again.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    fs,
    hash::{BuildHasher as _, Hasher as _, RandomState},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use metrics::{counter, gauge};
use portcullis_gateway::Sighting;
use portcullis_identity::{Identity, Thumbprint};
use portcullis_trust::{CertificateStatus, Crl, Followed, Issuer, StatusAnswer};
use reqwest::Url;
use tokio::{
    sync::mpsc::Receiver,
    task::{JoinHandle, JoinSet},
    time::{Instant, MissedTickBehavior, interval, sleep_until},
};

use super::{
    RevocationError,
    agenda::Agenda,
    archive::{Archive, ArchiveError, Change, Kept},
    crl_file::{self, CrlFault, CrlFile},
    inquiry::{self, Answered, InquiryError, ocsp_limits},
};
use crate::{
    CrlSource, RevocationSettings, StatusSource,
    error::chain,
    fetch::{Access, Backoff, Fetcher},
    ledger::{LedgerKeeper, PUBLISH_INTERVAL},
    trusted_lists::now_unix_s,
};

/// How often changes are written to the disk. What a crash loses is asked again.
const WRITE_INTERVAL: Duration = Duration::from_secs(1);
/// Changes that wait for the disk at most; a disk that is slower than that loses the oldest news over a restart only.
const CHANGES_MAX: usize = 20_000;
/// A certificate that is in use tells of itself this often.
const REMIND_S: i64 = 6 * 60 * 60;
/// One that has not told of itself for this long is followed no more.
const FORGET_S: i64 = 14 * 24 * 60 * 60;
/// URLs of a certificate that are asked, by kind. QWACs seen have one or two.
const URLS_MAX: usize = 4;
/// Octets of such a URL; longer ones are passed over.
const URL_BYTES_MAX: usize = 1024;
/// CRLs that are followed: a few for each CA of Europe.
const CRLS_MAX: usize = 4096;

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

/// A certificate whose status is kept up to date.
#[derive(Debug)]
struct Tracked {
    kept: Kept,
    serial_number: Box<[u8]>,
    not_after: i64,
    responders: Vec<String>,
    crl_urls: Vec<String>,
    answer: Option<StatusAnswer>,
    failures: u32,
}

/// A CRL that is kept up to date.
#[derive(Debug, Default)]
struct TrackedCrl {
    file: Option<CrlFile>,
    failures: u32,
    /// Whether it was tried since the start.
    is_tried: bool,
    /// Certificates that are looked at again once it was.
    awaited_by: HashSet<Thumbprint>,
}

/// Keeps the status of certificates up to date. All of it is done by one task; what waits for the network or the disk are tasks of
/// their own.
#[derive(Debug)]
pub(super) struct Keeper {
    settings: RevocationSettings,
    ledger: LedgerKeeper,
    ocsp: Fetcher,
    crl: Fetcher,
    archive: Archive,
    crl_folder: PathBuf,
    certificates: HashMap<Thumbprint, Tracked>,
    /// The certificates by when they were last seen.
    by_seen: BTreeSet<(i64, Thumbprint)>,
    crls: HashMap<CrlSource, TrackedCrl>,
    issuers: HashSet<Arc<Issuer>>,
    agenda: Agenda<Job>,
    changes: Vec<Change>,
    writing: Option<JoinHandle<Result<(), ArchiveError>>>,
    random: RandomState,
    draws: u64,
}

impl Keeper {
    /// Reads what was answered before.
    pub(super) fn open(settings: RevocationSettings, ledger: LedgerKeeper) -> Result<Self, RevocationError> {
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
            ledger,
            ocsp,
            crl,
            archive,
            crl_folder,
            certificates: HashMap::new(),
            by_seen: BTreeSet::new(),
            crls: HashMap::new(),
            issuers: HashSet::new(),
            agenda: Agenda::new(),
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
        publish.set_missed_tick_behavior(MissedTickBehavior::Delay);
        write.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let due = self.agenda.next_due();
            tokio::select! {
                sighting = sightings.recv() => match sighting {
                    Some(sighting) => self.sighted(sighting),
                    // The shards are gone.
                    None => break,
                },
                Some(outcome) = running.join_next() => {
                    if let Ok(outcome) = outcome {
                        self.finished(outcome, &mut running);
                    }
                }
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    while let Some(job) = self.agenda.take_due(Instant::now()) {
                        self.begin(job, &mut running);
                    }
                }
                _ = publish.tick() => self.ledger.publish(),
                _ = write.tick() => {
                    self.write_changes().await;
                    self.tell();
                }
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

    /// A client holds this certificate.
    fn sighted(&mut self, sighting: Sighting) {
        let now = now_unix_s();
        let thumbprint = Thumbprint::of(&sighting.leaf);
        if let Some(tracked) = self.certificates.get_mut(&thumbprint) {
            self.by_seen.remove(&(tracked.kept.seen, thumbprint));
            tracked.kept.seen = now;
            self.by_seen.insert((now, thumbprint));
            let kept = tracked.kept.clone();
            self.note(Change::Keep(kept));
            self.publish_certificate(&thumbprint);
            return;
        }
        let kept = Kept {
            leaf: sighting.leaf.as_ref().into(),
            issuer: self.shared(sighting.issuer),
            seen: now,
            response: None,
        };
        if self.track(thumbprint, kept.clone()) {
            self.note(Change::Keep(kept));
            self.agenda.schedule(Job::Certificate(thumbprint), Instant::now());
        }
    }

    /// One copy of each CA: thousands of certificates have the same. Clients do not choose them, their paths are trusted.
    fn shared(&mut self, issuer: Issuer) -> Arc<Issuer> {
        if let Some(known) = self.issuers.get(&issuer) {
            return Arc::clone(known);
        }
        let issuer = Arc::new(issuer);
        self.issuers.insert(Arc::clone(&issuer));
        issuer
    }

    /// Takes up a certificate that was kept.
    fn recall(&mut self, kept: Kept) {
        let kept = Kept { issuer: self.shared(Issuer::clone(&kept.issuer)), ..kept };
        let thumbprint = Thumbprint::of(&kept.leaf);
        let response = kept.response.clone();
        if !self.track(thumbprint, kept) {
            self.note(Change::Forget(*thumbprint.as_bytes()));
            return;
        }
        let book = self.ledger.read(|ledger| ledger.status.clone());
        if let (Some((response, taken)), Some(tracked)) = (response, self.certificates.get_mut(&thumbprint)) {
            // As it was judged when it came; whether it serves still, its end says.
            match inquiry::recall(&response, taken, (&tracked.kept.issuer, &tracked.serial_number), &book) {
                Ok(answer) => tracked.answer = Some(answer),
                Err(error) => {
                    let code = error.code();
                    tracing::warn!(certificate = %thumbprint, code, %error, "an answer that was kept is not believed");
                }
            }
        }
        self.publish_certificate(&thumbprint);
        self.recall_crls(thumbprint);
        self.agenda.schedule(Job::Certificate(thumbprint), Instant::now());
    }

    /// Takes up the CRLs of a certificate that were kept, so that they serve from the start.
    fn recall_crls(&mut self, thumbprint: Thumbprint) {
        let Some(tracked) = self.certificates.get(&thumbprint) else { return };
        let issuer = Arc::clone(&tracked.kept.issuer);
        let sources =
            tracked.crl_urls.iter().cloned().map(|url| CrlSource { url, issuer: Arc::clone(&issuer) });
        for source in sources.filter(|source| crl_file::is_kept(&self.crl_folder, source)).collect::<Vec<_>>()
        {
            self.track_crl(source);
        }
    }

    /// Begins to follow a certificate. False for one that is not worth it.
    fn track(&mut self, thumbprint: Thumbprint, kept: Kept) -> bool {
        let now = now_unix_s();
        let Ok(identity) = Identity::from_der(&kept.leaf) else { return false };
        if identity.validity.not_after < now || kept.seen < now - FORGET_S {
            return false;
        }
        while self.certificates.len() >= self.settings.certificates_max {
            let Some((_, longest_unseen)) = self.by_seen.first().copied() else { break };
            counter!("portcullis_revocation_evictions_total").increment(1);
            self.forget(&longest_unseen);
        }
        let responders =
            identity.authority_information.map(|information| information.ocsp).unwrap_or_default();
        let tracked = Tracked {
            serial_number: identity.serial_number.as_octets().into(),
            not_after: identity.validity.not_after,
            responders: asked(responders),
            crl_urls: asked(identity.crl_urls.unwrap_or_default()),
            answer: None,
            failures: 0,
            kept,
        };
        self.by_seen.insert((tracked.kept.seen, thumbprint));
        self.certificates.insert(thumbprint, tracked);
        self.publish_certificate(&thumbprint);
        true
    }

    fn forget(&mut self, thumbprint: &Thumbprint) {
        let Some(tracked) = self.certificates.remove(thumbprint) else { return };
        self.by_seen.remove(&(tracked.kept.seen, *thumbprint));
        self.agenda.cancel(&Job::Certificate(*thumbprint));
        self.ledger.write(|ledger| ledger.status.forget(thumbprint));
        self.note(Change::Forget(*thumbprint.as_bytes()));
    }

    fn note(&mut self, change: Change) {
        if self.changes.len() < CHANGES_MAX {
            self.changes.push(change);
        } else {
            counter!("portcullis_revocation_write_errors_total").increment(1);
        }
    }

    /// Writes into the ledger what is known of a certificate.
    fn publish_certificate(&self, thumbprint: &Thumbprint) {
        let Some(tracked) = self.certificates.get(thumbprint) else { return };
        let followed = Followed { answer: tracked.answer, remind_at: tracked.kept.seen + REMIND_S };
        self.ledger.write(|ledger| {
            let before = ledger.status.followed(thumbprint).and_then(|followed| followed.answer);
            let is_news =
                match (before.map(|answer| answer.status), followed.answer.map(|answer| answer.status)) {
                    (None, Some(CertificateStatus::Revoked(_))) => true,
                    (Some(before), Some(now)) => before != now,
                    _ => false,
                };
            ledger.turn += u64::from(is_news);
            ledger.status.follow(*thumbprint, followed);
        });
    }

    /// Begins what is due, or lets it wait for its host.
    fn begin(&mut self, job: Job, running: &mut JoinSet<Outcome>) {
        match job {
            Job::Certificate(thumbprint) => self.begin_certificate(thumbprint, running),
            Job::Crl(source) => self.begin_crl(source, running),
        }
    }

    fn begin_certificate(&mut self, thumbprint: Thumbprint, running: &mut JoinSet<Outcome>) {
        let now = now_unix_s();
        let Some(tracked) = self.certificates.get(&thumbprint) else { return };
        if tracked.not_after < now || tracked.kept.seen < now - FORGET_S {
            self.forget(&thumbprint);
            return;
        }
        for source in self.settings.order.clone() {
            match source {
                StatusSource::Ocsp => {
                    if self.begin_ocsp(thumbprint, running) {
                        return;
                    }
                }
                StatusSource::Crl => {
                    if self.rely_on_crl(thumbprint) {
                        return;
                    }
                }
            }
        }
        // Nobody is there to ask now.
        self.schedule(Job::Certificate(thumbprint), self.settings.refresh_interval, 0);
    }

    /// Asks the responders, if there are any.
    fn begin_ocsp(&mut self, thumbprint: Thumbprint, running: &mut JoinSet<Outcome>) -> bool {
        let Some(tracked) = self.certificates.get(&thumbprint) else { return false };
        let Some(url) = tracked.responders.first() else { return false };
        if !self.agenda.begin(&Job::Certificate(thumbprint), &host(url)) {
            return true;
        }
        let inquiry = inquiry::ask(
            self.ocsp.clone(),
            tracked.responders.clone(),
            Arc::clone(&tracked.kept.issuer),
            tracked.serial_number.clone(),
            self.ledger.read(|ledger| ledger.status.clone()),
        );
        running.spawn(async move { Outcome::Certificate(thumbprint, inquiry.await) });
        true
    }

    /// Whether a CRL that is at hand, or will be in a moment, says what there is to know.
    fn rely_on_crl(&mut self, thumbprint: Thumbprint) -> bool {
        let Some(tracked) = self.certificates.get(&thumbprint) else { return false };
        let now = now_unix_s();
        let (issuer, urls) = (Arc::clone(&tracked.kept.issuer), tracked.crl_urls.clone());
        let (mut serves, mut is_awaited) = (false, false);
        for url in urls {
            let source = CrlSource { url, issuer: Arc::clone(&issuer) };
            self.track_crl(source.clone());
            let Some(crl) = self.crls.get_mut(&source) else { continue };
            match &crl.file {
                Some(file) if file.crl.check_time(now).is_ok() => serves = true,
                _ if !crl.is_tried => is_awaited |= crl.awaited_by.insert(thumbprint),
                _ => {}
            }
        }
        if serves {
            self.schedule(Job::Certificate(thumbprint), self.settings.refresh_interval, 0);
        }
        serves || is_awaited
    }

    fn track_crl(&mut self, source: CrlSource) {
        if self.crls.contains_key(&source) || self.crls.len() >= CRLS_MAX {
            return;
        }
        let file = crl_file::recall(&self.crl_folder, &source, self.settings.crl_bytes_max);
        let file = file.unwrap_or_else(|error| {
            let code = error.code();
            tracing::warn!(
                url = source.url,
                code,
                error = chain(&error),
                "a CRL that was kept is not believed"
            );
            None
        });
        self.crls.insert(source.clone(), TrackedCrl { file, ..TrackedCrl::default() });
        self.publish_crls(&source.issuer);
        self.agenda.schedule(Job::Crl(source), Instant::now());
    }

    fn publish_crls(&self, issuer: &Arc<Issuer>) {
        let of_issuer = self.crls.iter().filter(|(source, _)| source.issuer == *issuer);
        let crls: Arc<[Arc<Crl>]> =
            of_issuer.filter_map(|(_, tracked)| Some(Arc::clone(&tracked.file.as_ref()?.crl))).collect();
        self.ledger.write(|ledger| {
            ledger.turn += 1;
            ledger.status.set_crls(Issuer::clone(issuer), crls);
        });
    }

    fn begin_crl(&mut self, source: CrlSource, running: &mut JoinSet<Outcome>) {
        let Some(tracked) = self.crls.get(&source) else { return };
        let is_used = self.settings.crls.contains(&source)
            || self.certificates.values().any(|tracked| tracked.kept.issuer == source.issuer);
        if !is_used {
            self.crls.remove(&source);
            self.publish_crls(&source.issuer);
            crl_file::remove(&self.crl_folder, &source);
            return;
        }
        if !self.agenda.begin(&Job::Crl(source.clone()), &host(&source.url)) {
            return;
        }
        let before = tracked.file.clone();
        let (fetcher, folder, bytes_max) =
            (self.crl.clone(), self.crl_folder.clone(), self.settings.crl_bytes_max);
        running.spawn(async move {
            let fetched = crl_file::fetch(&fetcher, &folder, &source, before, bytes_max).await;
            Outcome::Crl(source, fetched)
        });
    }

    fn finished(&mut self, outcome: Outcome, running: &mut JoinSet<Outcome>) {
        let job = match &outcome {
            Outcome::Certificate(thumbprint, _) => Job::Certificate(*thumbprint),
            Outcome::Crl(source, _) => Job::Crl(source.clone()),
        };
        self.agenda.finish(&job);
        match outcome {
            Outcome::Certificate(thumbprint, result) => self.take_answer(thumbprint, result),
            Outcome::Crl(source, result) => self.take_crl(source, result),
        }
        while let Some(job) = self.agenda.take_ready() {
            self.begin(job, running);
        }
    }

    fn take_answer(&mut self, thumbprint: Thumbprint, result: Result<Answered, InquiryError>) {
        let Some(tracked) = self.certificates.get_mut(&thumbprint) else { return };
        let result = result.and_then(|answered| match tracked.answer {
            // One that was caught on its way, and is sent again to hide what came after it.
            Some(known) if answered.answer.this_update < known.this_update => Err(InquiryError::Older),
            _ => Ok(answered),
        });
        match result {
            Ok(Answered { answer, response, taken }) => {
                count("ocsp", answer.status.as_str());
                if matches!(answer.status, CertificateStatus::Revoked(_))
                    && tracked.answer.map(|known| known.status) != Some(answer.status)
                {
                    tracing::warn!(certificate = %thumbprint, "a certificate that is in use was revoked");
                }
                tracked.failures = 0;
                tracked.answer = Some(answer);
                tracked.kept.response = Some((response.into(), taken));
                let kept = tracked.kept.clone();
                self.note(Change::Keep(kept));
                self.publish_certificate(&thumbprint);
                let life = u64::try_from(answer.next_update.saturating_sub(taken)).unwrap_or(0);
                let ahead = Duration::from_secs(life / 4 * 3);
                self.schedule(Job::Certificate(thumbprint), ahead.min(self.settings.refresh_interval), 0);
            }
            Err(error) => {
                count("ocsp", error.code());
                tracked.failures = tracked.failures.saturating_add(1);
                let failures = tracked.failures;
                if failures == 1 {
                    let (code, error) = (error.code(), chain(&error));
                    tracing::warn!(certificate = %thumbprint, code, error, "nobody says whether a certificate is revoked");
                }
                let falls_back =
                    self.settings.order.iter().skip_while(|source| **source != StatusSource::Ocsp);
                if falls_back.skip(1).any(|source| *source == StatusSource::Crl) {
                    self.rely_on_crl(thumbprint);
                }
                self.schedule(Job::Certificate(thumbprint), self.settings.refresh_interval, failures);
            }
        }
    }

    fn take_crl(&mut self, source: CrlSource, result: Result<Option<CrlFile>, CrlFault>) {
        let Some(tracked) = self.crls.get_mut(&source) else { return };
        tracked.is_tried = true;
        let awaited_by = std::mem::take(&mut tracked.awaited_by);
        let is_new = matches!(result, Ok(Some(_)));
        match result {
            Ok(file) => {
                count("crl", if is_new { "new" } else { "unchanged" });
                tracked.failures = 0;
                tracked.file = file.or(tracked.file.take());
            }
            Err(error) => {
                count("crl", error.code());
                tracked.failures = tracked.failures.saturating_add(1);
                if tracked.failures == 1 {
                    let (code, error) = (error.code(), chain(&error));
                    tracing::warn!(
                        url = source.url,
                        code,
                        error,
                        "a CRL was not taken up; what served serves until its end"
                    );
                }
            }
        }
        let failures = tracked.failures;
        if is_new {
            self.publish_crls(&source.issuer);
        }
        for thumbprint in awaited_by {
            self.agenda.schedule(Job::Certificate(thumbprint), Instant::now());
        }
        self.schedule(Job::Crl(source), self.settings.refresh_interval, failures);
    }

    fn schedule(&mut self, job: Job, period: Duration, failures: u32) {
        self.draws = self.draws.wrapping_add(1);
        let mut hasher = self.random.build_hasher();
        hasher.write_u64(self.draws);
        let delay = Backoff::new(period).delay(failures, hasher.finish());
        self.agenda.schedule(job, Instant::now() + delay);
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
        let spread = self.settings.refresh_interval;
        for thumbprint in certificates {
            self.schedule(Job::Certificate(thumbprint), spread, 0);
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

    /// How old it all is.
    fn tell(&self) {
        let now = now_unix_s();
        let ends = self.certificates.values().filter_map(|tracked| Some(tracked.answer?.next_update));
        let (mut serving, mut earliest) = (0_u32, None::<i64>);
        for end in ends.filter(|end| *end >= now) {
            serving += 1;
            earliest = Some(earliest.map_or(end, |earliest| earliest.min(end)));
        }
        gauge!("portcullis_revocation_certificates").set(to_f64(self.certificates.len()));
        gauge!("portcullis_ocsp_answers").set(f64::from(serving));
        if let Some(earliest) = earliest {
            #[allow(clippy::cast_precision_loss)] // Seconds since 1970.
            gauge!("portcullis_ocsp_next_update_timestamp_seconds").set(earliest as f64);
        }
        for (source, tracked) in &self.crls {
            let Some(file) = &tracked.file else { continue };
            let issuer = portcullis_identity::distinguished_name(source.issuer.name()).unwrap_or_default();
            #[allow(clippy::cast_precision_loss)]
            gauge!("portcullis_crl_next_update_timestamp_seconds", "issuer" => issuer, "url" => source.url.clone())
                .set(file.crl.next_update() as f64);
        }
    }
}

fn fetchers(settings: &RevocationSettings) -> Result<(Fetcher, Fetcher), crate::fetch::FetchError> {
    let access = Access::Public { private_hosts: settings.private_hosts.clone() };
    let ocsp = Fetcher::new(access.clone(), ocsp_limits(), &settings.https_roots)?;
    let crl = Fetcher::new(access, crl_file::crl_limits(settings.crl_bytes_max), &settings.https_roots)?;
    Ok((ocsp, crl))
}

/// The URLs of a certificate that are asked.
fn asked(urls: Vec<String>) -> Vec<String> {
    let is_http = |url: &String| {
        let scheme = url.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
        url.len() <= URL_BYTES_MAX && scheme.is_some_and(|scheme| scheme == "http" || scheme == "https")
    };
    urls.into_iter().filter(is_http).take(URLS_MAX).collect()
}

fn host(url: &str) -> String {
    Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default()
}

fn count(source: &'static str, result: &'static str) {
    counter!("portcullis_revocation_checks_total", "source" => source, "result" => result).increment(1);
}

fn to_f64(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
