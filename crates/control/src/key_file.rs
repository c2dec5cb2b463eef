//! The file of ticket keys, which a fleet shares.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
    str,
};

use portcullis_gateway::{KeyRing, KeyRingError};
use thiserror::Error;
use zeroize::Zeroizing;

/// Bytes of a file of keys. Three of them have 222; the rest is for comments.
const FILE_BYTES_MAX: usize = 16 << 10;

/// Why a file of ticket keys cannot be used. Never repeats what is in it.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// It cannot be read.
    #[error("cannot be read: {0}")]
    Read(#[source] io::Error),
    /// It is a folder, a pipe, a device.
    #[error("is not a regular file")]
    Special,
    /// Somebody else could have read its keys, or put others in their place.
    #[error(
        "is open to others than its owner (mode {0:04o}); whoever has its keys can pass for every client: make new ones, with mode 0600"
    )]
    Exposed(u32),
    /// It is no file of keys.
    #[error("is larger than {FILE_BYTES_MAX} bytes")]
    TooLarge,
    /// It is no file of keys.
    #[error("is not UTF-8")]
    NotText,
    /// What is in it is no ring.
    #[error(transparent)]
    Ring(#[from] KeyRingError),
}

/// Reads a ring from a regular file that nobody but its owner may read.
///
/// # Errors
/// [`KeyFileError`]; nothing else tells of what is in the file.
pub(crate) fn read(path: &Path) -> Result<KeyRing, KeyFileError> {
    let file = open(path)?;
    // Whole from the start, with room for what the reading asks for: a buffer that grows leaves its contents behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(2 * FILE_BYTES_MAX));
    file.take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(KeyFileError::Read)?;
    if bytes.len() > FILE_BYTES_MAX {
        return Err(KeyFileError::TooLarge);
    }
    let text = str::from_utf8(&bytes).map_err(|_| KeyFileError::NotText)?;
    Ok(KeyRing::parse(text)?)
}

/// Opens a file, and looks at that which was opened. A pipe does not make it wait.
fn open(path: &Path) -> Result<File, KeyFileError> {
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path);
    let file = file.map_err(KeyFileError::Read)?;
    let metadata = file.metadata().map_err(KeyFileError::Read)?;
    let mode = metadata.permissions().mode() & 0o7777;
    match (metadata.is_file(), mode & 0o077) {
        (false, _) => Err(KeyFileError::Special),
        (true, 0) => Ok(file),
        (true, _) => Err(KeyFileError::Exposed(mode)),
    }
}
