//! Keys in a file.

use std::{
    fs::{OpenOptions, Permissions},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use portcullis_identity::Thumbprint;
use portcullis_keys::{IdentityDigest, KeyId, KeyRecord, KeyStore, StoreChange, StoreError};
use redb::{
    Database, ReadableDatabase as _, ReadableTable as _, Table, TableDefinition, backends::FileBackend,
};
use thiserror::Error;

/// The JSON of each record, by its id. A later version of the gate that writes other values names another table.
const KEYS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("keys-1");
/// Ids by the digests of identities.
const IDENTITIES: TableDefinition<'_, &[u8; 32], u64> = TableDefinition::new("identities-1");
/// Ids by the thumbprints of certificates. One certificate may be of two keys, where two profiles are asked of it: the last counts.
const CERTIFICATES: TableDefinition<'_, &[u8; 32], u64> = TableDefinition::new("certificates-1");

/// Says who comes and goes: nobody else's business.
const FILE_MODE: u32 = 0o600;

/// What of the file is kept in memory. Shards read keys from the ledger; the store is read for one key now and then, and the usual gigabyte
/// would outweigh all that is known of a million.
const CACHE_BYTES: usize = 32 << 20;

/// Records in a redb database. What is written is on the disk when it returns.
#[derive(Debug)]
pub(super) struct RedbStore {
    path: PathBuf,
    /// `None` after a failure of the disk, behind which a database takes nothing more: it is opened anew.
    database: Option<Database>,
}

/// What is wrong with the store beside its database.
#[derive(Debug, Error)]
enum RedbStoreError {
    /// It could not be opened anew after a failure.
    #[error("it failed before and is not open")]
    Closed,
    /// A record of it is not what was written.
    #[error("the record of key {id} cannot be read")]
    Record {
        /// Which.
        id: KeyId,
        /// Why not.
        source: serde_json::Error,
    },
}

impl RedbStore {
    /// Opens the file, which is made if it is not there. Blocks on the disk.
    ///
    /// # Errors
    /// Another process has it open, it is damaged, or the disk fails.
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(Self { path: path.to_owned(), database: Some(open(path)?) })
    }

    fn database(&self) -> Result<&Database, RedbStoreError> {
        self.database.as_ref().ok_or(RedbStoreError::Closed)
    }
}

impl KeyStore for RedbStore {
    fn get(&self, id: KeyId) -> Result<Option<KeyRecord>, StoreError> {
        let transaction = self.database()?.begin_read()?;
        let table = transaction.open_table(KEYS)?;
        let row = table.get(id.bits())?;
        Ok(row.map(|row| record(id, row.value())).transpose()?)
    }

    fn by_identity(&self, identity: &IdentityDigest) -> Result<Option<KeyId>, StoreError> {
        let transaction = self.database()?.begin_read()?;
        let table = transaction.open_table(IDENTITIES)?;
        Ok(table.get(identity.as_bytes())?.map(|row| KeyId::new(row.value())))
    }

    fn by_certificate(&self, thumbprint: &Thumbprint) -> Result<Option<KeyId>, StoreError> {
        let transaction = self.database()?.begin_read()?;
        let table = transaction.open_table(CERTIFICATES)?;
        Ok(table.get(thumbprint.as_bytes())?.map(|row| KeyId::new(row.value())))
    }

    fn scan(&self, after: Option<KeyId>, visit: &mut dyn FnMut(KeyRecord) -> bool) -> Result<(), StoreError> {
        let transaction = self.database()?.begin_read()?;
        let table = transaction.open_table(KEYS)?;
        let Some(from) = after.map_or(Some(0), |after| after.bits().checked_add(1)) else { return Ok(()) };
        for row in table.range(from..)? {
            let (id, value) = row?;
            if !visit(record(KeyId::new(id.value()), value.value())?) {
                break;
            }
        }
        Ok(())
    }

    fn write(&mut self, changes: &[StoreChange]) -> Result<(), StoreError> {
        if self.database.is_none() {
            self.database = Some(open(&self.path)?);
        }
        let written = write(self.database()?, changes);
        if written.is_err() {
            self.database = None;
            // Reads go on while the disk takes no writes, if it gives what it has.
            self.database = open(&self.path).ok();
        }
        written
    }
}

fn open(path: &Path) -> Result<Database, StoreError> {
    let file =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(FILE_MODE).open(path)?;
    // Where it was there before, it may have been made by somebody less careful.
    file.set_permissions(Permissions::from_mode(FILE_MODE))?;
    let mut builder = redb::Builder::new();
    let database = builder.set_cache_size(CACHE_BYTES).create_with_backend(FileBackend::new(file)?)?;
    let is_new = {
        let transaction = database.begin_read()?;
        transaction.open_table(KEYS).is_err()
    };
    if is_new {
        let transaction = database.begin_write()?;
        transaction.open_table(KEYS)?;
        transaction.open_table(IDENTITIES)?;
        transaction.open_table(CERTIFICATES)?;
        transaction.commit()?;
    }
    Ok(database)
}

fn write(database: &Database, changes: &[StoreChange]) -> Result<(), StoreError> {
    let transaction = database.begin_write()?;
    {
        let mut keys = transaction.open_table(KEYS)?;
        let mut identities = transaction.open_table(IDENTITIES)?;
        let mut certificates = transaction.open_table(CERTIFICATES)?;
        for change in changes {
            let id = match change {
                StoreChange::Put(record) => record.id,
                StoreChange::Delete(id) => *id,
            };
            let before = keys.remove(id.bits())?.map(|row| record(id, row.value())).transpose()?;
            if let Some(before) = before {
                identities.remove(before.key_identity().digest().as_bytes())?;
                forget_certificates(&mut certificates, &before)?;
            }
            if let StoreChange::Put(record) = change {
                keys.insert(id.bits(), serde_json::to_vec(record)?.as_slice())?;
                identities.insert(record.key_identity().digest().as_bytes(), id.bits())?;
                for member in &record.certificates {
                    certificates.insert(member.thumbprint_sha256.as_bytes(), id.bits())?;
                }
            }
        }
    }
    Ok(transaction.commit()?)
}

/// Forgets whose the certificates of a key are, where it is that key.
fn forget_certificates(
    certificates: &mut Table<'_, &[u8; 32], u64>,
    record: &KeyRecord,
) -> Result<(), StoreError> {
    for member in &record.certificates {
        let thumbprint = member.thumbprint_sha256.as_bytes();
        if certificates.get(thumbprint)?.is_some_and(|row| row.value() == record.id.bits()) {
            certificates.remove(thumbprint)?;
        }
    }
    Ok(())
}

fn record(id: KeyId, json: &[u8]) -> Result<KeyRecord, RedbStoreError> {
    serde_json::from_slice(json).map_err(|source| RedbStoreError::Record { id, source })
}
