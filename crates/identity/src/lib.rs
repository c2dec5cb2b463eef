//! What a certificate says about its holder, and nothing about whether to believe it.
//!
//! [`Identity::from_der`] reads an X.509 certificate in strict DER: its thumbprint, subject, validity and the
//! PSD2 statement among its QCStatements. What is malformed becomes a [`Finding`] with a stable code; what is
//! ambiguous is left out rather than guessed.
//!
//! Trust: every byte is hostile. The crate opens nothing, keeps no clock and verifies no signature.

#![forbid(unsafe_code)]

mod der;
mod error;
mod extension;
mod finding;
mod identity;
mod name;
mod oid;
mod psd2;
mod qc_statements;
mod role;
mod roles;
mod subject;
mod tbs_certificate;
#[cfg(test)]
mod test_der;
mod thumbprint;
mod validity;

pub use der::DerError;
pub use error::IdentityError;
pub use extension::{Extension, Extensions, MAX_EXTENSIONS, MAX_OBJECT_IDENTIFIERS};
pub use finding::{Finding, FindingCode};
pub use identity::Identity;
pub use name::{MAX_NAME_BYTES, MAX_RDNS, distinguished_name};
pub use psd2::{MAX_ROLE_ENTRIES, MAX_STRING_CHARS, Psd2Statement, RoleEntry};
pub use qc_statements::{MAX_STATEMENTS, QcStatements};
pub use role::{Role, UnknownRole};
pub use roles::Roles;
pub use subject::Subject;
pub use tbs_certificate::{MAX_CERTIFICATE_BYTES, TbsCertificate};
pub use thumbprint::{Thumbprint, ThumbprintError};
pub use validity::Validity;
