//! `[log]`.

use std::path::PathBuf;

use tracing::level_filters::LevelFilter;

use super::{
    entry::Entry,
    file::Folder,
    fixed::Fixed,
    mistake::{Place, shown},
    quantity::show_size,
    section::Section,
};

pub(crate) const KEYS: &[&str] = &[
    "access",
    "access_file",
    "access_rotate_bytes",
    "access_keep",
    "audit",
    "audit_file",
    "audit_rotate_bytes",
    "audit_keep",
    "level",
];

/// As much as is written in one go: with less a busy gate would rotate at each write.
const ROTATE_BYTES_LEAST: u64 = 64 << 10;
/// Beyond what a disk has for logs.
const ROTATE_BYTES_MOST: u64 = 1 << 40;
/// With files of 100 MiB, a GiB.
const KEEP: u64 = 10;
/// A rotation renames each of them.
const KEEP_MOST: u64 = 1000;

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
    /// When that file is put aside; `None` if never.
    pub access_rotation: Option<Rotation>,
    /// Whether an audit record is written for each verdict on a client certificate.
    pub audit: bool,
    /// Where audit records go; standard output if not set.
    pub audit_file: Option<PathBuf>,
    /// When that file is put aside; `None` if never.
    pub audit_rotation: Option<Rotation>,
    /// How much is logged to standard error.
    pub level: LevelFilter,
}

/// When a file of records is put aside for the next, and how many of those are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotation {
    /// It grows no larger, but for one write.
    pub bytes: u64,
    /// Files beside the one that is written.
    pub keep: u32,
}

/// The keys of one file, the last of which need those before.
struct FileKeys {
    file: &'static str,
    rotate_bytes: &'static str,
    keep: &'static str,
}

const ACCESS: FileKeys =
    FileKeys { file: "access_file", rotate_bytes: "access_rotate_bytes", keep: "access_keep" };
const AUDIT: FileKeys =
    FileKeys { file: "audit_file", rotate_bytes: "audit_rotate_bytes", keep: "audit_keep" };

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
    let (access_file, audit_file) = (file(ACCESS.file), file(AUDIT.file));
    let mut rotation = |keys: &FileKeys| section.and_then(|section| read_rotation(section, keys, &mut fixed));
    let (access_rotation, audit_rotation) = (rotation(&ACCESS), rotation(&AUDIT));
    let level_place = level.as_written().map_or(place("log.level"), |written| written.place.clone());
    let level = level.or(LevelFilter::INFO);
    fixed.push(Fixed::new("log.level", level_place, level.to_string()));
    let (access, audit) = (access.or(false), audit.or(false));
    let settings =
        LogSettings { access, access_file, access_rotation, audit, audit_file, audit_rotation, level };
    (settings, fixed)
}

/// How a file is rotated; what must stay as it is goes to `fixed`.
fn read_rotation(section: &Section<'_>, keys: &FileKeys, fixed: &mut Vec<Fixed>) -> Option<Rotation> {
    let rotate_bytes = section.size(keys.rotate_bytes, ROTATE_BYTES_LEAST..=ROTATE_BYTES_MOST);
    let keep = section.count(keys.keep, 1..=KEEP_MOST);
    for (key, needed) in [(keys.rotate_bytes, keys.file), (keys.keep, keys.rotate_bytes)] {
        if let Some(place) = section.place_of(key).filter(|_| !section.has(needed)) {
            section.report().mistake(&place, format!("has no effect without `{needed}`"));
        }
    }
    if let Some(bytes) = rotate_bytes.as_written() {
        let identity = format!("log.{}", keys.rotate_bytes);
        fixed.push(Fixed::new(identity, bytes.place.clone(), show_size(bytes.value)));
    }
    if let Some(keep) = keep.as_written() {
        fixed.push(Fixed::new(format!("log.{}", keys.keep), keep.place.clone(), keep.value.to_string()));
    }
    let bytes = rotate_bytes.written()?.value;
    Some(Rotation { bytes, keep: u32::try_from(keep.or(KEEP)).unwrap_or(u32::MAX) })
}
