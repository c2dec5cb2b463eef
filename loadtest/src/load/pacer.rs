//! The times of an open loop, kept by a thread of their own: the runtime's timers come a millisecond late.

use std::io::Write as _;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::rc::Rc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use monoio::io::AsyncReadRent as _;
use monoio::net::UnixStream;

use super::schedule::{Arrivals, End};

/// Operations that may wait for a worker. At a hundred thousand a second a server that stands still for ten seconds fills it.
const WAITING_MAX: usize = 1 << 20;

/// When operations begin, as seconds after the first.
#[derive(Debug)]
pub(crate) struct Times {
    rate: f64,
    told: u64,
    now_s: f64,
    /// Draws the times of a Poisson process; without it the distances are all the same.
    random: Option<fastrand::Rng>,
}

impl Times {
    /// For a mean rate per second. With a seed they are those of a Poisson process.
    pub(crate) fn new(rate: f64, seed: Option<u64>) -> Self {
        Self { rate, told: 0, now_s: 0.0, random: seed.map(fastrand::Rng::with_seed) }
    }

    /// When the next one begins. Distances are not summed up where they are the same, nor are their roundings.
    fn next(&mut self) -> Duration {
        self.told += 1;
        self.now_s = match &mut self.random {
            None => self.told as f64 / self.rate,
            // The inverse of the exponential distribution; 1 - f64() is never 0.
            Some(random) => self.now_s - (1.0 - random.f64()).ln() / self.rate,
        };
        Duration::from_secs_f64(self.now_s)
    }
}

/// A thread that tells of operations as they become due.
#[derive(Debug)]
pub(crate) struct Pacer {
    due: Receiver<Instant>,
    bell: StdUnixStream,
}

impl Pacer {
    /// Begins at `first`.
    pub(crate) fn start(first: Instant, mut times: Times, end: End) -> Result<Self> {
        let (bell, mut ring) = StdUnixStream::pair().context("a pair of sockets")?;
        // A bell that is not listened to needs no second stroke.
        ring.set_nonblocking(true).context("a pair of sockets")?;
        let (sender, due) = channel();
        let keep_time = move || {
            let (mut next, mut told) = (first, 0);
            let is_over = |next: Instant, told: u64| match end {
                End::Count(count) => told >= count,
                End::At(end) => next >= end,
            };
            while !is_over(next, told) {
                std::thread::sleep(next.saturating_duration_since(Instant::now()));
                let now = Instant::now();
                while next <= now && !is_over(next, told) {
                    if sender.send(next).is_err() {
                        return;
                    }
                    next = first + times.next();
                    told += 1;
                }
                let _ = ring.write(&[0]);
            }
            // With the sender and the bell gone the other side knows that this was all.
        };
        std::thread::Builder::new().name("pacer".to_owned()).spawn(keep_time).context("a thread")?;
        Ok(Self { due, bell })
    }

    /// Hands what becomes due to the workers, until all was. Returns how many were not taken since too many waited.
    pub(crate) async fn run(self, arrivals: Rc<Arrivals>) -> Result<u64> {
        let mut lost = 0;
        self.bell.set_nonblocking(true).context("a pair of sockets")?;
        let mut bell = UnixStream::from_std(self.bell).context("a pair of sockets")?;
        let mut strokes = vec![0; 4096];
        loop {
            let (read, buffer) = bell.read(strokes).await;
            strokes = buffer;
            let is_over = !matches!(read, Ok(1..));
            for at in self.due.try_iter() {
                lost += u64::from(!arrivals.arrive(at, WAITING_MAX));
            }
            if is_over {
                arrivals.end();
                return Ok(lost);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_keep_their_rate() {
        let last = |mut times: Times| (0..100_000).map(|_| times.next()).last().unwrap().as_secs_f64();
        for rate in [3.0, 300.0, 700_000.0, 3_000_000.0] {
            let expected = 100_000.0 / rate;
            assert!((last(Times::new(rate, None)) - expected).abs() < 2e-9, "{rate}");
        }
        let poisson = last(Times::new(1000.0, Some(7)));
        assert!((poisson - 100.0).abs() < 2.0, "{poisson}");
        let again = || Times::new(9.0, Some(1)).next();
        assert_eq!(again(), again(), "a seed gives the same times again");
    }
}
