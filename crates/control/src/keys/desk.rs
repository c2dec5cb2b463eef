//! Where the admin listener asks for keys.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use portcullis_identity::Thumbprint;
use portcullis_keys::{
    IdentityDigest, KeyChange, KeyError, KeyId, KeyIdentity, KeyRecord, KeyState, StoreError,
};
use thiserror::Error;
use tokio::sync::oneshot;

use crate::KeySettings;

/// Questions and changes that may wait. Who comes beyond is told to come again.
const WAITING_MAX: usize = 4096;

/// What operators ask of the keeper of keys. Clones share one queue.
#[derive(Clone, Debug)]
pub(crate) struct KeyDesk(SyncSender<Command>);

/// Why it is not answered.
#[derive(Debug, Error)]
pub(crate) enum KeyDeskError {
    /// There is no such key.
    #[error("there is no key {0}")]
    Unknown(KeyId),
    /// The key cannot be changed like that.
    #[error(transparent)]
    Refused(#[from] KeyError),
    /// Another key has the identity.
    #[error("key {id} has the identity {identity} already")]
    Taken {
        /// Which.
        id: KeyId,
        /// Whose.
        identity: String,
    },
    /// There is room for no more keys.
    #[error("there are {capacity} keys, and no more are taken")]
    Full {
        /// How many are taken.
        capacity: usize,
    },
    /// The store failed. Nothing was changed.
    #[error("the store of keys failed, and nothing was changed: {0}")]
    Store(String),
    /// Too many wait.
    #[error("too much is asked at a time")]
    Busy,
    /// The keeper is gone, since the gate ends.
    #[error("the gate ends")]
    Gone,
}

/// Which keys are listed: those that fit in every respect that is given.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeyFilter {
    pub(crate) state: Option<KeyState>,
    pub(crate) tag: Option<String>,
    /// A part of the identity or of the display name, whatever its case.
    pub(crate) text: Option<String>,
}

/// Keys in the order of their ids, and behind which to go on if there are more.
pub(crate) type Page = (Vec<KeyRecord>, Option<KeyId>);

type Reply<T> = oneshot::Sender<Result<T, KeyDeskError>>;

/// One thing that is asked.
#[derive(Debug)]
pub(super) enum Command {
    Show(KeyId, Reply<KeyRecord>),
    List { after: Option<KeyId>, filter: KeyFilter, limit: usize, reply: Reply<Page> },
    ByCertificate(Thumbprint, Reply<Option<KeyId>>),
    ByIdentity(IdentityDigest, Reply<Option<KeyId>>),
    Change { id: KeyId, changes: Vec<KeyChange>, by: String, reply: Reply<KeyRecord> },
    Delete { id: KeyId, by: String, reply: Reply<KeyRecord> },
    Import { record: Box<KeyRecord>, by: String, reply: Reply<KeyRecord> },
    Configure(KeySettings),
}

/// A desk, and the queue behind it.
pub(super) fn open() -> (KeyDesk, Receiver<Command>) {
    let (sender, receiver) = sync_channel(WAITING_MAX);
    (KeyDesk(sender), receiver)
}

impl KeyDesk {
    /// The record of a key.
    pub(crate) async fn show(&self, id: KeyId) -> Result<KeyRecord, KeyDeskError> {
        self.ask(|reply| Command::Show(id, reply)).await
    }

    /// `limit` keys at most, of those behind `after` that the filter lets pass.
    pub(crate) async fn list(
        &self,
        after: Option<KeyId>,
        filter: KeyFilter,
        limit: usize,
    ) -> Result<Page, KeyDeskError> {
        self.ask(|reply| Command::List { after, filter, limit, reply }).await
    }

    /// Whose a certificate is.
    pub(crate) async fn by_certificate(&self, thumbprint: Thumbprint) -> Result<Option<KeyId>, KeyDeskError> {
        self.ask(|reply| Command::ByCertificate(thumbprint, reply)).await
    }

    /// The key of an identity.
    pub(crate) async fn by_identity(&self, identity: &KeyIdentity) -> Result<Option<KeyId>, KeyDeskError> {
        self.ask(|reply| Command::ByIdentity(identity.digest(), reply)).await
    }

    /// Makes all changes of a key, or none. What is returned outlives the process.
    pub(crate) async fn change(
        &self,
        id: KeyId,
        changes: Vec<KeyChange>,
        by: &str,
    ) -> Result<KeyRecord, KeyDeskError> {
        let by = by.to_owned();
        self.ask(|reply| Command::Change { id, changes, by, reply }).await
    }

    /// Forgets a key. Its holder is unknown from then on.
    pub(crate) async fn delete(&self, id: KeyId, by: &str) -> Result<KeyRecord, KeyDeskError> {
        let by = by.to_owned();
        self.ask(|reply| Command::Delete { id, by, reply }).await
    }

    /// Keeps a record that was exported, in the place of that with its id.
    pub(crate) async fn import(&self, record: KeyRecord, by: &str) -> Result<KeyRecord, KeyDeskError> {
        let (record, by) = (Box::new(record), by.to_owned());
        self.ask(|reply| Command::Import { record, by, reply }).await
    }

    /// Goes on under other settings. A queue that is full takes them with the next reload.
    pub(super) fn configure(&self, settings: KeySettings) {
        if self.0.try_send(Command::Configure(settings)).is_err() {
            tracing::error!("the keeper of keys does not take its settings");
        }
    }

    async fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, KeyDeskError> {
        let (reply, answer) = oneshot::channel();
        self.0.try_send(command(reply)).map_err(|error| match error {
            TrySendError::Full(_) => KeyDeskError::Busy,
            TrySendError::Disconnected(_) => KeyDeskError::Gone,
        })?;
        answer.await.unwrap_or(Err(KeyDeskError::Gone))
    }
}

impl KeyFilter {
    pub(super) fn fits(&self, record: &KeyRecord) -> bool {
        let has = |text: &str, part: &str| text.to_lowercase().contains(&part.to_lowercase());
        self.state.is_none_or(|state| record.state == state)
            && self.tag.as_ref().is_none_or(|tag| record.tags.contains(tag))
            && self
                .text
                .as_ref()
                .is_none_or(|part| has(&record.identity, part) || has(&record.display_name, part))
    }
}

impl From<StoreError> for KeyDeskError {
    fn from(error: StoreError) -> Self {
        Self::Store(crate::error::chain(&*error))
    }
}
