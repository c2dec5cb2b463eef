//! Why a sealed request goes no further.

use http::StatusCode;
use portcullis_policy::Finding;
use portcullis_seal::SealError;
use portcullis_upstream::UpstreamError;
use thiserror::Error;

use crate::spool::SpoolError;

/// Why a sealed request goes no further.
#[derive(Debug, Error)]
pub(crate) enum SealRefusal {
    /// The seal is none, or not of this message.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// Its certificate is not one of a seal that is believed. Client's fault.
    #[error("the certificate of the seal is refused ({code}): {reason}")]
    Certificate {
        /// The code of the denial.
        code: &'static str,
        /// What the denial says.
        reason: Box<str>,
        /// What was found out about it, the gravest first.
        findings: Box<[Finding]>,
    },
    /// It is the seal of somebody else than whose connection it is. Client's fault.
    #[error("the request is sealed by {sealed}, and came over a connection of {connected}")]
    Organisation {
        /// organizationIdentifier of the seal's certificate.
        sealed: Box<str>,
        /// That of the connection's.
        connected: Box<str>,
    },
    /// The body is longer than sealed ones may be. Client's fault.
    #[error("the body of a sealed request may have {bytes_max} bytes here")]
    TooLong {
        /// The bound.
        bytes_max: u64,
    },
    /// The answer is longer than sealed ones may be. The upstream's fault.
    #[error("the answer is longer than the {bytes_max} bytes that are sealed here")]
    AnswerTooLong {
        /// The bound.
        bytes_max: u64,
    },
    /// The answer has what cannot be sealed, the upstream's fault; or its key cannot, the operator's.
    #[error("the answer cannot be sealed: {0}")]
    Answer(SealError),
    /// There is nowhere to put the body. Ours.
    #[error("the body cannot be held until all of it is there")]
    Spool(#[from] SpoolError),
    /// The body did not come.
    #[error(transparent)]
    Body(#[from] UpstreamError),
}

impl SealRefusal {
    /// What becomes of an exchange whose body is refused while it is under way.
    pub(crate) fn into_upstream(self) -> UpstreamError {
        match self {
            Self::Body(error) => error,
            refusal => UpstreamError::RequestBodyRefused(Box::new(refusal)),
        }
    }

    /// The stable code.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Seal(error) => error.code(),
            Self::Certificate { .. } => "seal.certificate",
            Self::Organisation { .. } => "seal.organisation",
            Self::TooLong { .. } => "seal.body",
            Self::Answer(error @ SealError::SigningKey { .. }) => error.code(),
            Self::Answer(_) | Self::AnswerTooLong { .. } => "seal.answer",
            Self::Spool(SpoolError::Full { .. }) => "seal.spool-full",
            Self::Spool(_) => "seal.spool",
            Self::Body(error) => error.code(),
        }
    }

    /// The status that goes with it.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Seal(error) => StatusCode::from_u16(error.status()).unwrap_or(StatusCode::UNAUTHORIZED),
            Self::Certificate { .. } => StatusCode::UNAUTHORIZED,
            Self::Organisation { .. } => StatusCode::FORBIDDEN,
            Self::TooLong { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Answer(SealError::SigningKey { .. }) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Answer(_) | Self::AnswerTooLong { .. } => StatusCode::BAD_GATEWAY,
            Self::Spool(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Body(error) => error.status(),
        }
    }

    /// The code that the Berlin Group gives it in `tppMessages`.
    pub(crate) fn tpp_code(&self) -> &'static str {
        match self {
            Self::Seal(error) => error.tpp_code(),
            Self::Certificate { code: "path.expired" | "validity.expired", .. } => "CERTIFICATE_EXPIRED",
            Self::Certificate { code: "revocation.revoked", .. } => "CERTIFICATE_REVOKED",
            Self::Certificate { .. } | Self::Organisation { .. } => "CERTIFICATE_INVALID",
            Self::TooLong { .. } | Self::Body(_) => "FORMAT_ERROR",
            Self::Spool(_) | Self::Answer(_) | Self::AnswerTooLong { .. } => "INTERNAL_SERVER_ERROR",
        }
    }
}
