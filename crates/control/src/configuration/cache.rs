//! `[cache]`: how much a shard remembers of the certificates that it has verified.

use std::time::Duration;

use portcullis_gateway::plan::CachePlan;

use super::section::Section;

pub(crate) const KEYS: &[&str] = &["capacity", "max_age"];

/// With fewer, those that are turned out are those that come again.
const CAPACITY_LEAST: u64 = 16;
/// More certificates than any register has providers, and as much memory as one shard should have.
const CAPACITY_MOST: u64 = 16 << 20;
const MAX_AGE_LEAST: Duration = Duration::from_secs(1);
/// A path is built anew once a day, whatever else is known of it.
const MAX_AGE_MOST: Duration = Duration::from_secs(24 * 60 * 60);

/// Reads the table; `None` stands for one that is not written.
pub(crate) fn read(section: Option<&Section<'_>>) -> CachePlan {
    let default = CachePlan::default();
    let Some(section) = section else { return default };
    CachePlan {
        capacity: section.count("capacity", CAPACITY_LEAST..=CAPACITY_MOST).or_usize(default.capacity),
        max_age: section.duration("max_age", MAX_AGE_LEAST..=MAX_AGE_MOST).or(default.max_age),
    }
}
