//! `[listener.client_auth]`, and the keys of it that a certificate overrides.

use std::{collections::HashMap, path::PathBuf, sync::Arc};

use portcullis_policy::{
    ClientAuth, ContentRule, Enrolment, KeySource, Lists, Mode, Profile, Purpose, Refusals, Rules, Severity,
};
use portcullis_trust::{AnchorError, Anchors, EkuRule};

use super::{
    entry::Entry,
    file::{CERTIFICATES_BYTES_MAX, Folder, read},
    keys,
    mistake::{Located, Place, Report, shown},
    register::{self, RegisterPolicy},
    revocation::{self, RevocationPolicy},
    section::Section,
    severities::SeveritiesWritten,
};

pub(crate) const KEYS: &[&str] = &[
    "mode",
    "profile",
    "anchors",
    "trusted_lists",
    "revocation",
    "register",
    "key",
    "enrolment",
    "extended_key_usage",
    "refusals",
    "severities",
];

const PROFILES: [(&str, Profile); 3] =
    [("x509", Profile::X509), ("obie", Profile::Obie), ("psd2", Profile::Psd2)];

/// The rules as written: any of them may be left to the listener.
#[derive(Debug, Clone)]
pub(crate) struct ClientAuthWritten {
    place: Place,
    purpose: Purpose,
    mode: Entry<Mode>,
    profile: Entry<Profile>,
    anchors: Entry<Vec<Located<String>>>,
    trusted_lists: Entry<bool>,
    revocation: Entry<bool>,
    register: Entry<bool>,
    key: Entry<Option<KeySource>>,
    enrolment: Entry<Enrolment>,
    extended_key_usage: Entry<EkuRule>,
    refusals: Entry<Refusals>,
    severities: Entry<SeveritiesWritten>,
}

impl ClientAuthWritten {
    /// Reads the table `client_auth` of a listener or a certificate.
    pub(crate) fn read(parent: &Section<'_>) -> Self {
        let Some(section) = parent.section("client_auth", KEYS) else {
            return Self::nothing(parent.place().missing("client_auth"), parent.has("client_auth"));
        };
        Self {
            place: section.place().clone(),
            purpose: Purpose::Qwac,
            mode: section.choice(
                "mode",
                &[("required", Mode::Required), ("optional", Mode::Optional), ("off", Mode::Off)],
            ),
            profile: section.choice("profile", &PROFILES),
            anchors: section.texts("anchors"),
            trusted_lists: section.flag("trusted_lists"),
            revocation: section.flag("revocation"),
            register: section.flag("register"),
            key: section.choice("key", keys::SOURCES),
            enrolment: section.choice("enrolment", keys::ENROLMENTS),
            extended_key_usage: section.choice(
                "extended_key_usage",
                &[("client-auth", EkuRule::ClientAuth), ("any-tls", EkuRule::AnyTls)],
            ),
            refusals: section
                .choice("refusals", &[("handshake", Refusals::Handshake), ("http", Refusals::Http)]),
            severities: SeveritiesWritten::read(&section),
        }
    }

    /// Reads what a table `[seal.NAME]` says of the certificates of seals.
    pub(crate) fn of_seal(section: &Section<'_>) -> Self {
        let place = section.place().clone();
        let profile = match section.choice("certificate_profile", &PROFILES) {
            Entry::Absent => {
                let place = place.missing("certificate_profile");
                Entry::Written(Located { value: Profile::Psd2, place })
            }
            written => written,
        };
        Self {
            purpose: Purpose::Qsealc,
            profile,
            anchors: section.texts("anchors"),
            trusted_lists: section.flag("trusted_lists"),
            revocation: section.flag("revocation"),
            register: section.flag("register"),
            severities: SeveritiesWritten::read(section),
            ..Self::nothing(place, false)
        }
    }

    fn nothing(place: Place, mistaken: bool) -> Self {
        fn entry<T>(mistaken: bool) -> Entry<T> {
            if mistaken { Entry::Mistaken } else { Entry::Absent }
        }
        Self {
            place,
            purpose: Purpose::Qwac,
            mode: entry(mistaken),
            profile: entry(mistaken),
            anchors: entry(mistaken),
            trusted_lists: entry(mistaken),
            revocation: entry(mistaken),
            register: entry(mistaken),
            key: entry(mistaken),
            enrolment: entry(mistaken),
            extended_key_usage: entry(mistaken),
            refusals: entry(mistaken),
            severities: entry(mistaken),
        }
    }

    /// The rules with those of `listener` where nothing is written.
    pub(crate) fn over(&self, listener: &Self) -> Self {
        Self {
            place: listener.place.clone(),
            purpose: self.purpose,
            mode: self.mode.or_inherit(&listener.mode),
            profile: self.profile.or_inherit(&listener.profile),
            anchors: self.anchors.or_inherit(&listener.anchors),
            trusted_lists: self.trusted_lists.or_inherit(&listener.trusted_lists),
            revocation: self.revocation.or_inherit(&listener.revocation),
            register: self.register.or_inherit(&listener.register),
            key: self.key.or_inherit(&listener.key),
            enrolment: self.enrolment.or_inherit(&listener.enrolment),
            extended_key_usage: self.extended_key_usage.or_inherit(&listener.extended_key_usage),
            refusals: self.refusals.or_inherit(&listener.refusals),
            severities: self.severities.or_inherit(&listener.severities),
        }
    }

    /// The mode; certificates are required unless something else is written.
    pub(crate) fn mode(&self) -> Mode {
        self.mode.as_written().map_or(Mode::Required, |written| written.value)
    }

    /// Reports the keys that say how to judge certificates where none is asked for: who wrote them believes that the
    /// door is guarded.
    pub(crate) fn report_unused(&self, report: &Report) {
        let places = [
            self.profile.as_written().map(|written| &written.place),
            self.anchors.as_written().map(|written| &written.place),
            self.trusted_lists.as_written().map(|written| &written.place),
            self.revocation.as_written().map(|written| &written.place),
            self.register.as_written().map(|written| &written.place),
            self.key.as_written().map(|written| &written.place),
            self.enrolment.as_written().map(|written| &written.place),
            self.extended_key_usage.as_written().map(|written| &written.place),
            self.refusals.as_written().map(|written| &written.place),
            self.severities.as_written().map(|written| &written.place),
        ];
        for place in places.into_iter().flatten() {
            report.mistake(place, "has no effect, since the mode is \"off\" and no certificate is asked for");
        }
    }
}

/// What the file says beside its listeners.
#[derive(Debug)]
pub(crate) struct Sources {
    /// What `[trust]` says lists are for; `None` without it.
    pub(crate) lists: Option<Lists>,
    /// What `[revocation]` says; `None` without it.
    pub(crate) revocation: Option<RevocationPolicy>,
    /// What `[register]` says; `None` without it, or where it is off.
    pub(crate) register: Option<RegisterPolicy>,
    /// How `[keys]` says that one is made; `None` without it.
    pub(crate) keys: Option<Enrolment>,
}

/// Sets of anchors that were read for this configuration: one set for each list of files, so that a list that is inherited
/// is read once and complained of once.
#[derive(Debug)]
pub(crate) struct AnchorShelf<'r> {
    folder: Folder,
    report: &'r Report,
    sources: &'r Sources,
    /// `None` for a list that could not be read.
    sets: HashMap<Vec<PathBuf>, Option<Arc<Anchors>>>,
    /// Tables whose missing keys were reported.
    missing: Vec<Place>,
}

impl<'r> AnchorShelf<'r> {
    pub(crate) fn new(folder: Folder, sources: &'r Sources, report: &'r Report) -> Self {
        Self { folder, report, sources, sets: HashMap::new(), missing: Vec::new() }
    }

    /// The rules as run. `None` after a mistake.
    pub(crate) fn client_auth(&mut self, written: &ClientAuthWritten) -> Option<ClientAuth> {
        let mode = written.mode();
        let lists = self.lists_for(written);
        let anchors = self.anchors_for(mode, written, lists);
        let profile = match written.profile.as_written() {
            Some(profile) => Some(profile.value),
            None if mode == Mode::Off => Some(Profile::X509),
            None => None,
        };
        if mode != Mode::Off {
            self.require("profile", matches!(written.profile, Entry::Absent), &written.place);
            // Lists that are only observed let nobody in.
            self.require(
                "anchors",
                lists != Lists::Enforced && matches!(written.anchors, Entry::Absent),
                &written.place,
            );
        }
        // No extended key usage is one of seals.
        let usage = match written.purpose {
            Purpose::Qwac => EkuRule::ClientAuth,
            Purpose::Qsealc => EkuRule::Any,
        };
        let mut rules = Rules {
            purpose: written.purpose,
            extended_key_usage: written.extended_key_usage.clone().or(usage),
            ..Rules::of(profile?)
        };
        let (revocation, register, keys) = match mode {
            Mode::Off => (None, None, None),
            Mode::Optional | Mode::Required => {
                let (sources, profile) = (self.sources, rules.profile);
                (
                    revocation::asked(&written.revocation, sources.revocation.as_ref(), self.report),
                    register::asked(&written.register, profile, sources.register.as_ref(), self.report),
                    match written.purpose {
                        Purpose::Qwac => {
                            let asked = (&written.key, &written.enrolment);
                            keys::asked(asked, profile, sources.keys, self.report)
                        }
                        // Keys are of those who connect.
                        Purpose::Qsealc => None,
                    },
                )
            }
        };
        if register.is_some_and(|register| register.admits_unknown) {
            rules.severities.set(ContentRule::RegisterUnknown.into(), Severity::Warn);
        }
        if revocation.is_some_and(|revocation| revocation.on_unknown.admits()) {
            rules.severities.set(ContentRule::RevocationUnknown.into(), Severity::Warn);
        }
        if let Some(severities) = written.severities.as_written() {
            severities.value.apply(&mut rules, self.report);
        }
        let refusals = written.refusals.clone().or(Refusals::Handshake);
        let revocation = revocation.map(|revocation| revocation.rules.clone());
        let register = register.map(|register| register.rules);
        let auth = ClientAuth::new(mode, rules, refusals, anchors?, lists);
        Some(ClientAuth { revocation, register, keys, ..auth })
    }

    fn lists_for(&self, written: &ClientAuthWritten) -> Lists {
        let Some(trusted_lists) = written.trusted_lists.as_written().filter(|written| written.value) else {
            return Lists::Ignored;
        };
        self.sources.lists.unwrap_or_else(|| {
            self.report.mistake(&trusted_lists.place, "there is no [trust] that says where the lists are");
            Lists::Ignored
        })
    }

    fn anchors_for(&mut self, mode: Mode, written: &ClientAuthWritten, lists: Lists) -> Option<Arc<Anchors>> {
        if mode == Mode::Off {
            return Some(Arc::default());
        }
        if matches!(written.anchors, Entry::Absent) && lists == Lists::Enforced {
            return Some(Arc::default());
        }
        let files = written.anchors.as_written()?;
        let paths: Vec<PathBuf> = files.value.iter().map(|file| self.folder.join(&file.value)).collect();
        if let Some(known) = self.sets.get(&paths) {
            return known.clone();
        }
        let set = read_anchors(files, &self.folder, self.report).map(Arc::new);
        self.sets.insert(paths, set.clone());
        set
    }

    fn require(&mut self, key: &'static str, absent: bool, table: &Place) {
        let place = table.missing(key);
        if absent && !self.missing.contains(&place) {
            self.report
                .mistake(&place, "is missing: it has no default, since a client certificate is asked for");
            self.missing.push(place);
        }
    }
}

/// Reads the anchors of several files, at least one, as one set. `None` after a mistake.
pub(crate) fn read_anchors(
    files: &Located<Vec<Located<String>>>,
    folder: &Folder,
    report: &Report,
) -> Option<Anchors> {
    if files.value.is_empty() {
        report.mistake(&files.place, "must name at least one file of trust anchors");
        return None;
    }
    let sets: Vec<Option<Anchors>> = files.value.iter().map(|file| read_file(file, folder, report)).collect();
    let sets: Vec<Anchors> = sets.into_iter().collect::<Option<_>>()?;
    sets.into_iter().reduce(|mut all, more| {
        all.extend(more);
        all
    })
}

fn read_file(file: &Located<String>, folder: &Folder, report: &Report) -> Option<Anchors> {
    let bytes = read(&folder.join(&file.value), CERTIFICATES_BYTES_MAX)
        .map_err(|error| report.mistake(&file.place, format!("{} {error}", shown(&file.value))))
        .ok()?;
    Anchors::from_pem(&bytes)
        .map_err(|error| {
            report.mistake(&file.place, format!("{}: {}", shown(&file.value), describe(&error)));
        })
        .ok()
}

/// What is wrong with a file of anchors, with its cause; without that of broken PEM, which repeats what stands there.
fn describe(error: &AnchorError) -> String {
    match std::error::Error::source(error) {
        Some(cause) if !matches!(error, AnchorError::Pem { .. }) => format!("{error}: {cause}"),
        _ => error.to_string(),
    }
}
