//! `[revocation]`: who is asked whether a certificate is revoked, and what follows where nobody has said.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use portcullis_identity::TbsCertificate;
use portcullis_policy::RevocationRules;
use portcullis_trust::Issuer;
use rustls_pki_types::CertificateDer;

use super::{
    entry::Entry,
    file::{Folder, certificates},
    fixed::Fixed,
    mistake::{Located, Place, Report, shown},
    section::Section,
};

pub(crate) const KEYS: &[&str] = &[
    "on_unknown",
    "wait_ms_max",
    "grace",
    "order",
    "cache",
    "refresh_interval",
    "exempt",
    "private_hosts",
    "https_roots",
    "certificates_max",
    "crl_size_max",
    "crl_memory_max",
    "crl",
];
pub(crate) const CRL_KEYS: &[&str] = &["url", "issuer"];

/// Responders tell of a revocation within minutes to a day; asked more often than that, most say the same again.
const REFRESH_INTERVAL: Duration = Duration::from_secs(15 * 60);
const REFRESH_INTERVAL_MOST: Duration = Duration::from_secs(24 * 60 * 60);
/// Two round trips to a responder on another continent, with its look-up.
const WAIT_MS: u64 = 2000;
/// A client that waits holds a connection: no longer than for its handshake.
const WAIT_MS_MOST: u64 = 10_000;
/// A request that was let in may end; a connection that is revoked must not live by requests without end.
const GRACE_MOST: Duration = Duration::from_secs(60);
/// Some three hundred times the payment service providers of the EEA that use certificates. At about 4 kB each, 400 MB on disk.
const CERTIFICATES_MAX: u64 = 100_000;
/// The largest CRL seen in the field has 30 MB.
const CRL_BYTES_MAX: u64 = 64 << 20;
const CRL_BYTES_MOST: u64 = 2 << 30;
/// Twenty million serial numbers: more than all CAs of the EU trusted lists have on theirs together.
const CRL_MEMORY_BYTES_MAX: u64 = 512 << 20;
const CRL_MEMORY_BYTES_MOST: u64 = 64 << 30;

/// Who is asked about revocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevocationSettings {
    /// The folder of what was answered.
    pub cache: PathBuf,
    /// Which sources are asked, the first first.
    pub order: Vec<StatusSource>,
    /// How old an answer may become before another is asked for.
    pub refresh_interval: Duration,
    /// CRLs that are fetched whether or not a certificate names them.
    pub crls: Vec<CrlSource>,
    /// Hosts that may be on private addresses, each as `host` or `host:port`.
    pub private_hosts: Vec<String>,
    /// Roots of https servers that are believed beside those of the system.
    pub https_roots: Vec<CertificateDer<'static>>,
    /// How many certificates are followed.
    pub certificates_max: usize,
    /// Bytes of a CRL.
    pub crl_bytes_max: u64,
    /// Bytes of memory that all CRLs may take together.
    pub crl_memory_bytes_max: u64,
}

/// A kind of source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusSource {
    /// An OCSP responder.
    Ocsp,
    /// A CRL.
    Crl,
}

/// A CRL of a CA.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CrlSource {
    /// Where it is.
    pub url: String,
    /// Whose it is.
    pub issuer: Arc<Issuer>,
}

/// What is done with a certificate of whose revocation nothing is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnUnknown {
    Deny,
    Allow,
    Wait,
}

/// What follows for the trust domains.
#[derive(Debug, Clone)]
pub(crate) struct RevocationPolicy {
    pub(crate) rules: RevocationRules,
    pub(crate) on_unknown: OnUnknown,
}

/// What the trust domains ask, and of whom; of nobody after a mistake.
pub(crate) fn read(section: &Section<'_>, folder: &Folder) -> (Option<RevocationSettings>, RevocationPolicy) {
    let on_unknown = section.choice(
        "on_unknown",
        &[("deny", OnUnknown::Deny), ("allow", OnUnknown::Allow), ("wait", OnUnknown::Wait)],
    );
    let on_unknown = on_unknown.or(OnUnknown::Deny);
    let wait = section.count("wait_ms_max", 1..=WAIT_MS_MOST);
    if let (Some(written), false) = (wait.as_written(), on_unknown == OnUnknown::Wait) {
        section.report().mistake(&written.place, "has no effect, since on_unknown is not \"wait\"");
    }
    let wait = match on_unknown {
        OnUnknown::Wait => Duration::from_millis(wait.or(WAIT_MS)),
        OnUnknown::Deny | OnUnknown::Allow => Duration::ZERO,
    };
    let exempt: Arc<[Issuer]> = files(section, folder, "exempt")
        .iter()
        .filter_map(|(place, certificate)| issuer(section, place, certificate))
        .collect();
    let grace = section.duration("grace", Duration::ZERO..=GRACE_MOST).or(Duration::ZERO);
    let policy = RevocationPolicy { rules: RevocationRules { exempt, wait, grace }, on_unknown };
    (settings(section, folder), policy)
}

/// The folder of answers stays as it is: one process has it open.
pub(crate) fn fixed(section: &Section<'_>) -> Option<Fixed> {
    let cache = section.text("cache").written()?;
    Some(Fixed::new("revocation.cache", cache.place, cache.value))
}

fn settings(section: &Section<'_>, folder: &Folder) -> Option<RevocationSettings> {
    let order = section.choices("order", &[("ocsp", StatusSource::Ocsp), ("crl", StatusSource::Crl)]);
    let refresh_interval =
        section.duration("refresh_interval", Duration::from_secs(1)..=REFRESH_INTERVAL_MOST);
    let crls = section.sections("crl", CRL_KEYS);
    let crls: Vec<_> = crls.iter().filter_map(|section| crl(section, folder)).collect();
    let private_hosts = section.texts("private_hosts").written().map(|hosts| hosts.value).unwrap_or_default();
    let roots = files(section, folder, "https_roots").into_iter().map(|(_, certificate)| certificate);
    let certificates_max = section.count("certificates_max", 1..=1_000_000);
    let crl_bytes_max = section.size("crl_size_max", 1024..=CRL_BYTES_MOST);
    let crl_memory_bytes_max = section.size("crl_memory_max", 1024..=CRL_MEMORY_BYTES_MOST);
    let cache = section.required_text("cache").written()?;
    Some(RevocationSettings {
        cache: folder.join(&cache.value),
        order: order.or(vec![StatusSource::Ocsp, StatusSource::Crl]),
        refresh_interval: refresh_interval.or(REFRESH_INTERVAL),
        crls,
        private_hosts: private_hosts.into_iter().map(|host| host.value.to_ascii_lowercase()).collect(),
        https_roots: roots.collect(),
        certificates_max: usize::try_from(certificates_max.or(CERTIFICATES_MAX)).unwrap_or(usize::MAX),
        crl_bytes_max: crl_bytes_max.or(CRL_BYTES_MAX),
        crl_memory_bytes_max: crl_memory_bytes_max.or(CRL_MEMORY_BYTES_MAX),
    })
}

fn crl(section: &Section<'_>, folder: &Folder) -> Option<CrlSource> {
    let (url, file) = (section.required_text("url").written(), section.required_text("issuer").written());
    let (url, file) = (url?, file?);
    if !["http://", "https://"].iter().any(|scheme| url.value.starts_with(scheme)) {
        section.report().mistake(&url.place, format!("{} is no http or https URL", shown(&url.value)));
        return None;
    }
    let certificates = certificates(section.report(), folder, vec![file]);
    let (place, certificate) = certificates.first()?;
    Some(CrlSource { url: url.value, issuer: Arc::new(issuer(section, place, certificate)?) })
}

fn files(section: &Section<'_>, folder: &Folder, key: &'static str) -> Vec<(Place, CertificateDer<'static>)> {
    let files: Option<Located<Vec<Located<String>>>> = section.texts(key).written();
    files.map(|files| certificates(section.report(), folder, files.value)).unwrap_or_default()
}

/// The CA of a certificate.
fn issuer(section: &Section<'_>, place: &Place, certificate: &CertificateDer<'_>) -> Option<Issuer> {
    let issuer = TbsCertificate::from_der(certificate).and_then(|tbs| Issuer::of_certificate(&tbs));
    issuer.map_err(|error| section.report().mistake(place, format!("cannot be read: {error}"))).ok()
}

impl OnUnknown {
    /// Whether a certificate may pass of whose revocation nothing is known.
    pub(crate) const fn admits(self) -> bool {
        matches!(self, Self::Allow)
    }
}

/// Whether a trust domain asks: if there is somebody to ask, unless it is written that it does not.
pub(crate) fn asked<'p>(
    written: &Entry<bool>,
    policy: Option<&'p RevocationPolicy>,
    report: &Report,
) -> Option<&'p RevocationPolicy> {
    match (written.as_written(), policy) {
        (Some(written), None) if written.value => {
            report.mistake(&written.place, "there is no [revocation] that says whom to ask");
            None
        }
        (Some(written), _) if !written.value => None,
        (_, policy) => policy,
    }
}
