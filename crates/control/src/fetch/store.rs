//! The last good copy of each document, on disk.

use std::{
    fs::{DirBuilder, File},
    io::{self, Read, Write},
    os::{
        fd::{AsFd, OwnedFd},
        unix::fs::DirBuilderExt,
    },
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
};

use aws_lc_rs::digest::{SHA256, digest};
use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, fstat, fsync, openat, renameat, unlinkat};
use serde::{Deserialize, Serialize};

use super::Validators;

/// Lists are public, but not everybody's to write.
const FOLDER_MODE: u32 = 0o750;
const FILE_MODE: u32 = 0o640;
/// Characters of a name: those of a hash in hexadecimal.
const NAME_BYTES_MAX: usize = 64;
/// What the name of the file beside a document ends with.
const VALIDATORS_SUFFIX: &str = ".validators.toml";
/// Bytes of such a file: two validators and a hash, with room for escapes.
const VALIDATORS_BYTES_MAX: usize = 4096;
/// What the name of an unfinished file ends with; it begins with a dot, as no document does.
const UNFINISHED_SUFFIX: &str = ".unfinished";

/// A folder of documents, each under its name. One process at a time may have it open, whose threads may share it. Its work
/// blocks, on the disk at most.
///
/// Files are replaced whole: after a crash, each is what it was before or after. What is in the folder could be another's
/// doing, so that only regular files are read, and no link is followed; what is read is as hostile as when it was fetched.
#[derive(Debug)]
pub(crate) struct Store {
    folder: OwnedFd,
    unfinished: AtomicU64,
}

/// The file beside a document. It says nothing of another version of it: were that taken for the one that the server means
/// by "unchanged", it would stay for good.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ValidatorsFile {
    /// Of the document, in hexadecimal.
    sha256: String,
    validators: Validators,
}

impl Store {
    /// Opens the folder, which is made if it is not there, and removes what an earlier process left unfinished.
    ///
    /// # Errors
    /// As the folder cannot be made, read or written.
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = openat(CWD, folder, flags, Mode::empty())?;
        let store = Self { folder, unfinished: AtomicU64::new(0) };
        store.remove_unfinished()?;
        Ok(store)
    }

    /// The document of this name, if there is one.
    ///
    /// # Errors
    /// `InvalidInput` for a name that none can have, `FileTooLarge` for a document above `bytes_max`, `InvalidData` for what is
    /// no regular file, and as the file cannot be read.
    pub(crate) fn read(&self, name: &str, bytes_max: usize) -> io::Result<Option<Vec<u8>>> {
        self.read_file(document_name(name)?, bytes_max)
    }

    /// Puts the document in the place of the one before it, if any. It is on the disk when this returns.
    ///
    /// # Errors
    /// `InvalidInput` for a name that none can have, and as the file cannot be written; the document is the one before then, but
    /// for a failure in the last step, after which either may be there when the machine crashes.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.replace(document_name(name)?, bytes)
    }

    /// The validators that were written for just this document. None are there for another version, nor when their file is
    /// damaged: then the document is fetched whole.
    ///
    /// # Errors
    /// As for [`read`](Self::read).
    pub(crate) fn validators(&self, name: &str, document: &[u8]) -> io::Result<Option<Validators>> {
        let file = self.read_file(&validators_name(name)?, VALIDATORS_BYTES_MAX)?;
        let file = file.and_then(|bytes| toml::from_slice::<ValidatorsFile>(&bytes).ok());
        Ok(file.filter(|file| file.sha256 == sha256(document)).map(|file| file.validators))
    }

    /// Keeps the validators of this document, after which [`validators`](Self::validators) tells them.
    ///
    /// # Errors
    /// As for [`write`](Self::write).
    pub(crate) fn write_validators(
        &self,
        name: &str,
        document: &[u8],
        validators: &Validators,
    ) -> io::Result<()> {
        let file = ValidatorsFile { sha256: sha256(document), validators: validators.clone() };
        let text = toml::to_string(&file).map_err(io::Error::other)?;
        self.replace(&validators_name(name)?, text.as_bytes())
    }

    fn read_file(&self, name: &str, bytes_max: usize) -> io::Result<Option<Vec<u8>>> {
        // A pipe would wait for its writer, and a terminal could become ours.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = match openat(&self.folder, name, flags, Mode::empty()) {
            Ok(file) => file,
            Err(rustix::io::Errno::NOENT) => return Ok(None),
            Err(rustix::io::Errno::LOOP) => return Err(not_regular(name)),
            Err(error) => return Err(error.into()),
        };
        if FileType::from_raw_mode(fstat(&file)?.st_mode) != FileType::RegularFile {
            return Err(not_regular(name));
        }
        let (mut bytes, bound) = (Vec::new(), bytes_max as u64);
        File::from(file).take(bound.saturating_add(1)).read_to_end(&mut bytes)?;
        if bytes.len() > bytes_max {
            let message = format!("{name} has more than {bytes_max} bytes");
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
        }
        Ok(Some(bytes))
    }

    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let count = self.unfinished.fetch_add(1, Ordering::Relaxed);
        let unfinished = format!(".{name}.{}-{count}{UNFINISHED_SUFFIX}", std::process::id());
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let mut file = File::from(openat(&self.folder, &unfinished, flags, Mode::from_raw_mode(FILE_MODE))?);
        let replaced = file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| {
            renameat(&self.folder, &unfinished, &self.folder, name)?;
            Ok(())
        });
        if replaced.is_err() {
            // What stays is removed when the folder is next opened.
            let _ = unlinkat(&self.folder, &unfinished, AtFlags::empty());
        }
        replaced?;
        Ok(fsync(&self.folder)?)
    }

    fn remove_unfinished(&self) -> io::Result<()> {
        for entry in Dir::read_from(self.folder.as_fd())? {
            let entry = entry?;
            let name = entry.file_name();
            let is_unfinished = |name: &str| name.starts_with('.') && name.ends_with(UNFINISHED_SUFFIX);
            if name.to_str().is_ok_and(is_unfinished) && entry.file_type() != FileType::Directory {
                unlinkat(&self.folder, name, AtFlags::empty())?;
            }
        }
        Ok(())
    }
}

fn not_regular(name: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{name} is no regular file"))
}

/// Takes names of ASCII letters, digits, `.`, `_` and `-` that name no folder and no file of another kind.
fn document_name(name: &str) -> io::Result<&str> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let length = (1..=NAME_BYTES_MAX).contains(&name.len());
    if length && name.bytes().all(allowed) && !name.starts_with('.') && !name.ends_with(VALIDATORS_SUFFIX) {
        return Ok(name);
    }
    let message = format!(
        "a document's name has at most {NAME_BYTES_MAX} of A-Z, a-z, 0-9, '.', '_' and '-', does not begin with a dot and \
         does not end with {VALIDATORS_SUFFIX}"
    );
    Err(io::Error::new(io::ErrorKind::InvalidInput, message))
}

fn validators_name(name: &str) -> io::Result<String> {
    Ok(format!("{}{VALIDATORS_SUFFIX}", document_name(name)?))
}

fn sha256(document: &[u8]) -> String {
    digest(&SHA256, document).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
