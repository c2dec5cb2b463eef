//! Latencies of operations.

use std::time::Duration;

use anyhow::{Context, Result};
use hdrhistogram::Histogram;
use serde::Serialize;

/// Longest latency that is told apart. Deadlines are seconds; past an hour a latency is recorded as one hour.
const LATENCY_NS_MAX: u64 = 3_600_000_000_000;
/// Significant decimal digits kept: a recorded value is off by at most one in a thousand.
const DIGITS: u8 = 3;

/// Tenfold steps of the percentiles that are told: up to 99.999.
const PERCENTILE_DECADES: i32 = 5;

/// Latencies in nanoseconds, in constant memory.
#[derive(Clone, Debug)]
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

    /// Adds what another recorded.
    pub(crate) fn add(&mut self, other: &Self) -> Result<()> {
        self.histogram.add(&other.histogram).context("histogram")
    }

    /// The record itself, in nanoseconds.
    pub(crate) fn histogram(&self) -> &Histogram<u64> {
        &self.histogram
    }

    /// A quantile in microseconds; nothing if nothing was recorded.
    pub(crate) fn quantile_us(&self, quantile: f64) -> Option<f64> {
        (!self.histogram.is_empty()).then(|| us(self.histogram.value_at_quantile(quantile)))
    }

    /// Latencies in microseconds by percentile, closer together towards the end.
    pub(crate) fn percentiles(&self) -> Vec<(f64, f64)> {
        let Some(latency_us) = self.quantile_us(0.0) else { return Vec::new() };
        let mut points = vec![(0.0, latency_us)];
        // Of what lies above each step a tenth is looked at in ten parts: 10 to 90, 91 to 99, 99.1 to 99.9 and so on.
        for decade in 0..PERCENTILE_DECADES {
            let width = 0.1_f64.powi(decade);
            for part in 1..=9 {
                let quantile = 1.0 - width + width * f64::from(part) / 10.0;
                points.extend(self.quantile_us(quantile).map(|us| (quantile * 100.0, us)));
            }
        }
        points.extend(self.quantile_us(1.0).map(|us| (100.0, us)));
        points
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
    fn percentiles_come_closer_together() {
        let mut latency = Latency::new().unwrap();
        for us in 1..=100_000 {
            latency.record(Duration::from_micros(us));
        }
        let percentiles = latency.percentiles();
        assert_eq!(percentiles.len(), 47);
        assert!(percentiles.is_sorted_by(|one, next| one.0 < next.0 && one.1 <= next.1), "{percentiles:?}");
        let at =
            |wanted: f64| percentiles.iter().find(|(at, _)| (at - wanted).abs() < 1e-9).map(|(_, us)| *us);
        assert!(close(at(50.0), 50_000.0) && close(at(99.9), 99_900.0) && close(at(100.0), 100_000.0));
        assert!(Latency::new().unwrap().percentiles().is_empty());
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
