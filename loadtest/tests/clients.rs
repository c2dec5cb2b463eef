//! Many clients: each is who it is, the shares of those who are to be refused are exact, and whoever is not treated as expected fails
//! the run.

mod server;

use serde_json::json;
use server::{Behaviour, OK, Outcome, Server};

/// Runs with clients that the server's own CA issues.
fn load(server: &Server, command: &str, clients: &str, options: &[&str]) -> Outcome {
    let (issuer, key) = (server.file("root.pem"), server.file("root.key"));
    let made = ["--clients", clients, "--issuer", &issuer, "--issuer-key", &key];
    server.load_bare(command, &[&made[..], options].concat())
}

#[test]
fn ten_thousand_clients_are_made_and_used() {
    let server = Server::start(Behaviour::Answer(OK));
    let outcome = load(&server, "handshake", "10000", &["--count", "300", "--connections", "4"]);
    assert!(outcome.success, "{}", outcome.stderr);
    assert_eq!((outcome.count("completed"), outcome.count("client_certificates")), (300, 10_000));
    assert_eq!(outcome.count("client_keys"), 10_000);
}

#[test]
fn shares_are_exact_and_expected_refusals_are_counted_apart() {
    let server = Server::start(Behaviour::Answer(OK));
    let bad = ["--bad", "expired=0.1,foreign=0.05", "--count", "200", "--connections", "4", "--threads", "2"];
    let outcome = load(&server, "handshake", "40", &bad);
    assert!(outcome.success, "{}", outcome.stderr);
    assert_eq!((outcome.count("completed"), outcome.count("refused"), outcome.count("failed")), (170, 30, 0));
    let as_expected = |times: u64| json!({ "expected": times, "unexpected": 0 });
    let expected =
        json!({ "good": as_expected(170), "expired": as_expected(20), "foreign": as_expected(10) });
    assert_eq!(outcome.report["clients"], expected);
}

#[test]
fn whoever_passes_and_should_not_fails_the_run() {
    // This server asks for no role.
    let server = Server::start(Behaviour::Answer(OK));
    let outcome = load(&server, "handshake", "10", &["--bad", "roleless=0.2", "--count", "50"]);
    assert!(!outcome.success);
    assert_eq!((outcome.count("completed"), outcome.count("unexpected_status")), (40, 10));
    assert!(
        outcome.stderr.contains("10 of 10 roleless clients otherwise than expected"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn each_client_resumes_its_own_sessions_only() {
    let server = Server::start(Behaviour::Answer(OK));
    let options = ["--count", "40", "--resume-ratio", "1", "--choice", "uniform"];
    let outcome = load(&server, "handshake", "1", &options);
    assert!(outcome.success, "{}", outcome.stderr);
    assert_eq!(outcome.count("resumed"), 40);
    // Of a hundred clients hardly one comes back so soon, and none can resume what another began.
    let outcome = load(&server, "handshake", "100", &options);
    assert!(outcome.count("resumed") < 20 && outcome.count("resumption_missed") > 20, "{}", outcome.report);
}
