//! Whom the gate believes: trust anchors, from the operator or from trusted lists, paths from a client's certificate to one
//! of them, what CAs say of revocation, and what authorities say of providers.
//!
//! Paths are built and verified by webpki. This crate bounds what webpki is given, keeps what a cache needs of the
//! result, and turns its errors into [`PathError`]s with evidence. It opens nothing and takes the time as argument.

#![forbid(unsafe_code)]

mod anchors;
mod bearing;
mod crl;
mod diagnosis;
mod eku;
pub mod list;
mod listing;
mod ocsp;
mod path;
mod path_error;
mod register;
mod signature;
mod status;
mod status_book;
mod store;

pub use anchors::{Anchor, AnchorError, Anchors};
pub use bearing::Bearing;
pub use crl::{Crl, CrlError, CrlNumber};
pub use diagnosis::is_processed;
pub use eku::EkuRule;
pub use listing::{ListedService, Listing, Overrules, Usage};
pub use ocsp::{CLOCK_TOLERANCE_S, CertIdHash, OCSP_RESPONSE_BYTES_MAX, OcspError, OcspQuestion};
pub use path::{
    CandidatePath, MAX_CHAIN_BYTES, MAX_INTERMEDIATES, MAX_INTERMEDIATES_PER_SUBJECT, Objection, TrustedPath,
};
pub use path_error::{PathError, Presented};
pub use register::{
    PassedOver, ProviderName, Register, RegisterBuilder, RegisterError, Registered, Resolver, TableForm,
};
pub use status::{CertificateStatus, Issuer, Revocation, RevocationReason, StatusAnswer};
pub use status_book::{Followed, KnownStatus, StatusBook, StatusQuestion};
pub use store::{ListFacts, ListProblem, ListState, Selection, TrustStore};
