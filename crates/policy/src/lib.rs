//! What follows from a certificate: rules, profiles, verdicts, and which routes a peer may enter.
//!
//! Everything here is a pure function of its arguments: nothing is opened, and the present time is passed in.
//! [`decide`] is the only place that makes a [`Permit`] for a certificate, so nothing that was not judged can
//! reach a route.

#![forbid(unsafe_code)]

mod assessment;
mod authority;
mod code_set;
mod content_rule;
mod country;
mod denial;
mod domain;
mod domain_digest;
mod enrolment;
mod examine;
mod finding;
mod language;
mod ledger;
mod news;
mod registration;
mod request_path;
mod revocation;
mod route;
mod rule;
mod severity;
mod snapshot;
mod time;
mod verdict;

pub use assessment::{Anonymous, Assessment};
pub use authority::resolve_authority;
pub use denial::Denial;
pub use domain::{ClientAuth, HostName, Lists, Mode, Profile, Purpose, Refusals, TrustDomain};
pub use domain_digest::DomainDigest;
pub use enrolment::{Enrolment, KeyCheck, KeyRules, KeySource};
pub use examine::examine;
pub use finding::Finding;
pub use ledger::{KnownRegister, Ledger};
pub use news::{Concerned, News};
pub use registration::{AccountServicing, RegisterRules, Registration};
pub use request_path::{PATH_BYTES_MAX, PathRefusal, RequestPath};
pub use revocation::{RevocationCheck, RevocationRules};
pub use route::{Lookup, Route, RouteError, RouteTable};
pub use rule::{ContentRule, Rule};
pub use severity::{Severities, Severity, UnknownSeverity};
pub use snapshot::{DomainId, Generation, Snapshot, believe};
pub use verdict::{Evidence, Grant, Permit, Rules, Verdict, admit_anonymous, authorise, decide};
