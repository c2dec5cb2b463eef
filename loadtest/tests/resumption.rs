//! Exactly the share of sessions that is asked for is resumed, and the server counts the same.

mod server;
mod tpp_server;

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use server::{Behaviour, OK, Server};
use tpp_server::{Refusals, Seen, TppServer};

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

/// Runs with a hundred clients, and returns those who came after each had shaken hands four times, once for each connection.
fn hundred(ratio: &str, options: &[&str]) -> Vec<Seen> {
    let server = TppServer::start(Refusals::Alerts);
    let all = ["--count", "1000", "--connections", "4", "--resume-ratio", ratio];
    let outcome = server.load("handshake", 100, &[&all[..], options].concat());
    assert!(outcome.success, "{options:?}: {}", outcome.stderr);
    let mut seen = server.seen();
    let measured = seen.split_off(400);
    assert!(seen.iter().all(|primed| !primed.resumed));
    let resumed = measured.iter().filter(|seen| seen.resumed).count() as u64;
    assert_eq!((outcome.count("resumed"), outcome.count("resumption_missed")), (resumed, 0));
    measured
}

#[test]
fn the_share_is_exact_with_many_clients() {
    for options in [
        &["--choice", "uniform"][..],
        &["--choice", "zipf", "--tls", "1.2"],
        &["--choice", "zipf", "--zipf-exponent", "2", "--threads", "2"],
        // One in ten is refused, in step with the share of those who are not.
        &["--bad", "expired=0.1"],
    ] {
        let measured = hundred("0.7", options);
        let resumed = measured.iter().filter(|seen| seen.resumed).count();
        let share = resumed as f64 / measured.len() as f64;
        assert!((share - 0.7).abs() <= 0.01, "{options:?}: {resumed} of {}", measured.len());
    }
}

#[test]
fn each_client_resumes_its_own_sessions_only() {
    // Tickets that clients shared would be those of few: the last that came is offered first.
    let measured = hundred("1", &[]);
    let organizations: BTreeSet<_> = measured.iter().map(|seen| &seen.organization).collect();
    assert_eq!((measured.len(), organizations.len()), (1000, 100));
    assert!(measured.iter().all(|seen| seen.resumed));
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
