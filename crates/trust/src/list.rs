//! Trusted lists (ETSI TS 119 612): who is a qualified trust service provider, as the member states of the EU say.
//!
//! A [`SignedList`] is made from a list's bytes and the certificates of those who may have signed it; a [`Lotl`] begins at the
//! certificates of the Official Journal and says who may sign each national list.

mod content;
mod document;
mod element;
mod error;
mod qualification;
mod service;
mod short_rsa;
mod signature;
mod time;
mod tree;

pub use content::{ListKind, Pointer, TrustedList};
pub use document::LIST_BYTES_MAX;
pub use error::{ListError, ListStatus};
pub use qualification::{Criteria, CriteriaAssertion, Criterion, Qualification, Qualifiers};
pub use service::{Service, ServiceState, ServiceStatus, Usages};
pub use signature::Signature;
pub use tree::{AuthenticatedBy, Lotl, SignedList, TreeError, inspect_list};
