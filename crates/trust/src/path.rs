//! From a client's certificate to a trust anchor.

use std::borrow::Cow;
use std::cell::RefCell;

use portcullis_identity::{MAX_CERTIFICATE_BYTES, TbsCertificate, Thumbprint, Validity, distinguished_name};
use rustls_pki_types::{CertificateDer, UnixTime};
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, Error, VerifiedPath};

use crate::anchors::{Anchor, Anchors};
use crate::diagnosis::Diagnosis;
use crate::eku::EkuRule;
use crate::listing::{Listing, Question};
use crate::path_error::PathError;
use crate::status::Issuer;

/// Intermediates that a client may present. webpki goes six deep; chains seen have one to three, and some clients add
/// the root or a cross-certificate. With more, the path is refused before any signature is checked: every
/// intermediate more is a branch for the search.
pub const MAX_INTERMEDIATES: usize = 8;

/// Bytes of leaf and intermediates together. rustls takes no certificate message over 64 KiB; callers that do not
/// come from rustls get the same bound. Over it the path is refused unread.
pub const MAX_CHAIN_BYTES: usize = 0x1_0000;

/// Intermediates up to which all are searched as they came: two at their worst, both under an anchor's name, cost five
/// signatures for each anchor of that name. Most chains have no more, and so pay nothing for what follows.
const SEARCHED_UNSEEN_MAX: usize = 2;

/// Intermediates of one subject in a larger chain: a CA and its cross-certificate. Each more is a factor at its level
/// of the search; eight of one name exhausted webpki's hundred signatures, some 8 ms for a client that nobody knows.
pub const MAX_INTERMEDIATES_PER_SUBJECT: usize = 2;

/// A path that was verified up to a trust anchor. Only this crate makes one.
///
/// It says nothing about possession of the key, nor about revocation. It holds for the [`Anchors`] it was found
/// with, the [`EkuRule`], the chain as presented, and until [`not_after`](Self::not_after).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedPath {
    anchor_index: usize,
    anchor: Thumbprint,
    intermediates: usize,
    not_after: i64,
    issuer: Issuer,
    listing: Option<Box<Listing>>,
}

impl TrustedPath {
    /// The position of the anchor in the [`Anchors`] that the path was found with.
    pub const fn anchor_index(&self) -> usize {
        self.anchor_index
    }

    /// SHA-256 of the certificate that the anchor was taken from; it means the same in any set of anchors.
    pub const fn anchor(&self) -> Thumbprint {
        self.anchor
    }

    /// How many intermediates lie between leaf and anchor.
    pub const fn intermediates(&self) -> usize {
        self.intermediates
    }

    /// The CA that issued the leaf.
    pub const fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// Why the CA is believed, if a trusted list says so and not the operator.
    pub fn listing(&self) -> Option<&Listing> {
        self.listing.as_deref()
    }

    /// The last second, Unix time, at which every certificate of the path is still valid, and the trusted list serves that
    /// it rests on. The anchor's certificate is not among them: an anchor is a name and a key.
    pub const fn not_after(&self) -> i64 {
        self.not_after
    }
}

/// A path that is verified but for the caller's consent.
#[non_exhaustive]
pub struct CandidatePath<'a> {
    /// The position of its anchor.
    pub anchor_index: usize,
    /// Its anchor.
    pub anchor: &'a Anchor,
    /// The certificates of the path as webpki found them.
    pub path: &'a VerifiedPath<'a>,
}

/// Why a caller does not want a path that is otherwise verified, such as a withdrawn service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Objection {
    /// The stable code of the refusal, if no other path is found.
    pub code: &'static str,
    /// One sentence for the engineer whose certificate is refused.
    pub message: String,
}

impl Anchors {
    /// Finds and verifies a path from `leaf` to one of the anchors at `now`.
    ///
    /// `intermediates` may come in any order and with certificates too many. Of more than two, those that are
    /// self-issued, or that cannot be read, are passed over: a root that is presented adds nothing to the anchor, and
    /// who changes a CA's key by a self-issued certificate must send it in a chain of two. Signatures: every algorithm that webpki
    /// supports with aws-lc-rs (RSA from 2048 bits, ECDSA on P-256, P-384 and P-521, Ed25519, ML-DSA), never SHA-1.
    ///
    /// Trust: leaf and intermediates are hostile; webpki bounds the search at 100 signatures.
    ///
    /// # Errors
    /// No path was found. Of several reasons the one that webpki ranks highest is given: a certificate out of its
    /// validity before a bad signature, that before a wrong usage, and all before an unknown issuer.
    pub fn verify_path(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        eku: EkuRule,
        now: UnixTime,
    ) -> Result<TrustedPath, PathError> {
        self.verify_path_where(leaf, intermediates, eku, now, |_| Ok(()))
    }

    /// As [`verify_path`](Self::verify_path), but goes on searching where `accept` objects to a verified path, so
    /// that a path through an unwanted anchor does not hide a good one.
    ///
    /// # Errors
    /// As `verify_path`. If there was a verified path and `accept` objected to each, the last objection is given.
    pub fn verify_path_where(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        eku: EkuRule,
        now: UnixTime,
        accept: impl Fn(&CandidatePath<'_>) -> Result<(), Objection>,
    ) -> Result<TrustedPath, PathError> {
        check_size(leaf, intermediates)?;
        let searched = searched(intermediates)?;
        let candidates = self.candidates(std::iter::once(leaf).chain(searched.iter()));
        let diagnosis = Diagnosis { anchors: self, leaf, intermediates, eku };
        let end_entity = EndEntityCert::try_from(leaf).map_err(|error| diagnosis.explain(error))?;
        let question =
            Question { leaf, usage: eku.into(), now: i64::try_from(now.as_secs()).unwrap_or(i64::MAX) };
        let (objection, listing) = (RefCell::new(None), RefCell::new(None));
        let consent = |path: &VerifiedPath<'_>| {
            let Some(anchor_index) = candidates.position(path.anchor()) else {
                return Err(Error::UnknownIssuer);
            };
            let Some(anchor) = self.get(anchor_index) else { return Err(Error::UnknownIssuer) };
            let listed = self.ask_lists(&question, anchor, path);
            let accepted = listed.and_then(|listing| {
                accept(&CandidatePath { anchor_index, anchor, path })?;
                Ok(listing)
            });
            accepted.map(|accepted| drop(listing.replace(accepted))).map_err(|reason| {
                objection.replace(Some(reason));
                Error::UnknownIssuer
            })
        };
        let found = end_entity.verify_for_usage(
            ALL_VERIFICATION_ALGS,
            &candidates.trust_anchors,
            &searched,
            now,
            eku,
            None,
            Some(&consent),
        );
        match (found, objection.take()) {
            (Ok(path), _) => {
                let anchor_index = candidates.position(path.anchor());
                let anchor_index =
                    anchor_index.ok_or(PathError::Unverifiable { cause: Error::UnknownIssuer })?;
                self.trusted(leaf, &path, anchor_index, listing.take())
            }
            (Err(_), Some(objection)) => Err(PathError::Unwanted(objection)),
            (Err(error), None) => Err(diagnosis.explain(error)),
        }
    }

    /// What lists say of the CA that is nearest to the leaf of those that they name; `None` if the operator answers for it.
    /// A CA further up does not make good what is said of one below it.
    fn ask_lists(
        &self,
        question: &Question<'_>,
        anchor: &Anchor,
        path: &VerifiedPath<'_>,
    ) -> Result<Option<Listing>, Objection> {
        if !self.has_lists() {
            return Ok(None);
        }
        let below = path.intermediate_certificates().find_map(|certificate| {
            let der = certificate.der();
            TbsCertificate::from_der(&der).ok().and_then(|tbs| self.like(&tbs))
        });
        let nearest = below.unwrap_or(anchor);
        if nearest.is_by_hand { Ok(None) } else { question.ask(&nearest.services).map(Some) }
    }

    fn trusted(
        &self,
        leaf: &CertificateDer<'_>,
        path: &VerifiedPath<'_>,
        anchor_index: usize,
        listing: Option<Listing>,
    ) -> Result<TrustedPath, PathError> {
        let unknown = PathError::Unverifiable { cause: Error::UnknownIssuer };
        let anchor = self.get(anchor_index).ok_or(unknown)?;
        let mut not_after = Validity::of_certificate(leaf).map_err(PathError::malformed)?.not_after;
        let (mut intermediates, mut issuer) = (0, None);
        for certificate in path.intermediate_certificates() {
            let der = certificate.der();
            let tbs = TbsCertificate::from_der(&der).map_err(PathError::malformed)?;
            not_after = not_after.min(tbs.validity().map_err(PathError::malformed)?.not_after);
            if issuer.is_none() {
                issuer = Some(Issuer::of_certificate(&tbs).map_err(PathError::malformed)?);
            }
            intermediates += 1;
        }
        if let Some(until) = listing.as_ref().and_then(|listing| listing.serves_until) {
            not_after = not_after.min(until);
        }
        Ok(TrustedPath {
            anchor_index,
            anchor: anchor.thumbprint,
            intermediates,
            not_after,
            issuer: issuer.unwrap_or_else(|| anchor.issuer.clone()),
            listing: listing.map(Box::new),
        })
    }
}

fn check_size(leaf: &CertificateDer<'_>, intermediates: &[CertificateDer<'_>]) -> Result<(), PathError> {
    if intermediates.len() > MAX_INTERMEDIATES {
        return Err(PathError::TooManyCertificates {
            presented: intermediates.len(),
            limit: MAX_INTERMEDIATES,
        });
    }
    let lengths = || std::iter::once(leaf).chain(intermediates).map(|certificate| certificate.len());
    let (largest, total) =
        lengths().fold((0, 0), |(max, sum): (usize, usize), len| (max.max(len), sum + len));
    if largest > MAX_CERTIFICATE_BYTES {
        return Err(PathError::TooLarge { bytes: largest, limit: MAX_CERTIFICATE_BYTES });
    }
    if total > MAX_CHAIN_BYTES {
        return Err(PathError::TooLarge { bytes: total, limit: MAX_CHAIN_BYTES });
    }
    Ok(())
}

/// What of `intermediates` webpki is given to search.
///
/// webpki tries every order in which names fit together, at a signature for each that arrives at an anchor's name.
/// Self-issued certificates fit in every order, and can all be made by who wants the search to be long.
fn searched<'c>(intermediates: &'c [CertificateDer<'_>]) -> Result<Cow<'c, [CertificateDer<'c>]>, PathError> {
    if intermediates.len() <= SEARCHED_UNSEEN_MAX {
        return Ok(Cow::Borrowed(intermediates));
    }
    // What cannot be read here could be in no path either: `trusted` reads the validity of each.
    let issued_by_another = |der: &'c CertificateDer<'_>| {
        let tbs = TbsCertificate::from_der(der).ok()?;
        (tbs.subject != tbs.issuer).then(|| (tbs.subject, CertificateDer::from(&**der)))
    };
    let kept: Vec<_> = intermediates.iter().filter_map(issued_by_another).collect();
    for (subject, _) in &kept {
        let presented = kept.iter().filter(|(other, _)| other == subject).count();
        if presented > MAX_INTERMEDIATES_PER_SUBJECT {
            let subject = distinguished_name(subject);
            return Err(PathError::RepeatedSubject {
                subject: subject.unwrap_or_else(|_| "a name that cannot be read".to_owned()),
                presented,
                limit: MAX_INTERMEDIATES_PER_SUBJECT,
            });
        }
    }
    Ok(Cow::Owned(kept.into_iter().map(|(_, der)| der).collect()))
}
