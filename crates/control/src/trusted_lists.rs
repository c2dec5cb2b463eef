//! Trusted lists: fetched or kept by others, and read from their folder, again and again, beside everything else.

mod download;

use std::fs;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use portcullis_trust::list::{LIST_BYTES_MAX, TreeError};
use portcullis_trust::{Anchors, TrustStore};
use thiserror::Error;
use tokio::task::{JoinError, JoinHandle, spawn_blocking};
use tokio::time::{Instant, sleep_until};

use crate::clock::now_unix_s;
use crate::error::chain;
use crate::fetch::{Backoff, FetchError};
use crate::{ControlError, ListSource, TrustSettings};
use download::Download;
pub(crate) use download::{DownloadError, Outcome};

/// Files of a folder that are read: some thirty lists, pivots, and whatever lies beside them.
const FILES_MAX: usize = 256;
/// Bytes of a folder that are read. All lists of 2023 together have 18 MB.
const FOLDER_BYTES_MAX: usize = 256 << 20;

/// Why lists were not taken up. What served before serves on.
#[derive(Debug, Error)]
pub(crate) enum RefreshError {
    /// The folder, or a list in it, cannot be read.
    #[error("cannot read {path}")]
    Folder {
        /// Which.
        path: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// There are more files than are read.
    #[error("{path} has more than {FILES_MAX} lists")]
    TooManyFiles {
        /// Which folder.
        path: String,
    },
    /// There are more bytes than are read.
    #[error("{path} has more than {FOLDER_BYTES_MAX} bytes of lists")]
    FolderTooLarge {
        /// Which folder.
        path: String,
    },
    /// There is no list of lists that is believed.
    #[error("{0}")]
    Tree(#[from] TreeError),
    /// The list of lists cannot be fetched.
    #[error(transparent)]
    Download(#[from] DownloadError),
    /// No client can be made.
    #[error(transparent)]
    Client(#[from] FetchError),
    /// The task that read them ended by itself.
    #[error("the lists were not read to the end")]
    Task(#[from] JoinError),
}

/// The lists that serve, and when they are read again.
#[derive(Debug)]
pub(crate) struct TrustedLists {
    settings: Option<TrustSettings>,
    store: Option<Arc<TrustStore>>,
    next: Instant,
    /// Failures in a row.
    failures: u32,
    reading: Option<JoinHandle<Read>>,
}

/// What a task brings: what became of each list that it fetched, and what it read.
type Read = (Vec<Outcome>, Result<TrustStore, RefreshError>);

/// What came of a refresh.
#[derive(Debug)]
pub(crate) struct Refreshed {
    /// What became of each list that was fetched; none if they are kept by others.
    pub(crate) outcomes: Vec<Outcome>,
    /// What serves now; after an error, what served before.
    pub(crate) store: Result<Arc<TrustStore>, RefreshError>,
}

impl TrustedLists {
    /// Lists that were not read yet.
    pub(crate) fn new(settings: Option<TrustSettings>) -> Self {
        Self { settings, store: None, next: Instant::now(), failures: 0, reading: None }
    }

    /// The CAs that the lists name, if any lists serve.
    pub(crate) fn anchors(&self) -> Option<Arc<Anchors>> {
        self.store.as_ref().map(|store| Arc::clone(&store.anchors))
    }

    /// What a reload needs to find the lists of other settings.
    pub(crate) fn known(&self) -> KnownLists {
        KnownLists { settings: self.settings.clone(), store: self.store.clone() }
    }

    /// Takes over settings, with the lists that were found under them.
    pub(crate) fn configure(&mut self, settings: Option<TrustSettings>, found: Option<Arc<TrustStore>>) {
        if self.settings == settings {
            // What serves may be newer than what the reload began with.
            return;
        }
        // Two that fetch into one folder would be in each other's way.
        if let Some(reading) = self.reading.take() {
            reading.abort();
        }
        // What is fetched may be there already, and be old.
        let due = match &settings {
            Some(TrustSettings { source: ListSource::Folder(_), refresh_interval, .. }) => *refresh_interval,
            _ => Duration::ZERO,
        };
        *self = Self { store: found, next: Instant::now() + due, ..Self::new(settings) };
    }

    /// Reads the lists for the first time, those that were fetched before among them; `None` without settings.
    pub(crate) async fn first(&mut self) -> Option<Refreshed> {
        let settings = self.settings.clone()?;
        let is_fetched = matches!(settings.source, ListSource::Https { .. });
        let read = spawn_blocking(move || read_store(&settings, None)).await;
        let refreshed = self.take_up(Vec::new(), read.map_err(RefreshError::from).and_then(|read| read));
        if is_fetched {
            (self.next, self.failures) = (Instant::now(), 0);
        }
        Some(refreshed)
    }

    /// Waits until the lists are due, fetches them if they are to be fetched, and reads them. Never ends without settings.
    /// Nothing is lost if the future is dropped.
    pub(crate) async fn refreshed(&mut self) -> Refreshed {
        let Some(settings) = &self.settings else { return std::future::pending().await };
        sleep_until(self.next).await;
        if self.reading.is_none() {
            self.reading = match self.begin(settings.clone()) {
                Ok(reading) => Some(reading),
                Err(error) => return self.take_up(Vec::new(), Err(error)),
            };
        }
        let Some(reading) = &mut self.reading else { return std::future::pending().await };
        let read = reading.await;
        self.reading = None;
        match read {
            Ok((outcomes, read)) => self.take_up(outcomes, read),
            Err(error) => self.take_up(Vec::new(), Err(error.into())),
        }
    }

    fn begin(&self, settings: TrustSettings) -> Result<JoinHandle<Read>, RefreshError> {
        let previous = self.store.clone();
        let download = match &settings.source {
            ListSource::Folder(_) => None,
            ListSource::Https { lotl, cache, roots } => Some(Arc::new(Download::new(lotl, cache, roots)?)),
        };
        Ok(tokio::spawn(async move {
            let mut outcomes = Vec::new();
            if let Some(download) = download {
                match download.run(settings.selection.clone()).await {
                    Ok(fetched) => outcomes = fetched,
                    Err(error) => return (outcomes, Err(error)),
                }
            }
            let read = spawn_blocking(move || read_store(&settings, previous.as_deref())).await;
            (outcomes, read.map_err(RefreshError::from).and_then(|read| read))
        }))
    }

    /// Takes what was read into service, and sets the time for the next.
    fn take_up(&mut self, outcomes: Vec<Outcome>, read: Result<TrustStore, RefreshError>) -> Refreshed {
        let is_whole = read.is_ok() && outcomes.iter().all(|outcome| outcome.failure.is_none());
        self.failures = if is_whole { 0 } else { self.failures.saturating_add(1) };
        let period = self.settings.as_ref().map(|settings| settings.refresh_interval).unwrap_or_default();
        // A hasher of the standard library begins with random keys.
        let random = RandomState::new().build_hasher().finish();
        self.next = Instant::now() + Backoff::new(period).delay(self.failures, random);
        let store = read.map(Arc::new);
        if let (Some(before), Ok(now)) = (&self.store, &store)
            && before.journal_uri != now.journal_uri
        {
            // It may announce other signers: a matter for the operator, who can compare them and set `signers`.
            let (before, now) = (before.journal_uri.as_deref(), now.journal_uri.as_deref());
            tracing::warn!(before, now, "the list of lists names another Official Journal");
        }
        if let Ok(store) = &store {
            self.store = Some(Arc::clone(store));
        }
        Refreshed { outcomes, store }
    }

    /// What must be there for the gate to be ready and is not.
    pub(crate) fn missing(&self) -> Option<String> {
        let settings = self.settings.as_ref()?;
        let serves = |territory: &String| {
            let state = self.store.as_ref().and_then(|store| store.lists.get(territory));
            let facts = state.and_then(|state| state.serving.as_ref());
            let until = |next_update: i64| next_update.saturating_add(settings.selection.max_staleness_s);
            // A list that is closed serves for ever.
            facts.is_some_and(|facts| facts.next_update.is_none_or(|due| until(due) >= now_unix_s()))
        };
        let missing = settings.required.iter().find(|territory| !serves(territory));
        missing.map(|territory| format!("the trusted list of {territory} is missing or out of date\n"))
    }
}

/// A list that was not fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FailedList {
    /// Whose.
    pub territory: String,
    /// The stable code of the reason.
    pub code: &'static str,
    /// The reason.
    pub reason: String,
}

/// Reads the lists of a configuration as they are in their folder, and fetches nothing.
///
/// # Errors
/// [`ControlError::TrustedLists`]: there are none, or they are not believed.
pub fn read_trusted_lists(settings: &TrustSettings) -> Result<TrustStore, ControlError> {
    read_store(settings, None).map_err(|error| ControlError::TrustedLists(error.into()))
}

/// Fetches the lists of a configuration into their folder, as a running gate does; whoever else has it open must not.
/// Returns those that were not fetched. Nothing is fetched where others keep the folder.
///
/// # Errors
/// [`ControlError::TrustedLists`]: the list of lists cannot be had, or is not believed.
pub fn fetch_trusted_lists(settings: &TrustSettings) -> Result<Vec<FailedList>, ControlError> {
    let ListSource::Https { lotl, cache, roots } = &settings.source else { return Ok(Vec::new()) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let fetched = runtime.map_err(ControlError::Runtime)?.block_on(async {
        Arc::new(Download::new(lotl, cache, roots)?).run(settings.selection.clone()).await
    });
    let outcomes = fetched.map_err(|error| ControlError::TrustedLists(error.into()))?;
    let failed = outcomes.into_iter().filter_map(|Outcome { territory, failure }| {
        let failure = failure?;
        Some(FailedList { territory, code: failure.code(), reason: chain(&failure) })
    });
    Ok(failed.collect())
}

/// Lists with the settings that they were read under.
#[derive(Debug)]
pub(crate) struct KnownLists {
    settings: Option<TrustSettings>,
    pub(crate) store: Option<Arc<TrustStore>>,
}

impl KnownLists {
    /// The lists under other settings, read if need be.
    ///
    /// # Errors
    /// They cannot be taken up.
    pub(crate) fn under(
        self,
        settings: Option<&TrustSettings>,
    ) -> Result<Option<Arc<TrustStore>>, RefreshError> {
        let Some(settings) = settings else { return Ok(None) };
        let is_same = |known: &TrustSettings| known.selection == settings.selection;
        let previous = self.store.filter(|_| self.settings.as_ref().is_some_and(is_same));
        if self.settings.as_ref() == Some(settings) {
            return Ok(previous);
        }
        match (read_store(settings, previous.as_deref()), &settings.source) {
            (Ok(store), _) => Ok(Some(Arc::new(store))),
            // They are fetched at once.
            (Err(_), ListSource::Https { .. }) => Ok(None),
            (Err(error), ListSource::Folder(_)) => Err(error),
        }
    }
}

fn read_store(settings: &TrustSettings, previous: Option<&TrustStore>) -> Result<TrustStore, RefreshError> {
    let documents = read_folder(settings.source.folder())?;
    Ok(TrustStore::build(documents.iter().map(Vec::as_slice), &settings.selection, previous)?)
}

/// The files of the folder that call themselves XML. A list that is too long is read as far as it takes to see that.
fn read_folder(folder: &Path) -> Result<Vec<Vec<u8>>, RefreshError> {
    let cannot = |path: &Path| {
        let path = path.display().to_string();
        move |source| RefreshError::Folder { path, source }
    };
    let (mut documents, mut total) = (Vec::new(), 0);
    for entry in fs::read_dir(folder).map_err(cannot(folder))? {
        let path = entry.map_err(cannot(folder))?.path();
        let is_xml = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("xml"));
        if !is_xml || !path.is_file() {
            continue;
        }
        if documents.len() == FILES_MAX {
            return Err(RefreshError::TooManyFiles { path: folder.display().to_string() });
        }
        let mut bytes = Vec::new();
        let file = fs::File::open(&path).map_err(cannot(&path))?;
        file.take(LIST_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(cannot(&path))?;
        total += bytes.len();
        if total > FOLDER_BYTES_MAX {
            return Err(RefreshError::FolderTooLarge { path: folder.display().to_string() });
        }
        documents.push(bytes);
    }
    Ok(documents)
}
