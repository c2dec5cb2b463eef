//! Why a list is not taken.

use portcullis_identity::Thumbprint;
use thiserror::Error;

/// What became of a list: the stable names of command line, metrics and logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ListStatus {
    /// Signed as it should be, by one who may.
    Valid,
    /// Its one signature does not hold.
    InvalidSignature,
    /// It is signed by one who may not.
    WrongSigner,
    /// It has several signatures.
    NotOneSignature,
    /// It has no signature.
    NoSignature,
    /// It cannot be read.
    Unparsable,
}

impl ListStatus {
    /// The stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::InvalidSignature => "invalid-signature",
            Self::WrongSigner => "wrong-signer",
            Self::NotOneSignature => "not-one-signature",
            Self::NoSignature => "no-signature",
            Self::Unparsable => "unparsable",
        }
    }
}

/// Why a list is not taken. Whose fault: that of who published it, or of who stands between.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ListError {
    /// The list has more bytes than are looked at.
    #[error("the list has {bytes} bytes; at most {limit} are accepted")]
    TooLarge {
        /// Its bytes.
        bytes: usize,
        /// Bytes accepted.
        limit: usize,
    },
    /// The bytes are not well-formed XML in UTF-8 without a document type.
    #[error("the list is not well-formed XML in UTF-8 without a document type: {reason}")]
    Xml {
        /// What is wrong.
        reason: String,
    },
    /// The XML is no trusted list that can be read (TS 119 612 clause 5).
    #[error("the document is no trusted list that can be read: {reason}")]
    Content {
        /// What is wrong.
        reason: String,
    },
    /// There is no signature.
    #[error("the list has no signature")]
    NoSignature,
    /// There are several signatures.
    #[error("the list has {found} signatures; it must have one (TS 119 612 clause 5.7.1)")]
    NotOneSignature {
        /// How many there are.
        found: usize,
    },
    /// The signature does not hold, or does not sign what it should.
    #[error("the signature of the list does not hold: {reason}")]
    InvalidSignature {
        /// What is wrong.
        reason: String,
    },
    /// Nobody who may sign the list did.
    #[error(
        "the list is not signed with one of the {allowed} certificates that may; it shows {}",
        shown(.presented.as_ref())
    )]
    WrongSigner {
        /// The certificate in the signature, if there is one that can be read.
        presented: Option<Thumbprint>,
        /// How many certificates may have signed.
        allowed: usize,
    },
}

impl ListError {
    /// The stable name of the kind of failure.
    pub const fn status(&self) -> ListStatus {
        match self {
            Self::TooLarge { .. } | Self::Xml { .. } | Self::Content { .. } => ListStatus::Unparsable,
            Self::NoSignature => ListStatus::NoSignature,
            Self::NotOneSignature { .. } => ListStatus::NotOneSignature,
            Self::InvalidSignature { .. } => ListStatus::InvalidSignature,
            Self::WrongSigner { .. } => ListStatus::WrongSigner,
        }
    }

    pub(super) fn content(reason: impl Into<String>) -> Self {
        Self::Content { reason: reason.into() }
    }

    pub(super) fn signature(reason: impl Into<String>) -> Self {
        Self::InvalidSignature { reason: reason.into() }
    }
}

fn shown(presented: Option<&Thumbprint>) -> String {
    presented
        .map_or("no certificate".to_owned(), |thumbprint| format!("the certificate {thumbprint} (SHA-256)"))
}
