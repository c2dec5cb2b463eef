//! Trust anchors, as the operator gave them or as trusted lists name them.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use portcullis_identity::{IdentityError, TbsCertificate, Thumbprint, distinguished_name};
use rustls_pki_types::pem::{self, PemObject as _};
use rustls_pki_types::{CertificateDer, TrustAnchor};
use thiserror::Error;
use webpki::anchor_from_trusted_cert;

use crate::bearing::digest_of;
use crate::listing::ListedService;
use crate::status::Issuer;

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
    /// The services whose CA it is, as trusted lists say.
    pub services: Vec<Arc<ListedService>>,
    /// Whether the operator gave it. Such an anchor is believed whatever lists say of it.
    pub is_by_hand: bool,
    /// The CA that it is, as those refer to it who tell of its certificates.
    pub issuer: Issuer,
    /// All of it that a verdict may rest on, as a digest.
    pub(crate) digest: [u8; 32],
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
    /// The positions of the anchors with a subject, by its content octets.
    by_subject: HashMap<Vec<u8>, Vec<usize>>,
    /// Whether trusted lists name any of them.
    has_lists: bool,
}

/// The anchors that a path could end at.
pub(crate) struct Candidates<'a> {
    pub(crate) trust_anchors: Cow<'a, [TrustAnchor<'a>]>,
    /// Where they are among all; empty if these are all.
    positions: Vec<usize>,
}

impl Candidates<'_> {
    /// The position among all of the one that `anchor` refers to. webpki gives back a reference into the slice it was given.
    pub(crate) fn position(&self, anchor: &TrustAnchor<'_>) -> Option<usize> {
        let index = self.trust_anchors.iter().position(|candidate| std::ptr::eq(candidate, anchor))?;
        if self.positions.is_empty() { Some(index) } else { self.positions.get(index).copied() }
    }
}

/// Up to this many anchors all are candidates: to look for the right ones would cost more than to pass over the others.
const ALL_ARE_CANDIDATES: usize = 8;

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
            let (trust_anchor, anchor) = read(&certificate, ordinal)?;
            anchors.push(trust_anchor, anchor);
        }
        if anchors.is_empty() { Err(AnchorError::Empty) } else { Ok(anchors) }
    }

    /// The CAs of services on trusted lists. A certificate that cannot be an anchor is passed over, and said to be.
    pub fn from_services(services: impl IntoIterator<Item = Arc<ListedService>>) -> (Self, Vec<AnchorError>) {
        let (mut anchors, mut passed_over) = (Self::default(), Vec::new());
        for listed in services {
            for (position, certificate) in listed.service.certificates.iter().enumerate() {
                match read(certificate, position + 1) {
                    Ok((trust_anchor, mut anchor)) => {
                        anchor.services.push(Arc::clone(&listed));
                        anchor.is_by_hand = false;
                        anchors.push(trust_anchor, anchor);
                    }
                    Err(error) => passed_over.push(error),
                }
            }
        }
        (anchors, passed_over)
    }

    /// The anchors with that subject, as content octets.
    pub(crate) fn of_subject(&self, subject: &[u8]) -> impl Iterator<Item = &Anchor> {
        let positions = self.by_subject.get(subject);
        positions.into_iter().flatten().filter_map(|position| self.get(*position))
    }

    /// Adds the anchors of another set. What is in both is one anchor, with all that is known of it.
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

    /// Whether trusted lists name any of them.
    pub(crate) const fn has_lists(&self) -> bool {
        self.has_lists
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

    /// The anchors whose names are those of the issuers of `certificates`. One that cannot be read has no issuer.
    pub(crate) fn candidates<'a>(
        &'a self,
        certificates: impl Iterator<Item = &'a CertificateDer<'a>>,
    ) -> Candidates<'a> {
        if self.len() <= ALL_ARE_CANDIDATES {
            return Candidates { trust_anchors: Cow::Borrowed(&self.trust_anchors), positions: Vec::new() };
        }
        let mut positions: Vec<usize> = certificates
            .filter_map(|certificate| TbsCertificate::from_der(certificate).ok())
            .filter_map(|tbs| self.by_subject.get(tbs.issuer))
            .flatten()
            .copied()
            .collect();
        positions.sort_unstable();
        positions.dedup();
        let trust_anchors =
            positions.iter().filter_map(|position| self.trust_anchors.get(*position)).map(borrowed).collect();
        Candidates { trust_anchors, positions }
    }

    /// The anchor with the name and key of a certificate.
    pub(crate) fn like(&self, certificate: &TbsCertificate<'_>) -> Option<&Anchor> {
        let positions = self.by_subject.get(certificate.subject)?;
        let has_key = |position: &&usize| {
            let anchor = self.trust_anchors.get(**position);
            // An anchor has the content of the key's SEQUENCE.
            anchor.is_some_and(|anchor| {
                certificate.subject_public_key_info.ends_with(&anchor.subject_public_key_info)
            })
        };
        positions.iter().find(has_key).and_then(|position| self.get(*position))
    }

    fn push(&mut self, trust_anchor: TrustAnchor<'static>, anchor: Anchor) {
        self.has_lists |= !anchor.services.is_empty();
        let positions = self.by_subject.entry(trust_anchor.subject.to_vec()).or_default();
        let known = positions
            .iter()
            .copied()
            .find(|position| self.trust_anchors.get(*position) == Some(&trust_anchor));
        match known.and_then(|position| self.anchors.get_mut(position)) {
            Some(known) => {
                known.is_by_hand |= anchor.is_by_hand;
                known.services.extend(anchor.services);
                known.digest = digest_of(&trust_anchor, known);
            }
            None => {
                let digest = digest_of(&trust_anchor, &anchor);
                let anchor = Anchor { digest, ..anchor };
                positions.push(self.trust_anchors.len());
                self.trust_anchors.push(trust_anchor);
                self.anchors.push(anchor);
            }
        }
    }
}

/// The anchor that a certificate makes.
fn read(
    certificate: &CertificateDer<'_>,
    ordinal: usize,
) -> Result<(TrustAnchor<'static>, Anchor), AnchorError> {
    let unreadable = |cause| AnchorError::Unreadable { ordinal, cause };
    let tbs = TbsCertificate::from_der(certificate).map_err(unreadable)?;
    let subject = distinguished_name(tbs.subject).map_err(unreadable)?;
    if !may_issue(&tbs).map_err(unreadable)? {
        return Err(AnchorError::NotCa { ordinal, subject });
    }
    let trust_anchor = anchor_from_trusted_cert(certificate)
        .map_err(|cause| AnchorError::Unusable { ordinal, subject: subject.clone(), cause })?
        .to_owned();
    let thumbprint = Thumbprint::of(certificate);
    let issuer = Issuer::of_certificate(&tbs).map_err(unreadable)?;
    let digest = [0; 32];
    Ok((trust_anchor, Anchor { thumbprint, subject, services: Vec::new(), is_by_hand: true, issuer, digest }))
}

/// The same anchor, without a copy of its octets.
fn borrowed<'a>(anchor: &'a TrustAnchor<'static>) -> TrustAnchor<'a> {
    TrustAnchor {
        subject: anchor.subject.as_ref().into(),
        subject_public_key_info: anchor.subject_public_key_info.as_ref().into(),
        name_constraints: anchor.name_constraints.as_ref().map(|constraints| constraints.as_ref().into()),
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
