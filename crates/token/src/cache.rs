//! Tokens that a shard has verified.

use std::fmt;

use ahash::RandomState;
use quick_cache::{
    Weighter,
    unsync::{Cache, DefaultLifecycle},
};

/// What an entry takes beside its token, in bytes: what the token says once more, as a tree.
const ENTRY_BYTES: usize = 2048;

/// What is known of tokens, by their text. Only what was verified is put there, so that nobody fills it who cannot sign.
///
/// The whole text is compared, and hashed with a seed of the table's own.
pub struct TokenCache<V>(Cache<Box<str>, Entry<V>, Bytes, RandomState>);

struct Entry<V> {
    value: V,
    until: i64,
}

#[derive(Clone)]
struct Bytes;

impl<V> Weighter<Box<str>, Entry<V>> for Bytes {
    fn weight(&self, token: &Box<str>, _: &Entry<V>) -> u64 {
        // The text, and the claims in it, which are at most as long again.
        (ENTRY_BYTES + 2 * token.len()) as u64
    }
}

impl<V> TokenCache<V> {
    /// Room for so many bytes.
    pub fn new(bytes_max: usize) -> Self {
        let (items, lifecycle) = (bytes_max / (2 * ENTRY_BYTES), DefaultLifecycle::default());
        Self(Cache::with(items, bytes_max as u64, Bytes, RandomState::new(), lifecycle))
    }

    /// What is known of a token at `now`, in Unix seconds. Allocates nothing.
    pub fn get(&self, token: &str, now: i64) -> Option<&V> {
        self.0.get(token).filter(|entry| now <= entry.until).map(|entry| &entry.value)
    }

    /// Remembers a token until a second.
    pub fn insert(&mut self, token: &str, value: V, until: i64) {
        self.0.insert(token.into(), Entry { value, until });
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
        cache.insert("a.b.c", 7, 100);
        assert_eq!(
            (cache.get("a.b.c", 100), cache.get("a.b.c", 101), cache.get("a.b.d", 1)),
            (Some(&7), None, None)
        );
        for number in 0..10_000 {
            cache.insert(&format!("token-{number}"), number, 100);
        }
        assert!(cache.0.len() <= (1 << 20) / ENTRY_BYTES, "{}", cache.0.len());
        assert!(cache.0.weight() <= 1 << 20);
    }
}
