//! The log of refusals, bounded per cause.

use std::{
    collections::HashMap,
    fmt::Display,
    net::SocketAddr,
    time::{Duration, Instant},
};

/// Lines a cause may write in each [`WINDOW`]. Enough to see who and why; a flood beyond is counted and summed up.
const LINES_PER_WINDOW: u32 = 10;
const WINDOW: Duration = Duration::from_secs(1);

/// Writes refusals to the log, at most ten lines a second for each cause and shard. What was held back is told with
/// the next line that is written.
#[derive(Debug, Default)]
pub struct RefusalLog {
    /// Keyed by codes, which are constants of the program: a peer cannot make it grow.
    causes: HashMap<&'static str, Cause>,
}

#[derive(Debug)]
struct Cause {
    window_start: Instant,
    lines: u32,
    held_back: u64,
}

/// Who was refused, as far as it is known and proved.
#[derive(Clone, Copy)]
pub struct Refused<'a> {
    /// The listener's name.
    pub listener: &'a str,
    /// The client's address.
    pub peer: SocketAddr,
    /// The organizationIdentifier, only where possession of the key was proved.
    pub organization_identifier: Option<&'a str>,
    /// SHA-256 of the certificate, likewise.
    pub thumbprint_sha256: Option<&'a dyn Display>,
}

impl<'a> Refused<'a> {
    /// Somebody of whom nothing is proved.
    pub fn unknown(listener: &'a str, peer: SocketAddr) -> Self {
        Self { listener, peer, organization_identifier: None, thumbprint_sha256: None }
    }
}

impl RefusalLog {
    /// Logs that a peer was refused for the cause `code`, with a sentence. `detail` runs only if a line is written.
    pub fn refused(
        &mut self,
        code: &'static str,
        who: &Refused<'_>,
        detail: impl FnOnce() -> String,
        now: Instant,
    ) {
        let Some(held_back) = self.admit(code, now) else { return };
        tracing::warn!(
            code,
            listener = who.listener,
            peer = %who.peer,
            organization_identifier = who.organization_identifier,
            thumbprint_sha256 = who.thumbprint_sha256.map(tracing::field::display),
            held_back,
            detail = detail(),
            "refused"
        );
    }

    /// Logs that a peer who passes would be refused for the cause `code` by rules that are only observed.
    pub fn would_refuse(
        &mut self,
        code: &'static str,
        who: &Refused<'_>,
        detail: impl FnOnce() -> String,
        now: Instant,
    ) {
        let Some(held_back) = self.admit(code, now) else { return };
        tracing::warn!(
            code,
            listener = who.listener,
            peer = %who.peer,
            organization_identifier = who.organization_identifier,
            thumbprint_sha256 = who.thumbprint_sha256.map(tracing::field::display),
            held_back,
            detail = detail(),
            "would be refused"
        );
    }

    /// Whether a line for `code` may be written now; with the number of lines held back since the last one.
    fn admit(&mut self, code: &'static str, now: Instant) -> Option<u64> {
        let fresh = || Cause { window_start: now, lines: 0, held_back: 0 };
        let cause = self.causes.entry(code).or_insert_with(fresh);
        if now.saturating_duration_since(cause.window_start) >= WINDOW {
            cause.window_start = now;
            cause.lines = 0;
        }
        if cause.lines >= LINES_PER_WINDOW {
            cause.held_back += 1;
            return None;
        }
        cause.lines += 1;
        Some(std::mem::take(&mut cause.held_back))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_one_cause_is_held_back_and_told_later() {
        let mut log = RefusalLog::default();
        let start = Instant::now();
        let written = (0..100).filter(|_| log.admit("a", start).is_some()).count();
        assert_eq!(written, 10);
        assert_eq!(log.admit("b", start), Some(0), "another cause is not held back by it");
        assert_eq!(log.admit("a", start + WINDOW), Some(90));
        assert_eq!(log.admit("a", start + WINDOW), Some(0));
    }
}
