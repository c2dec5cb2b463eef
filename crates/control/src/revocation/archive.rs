//! What was answered, on disk, so that it is known after a restart without a network.

use std::{path::Path, sync::Arc};

use portcullis_identity::Thumbprint;
use portcullis_trust::Issuer;
use redb::{Database, ReadableDatabase as _, ReadableTable as _, TableDefinition};
use thiserror::Error;
use tokio::task::{JoinError, spawn_blocking};

/// By the certificate's SHA-256. A later version of the gate that writes other values names another table.
const CERTIFICATES: TableDefinition<'_, &[u8; 32], Row> = TableDefinition::new("certificates-1");
/// The leaf, its issuer's certificate fields (name, key, whether it may sign CRLs), when it was last seen, and the last answer of a
/// responder with the time when it was taken; no bytes for none.
type Row = (&'static [u8], (&'static [u8], &'static [u8], bool), i64, (&'static [u8], i64));

/// A certificate as it is kept.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    /// The certificate.
    pub(super) leaf: Arc<[u8]>,
    /// The CA that issued it.
    pub(super) issuer: Arc<Issuer>,
    /// When it was last seen, in Unix seconds.
    pub(super) seen: i64,
    /// The last answer of a responder, with the time when it was taken, in Unix seconds.
    pub(super) response: Option<(Arc<[u8]>, i64)>,
}

/// Why the archive does not serve.
#[derive(Debug, Error)]
pub(super) enum ArchiveError {
    /// The database does not.
    #[error("the database")]
    Database(#[from] redb::Error),
    /// The task that wrote ended by itself.
    #[error("it was not written to the end")]
    Task(#[from] JoinError),
}

/// A change to what is kept.
#[derive(Debug)]
pub(super) enum Change {
    Keep(Kept),
    Forget([u8; 32]),
}

/// The database. One process at a time may have it open.
#[derive(Clone, Debug)]
pub(super) struct Archive(Arc<Database>);

impl Archive {
    /// Opens the database, which is made if it is not there. Blocks on the disk.
    ///
    /// # Errors
    /// Somebody else has it open, it is damaged, or the disk fails.
    pub(super) fn open(path: &Path) -> Result<Self, redb::Error> {
        let database = Database::create(path)?;
        let transaction = database.begin_write()?;
        transaction.open_table(CERTIFICATES)?;
        transaction.commit()?;
        Ok(Self(Arc::new(database)))
    }

    /// Reads all that is kept. Blocks on the disk.
    ///
    /// # Errors
    /// It is damaged, or the disk fails.
    pub(super) fn read(&self) -> Result<Vec<Kept>, redb::Error> {
        let transaction = self.0.begin_read()?;
        let table = transaction.open_table(CERTIFICATES)?;
        let rows = table.iter()?;
        let mut kept = Vec::new();
        for row in rows {
            let (_, value) = row?;
            let (leaf, (name, public_key_info, may_sign_crls), seen, (response, taken)) = value.value();
            kept.push(Kept {
                leaf: leaf.into(),
                issuer: Arc::new(Issuer::from_parts(name, public_key_info, may_sign_crls)),
                seen,
                response: (!response.is_empty()).then(|| (response.into(), taken)),
            });
        }
        Ok(kept)
    }

    /// Writes changes as one. They are on the disk when this returns.
    ///
    /// # Errors
    /// [`ArchiveError`]; then nothing of them is written.
    pub(super) async fn write(&self, changes: Vec<Change>) -> Result<(), ArchiveError> {
        let database = Arc::clone(&self.0);
        Ok(spawn_blocking(move || write(&database, &changes)).await??)
    }
}

fn write(database: &Database, changes: &[Change]) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    {
        let mut table = transaction.open_table(CERTIFICATES)?;
        for change in changes {
            match change {
                Change::Keep(kept) => {
                    let key = Thumbprint::of(&kept.leaf);
                    let issuer =
                        (kept.issuer.name(), kept.issuer.public_key_info(), kept.issuer.may_sign_crls());
                    let response =
                        kept.response.as_ref().map_or((&[][..], 0), |(bytes, taken)| (&**bytes, *taken));
                    let row = (&*kept.leaf, issuer, kept.seen, response);
                    table.insert(key.as_bytes(), row)?;
                }
                Change::Forget(key) => drop(table.remove(key)?),
            }
        }
    }
    Ok(transaction.commit()?)
}
