//! A bounded table whose entries end.

use std::fmt;

use quick_cache::{Weighter, unsync::Cache};

use crate::{CacheKey, Keep, UNIT_BYTES};

/// One table. Keys are hashed with a seed of its own: leaf hashes can be chosen by who makes certificates.
pub(crate) struct Table<V>(Cache<CacheKey, Entry<V>, Units>);

struct Entry<V> {
    value: V,
    from: i64,
    until: i64,
    units: u64,
}

#[derive(Clone)]
struct Units;

impl<V> Weighter<CacheKey, Entry<V>> for Units {
    fn weight(&self, _: &CacheKey, entry: &Entry<V>) -> u64 {
        entry.units
    }
}

impl<V> Table<V> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self(Cache::with_weighter(capacity, capacity as u64, Units))
    }

    pub(crate) fn get(&self, key: &CacheKey, now: i64) -> Option<&V> {
        self.0.get(key).filter(|entry| (entry.from..=entry.until).contains(&now)).map(|entry| &entry.value)
    }

    pub(crate) fn insert(&mut self, key: CacheKey, value: V, keep: Keep) {
        let units = keep.bytes.div_ceil(UNIT_BYTES).max(1) as u64;
        self.0.insert(key, Entry { value, from: keep.from, until: keep.until, units });
    }

    pub(crate) fn remove(&mut self, key: &CacheKey) {
        self.0.remove(key);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

impl<V> fmt::Debug for Table<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table").field("len", &self.len()).finish_non_exhaustive()
    }
}
