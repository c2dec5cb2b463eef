//! The gate, told what others are told.

use std::fmt::Write as _;
use std::fs::Permissions;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::{Process, ServedListener, ServedName, Service, TICKET_KEY};
use crate::{Backend, Configuration, Gate, Next, Site};

/// Starts a gate, and what publishes the CRLs that it is told of.
pub(super) fn start(
    program: &Path,
    site: &Site,
    service: &Service,
) -> (Process, Vec<(&'static str, SocketAddr)>) {
    let keys = site.write("ticket.keys", &format!("current {}\n", format!("{TICKET_KEY:02x}").repeat(32)));
    std::fs::set_permissions(keys, Permissions::from_mode(0o600)).expect("our own file");
    let directory = site.directory().to_owned();
    let lists = Backend::start(move |exchange| {
        let target = exchange.received().target();
        let file = directory.join(target.trim_start_matches('/'));
        match std::fs::read(file) {
            Ok(list) => exchange.answer(200, &list)?,
            Err(_) => exchange.answer(404, b"")?,
        }
        Ok(Next::Close)
    });
    let program = program.to_str().expect("a path that is text");
    let gate = Gate::start(program, site, &configuration(service, &lists));
    let addresses = service.listeners.iter().map(|listener| (listener.name, gate.address(listener.name)));
    let addresses = addresses.collect();
    (Process::Gate { gate, lists }, addresses)
}

/// Its configuration. The first listener is where [`Configuration`] has its own.
pub(super) fn configuration(service: &Service, lists: &Backend) -> Configuration {
    let [first, others @ ..] = &service.listeners[..] else { panic!("no listener") };
    let mut rest = String::new();
    for listener in others {
        let _ = writeln!(rest, "[[listener]]\n{}\n{}", lines(listener), certificates(listener));
    }
    let _ = writeln!(rest, "[resumption]\nkey_file = \"ticket.keys\"\nmax_age = \"{}s\"", service.max_age_s);
    rest += &revocation(service, lists);
    Configuration::default()
        .listener(&lines(first))
        .certificates(&certificates(first))
        .client_auth("mode = \"required\"\nprofile = \"x509\"\nanchors = [\"qtsp.pem\"]")
        .and(&rest)
}

fn lines(listener: &ServedListener) -> String {
    format!("name = \"{}\"\naddress = \"127.0.0.1:0\"", listener.name)
}

/// The default may ask no less than its neighbours, so that it is a name of its own.
fn certificates(listener: &ServedListener) -> String {
    let certificate = |(index, name): (usize, &ServedName)| {
        let ServedName { host, certificate, anchors, is_required, crl } = name;
        let mode = if *is_required { "required" } else { "optional" };
        format!(
            "[[listener.certificate]]\nchain = \"{certificate}.pem\"\nkey = \"{certificate}.key\"\nnames = [\"{host}\"]\n\
             default = {}\n[listener.certificate.client_auth]\nmode = \"{mode}\"\nprofile = \"x509\"\n\
             anchors = [\"{anchors}\"]\nrevocation = {}\n",
            index == 0,
            crl.is_some()
        )
    };
    listener.names.iter().enumerate().map(certificate).collect()
}

fn revocation(service: &Service, lists: &Backend) -> String {
    let names = service.listeners.iter().flat_map(|listener| &listener.names);
    let address = lists.address();
    let mut text = format!(
        "[revocation]\ncache = \"revocation\"\nrefresh_interval = \"1s\"\nprivate_hosts = [\"{address}\"]\n"
    );
    for crl in names.filter_map(|name| name.crl) {
        let _ = writeln!(
            text,
            "[[revocation.crl]]\nurl = \"http://{address}/{crl}.der\"\nissuer = \"issuing.pem\""
        );
    }
    text
}
