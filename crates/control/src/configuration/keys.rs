//! `[keys]`: where the keys of clients are kept, and how one is made.

use std::path::PathBuf;

use portcullis_policy::{Enrolment, KeyRules, KeySource, Profile};

use super::{
    entry::Entry,
    file::Folder,
    fixed::Fixed,
    mistake::{Located, Report},
    section::Section,
};

pub(crate) const KEYS: &[&str] = &["store", "enrolment", "capacity", "default_policy", "assign"];

/// Ways to enrol, by their names in `[keys]` and in a trust domain.
pub(crate) const ENROLMENTS: &[(&str, Enrolment)] =
    &[("auto", Enrolment::Auto), ("approve", Enrolment::Approve), ("closed", Enrolment::Closed)];

/// What keys are made from, by name; `none` is for a trust domain without keys.
pub(crate) const SOURCES: &[(&str, Option<KeySource>)] = &[
    ("organization", Some(KeySource::Organization)),
    ("subject", Some(KeySource::Subject)),
    ("san", Some(KeySource::AltName)),
    ("spki", Some(KeySource::PublicKey)),
    ("certificate", Some(KeySource::Certificate)),
    ("none", None),
];

/// Some forty times the payment service providers and agents of the EEA that could come.
const CAPACITY: u64 = 100_000;
/// At about 1 kB each in memory, some 1 GB.
const CAPACITY_MOST: u64 = 1_000_000;

/// Where keys are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySettings {
    /// The file.
    pub store: PathBuf,
    /// How many keys there may be.
    pub capacity: usize,
    /// How many of them have series of their own among the metrics.
    pub told_apart_max: usize,
}

/// Where keys are kept, and how they are made unless a trust domain says otherwise.
pub(crate) fn read(
    section: &Section<'_>,
    folder: &Folder,
    told_apart_max: usize,
) -> (Option<KeySettings>, Enrolment) {
    let enrolment = section.choice("enrolment", ENROLMENTS).or(Enrolment::Auto);
    let capacity = section.count("capacity", 1..=CAPACITY_MOST).or(CAPACITY);
    let store = section.required_text("store").written();
    let settings = store.map(|store| KeySettings {
        store: folder.join(&store.value),
        capacity: usize::try_from(capacity).unwrap_or(usize::MAX),
        told_apart_max,
    });
    (settings, enrolment)
}

/// The store stays where it is: one process has it open.
pub(crate) fn fixed(section: &Section<'_>) -> Option<Fixed> {
    let store = section.text("store").written()?;
    Some(Fixed::new("keys.store", store.place, store.value))
}

/// How keys are made in a trust domain.
pub(crate) fn asked(
    (source, enrolment): (&Entry<Option<KeySource>>, &Entry<Enrolment>),
    profile: Profile,
    keys: Option<Enrolment>,
    report: &Report,
) -> Option<KeyRules> {
    let (source, enrolment) = (source.as_written(), enrolment.as_written());
    let is_off = matches!(source, Some(Located { value: None, .. }));
    let Some(default) = keys else {
        let places = source.filter(|_| !is_off).map(|written| &written.place);
        for place in places.into_iter().chain(enrolment.map(|written| &written.place)) {
            report.mistake(place, "there is no [keys] that says where keys are kept");
        }
        return None;
    };
    if is_off {
        if let Some(written) = enrolment {
            report.mistake(&written.place, "has no effect, since key is \"none\"");
        }
        return None;
    }
    let rules = KeyRules::of(profile, enrolment.map_or(default, |written| written.value));
    let source = source.and_then(|written| written.value).unwrap_or(rules.source);
    Some(KeyRules { source, ..rules })
}
