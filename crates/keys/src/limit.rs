//! How much the holder of a key does, counted across all shards.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use crate::Tally;

/// So many requests in so much time, and how many may come at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Requests of a period, one at least.
    pub requests: u32,
    /// The period, in seconds.
    pub period_s: u32,
    /// Requests that may come at once after a time of silence.
    pub burst: u32,
}

/// What the holder of a key does at present. All shards count here, so that limits are exact whatever shard a connection is on.
#[derive(Debug, Default)]
pub struct KeyUse {
    /// The theoretical arrival time of the generic cell rate algorithm (ITU-T I.371), in nanoseconds of the gate's clock.
    arrival_ns: AtomicU64,
    requests: AtomicU32,
    connections: AtomicU32,
    /// The day since 1970 above, and the requests of that day below the 40th bit.
    day: AtomicU64,
    /// Where its answers are counted, if it is told apart.
    tally: OnceLock<Arc<Tally>>,
}

/// Counts as long as it lives.
#[derive(Debug)]
pub struct Claim {
    usage: Arc<KeyUse>,
    what: Counted,
}

#[derive(Clone, Copy, Debug)]
enum Counted {
    Request,
    Connection,
}

const DAY_SHIFT: u32 = 40;
const DAY_S: i64 = 24 * 60 * 60;

impl Rate {
    /// Nanoseconds from one request to the next.
    const fn interval_ns(self) -> u64 {
        let requests = if self.requests == 0 { 1 } else { self.requests as u64 };
        let interval = self.period_s as u64 * 1_000_000_000 / requests;
        if interval == 0 { 1 } else { interval }
    }

    /// How far ahead of the present the arrival time may be.
    fn tolerance_ns(self) -> u64 {
        self.interval_ns().saturating_mul(u64::from(self.burst.max(1)))
    }
}

impl KeyUse {
    /// Where the answers to the holder are counted.
    pub fn tally(&self) -> &Tally {
        self.tally.get().map_or(Tally::overflow(), |tally| tally)
    }

    /// Tells the holder apart from others, from now on.
    pub fn tell_apart(&self) -> Arc<Tally> {
        Arc::clone(self.tally.get_or_init(Arc::default))
    }

    /// Takes one request at `now_ns` of a clock that all shards share.
    ///
    /// # Errors
    /// There were too many. Nanoseconds until one more may come.
    pub fn take(&self, rate: Rate, now_ns: u64) -> Result<(), u64> {
        let interval = rate.interval_ns();
        let tolerance = rate.tolerance_ns();
        let mut arrival = self.arrival_ns.load(Ordering::Relaxed);
        loop {
            let next = arrival.max(now_ns).saturating_add(interval);
            let ahead = next - now_ns;
            if ahead > tolerance {
                return Err(ahead - tolerance);
            }
            let swapped =
                self.arrival_ns.compare_exchange_weak(arrival, next, Ordering::Relaxed, Ordering::Relaxed);
            match swapped {
                Ok(_) => return Ok(()),
                Err(newer) => arrival = newer,
            }
        }
    }

    /// Lets go what was spent at another rate, of which `rate` takes the place at `now_ns`: its burst counts as spent at most. Only for a
    /// change that the holder cannot bring about.
    pub fn settle(&self, rate: Rate, now_ns: u64) {
        self.arrival_ns.fetch_min(now_ns.saturating_add(rate.tolerance_ns()), Ordering::Relaxed);
    }

    /// Lets go what was spent at any rate.
    pub(crate) fn forgive(&self) {
        self.arrival_ns.store(0, Ordering::Relaxed);
    }

    /// Takes one of the requests of the day, of which there may be `quota`.
    ///
    /// # Errors
    /// There were as many. Seconds until the next day (UTC).
    pub fn take_of_day(&self, quota: u64, unix_now: i64) -> Result<(), i64> {
        let quota = quota.min((1 << DAY_SHIFT) - 1);
        let today = u64::try_from(unix_now.div_euclid(DAY_S)).unwrap_or(0);
        let count = |day: u64| if day >> DAY_SHIFT == today { day & ((1 << DAY_SHIFT) - 1) } else { 0 };
        let taken = self.day.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |day| {
            (count(day) < quota).then(|| today << DAY_SHIFT | (count(day) + 1))
        });
        taken.map(drop).map_err(|_| DAY_S - unix_now.rem_euclid(DAY_S))
    }

    /// Counts a request as under way; `None` where there are `most`.
    pub fn claim_request(self: &Arc<Self>, most: u32) -> Option<Claim> {
        self.claim(Counted::Request, most)
    }

    /// Counts a connection; `None` where there are `most`.
    pub fn claim_connection(self: &Arc<Self>, most: u32) -> Option<Claim> {
        self.claim(Counted::Connection, most)
    }

    fn claim(self: &Arc<Self>, what: Counted, most: u32) -> Option<Claim> {
        let more = |count: u32| (count < most).then_some(count + 1);
        self.counter(what).fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        Some(Claim { usage: Arc::clone(self), what })
    }

    const fn counter(&self, what: Counted) -> &AtomicU32 {
        match what {
            Counted::Request => &self.requests,
            Counted::Connection => &self.connections,
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.usage.counter(self.what).fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_burst_and_then_one_by_one() {
        let usage = KeyUse::default();
        let rate = Rate { requests: 10, period_s: 1, burst: 5 };
        let start = 7 * SECOND;
        for _ in 0..5 {
            assert_eq!(usage.take(rate, start), Ok(()));
        }
        assert_eq!(usage.take(rate, start), Err(SECOND / 10));
        assert_eq!(usage.take(rate, start + SECOND / 10 - 1), Err(1));
        assert_eq!(usage.take(rate, start + SECOND / 10), Ok(()));
        assert_eq!(usage.take(rate, start + SECOND / 10), Err(SECOND / 10));
        // After silence there is a burst again, and no more than that.
        let later = start + 100 * SECOND;
        assert_eq!((0..9).filter(|_| usage.take(rate, later).is_ok()).count(), 5);
    }

    #[test]
    fn a_new_rate_does_not_wait_for_the_old_one() {
        let usage = KeyUse::default();
        let slow = Rate { requests: 1, period_s: 3600, burst: 10 };
        let fast = Rate { requests: 10, period_s: 1, burst: 5 };
        let now = 7 * SECOND;
        assert_eq!((0..20).filter(|_| usage.take(slow, now).is_ok()).count(), 10);
        assert_eq!(usage.take(fast, now), Err(36_000 * SECOND + SECOND / 10 - SECOND / 2));
        usage.settle(fast, now);
        assert_eq!(usage.take(fast, now), Err(SECOND / 10), "its burst is spent");
        assert_eq!(usage.take(fast, now + SECOND / 10), Ok(()));
        usage.settle(slow, now + SECOND);
        assert_eq!(usage.take(fast, now + SECOND), Ok(()), "nothing is spent by it");
        usage.forgive();
        assert_eq!((0..20).filter(|_| usage.take(slow, now).is_ok()).count(), 10);
    }

    /// Against a bucket of tokens that is filled by hand.
    #[test]
    fn it_admits_what_a_bucket_of_tokens_admits() {
        let rate = Rate { requests: 3, period_s: 2, burst: 4 };
        let (usage, mut tokens, mut filled) = (KeyUse::default(), 4.0_f64, 0_u64);
        let mut state = 1_u64;
        let mut now = 0;
        for _ in 0..5000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            now += (state >> 33) % SECOND;
            let gained = (now - filled) as f64 / SECOND as f64 * 1.5;
            (tokens, filled) = ((tokens + gained).min(4.0), now);
            // Where the bucket has a token but for rounding, either may be right.
            let is_close = (tokens - 1.0).abs() < 1e-6;
            let admitted = usage.take(rate, now).is_ok();
            assert!(is_close || admitted == (tokens >= 1.0), "{tokens} tokens, admitted: {admitted}");
            if admitted {
                tokens -= 1.0;
            }
        }
    }

    #[test]
    fn threads_together_get_no_more_than_one_alone() {
        let usage = KeyUse::default();
        let rate = Rate { requests: 1000, period_s: 1, burst: 100 };
        let admitted: usize = thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        (0..20_000_u64).filter(|step| usage.take(rate, step * 50_000).is_ok()).count()
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        // A burst, and a second's worth.
        assert!(admitted <= 1100, "{admitted}");
        assert!(admitted >= 1000, "{admitted}");
    }

    #[test]
    fn a_day_has_its_quota_and_the_next_one_its_own() {
        let usage = KeyUse::default();
        let morning = 20_000 * DAY_S + 3600;
        assert_eq!((0..5).filter(|_| usage.take_of_day(3, morning).is_ok()).count(), 3);
        assert_eq!(usage.take_of_day(3, morning), Err(DAY_S - 3600));
        assert_eq!(usage.take_of_day(4, morning), Ok(()), "the quota was raised");
        assert_eq!((0..5).filter(|_| usage.take_of_day(3, morning + DAY_S).is_ok()).count(), 3);
        assert_eq!(usage.take_of_day(0, morning), Err(DAY_S - 3600));
    }

    #[test]
    fn what_is_claimed_is_given_back() {
        let usage = Arc::new(KeyUse::default());
        let claims: Vec<_> = (0..3).filter_map(|_| usage.claim_request(2)).collect();
        assert_eq!(claims.len(), 2);
        assert!(usage.claim_connection(1).is_some(), "connections are counted apart");
        drop(claims);
        assert!(usage.claim_request(1).is_some());
        assert!(usage.claim_request(0).is_none());
    }
}
