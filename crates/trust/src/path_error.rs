//! Why no path was found.

use std::fmt;

use portcullis_identity::IdentityError;
use thiserror::Error;

use crate::path::Objection;

/// A certificate of the chain as the client presented it: 0 is its own, 1 the first intermediate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Presented(pub usize);

impl fmt::Display for Presented {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.write_str("the client certificate"),
            ordinal => write!(f, "intermediate {ordinal} of the chain presented"),
        }
    }
}

/// Why a client's certificate has no path to a trust anchor. Whose fault: the client's, unless the operator's
/// anchors are not the ones meant. Times are seconds of Unix time. Source: RFC 5280 section 6.1.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PathError {
    /// A certificate's notAfter has passed.
    #[error("{certificate} expired {} s ago (notAfter {not_after}, now {now}, Unix time); renew it", now - not_after)]
    Expired {
        /// Which certificate.
        certificate: Presented,
        /// Its last second of validity.
        not_after: i64,
        /// The time it was judged for.
        now: i64,
    },
    /// A certificate's notBefore is to come.
    #[error("{certificate} is valid only in {} s (notBefore {not_before}, now {now}, Unix time)", not_before - now)]
    NotYetValid {
        /// Which certificate.
        certificate: Presented,
        /// Its first second of validity.
        not_before: i64,
        /// The time it was judged for.
        now: i64,
    },
    /// A certificate's notAfter lies before its notBefore.
    #[error("a certificate of the chain has a validity that ends before it begins")]
    InvalidValidity,
    /// The chain ends at an issuer that is no anchor.
    #[error(
        "no path to a trust anchor: the issuer `{issuer}` is neither one of the {anchors} trusted CAs nor among the \
         {presented} intermediates presented; present every intermediate below the trusted CA"
    )]
    UnknownIssuer {
        /// The issuer's name, as RFC 4514 writes it, at which the chain ends.
        issuer: String,
        /// How many intermediates were presented.
        presented: usize,
        /// How many anchors there are.
        anchors: usize,
    },
    /// A signature does not verify with the key of the issuer of that name.
    #[error(
        "a signature in the chain does not verify with its issuer's key: the certificate was altered, or its issuer \
         only shares its name with the CA that is trusted or was presented"
    )]
    BadSignature,
    /// The two signature algorithms in a certificate differ.
    #[error("a certificate of the chain names two different algorithms for its signature")]
    AlgorithmMismatch,
    /// The extended key usage does not allow client authentication.
    #[error("{certificate} is not usable here: its extended key usage is {}, and {required} is required", list(.present))]
    UnusableEku {
        /// Which certificate.
        certificate: Presented,
        /// The usage that is required.
        required: &'static str,
        /// The usages it has, dotted.
        present: Vec<String>,
    },
    /// A critical extension is not one that is processed, and so must lead to refusal (RFC 5280 section 4.2).
    #[error(
        "{certificate} has extension {oid} marked critical, which is not processed here; it must be refused"
    )]
    CriticalExtension {
        /// Which certificate.
        certificate: Presented,
        /// The extension, dotted.
        oid: String,
    },
    /// A signature algorithm is not supported, or does not go with the issuer's key.
    #[error(
        "a certificate of the chain is signed with an algorithm that is not accepted (RSA from 2048 bits, ECDSA \
         P-256, P-384, P-521, Ed25519 and ML-DSA are, with SHA-256 or better; SHA-1 is not)"
    )]
    UnsupportedAlgorithm,
    /// A certificate is not X.509 version 3.
    #[error("a certificate of the chain is not X.509 version 3")]
    UnsupportedVersion,
    /// A certificate cannot be read.
    #[error("a certificate of the chain is malformed: {detail}")]
    Malformed {
        /// What could not be read.
        detail: String,
    },
    /// The client presented a CA certificate as its own.
    #[error("the client certificate is a CA certificate (basicConstraints cA TRUE)")]
    CaAsLeaf,
    /// A certificate issued another and is not a CA certificate.
    #[error("a certificate of the chain issued another without being a CA certificate (basicConstraints)")]
    IssuerNotCa,
    /// A CA's pathLenConstraint is exceeded.
    #[error("a CA certificate of the chain has more CAs below it than its pathLenConstraint allows")]
    LengthConstraint,
    /// A name is outside the name constraints of a CA.
    #[error("a name in the chain is outside the name constraints of a CA above it")]
    NameConstraint,
    /// The path is deeper than is searched.
    #[error("the path to a trust anchor is longer than six intermediates")]
    TooLong,
    /// More intermediates were presented than are looked at.
    #[error("{presented} intermediates were presented; at most {limit} are accepted")]
    TooManyCertificates {
        /// Intermediates presented.
        presented: usize,
        /// Intermediates accepted.
        limit: usize,
    },
    /// More intermediates bear one name than are searched.
    #[error(
        "{presented} of the intermediates presented are for the same subject `{subject}`; at most {limit} are accepted"
    )]
    RepeatedSubject {
        /// The name, as RFC 4514 writes it.
        subject: String,
        /// Intermediates presented that bear it and are not self-issued.
        presented: usize,
        /// Intermediates accepted.
        limit: usize,
    },
    /// A certificate, or the whole chain, has more bytes than are looked at.
    #[error("the certificates presented have {bytes} bytes; at most {limit} are accepted")]
    TooLarge {
        /// Bytes presented.
        bytes: usize,
        /// Bytes accepted.
        limit: usize,
    },
    /// The search for a path took more steps than it may.
    #[error(
        "the search for a path took more signature checks or comparisons than it may; present fewer intermediates"
    )]
    TooComplex,
    /// webpki distrusts a key by name.
    #[error("a key in the chain is explicitly distrusted")]
    Distrusted,
    /// There are verified paths, but the caller wants none of them.
    #[error("{}", .0.message)]
    Unwanted(Objection),
    /// Another reason, as webpki names it.
    #[error("no path to a trust anchor could be verified: {cause}")]
    Unverifiable {
        /// What webpki says.
        cause: webpki::Error,
    },
}

impl PathError {
    /// The stable code of the refusal.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Expired { .. } => "path.expired",
            Self::NotYetValid { .. } => "path.not-yet-valid",
            Self::InvalidValidity => "path.invalid-validity",
            Self::UnknownIssuer { .. } => "path.unknown-issuer",
            Self::BadSignature => "path.bad-signature",
            Self::AlgorithmMismatch => "path.algorithm-mismatch",
            Self::UnusableEku { .. } => "path.unusable-eku",
            Self::CriticalExtension { .. } => "path.critical-extension",
            Self::UnsupportedAlgorithm => "path.unsupported-algorithm",
            Self::UnsupportedVersion => "path.unsupported-version",
            Self::Malformed { .. } => "path.malformed",
            Self::CaAsLeaf => "path.ca-as-leaf",
            Self::IssuerNotCa => "path.issuer-not-ca",
            Self::LengthConstraint => "path.length-constraint",
            Self::NameConstraint => "path.name-constraint",
            Self::TooLong => "path.too-long",
            Self::TooManyCertificates { .. } => "path.too-many-certificates",
            Self::RepeatedSubject { .. } => "path.repeated-subject",
            Self::TooLarge { .. } => "path.too-large",
            Self::TooComplex => "path.too-complex",
            Self::Distrusted => "path.distrusted",
            Self::Unwanted(objection) => objection.code,
            Self::Unverifiable { .. } => "path.unverifiable",
        }
    }

    pub(crate) fn malformed(cause: IdentityError) -> Self {
        Self::Malformed { detail: cause.to_string() }
    }
}

fn list(usages: &[String]) -> String {
    if usages.is_empty() { "an empty or unreadable list".to_owned() } else { usages.join(", ") }
}
