//! Who comes back: keys made from certificates, and what is kept of them.
//!
//! A [`KeyIdentity`] is what a certificate says of its holder in a form that the next certificate repeats. A [`KeyRecord`] is
//! all that is kept of it, changed by [enrolment](KeyRecord::enrol) and by [operators](KeyChange); a [`KeyEntry`] is as much of
//! that as a shard needs, found in the [`KeyBook`]. A [`KeyStore`] keeps records.
//!
//! Trust: identities come from certificates that were judged; texts in them are what an issuer wrote.

#![forbid(unsafe_code)]

mod book;
mod change;
mod key_id;
mod key_identity;
mod limit;
mod policy;
mod record;
mod sighted;
mod store;
mod tally;

pub use book::{KeyBook, KeyEntry, KnownCertificate};
pub use change::{KeyChange, KeyError, TextKind};
pub use key_id::{KeyId, KeyIdError};
pub use key_identity::{IdentityDigest, KeyIdentity};
pub use limit::{Claim, KeyUse, Rate};
pub use policy::{Asked, Hours, Overstep, Policy};
pub use record::{
    CERTIFICATES_MAX, DISPLAY_NAME_CHARS_MAX, KeyRecord, KeyState, Member, NOTES_CHARS_MAX, TAG_CHARS_MAX,
    TAGS_MAX, is_name,
};
pub use sighted::Sighted;
pub use store::{KeyStore, StoreChange, StoreError};
pub use tally::Tally;
