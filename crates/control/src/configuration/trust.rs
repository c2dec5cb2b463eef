//! `[trust]`: trusted lists.

use std::path::PathBuf;
use std::time::Duration;

use portcullis_policy::Lists;
use portcullis_trust::Selection;

use super::{
    entry::Entry,
    file::{Folder, read_chain},
    mistake::{Located, shown},
    section::Section,
};

pub(crate) const KEYS: &[&str] = &[
    "mode",
    "folder",
    "signers",
    "refresh_interval",
    "max_staleness",
    "territories",
    "excluded_providers",
    "required",
];

/// Member states publish once or twice a month; a withdrawal should not wait for a day.
const REFRESH_INTERVAL: Duration = Duration::from_secs(60 * 60);
const REFRESH_INTERVAL_MOST: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// A list may be late: France was, for ten weeks of 2023.
const MAX_STALENESS: Duration = Duration::from_secs(7 * 24 * 60 * 60);
const MAX_STALENESS_MOST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// Where trusted lists come from, and what of them is believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustSettings {
    /// What they are for.
    pub lists: Lists,
    /// The folder of the lists.
    pub folder: PathBuf,
    /// What of them is believed.
    pub selection: Selection,
    /// How often they are read anew.
    pub refresh_interval: Duration,
    /// Territories whose lists must be there for the gate to be ready.
    pub required: Vec<String>,
}

/// `None` after a mistake.
pub(crate) fn read(section: &Section<'_>, folder: &Folder) -> Option<TrustSettings> {
    let lists = section.choice("mode", &[("enforce", Lists::Enforced), ("observe", Lists::Observed)]);
    let lists_folder = section.required_text("folder").written().map(|name| folder.join(&name.value));
    let interval = section
        .duration("refresh_interval", Duration::from_secs(1)..=REFRESH_INTERVAL_MOST)
        .or(REFRESH_INTERVAL);
    let staleness = section.duration("max_staleness", Duration::ZERO..=MAX_STALENESS_MOST).or(MAX_STALENESS);
    let territories = territories(section, "territories");
    let required = self::territories(section, "required");
    if let Some(missing) = required.iter().find(|required| {
        !territories.is_empty() && !territories.iter().any(|chosen| chosen.value == required.value)
    }) {
        section
            .report()
            .mistake(&missing.place, format!("{} is not among the territories", shown(&missing.value)));
    }
    let excluded =
        section.texts("excluded_providers").written().map(|names| values(names.value)).unwrap_or_default();
    let selection = Selection {
        journal: signers(section, folder)?,
        territories: values(territories),
        excluded_providers: excluded,
        max_staleness_s: i64::try_from(staleness.as_secs()).unwrap_or(i64::MAX),
    };
    Some(TrustSettings {
        lists: lists.or(Lists::Enforced),
        folder: lists_folder?,
        selection,
        refresh_interval: interval,
        required: values(required),
    })
}

/// Those who may sign the list of lists: of the files that are named, or else of the Official Journal.
fn signers(section: &Section<'_>, folder: &Folder) -> Option<Vec<rustls_pki_types::CertificateDer<'static>>> {
    let files = match section.texts("signers") {
        Entry::Absent => return Some(Selection::default().journal),
        Entry::Mistaken => return None,
        Entry::Written(files) => files,
    };
    if files.value.is_empty() {
        section.report().mistake(&files.place, "must name at least one file of certificates");
        return None;
    }
    let mut signers = Vec::new();
    for file in files.value {
        match read_chain(&folder.join(&file.value)) {
            Ok(chain) => signers.extend(chain),
            Err(error) => section.report().mistake(&file.place, format!("{} {error}", shown(&file.value))),
        }
    }
    Some(signers)
}

fn territories(section: &Section<'_>, key: &'static str) -> Vec<Located<String>> {
    let written = section.texts(key).written().map(|written| written.value).unwrap_or_default();
    for territory in &written {
        let text = &territory.value;
        if text.len() != 2 || !text.bytes().all(|byte| byte.is_ascii_uppercase()) {
            let message = format!("{} is no territory: two capital letters, as in \"ES\"", shown(text));
            section.report().mistake(&territory.place, message);
        } else if text == "GR" {
            section.report().mistake(&territory.place, "Greece is \"EL\" in trusted lists");
        }
    }
    written
}

fn values(located: Vec<Located<String>>) -> Vec<String> {
    located.into_iter().map(|located| located.value).collect()
}
