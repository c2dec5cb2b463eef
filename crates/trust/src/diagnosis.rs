//! From webpki's error to a [`PathError`] with evidence. It runs only when a path was refused.

use portcullis_identity::{ExtendedKeyUsage, TbsCertificate, Validity, distinguished_name, oid};
use rustls_pki_types::{CertificateDer, UnixTime};
use webpki::Error;

use crate::anchors::Anchors;
use crate::eku::EkuRule;
use crate::path_error::{PathError, Presented};

/// extKeyUsage, 2.5.29.37, as content octets.
const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 37];
const SERVER_AUTH: &str = "1.3.6.1.5.5.7.3.1";
const CLIENT_AUTH: &str = "1.3.6.1.5.5.7.3.2";

/// The extensions that webpki 0.103 processes, by the last octet of 2.5.29.x, and so accepts as critical: keyUsage,
/// subjectAltName, basicConstraints, nameConstraints, cRLDistributionPoints, extKeyUsage.
const PROCESSED_ID_CE: [u8; 6] = [15, 17, 19, 30, 31, 37];
/// The list of signed certificate timestamps, 1.3.6.1.4.1.11129.2.4.2, the one other extension that webpki reads.
const SCT_LIST: &[u8] = &[0x2b, 6, 1, 4, 1, 0xd6, 0x79, 2, 4, 2];

/// What was presented and judged, to look the evidence up in.
#[derive(Clone, Copy)]
pub(crate) struct Diagnosis<'a> {
    pub(crate) anchors: &'a Anchors,
    pub(crate) leaf: &'a CertificateDer<'a>,
    pub(crate) intermediates: &'a [CertificateDer<'a>],
    pub(crate) eku: EkuRule,
}

impl<'a> Diagnosis<'a> {
    pub(crate) fn explain(&self, error: Error) -> PathError {
        match error {
            Error::CertExpired { time, not_after } => self.expired(seconds(time), seconds(not_after)),
            Error::CertNotValidYet { time, not_before } => {
                self.not_yet_valid(seconds(time), seconds(not_before))
            }
            Error::InvalidCertValidity => PathError::InvalidValidity,
            Error::UnknownIssuer => self.unknown_issuer(),
            Error::InvalidSignatureForPublicKey => PathError::BadSignature,
            Error::SignatureAlgorithmMismatch => PathError::AlgorithmMismatch,
            Error::RequiredEkuNotFoundContext(_) | Error::EmptyEkuExtension => self.unusable_eku(),
            Error::UnsupportedCriticalExtension => self.critical_extension(),
            Error::UnsupportedSignatureAlgorithmContext(_)
            | Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => PathError::UnsupportedAlgorithm,
            Error::UnsupportedCertVersion => PathError::UnsupportedVersion,
            Error::CaUsedAsEndEntity => PathError::CaAsLeaf,
            Error::EndEntityUsedAsCa => PathError::IssuerNotCa,
            Error::PathLenConstraintViolated => PathError::LengthConstraint,
            Error::NameConstraintViolation => PathError::NameConstraint,
            Error::MaximumPathDepthExceeded => PathError::TooLong,
            Error::MaximumSignatureChecksExceeded
            | Error::MaximumPathBuildCallsExceeded
            | Error::MaximumNameConstraintComparisonsExceeded => PathError::TooComplex,
            Error::CertDistrusted => PathError::Distrusted,
            malformed @ (Error::BadDer
            | Error::BadDerTime
            | Error::ExtensionValueInvalid
            | Error::MalformedExtensions
            | Error::MalformedNameConstraint
            | Error::MalformedDnsIdentifier
            | Error::InvalidSerialNumber
            | Error::TrailingData(_)) => PathError::Malformed { detail: malformed.to_string() },
            cause => PathError::Unverifiable { cause },
        }
    }

    fn expired(&self, now: i64, not_after: i64) -> PathError {
        let certificate =
            self.find(|tbs| validity(tbs).is_some_and(|validity| validity.not_after == not_after));
        PathError::Expired { certificate: certificate.unwrap_or(Presented(0)), not_after, now }
    }

    fn not_yet_valid(&self, now: i64, not_before: i64) -> PathError {
        let certificate =
            self.find(|tbs| validity(tbs).is_some_and(|validity| validity.not_before == not_before));
        PathError::NotYetValid { certificate: certificate.unwrap_or(Presented(0)), not_before, now }
    }

    fn unusable_eku(&self) -> PathError {
        let (required, accepted): (_, &[&str]) = match self.eku {
            // Under `Any` webpki asks for nothing but a list that can be read.
            EkuRule::ClientAuth | EkuRule::Any => ("clientAuth (1.3.6.1.5.5.7.3.2)", &[CLIENT_AUTH]),
            EkuRule::AnyTls => (
                "clientAuth or serverAuth (1.3.6.1.5.5.7.3.2, 1.3.6.1.5.5.7.3.1)",
                &[CLIENT_AUTH, SERVER_AUTH],
            ),
        };
        let usable = |present: &[String]| present.iter().any(|purpose| accepted.contains(&purpose.as_str()));
        let certificate = self.find(|tbs| key_purposes(tbs).is_some_and(|present| !usable(&present)));
        let certificate = certificate.unwrap_or(Presented(0));
        let present = self.tbs(certificate).and_then(|tbs| key_purposes(&tbs)).unwrap_or_default();
        PathError::UnusableEku { certificate, required, present }
    }

    fn critical_extension(&self) -> PathError {
        let certificate = self.find(|tbs| unprocessed_critical(tbs).is_some()).unwrap_or(Presented(0));
        let oid = self.tbs(certificate).and_then(|tbs| unprocessed_critical(&tbs));
        PathError::CriticalExtension { certificate, oid: oid.unwrap_or_else(|| "unknown".to_owned()) }
    }

    /// Follows issuer names upwards through what was presented, to the name at which the chain ends. The loop takes
    /// at most one step for each intermediate, whatever circles the names form.
    fn unknown_issuer(&self) -> PathError {
        let mut issuer = self.tbs(Presented(0)).map_or(&[][..], |tbs| tbs.issuer);
        for _ in self.intermediates {
            let above = self.chain().skip(1).find(|tbs| tbs.subject == issuer && tbs.issuer != issuer);
            let Some(above) = above else { break };
            issuer = above.issuer;
        }
        PathError::UnknownIssuer {
            issuer: distinguished_name(issuer).unwrap_or_else(|_| "a name that cannot be read".to_owned()),
            presented: self.intermediates.len(),
            anchors: self.anchors.len(),
        }
    }

    /// The first certificate presented of which something holds.
    fn find(&self, holds: impl Fn(&TbsCertificate<'_>) -> bool) -> Option<Presented> {
        (0..=self.intermediates.len())
            .map(Presented)
            .find(|presented| self.tbs(*presented).is_some_and(|tbs| holds(&tbs)))
    }

    fn chain(&self) -> impl Iterator<Item = TbsCertificate<'a>> {
        let presented = std::iter::once(self.leaf).chain(self.intermediates);
        presented.filter_map(|certificate| TbsCertificate::from_der(certificate).ok())
    }

    fn tbs(&self, Presented(position): Presented) -> Option<TbsCertificate<'a>> {
        let certificate = match position.checked_sub(1) {
            None => self.leaf,
            Some(intermediate) => self.intermediates.get(intermediate)?,
        };
        TbsCertificate::from_der(certificate).ok()
    }
}

fn seconds(time: UnixTime) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX)
}

fn validity(tbs: &TbsCertificate<'_>) -> Option<Validity> {
    tbs.validity().ok()
}

/// The certificate's key purposes; `None` without the extension, empty if it cannot be read.
fn key_purposes(tbs: &TbsCertificate<'_>) -> Option<Vec<String>> {
    let extension = tbs.extensions().flatten().find(|extension| extension.oid == EXTENDED_KEY_USAGE)?;
    let usage = ExtendedKeyUsage::from_der(extension.value).unwrap_or_default();
    Some(usage.purposes().iter().map(oid::dotted).collect())
}

fn unprocessed_critical(tbs: &TbsCertificate<'_>) -> Option<String> {
    let mut critical = tbs.extensions().flatten().filter(|extension| extension.critical);
    critical.find(|extension| !is_processed(extension.oid)).map(|extension| extension.dotted_oid())
}

/// Whether an extension, by the content octets of its identifier, is processed when a path is built, so that it may be
/// critical (RFC 5280 section 4.2).
pub fn is_processed(oid: &[u8]) -> bool {
    match oid {
        [0x55, 0x1d, last] => PROCESSED_ID_CE.contains(last),
        other => other == SCT_LIST,
    }
}
