//! HAProxy.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;

use super::{ServedListener, ServedName, Service, put};

/// 80 bytes of `0x5a` in base64; the file must have three keys at least.
const TICKET_KEY: &str = "WlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlo=\n";

/// Writes the configuration; the arguments of the program.
pub(super) fn write(
    directory: &Path,
    service: &Service,
    addresses: &[(&'static str, SocketAddr)],
) -> Vec<String> {
    put(&directory.join("haproxy.tickets"), TICKET_KEY.repeat(3));
    let mut frontends = String::new();
    for (listener, (name, address)) in service.listeners.iter().zip(addresses) {
        put(&directory.join(format!("{name}.list")), certificates(directory, listener));
        let _ = writeln!(
            frontends,
            "frontend {name}\nbind {address} ssl crt-list {name}.list tls-ticket-keys haproxy.tickets\n\
             http-request return status 200 content-type text/plain string \"ok\\n\""
        );
    }
    let text = format!(
        "global\nmaxconn 1000\ntune.ssl.cachesize 0\ntune.ssl.lifetime {}\nssl-default-bind-options ssl-min-ver TLSv1.2\n\
         defaults\nmode http\ntimeout connect 5s\ntimeout server 60s\ntimeout client 60s\n{frontends}",
        service.max_age_s
    );
    put(&directory.join("haproxy.cfg"), text);
    ["-W", "-f", "haproxy.cfg"].map(str::to_owned).to_vec()
}

/// The list of a listener's certificates, each with its rules.
fn certificates(directory: &Path, listener: &ServedListener) -> String {
    let line = |name: &ServedName| {
        let ServedName { host, certificate, anchors, is_required, crl } = name;
        let read = |extension: &str| {
            let file = directory.join(format!("{certificate}.{extension}"));
            std::fs::read_to_string(file).expect("the site's certificate")
        };
        put(&directory.join(format!("{certificate}.bundle")), read("pem") + &read("key"));
        let verify = if *is_required { "required" } else { "optional" };
        let crl = crl.map(|file| format!(" crl-file {file}.pem")).unwrap_or_default();
        format!("{certificate}.bundle [ca-file {anchors} verify {verify}{crl}] {host}\n")
    };
    listener.names.iter().map(line).collect()
}
