//! How much memory all CRLs take together.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// What the CRLs that are at hand take. Clones share one count.
#[derive(Clone, Debug, Default)]
pub(super) struct CrlMemory(Arc<AtomicU64>);

/// The share of one CRL. It is given back when this is dropped.
#[derive(Debug)]
pub(super) struct Share {
    bytes: u64,
    memory: CrlMemory,
}

impl CrlMemory {
    /// How many bytes are taken. For as long as one CRL takes the place of another, both count.
    pub(super) fn taken(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Takes `bytes` for a CRL that is to stand in the place of one with the share `before`; nothing if all would take more than
    /// `bytes_max` then. One that is no larger than the one before always may: the bound may have been lowered since.
    pub(super) fn take(&self, bytes: u64, before: Option<&Share>, bytes_max: u64) -> Option<Share> {
        let given_back = before.map_or(0, |before| before.bytes);
        let fits = |taken: u64| {
            let then = taken.saturating_sub(given_back).saturating_add(bytes);
            (bytes <= given_back || then <= bytes_max).then(|| taken.saturating_add(bytes))
        };
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).ok()?;
        Some(Share { bytes, memory: self.clone() })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.memory.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_is_bounded_and_given_back() {
        let memory = CrlMemory::default();
        let first = memory.take(60, None, 100).unwrap();
        assert!(memory.take(41, None, 100).is_none());
        let second = memory.take(40, None, 100).unwrap();
        assert_eq!(memory.taken(), 100);
        drop(second);
        assert_eq!(memory.taken(), 60);
        // The next version of a CRL may be as large as the bound leaves when the one before is gone.
        assert!(memory.take(101, Some(&first), 100).is_none());
        let next = memory.take(100, Some(&first), 100).unwrap();
        drop(first);
        assert_eq!(memory.taken(), 100);
        assert!(memory.take(100, Some(&next), 10).is_some(), "it takes no more than the one before");
        assert!(memory.take(101, Some(&next), 10).is_none());
    }
}
