//! The test PKI: trust service providers, TPP certificates and server certificates, made on the fly.
//!
//! ```
//! use portcullis_test_pki::{Authority, Role, TppCertificate};
//!
//! # fn main() -> Result<(), portcullis_test_pki::Error> {
//! let qtsp = Authority::qtsp()?;
//! let aisp = TppCertificate::new("Lindenblatt Kontodienst GmbH").roles([Role::PspAi]).issue(&qtsp)?;
//! assert!(aisp.chain_pem().starts_with("-----BEGIN CERTIFICATE-----"));
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]

mod authority;
mod blueprint;
mod credential;
mod der;
mod error;
mod extension;
mod faults;
mod issuing_ca;
mod key_type;
pub mod oid;
mod psd2_statement;
pub mod qc_statements;
pub mod revocation;
mod server_certificate;
mod subject;
mod subject_key;
mod tpp_certificate;
pub mod trusted_list;
mod validity;

pub use authority::Authority;
pub use credential::Credential;
pub use error::Error;
pub use faults::{FaultyCertificate, faulty_certificates};
pub use issuing_ca::IssuingCa;
pub use key_type::KeyType;
pub use psd2_statement::{Psd2Statement, Role, RoleOfPsp};
pub use qc_statements::QcStatements;
pub use rcgen::ExtendedKeyUsagePurpose;
pub use server_certificate::ServerCertificate;
pub use subject::{Incorporation, Subject};
pub use subject_key::SubjectKey;
pub use tpp_certificate::TppCertificate;
pub use validity::Validity;
