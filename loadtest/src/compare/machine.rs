//! What a comparison was made on, and when.

use std::fs;

use anyhow::{Context, Result};
use time::OffsetDateTime;
use time::macros::format_description;

/// The processor, as the kernel names it.
pub(crate) fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    let name = name.map_or("an unnamed processor", |(_, name)| name.trim());
    let processors = text.lines().filter(|line| line.starts_with("processor")).count();
    format!("{processors} × {name}")
}

/// The kernel with the numbers of its release.
pub(crate) fn kernel() -> String {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let numbers: Vec<_> = release.trim().split(['.', '-']).take(2).collect();
    format!("Linux {}", numbers.join("."))
}

/// Today in UTC, as 2026-11-24.
pub(crate) fn today() -> Result<String> {
    OffsetDateTime::now_utc().format(format_description!("[year]-[month]-[day]")).context("the date")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_has_a_name() {
        assert!(kernel().starts_with("Linux ") && kernel().len() > "Linux ".len());
        assert!(processor().starts_with(|first: char| first.is_ascii_digit() && first != '0'));
        assert_eq!(today().unwrap().len(), "2026-11-24".len());
    }
}
