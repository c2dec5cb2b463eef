//! Authorisation servers whose tokens open routes, and what they publish.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use portcullis_token::KeySet;

/// How often a request that waits for a key set looks whether it is there.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);
/// Requests that wait for one issuer: as many as come in two seconds to a busy gate whose issuer has just changed its keys. Each is woken
/// for each look, and anybody with a certificate can name a key that is not there; those beyond are answered by what is known.
const WAITING_MAX: usize = 1000;

/// The keys of one issuer, as they were last read or fetched. Plans that name the same source share it.
#[derive(Debug)]
pub struct IssuerKeys {
    set: ArcSwap<KeySet>,
    /// Whether somebody fetches them: others stay as they are, and are not waited for.
    are_fetched: bool,
    /// How many requests wait for them.
    waiting: AtomicUsize,
    /// Whether a shard met a token whose key is not among them, and nobody has looked for it since.
    is_asked: AtomicBool,
}

impl IssuerKeys {
    /// Keys that are there from the start, and stay.
    pub fn fixed(set: KeySet) -> Self {
        Self::new(set, false)
    }

    /// Keys that are fetched, of which none is there yet.
    pub fn fetched() -> Self {
        Self::new(KeySet::default(), true)
    }

    fn new(set: KeySet, are_fetched: bool) -> Self {
        let (waiting, is_asked) = (AtomicUsize::new(0), AtomicBool::new(false));
        Self { set: ArcSwap::from_pointee(set), are_fetched, waiting, is_asked }
    }

    /// Whether they may be others after a [question](Self::ask).
    pub(crate) const fn are_fetched(&self) -> bool {
        self.are_fetched
    }

    /// Those at present; none before the issuer was first asked.
    pub fn present(&self) -> Arc<KeySet> {
        self.set.load_full()
    }

    /// Whether these are they.
    pub(crate) fn are(&self, set: &Arc<KeySet>) -> bool {
        Arc::ptr_eq(&self.set.load(), set)
    }

    /// Puts others in their place.
    pub fn publish(&self, set: KeySet) {
        self.set.store(Arc::new(set));
    }

    /// Whether a shard asks for them to be fetched again.
    pub fn is_asked(&self) -> bool {
        self.is_asked.load(Ordering::Acquire)
    }

    /// They were fetched, or cannot be at present.
    pub fn answer(&self) {
        self.is_asked.store(false, Ordering::Release);
    }

    /// Asks for them to be fetched again, and waits until they were, or cannot be, or `wait` is over; not where too many wait already.
    pub(crate) async fn ask(&self, wait: Duration) {
        let Some(_waiting) = Waiting::begin(&self.waiting) else { return };
        self.is_asked.store(true, Ordering::Release);
        let answered = async {
            while self.is_asked() {
                monoio::time::sleep(LOOK_INTERVAL).await;
            }
        };
        // Whether it was answered or not, the keys say it.
        let _ = monoio::time::timeout(wait, answered).await;
    }
}

/// A request that waits, counted for as long as it does.
#[derive(Debug)]
pub(crate) struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    /// `None` where as many wait as may.
    pub(crate) fn begin(count: &'a AtomicUsize) -> Option<Self> {
        let waiting = Self(count);
        (count.fetch_add(1, Ordering::Relaxed) < WAITING_MAX).then_some(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_requests_wait_and_who_goes_makes_room() {
        let count = AtomicUsize::new(0);
        let mut waiting: Vec<_> = (0..WAITING_MAX + 7).filter_map(|_| Waiting::begin(&count)).collect();
        assert_eq!((waiting.len(), count.load(Ordering::Relaxed)), (WAITING_MAX, WAITING_MAX));
        waiting.pop();
        assert!(Waiting::begin(&count).is_some());
        waiting.clear();
        assert_eq!(count.load(Ordering::Relaxed), 0);
    }
}
