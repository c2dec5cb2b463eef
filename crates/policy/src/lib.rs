//! What follows from a certificate: profiles, verdicts, and which routes a peer may enter.
//!
//! Everything here is a pure function of its arguments: nothing is opened, and the present time is passed in.
//! [`decide`] is the only place that makes a [`Permit`] for a certificate, so nothing that was not judged can
//! reach a route.

#![forbid(unsafe_code)]

mod denial;
mod domain;
mod request_path;
mod route;
mod snapshot;
mod verdict;

pub use denial::Denial;
pub use domain::{ClientAuth, HostName, Mode, Profile, Refusals, TrustDomain};
pub use request_path::{PATH_BYTES_MAX, PathRefusal, RequestPath};
pub use route::{Lookup, Route, RouteError, RouteTable};
pub use snapshot::{DomainId, Generation, Snapshot};
pub use verdict::{Grant, Permit, Verdict, admit_anonymous, authorise, decide};
