//! What comes over a connection under a seal: HTTP messages that are signed with the key of a `QSealC`.
//!
//! The steps of verification make what the next one needs: [`Seal::parse`] finds what is claimed; the caller judges the
//! [certificate](Parsed::certificate); [`Parsed::verify_signature`] believes the head; [`ExpectedDigest::begin`] and
//! [`BodyDigest::finish`] believe the body. [`SealRules`] say what is demanded, a [`ReplayWindow`] remembers what has
//! come, [`explain`] tells the same step by step, and a [`Sealer`] makes what is verified here.
//!
//! Trust: every byte of a message is hostile. The crate opens nothing, keeps no clock and judges no certificate.

#![forbid(unsafe_code)]

mod algorithm;
mod berlin_group;
mod certificate_field;
mod claim;
mod component;
mod coverage;
mod digest;
mod distinguished_name;
#[cfg(test)]
mod draft_tests;
mod error;
mod excerpt;
mod explain;
mod freshness;
mod head;
#[cfg(test)]
mod hostile_tests;
mod key_id;
mod message_signatures;
mod observer;
mod parameters;
mod query_param;
mod replay;
#[cfg(test)]
mod rfc9421_tests;
mod rules;
mod seal;
#[cfg(test)]
mod seal_tests;
mod sealer;
#[cfg(test)]
mod test_message;
mod verifying_key;

pub use algorithm::Algorithm;
pub use claim::COMPONENTS_MAX;
pub use coverage::COVERED_MIN;
pub use digest::{BodyDigest, DIGESTS_MAX, ExpectedDigest};
pub use error::SealError;
pub use explain::{Outcome, Step, explain};
pub use head::{RequestHead, ResponseHead};
pub use message_signatures::SIGNATURES_MAX;
pub use replay::{ENTRY_BYTES, ReplayWindow};
pub use rules::{Profile, SealRules};
pub use seal::{Parsed, REQUEST_ID_BYTES_MAX, Seal, Sealed};
pub use sealer::{Field, Sealer};
