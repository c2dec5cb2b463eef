//! `[assertion]`: how what is said of clients is signed.

use std::{sync::Arc, time::Duration};

use portcullis_gateway::plan::{AssertionKey, Assertions};

use super::{
    file::{self, Folder},
    mistake::{Located, shown},
    section::Section,
};

pub(crate) const KEYS: &[&str] = &["keys", "issuer", "lifetime"];

/// Who says it, unless the configuration names it otherwise.
const ISSUER: &str = "portcullis";
/// What a backend in the same house needs, whose clock is a little off.
const LIFETIME: Duration = Duration::from_secs(5 * 60);
const LIFETIME_LEAST: Duration = Duration::from_secs(10);
/// What was said of a client stands for that long where nobody asks again.
const LIFETIME_MOST: Duration = Duration::from_secs(60 * 60);
/// One that signs, those before it, and one to come.
const KEYS_MOST: usize = 8;

/// Reads the table, and the keys. `None` after a mistake.
pub(crate) fn read(section: &Section<'_>, folder: &Folder) -> Option<Arc<Assertions>> {
    let report = section.report();
    section.require("keys");
    let issuer = section.text("issuer").or(ISSUER.to_owned());
    let lifetime = section.duration("lifetime", LIFETIME_LEAST..=LIFETIME_MOST).or(LIFETIME);
    let files = section.texts("keys").written()?;
    if files.value.is_empty() || files.value.len() > KEYS_MOST {
        report.mistake(&files.place, format!("must name 1 to {KEYS_MOST} files"));
    }
    let keys: Vec<_> = files.value.iter().map(|file| read_key(section, folder, file)).collect();
    let mut keys = keys.into_iter().collect::<Option<Vec<_>>>()?.into_iter();
    let (key, other_keys) = (keys.next()?, keys.collect());
    let lifetime_s = i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX);
    Some(Arc::new(Assertions { key, other_keys, issuer, lifetime_s }))
}

fn read_key(section: &Section<'_>, folder: &Folder, file: &Located<String>) -> Option<AssertionKey> {
    let (report, path) = (section.report(), folder.join(&file.value));
    let refuse = |what: &str| report.mistake(&file.place, format!("{} {what}", shown(&file.value)));
    let der = file::read_key(&path).map_err(|error| refuse(&error.to_string())).ok()?;
    if file::is_readable_by_others(&path) {
        let message = format!("{} can be read by every user of this machine", shown(&file.value));
        report.warning(&file.place, message);
    }
    let key = AssertionKey::from_der(der.secret_der());
    key.map_err(|_| refuse("holds no key on the curve P-256, which ES256 signs with")).ok()
}
