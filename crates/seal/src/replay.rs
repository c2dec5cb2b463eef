//! Requests that have come, so that none comes twice.

use std::collections::{HashSet, VecDeque};
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use aws_lc_rs::digest::{Context, SHA256};

use crate::error::SealError;
use crate::rules::SealRules;
use crate::seal::Sealed;

/// Parts of the window, so that threads seldom wait for each other. A power of two that divides the values of an octet.
const PARTS: usize = 16;

/// Bytes that one remembered request takes at most: its hash in a table, of which after it has grown 7 of 16 places are
/// taken and each has an octet beside, and again with its end in a queue that is half full.
pub const ENTRY_BYTES: usize = 33 * 16 / 7 + 2 * 40 + 1;

/// The requests of late, by organisation and `X-Request-ID`. All threads of a process share it; what came to another
/// process is not known here.
///
/// A request is remembered for as long as a message that was sealed as late as the rules allow would be accepted, and
/// never less. What is kept of it is a hash, so that memory is bounded by the number alone, whatever identifiers look
/// like. At the bound a request is refused: to forget one early would let it come twice.
#[derive(Debug)]
pub struct ReplayWindow {
    parts: [Mutex<Part>; PARTS],
    entries: AtomicUsize,
    entries_max: usize,
    /// Only ever longer.
    remembered_s: AtomicI64,
}

type Key = [u8; 32];

#[derive(Debug, Default)]
struct Part {
    known: HashSet<Key>,
    /// In order of their ends, since each is remembered for as long as any other.
    ends: VecDeque<(i64, Key)>,
}

impl ReplayWindow {
    /// A window for messages that are accepted by these rules. It takes [`ENTRY_BYTES`] for each of `entries_max`, and
    /// grows as they come.
    pub fn new(rules: &SealRules, entries_max: usize) -> Self {
        let remembered_s = AtomicI64::new(remembered_s(rules));
        Self { parts: Default::default(), entries: AtomicUsize::new(0), entries_max, remembered_s }
    }

    /// Has it serve messages that are accepted by these rules, too. It remembers what comes from now on for as long as the
    /// rules ask that ask most, and never for less than before.
    pub fn widen(&self, rules: &SealRules) {
        self.remembered_s.fetch_max(remembered_s(rules), Ordering::Relaxed);
    }

    /// Takes notice of a sealed request of an organisation at `now_s`. One without an identifier is never known.
    ///
    /// Called before the body is read: a request whose body turns out to be another has come, too.
    ///
    /// # Errors
    /// [`SealError::Replayed`]; [`SealError::ReplayFull`] at the bound.
    pub fn admit(&self, organisation: &str, sealed: &Sealed, now_s: i64) -> Result<(), SealError> {
        let Some(request_id) = &sealed.request_id else { return Ok(()) };
        self.remember(organisation, request_id, now_s)
    }

    fn remember(&self, organisation: &str, request_id: &str, now_s: i64) -> Result<(), SealError> {
        let key = key(organisation, request_id);
        let part = &self.parts[usize::from(key[0]) % PARTS];
        if self.forget_ended(part, now_s).known.contains(&key) {
            return Err(SealError::Replayed { request_id: request_id.into() });
        }
        if !self.take_place() {
            self.parts.iter().for_each(|part| drop(self.forget_ended(part, now_s)));
            if !self.take_place() {
                return Err(SealError::ReplayFull { entries_max: self.entries_max });
            }
        }
        let mut part = lock(part);
        if !part.known.insert(key) {
            // The same request on another thread was faster.
            self.entries.fetch_sub(1, Ordering::Relaxed);
            return Err(SealError::Replayed { request_id: request_id.into() });
        }
        // Not before the one ahead of it, where a thread's clock was read earlier.
        let end_s = now_s.saturating_add(self.remembered_s.load(Ordering::Relaxed));
        let end_s = part.ends.back().map_or(end_s, |(last_s, _)| end_s.max(*last_s));
        part.ends.push_back((end_s, key));
        Ok(())
    }

    /// How many requests are remembered.
    pub fn len(&self) -> usize {
        self.entries.load(Ordering::Relaxed)
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn take_place(&self) -> bool {
        let more = |entries: usize| (entries < self.entries_max).then_some(entries + 1);
        self.entries.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    fn forget_ended<'a>(&self, part: &'a Mutex<Part>, now_s: i64) -> MutexGuard<'a, Part> {
        let mut part = lock(part);
        while let Some((end_s, key)) = part.ends.front().copied()
            && end_s < now_s
        {
            part.ends.pop_front();
            part.known.remove(&key);
            self.entries.fetch_sub(1, Ordering::Relaxed);
        }
        part
    }
}

/// Sealed as far in the future as clocks may differ, and accepted until it is stale by a clock that differs.
fn remembered_s(rules: &SealRules) -> i64 {
    i64::from(rules.freshness_s_max) + 2 * i64::from(rules.clock_skew_s)
}

/// A part is whole between any two of its changes, so that a thread that panicked left nothing half done.
fn lock(part: &Mutex<Part>) -> MutexGuard<'_, Part> {
    part.lock().unwrap_or_else(PoisonError::into_inner)
}

fn key(organisation: &str, request_id: &str) -> Key {
    let mut context = Context::new(&SHA256);
    // With its length ahead, so that no two pairs are written alike.
    context.update(&organisation.len().to_be_bytes());
    context.update(organisation.as_bytes());
    context.update(request_id.as_bytes());
    let mut key = [0; 32];
    key.copy_from_slice(context.finish().as_ref());
    key
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    const NOW: i64 = 1_790_000_000;

    fn window(entries_max: usize) -> ReplayWindow {
        ReplayWindow::new(
            &SealRules { freshness_s_max: 60, clock_skew_s: 5, ..SealRules::default() },
            entries_max,
        )
    }

    fn told(window: &ReplayWindow, organisation: &str, request_id: &str, now_s: i64) -> &'static str {
        window.remember(organisation, request_id, now_s).map_or_else(|error| error.code(), |()| "new")
    }

    #[test]
    fn a_request_comes_once_until_the_window_ends() {
        let window = window(10);
        assert_eq!(told(&window, "A", "1", NOW), "new");
        assert_eq!(told(&window, "A", "1", NOW), "seal.replayed");
        assert_eq!(told(&window, "B", "1", NOW), "new", "another organisation's is another");
        assert_eq!(told(&window, "A", "1", NOW + 70), "seal.replayed");
        assert_eq!(told(&window, "A", "1", NOW + 71), "new");
    }

    #[test]
    fn it_remembers_for_as_long_as_the_rules_that_ask_most() {
        let window = window(10);
        window.widen(&SealRules { freshness_s_max: 100, clock_skew_s: 0, ..SealRules::default() });
        window.widen(&SealRules { freshness_s_max: 1, clock_skew_s: 0, ..SealRules::default() });
        assert_eq!(told(&window, "A", "1", NOW), "new");
        assert_eq!(told(&window, "A", "1", NOW + 100), "seal.replayed");
        assert_eq!(told(&window, "A", "1", NOW + 101), "new");
    }

    #[test]
    fn at_its_bound_nothing_is_forgotten_early() {
        let window = window(100);
        for number in 0..100 {
            assert_eq!(told(&window, "A", &number.to_string(), NOW), "new");
        }
        assert_eq!(told(&window, "A", "100", NOW + 70), "seal.replay-full");
        assert_eq!(told(&window, "A", "0", NOW + 70), "seal.replayed");
        for number in 100..200 {
            assert_eq!(
                told(&window, "A", &number.to_string(), NOW + 71),
                "new",
                "all have ended, in every part"
            );
        }
        assert_eq!(window.len(), 100);
    }

    #[test]
    fn a_clock_that_goes_back_forgets_nothing() {
        let window = window(100);
        for number in 0..50 {
            assert_eq!(told(&window, "A", &number.to_string(), NOW - number), "new");
        }
        assert!((0..50).all(|number| told(&window, "A", &number.to_string(), NOW) == "seal.replayed"));
    }

    #[test]
    fn of_many_threads_one_is_first() {
        let window = window(1000);
        let first: usize = thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        (0..500)
                            .filter(|number| told(&window, "A", &number.to_string(), NOW) == "new")
                            .count()
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!((first, window.len()), (500, 500));
    }
}
