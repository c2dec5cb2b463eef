//! Certification authorities: a root and the CA under it that issues.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, KeyUsagePurpose};
use rustls_pki_types::CertificateDer;
use time::Duration;

use crate::{Error, KeyType, Subject, Validity, extension, oid};

/// A trust service provider: a self-signed root and an issuing CA below it, both on P-256. Two of the same name share nothing,
/// neither keys nor trust.
#[derive(Debug)]
pub struct Authority {
    root: CertifiedIssuer<'static, KeyPair>,
    issuing: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    /// The qualified trust service provider that the gate is told to trust.
    ///
    /// # Errors
    ///
    /// As [`Authority::named`].
    pub fn qtsp() -> Result<Self, Error> {
        let subject = Subject::new("Falkenberg Vertrauensdienste GmbH");
        Self::named(&subject.organization_identifier("NTRDE-HRB118302"))
    }

    /// A provider that issues just the same certificates and that nobody told the gate of.
    ///
    /// # Errors
    ///
    /// As [`Authority::named`].
    pub fn foreign() -> Result<Self, Error> {
        let mut subject = Subject::new("Services de Confiance Valmont SAS");
        "FR".clone_into(&mut subject.country);
        Self::named(&subject.organization_identifier("NTRFR-552100554"))
    }

    /// The bank's own authority, for the certificates of its servers.
    ///
    /// # Errors
    ///
    /// As [`Authority::named`].
    pub fn bank() -> Result<Self, Error> {
        Self::named(&Subject::new("Musterbank AG").organization_identifier("NTRDE-HRB40211"))
    }

    /// A provider whose issuing CA has certificatePolicies marked critical, which some of the trusted lists have.
    ///
    /// # Errors
    ///
    /// As [`Authority::named`].
    pub fn critical_policies() -> Result<Self, Error> {
        let subject = Subject::new("Morgenrot Zertifikate AG").organization_identifier("NTRDE-HRB77103");
        Self::issuing_by(&subject, |issuing| {
            let mut policies = extension::certificate_policies(&[oid::POLICY_QCP_WEB.to_vec()]);
            policies.set_criticality(true);
            issuing.custom_extensions.push(policies);
        })
    }

    /// An authority of this name; both certificates carry it, each with a common name of its own.
    ///
    /// # Errors
    ///
    /// [`Error::Issue`] when the name cannot be encoded or a key not made.
    pub fn named(subject: &Subject) -> Result<Self, Error> {
        Self::issuing_by(subject, |_| ())
    }

    fn issuing_by(subject: &Subject, change: impl FnOnce(&mut CertificateParams)) -> Result<Self, Error> {
        let root_name = format!("{} Root CA 1", subject.organization);
        let issuing_name = format!("{} Issuing CA 3", subject.organization);
        let root = CertifiedIssuer::self_signed(
            ca_params(&subject.clone().common_name(&root_name), 1)?,
            KeyType::P256.generate()?,
        )?;
        let mut issuing = ca_params(&subject.clone().common_name(&issuing_name), 0)?;
        change(&mut issuing);
        let issuing = CertifiedIssuer::signed_by(issuing, KeyType::P256.generate()?, &root)?;
        Ok(Self { root, issuing })
    }

    /// The root certificate, which a trust store holds.
    #[must_use]
    pub fn root_der(&self) -> &CertificateDer<'static> {
        self.root.der()
    }

    /// The root certificate as PEM.
    #[must_use]
    pub fn root_pem(&self) -> String {
        self.root.pem()
    }

    /// The certificate of the CA that signs leaves.
    #[must_use]
    pub fn issuing_der(&self) -> &CertificateDer<'static> {
        self.issuing.der()
    }

    /// The issuing CA's certificate as PEM.
    #[must_use]
    pub fn issuing_pem(&self) -> String {
        self.issuing.pem()
    }

    /// The issuing CA's private key as PEM, PKCS#8.
    #[must_use]
    pub fn issuing_key_pem(&self) -> String {
        self.issuing.key().serialize_pem()
    }

    pub(crate) fn root(&self) -> &CertifiedIssuer<'static, KeyPair> {
        &self.root
    }

    pub(crate) fn issuing(&self) -> &CertifiedIssuer<'static, KeyPair> {
        &self.issuing
    }
}

pub(crate) fn ca_params(subject: &Subject, path_len: u8) -> Result<CertificateParams, Error> {
    // Older than any leaf that a test dates back, and far from its end.
    let validity =
        Validity { not_before: Validity::days(0).not_before - Duration::days(800), ..Validity::days(3650) };
    let mut params = CertificateParams::default();
    params.distinguished_name = subject.distinguished_name()?;
    params.not_before = validity.not_before;
    params.not_after = validity.not_after;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(path_len));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}
