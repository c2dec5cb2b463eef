//! A CA that somebody else made, read from its files.

use rcgen::{CertificateParams, Issuer, KeyPair, PublicKeyData as _};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use x509_parser::certificate::X509Certificate;
use x509_parser::parse_x509_certificate;

use crate::authority::ca_params;
use crate::{Error, KeyType, Subject, SubjectKey};

/// A CA that issues certificates for holders' keys, and the chain that leads to it.
#[derive(Debug)]
pub struct IssuingCa {
    issuer: Issuer<'static, KeyPair>,
    /// Its own certificate first, then those above it, as far as they were given.
    chain: Vec<CertificateDer<'static>>,
}

impl IssuingCa {
    /// Reads a CA: its certificate, which those above it may follow, and its private key.
    ///
    /// # Errors
    ///
    /// [`Error::Unreadable`] or [`Error::Issue`] when one of the texts cannot be read, [`Error::Issuer`] when the certificate is
    /// of no CA or not of this key.
    pub fn from_pem(certificates: &str, key: &str) -> Result<Self, Error> {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(certificates.as_bytes())
            .collect::<Result<_, _>>()
            .map_err(|error| Error::Unreadable(error.to_string()))?;
        let own = chain.first().ok_or_else(|| Error::Unreadable("no certificate in it".to_owned()))?;
        let key = KeyPair::from_pem(key)?;
        let certificate = parse(own)?;
        if !certificate.is_ca() {
            return Err(Error::Issuer("its certificate is not that of a CA".to_owned()));
        }
        if certificate.public_key().raw != key.subject_public_key_info() {
            return Err(Error::Issuer("its key is not that of its certificate".to_owned()));
        }
        let issuer = Issuer::from_ca_cert_der(own, key)?;
        Ok(Self { issuer, chain })
    }

    /// The CA's certificate, then those above it that were given.
    #[must_use]
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    /// Those of the chain that are not self-signed: a root is the server's to know (RFC 8446, section 4.4.2).
    ///
    /// # Errors
    ///
    /// [`Error::Unreadable`] when a certificate above the CA's own cannot be read.
    pub fn intermediates(&self) -> Result<&[CertificateDer<'static>], Error> {
        for (index, certificate) in self.chain.iter().enumerate() {
            let certificate = parse(certificate)?;
            if certificate.subject().as_raw() == certificate.issuer().as_raw() {
                return Ok(&self.chain[..index]);
            }
        }
        Ok(&self.chain)
    }

    /// Has this CA certify another below it, on P-256, which issues under this subject and may have `below` CAs below itself.
    ///
    /// # Errors
    ///
    /// [`Error::Issuer`] when a pathLenConstraint does not allow it, [`Error::Issue`] when the name cannot be encoded.
    pub fn intermediate(&self, subject: &Subject, below: u8) -> Result<Self, Error> {
        let constraint = parse(&self.chain[0])?
            .basic_constraints()
            .map_err(|error| Error::Unreadable(error.to_string()))?
            .and_then(|extension| extension.value.path_len_constraint);
        let wanted = u32::from(below) + 1;
        if let Some(allowed) = constraint.filter(|allowed| *allowed < wanted) {
            let reason = format!("its pathLenConstraint allows {allowed} CAs below it, not {wanted}");
            return Err(Error::Issuer(reason));
        }
        let key = SubjectKey::generate(KeyType::P256)?;
        let params = ca_params(subject, below)?;
        let certificate = self.sign(&params, &key)?;
        let chain = std::iter::once(certificate).chain(self.chain.iter().cloned()).collect();
        Ok(Self { issuer: Issuer::new(params, key.into_pair()), chain })
    }

    pub(crate) fn key(&self) -> &KeyPair {
        self.issuer.key()
    }

    /// Signs, and sees to it that the certificate names this CA as its own certificate does: the name has been decoded and
    /// encoded again on its way.
    pub(crate) fn sign(
        &self,
        params: &CertificateParams,
        key: &SubjectKey,
    ) -> Result<CertificateDer<'static>, Error> {
        let certificate = params.signed_by(key.pair(), &self.issuer)?.der().clone();
        if parse(&certificate)?.issuer().as_raw() != parse(&self.chain[0])?.subject().as_raw() {
            return Err(Error::Issuer("its name is encoded in a way that cannot be repeated".to_owned()));
        }
        Ok(certificate)
    }
}

fn parse<'a>(der: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, Error> {
    let unreadable = |error: x509_parser::nom::Err<_>| Error::Unreadable(format!("{error}"));
    parse_x509_certificate(der).map(|(_, certificate)| certificate).map_err(unreadable)
}
