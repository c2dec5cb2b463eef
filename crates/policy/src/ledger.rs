//! What changes from minute to minute, beside the rules.

use std::sync::Arc;

use portcullis_keys::KeyBook;
use portcullis_trust::{Register, StatusBook};

use crate::News;

/// What is known at present of certificates and their holders: looked up at every verdict, once in each edition where a verdict is
/// remembered. Immutable once published, and published anew with every answer; a clone shares what it has in common.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    /// Which edition this is: no two that were published have the same.
    pub edition: u64,
    /// What is known of revocation.
    pub status: StatusBook,
    /// The authorities' register, if one was read.
    pub register: Option<KnownRegister>,
    /// The keys of those who come.
    pub keys: KeyBook,
    /// What is new in it.
    pub news: News,
}

/// A register, and for how long it may be relied on.
#[derive(Debug, Clone)]
pub struct KnownRegister {
    /// What it says.
    pub register: Arc<Register>,
    /// Until when it serves, in Unix seconds.
    pub until: i64,
}
