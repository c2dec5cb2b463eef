//! How an `[issuer.NAME]` is asked about tokens.

use std::{fmt, io::Read as _, path::Path, time::Duration};

use rustls_pki_types::CertificateDer;
use zeroize::Zeroizing;

use super::{
    file::{self, Folder},
    mistake::shown,
    section::Section,
};
use crate::key_file::{self, KeyFileError};

/// Keys of an issuer that have a meaning only with `introspection`.
const KEYS: [&str; 3] = ["client_id", "client_secret_file", "introspection_max_age"];
/// Keys that have none with it.
const OF_SIGNED_TOKENS: [&str; 5] = ["jwks", "jwks_file", "algorithms", "any_type", "refresh_interval"];
/// A token that was revoked is believed for that long.
const AGE: Duration = Duration::from_secs(60);
const AGE_LEAST: Duration = Duration::from_secs(1);
const AGE_MOST: Duration = Duration::from_secs(60 * 60);
/// Characters of a secret: several times what servers make.
const SECRET_CHARS_MAX: u64 = 1024;

/// Who is asked about tokens.
#[derive(Clone, PartialEq, Eq)]
pub struct IntrospectionSource {
    /// The introspection endpoint.
    pub url: String,
    /// Roots of servers that are believed beside those of the system.
    pub roots: Vec<CertificateDer<'static>>,
    /// As whom it is asked.
    pub client_id: String,
    /// With which secret.
    pub client_secret: Zeroizing<String>,
    /// For how long an answer is believed.
    pub age_max: Duration,
}

impl fmt::Debug for IntrospectionSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IntrospectionSource").field("url", &self.url).finish_non_exhaustive()
    }
}

/// Reads what an issuer with `introspection` says. `None` after a mistake.
pub(super) fn read(section: &Section<'_>, folder: &Folder) -> Option<IntrospectionSource> {
    let report = section.report();
    let pointless = OF_SIGNED_TOKENS.into_iter().filter_map(|key| section.place_of(key));
    let pointless = pointless.map(|place| {
        report.mistake(
            &place,
            "stands beside `introspection`: an issuer that is asked is asked about every token",
        );
    });
    let is_clear = pointless.count() == 0;
    section.require("client_secret_file");
    let (url, client_id) = (section.text("introspection"), section.required_text("client_id"));
    let secret = section.text("client_secret_file").written().and_then(|file| {
        let refuse = |what: String| report.mistake(&file.place, format!("{} {what}", shown(&file.value)));
        match read_secret(&folder.join(&file.value)) {
            Ok(Some(secret)) => Some(secret),
            Ok(None) => {
                refuse(format!("must have one line of 1 to {SECRET_CHARS_MAX} signs of ASCII"));
                None
            }
            Err(error) => {
                refuse(error.to_string());
                None
            }
        }
    });
    let roots = file::certificates(report, folder, section.texts("https_roots").or(Vec::new()));
    let age_max = section.duration("introspection_max_age", AGE_LEAST..=AGE_MOST).or(AGE);
    let url = url.written()?;
    if !url.value.starts_with("https://") {
        report.mistake(&url.place, format!("{} is no https URL", shown(&url.value)));
        return None;
    }
    Some(IntrospectionSource {
        url: url.value,
        roots: roots.into_iter().map(|(_, certificate)| certificate).collect(),
        client_id: client_id.written()?.value,
        client_secret: secret.filter(|_| is_clear)?,
        age_max,
    })
}

/// Reports what has no effect without `introspection`.
pub(super) fn report_pointless(section: &Section<'_>) {
    for place in KEYS.into_iter().filter_map(|key| section.place_of(key)) {
        section.report().mistake(&place, "has no effect without `introspection`");
    }
}

/// The secret in a file that nobody but its owner may read; `None` where there is none in it (RFC 6749 A.2).
fn read_secret(path: &Path) -> Result<Option<Zeroizing<String>>, KeyFileError> {
    let mut text = Zeroizing::new(String::with_capacity(4096));
    let read = key_file::open(path)?.take(SECRET_CHARS_MAX + 2).read_to_string(&mut text);
    read.map_err(|_| KeyFileError::NotText)?;
    let secret = text.trim_end_matches(['\r', '\n']);
    let is_secret = (1..=SECRET_CHARS_MAX).contains(&(secret.len() as u64))
        && secret.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    Ok(is_secret.then(|| Zeroizing::new(secret.to_owned())))
}
