//! Clients read from files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use rustls::sign::CertifiedKey;

use crate::client_config;

/// Reads a certificate with its issuing CAs, and its key.
pub(super) fn read(
    cert: &Path,
    key: &Path,
    provider: &rustls::crypto::CryptoProvider,
) -> Result<CertifiedKey> {
    CertifiedKey::from_der(client_config::certificates(cert)?, client_config::private_key(key)?, provider)
        .with_context(|| format!("{} with {}", cert.display(), key.display()))
}

/// Reads each NAME.pem with its NAME.key, in the order of their names. Other files are passed over, but not a certificate
/// without a key: a client that is missing without a word would change what the run means.
pub(super) fn read_all(
    folder: &Path,
    provider: &rustls::crypto::CryptoProvider,
) -> Result<Vec<Arc<CertifiedKey>>> {
    let unreadable = || folder.display().to_string();
    let mut certificates: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(unreadable)? {
        let path = entry.with_context(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "pem") {
            certificates.push(path);
        }
    }
    certificates.sort();
    if certificates.is_empty() {
        bail!("{}: no NAME.pem in it", folder.display());
    }
    let client = |cert: &PathBuf| read(cert, &cert.with_extension("key"), provider).map(Arc::new);
    certificates.iter().map(client).collect()
}
