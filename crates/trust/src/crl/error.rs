//! Why a CRL is not believed.

use std::io;

use portcullis_identity::der::DerError;
use thiserror::Error;

/// What is wrong with a CRL. Whose fault: the CA's, or that of somebody on the way. Times are Unix seconds.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CrlError {
    /// It cannot be read to its end.
    #[error("the CRL cannot be read to its end")]
    Read(#[source] io::Error),
    /// It is too long.
    #[error("the CRL has more than {bytes_max} bytes")]
    TooLarge {
        /// How many are read.
        bytes_max: u64,
    },
    /// It is not what RFC 5280 says, in DER.
    #[error("the CRL cannot be read at {field}")]
    Malformed {
        /// Where.
        field: &'static str,
    },
    /// It is another CA's.
    #[error("the CRL is of another issuer")]
    Issuer,
    /// The certificate of the CA does not let it sign CRLs.
    #[error("the CA's certificate has a key usage without cRLSign")]
    SignerUsage,
    /// It is signed by an algorithm that is not believed, or not with that key.
    #[error("the CRL is signed by an algorithm that is not accepted from the CA's key")]
    Algorithm,
    /// The signature does not hold.
    #[error("the CRL's signature does not hold")]
    Signature,
    /// It does not say until when it serves.
    #[error("the CRL has no nextUpdate")]
    NoNextUpdate,
    /// It says only what is new since another.
    #[error("the CRL is a delta CRL, which is not read")]
    Delta,
    /// It tells of certificates of other CAs.
    #[error("the CRL is an indirect one, which is not read")]
    Indirect,
    /// It tells of some reasons only.
    #[error("the CRL is for some reasons only")]
    SomeReasons,
    /// It has a critical extension that is not known.
    #[error("the CRL has a critical extension {oid} that is not known")]
    CriticalExtension {
        /// Which.
        oid: String,
    },
    /// It is from the future.
    #[error("the CRL is of {from}, and it is {now}")]
    NotYet {
        /// When it is from.
        from: i64,
        /// The present.
        now: i64,
    },
    /// Its time is over.
    #[error("the CRL served until {until}, and it is {now}")]
    Stale {
        /// Its end.
        until: i64,
        /// The present.
        now: i64,
    },
}

impl CrlError {
    pub(crate) const fn malformed(field: &'static str) -> Self {
        Self::Malformed { field }
    }

    /// The stable code, for metrics and logs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Read(_) => "crl.read",
            Self::TooLarge { .. } => "crl.too-large",
            Self::Malformed { .. } => "crl.malformed",
            Self::Issuer => "crl.issuer",
            Self::SignerUsage => "crl.signer-usage",
            Self::Algorithm => "crl.algorithm",
            Self::Signature => "crl.signature",
            Self::NoNextUpdate => "crl.no-next-update",
            Self::Delta => "crl.delta",
            Self::Indirect => "crl.indirect",
            Self::SomeReasons => "crl.some-reasons",
            Self::CriticalExtension { .. } => "crl.critical-extension",
            Self::NotYet { .. } => "crl.not-yet",
            Self::Stale { .. } => "crl.stale",
        }
    }
}

impl From<DerError> for CrlError {
    fn from(_: DerError) -> Self {
        Self::malformed("an element")
    }
}
