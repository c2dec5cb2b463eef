//! Authorisation servers whose tokens open routes, and what they publish.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use portcullis_token::KeySet;

/// How often a request that waits for a key set looks whether it is there.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// The keys of one issuer, as they were last fetched. Plans that name the same source share it.
#[derive(Debug, Default)]
pub struct IssuerKeys {
    set: ArcSwap<KeySet>,
    /// Whether a shard met a token whose key is not among them, and nobody has looked for it since.
    is_asked: AtomicBool,
}

impl IssuerKeys {
    /// Keys that are there from the start.
    pub fn new(set: KeySet) -> Self {
        Self { set: ArcSwap::from_pointee(set), is_asked: AtomicBool::new(false) }
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

    /// Asks for them to be fetched again, and waits until they were, or cannot be, or `wait` is over.
    pub(crate) async fn ask(&self, wait: Duration) {
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
