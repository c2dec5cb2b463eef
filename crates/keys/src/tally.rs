//! What was answered to the holder of a key.

use std::sync::atomic::{AtomicU64, Ordering};

/// Answers by the class of their status. All shards count here.
#[derive(Debug, Default)]
pub struct Tally([AtomicU64; CLASSES.len()]);

const CLASSES: [&str; 4] = ["2xx", "3xx", "4xx", "5xx"];

/// Where the answers to holders are counted who are not told apart.
pub(crate) static OVERFLOW: Tally = Tally([const { AtomicU64::new(0) }; CLASSES.len()]);

impl Tally {
    /// The answers to all holders who are not told apart.
    pub fn overflow() -> &'static Self {
        &OVERFLOW
    }

    /// Counts an answer with this status.
    pub fn answered(&self, status: u16) {
        let class = usize::from(status / 100).saturating_sub(2).min(CLASSES.len() - 1);
        self.0[class].fetch_add(1, Ordering::Relaxed);
    }

    /// How many answers of each class there were.
    pub fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        CLASSES.into_iter().zip(self.0.iter().map(|count| count.load(Ordering::Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_has_its_class() {
        let tally = Tally::default();
        for status in [200, 204, 304, 403, 429, 502, 101, 999] {
            tally.answered(status);
        }
        assert_eq!(tally.counts().collect::<Vec<_>>(), [("2xx", 3), ("3xx", 1), ("4xx", 2), ("5xx", 2)]);
    }
}
