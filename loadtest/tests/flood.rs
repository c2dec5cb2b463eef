//! Floods: they come as they were asked for, end by themselves, and say what the server did.

mod server;
mod tpp_server;

use std::sync::atomic::Ordering;

use server::{Behaviour, OK, Outcome, Server};
use tpp_server::{Refusals, TppServer};

#[test]
fn a_crowd_of_certificates_has_no_two_the_same() {
    for tls in ["1.2", "1.3"] {
        let server = TppServer::start(Refusals::Alerts);
        let root = server.file("root.pem");
        let options =
            ["certificates", "--ca", &root, "--count", "60", "--connections", "4", "--threads", "2"];
        let outcome = server.run("flood", &[&options[..], &["--tls", tls]].concat());
        assert!(outcome.success, "{}", outcome.stderr);
        assert_eq!((outcome.count("refused"), outcome.count("client_certificates")), (60, 60));
        assert_eq!((server.presented(), server.seen().len()), (60, 0), "each was another, and none got in");
        // Whoever lets them in fails the run.
        let outcome = server.run("flood", &[&options[..], &["--expect", "foreign=pass"]].concat());
        assert!(!outcome.success && outcome.report["clients"]["foreign"]["unexpected"] == 60);
    }
}

#[test]
fn a_crowd_has_no_other_certificates() {
    let server = TppServer::start(Refusals::Alerts);
    let [root, cert, key] = ["root.pem", "client.pem", "client.key"].map(|name| server.file(name));
    let options = ["certificates", "--ca", &root, "--count", "1", "--cert", &cert, "--key", &key];
    let outcome = server.run("flood", &options);
    assert!(!outcome.success && outcome.stderr.contains("a crowd makes its own"), "{}", outcome.stderr);
}

/// Runs a flood of connections that make no handshake: six, three at a time.
fn six(server: &Server, kind: &str) -> Outcome {
    let options = [kind, "--insecure", "--count", "6", "--connections", "3", "--hold-s", "0.5"];
    server::run("flood", server.address, &options)
}

#[test]
fn what_a_server_bears_is_held_and_let_go() {
    let server = Server::start(Behaviour::Answer(OK));
    for kind in ["half-open", "slow"] {
        let outcome = six(&server, kind);
        assert!(outcome.success, "{kind}: {}", outcome.stderr);
        let counts = ["attempted", "held", "ended_by_server", "not_connected"].map(|key| outcome.count(key));
        assert_eq!(counts, [6, 6, 0, 0], "{}", outcome.report);
        assert!(outcome.report["borne_p50_ms"].is_null());
    }
    assert_eq!(server.accepted.load(Ordering::SeqCst), 12);
    let options = ["half-open", "--insecure", "--duration", "1s", "--connections", "2", "--hold-s", "0.2"];
    let outcome = server::run("flood", server.address, &options);
    assert!(outcome.success && outcome.count("attempted") >= 4, "{}", outcome.report);
    // A hundred begin in a second, whatever became of the others.
    let options = ["half-open", "--insecure", "--rate", "100", "--duration", "1s", "--connections", "100"];
    let outcome = server::run("flood", server.address, &[&options[..], &["--hold-s", "0.2"]].concat());
    assert!(outcome.success, "{}", outcome.stderr);
    assert_eq!((outcome.count("attempted"), outcome.count("held")), (100, 100));
}

#[test]
fn what_a_server_ends_is_told_with_its_words() {
    let outcome = six(&Server::start(Behaviour::Close), "half-open");
    assert_eq!((outcome.count("held"), outcome.count("ended_by_server")), (0, 6), "{}", outcome.report);
    assert!(outcome.report["borne_max_ms"].as_f64().unwrap() < 500.0, "{}", outcome.report);
    let outcome = six(&Server::start(Behaviour::Answer(OK)), "garbage");
    let endings = outcome.report["endings"].as_object().unwrap();
    let alerts = endings.iter().filter(|(name, _)| name.starts_with("alert: "));
    assert!(alerts.map(|(_, times)| times.as_u64().unwrap()).sum::<u64>() > 0, "{}", outcome.report);
}

#[test]
fn a_flood_that_does_not_arrive_fails() {
    let mut server = Server::start(Behaviour::Close);
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    server.address = closed.local_addr().unwrap();
    drop(closed);
    let outcome = six(&server, "half-open");
    assert!(!outcome.success && outcome.stderr.contains("6 of 6 connections"), "{}", outcome.stderr);
    assert_eq!(outcome.report["endings"]["connect: connection refused"], 6);
    server.address = "192.0.2.1:443".parse().unwrap();
    let outcome = six(&server, "garbage");
    assert!(!outcome.success && outcome.stderr.contains("--allow-remote"), "{}", outcome.stderr);
}
