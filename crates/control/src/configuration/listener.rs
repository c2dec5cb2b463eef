//! `[[listener]]`.

use std::net::SocketAddr;

use portcullis_gateway::plan::{
    Alpn, CertificatePlan, KeyExchange, Limits, ListenerPlan, Resumption, TlsPlan,
};
use portcullis_policy::{ClientAuth, DomainId, HostName, Mode, TrustDomain};

use super::{
    address,
    certificate::{self, CertificateLoaded, CertificateWritten},
    client_auth::{AnchorShelf, ClientAuthWritten},
    entry::Entry,
    file::Folder,
    host_name, limits,
    mistake::{Located, Place, Report, shown},
    section::Section,
};

pub(crate) const KEYS: &[&str] = &[
    "name",
    "address",
    "shared_port",
    "alpn",
    "tls_versions",
    "key_exchange",
    "resumption",
    "limits",
    "certificate",
    "client_auth",
];

const NAME_BYTES_MAX: usize = 64;

const ALPN: [(&str, Alpn); 2] = [("h2", Alpn::H2), ("http/1.1", Alpn::Http1)];

const TLS_VERSIONS: [(&str, TlsVersion); 2] = [("1.2", TlsVersion::V12), ("1.3", TlsVersion::V13)];

const RESUMPTION: [(&str, Resumption); 2] = [("tickets", Resumption::Tickets), ("off", Resumption::Off)];

const KEY_EXCHANGE: [(&str, KeyExchange); 6] = [
    ("X25519MLKEM768", KeyExchange::X25519MlKem768),
    ("X25519", KeyExchange::X25519),
    ("secp256r1", KeyExchange::P256),
    ("P-256", KeyExchange::P256),
    ("secp384r1", KeyExchange::P384),
    ("P-384", KeyExchange::P384),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TlsVersion {
    V12,
    V13,
}

/// A listener as written.
#[derive(Debug)]
pub(crate) struct ListenerWritten {
    pub(crate) place: Place,
    pub(crate) name: Option<Located<String>>,
    pub(crate) address: Option<Located<SocketAddr>>,
    pub(crate) shared_port: Entry<bool>,
    tls: TlsPlan,
    resumption: Resumption,
    limits: Limits,
    certificates: Vec<CertificateWritten>,
    client_auth: ClientAuthWritten,
}

/// A listener with its files read, before its trust domains have a place in a snapshot.
#[derive(Debug)]
pub(crate) struct ListenerLoaded {
    name: String,
    address: SocketAddr,
    shared_port: bool,
    tls: TlsPlan,
    resumption: Resumption,
    limits: Limits,
    certificates: Vec<(CertificateLoaded, bool)>,
}

impl ListenerWritten {
    /// Reads one table of the array.
    pub(crate) fn read(section: &Section<'_>) -> Self {
        let certificates = section.sections("certificate", certificate::KEYS);
        let without_certificate = certificates.is_empty() && !section.has("certificate");
        if without_certificate {
            section.report().mistake(&section.place().missing("certificate"), "at least one is needed");
        }
        Self {
            place: section.place().clone(),
            name: read_name(section),
            address: address::read(section),
            shared_port: section.flag("shared_port"),
            tls: read_tls(section),
            resumption: section.choice("resumption", &RESUMPTION).or(Resumption::Tickets),
            limits: limits::read(section),
            certificates: certificates.iter().map(CertificateWritten::read).collect(),
            client_auth: ClientAuthWritten::read(section),
        }
    }

    /// Reads the files, and makes a trust domain of each certificate. `None` after a mistake.
    pub(crate) fn load(
        self,
        folder: &Folder,
        anchors: &mut AnchorShelf<'_>,
        report: &Report,
    ) -> Option<(ListenerLoaded, Vec<TrustDomain>)> {
        let rules: Vec<_> =
            self.certificates.iter().map(|written| written.client_auth.over(&self.client_auth)).collect();
        self.report_unused_rules(&rules, report);
        let rules: Vec<_> = rules.iter().map(|rules| anchors.client_auth(rules)).collect();
        let default = find_default(&self.certificates, report);
        if let Some(default) = default {
            report_lax_default(default, &self.certificates, &rules, report);
        }
        let certificates: Vec<_> =
            self.certificates.iter().map(|written| written.load(folder, report)).collect();
        report_shared_names(&certificates, report);
        let name = self.name?.value;
        let certificates: Vec<_> = certificates.into_iter().collect::<Option<_>>()?;
        let rules: Vec<_> = rules.into_iter().collect::<Option<_>>()?;
        let domains = certificates
            .iter()
            .zip(rules)
            .map(|(certificate, rules)| domain(&name, certificate, rules))
            .collect();
        let certificates = certificates
            .into_iter()
            .enumerate()
            .map(|(index, loaded)| (loaded, Some(index) == default))
            .collect();
        let (address, shared_port) = (self.address?.value, self.shared_port.or(false));
        let (tls, resumption, limits) = (self.tls, self.resumption, self.limits);
        Some((ListenerLoaded { name, address, shared_port, tls, resumption, limits, certificates }, domains))
    }

    /// Rules for judging certificates that are written where none is asked for.
    fn report_unused_rules(&self, effective: &[ClientAuthWritten], report: &Report) {
        for (written, effective) in self.certificates.iter().zip(effective) {
            if effective.mode() == Mode::Off {
                written.client_auth.report_unused(report);
            }
        }
        if self.client_auth.mode() == Mode::Off && effective.iter().all(|rules| rules.mode() == Mode::Off) {
            self.client_auth.report_unused(report);
        }
    }
}

impl ListenerLoaded {
    /// The listener as run; `domains` yields the ids of its trust domains in the order of its certificates.
    pub(crate) fn plan(self, domains: &mut impl Iterator<Item = DomainId>) -> ListenerPlan {
        let certificates = self.certificates.into_iter().zip(domains).map(|((loaded, default), domain)| {
            let names = loaded.names.into_iter().map(|name| name.value).collect();
            CertificatePlan { names, default, chain: loaded.chain, key: loaded.key, domain }
        });
        ListenerPlan {
            certificates: certificates.collect(),
            name: self.name,
            address: self.address,
            shared_port: self.shared_port,
            tls: self.tls,
            resumption: self.resumption,
            limits: self.limits,
        }
    }

    /// First name and end of validity of each certificate.
    pub(crate) fn expiries(&self) -> impl Iterator<Item = CertificateExpiry> {
        self.certificates.iter().map(|(certificate, _)| CertificateExpiry {
            listener: self.name.clone(),
            name: first_name(certificate),
            not_after_unix_s: certificate.not_after_unix_s,
        })
    }
}

/// Until when a server certificate serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateExpiry {
    /// The listener's name.
    pub listener: String,
    /// The first name of the certificate.
    pub name: String,
    /// The end of its validity, in seconds since the epoch.
    pub not_after_unix_s: i64,
}

fn read_name(section: &Section<'_>) -> Option<Located<String>> {
    let name = section.required_text("name").written()?;
    let complaint = match name.value.as_str() {
        "admin" => "\"admin\" is the name of the admin listener".to_owned(),
        value if is_name(value) => return Some(name),
        other => {
            format!("{} is not a name of at most {NAME_BYTES_MAX} letters, digits, and . _ -", shown(other))
        }
    };
    section.report().mistake(&name.place, complaint);
    None
}

/// Whether this can name something in metrics and logs.
pub(crate) fn is_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(plain)
}

fn read_tls(section: &Section<'_>) -> TlsPlan {
    use KeyExchange::{P256, P384, X25519, X25519MlKem768};
    let versions = section.choices("tls_versions", &TLS_VERSIONS);
    if let Some(versions) =
        versions.as_written().filter(|versions| !versions.value.contains(&TlsVersion::V13))
    {
        section.report().mistake(&versions.place, "must name \"1.3\"; TLS 1.2 alone is not offered");
    }
    TlsPlan {
        tls12: versions.or(vec![TlsVersion::V12, TlsVersion::V13]).contains(&TlsVersion::V12),
        key_exchange: section.choices("key_exchange", &KEY_EXCHANGE).or(vec![
            X25519MlKem768,
            X25519,
            P256,
            P384,
        ]),
        alpn: section.choices("alpn", &ALPN).or(vec![Alpn::H2, Alpn::Http1]),
    }
}

/// The certificate for clients that send no SNI. `None` after a mistake.
fn find_default(certificates: &[CertificateWritten], report: &Report) -> Option<usize> {
    let marked = |certificate: &CertificateWritten| certificate.default.clone().or(false);
    if let [sole] = certificates {
        if let Some(written) = sole.default.as_written().filter(|written| !written.value) {
            report.mistake(&written.place, "the only certificate of a listener is its default");
        }
        return Some(0);
    }
    let mut defaults = certificates.iter().enumerate().filter(|(_, certificate)| marked(certificate));
    let first = defaults.next();
    for (_, other) in defaults {
        let place = other.default.as_written().map_or(&other.place, |written| &written.place);
        report.mistake(place, "another certificate of this listener is marked as the default already");
    }
    if let (None, Some(certificate)) = (first, certificates.first()) {
        let message =
            "one of several certificates must be marked `default = true`: it serves clients that send no SNI";
        report.mistake(&certificate.place.missing("default"), message);
    }
    first.map(|(index, _)| index)
}

/// A client that leaves out SNI, or sends one that an attacker chose, must not be asked for less.
fn report_lax_default(
    default: usize,
    certificates: &[CertificateWritten],
    rules: &[Option<ClientAuth>],
    report: &Report,
) {
    let Some(Some(own)) = rules.get(default) else { return };
    let stricter = |index: &usize| matches!(rules.get(*index), Some(Some(other)) if own.is_laxer_than(other));
    let places = (0..certificates.len()).filter(stricter).filter_map(|index| certificates.get(index));
    let (Some(stricter), Some(certificate)) = (places.into_iter().next(), certificates.get(default)) else {
        return;
    };
    let place = certificate.default.as_written().map_or(&certificate.place, |written| &written.place);
    let message = "the default asks less of a client than the certificate at line";
    let advice = "whoever sends no SNI would pass by the laxer rules";
    report.mistake(place, format!("{message} {}: {advice}", stricter.place.line));
}

fn report_shared_names(certificates: &[Option<CertificateLoaded>], report: &Report) {
    let mut seen: Vec<(&HostName, &Place)> = Vec::new();
    for name in certificates.iter().flatten().flat_map(|certificate| &certificate.names) {
        match seen.iter().find(|(other, _)| **other == name.value) {
            Some((_, place)) => {
                let shown = host_name::show(&name.value);
                let message = format!("the name \"{shown}\" is claimed at line {} already", place.line);
                report.mistake(&name.place, message);
            }
            None => seen.push((&name.value, &name.place)),
        }
    }
}

fn first_name(certificate: &CertificateLoaded) -> String {
    certificate.names.first().map(|name| host_name::show(&name.value)).unwrap_or_default()
}

fn domain(listener: &str, certificate: &CertificateLoaded, client_auth: ClientAuth) -> TrustDomain {
    TrustDomain {
        name: format!("{listener}/{}", first_name(certificate)),
        hosts: certificate.names.iter().map(|name| name.value.clone()).collect(),
        client_auth,
    }
}
