//! The files that a configuration names: read whole, within bounds.

use std::{
    fs::File,
    io::Read,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use rustls_pki_types::{
    CertificateDer, PrivateKeyDer,
    pem::{self, PemObject},
};
use thiserror::Error;
use zeroize::Zeroizing;

use super::mistake::{Located, Place, Report, shown};
use crate::key_file::{self, KeyFileError};

/// Largest configuration. Ten thousand routes fit; a larger one is a mistake in the path.
pub(crate) const CONFIGURATION_BYTES_MAX: u64 = 4 << 20;
/// Largest file of certificates: all trusted CAs of Europe, several times over.
pub(crate) const CERTIFICATES_BYTES_MAX: u64 = 16 << 20;
/// Largest private key file: an RSA-16384 key in PEM has 13 kB.
pub(crate) const KEY_BYTES_MAX: u64 = 64 << 10;

/// Why a file cannot be used. Never repeats what is in it.
#[derive(Debug, Error)]
pub(crate) enum FileError {
    #[error("cannot be read: {0}")]
    Io(#[from] std::io::Error),
    /// It is no file for its owner alone.
    #[error(transparent)]
    Own(#[from] KeyFileError),
    #[error("is not a regular file")]
    Special,
    #[error("is larger than {0} bytes")]
    TooLarge(u64),
    #[error("holds no certificate in PEM")]
    NoCertificate,
    #[error("holds no private key in PEM")]
    NoKey,
    #[error("holds an encrypted key; decrypt it, and let its file be readable by the gate alone")]
    EncryptedKey,
    #[error("is not well-formed PEM: {0}")]
    Pem(&'static str),
}

/// What stands in front of relative paths.
#[derive(Debug, Clone)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// The folder of the configuration file.
    pub(crate) fn of(file: &Path) -> Self {
        Self(file.parent().map(Path::to_owned).unwrap_or_default())
    }

    /// The file that the configuration calls `name`.
    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

/// Reads a regular file of at most `bytes_max`.
///
/// Other kinds are refused: a pipe or a device could block the control plane at a reload, for ever.
pub(crate) fn read(path: &Path, bytes_max: u64) -> Result<Vec<u8>, FileError> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(FileError::Special);
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes)?;
    match u64::try_from(bytes.len()) {
        Ok(length) if length <= bytes_max => Ok(bytes),
        _ => Err(FileError::TooLarge(bytes_max)),
    }
}

/// Reads a certificate chain in the order of the file.
pub(crate) fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, FileError> {
    let bytes = read(path, CERTIFICATES_BYTES_MAX)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    match chain.map_err(|error| FileError::Pem(describe(&error)))? {
        chain if chain.is_empty() => Err(FileError::NoCertificate),
        chain => Ok(chain),
    }
}

/// Reads the certificates of several files, each with the place where its file is named. What cannot be read is reported.
pub(crate) fn certificates(
    report: &Report,
    folder: &Folder,
    files: Vec<Located<String>>,
) -> Vec<(Place, CertificateDer<'static>)> {
    let mut certificates = Vec::new();
    for file in files {
        match read_chain(&folder.join(&file.value)) {
            Ok(chain) => certificates.extend(chain.into_iter().map(|der| (file.place.clone(), der))),
            Err(error) => report.mistake(&file.place, format!("{} {error}", shown(&file.value))),
        }
    }
    certificates
}

/// Reads the first private key of a file.
pub(crate) fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, FileError> {
    parse_key(&read(path, KEY_BYTES_MAX)?)
}

/// Reads the first private key of a file that nobody but its owner may read.
pub(crate) fn read_own_key(path: &Path) -> Result<PrivateKeyDer<'static>, FileError> {
    // Whole from the start: a buffer that grows leaves its contents behind.
    let room = usize::try_from(2 * KEY_BYTES_MAX).unwrap_or_default();
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    key_file::open(path)?.take(KEY_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 {
        ..=KEY_BYTES_MAX => parse_key(&bytes),
        _ => Err(FileError::TooLarge(KEY_BYTES_MAX)),
    }
}

fn parse_key(bytes: &[u8]) -> Result<PrivateKeyDer<'static>, FileError> {
    PrivateKeyDer::from_pem_slice(bytes).map_err(|error| match error {
        pem::Error::NoItemsFound if contains(bytes, b"ENCRYPTED") => FileError::EncryptedKey,
        pem::Error::NoItemsFound => FileError::NoKey,
        error => FileError::Pem(describe(&error)),
    })
}

/// Whether others than the owner and the group may read the file. False where it cannot be told.
pub(crate) fn is_readable_by_others(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o004 != 0)
}

/// What is wrong with PEM, without the line in question, which may be one of a key.
fn describe(error: &pem::Error) -> &'static str {
    match error {
        pem::Error::MissingSectionEnd { .. } => "a section has no END line",
        pem::Error::IllegalSectionStart { .. } => "a BEGIN line is malformed",
        pem::Error::Base64Decode(_) => "a section is not base64",
        pem::Error::SectionTooLarge => "a section is too large",
        _ => "it cannot be decoded",
    }
}

fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}
