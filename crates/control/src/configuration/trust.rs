//! `[trust]`: trusted lists.

use std::path::{Path, PathBuf};
use std::time::Duration;

use portcullis_policy::Lists;
use portcullis_trust::Selection;
use rustls_pki_types::CertificateDer;

use super::{
    entry::Entry,
    file::{self, Folder},
    mistake::{Located, shown},
    section::Section,
};

pub(crate) const KEYS: &[&str] = &[
    "mode",
    "folder",
    "lotl",
    "cache",
    "https_roots",
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
    /// Where they come from.
    pub source: ListSource,
    /// What of them is believed.
    pub selection: Selection,
    /// How often they are read anew.
    pub refresh_interval: Duration,
    /// Territories whose lists must be there for the gate to be ready.
    pub required: Vec<String>,
}

/// Where trusted lists come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListSource {
    /// A folder that others keep.
    Folder(PathBuf),
    /// Their publishers, over https.
    Https {
        /// The URL of the list of lists.
        lotl: String,
        /// The folder of what was fetched.
        cache: PathBuf,
        /// Roots of servers that are believed beside those of the system.
        roots: Vec<CertificateDer<'static>>,
    },
}

impl ListSource {
    /// The folder that they are read from.
    pub fn folder(&self) -> &Path {
        match self {
            Self::Folder(folder) | Self::Https { cache: folder, .. } => folder,
        }
    }
}

/// `None` after a mistake.
pub(crate) fn read(section: &Section<'_>, folder: &Folder) -> Option<TrustSettings> {
    let lists = section.choice("mode", &[("enforce", Lists::Enforced), ("observe", Lists::Observed)]);
    let source = source(section, folder);
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
        source: source?,
        selection,
        refresh_interval: interval,
        required: values(required),
    })
}

/// A folder, or a URL with a cache.
fn source(section: &Section<'_>, folder: &Folder) -> Option<ListSource> {
    let (kept, lotl, cache) = (section.text("folder"), section.text("lotl"), section.text("cache"));
    let roots = section.texts("https_roots");
    match (kept, lotl) {
        (Entry::Mistaken, _) | (_, Entry::Mistaken) => None,
        (Entry::Absent, Entry::Absent) => {
            section.report().mistake(
                section.place(),
                "needs `folder`, or `lotl` with `cache`: where the lists come from",
            );
            None
        }
        (Entry::Written(_), Entry::Written(lotl)) => {
            section.report().mistake(&lotl.place, "stands beside `folder`: lists come from one of them");
            None
        }
        (Entry::Written(kept), Entry::Absent) => {
            let unused = [cache.as_written().map(|it| &it.place), roots.as_written().map(|it| &it.place)];
            for place in unused.into_iter().flatten() {
                section.report().mistake(place, "has no effect without `lotl`");
            }
            Some(ListSource::Folder(folder.join(&kept.value)))
        }
        (Entry::Absent, Entry::Written(lotl)) => {
            if !lotl.value.starts_with("https://") {
                section.report().mistake(&lotl.place, format!("{} is no https URL", shown(&lotl.value)));
                return None;
            }
            if matches!(cache, Entry::Absent) {
                section
                    .report()
                    .mistake(&section.place().missing("cache"), "is missing: a folder for what is fetched");
            }
            let cache = folder.join(&cache.written()?.value);
            let roots = match roots {
                Entry::Absent => Vec::new(),
                Entry::Mistaken => return None,
                Entry::Written(files) => certificates(section, folder, files.value),
            };
            Some(ListSource::Https { lotl: lotl.value, cache, roots })
        }
    }
}

fn certificates(
    section: &Section<'_>,
    folder: &Folder,
    files: Vec<Located<String>>,
) -> Vec<CertificateDer<'static>> {
    let certificates = file::certificates(section.report(), folder, files);
    certificates.into_iter().map(|(_, certificate)| certificate).collect()
}

/// Those who may sign the list of lists: of the files that are named, or else of the Official Journal.
fn signers(section: &Section<'_>, folder: &Folder) -> Option<Vec<CertificateDer<'static>>> {
    let files = match section.texts("signers") {
        Entry::Absent => return Some(Selection::default().journal),
        Entry::Mistaken => return None,
        Entry::Written(files) => files,
    };
    if files.value.is_empty() {
        section.report().mistake(&files.place, "must name at least one file of certificates");
        return None;
    }
    Some(certificates(section, folder, files.value))
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
