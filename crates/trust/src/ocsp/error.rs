//! Why an OCSP response is no answer.

use thiserror::Error;

use super::OCSP_RESPONSE_BYTES_MAX;

/// What is wrong with a response. Whose fault: the responder's, or that of somebody on the way. Times are Unix seconds.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OcspError {
    /// It is too long.
    #[error("the response has {bytes} bytes, at most {OCSP_RESPONSE_BYTES_MAX} are read")]
    TooLarge {
        /// Its length.
        bytes: usize,
    },
    /// It is not what RFC 6960 says, in DER.
    #[error("the response cannot be read")]
    Malformed,
    /// The responder refuses to answer.
    #[error("the responder says {0}")]
    Status(&'static str),
    /// It is a response of another kind.
    #[error("the response is of type {oid}, not basic")]
    Type {
        /// Which.
        oid: String,
    },
    /// It says nothing of the certificate that was asked about.
    #[error("the response is about other certificates")]
    OtherCertificate,
    /// It is signed by nobody who may answer for the CA.
    #[error("neither the CA signed the response, nor a responder whose certificate is there")]
    Signer,
    /// The certificate of the responder is not one of the CA for this use.
    #[error("the responder's certificate: {0}")]
    Responder(webpki::Error),
    /// The certificate of the responder has a key usage without digitalSignature.
    #[error("the responder's certificate is not for signatures")]
    ResponderUsage,
    /// Nobody says that the responder itself is not revoked.
    #[error("the responder's certificate has no ocsp-nocheck, and no CRL says that it is good")]
    ResponderUnchecked,
    /// It is signed by an algorithm that is not believed, or not with that key.
    #[error("the response is signed with {oid}, which is not accepted from this key")]
    Algorithm {
        /// Which.
        oid: String,
    },
    /// The signature does not hold.
    #[error("the response's signature does not hold")]
    Signature,
    /// It is from the future.
    #[error("the response is of {from}, and it is {now}")]
    NotYet {
        /// When it is from.
        from: i64,
        /// The present.
        now: i64,
    },
    /// Its time is over.
    #[error("the response served until {until}, and it is {now}")]
    Stale {
        /// Its end.
        until: i64,
        /// The present.
        now: i64,
    },
    /// It answers another request.
    #[error("the response has another nonce than the request")]
    Nonce,
    /// It has a critical extension that is not known.
    #[error("the response has a critical extension {oid} that is not known")]
    Extension {
        /// Which.
        oid: String,
    },
    /// The responder does not know the certificate.
    #[error("the responder does not know the certificate")]
    Unknown,
}

impl OcspError {
    /// The stable code, for metrics and logs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "ocsp.too-large",
            Self::Malformed => "ocsp.malformed",
            Self::Status(_) => "ocsp.status",
            Self::Type { .. } => "ocsp.type",
            Self::OtherCertificate => "ocsp.other-certificate",
            Self::Signer => "ocsp.signer",
            Self::Responder(_) => "ocsp.responder",
            Self::ResponderUsage => "ocsp.responder-usage",
            Self::ResponderUnchecked => "ocsp.responder-unchecked",
            Self::Algorithm { .. } => "ocsp.algorithm",
            Self::Signature => "ocsp.signature",
            Self::NotYet { .. } => "ocsp.not-yet",
            Self::Stale { .. } => "ocsp.stale",
            Self::Nonce => "ocsp.nonce",
            Self::Extension { .. } => "ocsp.extension",
            Self::Unknown => "ocsp.unknown",
        }
    }
}
