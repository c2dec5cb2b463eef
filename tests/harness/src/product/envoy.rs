//! Envoy, whose listeners come from a file that it watches.

use std::net::SocketAddr;
use std::path::Path;

use super::{ServedName, Service, TICKET_KEY, put};

const TYPES: &str = "type.googleapis.com/envoy.extensions";

/// Writes the configuration; the arguments of the program.
pub(super) fn write(
    directory: &Path,
    service: &Service,
    addresses: &[(&'static str, SocketAddr)],
) -> Vec<String> {
    put(&directory.join("envoy.tickets"), [TICKET_KEY; 80]);
    let mut resources = String::from("resources:\n");
    for (listener, (name, address)) in service.listeners.iter().zip(addresses) {
        let chains: String =
            listener.names.iter().map(|name| chain(directory, name, service.max_age_s)).collect();
        let (ip, port) = (address.ip(), address.port());
        resources += &format!(
            "- \"@type\": type.googleapis.com/envoy.config.listener.v3.Listener\n  name: {name}\n  \
             address: {{socket_address: {{address: {ip}, port_value: {port}}}}}\n  listener_filters:\n  \
             - name: envoy.filters.listener.tls_inspector\n    typed_config:\n      \
             \"@type\": {TYPES}.filters.listener.tls_inspector.v3.TlsInspector\n  filter_chains:\n{chains}"
        );
    }
    put(&directory.join("listeners.yaml"), resources);
    let bootstrap = format!(
        "node: {{id: test, cluster: test}}\ndynamic_resources:\n  lds_config:\n    \
         path_config_source: {{path: {}/listeners.yaml}}\n",
        directory.display()
    );
    put(&directory.join("envoy.yaml"), bootstrap);
    ["--concurrency", "1", "--disable-hot-restart", "--log-level", "warn", "-c", "envoy.yaml"]
        .map(str::to_owned)
        .to_vec()
}

fn chain(directory: &Path, name: &ServedName, max_age_s: u32) -> String {
    let ServedName { host, certificate, anchors, is_required, crl } = name;
    let work = directory.display();
    let crl = crl.map(|file| {
        let lines =
            [format!("crl: {{filename: {work}/{file}.pem}}"), "only_verify_leaf_cert_crl: true".to_owned()];
        lines.map(|line| format!("            {line}\n")).concat()
    });
    format!(
        "  - filter_chain_match: {{server_names: [{host}]}}\n    transport_socket:\n      name: envoy.transport_sockets.tls\n      \
         typed_config:\n        \"@type\": {TYPES}.transport_sockets.tls.v3.DownstreamTlsContext\n        \
         require_client_certificate: {is_required}\n        session_timeout: {max_age_s}s\n        \
         session_ticket_keys: {{keys: [{{filename: {work}/envoy.tickets}}]}}\n        common_tls_context:\n          \
         tls_params: {{tls_minimum_protocol_version: TLSv1_2, tls_maximum_protocol_version: TLSv1_3}}\n          \
         tls_certificates:\n          - certificate_chain: {{filename: {work}/{certificate}.pem}}\n            \
         private_key: {{filename: {work}/{certificate}.key}}\n          validation_context:\n            \
         trusted_ca: {{filename: {work}/{anchors}}}\n{}    filters:\n    - name: envoy.filters.network.http_connection_manager\n      \
         typed_config:\n        \"@type\": {TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager\n        \
         stat_prefix: tls\n        route_config:\n          virtual_hosts:\n          - name: all\n            domains: [\"*\"]\n            \
         routes:\n            - match: {{prefix: /}}\n              direct_response: {{status: 200, body: {{inline_string: ok}}}}\n        \
         http_filters:\n        - name: envoy.filters.http.router\n          typed_config:\n            \
         \"@type\": {TYPES}.filters.http.router.v3.Router\n",
        crl.unwrap_or_default()
    )
}
