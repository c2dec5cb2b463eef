//! `[seal.NAME]`: how sealed requests are looked at; and what a route asks of a seal.

use std::{sync::Arc, time::Duration};

use http::HeaderName;
use portcullis_gateway::plan::{
    Delivery, SealAlgorithm, SealDemand, SealPlan, SealProfile, SealRules, Sealer,
};
use portcullis_policy::{ClientAuth, RouteTable, Snapshot, TrustDomain, believe};
use portcullis_trust::Anchors;
use rustls_pki_types::PrivateKeyDer;

use super::{
    client_auth::{AnchorShelf, ClientAuthWritten},
    entry::Entry,
    file::{self, Folder},
    listener::is_name,
    mistake::{Located, Place, Report, shown},
    section::Section,
    server_certificate::ServerCertificate,
    spelling,
};
use crate::clock::now_unix_s;

pub(crate) const KEYS: &[&str] = &[
    "profiles",
    "algorithms",
    "covered",
    "freshness",
    "clock_skew",
    "date_required",
    "request_id",
    "rsa_bits",
    "certificate_field",
    "verify",
    "memory_max",
    "body_max",
    "answer_key",
    "answer_certificate",
    "certificate_profile",
    "anchors",
    "trusted_lists",
    "revocation",
    "register",
    "severities",
];

/// Requests are remembered for as long, so that none comes twice: an hour of them is what memory is there for.
const FRESHNESS_MOST: Duration = Duration::from_secs(60 * 60);
const CLOCK_SKEW_MOST: Duration = Duration::from_secs(5 * 60);
/// What aws-lc takes.
const RSA_BITS_MOST: u64 = 8192;
/// Most payments have a kilobyte; a batch of a thousand of them stays in memory.
const MEMORY_MAX: usize = 256 << 10;
const MEMORY_MAX_LEAST: u64 = 4 << 10;
/// A connection of h2 has a hundred streams by default, each of which may hold as much.
const MEMORY_MAX_MOST: u64 = 16 << 20;
/// The longest file of payments that banks take.
const BODY_MAX: u64 = 100 << 20;
const BODY_MAX_LEAST: u64 = 1 << 10;
const BODY_MAX_MOST: u64 = 16 << 30;

/// Ways to look at seals, as written.
pub(crate) struct SealsWritten(Vec<SealWritten>);

struct SealWritten {
    name: String,
    place: Place,
    rules: SealRules,
    delivery: Delivery,
    memory_bytes_max: usize,
    body_bytes_max: u64,
    /// `None` after a mistake.
    answers: Option<Option<Arc<Sealer>>>,
    certificates: ClientAuthWritten,
}

/// One of them, without a place among the others.
pub(crate) struct SealLoaded {
    written: SealWritten,
    answers: Option<Arc<Sealer>>,
    certificates: ClientAuth,
}

impl SealsWritten {
    /// Reads all of them.
    pub(crate) fn read(sections: &[(String, Section<'_>)], folder: &Folder) -> Self {
        Self(sections.iter().map(|(name, section)| SealWritten::read(name, section, folder)).collect())
    }

    /// Warns of those that no route asks for.
    pub(crate) fn report_unused(&self, sealed: &[Option<SealDemand>], report: &Report) {
        for (index, seal) in self.0.iter().enumerate() {
            if !sealed.iter().flatten().any(|demand| demand.seal == index) {
                report.warning(&seal.place, "no route asks for this seal");
            }
        }
    }

    /// With the anchors that they name. `None` after a mistake.
    pub(crate) fn load(
        self,
        mut anchors: AnchorShelf<'_>,
        listed: Option<&Arc<Anchors>>,
    ) -> Option<Vec<SealLoaded>> {
        let load = |written: SealWritten| {
            let certificates = anchors.client_auth(&written.certificates);
            Some(SealLoaded { certificates: certificates?, answers: written.answers.clone()?, written })
        };
        let loaded: Vec<_> = self.0.into_iter().map(load).collect();
        let mut loaded = loaded.into_iter().collect::<Option<Vec<_>>>()?;
        for seal in &mut loaded {
            let mut domain = [seal.domain()];
            believe(&mut domain, listed);
            let [domain] = domain;
            seal.certificates = domain.client_auth;
        }
        Some(loaded)
    }
}

/// As they are run, with what their certificates are judged by, to be published after `previous`.
pub(crate) fn assemble(loaded: Vec<SealLoaded>, previous: &Snapshot) -> (Vec<SealPlan>, Snapshot) {
    let domains = loaded.iter().map(SealLoaded::domain).collect();
    let policy = Snapshot::after(previous, domains, RouteTable::default());
    // Snapshots keep the order of their domains.
    let plans =
        loaded.into_iter().zip(policy.domains()).map(|(SealLoaded { written, answers, .. }, (domain, _))| {
            SealPlan {
                name: written.name,
                rules: written.rules,
                domain,
                delivery: written.delivery,
                memory_bytes_max: written.memory_bytes_max,
                body_bytes_max: written.body_bytes_max,
                answers,
            }
        });
    let plans = plans.collect();
    (plans, policy)
}

impl SealLoaded {
    fn domain(&self) -> TrustDomain {
        // A listener's domain has a slash in its name.
        let name = format!("seal.{}", self.written.name);
        TrustDomain { name, hosts: Vec::new(), client_auth: self.certificates.clone() }
    }
}

impl SealWritten {
    fn read(name: &str, section: &Section<'_>, folder: &Folder) -> Self {
        if !is_name(name) {
            section.report().mistake(section.place(), format!("{} is not a name", shown(name)));
        }
        let verify = [("buffered", Delivery::Buffered), ("streaming", Delivery::Streaming)];
        Self {
            name: name.to_owned(),
            place: section.place().clone(),
            rules: read_rules(section),
            delivery: section.choice("verify", &verify).or(Delivery::Buffered),
            memory_bytes_max: section
                .size("memory_max", MEMORY_MAX_LEAST..=MEMORY_MAX_MOST)
                .or_usize(MEMORY_MAX),
            body_bytes_max: section.size("body_max", BODY_MAX_LEAST..=BODY_MAX_MOST).or(BODY_MAX),
            answers: read_answers(section, folder),
            certificates: ClientAuthWritten::of_seal(section),
        }
    }
}

fn read_rules(section: &Section<'_>) -> SealRules {
    let default = SealRules::default();
    let profiles = SealProfile::ALL.map(|profile| (profile.as_str(), profile));
    let algorithms = SealAlgorithm::ALL.map(|algorithm| (algorithm.as_str(), algorithm));
    let seconds = |key, range, default: u32| {
        let default = Duration::from_secs(default.into());
        u32::try_from(section.duration(key, range).or(default).as_secs()).unwrap_or(u32::MAX)
    };
    let date_required = section.flag("date_required");
    if let Some(date_required) = date_required.as_written().filter(|written| !written.value) {
        let message =
            "a request that does not say when it was sealed is fresh for ever, and can come again later";
        section.report().warning(&date_required.place, message);
    }
    let request_id = [("required", true), ("optional", false)];
    let rsa_bits = section.count("rsa_bits", default.rsa_bits_min.into()..=RSA_BITS_MOST);
    SealRules {
        profiles: section.choices("profiles", &profiles).or(default.profiles),
        certificate_field: certificate_field(section).unwrap_or(default.certificate_field),
        covered_min: covered(section),
        freshness_s_max: seconds(
            "freshness",
            Duration::from_secs(1)..=FRESHNESS_MOST,
            default.freshness_s_max,
        ),
        clock_skew_s: seconds("clock_skew", Duration::ZERO..=CLOCK_SKEW_MOST, default.clock_skew_s),
        date_required: date_required.or(default.date_required),
        algorithms: section.choices("algorithms", &algorithms).or(default.algorithms),
        rsa_bits_min: u32::try_from(rsa_bits.or(default.rsa_bits_min.into())).unwrap_or(u32::MAX),
        request_id_required: section.choice("request_id", &request_id).or(default.request_id_required),
        label: None,
    }
}

/// With what answers are sealed.
fn read_answers(section: &Section<'_>, folder: &Folder) -> Option<Option<Arc<Sealer>>> {
    let report = section.report();
    let (key, certificate) = match (section.text("answer_key"), section.text("answer_certificate")) {
        (Entry::Absent, Entry::Absent) => return Some(None),
        (Entry::Written(key), Entry::Written(certificate)) => (key, certificate),
        (Entry::Mistaken, _) | (_, Entry::Mistaken) => return None,
        (Entry::Written(one), _) | (_, Entry::Written(one)) => {
            report.mistake(
                &one.place,
                "answers are sealed with `answer_key` and `answer_certificate`, not with one of them",
            );
            return None;
        }
    };
    let refuse = |file: &Located<String>, what: &str| {
        report.mistake(&file.place, format!("{} {what}", shown(&file.value)));
    };
    let path = folder.join(&key.value);
    let chain = file::read_chain(&folder.join(&certificate.value));
    let chain = chain.map_err(|error| refuse(&certificate, &error.to_string()));
    let der = file::read_key(&path).map_err(|error| refuse(&key, &error.to_string()));
    if file::is_readable_by_others(&path) {
        report
            .warning(&key.place, format!("{} can be read by every user of this machine", shown(&key.value)));
    }
    let (chain, PrivateKeyDer::Pkcs8(der)) = (chain.ok()?, der.ok()?) else {
        refuse(&key, "holds a key that is not PKCS#8");
        return None;
    };
    if ServerCertificate::read(&chain[0]).is_some_and(|leaf| leaf.not_after_unix_s < now_unix_s()) {
        report.warning(&certificate.place, "this certificate has expired");
    }
    let sealer = Sealer::of(SealProfile::MessageSignatures, der.secret_pkcs8_der(), &chain[0]);
    sealer.map(|sealer| Some(Arc::new(sealer))).map_err(|error| refuse(&key, &error.to_string())).ok()
}

fn certificate_field(section: &Section<'_>) -> Option<Box<str>> {
    let field = section.text("certificate_field").written()?;
    match HeaderName::try_from(&field.value) {
        Ok(name) => Some(name.as_str().into()),
        Err(_) => {
            section.report().mistake(&field.place, format!("{} is no name of a field", shown(&field.value)));
            None
        }
    }
}

/// Components: names of fields, derived ones of RFC 9421, and `(request-target)`.
fn covered(section: &Section<'_>) -> Vec<Box<str>> {
    let is_component = |name: &str| {
        let name = name.strip_prefix('@').unwrap_or(name);
        HeaderName::try_from(name).is_ok_and(|field| field.as_str() == name) || name == "(request-target)"
    };
    let mut covered = Vec::new();
    for component in section.texts("covered").or(Vec::new()) {
        if !is_component(&component.value) {
            let message = format!("{} is no component: names are in lower case", shown(&component.value));
            section.report().mistake(&component.place, message);
        }
        covered.push(component.value.into());
    }
    covered
}

/// What a route asks of a seal, as written.
#[derive(Debug)]
pub(crate) struct SealDemandWritten {
    signature: Entry<bool>,
    seal: Entry<String>,
}

impl SealDemandWritten {
    /// Reads the keys of a route.
    pub(crate) fn read(section: &Section<'_>) -> Self {
        let signature = section.choice("signature", &[("required", true), ("optional", false)]);
        Self { signature, seal: section.text("seal") }
    }

    /// What is asked, with `seals` by their names. `None` after a mistake.
    pub(crate) fn load(self, seals: &[String], report: &Report) -> Option<Option<SealDemand>> {
        let signature = match (self.signature, &self.seal) {
            (Entry::Mistaken, _) | (_, Entry::Mistaken) => return None,
            (Entry::Absent, Entry::Absent) => return Some(None),
            (Entry::Absent, Entry::Written(seal)) => {
                report.mistake(&seal.place, "has no effect without `signature`");
                return None;
            }
            (Entry::Written(signature), _) => signature,
        };
        let seal = match (self.seal.written(), seals) {
            (Some(named), _) => spelling::find_table("seal", &named, seals, report)?,
            (None, [_]) => 0,
            (None, []) => {
                report.mistake(&signature.place, "there is no [seal.NAME] that says how seals are looked at");
                return None;
            }
            (None, _) => {
                report.mistake(&signature.place, "needs `seal`: there are several [seal.NAME]");
                return None;
            }
        };
        Some(Some(SealDemand { seal, is_required: signature.value }))
    }
}
