//! What operations came to: those of a second, or of a step of a scenario.

use std::time::Duration;

use anyhow::Result;
use serde::Serialize;

use crate::answer::Answer;
use crate::clients::Verdict;
use crate::failure::Failure;
use crate::latency::Latency;

/// Counts of operations that ended. Every one is in one count.
#[derive(Clone, Debug)]
pub(crate) struct Outcomes {
    /// Those that were answered as expected.
    pub(crate) completed: u64,
    /// Those that were refused as expected.
    pub(crate) refused: u64,
    /// Those that were answered otherwise.
    pub(crate) unexpected_status: u64,
    /// Those that failed.
    pub(crate) failed: u64,
    pub(crate) latency: Latency,
}

/// What a report says of them.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct OutcomeFigures {
    pub(crate) completed: u64,
    pub(crate) refused: u64,
    unexpected_status: u64,
    failed: u64,
    pub(crate) p50_us: Option<f64>,
    pub(crate) p99_us: Option<f64>,
}

impl Outcomes {
    /// Nothing yet.
    pub(crate) fn new() -> Result<Self> {
        let latency = Latency::new()?;
        Ok(Self { completed: 0, refused: 0, unexpected_status: 0, failed: 0, latency })
    }

    /// Counts an operation. Those that passed have a latency.
    pub(crate) fn count(&mut self, verdict: Verdict, result: &Result<Answer, Failure>, latency: Duration) {
        match (verdict, result) {
            (Verdict::Passed, _) => {
                self.completed += 1;
                self.latency.record(latency);
            }
            (Verdict::Refused, _) => self.refused += 1,
            (Verdict::Unexpected, Ok(_)) => self.unexpected_status += 1,
            (Verdict::Unexpected, Err(_)) => self.failed += 1,
        }
    }

    /// Takes over what another thread counted.
    pub(crate) fn add(&mut self, other: &Self) -> Result<()> {
        self.completed += other.completed;
        self.refused += other.refused;
        self.unexpected_status += other.unexpected_status;
        self.failed += other.failed;
        self.latency.add(&other.latency)
    }

    /// The figures of a report.
    pub(crate) fn figures(&self) -> OutcomeFigures {
        OutcomeFigures {
            completed: self.completed,
            refused: self.refused,
            unexpected_status: self.unexpected_status,
            failed: self.failed,
            p50_us: self.latency.quantile_us(0.5),
            p99_us: self.latency.quantile_us(0.99),
        }
    }
}
