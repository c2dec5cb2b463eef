//! Certificates from files and standard input.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use anyhow::{Context as _, bail};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

/// Bytes of a file that is read: a chain has some ten thousand, a bundle of roots some hundred thousand.
pub(super) const FILE_BYTES_MAX: u64 = 4 << 20;

/// A certificate and what came with it.
pub(crate) struct Presented {
    pub(crate) leaf: CertificateDer<'static>,
    /// Intermediates, in the order of the files.
    pub(crate) chain: Vec<CertificateDer<'static>>,
}

impl Presented {
    pub(super) fn read(file: &Path) -> anyhow::Result<Self> {
        let mut certificates = certificates(file)?.into_iter();
        let leaf = certificates.next().with_context(|| format!("{}: no certificate", file.display()))?;
        Ok(Self { leaf, chain: certificates.collect() })
    }
}

/// The certificates of a file: all of a PEM file, or the one of a file without PEM sections, which counts as DER.
pub(crate) fn certificates(file: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let bytes = read(file, FILE_BYTES_MAX)?;
    if !bytes.windows(PEM_MARK.len()).any(|window| window == PEM_MARK) {
        return Ok(vec![CertificateDer::from(bytes)]);
    }
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let certificates = certificates.with_context(|| format!("{}: malformed PEM", file.display()))?;
    if certificates.is_empty() {
        bail!("{}: no PEM section CERTIFICATE", file.display());
    }
    Ok(certificates)
}

const PEM_MARK: &[u8] = b"-----BEGIN ";

/// The name of the file that is standard input.
pub(super) const STANDARD_INPUT: &str = "-";

/// Reads a file, or standard input for `-`, up to `bytes_max`.
pub(crate) fn read(file: &Path, bytes_max: u64) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = match file.to_str() {
        Some(STANDARD_INPUT) => io::stdin().lock().take(bytes_max + 1).read_to_end(&mut bytes),
        _ => File::open(file).and_then(|file| file.take(bytes_max + 1).read_to_end(&mut bytes)),
    };
    read.with_context(|| format!("{}: cannot be read", file.display()))?;
    if bytes.len() as u64 > bytes_max {
        bail!("{}: longer than {bytes_max} bytes", file.display());
    }
    Ok(bytes)
}
