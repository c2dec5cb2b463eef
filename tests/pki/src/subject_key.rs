//! A key before there is a certificate for it.

use rcgen::KeyPair;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::{Error, KeyType};

/// A holder's key pair, for which any number of certificates can be issued.
#[derive(Debug)]
pub struct SubjectKey {
    pair: KeyPair,
}

impl SubjectKey {
    /// Makes one.
    ///
    /// # Errors
    ///
    /// [`Error::Issue`] or [`Error::Generate`] when the machine cannot.
    pub fn generate(key_type: KeyType) -> Result<Self, Error> {
        Ok(Self { pair: key_type.generate()? })
    }

    /// The private key, PKCS#8.
    #[must_use]
    pub fn private_key(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.pair.serialize_der()).into()
    }

    pub(crate) fn into_pair(self) -> KeyPair {
        self.pair
    }

    pub(crate) fn pair(&self) -> &KeyPair {
        &self.pair
    }
}
