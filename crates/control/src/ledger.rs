//! The ledger as the control plane keeps it: written here, published as a whole, read by shards.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use portcullis_policy::Ledger;

/// How often what was written is published: half of what a shard takes to look, and far more than it costs.
pub(crate) const PUBLISH_INTERVAL: Duration = Duration::from_millis(50);

/// What is known of the status of clients, with those versions of it that a shard may still look at. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct LedgerKeeper {
    published: Arc<ArcSwap<Ledger>>,
    desk: Arc<Mutex<Desk>>,
}

#[derive(Debug, Default)]
struct Desk {
    ledger: Ledger,
    is_changed: bool,
    /// The last reference to a version is dropped here, since that takes time.
    retired: Vec<Arc<Ledger>>,
}

impl LedgerKeeper {
    /// A ledger in which nothing is written.
    pub(crate) fn new() -> Self {
        Self { published: Arc::new(ArcSwap::from_pointee(Ledger::default())), desk: Arc::default() }
    }

    /// Where shards look.
    pub(crate) fn published(&self) -> &Arc<ArcSwap<Ledger>> {
        &self.published
    }

    /// Writes. Nobody sees it before it is [published](Self::publish).
    pub(crate) fn write<T>(&self, write: impl FnOnce(&mut Ledger) -> T) -> T {
        let mut desk = self.desk();
        desk.is_changed = true;
        write(&mut desk.ledger)
    }

    /// Reads, what is not published yet with the rest.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&Ledger) -> T) -> T {
        read(&self.desk().ledger)
    }

    /// Publishes what was written, if anything was.
    pub(crate) fn publish(&self) {
        let mut desk = self.desk();
        desk.retired.retain(|ledger| Arc::strong_count(ledger) > 1);
        if std::mem::take(&mut desk.is_changed) {
            desk.ledger.edition += 1;
            let before = self.published.swap(Arc::new(desk.ledger.clone()));
            desk.retired.push(before);
        }
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        // A panic while writing leaves a whole ledger: each write is one insertion.
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_shows_when_it_is_published_and_old_versions_go() {
        let keeper = LedgerKeeper::new();
        let seen = keeper.published().load_full();
        keeper.write(|ledger| ledger.news.about_anyone());
        assert_eq!(keeper.published().load().news.turn(), 0);
        keeper.publish();
        assert_eq!((keeper.published().load().news.turn(), seen.news.turn()), (1, 0));
        assert_eq!((keeper.published().load().edition, seen.edition), (1, 0));
        keeper.publish();
        assert_eq!(keeper.desk().retired.len(), 1, "somebody looks at it");
        drop(seen);
        keeper.publish();
        assert!(keeper.desk().retired.is_empty());
    }
}
