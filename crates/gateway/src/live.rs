//! The living connections of each certificate, on all shards.

use std::collections::HashSet;

use dashmap::{DashMap, Entry};
use portcullis_identity::Thumbprint;

/// Where the connections of a certificate are. Shards write it once when a connection begins and once when it ends, and look into
/// it when there is news about a certificate; the control plane counts, and looks who is there before it forgets a certificate.
#[derive(Debug, Default)]
pub struct LiveConnections(DashMap<Thumbprint, HashSet<Place>>);

/// A connection: the shard, and its place at that shard's bell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Place {
    /// The number of the shard.
    pub shard: usize,
    /// Where it listens there.
    pub ear: usize,
}

impl LiveConnections {
    /// Notes that a connection begins.
    pub fn enter(&self, thumbprint: Thumbprint, place: Place) {
        self.0.entry(thumbprint).or_default().insert(place);
    }

    pub(crate) fn leave(&self, thumbprint: Thumbprint, place: Place) {
        let Entry::Occupied(mut places) = self.0.entry(thumbprint) else { return };
        places.get_mut().remove(&place);
        if places.get().is_empty() {
            places.remove();
        }
    }

    /// The places of a certificate's connections at the bell of one shard.
    pub(crate) fn ears(&self, thumbprint: &Thumbprint, shard: usize) -> Vec<usize> {
        let places = self.0.get(thumbprint);
        let of_shard = |places: &HashSet<Place>| {
            places.iter().filter(|place| place.shard == shard).map(|place| place.ear).collect()
        };
        places.map_or_else(Vec::new, |places| of_shard(&places))
    }

    /// How many connections a certificate has.
    pub fn of(&self, thumbprint: &Thumbprint) -> usize {
        self.0.get(thumbprint).map_or(0, |places| places.len())
    }

    /// How many certificates have a connection.
    pub fn certificates(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_found_by_certificate_and_shard_while_they_live() {
        let (one, other) = (Thumbprint::from([1; 32]), Thumbprint::from([2; 32]));
        let live = LiveConnections::default();
        for (shard, ear) in [(0, 7), (1, 7), (0, 8)] {
            live.enter(one, Place { shard, ear });
        }
        live.enter(other, Place { shard: 0, ear: 9 });
        let mut ears = live.ears(&one, 0);
        ears.sort_unstable();
        assert_eq!((ears, live.ears(&one, 1), live.of(&one)), (vec![7, 8], vec![7], 3));
        assert_eq!((live.ears(&other, 0), live.certificates()), (vec![9], 2));
        live.leave(one, Place { shard: 0, ear: 7 });
        assert_eq!((live.ears(&one, 0), live.ears(&one, 1)), (vec![8], vec![7]));
        live.leave(one, Place { shard: 0, ear: 8 });
        live.leave(one, Place { shard: 1, ear: 7 });
        live.leave(other, Place { shard: 0, ear: 9 });
        assert_eq!((live.of(&one), live.certificates()), (0, 0));
    }
}
