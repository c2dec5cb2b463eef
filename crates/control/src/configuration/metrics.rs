//! `[metrics]`: how much of it there is.

use super::section::Section;

pub(crate) const KEYS: &[&str] = &["max_keys"];

/// With two dozen series of a listener, as many as a small Prometheus takes without notice.
const MAX_KEYS: usize = 100;
const MAX_KEYS_MOST: u64 = 10_000;

/// How many keys have series of their own. `None` stands for a table that is not written.
pub(crate) fn max_keys(section: Option<&Section<'_>>) -> usize {
    section.map_or(MAX_KEYS, |section| section.count("max_keys", 0..=MAX_KEYS_MOST).or_usize(MAX_KEYS))
}
