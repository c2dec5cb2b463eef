//! What a certificate says about its holder, and nothing about whether to believe it.
//!
//! [`Identity::from_der`] reads an X.509 certificate in strict DER: names, key, usages, policies, QCStatements and the
//! PSD2 statement among them. What is malformed becomes a [`Finding`] with a stable code; what is
//! ambiguous is left out rather than guessed.
//!
//! Trust: every byte is hostile. The crate opens nothing, keeps no clock and verifies no signature.

#![forbid(unsafe_code)]

pub mod der;
mod error;
mod extension;
mod finding;
mod general_name;
mod identity;
mod key;
mod key_usage;
mod name;
mod object_identifiers;
pub mod oid;
mod organization_identifier;
mod psd2;
mod qc_statement;
mod qc_statements;
mod role;
mod roles;
mod serial_number;
mod signature_algorithm;
mod subject;
mod tbs_certificate;
#[cfg(test)]
mod test_der;
mod thumbprint;
mod validity;
mod visible;

pub use der::DerError;
pub use error::IdentityError;
pub use extension::{Extension, Extensions, MAX_EXTENSIONS};
pub use finding::{Finding, FindingCode};
pub use general_name::{AuthorityInformation, MAX_GENERAL_NAMES, SubjectAltName};
pub use identity::Identity;
pub use key::{KeyAlgorithm, PublicKey};
pub use key_usage::KeyUsage;
pub use name::{
    Attribute, MAX_NAME_BYTES, MAX_RDNS, distinguished_name, has_attribute, relative_names, string_text,
};
pub use object_identifiers::{ExtendedKeyUsage, MAX_OBJECT_IDENTIFIERS, ObjectIdentifiers};
pub use organization_identifier::{
    Authorisation, OrganizationIdentifier, OrganizationIdentifierError, Scheme, is_lei,
};
pub use psd2::{MAX_ROLE_ENTRIES, MAX_STRING_CHARS, Psd2Statement, RoleEntry};
pub use qc_statement::{PdsLocation, QcLimitValue, QcType, Semantics};
pub use qc_statements::{MAX_STATEMENTS, QcExtension, QcStatements};
pub use role::{Role, UnknownRole, role_name};
pub use roles::Roles;
pub use serial_number::SerialNumber;
pub use signature_algorithm::SignatureAlgorithm;
pub use subject::Subject;
pub use tbs_certificate::{MAX_CERTIFICATE_BYTES, TbsCertificate};
pub use thumbprint::{SpkiHash, Thumbprint, ThumbprintError};
pub use validity::Validity;
pub use visible::is_visible;
