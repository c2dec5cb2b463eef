//! Waiting for something that must come to pass, but not at once.

use std::thread;
use std::time::{Duration, Instant};

/// How long a test waits for anything. No outcome depends on it but a failure: it is far above what the slowest machine needs.
pub const DEADLINE: Duration = Duration::from_secs(30);

const PAUSE: Duration = Duration::from_millis(20);

/// Looks again and again until `holds`.
///
/// # Panics
///
/// After [`DEADLINE`], with `what`.
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < DEADLINE, "not within {DEADLINE:?}: {what}");
        thread::sleep(PAUSE);
    }
}
