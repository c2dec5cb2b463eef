//! What a store of keys must do.

use std::error::Error;

use portcullis_identity::Thumbprint;

use crate::{IdentityDigest, KeyId, KeyRecord};

/// Why a store does not do it. Each store has its own reasons.
pub type StoreError = Box<dyn Error + Send + Sync>;

/// One of several changes that are made as one.
#[derive(Clone, Debug)]
pub enum StoreChange {
    /// Keeps a record, in the place of that with its id.
    Put(KeyRecord),
    /// Forgets the record of that id.
    Delete(KeyId),
}

/// Keeps keys. One thread has it; every call may block.
pub trait KeyStore: Send {
    /// The record of that id.
    ///
    /// # Errors
    /// The store's own.
    fn get(&self, id: KeyId) -> Result<Option<KeyRecord>, StoreError>;

    /// The id of the key of an identity.
    ///
    /// # Errors
    /// The store's own.
    fn by_identity(&self, identity: &IdentityDigest) -> Result<Option<KeyId>, StoreError>;

    /// The id of the key that has a certificate.
    ///
    /// # Errors
    /// The store's own.
    fn by_certificate(&self, thumbprint: &Thumbprint) -> Result<Option<KeyId>, StoreError>;

    /// Hands over the records behind `after`, in the order of their ids, until `visit` returns false.
    ///
    /// # Errors
    /// The store's own.
    fn scan(&self, after: Option<KeyId>, visit: &mut dyn FnMut(KeyRecord) -> bool) -> Result<(), StoreError>;

    /// Makes all changes or none. They outlive the process, and the power, when this returns.
    ///
    /// # Errors
    /// The store's own; then nothing is changed.
    fn write(&mut self, changes: &[StoreChange]) -> Result<(), StoreError>;
}
