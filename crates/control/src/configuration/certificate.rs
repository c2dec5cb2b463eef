//! `[[listener.certificate]]`.

use portcullis_policy::HostName;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::{
    client_auth::ClientAuthWritten,
    entry::Entry,
    file::{Folder, is_readable_by_others, read_chain, read_key},
    host_name,
    mistake::{Located, Place, Report, shown},
    section::Section,
    server_certificate::ServerCertificate,
};
use crate::clock::now_unix_s;

pub(crate) const KEYS: &[&str] = &["chain", "key", "names", "default", "client_auth"];

/// A server certificate as written.
#[derive(Debug)]
pub(crate) struct CertificateWritten {
    pub(crate) place: Place,
    chain: Entry<String>,
    key: Entry<String>,
    names: Entry<Vec<Located<String>>>,
    pub(crate) default: Entry<bool>,
    pub(crate) client_auth: ClientAuthWritten,
}

/// A server certificate with its files read.
#[derive(Debug)]
pub(crate) struct CertificateLoaded {
    pub(crate) names: Vec<Located<HostName>>,
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
    /// The end of the leaf's validity, in seconds since the epoch.
    pub(crate) not_after_unix_s: i64,
}

impl CertificateWritten {
    /// Reads one table of the array.
    pub(crate) fn read(section: &Section<'_>) -> Self {
        Self {
            place: section.place().clone(),
            chain: section.required_text("chain"),
            key: section.required_text("key"),
            names: section.texts("names"),
            default: section.flag("default"),
            client_auth: ClientAuthWritten::read(section),
        }
    }

    /// Reads the files and finds the names. `None` after a mistake.
    pub(crate) fn load(&self, folder: &Folder, report: &Report) -> Option<CertificateLoaded> {
        let chain = load_file(self.chain.as_written(), report, |name| read_chain(&folder.join(name)));
        let key = load_file(self.key.as_written(), report, |name| read_key(&folder.join(name)));
        self.warn_of_exposed_key(folder, report);
        let names = self.configured_names(report);
        let (chain, key) = (chain?, key?);
        let chain_place = &self.chain.as_written()?.place;
        let Some(leaf) = chain.first().and_then(ServerCertificate::read) else {
            report.mistake(chain_place, "the first certificate of the file is not a valid X.509 certificate");
            return None;
        };
        if let Err(error) = portcullis_gateway::check_certificate(&chain, &key) {
            report.mistake(&self.key.as_written()?.place, format!("does not serve with this chain: {error}"));
        }
        if leaf.not_after_unix_s < now_unix_s() {
            report.warning(chain_place, "this certificate has expired");
        }
        let names = self.names_over(names?, &leaf, report)?;
        Some(CertificateLoaded { names, chain, key, not_after_unix_s: leaf.not_after_unix_s })
    }

    /// The names of the file, as far as they are any; `None` after a mistake.
    fn configured_names(&self, report: &Report) -> Option<Vec<Located<HostName>>> {
        let written = match &self.names {
            Entry::Absent => return Some(Vec::new()),
            Entry::Mistaken => return None,
            Entry::Written(written) => written,
        };
        if written.value.is_empty() {
            let message = "must name at least one, or be left out in favour of the names in the certificate";
            report.mistake(&written.place, message);
            return None;
        }
        let read = |name: &Located<String>| {
            let value = host_name::parse(&name.value);
            if value.is_none() {
                let message = "is no host name; a wildcard is a whole first label, as in \"*.bank.example\"";
                report.mistake(&name.place, format!("{} {message}", shown(&name.value)));
            }
            value.map(|value| Located { value, place: name.place.clone() })
        };
        let names: Vec<Option<_>> = written.value.iter().map(read).collect();
        names.into_iter().collect()
    }

    fn names_over(
        &self,
        configured: Vec<Located<HostName>>,
        leaf: &ServerCertificate,
        report: &Report,
    ) -> Option<Vec<Located<HostName>>> {
        for name in configured.iter().filter(|name| !leaf.covers(&name.value)) {
            let name_shown = host_name::show(&name.value);
            report.warning(
                &name.place,
                format!("the certificate is not for \"{name_shown}\": clients will refuse it"),
            );
        }
        if !configured.is_empty() {
            return Some(configured);
        }
        let place = &self.chain.as_written()?.place;
        let names: Vec<_> =
            leaf.names.iter().map(|name| Located { value: name.clone(), place: place.clone() }).collect();
        if names.is_empty() {
            let message = "the certificate names no host (no subjectAltName), and `names` is not given";
            report.mistake(place, message);
            return None;
        }
        Some(names)
    }

    fn warn_of_exposed_key(&self, folder: &Folder, report: &Report) {
        let Some(key) = self.key.as_written() else { return };
        if is_readable_by_others(&folder.join(&key.value)) {
            report.warning(
                &key.place,
                format!("{} can be read by every user of this machine", shown(&key.value)),
            );
        }
    }
}

fn load_file<T, E: std::fmt::Display>(
    file: Option<&Located<String>>,
    report: &Report,
    read: impl FnOnce(&str) -> Result<T, E>,
) -> Option<T> {
    let file = file?;
    read(&file.value)
        .map_err(|error| report.mistake(&file.place, format!("{} {error}", shown(&file.value))))
        .ok()
}
