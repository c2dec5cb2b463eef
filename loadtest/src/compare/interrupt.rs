//! A signal that asks this program to end. It is heard between steps, so that every child is ended before the program is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// Longest sleep between two looks at the flag: what a person does not notice, and what costs the measured core nothing.
const TICK: Duration = Duration::from_millis(10);

/// Whether the program has been asked to end.
#[derive(Clone, Debug)]
pub(crate) struct Interrupt {
    asked: Arc<AtomicBool>,
}

impl Interrupt {
    /// Takes SIGINT, SIGTERM and SIGHUP, none of which ends the program by itself from here on.
    pub(crate) fn listen() -> Result<Self> {
        let asked = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            signal_hook::flag::register(signal, Arc::clone(&asked)).context("signals")?;
        }
        Ok(Self { asked })
    }

    /// An error once the program has been asked to end.
    pub(crate) fn check(&self) -> Result<()> {
        if self.asked.load(Ordering::Relaxed) {
            bail!("interrupted");
        }
        Ok(())
    }

    /// Asks `done` again and again until it says so or `limit` is over. Returns whether it did.
    pub(crate) fn wait_until(&self, limit: Duration, mut done: impl FnMut() -> Result<bool>) -> Result<bool> {
        let end = Instant::now() + limit;
        loop {
            if done()? {
                return Ok(true);
            }
            self.check()?;
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            std::thread::sleep(left.min(TICK));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_ends_when_its_time_is_over_or_it_is_interrupted() {
        let interrupt = Interrupt { asked: Arc::default() };
        assert!(interrupt.wait_until(Duration::ZERO, || Ok(true)).unwrap());
        assert!(!interrupt.wait_until(Duration::from_millis(1), || Ok(false)).unwrap());
        interrupt.asked.store(true, Ordering::Relaxed);
        assert!(interrupt.wait_until(Duration::from_secs(3600), || Ok(false)).is_err());
    }
}
