//! Whom the gate believes: trust anchors, from the operator or from trusted lists, and paths from a client's certificate
//! to one of them.
//!
//! Paths are built and verified by webpki. This crate bounds what webpki is given, keeps what a cache needs of the
//! result, and turns its errors into [`PathError`]s with evidence. It opens nothing and takes the time as argument.

#![forbid(unsafe_code)]

mod anchors;
mod diagnosis;
mod eku;
pub mod list;
mod listing;
mod path;
mod path_error;
mod status;
mod store;

pub use anchors::{Anchor, AnchorError, Anchors};
pub use diagnosis::is_processed;
pub use eku::EkuRule;
pub use listing::{ListedService, Listing, Overrules, Usage};
pub use path::{
    CandidatePath, MAX_CHAIN_BYTES, MAX_INTERMEDIATES, MAX_INTERMEDIATES_PER_SUBJECT, Objection, TrustedPath,
};
pub use path_error::{PathError, Presented};
pub use status::{CertificateStatus, Issuer, Revocation, RevocationReason, StatusAnswer};
pub use store::{ListFacts, ListProblem, ListState, Selection, TrustStore};
