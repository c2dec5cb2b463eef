//! The file of ticket keys, which a fleet shares.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Read as _, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown},
    path::{Path, PathBuf},
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
    #[error("cannot be read")]
    Read(#[source] io::Error),
    /// It is a folder, a pipe, a device.
    #[error("is not a regular file")]
    Special,
    /// Somebody else could have read its keys, or put others in their place.
    #[error(
        "is open to others than its owner (mode {0:04o}), who may know what is in it: make it anew, with mode 0600"
    )]
    Exposed(u32),
    /// It is no file of keys.
    #[error("is larger than {FILE_BYTES_MAX} bytes")]
    TooLarge,
    /// It is no file of keys.
    #[error("is not UTF-8")]
    NotText,
    /// It is there, and its keys may be in use.
    #[error("is there already, and stays as it is")]
    Exists,
    /// Somebody else is about to write it, or was.
    #[error("is being rotated, or {} was left by a rotation that was cut off: remove it then", .0.display())]
    Unfinished(PathBuf),
    /// It cannot be written.
    #[error("cannot be written")]
    Write(#[source] io::Error),
    /// It belongs to somebody else, who could not read a file of ours.
    #[error("belongs to another user, and only root can write for that one")]
    Owner(#[source] io::Error),
    /// What is in it is no ring.
    #[error(transparent)]
    Ring(#[from] KeyRingError),
}

/// Makes a file with fresh keys, for its owner alone.
///
/// # Errors
/// [`KeyFileError`], where there is one already or none can be written.
pub fn create_key_file(path: &Path) -> Result<(), KeyFileError> {
    // Unlike a rename, this does not take the place of a file.
    let place =
        |unfinished: &Path| fs::hard_link(unfinished, path).and_then(|()| fs::remove_file(unfinished));
    let written = write(path, |_| Ok(KeyRing::random()?), place);
    written.map_err(|error| match error {
        KeyFileError::Write(error) if error.kind() == ErrorKind::AlreadyExists => KeyFileError::Exists,
        error => error,
    })
}

/// Moves the keys of a file up by one, as [`KeyRing::rotated`] does. Whoever reads it meanwhile gets the old or the new keys.
///
/// # Errors
/// [`KeyFileError`]; then the file is as it was.
pub fn rotate_key_file(path: &Path) -> Result<(), KeyFileError> {
    // A link to the file stays one.
    let path = &fs::canonicalize(path).map_err(KeyFileError::Read)?;
    let rotated = |unfinished: &File| {
        let ring = read(path)?;
        keep_owner(path, unfinished)?;
        Ok(ring.rotated()?)
    };
    write(path, rotated, |unfinished| fs::rename(unfinished, path))
}

/// Writes a ring to a file beside `path`, which `place` then moves there. That file is there while the ring is made, so that two
/// rotations do not start from the same keys.
fn write(
    path: &Path,
    make: impl FnOnce(&File) -> Result<KeyRing, KeyFileError>,
    place: impl FnOnce(&Path) -> io::Result<()>,
) -> Result<(), KeyFileError> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".unfinished");
    let unfinished = PathBuf::from(unfinished);
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished);
    let mut file = file.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => KeyFileError::Unfinished(unfinished.clone()),
        _ => KeyFileError::Write(error),
    })?;
    let placed = make(&file).and_then(|ring| {
        let written = file.write_all(ring.to_text().as_bytes()).and_then(|()| file.sync_all());
        written.and_then(|()| place(&unfinished)).map_err(KeyFileError::Write)
    });
    if placed.is_err() {
        drop(fs::remove_file(&unfinished));
    }
    placed?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(KeyFileError::Write)
}

/// Gives `new` to the owner of the file at `path`: the gate's user, where root rotates.
fn keep_owner(path: &Path, new: &File) -> Result<(), KeyFileError> {
    let before = fs::metadata(path).map_err(KeyFileError::Read)?;
    let ours = new.metadata().map_err(KeyFileError::Write)?;
    if (before.uid(), before.gid()) == (ours.uid(), ours.gid()) {
        return Ok(());
    }
    fchown(new, Some(before.uid()), Some(before.gid())).map_err(KeyFileError::Owner)
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
pub(crate) fn open(path: &Path) -> Result<File, KeyFileError> {
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
