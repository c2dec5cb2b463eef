//! Trusted lists: read from their folder, again and again, beside everything else.

use std::fs;
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use portcullis_trust::list::{LIST_BYTES_MAX, TreeError};
use portcullis_trust::{Anchors, TrustStore};
use thiserror::Error;
use tokio::task::{JoinError, JoinHandle, spawn_blocking};
use tokio::time::{Instant, sleep_until};

use crate::TrustSettings;

/// Files of a folder that are read: some thirty lists, pivots, and whatever lies beside them.
const FILES_MAX: usize = 256;

/// Why lists were not taken up. What served before serves on.
#[derive(Debug, Error)]
pub(crate) enum RefreshError {
    /// The folder, or a list in it, cannot be read.
    #[error("cannot read {path}")]
    Folder {
        path: String,
        #[source]
        source: io::Error,
    },
    /// There are more files than are read.
    #[error("{path} has more than {FILES_MAX} lists")]
    TooManyFiles { path: String },
    /// There is no list of lists that is believed.
    #[error("{0}")]
    Tree(#[from] TreeError),
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
    reading: Option<JoinHandle<Result<TrustStore, RefreshError>>>,
}

impl TrustedLists {
    /// Lists that were not read yet.
    pub(crate) fn new(settings: Option<TrustSettings>) -> Self {
        Self { settings, store: None, next: Instant::now(), reading: None }
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
        let due = settings.as_ref().map(|settings| settings.refresh_interval).unwrap_or_default();
        *self = Self { settings, store: found, next: Instant::now() + due, reading: None };
    }

    /// Reads the lists for the first time; `None` without settings.
    pub(crate) async fn first(&mut self) -> Option<Result<Arc<TrustStore>, RefreshError>> {
        self.settings.is_some().then_some(())?;
        Some(self.refreshed().await)
    }

    /// Waits until the lists are due, and reads them. Never ends without settings. Nothing is lost if the future is dropped.
    ///
    /// # Errors
    /// They cannot be taken up; what served serves on.
    pub(crate) async fn refreshed(&mut self) -> Result<Arc<TrustStore>, RefreshError> {
        let Some(settings) = &self.settings else { return std::future::pending().await };
        sleep_until(self.next).await;
        let reading = self.reading.get_or_insert_with(|| {
            let (settings, previous) = (settings.clone(), self.store.clone());
            spawn_blocking(move || read_store(&settings, previous.as_deref()))
        });
        let read = reading.await;
        self.reading = None;
        self.next = Instant::now() + settings.refresh_interval;
        let store = Arc::new(read??);
        self.store = Some(Arc::clone(&store));
        Ok(store)
    }

    /// What must be there for the gate to be ready and is not.
    pub(crate) fn missing(&self) -> Option<String> {
        let required = &self.settings.as_ref()?.required;
        let serves = |territory: &String| {
            let state = self.store.as_ref()?.lists.get(territory)?;
            let until = state
                .serving
                .as_ref()?
                .next_update?
                .saturating_add(self.settings.as_ref()?.selection.max_staleness_s);
            Some(until >= now_unix_s())
        };
        let is_closed = |territory: &String| {
            let serving = self.store.as_ref().and_then(|store| store.lists.get(territory)?.serving.as_ref());
            serving.is_some_and(|facts| facts.next_update.is_none())
        };
        let missing =
            required.iter().find(|territory| !is_closed(territory) && serves(territory) != Some(true));
        missing.map(|territory| format!("the trusted list of {territory} is missing or out of date\n"))
    }
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
        Ok(Some(Arc::new(read_store(settings, previous.as_deref())?)))
    }
}

fn read_store(settings: &TrustSettings, previous: Option<&TrustStore>) -> Result<TrustStore, RefreshError> {
    let documents = read_folder(&settings.folder)?;
    Ok(TrustStore::build(documents.iter().map(Vec::as_slice), &settings.selection, previous)?)
}

/// The files of the folder that call themselves XML. A list that is too long is read as far as it takes to see that.
fn read_folder(folder: &Path) -> Result<Vec<Vec<u8>>, RefreshError> {
    let cannot = |path: &Path| {
        let path = path.display().to_string();
        move |source| RefreshError::Folder { path, source }
    };
    let mut documents = Vec::new();
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
        documents.push(bytes);
    }
    Ok(documents)
}

/// The present, in Unix seconds.
pub(crate) fn now_unix_s() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
