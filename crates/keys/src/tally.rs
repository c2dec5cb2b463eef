//! What became of the requests of the holder of a key.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// Answers by the class of their status, what they took, and refusals by their code. All shards count here.
#[derive(Debug, Default)]
pub struct Tally {
    answers: [AtomicU64; CLASSES.len()],
    took_us: AtomicU64,
    received_bytes: AtomicU64,
    sent_bytes: AtomicU64,
    /// There are as many codes as the gate has, and few of them come to one holder.
    refusals: Mutex<Vec<(&'static str, u64)>>,
}

const CLASSES: [&str; 4] = ["2xx", "3xx", "4xx", "5xx"];

/// Where that is counted of holders who are not told apart.
pub(crate) static OVERFLOW: Tally = Tally::new();

impl Tally {
    const fn new() -> Self {
        Self {
            answers: [const { AtomicU64::new(0) }; CLASSES.len()],
            took_us: AtomicU64::new(0),
            received_bytes: AtomicU64::new(0),
            sent_bytes: AtomicU64::new(0),
            refusals: Mutex::new(Vec::new()),
        }
    }

    /// That of all holders who are not told apart.
    pub fn overflow() -> &'static Self {
        &OVERFLOW
    }

    /// Counts an answer with this status, whose head was there after that time.
    pub fn answered(&self, status: u16, took: Duration) {
        let class = usize::from(status / 100).saturating_sub(2).min(CLASSES.len() - 1);
        self.answers[class].fetch_add(1, Ordering::Relaxed);
        let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.took_us.fetch_add(took_us, Ordering::Relaxed);
    }

    /// Counts a refusal with this code, of which an answer tells.
    pub fn refused(&self, code: &'static str) {
        let mut refusals = self.refusals_mut();
        match refusals.iter_mut().find(|(known, _)| *known == code) {
            Some((_, count)) => *count += 1,
            None => refusals.push((code, 1)),
        }
    }

    /// Counts bytes of the bodies of a request and of its answer.
    pub fn moved(&self, received_bytes: u64, sent_bytes: u64) {
        for (bytes, counter) in [(received_bytes, &self.received_bytes), (sent_bytes, &self.sent_bytes)] {
            if bytes > 0 {
                counter.fetch_add(bytes, Ordering::Relaxed);
            }
        }
    }

    /// How many answers of each class there were.
    pub fn answers(&self) -> impl Iterator<Item = (&'static str, u64)> {
        CLASSES.into_iter().zip(self.answers.iter().map(|count| count.load(Ordering::Relaxed)))
    }

    /// How many refusals of each code there were.
    pub fn refusals(&self) -> Vec<(&'static str, u64)> {
        self.refusals_mut().clone()
    }

    /// What all answers took.
    pub fn took(&self) -> Duration {
        Duration::from_micros(self.took_us.load(Ordering::Relaxed))
    }

    /// Bytes of the bodies of requests and of answers.
    pub fn bytes(&self) -> (u64, u64) {
        (self.received_bytes.load(Ordering::Relaxed), self.sent_bytes.load(Ordering::Relaxed))
    }

    fn refusals_mut(&self) -> MutexGuard<'_, Vec<(&'static str, u64)>> {
        self.refusals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_has_its_class_and_each_refusal_its_code() {
        let tally = Tally::default();
        for status in [200, 204, 304, 403, 429, 502, 101, 999] {
            tally.answered(status, Duration::from_micros(1500));
        }
        assert_eq!(tally.answers().collect::<Vec<_>>(), [("2xx", 3), ("3xx", 1), ("4xx", 2), ("5xx", 2)]);
        assert_eq!(tally.took(), Duration::from_millis(12));
        for code in ["policy.rate", "route.role", "policy.rate"] {
            tally.refused(code);
        }
        assert_eq!(tally.refusals(), [("policy.rate", 2), ("route.role", 1)]);
        tally.moved(0, 7);
        tally.moved(5, 1);
        assert_eq!(tally.bytes(), (5, 8));
    }
}
