//! Whether each shard still returns to its loop.
//!
//! A thread that spins or hangs in a call has not ended, so the end of threads says nothing of it, and it cannot report
//! itself. Each shard's housekeeping therefore leaves the time of its last turn, and whoever asks compares it with now.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// A shard whose last turn is longer ago is stuck. Housekeeping comes every 100 ms, so this is fifty turns missed: far more
/// than a machine under load costs, or a large plan that is taken up; below what probes and watchdogs wait.
pub const HEARTBEAT_AGE_MAX: Duration = Duration::from_secs(5);

/// The last turn of a shard that has ended: it owes none.
const ENDED: u64 = u64::MAX;

/// The last turns of all shards. Clones look at the same ones.
#[derive(Debug, Clone)]
pub struct Heartbeats {
    begin: Instant,
    /// Milliseconds from `begin` to the last turn of each shard, or [`ENDED`]. Each in an allocation of its own: shards
    /// share nothing that they write.
    turns: Arc<[Arc<AtomicU64>]>,
}

impl Heartbeats {
    /// For so many shards, each as if it had turned just now.
    pub fn new(shards: usize, now: Instant) -> Self {
        Self { begin: now, turns: (0..shards).map(|_| Arc::default()).collect() }
    }

    /// How long ago each shard last turned, by its number. Zero for one that has ended.
    pub fn ages(&self, now: Instant) -> impl Iterator<Item = Duration> {
        let now = now.saturating_duration_since(self.begin);
        // Relaxed: nothing else is read on the strength of it.
        self.turns.iter().map(move |turn| match turn.load(Ordering::Relaxed) {
            ENDED => Duration::ZERO,
            turn => now.saturating_sub(Duration::from_millis(turn)),
        })
    }

    /// The shard that has been silent longest, if that is longer than [`HEARTBEAT_AGE_MAX`], and for how long.
    pub fn stuck(&self, now: Instant) -> Option<(usize, Duration)> {
        self.ages(now).enumerate().max_by_key(|(_, age)| *age).filter(|(_, age)| *age > HEARTBEAT_AGE_MAX)
    }

    /// For the thread of one shard.
    pub(crate) fn pulse(&self, shard: usize) -> Pulse {
        Pulse { begin: self.begin, turn: Arc::clone(&self.turns[shard]) }
    }
}

/// A shard's end of it. Dropped, by a panic too, the shard has ended.
#[derive(Debug)]
pub(crate) struct Pulse {
    begin: Instant,
    turn: Arc<AtomicU64>,
}

impl Pulse {
    /// The shard's loop has come round.
    pub(crate) fn beat(&self, now: Instant) {
        let turn = now.saturating_duration_since(self.begin).as_millis();
        self.turn.store(u64::try_from(turn).unwrap_or(ENDED - 1), Ordering::Relaxed);
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.turn.store(ENDED, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TURN: Duration = Duration::from_millis(100);

    #[test]
    fn a_shard_that_stops_turning_is_stuck_until_it_turns() {
        let begin = Instant::now();
        let heartbeats = Heartbeats::new(2, begin);
        let (first, second) = (heartbeats.pulse(0), heartbeats.pulse(1));
        let mut now = begin;
        while now < begin + HEARTBEAT_AGE_MAX {
            now += TURN;
            first.beat(now);
        }
        assert_eq!(heartbeats.stuck(now), None, "the bound itself is not beyond it");
        now += TURN;
        assert_eq!(heartbeats.stuck(now), Some((1, HEARTBEAT_AGE_MAX + TURN)));
        assert_eq!(heartbeats.ages(now).collect::<Vec<_>>(), [TURN, HEARTBEAT_AGE_MAX + TURN]);
        second.beat(now);
        assert_eq!(heartbeats.stuck(now), None);
    }

    #[test]
    fn a_shard_that_ended_is_not_stuck() {
        let begin = Instant::now();
        let heartbeats = Heartbeats::new(2, begin);
        let (first, second) = (heartbeats.pulse(0), heartbeats.pulse(1));
        drop(first);
        let later = begin + 2 * HEARTBEAT_AGE_MAX;
        second.beat(later);
        assert_eq!(heartbeats.stuck(later), None);
        assert_eq!(heartbeats.stuck(later + 2 * HEARTBEAT_AGE_MAX).map(|(shard, _)| shard), Some(1));
    }

    #[test]
    fn a_shard_that_never_turned_counts_from_the_start() {
        let begin = Instant::now();
        let heartbeats = Heartbeats::new(1, begin);
        assert_eq!(heartbeats.stuck(begin), None);
        assert!(heartbeats.stuck(begin + 2 * HEARTBEAT_AGE_MAX).is_some());
    }
}
