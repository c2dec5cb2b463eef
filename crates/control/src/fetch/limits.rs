//! How much a server may take and give.

use std::time::Duration;

/// The bounds of one fetch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FetchLimits {
    /// Bytes of a document. At a longer one the fetch ends with `fetch.too-large`: at once where the server announces its
    /// length, and otherwise when the byte too many comes.
    pub(crate) bytes_max: usize,
    /// The whole fetch, with its redirects.
    pub(crate) total_timeout: Duration,
    /// Name look-up, TCP and TLS of one connection.
    pub(crate) connect_timeout: Duration,
    /// Silence of a server: until the head of its answer is there, and between two pieces of the body.
    pub(crate) stall_timeout: Duration,
    /// Redirects that are followed. One more ends the fetch with `fetch.redirect`.
    pub(crate) redirects_max: usize,
}

impl Default for FetchLimits {
    /// The largest trusted list of 2023, Italy's, has 2.4 MB: ten times as much is taken, and it may come at 350 kbit/s.
    fn default() -> Self {
        Self {
            bytes_max: 32 << 20,
            total_timeout: Duration::from_secs(60),
            connect_timeout: Duration::from_secs(10),
            stall_timeout: Duration::from_secs(15),
            redirects_max: 3,
        }
    }
}
