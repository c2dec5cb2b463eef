//! Exactly the share of sessions that is asked for is resumed, and the server counts the same.

mod server;

use std::sync::atomic::Ordering;

use server::{Behaviour, OK, Server};

#[test]
fn the_share_is_exact_by_the_servers_own_count() {
    for (tls, threads) in [("1.3", "1"), ("1.2", "1"), ("1.3", "2")] {
        let server = Server::start(Behaviour::Answer(OK));
        let options = ["--count", "500", "--connections", "4", "--resume-ratio", "0.7"];
        let outcome =
            server.load("handshake", &[&options[..], &["--tls", tls, "--threads", threads]].concat());
        assert!(outcome.success, "{tls}: {}", outcome.stderr);
        let count = |count: &std::sync::atomic::AtomicU64| count.load(Ordering::SeqCst);
        // Each connection makes a full handshake first, so that there is something to resume.
        let (full, resumed) = (count(&server.handshakes.full) - 4, count(&server.handshakes.resumed));
        let share = resumed as f64 / (full + resumed) as f64;
        assert!((share - 0.7).abs() <= 0.01, "{tls}: {resumed} of {}", full + resumed);
        assert_eq!((outcome.count("resumed"), outcome.count("resumption_missed")), (resumed, 0));
        assert_eq!(outcome.count("resumption_wanted"), resumed);
    }
}

#[test]
fn all_or_none_can_be_asked_for() {
    let server = Server::start(Behaviour::Answer(OK));
    let all = server.load("handshake", &["--count", "50", "--resume-ratio", "1"]);
    assert!(all.success, "{}", all.stderr);
    assert_eq!((all.count("resumed"), all.count("handshakes")), (50, 51));
    let none = server.load("handshake", &["--count", "50"]);
    assert_eq!((none.count("resumed"), none.count("resumption_wanted")), (0, 0));
}

#[test]
fn a_server_that_does_not_resume_fails_the_run() {
    let server = Server::start_without_resumption(Behaviour::Answer(OK));
    let outcome = server.load("handshake", &["--count", "20", "--resume-ratio", "0.5"]);
    assert!(!outcome.success);
    assert_eq!((outcome.count("completed"), outcome.count("resumption_missed")), (20, 10));
    assert!(outcome.stderr.contains("10 handshakes"), "{}", outcome.stderr);
}
