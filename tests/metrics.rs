//! What the operator sees. After some traffic, good and bad, the admin listener shows every family that the documentation names,
//! with figures that agree with what was done, in the form that Prometheus reads; and it says whether the gate is there and ready.

use std::io::Write as _;
use std::process::{Command, Stdio};

use portcullis_test_harness::{
    Configuration, Gate, Metrics, Site, TlsClient, Version, available, eventually,
};
use portcullis_test_pki::{Authority, Role, TppCertificate};

const PORTCULLIS: &str = env!("CARGO_BIN_EXE_portcullis");

const FAMILIES: [&str; 16] = [
    "portcullis_build_info",
    "portcullis_io_backend_info",
    "portcullis_connections",
    "portcullis_tls_handshakes_total",
    "portcullis_tls_handshake_failures_total",
    "portcullis_tls_handshake_duration_seconds",
    "portcullis_tls_handshakes_in_flight",
    "portcullis_tls_handshakes_shed_total",
    "portcullis_client_cert_verifications_total",
    "portcullis_trust_anchors",
    "portcullis_authz_decisions_total",
    "portcullis_certificate_not_after_timestamp_seconds",
    "portcullis_requests_total",
    "portcullis_request_duration_seconds",
    "portcullis_config_last_reload_success",
    "portcullis_config_reloads_total",
];

/// Families that a shard counts.
const OF_SHARDS: [&str; 6] = [
    "portcullis_tls_handshakes_total",
    "portcullis_tls_handshake_failures_total",
    "portcullis_tls_handshakes_in_flight",
    "portcullis_client_cert_verifications_total",
    "portcullis_authz_decisions_total",
    "portcullis_requests_total",
];

/// A gate after seven admitted connections (three by TLS 1.2, four by 1.3) with two requests each, and two refused ones.
fn after_some_traffic() -> (Site, Gate) {
    let site = Site::new();
    let gate = Gate::start(PORTCULLIS, &site, &Configuration::psd2().runtime("shards = 2"));
    let client = TlsClient::new(&site.bank).credential(&site.tpp(&[Role::PspAi]));
    for (version, count) in [(Version::Tls12, 3), (Version::Tls13, 4)] {
        for _ in 0..count {
            let mut connection =
                client.clone().version(version).connect(gate.address("tpp")).expect("a session");
            assert_eq!(connection.get("/v1/accounts").expect("an answer").status, 200);
            assert_eq!(connection.get("/v1/payments").expect("an answer").status, 403);
        }
    }
    let foreign = Authority::foreign().expect("an authority");
    let foreign = TppCertificate::new("Lindenblatt Kontodienst GmbH").issue(&foreign).expect("a certificate");
    let _ = TlsClient::new(&site.bank).credential(&foreign).refused(gate.address("tpp"));
    let _ = TlsClient::new(&site.bank).refused(gate.address("tpp"));
    gate.reload();
    eventually("all connections have ended", || gate.metrics().sum("portcullis_connections", &[]) == 0.0);
    let failures = || gate.metrics().sum("portcullis_tls_handshake_failures_total", &[]);
    eventually("the refusals are counted", || failures() == 2.0);
    (site, gate)
}

#[test]
fn every_family_is_there_and_counts_right() {
    let (_site, gate) = after_some_traffic();
    let metrics = gate.metrics();
    for family in FAMILIES {
        assert!(metrics.families().contains(family), "{family} is missing:\n{}", metrics.text());
    }
    for family in OF_SHARDS {
        let shards = metrics.label_values(family, "shard");
        assert!(!shards.is_empty(), "{family} has no label shard");
    }
    let handshakes = |version| {
        let labels = [("version", version), ("kind", "full"), ("result", "ok"), ("listener", "tpp")];
        metrics.sum("portcullis_tls_handshakes_total", &labels)
    };
    assert_eq!((handshakes("1.2"), handshakes("1.3")), (3.0, 4.0));
    let failures = |reason| metrics.sum("portcullis_tls_handshake_failures_total", &[("reason", reason)]);
    assert_eq!((failures("untrusted"), failures("no_cert")), (1.0, 1.0), "{}", metrics.text());
    let requests = |class| metrics.sum("portcullis_requests_total", &[("code_class", class)]);
    assert_eq!((requests("2xx"), requests("4xx"), requests("5xx")), (7.0, 7.0, 0.0));
    let decisions = |decision| metrics.sum("portcullis_authz_decisions_total", &[("decision", decision)]);
    assert_eq!((decisions("granted"), decisions("denied")), (7.0, 7.0));
    assert_eq!(metrics.sum("portcullis_tls_handshakes_in_flight", &[]), 0.0);
    assert_eq!(metrics.sum("portcullis_config_last_reload_success", &[]), 1.0);
    assert_eq!(metrics.sum("portcullis_trust_anchors", &[]), 1.0);
    assert_eq!(metrics.sum("portcullis_tls_handshake_duration_seconds_count", &[]), 7.0);
    assert_eq!(metrics.sum("portcullis_request_duration_seconds_count", &[]), 14.0);
    assert!(metrics.has("portcullis_tls_handshake_duration_seconds_bucket", &[("le", "+Inf")]), "no buckets");
}

#[test]
fn counters_only_grow() {
    let (_site, gate) = after_some_traffic();
    let first = gate.metrics();
    // Scraping must not consume: what one collector has seen, the next one sees too.
    let second = gate.metrics();
    for family in OF_SHARDS {
        assert!(second.sum(family, &[]) >= first.sum(family, &[]), "{family}");
    }
    let buckets = "portcullis_request_duration_seconds_count";
    assert_eq!(second.sum(buckets, &[]), first.sum(buckets, &[]));
}

#[test]
fn prometheus_reads_it_without_a_complaint() {
    if !available("promtool", "--version") {
        return;
    }
    let (_site, gate) = after_some_traffic();
    let mut promtool = Command::new("promtool");
    promtool.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = promtool.spawn().expect("promtool is there");
    let mut stdin = child.stdin.take().expect("stdin is piped");
    stdin.write_all(gate.metrics().text().as_bytes()).expect("promtool reads");
    drop(stdin);
    let output = child.wait_with_output().expect("promtool ends");
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success() && said.is_empty(), "{}", String::from_utf8_lossy(&said));
}

#[test]
fn the_gate_says_that_it_is_there_and_ready() {
    let site = Site::new();
    let gate = Gate::start(PORTCULLIS, &site, &Configuration::default());
    for path in ["/health", "/ready"] {
        assert_eq!(Metrics::get(gate.admin(), path).status, 200, "{path}");
    }
    assert_eq!(Metrics::get(gate.admin(), "/v1/payments").status, 404, "routes are not served here");
}
