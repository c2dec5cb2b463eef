//! The certificates of the gate itself.

use rcgen::{CertificateParams, ExtendedKeyUsagePurpose};

use crate::credential::leaf_params;
use crate::{Authority, Credential, Error, KeyType, Subject, Validity};

/// A server certificate to be; [`issue`](Self::issue) makes it.
#[derive(Clone, Debug)]
pub struct ServerCertificate {
    names: Vec<String>,
    key_type: KeyType,
    validity: Validity,
}

impl ServerCertificate {
    /// For these names: DNS names, with or without a wildcard, and IP addresses. The first is the common name too.
    #[must_use]
    pub fn new<N: Into<String>>(names: impl IntoIterator<Item = N>) -> Self {
        Self {
            names: names.into_iter().map(Into::into).collect(),
            key_type: KeyType::default(),
            validity: Validity::days(365),
        }
    }

    /// For a key of another kind than P-256.
    #[must_use]
    pub fn key_type(mut self, key_type: KeyType) -> Self {
        self.key_type = key_type;
        self
    }

    /// Valid for another time than a year from now.
    #[must_use]
    pub fn validity(mut self, validity: Validity) -> Self {
        self.validity = validity;
        self
    }

    /// Makes the key and has the authority sign.
    ///
    /// # Errors
    ///
    /// [`Error::Issue`] when a name cannot stand in a certificate.
    pub fn issue(self, authority: &Authority) -> Result<Credential, Error> {
        let mut subject = Subject::new("Musterbank AG");
        if let Some(name) = self.names.first() {
            subject = subject.common_name(name);
        }
        let mut params = leaf_params(&subject, self.validity)?;
        params.subject_alt_names = CertificateParams::new(self.names)?.subject_alt_names;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        Credential::issue(&params, self.key_type, authority)
    }
}
