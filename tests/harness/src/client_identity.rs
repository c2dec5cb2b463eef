//! How a client presents itself and signs.

use std::sync::Arc;

use rustls::client::ResolvesClientCert;
use rustls::sign::{CertifiedKey, Signer, SigningKey};
use rustls::{SignatureAlgorithm, SignatureScheme};

/// Presents the one identity whatever issuers the server names, as a client does that was configured with a file.
#[derive(Debug)]
pub(crate) struct Presents(pub(crate) Option<Arc<CertifiedKey>>);

impl ResolvesClientCert for Presents {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.0.clone()
    }

    fn has_certs(&self) -> bool {
        self.0.is_some()
    }
}

/// A key that signs in one way only.
#[derive(Debug)]
pub(crate) struct OneScheme {
    pub(crate) key: Arc<dyn SigningKey>,
    pub(crate) scheme: SignatureScheme,
}

impl SigningKey for OneScheme {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        offered.contains(&self.scheme).then(|| self.key.choose_scheme(&[self.scheme]))?
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.key.algorithm()
    }
}
