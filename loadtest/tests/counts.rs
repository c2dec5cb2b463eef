//! What is counted: every operation once, by what came of it.

mod server;

use server::{Behaviour, OK, Server};
use std::sync::atomic::Ordering;

#[test]
fn handshakes_complete_each_on_its_own_connection() {
    for io in ["auto", "epoll"] {
        let server = Server::start(Behaviour::Answer(OK));
        let outcome =
            server.load("handshake", &["--count", "20", "--connections", "4", "--warmup", "3", "--io", io]);
        assert!(outcome.success, "{}", outcome.stderr);
        assert!(outcome.stderr.is_empty(), "{}", outcome.stderr);
        assert_eq!(
            (outcome.count("completed"), outcome.count("failed"), outcome.count("resumed")),
            (20, 0, 0)
        );
        assert_eq!(outcome.count("handshakes"), 23);
        assert_eq!(outcome.count("bytes_received"), 20 * OK.len() as u64);
        assert_eq!(server.accepted.load(Ordering::SeqCst), 23);
        assert_eq!(outcome.report["tls_version"], "1.3");
        assert_eq!(outcome.report["key_exchange"], "X25519");
        assert!(outcome.report["p50_us"].as_f64().unwrap() > 0.0);
        assert!(outcome.report["server_cpu_us_per_op"].is_null());
    }
}

#[test]
fn tls_1_2_and_other_groups_are_what_is_offered() {
    let server = Server::start(Behaviour::Answer(OK));
    let outcome = server.load("handshake", &["--count", "2", "--tls", "1.2", "--kx", "secp256r1"]);
    assert_eq!(outcome.count("completed"), 2, "{}", outcome.stderr);
    assert_eq!(outcome.report["tls_version"], "1.2");
    assert_eq!(outcome.report["key_exchange"], "secp256r1");
}

#[test]
fn a_cipher_that_is_asked_for_is_the_one_that_is_used() {
    let server = Server::start(Behaviour::Answer(OK));
    for (cipher, suite) in [("aes128gcm", "TLS_AES_128_GCM_SHA256"), ("aes256gcm", "TLS_AES_256_GCM_SHA384")]
    {
        let outcome = server.load("handshake", &["--count", "2", "--cipher", cipher]);
        assert_eq!(outcome.report["cipher_suite"], suite, "{}", outcome.stderr);
    }
    let outcome = server.load("handshake", &["--count", "2", "--cipher", "chacha20poly1305", "--tls", "1.2"]);
    assert_eq!(outcome.report["cipher_suite"], "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256");
}

#[test]
fn requests_share_connections() {
    let server = Server::start(Behaviour::Answer(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
    ));
    let outcome = server.load("request", &["--count", "50", "--connections", "3"]);
    assert!(outcome.success, "{}", outcome.stderr);
    assert_eq!((outcome.count("completed"), outcome.count("reconnects")), (50, 0));
    assert_eq!(server.accepted.load(Ordering::SeqCst), 3);
}

#[test]
fn a_server_that_says_it_closes_is_connected_to_again() {
    let answer = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    let server = Server::start(Behaviour::AnswerAndClose(answer));
    let outcome = server.load("request", &["--count", "5"]);
    assert!(outcome.success, "{}", outcome.stderr);
    assert_eq!((outcome.count("completed"), outcome.count("reconnects")), (5, 5));
}

#[test]
fn an_answer_that_ends_with_the_stream_is_complete() {
    let server = Server::start(Behaviour::AnswerAndClose("HTTP/1.1 200 OK\r\n\r\nuntil the end"));
    let outcome = server.load("handshake", &["--count", "3"]);
    assert_eq!(outcome.count("completed"), 3, "{}", outcome.stderr);
}

#[test]
fn bodies_are_sent_whole() {
    let server = Server::start(Behaviour::Answer(OK));
    for bytes in ["1", "70000", "1000000"] {
        let options = ["--count", "6", "--connections", "2", "--body-bytes", bytes];
        let outcome = server.load("request", &options);
        assert!(outcome.success, "{bytes}: {}", outcome.stderr);
        assert_eq!(
            (outcome.count("completed"), outcome.count("body_bytes").to_string()),
            (6, bytes.to_owned())
        );
        assert!(server.load("handshake", &options).success);
    }
}

#[test]
fn an_unexpected_status_is_counted_and_fails_the_run() {
    let server = Server::start(Behaviour::Answer("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"));
    for command in ["handshake", "request"] {
        let outcome = server.load(command, &["--count", "4"]);
        assert!(!outcome.success);
        assert_eq!((outcome.count("completed"), outcome.count("unexpected_status")), (0, 4));
        assert_eq!(outcome.report["statuses"]["403"], 4);
        assert!(outcome.stderr.contains("4 x status 403"), "{}", outcome.stderr);
    }
    assert!(server.load("handshake", &["--count", "4", "--expect-status", "403"]).success);
}

#[test]
fn idle_connections_are_held() {
    let server = Server::start(Behaviour::Answer(OK));
    let pid = std::process::id().to_string();
    for request in [&["--warmup", "2"][..], &["--no-request"]] {
        let times = ["--connections", "30", "--hold-s", "0.3", "--settle-s", "0.2", "--server-pid", &pid];
        let outcome = server.load("idle", &[&times, request].concat());
        assert!(outcome.success, "{}", outcome.stderr);
        assert_eq!((outcome.count("held"), outcome.count("lost")), (30, 0));
        assert!(outcome.report["server_pss_bytes_per_connection"].is_number());
    }
}
