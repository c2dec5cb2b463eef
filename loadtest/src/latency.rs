//! Latencies of operations.

use std::time::Duration;

use anyhow::{Context, Result};
use hdrhistogram::Histogram;
use serde::Serialize;

/// Longest latency that is told apart. Deadlines are seconds; past an hour a latency is recorded as one hour.
const LATENCY_NS_MAX: u64 = 3_600_000_000_000;
/// Significant decimal digits kept: a recorded value is off by at most one in a thousand.
const DIGITS: u8 = 3;

/// Latencies in nanoseconds, in constant memory.
#[derive(Debug)]
pub(crate) struct Latency {
    histogram: Histogram<u64>,
}

/// What a report says of latencies. Microseconds, absent when nothing was recorded.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct LatencySummary {
    pub(crate) min_us: Option<f64>,
    pub(crate) mean_us: Option<f64>,
    pub(crate) p50_us: Option<f64>,
    pub(crate) p99_us: Option<f64>,
    pub(crate) p999_us: Option<f64>,
    pub(crate) max_us: Option<f64>,
}

impl Latency {
    /// An empty record.
    pub(crate) fn new() -> Result<Self> {
        let histogram = Histogram::new_with_bounds(1, LATENCY_NS_MAX, DIGITS).context("histogram")?;
        Ok(Self { histogram })
    }

    /// Adds one latency.
    pub(crate) fn record(&mut self, latency: Duration) {
        self.histogram.saturating_record(u64::try_from(latency.as_nanos()).unwrap_or(LATENCY_NS_MAX));
    }

    /// The figures of a report.
    pub(crate) fn summary(&self) -> LatencySummary {
        if self.histogram.is_empty() {
            return LatencySummary::default();
        }
        let quantile = |quantile| Some(us(self.histogram.value_at_quantile(quantile)));
        LatencySummary {
            min_us: Some(us(self.histogram.min())),
            mean_us: Some(self.histogram.mean() / 1000.0),
            p50_us: quantile(0.5),
            p99_us: quantile(0.99),
            p999_us: quantile(0.999),
            max_us: Some(us(self.histogram.max())),
        }
    }
}

fn us(ns: u64) -> f64 {
    ns as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: Option<f64>, expected_us: f64) -> bool {
        found.is_some_and(|found| (found - expected_us).abs() <= expected_us / 1000.0)
    }

    #[test]
    fn quantiles_are_within_a_thousandth() {
        let mut latency = Latency::new().unwrap();
        for us in 1..=1000 {
            latency.record(Duration::from_micros(us));
        }
        let summary = latency.summary();
        assert!(close(summary.min_us, 1.0) && close(summary.max_us, 1000.0), "{summary:?}");
        assert!(close(summary.p50_us, 500.0) && close(summary.p99_us, 990.0), "{summary:?}");
        assert!(close(summary.p999_us, 999.0) && close(summary.mean_us, 500.5), "{summary:?}");
    }

    #[test]
    fn nothing_recorded_has_no_figures() {
        let summary = Latency::new().unwrap().summary();
        assert!(summary.min_us.is_none() && summary.p999_us.is_none());
    }

    #[test]
    fn a_latency_past_the_end_is_not_lost() {
        let mut latency = Latency::new().unwrap();
        latency.record(Duration::from_secs(7200));
        assert!(close(latency.summary().max_us, 3.6e9));
    }
}
