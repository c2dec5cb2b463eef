//! What a run came to, second by second.

use anyhow::Result;
use serde::Serialize;

use crate::latency::Latency;
use crate::outcomes::{OutcomeFigures, Outcomes};

/// Seconds that are kept: a day. What ends later is counted in the last one.
const SECONDS_MAX: usize = 86_400;

/// The seconds of a measurement, all threads together.
#[derive(Debug, Default)]
pub(super) struct Seconds(Vec<Outcomes>);

/// One of them in a result.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct SecondFigures {
    /// When it ended, in seconds since the start.
    at_s: f64,
    #[serde(flatten)]
    outcomes: OutcomeFigures,
}

impl Seconds {
    /// Adds what a thread counted in the `nth` second.
    pub(super) fn add(&mut self, nth: usize, second: &Outcomes) -> Result<()> {
        let nth = nth.min(SECONDS_MAX - 1);
        while self.0.len() <= nth {
            self.0.push(Outcomes::new()?);
        }
        self.0[nth].add(second)
    }

    /// The figures, the end of the last being that of the run.
    pub(super) fn figures(&self, elapsed_s: f64) -> Vec<SecondFigures> {
        let figures = self.0.iter().enumerate().map(|(nth, second)| SecondFigures {
            at_s: (nth as f64 + 1.0).min(elapsed_s),
            outcomes: second.figures(),
        });
        figures.collect()
    }

    /// The latencies of each.
    pub(super) fn latencies(&self) -> impl Iterator<Item = &Latency> {
        self.0.iter().map(|second| &second.latency)
    }
}
