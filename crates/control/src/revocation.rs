//! Whether certificates are revoked: asked beside everything else, kept on disk, and written into the ledger.
//!
//! Only certificates that a shard has sighted are asked about, and a shard sights a certificate once its key is proved and its
//! path is trusted; so nobody who merely shows a certificate makes the gate ask anybody.

mod agenda;
mod archive;
mod crl_file;
mod crl_memory;
mod facts;
mod inquiry;
mod keeper;

use std::{
    io,
    sync::{Arc, mpsc::Receiver},
};

use portcullis_gateway::{LiveConnections, Sighting};
use thiserror::Error;
use tokio::{sync::mpsc, task::JoinHandle};

use crate::{ControlError, RevocationSettings, fetch::FetchError, ledger::LedgerKeeper, recorder::Recorder};
pub use facts::{CrlFacts, RevocationFacts};
use keeper::Keeper;

/// Sightings on their way from the thread that takes them from the shards to the keeper.
const SIGHTINGS_WAITING_MAX: usize = 256;

/// Why nobody can be asked.
#[derive(Debug, Error)]
pub(crate) enum RevocationError {
    /// The folder of answers cannot be used.
    #[error("cannot use the folder {path}")]
    Folder {
        /// Which.
        path: String,
        /// Why not.
        source: io::Error,
    },
    /// What was answered before cannot be read.
    #[error("cannot use {path}")]
    Archive {
        /// Which file.
        path: String,
        /// Why not.
        source: Box<redb::Error>,
    },
    /// No client can be made.
    #[error(transparent)]
    Client(#[from] FetchError),
}

/// Where the keeper writes, and whom it asks who is there.
#[derive(Clone, Debug)]
pub(crate) struct Surroundings {
    /// What is known, for the shards.
    pub(crate) ledger: LedgerKeeper,
    /// The same altogether, for the operator.
    pub(crate) recorder: Recorder,
    /// The certificates that have a connection.
    pub(crate) live: Arc<LiveConnections>,
}

/// The task that asks.
#[derive(Debug)]
pub(crate) struct Revocation {
    settings: mpsc::Sender<RevocationSettings>,
    task: JoinHandle<()>,
}

impl Revocation {
    /// Reads what was answered before and writes it into the ledger, then begins to ask. Blocks on the disk for as long as the
    /// reading takes: the first client shall be judged by what is known.
    ///
    /// # Errors
    /// [`RevocationError`].
    pub(crate) fn start(
        settings: RevocationSettings,
        around: Surroundings,
        sightings: Receiver<Sighting>,
    ) -> Result<Self, RevocationError> {
        let keeper = Keeper::open(settings, around)?;
        let (sender, receiver) = mpsc::channel(SIGHTINGS_WAITING_MAX);
        // Ends with the last shard, or with the keeper.
        let forward = move || {
            while let Ok(sighting) = sightings.recv() {
                if sender.blocking_send(sighting).is_err() {
                    break;
                }
            }
        };
        let thread = std::thread::Builder::new().name("sightings".to_owned());
        thread
            .spawn(forward)
            .map_err(|source| RevocationError::Folder { path: "sightings".to_owned(), source })?;
        let (settings, changes) = mpsc::channel(1);
        let task = tokio::spawn(keeper.run(receiver, changes));
        Ok(Self { settings, task })
    }

    /// Whether it has ended, as it does behind the last shard, and all that it knows is on the disk.
    pub(crate) fn is_finished(&self) -> bool {
        self.task.is_finished()
    }

    /// Goes on under other settings.
    pub(crate) fn configure(&self, settings: RevocationSettings) {
        // One change that has not been taken up yet is overtaken by none: reloads wait for each other far longer.
        if self.settings.try_send(settings).is_err() {
            tracing::error!("the keeper of revocation does not take its settings");
        }
    }
}

/// What the gate that runs with these settings, or ran last, knew within the last seconds; nothing if none ran.
///
/// # Errors
/// [`ControlError::Revocation`]: what it left cannot be read.
pub fn revocation_facts(settings: &RevocationSettings) -> Result<Option<RevocationFacts>, ControlError> {
    RevocationFacts::read(&settings.cache).map_err(|error| ControlError::Revocation(error.into()))
}
