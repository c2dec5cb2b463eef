//! A certificate with the chain above it and its private key.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;

use rcgen::{Certificate, CertificateParams, CertifiedIssuer, KeyPair, KeyUsagePurpose};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::{Authority, Error, KeyType, Subject, Validity};

/// What a peer presents itself with: a leaf, the CA that issued it, and the key.
#[derive(Clone, Debug)]
pub struct Credential {
    leaf: Certificate,
    intermediates: Vec<Certificate>,
    key: Arc<KeyPair>,
}

impl Credential {
    pub(crate) fn issue(
        params: &CertificateParams,
        key_type: KeyType,
        authority: &Authority,
    ) -> Result<Self, Error> {
        let key = key_type.generate()?;
        let issuing: &CertifiedIssuer<'static, KeyPair> = authority.issuing();
        let leaf = params.signed_by(&key, issuing)?;
        let intermediate: &Certificate = issuing.as_ref();
        Ok(Self { leaf, intermediates: vec![intermediate.clone()], key: Arc::new(key) })
    }

    /// The leaf.
    #[must_use]
    pub fn leaf_der(&self) -> &CertificateDer<'static> {
        self.leaf.der()
    }

    /// The chain in the order of the handshake: the leaf, then the issuing CA.
    #[must_use]
    pub fn chain(&self) -> Vec<CertificateDer<'static>> {
        self.certificates().map(|certificate| certificate.der().clone()).collect()
    }

    /// The chain as PEM, leaf first.
    #[must_use]
    pub fn chain_pem(&self) -> String {
        self.certificates().map(Certificate::pem).collect()
    }

    /// The private key, PKCS#8.
    #[must_use]
    pub fn key(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key.serialize_der()).into()
    }

    /// The private key as PEM, PKCS#8.
    #[must_use]
    pub fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }

    /// The same certificate from a peer that forgets to send the issuing CA.
    #[must_use]
    pub fn without_intermediates(mut self) -> Self {
        self.intermediates.clear();
        self
    }

    /// The same certificate in the hands of somebody who has another's key only.
    #[must_use]
    pub fn with_key_of(mut self, other: &Self) -> Self {
        self.key = Arc::clone(&other.key);
        self
    }

    /// Writes the chain to `NAME.pem` and the key, readable by its owner alone, to `NAME.key`.
    ///
    /// # Errors
    ///
    /// [`Error::File`] with the file that could not be written.
    pub fn write(&self, directory: &Path, name: &str) -> Result<(), Error> {
        write(&directory.join(format!("{name}.pem")), &self.chain_pem(), 0o644)?;
        write(&directory.join(format!("{name}.key")), &self.key_pem(), 0o600)
    }

    fn certificates(&self) -> impl Iterator<Item = &Certificate> {
        std::iter::once(&self.leaf).chain(&self.intermediates)
    }
}

/// What every leaf has in common: digitalSignature, no CA, both key identifiers.
pub(crate) fn leaf_params(subject: &Subject, validity: Validity) -> Result<CertificateParams, Error> {
    let mut params = CertificateParams::default();
    params.distinguished_name = subject.distinguished_name()?;
    params.not_before = validity.not_before;
    params.not_after = validity.not_after;
    params.is_ca = rcgen::IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

/// The file is made anew, since the mode of one that is already there would stay what it was.
fn write(path: &Path, text: &str, mode: u32) -> Result<(), Error> {
    let written = remove(path).and_then(|()| {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
        file.write_all(text.as_bytes())
    });
    written.map_err(|source| Error::File { path: path.to_owned(), source })
}

fn remove(path: &Path) -> std::io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
