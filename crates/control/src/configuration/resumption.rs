//! `[resumption]`: how long tickets resume a session, and where their keys come from.

use std::{path::PathBuf, sync::Arc, time::Duration};

use portcullis_gateway::{KeyRing, plan::ResumptionPlan};

use super::{
    entry::Entry,
    file::Folder,
    mistake::{Located, Place, Report, shown},
    quantity::show_duration,
    section::Section,
};
use crate::{error::chain, key_file};

pub(crate) const KEYS: &[&str] = &["max_age", "rotate_interval", "key_file"];

const SECOND: Duration = Duration::from_secs(1);
/// A client that comes each quarter of an hour proves its key once in four times.
const MAX_AGE: Duration = Duration::from_secs(60 * 60);
/// A day without proof of the key; RFC 8446 4.6.1 allows a week.
const MAX_AGE_MOST: Duration = Duration::from_secs(24 * 60 * 60);
/// Whoever takes a key can open the tickets of these hours, and those made with the next one.
const ROTATE_INTERVAL: Duration = Duration::from_secs(6 * 60 * 60);
const ROTATE_INTERVAL_MOST: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Where the keys of tickets come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TicketKeySource {
    /// They are random, and this process has them alone.
    Random {
        /// How long each is the current one.
        rotate_interval: Duration,
    },
    /// A file, which others rotate.
    File(PathBuf),
}

/// The entries of the table.
struct Written {
    max_age: Entry<Duration>,
    rotate_interval: Entry<Duration>,
    key_file: Entry<String>,
}

/// Reads the table, and the file of keys if there is one; `None` stands for a table that is not written. Returns nothing after a
/// mistake.
pub(crate) fn read(
    section: Option<&Section<'_>>,
    folder: &Folder,
    report: &Report,
) -> Option<(ResumptionPlan, TicketKeySource)> {
    let duration = |key, most| section.map_or(Entry::Absent, |section| section.duration(key, SECOND..=most));
    let written = Written {
        max_age: duration("max_age", MAX_AGE_MOST),
        rotate_interval: duration("rotate_interval", ROTATE_INTERVAL_MOST),
        key_file: section.map_or(Entry::Absent, |section| section.text("key_file")),
    };
    written.report_contradictions(report);
    let (ring, source) = match written.key_file {
        Entry::Mistaken => return None,
        Entry::Written(file) => from_file(&file, folder, report)?,
        Entry::Absent => {
            let ring = KeyRing::random().map_err(|error| report.mistake(&Place::FILE, error.to_string()));
            let rotate_interval = written.rotate_interval.or(ROTATE_INTERVAL);
            (ring.ok()?, TicketKeySource::Random { rotate_interval })
        }
    };
    Some((ResumptionPlan { ring: Arc::new(ring), max_age: written.max_age.or(MAX_AGE) }, source))
}

impl Written {
    fn report_contradictions(&self, report: &Report) {
        if matches!(self.max_age, Entry::Mistaken) || matches!(self.rotate_interval, Entry::Mistaken) {
            return;
        }
        let interval = self.rotate_interval.as_written();
        if let (Some(interval), false) = (interval, matches!(self.key_file, Entry::Absent)) {
            let message =
                "has no effect beside `key_file`: `portcullis ticket-keys rotate` rotates the keys of a file";
            report.mistake(&interval.place, message);
            return;
        }
        let (max_age, rotate_interval) =
            (self.max_age.clone().or(MAX_AGE), self.rotate_interval.clone().or(ROTATE_INTERVAL));
        let place = self.max_age.as_written().map(|written| &written.place);
        let place = place.or(interval.map(|written| &written.place));
        if let (Some(place), Entry::Absent, true) = (place, &self.key_file, max_age > rotate_interval) {
            let (max_age, rotate_interval) = (show_duration(max_age), show_duration(rotate_interval));
            let message = format!(
                "max_age is {max_age} and rotate_interval {rotate_interval}: a ticket would outlive its key"
            );
            report.mistake(place, message);
        }
    }
}

fn from_file(file: &Located<String>, folder: &Folder, report: &Report) -> Option<(KeyRing, TicketKeySource)> {
    let path = folder.join(&file.value);
    match key_file::read(&path) {
        Ok(ring) => Some((ring, TicketKeySource::File(path))),
        Err(error) => {
            report.mistake(&file.place, format!("{} {}", shown(&file.value), chain(&error)));
            None
        }
    }
}
