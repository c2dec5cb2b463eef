//! Tokens that a shard has verified.

use std::fmt;

use ahash::RandomState;
use quick_cache::{
    Weighter,
    unsync::{Cache, DefaultLifecycle},
};

/// What an entry takes beside its token and its value, in bytes.
const ENTRY_BYTES: usize = 256;
/// What an entry is expected to take with both: that of a token with a dozen of claims. Room for as many as fit is kept from the start.
const ENTRY_BYTES_USUAL: usize = 4096;

/// What is known of tokens, by their text. Only what was verified is put there, so that nobody fills it who cannot sign.
///
/// The whole text is compared, and hashed with a seed of the table's own.
pub struct TokenCache<V>(Cache<Box<str>, Entry<V>, Bytes, RandomState>);

struct Entry<V> {
    value: V,
    bytes: usize,
    until: i64,
}

#[derive(Clone)]
struct Bytes;

impl<V> Weighter<Box<str>, Entry<V>> for Bytes {
    fn weight(&self, token: &Box<str>, entry: &Entry<V>) -> u64 {
        (ENTRY_BYTES + token.len()).saturating_add(entry.bytes) as u64
    }
}

impl<V> TokenCache<V> {
    /// Room for so many bytes.
    pub fn new(bytes_max: usize) -> Self {
        let (items, lifecycle) = (bytes_max / ENTRY_BYTES_USUAL, DefaultLifecycle::default());
        Self(Cache::with(items, bytes_max as u64, Bytes, RandomState::new(), lifecycle))
    }

    /// What is known of a token at `now`, in Unix seconds. Allocates nothing.
    pub fn get(&self, token: &str, now: i64) -> Option<&V> {
        self.0.get(token).filter(|entry| now <= entry.until).map(|entry| &entry.value)
    }

    /// Remembers a token until a second, with a value that takes so many bytes.
    pub fn insert(&mut self, token: &str, value: V, bytes: usize, until: i64) {
        self.0.insert(token.into(), Entry { value, bytes, until });
    }
}

impl<V> fmt::Debug for TokenCache<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenCache").field("len", &self.0.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_known_until_its_end_and_room_is_bounded() {
        let mut cache = TokenCache::new(1 << 20);
        cache.insert("a.b.c", 7, 10, 100);
        assert_eq!(
            (cache.get("a.b.c", 100), cache.get("a.b.c", 101), cache.get("a.b.d", 1)),
            (Some(&7), None, None)
        );
        for number in 0..10_000 {
            cache.insert(&format!("token-{number}"), number, 2000, 100);
        }
        assert!(cache.0.len() <= (1 << 20) / (ENTRY_BYTES + 2000), "{}", cache.0.len());
        assert!(cache.0.weight() <= 1 << 20);
    }
}
