//! Why a sealed message is refused, in words that the engineer of a TPP can act on.

use std::borrow::Cow;

use thiserror::Error;

use crate::excerpt::excerpt;

/// A refusal. Every variant has a stable [code](SealError::code), an HTTP [status](SealError::status) and the
/// [code of the Berlin Group](SealError::tpp_code); its `Display` is the sentence for the peer.
///
/// What it shows of the peer's own text is shortened, and what is not visible in it is escaped. Whose fault: the
/// client's, but for [`ReplayFull`](Self::ReplayFull), which is ours, and [`SigningKey`](Self::SigningKey), which is
/// the operator's.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SealError {
    /// A field that a sealed message needs is absent.
    #[error("the field {field} is missing; a sealed message needs it")]
    Missing {
        /// Its name.
        field: Box<str>,
    },
    /// A field is not in the form that its specification gives it.
    #[error("the field {field} cannot be read: {reason}")]
    Malformed {
        /// Its name.
        field: Box<str>,
        /// What is wrong with it.
        reason: Cow<'static, str>,
    },
    /// A field that may come once comes more often, so that two readers could take different ones.
    #[error("the field {field} comes {count} times; it may come once")]
    DuplicateField {
        /// Its name.
        field: Box<str>,
        /// How often it comes.
        count: usize,
    },
    /// The algorithm of the signature is unknown or not allowed here.
    #[error("the algorithm {found} is not accepted; these are: {accepted}")]
    Algorithm {
        /// As the message names it.
        found: Box<str>,
        /// What the rules allow.
        accepted: Box<str>,
    },
    /// The key of the certificate does not have the algorithm.
    #[error("the algorithm {algorithm} does not go with the certificate's key, which is {key}")]
    KeyType {
        /// As the message names it.
        algorithm: Box<str>,
        /// The kind of key.
        key: Box<str>,
    },
    /// The RSA key is shorter than the rules demand.
    #[error("the certificate's RSA key has {bits} bits; at least {bits_min} are needed")]
    KeyTooSmall {
        /// Bits of the modulus.
        bits: u32,
        /// Bits that are needed.
        bits_min: u32,
    },
    /// The field that should hold the certificate holds none.
    #[error("the field {field} holds no certificate: {reason}")]
    CertificateMalformed {
        /// The field.
        field: Box<str>,
        /// What is wrong with it.
        reason: Cow<'static, str>,
    },
    /// keyId is not that of the certificate in the message.
    #[error("keyId is {found}; the certificate in the message is {expected}")]
    KeyId {
        /// As it stands.
        found: Box<str>,
        /// What it should be.
        expected: Box<str>,
    },
    /// keyId names another issuer than the certificate does.
    #[error("keyId names the issuer {found}; the certificate in the message was issued by {expected}")]
    Issuer {
        /// As it stands.
        found: Box<str>,
        /// The issuer's name in the form of RFC 4514.
        expected: Box<str>,
    },
    /// The signature does not cover what it must.
    #[error("the signature does not cover {component}; it must")]
    Coverage {
        /// The component, or those of which one is needed.
        component: Box<str>,
    },
    /// There is no digest of the body.
    #[error("the field {field} is missing; the digest of the body is demanded, also where the body is empty")]
    DigestMissing {
        /// Its name.
        field: &'static str,
    },
    /// There are digests, and none is by a hash function that is taken.
    #[error("the field {field} has no digest by SHA-256 or SHA-512; it has: {found}")]
    DigestAlgorithm {
        /// Its name.
        field: &'static str,
        /// The hash functions that it names.
        found: Box<str>,
    },
    /// The body is not the one that was sealed.
    #[error("the {algorithm} digest of the body is {computed}; the message announces {announced}")]
    Digest {
        /// The hash function.
        algorithm: &'static str,
        /// In base64, as announced.
        announced: Box<str>,
        /// In base64, of the body that came.
        computed: Box<str>,
    },
    /// The signature is not of this message by this key.
    #[error(
        "the {algorithm} signature is not one of the certificate's key over this message; `{profile}` says what is signed and how"
    )]
    Signature {
        /// The algorithm.
        algorithm: &'static str,
        /// Where to read on.
        profile: &'static str,
    },
    /// Nothing that is signed says when the message was sealed.
    #[error(
        "nothing that is signed says when the message was sealed: sign the field Date, or the parameter created"
    )]
    DateMissing,
    /// It was sealed too long ago.
    #[error(
        "the message was sealed {age_s} s ago (at {sealed_at_s}, here it is {now_s}); {age_s_max} s are accepted"
    )]
    Stale {
        /// When it was sealed, in seconds of Unix time.
        sealed_at_s: i64,
        /// The present.
        now_s: i64,
        /// How long ago.
        age_s: i64,
        /// How long ago it may be.
        age_s_max: u32,
    },
    /// It was sealed in the future.
    #[error(
        "the message was sealed at {sealed_at_s}, which is yet to come: here it is {now_s}, and clocks may differ by {skew_s} s"
    )]
    Future {
        /// When it was sealed, in seconds of Unix time.
        sealed_at_s: i64,
        /// The present.
        now_s: i64,
        /// How far clocks may differ.
        skew_s: u32,
    },
    /// Its signer says that it has expired.
    #[error("the signature expired at {expires_s}; here it is {now_s}")]
    Expired {
        /// When it expired, in seconds of Unix time.
        expires_s: i64,
        /// The present.
        now_s: i64,
    },
    /// The same organisation has sealed a request with this identifier before.
    #[error(
        "a request with the X-Request-ID {request_id} has come from you before; each request needs one of its own"
    )]
    Replayed {
        /// The identifier.
        request_id: Box<str>,
    },
    /// So many requests are remembered that one more cannot be.
    #[error("too many sealed requests at present; try again in a few seconds")]
    ReplayFull {
        /// How many are remembered at most.
        entries_max: usize,
    },
    /// The request's identifier is not one that can be kept.
    #[error("X-Request-ID cannot be used: {reason}")]
    RequestId {
        /// What is wrong with it.
        reason: Cow<'static, str>,
    },
    /// A covered component is unknown, or the message does not have it.
    #[error("the signature covers {component}, which cannot be had: {reason}")]
    Component {
        /// The component as it is named.
        component: Box<str>,
        /// Why.
        reason: Cow<'static, str>,
    },
    /// There are more of something than are read.
    #[error("there are more than {limit} {what}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many are read.
        limit: usize,
    },
    /// The key to seal with cannot be used.
    #[error("the key to seal with cannot be used: {reason}")]
    SigningKey {
        /// Why.
        reason: Cow<'static, str>,
    },
}

impl SealError {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "seal.missing",
            Self::Malformed { .. } => "seal.malformed",
            Self::DuplicateField { .. } => "seal.duplicate-field",
            Self::Algorithm { .. } => "seal.algorithm",
            Self::KeyType { .. } => "seal.key-type",
            Self::KeyTooSmall { .. } => "seal.key-too-small",
            Self::CertificateMalformed { .. } => "seal.certificate-malformed",
            Self::KeyId { .. } => "seal.key-id",
            Self::Issuer { .. } => "seal.issuer",
            Self::Coverage { .. } => "seal.coverage",
            Self::DigestMissing { .. } => "seal.digest-missing",
            Self::DigestAlgorithm { .. } => "seal.digest-algorithm",
            Self::Digest { .. } => "seal.digest",
            Self::Signature { .. } => "seal.signature",
            Self::DateMissing => "seal.date-missing",
            Self::Stale { .. } => "seal.stale",
            Self::Future { .. } => "seal.future",
            Self::Expired { .. } => "seal.expired",
            Self::Replayed { .. } => "seal.replayed",
            Self::ReplayFull { .. } => "seal.replay-full",
            Self::RequestId { .. } => "seal.request-id",
            Self::Component { .. } => "seal.component",
            Self::TooMany { .. } => "seal.too-many",
            Self::SigningKey { .. } => "seal.signing-key",
        }
    }

    /// The HTTP status that goes with it: 400 where the message cannot be understood or its time is not accepted, 401
    /// where there is no seal or not a good one, 503 where we cannot remember one more, 500 where our own key is at
    /// fault.
    pub const fn status(&self) -> u16 {
        match self {
            Self::Malformed { .. }
            | Self::DuplicateField { .. }
            | Self::RequestId { .. }
            | Self::TooMany { .. }
            | Self::DateMissing
            | Self::Stale { .. }
            | Self::Future { .. }
            | Self::Expired { .. } => 400,
            Self::ReplayFull { .. } => 503,
            Self::SigningKey { .. } => 500,
            _ => 401,
        }
    }

    /// The code that the Berlin Group gives it in `tppMessages` (`NextGenPSD2` implementation guidelines, message codes).
    pub fn tpp_code(&self) -> &'static str {
        match self {
            Self::Missing { field } if is_signature(field) => "SIGNATURE_MISSING",
            Self::Missing { .. } => "CERTIFICATE_MISSING",
            Self::CertificateMalformed { .. } | Self::KeyTooSmall { .. } => "CERTIFICATE_INVALID",
            Self::Malformed { .. }
            | Self::DuplicateField { .. }
            | Self::RequestId { .. }
            | Self::TooMany { .. } => "FORMAT_ERROR",
            Self::DateMissing | Self::Stale { .. } | Self::Future { .. } | Self::Expired { .. } => {
                "TIMESTAMP_INVALID"
            }
            Self::ReplayFull { .. } | Self::SigningKey { .. } => "INTERNAL_SERVER_ERROR",
            _ => "SIGNATURE_INVALID",
        }
    }

    pub(crate) fn malformed(field: &str, reason: impl Into<Cow<'static, str>>) -> Self {
        Self::Malformed { field: field.into(), reason: reason.into() }
    }

    pub(crate) fn component(component: &str, reason: impl Into<Cow<'static, str>>) -> Self {
        Self::Component { component: excerpt(component), reason: reason.into() }
    }
}

fn is_signature(field: &str) -> bool {
    field.eq_ignore_ascii_case("signature") || field.eq_ignore_ascii_case("signature-input")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_has_its_codes() {
        let text = || Box::<str>::from("x");
        let reason = || Cow::Borrowed("x");
        let (field, component) = (text(), text());
        let (found, accepted, expected) = (text(), text(), text());
        for (error, code, status, tpp_code) in [
            (SealError::Missing { field }, "missing", 401, "CERTIFICATE_MISSING"),
            (SealError::malformed("x", "x"), "malformed", 400, "FORMAT_ERROR"),
            (SealError::DuplicateField { field: text(), count: 2 }, "duplicate-field", 400, "FORMAT_ERROR"),
            (SealError::Algorithm { found, accepted }, "algorithm", 401, "SIGNATURE_INVALID"),
            (SealError::KeyType { algorithm: text(), key: text() }, "key-type", 401, "SIGNATURE_INVALID"),
            (
                SealError::KeyTooSmall { bits: 1024, bits_min: 2048 },
                "key-too-small",
                401,
                "CERTIFICATE_INVALID",
            ),
            (
                SealError::CertificateMalformed { field: text(), reason: reason() },
                "certificate-malformed",
                401,
                "CERTIFICATE_INVALID",
            ),
            (SealError::KeyId { found: text(), expected }, "key-id", 401, "SIGNATURE_INVALID"),
            (SealError::Issuer { found: text(), expected: text() }, "issuer", 401, "SIGNATURE_INVALID"),
            (SealError::Coverage { component }, "coverage", 401, "SIGNATURE_INVALID"),
            (SealError::DigestMissing { field: "x" }, "digest-missing", 401, "SIGNATURE_INVALID"),
            (
                SealError::DigestAlgorithm { field: "x", found: text() },
                "digest-algorithm",
                401,
                "SIGNATURE_INVALID",
            ),
            (
                SealError::Digest { algorithm: "x", announced: text(), computed: text() },
                "digest",
                401,
                "SIGNATURE_INVALID",
            ),
            (SealError::Signature { algorithm: "x", profile: "x" }, "signature", 401, "SIGNATURE_INVALID"),
            (SealError::DateMissing, "date-missing", 400, "TIMESTAMP_INVALID"),
            (
                SealError::Stale { sealed_at_s: 1, now_s: 2, age_s: 1, age_s_max: 0 },
                "stale",
                400,
                "TIMESTAMP_INVALID",
            ),
            (SealError::Future { sealed_at_s: 2, now_s: 1, skew_s: 0 }, "future", 400, "TIMESTAMP_INVALID"),
            (SealError::Expired { expires_s: 1, now_s: 2 }, "expired", 400, "TIMESTAMP_INVALID"),
            (SealError::Replayed { request_id: text() }, "replayed", 401, "SIGNATURE_INVALID"),
            (SealError::ReplayFull { entries_max: 1 }, "replay-full", 503, "INTERNAL_SERVER_ERROR"),
            (SealError::RequestId { reason: reason() }, "request-id", 400, "FORMAT_ERROR"),
            (SealError::component("x", "x"), "component", 401, "SIGNATURE_INVALID"),
            (SealError::TooMany { what: "x", limit: 1 }, "too-many", 400, "FORMAT_ERROR"),
            (SealError::SigningKey { reason: reason() }, "signing-key", 500, "INTERNAL_SERVER_ERROR"),
        ] {
            assert_eq!(error.code().strip_prefix("seal."), Some(code));
            assert_eq!((error.status(), error.tpp_code()), (status, tpp_code), "{code}");
            assert!(!error.to_string().is_empty());
        }
    }

    #[test]
    fn what_is_missing_has_a_code_of_its_own() {
        let missing = |field: &str| SealError::Missing { field: field.into() };
        assert_eq!(missing("Signature").tpp_code(), "SIGNATURE_MISSING");
        assert_eq!(missing("Signature-Input").tpp_code(), "SIGNATURE_MISSING");
        assert_eq!(missing("tpp-signature-certificate").tpp_code(), "CERTIFICATE_MISSING");
        assert_eq!(missing("Signature").status(), 401);
    }
}
