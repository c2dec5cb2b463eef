//! Trust anchors as the operator gave them.

use portcullis_identity::{IdentityError, TbsCertificate, Thumbprint, distinguished_name};
use rustls_pki_types::pem::{self, PemObject as _};
use rustls_pki_types::{CertificateDer, TrustAnchor};
use thiserror::Error;
use webpki::anchor_from_trusted_cert;

/// basicConstraints, 2.5.29.19, as content octets.
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 19];

/// A trust anchor's certificate, as messages and records name it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Anchor {
    /// SHA-256 of the certificate that the anchor was taken from.
    pub thumbprint: Thumbprint,
    /// Its subject, as RFC 4514 writes it.
    pub subject: String,
}

/// A set of trust anchors in the order in which they were given, each once.
///
/// An anchor is a name and a key (RFC 5280 section 6.1.1 d): the validity and the signature of the certificate that
/// it was taken from play no part, and two certificates with the same name, key and name constraints are one anchor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Anchors {
    /// What webpki takes; `anchors[i]` describes `trust_anchors[i]`.
    trust_anchors: Vec<TrustAnchor<'static>>,
    anchors: Vec<Anchor>,
}

impl Anchors {
    /// Reads every certificate of a PEM file. Other sections, such as keys, are passed over.
    ///
    /// Trust: the operator's file.
    ///
    /// # Errors
    /// There is no certificate, or one of them cannot be an anchor; the error says which and why. Then none is taken.
    pub fn from_pem(pem: &[u8]) -> Result<Self, AnchorError> {
        let mut anchors = Self::default();
        for (position, certificate) in CertificateDer::pem_slice_iter(pem).enumerate() {
            let ordinal = position + 1;
            let certificate = certificate.map_err(|cause| AnchorError::Pem { ordinal, cause })?;
            anchors.add(&certificate, ordinal)?;
        }
        if anchors.is_empty() { Err(AnchorError::Empty) } else { Ok(anchors) }
    }

    /// Adds the anchors of another set that are not in this one.
    pub fn extend(&mut self, other: Self) {
        for (trust_anchor, anchor) in other.trust_anchors.into_iter().zip(other.anchors) {
            self.push(trust_anchor, anchor);
        }
    }

    /// How many anchors there are.
    pub fn len(&self) -> usize {
        self.anchors.len()
    }

    /// Whether there is none, so that no path can be found.
    pub fn is_empty(&self) -> bool {
        self.anchors.is_empty()
    }

    /// The anchors in order; a [`TrustedPath`](crate::TrustedPath) names one by its position.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Anchor> {
        self.anchors.iter()
    }

    /// The anchors as rustls wants them for the `certificate_authorities` of a `CertificateRequest`.
    pub fn trust_anchors(&self) -> &[TrustAnchor<'static>] {
        &self.trust_anchors
    }

    /// The anchor at a position.
    pub fn get(&self, index: usize) -> Option<&Anchor> {
        self.anchors.get(index)
    }

    fn add(&mut self, certificate: &CertificateDer<'_>, ordinal: usize) -> Result<(), AnchorError> {
        let unreadable = |cause| AnchorError::Unreadable { ordinal, cause };
        let tbs = TbsCertificate::from_der(certificate).map_err(unreadable)?;
        let subject = distinguished_name(tbs.subject).map_err(unreadable)?;
        if !may_issue(&tbs).map_err(unreadable)? {
            return Err(AnchorError::NotCa { ordinal, subject });
        }
        let trust_anchor = anchor_from_trusted_cert(certificate)
            .map_err(|cause| AnchorError::Unusable { ordinal, subject: subject.clone(), cause })?
            .to_owned();
        self.push(trust_anchor, Anchor { thumbprint: Thumbprint::of(certificate), subject });
        Ok(())
    }

    fn push(&mut self, trust_anchor: TrustAnchor<'static>, anchor: Anchor) {
        if !self.trust_anchors.contains(&trust_anchor) {
            self.trust_anchors.push(trust_anchor);
            self.anchors.push(anchor);
        }
    }
}

/// Why a file yields no trust anchors. Whose fault: the operator's. Ordinals count the file's certificates from 1.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AnchorError {
    /// The file has no certificate section.
    #[error("the file has no PEM section CERTIFICATE")]
    Empty,
    /// A section is not PEM.
    #[error("certificate {ordinal} is not well-formed PEM")]
    Pem {
        /// Which certificate of the file.
        ordinal: usize,
        /// What is wrong with it.
        #[source]
        cause: pem::Error,
    },
    /// A certificate is not strict DER, or over a limit.
    #[error("certificate {ordinal} cannot be read")]
    Unreadable {
        /// Which certificate of the file.
        ordinal: usize,
        /// What is wrong with it.
        #[source]
        cause: IdentityError,
    },
    /// A certificate is not of a CA. As an anchor it would let its holder issue certificates that are believed.
    #[error("certificate {ordinal} ({subject}) is not a CA certificate, so it cannot be a trust anchor")]
    NotCa {
        /// Which certificate of the file.
        ordinal: usize,
        /// Its subject, as RFC 4514 writes it.
        subject: String,
    },
    /// webpki cannot take a certificate for an anchor.
    #[error("certificate {ordinal} ({subject}) cannot be used as a trust anchor")]
    Unusable {
        /// Which certificate of the file.
        ordinal: usize,
        /// Its subject, as RFC 4514 writes it.
        subject: String,
        /// What webpki says.
        #[source]
        cause: webpki::Error,
    },
}

/// Whether a certificate may be an anchor: one of version 3 must say `cA TRUE` (RFC 5280 section 4.2.1.9); earlier
/// versions have no way to say it, and old roots are still in use.
fn may_issue(tbs: &TbsCertificate<'_>) -> Result<bool, IdentityError> {
    if tbs.version < 3 {
        return Ok(true);
    }
    for extension in tbs.extensions() {
        let extension = extension?;
        if extension.oid == BASIC_CONSTRAINTS {
            // SEQUENCE { BOOLEAN TRUE, … }; FALSE is the default and has no encoding in DER.
            return Ok(matches!(extension.value, [0x30, _, 0x01, 0x01, 0xff, ..]));
        }
    }
    Ok(false)
}
