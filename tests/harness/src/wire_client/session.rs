//! What a client keeps of a session.

use std::time::Instant;

use crate::Version;

/// A session that a server gave a ticket for. Every part may be altered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptSession {
    /// The version that it was made in.
    pub version: Version,
    /// What both sides know: the pre-shared key of TLS 1.3, the master secret of TLS 1.2.
    pub secret: Vec<u8>,
    /// What only the server can read.
    pub ticket: Vec<u8>,
    /// Seconds that it lives, by the server's word.
    pub lifetime_s: u32,
    /// Hides the age of the session; TLS 1.3.
    pub age_add: u32,
    /// Whether the server said that it takes early data.
    pub allows_early_data: bool,
    pub(super) received: Instant,
}

impl KeptSession {
    /// A session that is not from a server, or not as it gave it.
    #[must_use]
    pub fn new(version: Version, secret: Vec<u8>, ticket: Vec<u8>) -> Self {
        Self {
            version,
            secret,
            ticket,
            lifetime_s: 0,
            age_add: 0,
            allows_early_data: false,
            received: Instant::now(),
        }
    }

    /// The same with another ticket.
    #[must_use]
    pub fn with_ticket(&self, ticket: &[u8]) -> Self {
        Self { ticket: ticket.to_vec(), ..self.clone() }
    }

    /// The same with another's secret.
    #[must_use]
    pub fn with_secret_of(&self, other: &Self) -> Self {
        Self { secret: other.secret.clone(), ..self.clone() }
    }

    pub(super) fn obfuscated_age(&self) -> u32 {
        let age_ms = u32::try_from(self.received.elapsed().as_millis()).unwrap_or(u32::MAX);
        age_ms.wrapping_add(self.age_add)
    }
}
