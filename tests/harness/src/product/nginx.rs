//! nginx.

use std::net::SocketAddr;
use std::path::Path;

use super::{ServedName, Service, TICKET_KEY, put};

/// Writes the configuration; the arguments of the program.
pub(super) fn write(
    directory: &Path,
    service: &Service,
    addresses: &[(&'static str, SocketAddr)],
) -> Vec<String> {
    put(&directory.join("nginx.tickets"), [TICKET_KEY; 80]);
    let mut servers = String::new();
    for (listener, (_, address)) in service.listeners.iter().zip(addresses) {
        servers.extend(listener.names.iter().map(|name| server(name, *address)));
    }
    let work = directory.display();
    let text = format!(
        "daemon off;\npid {work}/nginx.pid;\nerror_log stderr warn;\nworker_processes 1;\nevents {{}}\nhttp {{\n\
         access_log off;\nclient_body_temp_path {work}/body;\nproxy_temp_path {work}/proxy;\n\
         fastcgi_temp_path {work}/fastcgi;\nuwsgi_temp_path {work}/uwsgi;\nscgi_temp_path {work}/scgi;\n\
         ssl_protocols TLSv1.2 TLSv1.3;\nssl_session_tickets on;\nssl_session_ticket_key {work}/nginx.tickets;\n\
         ssl_session_cache none;\nssl_session_timeout {}s;\n{servers}}}\n",
        service.max_age_s
    );
    put(&directory.join("nginx.conf"), text);
    ["-e", "stderr", "-p", &work.to_string(), "-c", "nginx.conf"].map(str::to_owned).to_vec()
}

fn server(name: &ServedName, address: SocketAddr) -> String {
    let ServedName { host, certificate, anchors, is_required, crl } = name;
    let verify = if *is_required { "on" } else { "optional" };
    let crl = crl.map(|file| format!("ssl_crl {file}.pem;\n")).unwrap_or_default();
    format!(
        "server {{\nlisten {address} ssl;\nserver_name {host};\nssl_certificate {certificate}.pem;\n\
         ssl_certificate_key {certificate}.key;\nssl_client_certificate {anchors};\nssl_verify_client {verify};\n\
         ssl_verify_depth 3;\n{crl}location / {{ return 200 \"ok\\n\"; }}\n}}\n"
    )
}
