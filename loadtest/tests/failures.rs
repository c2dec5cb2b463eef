//! What a server can do instead of serving: each ends as failures with their cause, never as a fast result or a hang.

mod server;

use std::sync::atomic::Ordering;
use std::time::Instant;

use server::{Behaviour, OK, Server};

#[test]
fn a_server_that_accepts_and_closes_completes_nothing() {
    let server = Server::start(Behaviour::Close);
    let outcome = server.load("handshake", &["--count", "12", "--connections", "3"]);
    assert!(!outcome.success);
    assert!(outcome.stderr.starts_with("loadtest: 12 of 12 failed"), "{}", outcome.stderr);
    assert_eq!((outcome.count("completed"), outcome.count("failed")), (0, 12));
    assert!(outcome.report["p50_us"].is_null(), "no latency without an answer");
    let causes = outcome.report["failures"].as_object().unwrap();
    assert_eq!(causes.values().map(|times| times.as_u64().unwrap()).sum::<u64>(), 12, "{causes:?}");
    assert_eq!(server.accepted.load(Ordering::SeqCst), 12, "nothing is tried twice");

    let outcome = server.load("request", &["--count", "12", "--connections", "3"]);
    assert!(!outcome.success);
    assert_eq!((outcome.count("failed"), outcome.count("warmup_failed")), (12, 3));
    assert_eq!(outcome.report["failures"]["no connection left"], 12);

    let times = ["--connections", "5", "--hold-s", "0.1", "--settle-s", "0.1"];
    let outcome = server.load("idle", &times);
    assert!(!outcome.success);
    assert_eq!((outcome.count("held"), outcome.count("failed")), (0, 5));
}

#[test]
fn nobody_listening_is_a_failure_of_each_operation() {
    let mut server = Server::start(Behaviour::Close);
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    server.address = closed.local_addr().unwrap();
    drop(closed);
    for io in ["auto", "epoll"] {
        let outcome = server.load("handshake", &["--count", "3", "--io", io]);
        assert!(!outcome.success);
        assert_eq!(outcome.report["failures"]["connect: connection refused"], 3);
    }
}

#[test]
fn a_silent_server_ends_at_the_deadline() {
    for (behaviour, cause) in
        [(Behaviour::Silent, "timeout: handshake"), (Behaviour::NoAnswer, "timeout: answer")]
    {
        for io in ["auto", "epoll"] {
            let server = Server::start(behaviour);
            let start = Instant::now();
            let options = ["--count", "4", "--connections", "2", "--timeout-s", "1", "--io", io];
            let outcome = server.load("handshake", &options);
            assert!(start.elapsed().as_secs() < 30, "it ended by itself");
            assert!(!outcome.success);
            assert_eq!(outcome.count("failed"), 4);
            assert_eq!(outcome.report["failures"][cause], 4, "{}", outcome.report);
        }
    }
}

#[test]
fn a_refused_client_names_the_alert() {
    let server = Server::start(Behaviour::Answer(OK));
    for tls in ["1.2", "1.3"] {
        let outcome = server.load_bare("handshake", &["--count", "3", "--tls", tls]);
        assert!(!outcome.success);
        assert_eq!(outcome.count("failed"), 3);
        assert_eq!(outcome.report["failures"]["alert: certificate_required"], 3, "{}", outcome.report);
    }
}

#[test]
fn a_connection_that_breaks_is_not_replaced() {
    let server = Server::start(Behaviour::AnswerThenVanish(OK, 4));
    let outcome = server.load("request", &["--count", "10"]);
    assert!(!outcome.success);
    // One answer opened the connection, three were measured, the fifth request met the end.
    assert_eq!((outcome.count("completed"), outcome.count("failed")), (3, 7));
    assert_eq!(outcome.report["failures"]["no connection left"], 6);
    assert_eq!(outcome.count("reconnects"), 0);
    assert_eq!(server.accepted.load(Ordering::SeqCst), 1);
}

#[test]
fn a_connection_that_ends_while_held_is_lost() {
    let server = Server::start(Behaviour::AnswerAndClose(OK));
    let times = ["--connections", "5", "--hold-s", "0.3", "--settle-s", "0.1"];
    let outcome = server.load("idle", &times);
    assert!(!outcome.success);
    assert_eq!((outcome.count("held"), outcome.count("lost")), (0, 5), "{}", outcome.report);
}

#[test]
fn a_short_body_is_no_answer() {
    let server =
        Server::start(Behaviour::AnswerAndClose("HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\nshort"));
    let outcome = server.load("handshake", &["--count", "2"]);
    assert!(!outcome.success);
    assert_eq!(outcome.report["failures"]["eof: answer"], 2, "{}", outcome.report);
}

#[test]
fn a_stranger_is_not_loaded() {
    let mut server = Server::start(Behaviour::Close);
    server.address = "192.0.2.1:443".parse().unwrap();
    let outcome = server.load("handshake", &["--count", "1"]);
    assert!(!outcome.success);
    assert!(outcome.report.is_null());
    assert!(outcome.stderr.contains("--allow-remote"), "{}", outcome.stderr);
}
