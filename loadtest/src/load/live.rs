//! The line that tells somebody at a terminal how it goes.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::latency::Latency;
use crate::outcomes::Outcomes;

/// How often the line changes.
const INTERVAL: Duration = Duration::from_millis(500);

/// The line. There is none where standard error is no terminal.
#[derive(Debug)]
pub(super) struct Live {
    is_shown: bool,
    shown: Instant,
    completed: u64,
    failed: u64,
    latency: Latency,
}

impl Live {
    pub(super) fn new(start: Instant) -> Result<Self> {
        let is_shown = io::stderr().is_terminal();
        Ok(Self { is_shown, shown: start, completed: 0, failed: 0, latency: Latency::new()? })
    }

    /// Takes up a second of one thread, and shows how it goes.
    pub(super) fn take(&mut self, start: Instant, second: &Outcomes) -> Result<()> {
        if !self.is_shown {
            return Ok(());
        }
        self.completed += second.completed + second.refused;
        self.failed += second.failed + second.unexpected_status;
        self.latency.add(&second.latency)?;
        if self.shown.elapsed() >= INTERVAL {
            self.shown = Instant::now();
            // Whoever closed standard error does not miss the line.
            let _ = write!(io::stderr(), "\r\x1b[K{}", self.line(start.elapsed()));
        }
        Ok(())
    }

    /// Makes room for the result.
    pub(super) fn end(&self) {
        if self.is_shown {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }

    fn line(&self, elapsed: Duration) -> String {
        let elapsed_s = elapsed.as_secs_f64();
        let rate = self.completed as f64 / elapsed_s.max(f64::MIN_POSITIVE);
        let us = |quantile| self.latency.quantile_us(quantile).unwrap_or_default();
        format!(
            "{elapsed_s:5.0} s  {:>9} done  {rate:>8.0} /s  p50 {:.0} us  p99 {:.0} us  p99.9 {:.0} us  {} failed",
            self.completed,
            us(0.5),
            us(0.99),
            us(0.999),
            self.failed,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_has_its_figures() {
        let mut live = Live { is_shown: true, ..Live::new(Instant::now()).unwrap() };
        (live.completed, live.failed) = (1000, 3);
        live.latency.record(Duration::from_micros(250));
        let line = live.line(Duration::from_secs(2));
        assert!(line.contains("1000 done") && line.contains("500 /s") && line.contains("3 failed"), "{line}");
        assert!(line.contains("p99 250 us"), "{line}");
    }
}
