//! The authorities' register: fetched or kept by others, read again and again beside everything else, and written into the
//! ledger.

mod document;
mod download;

use std::{
    fs::{self, File},
    hash::{BuildHasher as _, Hasher as _, RandomState},
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use metrics::{counter, gauge};
use portcullis_policy::KnownRegister;
use portcullis_trust::{PassedOver, Register, RegisterError, TableForm};
use thiserror::Error;
use tokio::{
    sync::mpsc,
    task::{JoinError, spawn_blocking},
    time::{Instant, sleep_until},
};

use crate::{
    ControlError, RegisterSettings, RegisterSource,
    clock::{now_unix_s, unix_s},
    error::chain,
    fetch::{Backoff, FetchError},
    ledger::LedgerKeeper,
};
use document::{Content, Documents};
use download::Download;

/// The register as it was fetched, in its folder.
const KEPT: &str = "register.zip";
const UNFINISHED: &str = "register.zip.unfinished";
/// The longest register that a tool reads: forty of today.
const EBA_BYTES_MAX: u64 = 8 << 30;

/// Why a register was not taken up. What served serves until its end.
#[derive(Debug, Error)]
pub(crate) enum RegisterFault {
    /// A file cannot be read or kept.
    #[error("cannot use {path}")]
    File {
        /// Which.
        path: String,
        /// Why not.
        source: io::Error,
    },
    /// Nothing was fetched yet.
    #[error("it was not fetched yet")]
    NotFetched,
    /// It cannot be understood.
    #[error("{path}")]
    Register {
        /// In which file.
        path: String,
        /// Why not.
        source: RegisterError,
    },
    /// It is no archive with a register in it.
    #[error("{path} is no ZIP archive with a register in JSON")]
    Archive {
        /// Which file.
        path: String,
        /// What is wrong.
        source: zip::result::ZipError,
    },
    /// It cannot be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// What is told of the newest version cannot be understood.
    #[error("{url} does not tell where the register is: {detail}")]
    Metadata {
        /// Where it is told.
        url: String,
        /// What is wrong.
        detail: String,
    },
    /// It is not what its publisher says that it is.
    #[error("the register has another SHA-256 than its publisher tells")]
    Digest,
    /// Half of its providers are gone: more likely a mistake of its publisher than the truth.
    #[error("it has {now} providers, and had {before}")]
    Shrunk {
        /// How many there were.
        before: usize,
        /// How many there are.
        now: usize,
    },
    /// Its newest entity is older than that of the one before: a copy that was left behind.
    #[error("its newest entity is of {now}, and that of the one before of {before} (Unix seconds)")]
    Rollback {
        /// When that of the one before was written.
        before: i64,
        /// When this one's was.
        now: i64,
    },
    /// A task ended by itself.
    #[error("it was not read to the end")]
    Task(#[from] JoinError),
}

impl RegisterFault {
    /// The stable code, for metrics and logs.
    const fn code(&self) -> &'static str {
        match self {
            Self::File { .. } => "register.file",
            Self::NotFetched => "register.not-fetched",
            Self::Register { source, .. } => source.code(),
            Self::Archive { .. } => "register.archive",
            Self::Fetch(error) => error.code(),
            Self::Metadata { .. } => "register.metadata",
            Self::Digest => "register.digest",
            Self::Shrunk { .. } => "register.shrunk",
            Self::Rollback { .. } => "register.rollback",
            Self::Task(_) => "register.task",
        }
    }

    fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.display().to_string();
        move |source| Self::File { path, source }
    }
}

/// A register with what it was read from.
#[derive(Debug, Clone)]
pub(crate) struct ReadRegister {
    content: Content,
    register: Arc<Register>,
    /// When it was published; for a file that others keep, when that was last changed.
    as_of: Option<SystemTime>,
}

impl ReadRegister {
    /// Until when it serves, in Unix seconds.
    fn until(&self, settings: &RegisterSettings) -> i64 {
        let max_age_s = i64::try_from(settings.max_age.as_secs()).unwrap_or(i64::MAX);
        self.as_of.map_or(i64::MAX, |as_of| unix_s(as_of).saturating_add(max_age_s))
    }
}

/// The task that keeps the register.
#[derive(Debug)]
pub(crate) struct RegisterTask {
    ledger: LedgerKeeper,
    /// Where the register that serves is from.
    source: Mutex<Option<RegisterSource>>,
    changes: mpsc::Sender<(Option<RegisterSettings>, Option<ReadRegister>)>,
}

impl RegisterTask {
    /// Reads what is there, so that the first client is judged by it, and begins to fetch. Without a register the gate starts
    /// all the same.
    pub(crate) async fn start(settings: Option<RegisterSettings>, ledger: LedgerKeeper) -> Self {
        let mut clerk =
            Clerk { settings, known: None, ledger: ledger.clone(), next: Instant::now(), failures: 0 };
        if clerk.settings.is_some() {
            let read = clerk.read(None).await;
            let is_missing = matches!(read, Err(RegisterFault::NotFetched));
            if !is_missing {
                clerk.take_up(read);
            }
            if clerk.is_fetched() {
                clerk.next = Instant::now();
            }
        }
        let (changes, receiver) = mpsc::channel(1);
        let source = Mutex::new(clerk.settings.as_ref().map(|settings| settings.source.clone()));
        tokio::spawn(clerk.run(receiver));
        Self { ledger, source, changes }
    }

    fn serves(&self, source: &RegisterSource) -> bool {
        self.source().as_ref() == Some(source)
    }

    fn source(&self) -> MutexGuard<'_, Option<RegisterSource>> {
        // Whoever panicked has replaced it or not.
        self.source.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Goes on under other settings, with what was [read](read_register) under them, which serves at once. Without it what served
    /// before serves on, if it is from the same source.
    pub(crate) fn configure(&self, settings: Option<RegisterSettings>, read: Option<ReadRegister>) {
        match (&settings, &read) {
            (Some(settings), Some(read)) => publish(&self.ledger, settings, read),
            (Some(settings), None) if self.serves(&settings.source) => {}
            (Some(_), None) | (None, _) => withdraw(&self.ledger),
        }
        *self.source() = settings.as_ref().map(|settings| settings.source.clone());
        // One change that has not been taken up yet is overtaken by none: reloads wait for each other far longer.
        if self.changes.try_send((settings, read)).is_err() {
            tracing::error!("the keeper of the register does not take its settings");
        }
    }
}

/// The register of a configuration, as it is in its files; nothing if it was not fetched yet. Blocks on the disk, and reads some two
/// hundred megabytes.
///
/// # Errors
/// A file cannot be read or understood.
pub(crate) fn read_register(settings: &RegisterSettings) -> Result<Option<ReadRegister>, RegisterFault> {
    match read(settings, kept(&settings.source).as_deref(), None) {
        Ok(read) => Ok(read),
        Err(RegisterFault::NotFetched) => Ok(None),
        Err(fault) => Err(fault),
    }
}

/// As [`read_register`], for a reload: it goes on without a register that others keep and that is not whole, as a start does.
pub(crate) fn read_for_reload(settings: &RegisterSettings) -> Option<ReadRegister> {
    read_register(settings).unwrap_or_else(|fault| {
        let (code, error) = (fault.code(), chain(&fault));
        tracing::warn!(code, error, "the register was not taken up; what served serves until its end");
        None
    })
}

/// Reads a register from files: the EBA's, as JSON or in its archive, and tables in CSV, as an operator's tool does.
///
/// # Errors
/// [`ControlError::Register`]: a file cannot be read or understood.
pub fn open_register(eba: Option<&Path>, tables: &[&PathBuf]) -> Result<Register, ControlError> {
    let tables: Vec<_> = tables.iter().map(|table| ((*table).clone(), TableForm::Csv)).collect();
    let read = Documents::open(eba, &tables).and_then(|documents| documents.read(EBA_BYTES_MAX));
    read.map_err(|fault| ControlError::Register(fault.into()))
}

/// A register as a gate would have it at its start.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RegisterFacts {
    /// How many providers it has.
    pub providers: usize,
    /// What could not be understood.
    pub passed_over: PassedOver,
    /// When it was published, and until when it serves, in Unix seconds; nothing for tables alone.
    pub times: Option<(i64, i64)>,
}

/// The register of a configuration, as it is in its files; nothing if it was not fetched yet.
///
/// # Errors
/// [`ControlError::Register`]: a file cannot be read or understood.
pub fn register_facts(settings: &RegisterSettings) -> Result<Option<RegisterFacts>, ControlError> {
    let read = read_register(settings).map_err(|fault| ControlError::Register(fault.into()))?;
    Ok(read.map(|read| RegisterFacts {
        providers: read.register.len(),
        passed_over: read.register.passed_over().clone(),
        times: read.as_of.map(|as_of| (unix_s(as_of), read.until(settings))),
    }))
}

/// Who keeps the register.
struct Clerk {
    settings: Option<RegisterSettings>,
    known: Option<ReadRegister>,
    ledger: LedgerKeeper,
    next: Instant,
    /// Failures in a row.
    failures: u32,
}

impl Clerk {
    async fn run(mut self, mut changes: mpsc::Receiver<(Option<RegisterSettings>, Option<ReadRegister>)>) {
        loop {
            tokio::select! {
                change = changes.recv() => match change {
                    Some((settings, read)) => self.configure(settings, read),
                    None => return,
                },
                // A change may come while it is fetched; what was fetched under other settings is of no use then.
                refreshed = self.refreshed() => self.take_up(refreshed),
            }
        }
    }

    fn configure(&mut self, settings: Option<RegisterSettings>, read: Option<ReadRegister>) {
        let source =
            |settings: &Option<RegisterSettings>| settings.as_ref().map(|settings| settings.source.clone());
        let is_same = source(&self.settings) == source(&settings);
        self.settings = settings;
        self.known = read.or(self.known.take().filter(|_| is_same));
        // Who reloads has a reason not to wait, and what was read for it may be older than what came meanwhile.
        (self.next, self.failures) = (Instant::now(), 0);
    }

    fn is_fetched(&self) -> bool {
        let source = self.settings.as_ref().map(|settings| &settings.source);
        matches!(source, Some(RegisterSource::Https { .. }))
    }

    /// Waits until the register is due, fetches it if there is another, and reads it. Never ends without settings.
    async fn refreshed(&self) -> Result<Option<ReadRegister>, RegisterFault> {
        let Some(settings) = &self.settings else { return std::future::pending().await };
        sleep_until(self.next).await;
        let RegisterSource::Https { url, cache, roots } = &settings.source else {
            return self.read(None).await;
        };
        let folder = || RegisterFault::file(cache);
        fs::create_dir_all(cache).map_err(folder())?;
        let (kept, unfinished) = (cache.join(KEPT), cache.join(UNFINISHED));
        let Download { is_new, published } =
            download::fetch(url, roots, &kept, &unfinished, settings.bytes_max).await?;
        // It is as old as its publisher says, not as old as its last answer: that may be of a server that was left behind.
        let file = if is_new { &unfinished } else { &kept };
        let dated = File::options().write(true).open(file);
        dated
            .and_then(|file| file.set_modified(published.min(SystemTime::now())))
            .map_err(RegisterFault::file(file))?;
        if !is_new {
            return self.read(None).await;
        }
        let read = self.read(Some(unfinished.clone())).await;
        // One that is not believed is fetched again, and not kept.
        let kept = match &read {
            Ok(_) => fs::rename(&unfinished, &kept),
            Err(_) => fs::remove_file(&unfinished),
        };
        kept.map_err(folder())?;
        read
    }

    /// Reads the files of the settings, or one in the place of what is kept. Nothing if they are what they were.
    async fn read(&self, file: Option<PathBuf>) -> Result<Option<ReadRegister>, RegisterFault> {
        let Some(settings) = self.settings.clone() else { return Ok(None) };
        let known = self.known.clone();
        let file = file.or_else(|| kept(&settings.source));
        spawn_blocking(move || read(&settings, file.as_deref(), known.as_ref())).await?
    }

    /// Takes what was read into service, and sets the time for the next.
    fn take_up(&mut self, read: Result<Option<ReadRegister>, RegisterFault>) {
        let Some(settings) = &self.settings else { return };
        let result = read.as_ref().map_or_else(RegisterFault::code, |_| "success");
        counter!("portcullis_register_refreshes_total", "result" => result).increment(1);
        match read {
            Ok(Some(read)) => {
                publish(&self.ledger, settings, &read);
                self.known = Some(read);
                self.failures = 0;
            }
            Ok(None) => self.failures = 0,
            Err(fault) => {
                let (code, error) = (fault.code(), chain(&fault));
                tracing::warn!(
                    code,
                    error,
                    "the register was not taken up; what served serves until its end"
                );
                self.failures = self.failures.saturating_add(1);
            }
        }
        // A hasher of the standard library begins with random keys.
        let random = RandomState::new().build_hasher().finish();
        self.next = Instant::now() + Backoff::new(settings.refresh_interval).delay(self.failures, random);
    }
}

/// Where the EBA's register is, once it was fetched.
fn kept(source: &RegisterSource) -> Option<PathBuf> {
    match source {
        RegisterSource::None => None,
        RegisterSource::File(file) => Some(file.clone()),
        RegisterSource::Https { cache, .. } => Some(cache.join(KEPT)),
    }
}

/// Reads the EBA's register from `file`, and the tables. Of what is known already only the age is new.
fn read(
    settings: &RegisterSettings,
    file: Option<&Path>,
    known: Option<&ReadRegister>,
) -> Result<Option<ReadRegister>, RegisterFault> {
    let documents =
        Documents::open(file, &settings.tables).map_err(|fault| match (fault, &settings.source) {
            (RegisterFault::File { source, .. }, RegisterSource::Https { .. })
                if source.kind() == io::ErrorKind::NotFound =>
            {
                RegisterFault::NotFetched
            }
            (fault, _) => fault,
        })?;
    let (content, as_of) = (documents.content()?, documents.as_of()?);
    if let Some(known) = known.filter(|known| known.content == content) {
        return Ok(Some(ReadRegister { as_of, ..known.clone() }));
    }
    let register = documents.read(settings.bytes_max)?;
    if let Some(known) = known {
        let (before, now) = (known.register.len(), register.len());
        if now < before / 2 {
            return Err(RegisterFault::Shrunk { before, now });
        }
        // A mistaken time in the future would keep every later register out.
        let before = known.register.newest_entity().filter(|before| *before <= now_unix_s());
        let now = register.newest_entity().unwrap_or(i64::MIN);
        if let Some(before) = before.filter(|before| now < *before) {
            return Err(RegisterFault::Rollback { before, now });
        }
    }
    Ok(Some(ReadRegister { content, register: Arc::new(register), as_of }))
}

/// Takes the register out of the ledger.
fn withdraw(ledger: &LedgerKeeper) {
    ledger.write(|ledger| {
        let is_news = ledger.register.take().is_some();
        if is_news {
            ledger.news.about_anyone();
        }
    });
    ledger.publish();
    gauge!("portcullis_register_providers").set(0.0);
    gauge!("portcullis_register_passed_over").set(0.0);
    // Nothing ends where there is nothing.
    gauge!("portcullis_register_usable_until_timestamp_seconds").set(f64::INFINITY);
}

/// Writes a register into the ledger. To those who were judged it is news only if it says something else.
fn publish(ledger: &LedgerKeeper, settings: &RegisterSettings, read: &ReadRegister) {
    let until = read.until(settings);
    let is_news = ledger.write(|ledger| {
        let known = ledger.register.replace(KnownRegister { register: Arc::clone(&read.register), until });
        let is_same = |known: &KnownRegister| Arc::ptr_eq(&known.register, &read.register);
        let is_news = !known.is_some_and(|known| is_same(&known) && known.until <= until);
        if is_news {
            ledger.news.about_anyone();
        }
        is_news
    });
    ledger.publish();
    let (providers, passed_over) = (read.register.len(), read.register.passed_over());
    #[allow(clippy::cast_precision_loss, reason = "exact up to 2^53, which no register and no clock reaches")]
    {
        gauge!("portcullis_register_providers").set(providers as f64);
        gauge!("portcullis_register_passed_over").set(passed_over.count as f64);
        if let Some(as_of) = read.as_of {
            gauge!("portcullis_register_as_of_timestamp_seconds").set(unix_s(as_of) as f64);
            gauge!("portcullis_register_usable_until_timestamp_seconds").set(until as f64);
        }
    }
    if is_news {
        tracing::info!(providers, passed_over = passed_over.count, "the register was read");
        for detail in &passed_over.details {
            tracing::debug!(detail, "an entry of the register was passed over");
        }
    }
}
