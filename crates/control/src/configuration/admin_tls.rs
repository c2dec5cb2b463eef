//! `[admin.tls]`.

use std::{path::PathBuf, sync::Arc};

use portcullis_gateway::check_certificate;
use portcullis_trust::Anchors;
use rustls_pki_types::CertificateDer;

use super::{
    client_auth::read_anchors,
    entry::Entry,
    file::{Folder, read_chain, read_own_key},
    host_name,
    listener::CertificateExpiry,
    mistake::{Located, Place, Report, shown},
    section::Section,
    server_certificate::ServerCertificate,
};
use crate::{
    admin_tls::{AdminTls, ClientName},
    clock::now_unix_s,
    error::chain as causes,
};

pub(crate) const KEYS: &[&str] = &["chain", "key", "client_anchors", "clients", "client"];
const CLIENT_KEYS: &[&str] = &["chain", "key"];

/// How the admin listener speaks TLS, and how the command line speaks to it.
#[derive(Debug, Clone)]
pub(crate) struct AdminTlsSettings {
    pub(crate) tls: Arc<AdminTls>,
    /// The certificate that it presents, by which the command line knows it.
    pub(crate) leaf: CertificateDer<'static>,
    /// What the command line presents. The gate does not read these: they are an operator's.
    pub(crate) client: Option<ClientFiles>,
    /// The first name of the certificate and the end of its validity.
    pub(crate) expiry: CertificateExpiry,
}

/// The files of a client's certificate.
#[derive(Debug, Clone)]
pub(crate) struct ClientFiles {
    pub(crate) chain: PathBuf,
    pub(crate) key: PathBuf,
}

/// Who must show a certificate, and who of those may use the API.
struct Clients {
    anchors: Option<Anchors>,
    names: Vec<ClientName>,
}

/// Reads the table and its files. `None` after a mistake.
pub(crate) fn read(section: &Section<'_>, folder: &Folder) -> Option<AdminTlsSettings> {
    let report = section.report();
    let (chain_file, key_file) = (section.required_text("chain"), section.required_text("key"));
    let clients = read_clients(section, folder);
    let client = section.section("client", CLIENT_KEYS).map(|section| read_client(&section, folder));
    let chain = chain_file.as_written().map(|file| {
        let chain = read_chain(&folder.join(&file.value));
        chain.map_err(|error| report.mistake(&file.place, format!("{} {error}", shown(&file.value))))
    });
    let key = key_file.as_written().map(|file| {
        let key = read_own_key(&folder.join(&file.value));
        key.map_err(|error| report.mistake(&file.place, format!("{} {}", shown(&file.value), causes(&error))))
    });
    let (chain, key) = (chain?.ok()?, key?.ok()?);
    let (leaf, expiry) = read_leaf(&chain, &chain_file.written()?.place, report)?;
    if let Err(error) = check_certificate(&chain, &key) {
        report.mistake(&key_file.written()?.place, format!("does not serve with this chain: {error}"));
        return None;
    }
    let Clients { anchors, names } = clients?;
    let tls = AdminTls::new(chain, key, anchors.as_ref().map(|anchors| (anchors, names)));
    let tls = tls.map_err(|error| report.mistake(section.place(), format!("cannot serve: {error}"))).ok()?;
    let client = match client {
        Some(client) => Some(client?),
        None => None,
    };
    Some(AdminTlsSettings { tls: Arc::new(tls), leaf, client, expiry })
}

fn read_leaf(
    chain: &[CertificateDer<'static>],
    place: &Place,
    report: &Report,
) -> Option<(CertificateDer<'static>, CertificateExpiry)> {
    let read = chain.first().and_then(|leaf| Some((leaf, ServerCertificate::read(leaf)?)));
    let Some((leaf, certificate)) = read else {
        report.mistake(place, "the first certificate of the file is not a valid X.509 certificate");
        return None;
    };
    if certificate.not_after_unix_s < now_unix_s() {
        report.warning(place, "this certificate has expired");
    }
    let expiry = CertificateExpiry {
        listener: "admin".to_owned(),
        name: certificate.names.first().map(host_name::show).unwrap_or_default(),
        not_after_unix_s: certificate.not_after_unix_s,
    };
    Some((leaf.clone(), expiry))
}

fn read_clients(section: &Section<'_>, folder: &Folder) -> Option<Clients> {
    let report = section.report();
    let (files, names) = (section.texts("client_anchors"), section.texts("clients"));
    if let (Entry::Absent, Some(names)) = (&files, names.as_written()) {
        let message = "has no effect, since no `client_anchors` say whose certificates are genuine";
        report.mistake(&names.place, message);
    }
    let anchors = files.as_written().map(|files| read_anchors(files, folder, report));
    let written = names.written();
    if let Some(names) = written.as_ref().filter(|names| names.value.is_empty()) {
        report.warning(&names.place, "names nobody: whoever the anchors vouch for may use the API");
    }
    let read = |name: &Located<String>| {
        let read = ClientName::parse(&name.value);
        if read.is_none() {
            let message = "is neither a subject, such as \"CN=ada,O=Bank\", nor a name, such as \"dns:ada.bank.example\"";
            report.mistake(&name.place, format!("{} {message}", shown(&name.value)));
        }
        read
    };
    let names = written.iter().flat_map(|names| &names.value).map(read).collect::<Vec<_>>();
    let anchors = match anchors {
        Some(anchors) => Some(anchors?),
        None => None,
    };
    Some(Clients { anchors, names: names.into_iter().collect::<Option<_>>()? })
}

fn read_client(section: &Section<'_>, folder: &Folder) -> Option<ClientFiles> {
    let (chain, key) = (section.required_text("chain"), section.required_text("key"));
    let path = |file: Entry<String>| Some(folder.join(&file.written()?.value));
    Some(ClientFiles { chain: path(chain)?, key: path(key)? })
}
