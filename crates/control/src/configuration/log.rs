//! `[log]`.

use std::path::PathBuf;

use tracing::level_filters::LevelFilter;

use super::{
    entry::Entry,
    file::Folder,
    fixed::Fixed,
    mistake::{Place, shown},
    section::Section,
};

pub(crate) const KEYS: &[&str] = &["access", "access_file", "audit", "audit_file", "level"];

const LEVELS: [(&str, LevelFilter); 5] = [
    ("error", LevelFilter::ERROR),
    ("warn", LevelFilter::WARN),
    ("info", LevelFilter::INFO),
    ("debug", LevelFilter::DEBUG),
    ("trace", LevelFilter::TRACE),
];

/// What is logged, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSettings {
    /// Whether an access record is written for each request.
    pub access: bool,
    /// Where access records go; standard output if not set.
    pub access_file: Option<PathBuf>,
    /// Whether an audit record is written for each verdict on a client certificate.
    pub audit: bool,
    /// Where audit records go; standard output if not set.
    pub audit_file: Option<PathBuf>,
    /// How much is logged to standard error.
    pub level: LevelFilter,
}

/// Reads the table; `None` stands for one that is not written. Also returns what must stay as it is.
pub(crate) fn read(section: Option<&Section<'_>>, folder: &Folder) -> (LogSettings, Vec<Fixed>) {
    let access = section.map_or(Entry::Absent, |section| section.flag("access"));
    let audit = section.map_or(Entry::Absent, |section| section.flag("audit"));
    let level = section.map_or(Entry::Absent, |section| section.choice("level", &LEVELS));
    let mut fixed = Vec::new();
    let place = |key: &str| Place { line: 0, key: key.to_owned() };
    let mut file = |key: &'static str| {
        let file = section.map_or(Entry::Absent, |section| section.text(key));
        let key = format!("log.{key}");
        let file_place = file.as_written().map_or(place(&key), |written| written.place.clone());
        let file_shown =
            file.as_written().map_or("standard output".to_owned(), |written| shown(&written.value));
        fixed.push(Fixed::new(key, file_place, file_shown));
        file.written().map(|file| folder.join(&file.value))
    };
    let (access_file, audit_file) = (file("access_file"), file("audit_file"));
    let level_place = level.as_written().map_or(place("log.level"), |written| written.place.clone());
    let level = level.or(LevelFilter::INFO);
    fixed.push(Fixed::new("log.level", level_place, level.to_string()));
    let (access, audit) = (access.or(false), audit.or(false));
    (LogSettings { access, access_file, audit, audit_file, level }, fixed)
}
