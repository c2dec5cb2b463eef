//! What a shard remembers of verdicts.
//!
//! A [`VerificationCache`] serves one thread, opens nothing and takes the present as an argument. It knows nothing of
//! verdicts but whether they admit, how long they stand, and how large they are.

#![forbid(unsafe_code)]

mod table;

use crate::table::Table;

/// What an entry takes that is counted as one, in bytes: a QWAC of 2.4 kB with an intermediate of 2 kB, what was read out of the
/// leaf, and what was found. A larger one counts as several.
pub const UNIT_BYTES: usize = 10 * 1024;

/// Refusals for one verdict that admits. They only spare the work of refusing the same certificate again and again.
const REFUSED_SHARE: usize = 8;

/// Whose verdict it is: a certificate means one thing in each trust domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CacheKey {
    /// What the trust domain was configured to ask, as a digest.
    pub domain: [u8; 32],
    /// SHA-256 of the leaf certificate.
    pub leaf: [u8; 32],
}

/// What a verdict said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The client may pass.
    Admitted,
    /// It may not.
    Refused,
}

/// How a value is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// In which table.
    pub outcome: Outcome,
    /// The second, Unix time, at which it was made: it says nothing of what was before, should the clock be set back.
    pub from: i64,
    /// The last second at which it stands.
    pub until: i64,
    /// What it takes, in bytes.
    pub bytes: usize,
}

/// The verdicts that one shard remembers.
#[derive(Debug)]
pub struct VerificationCache<V> {
    admitted: Table<V>,
    refused: Table<V>,
}

impl<V> VerificationCache<V> {
    /// Room for `capacity` verdicts that admit, of up to [`UNIT_BYTES`] each, and for an eighth of that which refuse. Memory is
    /// taken as it fills.
    pub fn new(capacity: usize) -> Self {
        Self { admitted: Table::new(capacity), refused: Table::new(capacity.div_ceil(REFUSED_SHARE)) }
    }

    /// What is remembered and stands at `now`, in Unix seconds.
    pub fn get(&self, key: &CacheKey, now: i64) -> Option<&V> {
        self.admitted.get(key, now).or_else(|| self.refused.get(key, now))
    }

    /// Remembers a verdict in place of the one before. One that is larger than a whole table is not remembered.
    pub fn insert(&mut self, key: CacheKey, value: V, keep: Keep) {
        let (table, other) = match keep.outcome {
            Outcome::Admitted => (&mut self.admitted, &mut self.refused),
            Outcome::Refused => (&mut self.refused, &mut self.admitted),
        };
        other.remove(&key);
        table.insert(key, value, keep);
    }

    /// How many verdicts are remembered that admit, and that refuse; among them such as have ended.
    pub fn len(&self) -> (usize, usize) {
        (self.admitted.len(), self.refused.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(leaf: u64) -> CacheKey {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&leaf.to_be_bytes());
        CacheKey { domain: [0; 32], leaf: bytes }
    }

    fn keep(outcome: Outcome) -> Keep {
        Keep { outcome, from: 0, until: i64::MAX, bytes: 1000 }
    }

    #[test]
    fn an_entry_stands_from_its_first_second_to_its_last() {
        let mut cache = VerificationCache::new(16);
        cache.insert(key(1), "one", Keep { from: 7, until: 10, ..keep(Outcome::Admitted) });
        assert_eq!(cache.get(&key(1), 6), None);
        assert_eq!(cache.get(&key(1), 7), Some(&"one"));
        assert_eq!(cache.get(&key(1), 10), Some(&"one"));
        assert_eq!(cache.get(&key(1), 11), None);
    }

    #[test]
    fn a_domain_knows_nothing_of_another() {
        let mut cache = VerificationCache::new(16);
        cache.insert(key(1), "one", keep(Outcome::Admitted));
        assert_eq!(cache.get(&CacheKey { domain: [1; 32], ..key(1) }, 0), None);
    }

    #[test]
    fn the_last_verdict_counts_whatever_it_was() {
        let mut cache = VerificationCache::new(16);
        cache.insert(key(1), "admitted", keep(Outcome::Admitted));
        cache.insert(key(1), "refused", keep(Outcome::Refused));
        assert_eq!((cache.get(&key(1), 0), cache.len()), (Some(&"refused"), (0, 1)));
        cache.insert(key(1), "admitted again", keep(Outcome::Admitted));
        assert_eq!((cache.get(&key(1), 0), cache.len()), (Some(&"admitted again"), (1, 0)));
    }

    #[test]
    fn what_is_large_counts_as_several() {
        let mut cache = VerificationCache::new(64);
        for leaf in 0..64 {
            cache.insert(key(leaf), (), Keep { bytes: 4 * UNIT_BYTES, ..keep(Outcome::Admitted) });
        }
        assert!(cache.len().0 <= 16, "{:?}", cache.len());
        cache.insert(key(1000), (), Keep { bytes: 65 * UNIT_BYTES, ..keep(Outcome::Admitted) });
        assert_eq!(cache.get(&key(1000), 0), None);
    }

    /// The share of hits of 2,000 known clients that come in turn, the popular more often, while for each of their visits
    /// ten `strangers` come that are never seen again.
    fn share_of_hits(strangers: Option<Outcome>) -> f64 {
        const VISITS: u32 = 20_000;
        let mut cache = VerificationCache::new(4096);
        let (mut hits, mut next_stranger, mut seed) = (0_u32, 1 << 32, 1_u64);
        for visit in 0..2 * VISITS {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let draw = seed >> 33;
            let client = (draw % 2000) * (draw / 2000 % 2000) / 2000;
            match cache.get(&key(client), 0) {
                Some(()) if visit >= VISITS => hits += 1,
                Some(()) => {}
                None => cache.insert(key(client), (), keep(Outcome::Admitted)),
            }
            let Some(outcome) = strangers.filter(|_| visit >= VISITS) else { continue };
            for _ in 0..10 {
                next_stranger += 1;
                cache.insert(key(next_stranger), (), keep(outcome));
            }
        }
        f64::from(hits) / f64::from(VISITS)
    }

    #[test]
    fn a_flood_of_strangers_leaves_regulars_their_place() {
        let quiet = share_of_hits(None);
        assert!(quiet > 0.97, "{quiet}");
        // Those that are refused are apart; those that pass share the table.
        let refused = share_of_hits(Some(Outcome::Refused));
        assert!((quiet - refused).abs() < f64::EPSILON, "{refused} of {quiet}");
        let admitted = share_of_hits(Some(Outcome::Admitted));
        assert!(quiet - admitted < 0.02, "{admitted} of {quiet}");
    }
}
