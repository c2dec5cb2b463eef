//! What changes from minute to minute, beside the rules.

use portcullis_trust::StatusBook;

/// What is known at present of certificates' status: looked up at every verdict and never part of what a verdict leaves
/// behind. Immutable once published, and published anew with every answer; a clone shares what it has in common.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    /// What is known of revocation.
    pub status: StatusBook,
    /// Counts the news that may make a difference to who was judged before: a certificate is revoked, or is no more.
    pub turn: u64,
}
