//! The keys of clients: enrolled as shards meet their certificates, changed by operators, kept on disk, and written into the
//! ledger.

mod desk;
mod keeper;
mod redb_store;
#[cfg(test)]
mod tests;
mod told_apart;

use std::{path::PathBuf, sync::mpsc::Receiver, thread::JoinHandle};

use portcullis_keys::{Sighted, StoreError};
use thiserror::Error;

use crate::{ControlError, KeySettings, ledger::LedgerKeeper};
pub(crate) use desk::{KeyDesk, KeyDeskError, KeyFilter};
pub(crate) use keeper::Audit;
use keeper::Keeper;
use redb_store::RedbStore;
pub(crate) use told_apart::ToldApart;

/// Why there are no keys.
#[derive(Debug, Error)]
pub(crate) enum KeysError {
    /// The store does not serve.
    #[error("cannot use the store {}", .path.display())]
    Store {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: StoreError,
    },
}

/// The thread that keeps keys.
#[derive(Debug)]
pub(crate) struct Keys {
    desk: KeyDesk,
    thread: JoinHandle<()>,
}

impl Keys {
    /// Reads all keys and writes them into the ledger, then begins to enrol. Blocks on the disk for as long as the reading takes:
    /// the first client shall be judged by what its key says.
    ///
    /// # Errors
    /// [`ControlError::Keys`], [`ControlError::Thread`].
    pub(crate) fn start(
        settings: &KeySettings,
        ledger: LedgerKeeper,
        sightings: Receiver<Sighted>,
        (audit, told_apart): (Audit, ToldApart),
    ) -> Result<Self, ControlError> {
        let store = RedbStore::open(&settings.store);
        let refuse = |source| KeysError::Store { path: settings.store.clone(), source };
        let store = store.map_err(|error| ControlError::Keys(refuse(error).into()))?;
        let (desk, commands) = desk::open();
        let keeper = Keeper::open(Box::new(store), settings.clone(), ledger, (audit, told_apart));
        let keeper = keeper.map_err(|error| ControlError::Keys(refuse(error).into()))?;
        let thread = std::thread::Builder::new().name("keys".to_owned());
        let thread = thread.spawn(move || keeper.run(&commands, &sightings)).map_err(ControlError::Thread)?;
        Ok(Self { desk, thread })
    }

    /// Where keys are asked for and changed.
    pub(crate) const fn desk(&self) -> &KeyDesk {
        &self.desk
    }

    /// Whether it has ended, as it does behind the last shard, and all that it knows is on the disk.
    pub(crate) fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }

    /// Goes on under other settings. The store stays where it is.
    pub(crate) fn configure(&self, settings: KeySettings) {
        self.desk.configure(settings);
    }
}
