//! What cannot change while the gate runs.

use super::mistake::{Place, Report};

/// A setting that is taken at the start and holds until the end.
#[derive(Debug, Clone)]
pub(crate) struct Fixed {
    /// The same in every version of the file, unlike the place.
    identity: String,
    place: Place,
    /// The value, as it may be shown.
    value: String,
}

impl Fixed {
    pub(crate) fn new(identity: impl Into<String>, place: Place, value: String) -> Self {
        Self { identity: identity.into(), place, value }
    }

    /// Reports each setting of `new` that is not as it was in `running`.
    pub(crate) fn report_changes(running: &[Self], new: &[Self], report: &Report) {
        for setting in new {
            let before = running.iter().find(|other| other.identity == setting.identity);
            let before = before.map_or("not there", |before| before.value.as_str());
            if before != setting.value {
                let message = format!("was {before} and is now {}: this needs a restart", setting.value);
                report.mistake(&setting.place, message);
            }
        }
        for gone in running.iter().filter(|old| new.iter().all(|setting| setting.identity != old.identity)) {
            let message = format!("{} was {} and is gone: this needs a restart", gone.identity, gone.value);
            report.mistake(&Place::FILE, message);
        }
    }
}
