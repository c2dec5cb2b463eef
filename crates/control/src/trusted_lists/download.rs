//! Brings trusted lists from where they are published into a folder, each only once it is known to be good.

use std::sync::Arc;

use portcullis_trust::list::{LIST_BYTES_MAX, Lotl, TreeError, inspect_list};
use portcullis_trust::{ListProblem, Selection};
use tokio::sync::Semaphore;
use tokio::task::{JoinSet, spawn_blocking};

use super::RefreshError;
use crate::fetch::{Access, FetchError, FetchLimits, Fetched, Fetcher, Store, Validators};

/// Lists that are fetched at once: a slow publisher holds up a few others at most, and a list at its longest takes 16 MiB each.
const PARALLEL_MAX: usize = 4;
const LOTL: &str = "lotl.xml";

/// Where lists come from, and the folder that they go to.
#[derive(Debug)]
pub(crate) struct Download {
    fetcher: Fetcher,
    store: Store,
    lotl: String,
}

/// What became of one list.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Whose.
    pub(crate) territory: String,
    /// Why no new version is in the folder, if that is a fault.
    pub(crate) failure: Option<DownloadError>,
}

/// Why a list was not taken into the folder.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DownloadError {
    /// It cannot be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// It is not believed, or older than the one that is there.
    #[error(transparent)]
    List(#[from] ListProblem),
    /// It cannot be kept, or what was kept cannot be read.
    #[error("the folder of lists")]
    Store(#[from] std::io::Error),
}

impl DownloadError {
    /// The stable code, for metrics and logs.
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::Fetch(error) => error.code(),
            Self::List(problem) => problem.code(),
            Self::Store(_) => "store",
        }
    }
}

/// A document, as it was in the folder and as it is published.
struct Versions {
    stored: Option<Vec<u8>>,
    fetched: Fetched,
}

impl Download {
    /// Opens the folder.
    ///
    /// # Errors
    /// It cannot be used, or no client can be made.
    pub(crate) fn new(
        lotl: &str,
        cache: &std::path::Path,
        roots: &[rustls_pki_types::CertificateDer<'static>],
    ) -> Result<Self, RefreshError> {
        let limits = FetchLimits { bytes_max: LIST_BYTES_MAX, ..FetchLimits::default() };
        let store = Store::open(cache)
            .map_err(|source| RefreshError::Folder { path: cache.display().to_string(), source })?;
        Ok(Self { fetcher: Fetcher::new(Access::Https, limits, roots)?, store, lotl: lotl.to_owned() })
    }

    /// Fetches the list of lists, its pivots, and every national list that counts.
    ///
    /// # Errors
    /// The list of lists cannot be had, or is not believed: then nothing else is fetched.
    pub(crate) async fn run(self: Arc<Self>, selection: Selection) -> Result<Vec<Outcome>, RefreshError> {
        let lotl = Arc::new(self.clone().lotl(selection.journal).await?);
        let places = Arc::new(Semaphore::new(PARALLEL_MAX));
        let mut tasks = JoinSet::new();
        for territory in lotl.territories() {
            if !selection.territories.is_empty()
                && !selection.territories.iter().any(|chosen| chosen == territory)
            {
                continue;
            }
            let (download, lotl, places) = (Arc::clone(&self), Arc::clone(&lotl), Arc::clone(&places));
            let territory = territory.to_owned();
            tasks.spawn(async move {
                let _place = places.acquire().await;
                let failure = download.national(lotl, territory.clone()).await.err();
                Outcome { territory, failure }
            });
        }
        let mut outcomes = vec![Outcome { territory: "EU".to_owned(), failure: None }];
        while let Some(outcome) = tasks.join_next().await {
            outcomes.push(outcome?);
        }
        Ok(outcomes)
    }

    /// The list of lists, authenticated; in the folder with its pivots once it is.
    async fn lotl(
        self: Arc<Self>,
        journal: Vec<rustls_pki_types::CertificateDer<'static>>,
    ) -> Result<Lotl, RefreshError> {
        let Versions { stored, fetched } = self.get(LOTL, &self.lotl).await?;
        let (bytes, validators) = match (fetched, stored.clone()) {
            (Fetched::Unchanged, Some(bytes)) => (bytes, None),
            (Fetched::Unchanged, None) => return Err(TreeError::Missing.into()),
            (Fetched::New { bytes, validators }, _) => (bytes, Some(validators)),
        };
        let (bytes, list) = spawn_blocking(move || {
            let list = inspect_list(&bytes, &[]).0;
            (bytes, list)
        })
        .await?;
        let mut pivots = Vec::new();
        for (sequence, uri) in list.iter().flat_map(|list| list.pivots()) {
            pivots.push((format!("pivot-{sequence}.xml"), self.pivot(sequence, uri).await?));
        }
        // The oldest first.
        pivots.reverse();
        let download = Arc::clone(&self);
        let task = spawn_blocking(move || {
            let documents: Vec<_> = pivots.iter().map(|(_, bytes)| bytes.as_slice()).collect();
            let lotl = Lotl::authenticate(&bytes, &documents, &journal)?;
            let seen = stored.and_then(|stored| Some(inspect_list(&stored, &[]).0?.sequence));
            let sequence = lotl.list().sequence;
            if let Some(previous) = seen.filter(|seen| sequence < *seen) {
                return Err(TreeError::Order { previous, sequence }.into());
            }
            for (name, bytes) in &pivots {
                download.store.write(name, bytes).map_err(DownloadError::from)?;
            }
            if let Some(validators) = validators {
                download.keep(LOTL, &bytes, &validators)?;
            }
            Ok::<_, RefreshError>(lotl)
        });
        task.await?
    }

    async fn pivot(&self, sequence: u64, uri: &str) -> Result<Vec<u8>, RefreshError> {
        let Versions { stored, fetched } = self.get(&format!("pivot-{sequence}.xml"), uri).await?;
        match (fetched, stored) {
            (Fetched::New { bytes, .. }, _) | (Fetched::Unchanged, Some(bytes)) => Ok(bytes),
            (Fetched::Unchanged, None) => Err(TreeError::Missing.into()),
        }
    }

    /// Takes the list of a territory into the folder, if it is new and good.
    async fn national(self: Arc<Self>, lotl: Arc<Lotl>, territory: String) -> Result<(), DownloadError> {
        let name = format!("{territory}.xml");
        let location = lotl.location(&territory).unwrap_or_default();
        let Versions { stored, fetched } = self.get(&name, location).await?;
        let Fetched::New { bytes, validators } = fetched else { return Ok(()) };
        let task = spawn_blocking(move || {
            let list = lotl.national_list(&territory, &bytes).map_err(ListProblem::from)?;
            let offered = list.list().sequence;
            let seen = stored.and_then(|stored| Some(inspect_list(&stored, &[]).0?.sequence));
            if let Some(seen) = seen.filter(|seen| offered < *seen) {
                return Err(ListProblem::Rollback { seen, offered }.into());
            }
            self.keep(&name, &bytes, &validators)
        });
        task.await.map_err(std::io::Error::other)?
    }

    /// What is in the folder and what is published now, asked for only if it changed.
    async fn get(&self, name: &str, url: &str) -> Result<Versions, DownloadError> {
        let stored = self.store.read(name, LIST_BYTES_MAX)?;
        let known = match &stored {
            Some(stored) => self.store.validators(name, stored)?,
            None => None,
        };
        Ok(Versions { fetched: self.fetcher.get(url, known.as_ref()).await?, stored })
    }

    fn keep(&self, name: &str, bytes: &[u8], validators: &Validators) -> Result<(), DownloadError> {
        self.store.write(name, bytes)?;
        self.store.write_validators(name, bytes, validators)?;
        Ok(())
    }
}
