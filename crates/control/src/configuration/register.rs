//! `[register]`: who is authorised as a payment service provider, and what follows from it.

use std::fmt::Display;
use std::path::PathBuf;
use std::time::Duration;

use portcullis_policy::{AccountServicing, Profile, RegisterRules, resolve_authority};
use portcullis_trust::{RegisterBuilder, TableForm};
use rustls_pki_types::CertificateDer;

use super::{
    entry::Entry,
    file::{self, Folder, certificates},
    mistake::{Located, Report, shown},
    section::Section,
};

pub(crate) const KEYS: &[&str] = &[
    "mode",
    "url",
    "cache",
    "https_roots",
    "file",
    "tables",
    "country",
    "account_servicing",
    "on_unknown",
    "refresh_interval",
    "max_age",
    "size_max",
];

/// Where the EBA tells of the newest version of its register.
const EBA: &str = "https://euclid.eba.europa.eu/register/api/filemetadata";
/// Authorities tell the EBA of changes once a day at least.
const REFRESH_INTERVAL: Duration = Duration::from_secs(4 * 60 * 60);
const REFRESH_INTERVAL_MOST: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// A long week-end without the EBA.
const MAX_AGE: Duration = Duration::from_secs(5 * 24 * 60 * 60);
const MAX_AGE_MOST: Duration = Duration::from_secs(366 * 24 * 60 * 60);
/// The register of August 2026 has 218 MB; it grows by a tenth a year.
const BYTES_MAX: u64 = 1 << 30;
const BYTES_MOST: u64 = 8 << 30;

/// Bytes of a table: a hundred for each of some hundred thousand providers.
pub(crate) const TABLE_BYTES_MAX: u64 = 16 << 20;

/// Where the register comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisterSettings {
    /// The EBA's.
    pub source: RegisterSource,
    /// Tables beside it, which have the last word.
    pub tables: Vec<(PathBuf, TableForm)>,
    /// How often it is read anew.
    pub refresh_interval: Duration,
    /// How old the EBA's may become.
    pub max_age: Duration,
    /// Bytes of it, unpacked.
    pub bytes_max: u64,
}

/// Where the EBA's register comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RegisterSource {
    /// Tables alone.
    None,
    /// A file that others keep, JSON or ZIP.
    File(PathBuf),
    /// Its publisher, over https.
    Https {
        /// The URL of what is told of the newest version.
        url: String,
        /// The folder of what was fetched.
        cache: PathBuf,
        /// Roots of servers that are believed beside those of the system.
        roots: Vec<CertificateDer<'static>>,
    },
}

/// What follows for the trust domains.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RegisterPolicy {
    pub(crate) rules: RegisterRules,
    /// Whether a provider may pass while no register is known, or none of late.
    pub(crate) admits_unknown: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Off,
    Observe,
    Enforce,
}

/// What trust domains ask, and where it comes from; nothing where it is off, and no source after a mistake.
pub(crate) fn read(
    section: &Section<'_>,
    folder: &Folder,
) -> Option<(Option<RegisterSettings>, RegisterPolicy)> {
    let modes = [("off", Mode::Off), ("observe", Mode::Observe), ("enforce", Mode::Enforce)];
    let mode = section.choice("mode", &modes).or(Mode::Enforce);
    let country = section.text("country");
    let code = country.as_written().map(|written| country_code(written, section.report()));
    let servicing = section.choice(
        "account_servicing",
        &[("certificate", AccountServicing::Certificate), ("register", AccountServicing::Register)],
    );
    let on_unknown = section.choice("on_unknown", &[("deny", false), ("allow", true)]);
    let rules = RegisterRules {
        is_enforced: mode == Mode::Enforce,
        country: code.flatten(),
        account_servicing: servicing.or(AccountServicing::Certificate),
    };
    let settings = settings(section, folder);
    let policy = RegisterPolicy { rules, admits_unknown: on_unknown.or(false) };
    (mode != Mode::Off).then_some((settings, policy))
}

fn country_code(written: &Located<String>, report: &Report) -> Option<[u8; 2]> {
    let code: Option<[u8; 2]> = written.value.as_bytes().try_into().ok();
    let code = code.filter(|code| code.iter().all(u8::is_ascii_uppercase));
    if code.is_none() || code == Some(*b"EL") {
        let message =
            format!("{} is no country of ISO 3166-1, as in \"FR\" or \"GR\"", shown(&written.value));
        report.mistake(&written.place, message);
    }
    code
}

fn settings(section: &Section<'_>, folder: &Folder) -> Option<RegisterSettings> {
    let refresh_interval =
        section.duration("refresh_interval", Duration::from_secs(1)..=REFRESH_INTERVAL_MOST);
    let max_age = section.duration("max_age", Duration::from_secs(1)..=MAX_AGE_MOST);
    let bytes_max = section.size("size_max", 1024..=BYTES_MOST);
    let tables = tables(section, folder)?;
    Some(RegisterSettings {
        source: source(section, folder, !tables.is_empty())?,
        tables,
        refresh_interval: refresh_interval.or(REFRESH_INTERVAL),
        max_age: max_age.or(MAX_AGE),
        bytes_max: bytes_max.or(BYTES_MAX),
    })
}

fn tables(section: &Section<'_>, folder: &Folder) -> Option<Vec<(PathBuf, TableForm)>> {
    let written = match section.texts("tables") {
        Entry::Absent => return Some(Vec::new()),
        Entry::Mistaken => return None,
        Entry::Written(written) => written,
    };
    let form = |table: &Located<String>| {
        let path = folder.join(&table.value);
        let form = match path.extension().and_then(|extension| extension.to_str()) {
            Some("csv") => TableForm::Csv,
            Some("json") => TableForm::Json,
            _ => {
                let message = format!("{} ends neither with .csv nor with .json", shown(&table.value));
                section.report().mistake(&table.place, message);
                return None;
            }
        };
        let read = file::read(&path, TABLE_BYTES_MAX).map_err(|error| error.to_string()).and_then(|bytes| {
            let mut builder = RegisterBuilder::new(resolve_authority);
            let table = builder.read_table(&*bytes, form, TABLE_BYTES_MAX).map(|()| builder.build());
            table.map_err(|error| error.to_string())
        });
        let at = |told: &dyn Display| format!("{}: {told}", shown(&table.value));
        match read {
            Ok(read) => {
                for detail in &read.passed_over().details {
                    section.report().warning(&table.place, format!("{} and is passed over", at(detail)));
                }
            }
            Err(error) => section.report().mistake(&table.place, at(&error)),
        }
        Some((path, form))
    };
    written.value.iter().map(form).collect()
}

/// A file, or a URL with a cache, or tables alone.
fn source(section: &Section<'_>, folder: &Folder, has_tables: bool) -> Option<RegisterSource> {
    let (file, url, cache) = (section.text("file"), section.text("url"), section.text("cache"));
    let roots = section.texts("https_roots");
    let report = section.report();
    match (file, cache) {
        (Entry::Mistaken, _) | (_, Entry::Mistaken) => None,
        (Entry::Written(file), Entry::Written(_)) => {
            report.mistake(&file.place, "stands beside `cache`: the register comes from one of them");
            None
        }
        (file, Entry::Absent) => {
            let unused = [url.as_written().map(|it| &it.place), roots.as_written().map(|it| &it.place)];
            for place in unused.into_iter().flatten() {
                report.mistake(place, "has no effect without `cache`");
            }
            match file.written() {
                Some(file) => Some(RegisterSource::File(folder.join(&file.value))),
                None if has_tables => Some(RegisterSource::None),
                None => {
                    let message = "needs `cache`, `file` or `tables`: a folder for the EBA's register, or where others keep one";
                    report.mistake(section.place(), message);
                    None
                }
            }
        }
        (Entry::Absent, Entry::Written(cache)) => {
            if let Some(url) = url.as_written().filter(|url| !url.value.starts_with("https://")) {
                report.mistake(&url.place, format!("{} is no https URL", shown(&url.value)));
                return None;
            }
            let roots = match roots {
                Entry::Absent => Vec::new(),
                Entry::Mistaken => return None,
                Entry::Written(files) => certificates(report, folder, files.value),
            };
            Some(RegisterSource::Https {
                url: url.or(EBA.to_owned()),
                cache: folder.join(&cache.value),
                roots: roots.into_iter().map(|(_, certificate)| certificate).collect(),
            })
        }
    }
}

/// Whether a trust domain asks: under `psd2` where there is a register, under `obie` where it is written, since members of
/// the directory of Open Banking have numbers that no authority gave them.
pub(crate) fn asked<'p>(
    written: &Entry<bool>,
    profile: Profile,
    policy: Option<&'p RegisterPolicy>,
    report: &Report,
) -> Option<&'p RegisterPolicy> {
    let written = written.as_written();
    match (written.filter(|written| written.value), policy) {
        (Some(written), _) if profile == Profile::X509 => {
            report.mistake(&written.place, "has no effect, since profile \"x509\" asks for no authority");
            None
        }
        (Some(written), None) => {
            report.mistake(&written.place, "there is no [register] that is asked");
            None
        }
        (Some(_), policy) => policy,
        (None, policy) => policy.filter(|_| written.is_none() && profile == Profile::Psd2),
    }
}
