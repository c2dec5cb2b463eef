//! When to fetch again.

use std::time::Duration;

/// The delay after the first failure is twice this: long enough for a server to be restarted.
const FIRST: Duration = Duration::from_secs(30);
/// A shorter period would be a loop.
const PERIOD_LEAST: Duration = Duration::from_secs(1);
/// A tenth either way, in millionths, so that gates that started together do not ask together for ever.
const JITTER_PPM: u64 = 100_000;
const PPM: u64 = 1_000_000;

/// The delays of one document that is fetched periodically.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Backoff {
    period: Duration,
}

impl Backoff {
    /// For a document that is fetched every `period`, and at most once a second.
    pub(crate) fn new(period: Duration) -> Self {
        Self { period: period.max(PERIOD_LEAST) }
    }

    /// The time until the next fetch after this many `failures` in a row: the period after a success, else 30 s · 2^failures
    /// where that is shorter. Either is up to a tenth longer or shorter, as `random` has it: any number drawn evenly.
    pub(crate) fn delay(self, failures: u32, random: u64) -> Duration {
        let base = match failures {
            0 => self.period,
            _ => FIRST.saturating_mul(2_u32.saturating_pow(failures)).min(self.period),
        };
        let ppm = PPM - JITTER_PPM + random % (2 * JITTER_PPM + 1);
        let nanos = base.as_nanos().saturating_mul(ppm.into()) / u128::from(PPM);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);
    /// Draws that give the shortest delay, the unchanged one and the longest.
    const DRAWS: [u64; 3] = [0, JITTER_PPM, 2 * JITTER_PPM];

    #[test]
    fn a_success_is_followed_by_the_period_and_some_jitter() {
        let delays = DRAWS.map(|random| Backoff::new(HOUR).delay(0, random).as_secs());
        assert_eq!(delays, [3240, 3600, 3960]);
    }

    #[test]
    fn failures_double_the_delay_up_to_the_period() {
        let delays = [1, 2, 3, 6, 7, 31, 32, u32::MAX]
            .map(|failures| Backoff::new(HOUR).delay(failures, JITTER_PPM).as_secs());
        assert_eq!(delays, [60, 120, 240, 1920, 3600, 3600, 3600, 3600]);
        let delays = DRAWS.map(|random| Backoff::new(HOUR).delay(1, random).as_secs());
        assert_eq!(delays, [54, 60, 66]);
    }

    #[test]
    fn no_period_and_no_draw_leaves_the_bounds() {
        for random in [0, 1, u64::MAX / 2, u64::MAX] {
            let delay = Backoff::new(HOUR).delay(0, random);
            assert!((HOUR * 9 / 10..=HOUR * 11 / 10).contains(&delay), "{delay:?}");
            assert!(Backoff::new(Duration::ZERO).delay(0, random) >= Duration::from_millis(900));
            assert!(Backoff::new(Duration::ZERO).delay(9, random) >= Duration::from_millis(900));
            assert!(Backoff::new(Duration::MAX).delay(0, random) > HOUR);
        }
    }
}
