//! Why a certificate could not be read at all.

use thiserror::Error;

use crate::der::DerError;

/// The bytes are not a certificate that this crate reads. Whose fault: the client's, or its issuer's.
///
/// What is wrong inside a certificate that could otherwise be read is a [`Finding`](crate::Finding), not an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// The certificate is larger than [`MAX_CERTIFICATE_BYTES`](crate::MAX_CERTIFICATE_BYTES).
    #[error("the certificate has {bytes} bytes; at most {limit} are read")]
    TooLarge {
        /// Bytes presented.
        bytes: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// A field is not strict DER or not of the type that RFC 5280 section 4.1 asks for.
    #[error("the certificate's {field} is not well-formed DER: {cause}")]
    Malformed {
        /// Field of `TBSCertificate` or around it.
        field: &'static str,
        /// What is wrong with it.
        cause: DerError,
    },
    /// A field has more entries, or more bytes, than are read.
    #[error("the certificate's {field} is over the limit of {limit}")]
    OverLimit {
        /// Field of `TBSCertificate`.
        field: &'static str,
        /// Entries or bytes allowed, as the field's constant says.
        limit: usize,
    },
    /// A validity time is not in the form of RFC 5280 section 4.1.2.5 (to the second, in Z).
    #[error("the certificate's {field} is not a time as RFC 5280 section 4.1.2.5 asks for")]
    Time {
        /// `notBefore` or `notAfter`.
        field: &'static str,
    },
}

impl IdentityError {
    /// For `map_err`: attaches the name of the field in which DER was malformed.
    pub(crate) fn within(field: &'static str) -> impl Fn(DerError) -> Self {
        move |cause| Self::Malformed { field, cause }
    }
}
