//! A scenario: each step has its share of the operations, exactly, and is told by itself.

mod server;
mod tpp_server;

use serde_json::Value;
use server::{Behaviour, OK, Outcome, Server};
use tpp_server::{Refusals, TppServer};

/// Seven of ten operations are requests, two are handshakes, one is of a client whose time is over.
const SCENARIO: &str = r#"
[[step]]
name = "accounts"
do = "request"
weight = 6

[[step]]
name = "payment"
do = "upload"
body_bytes = 100000
weight = 1

[[step]]
name = "login"
do = "handshake"
weight = 2
pause = "2ms"

[[step]]
name = "late"
do = "handshake"
client = "expired"
weight = 1
"#;

fn load(server: &TppServer, scenario: &str, options: &[&str]) -> Outcome {
    let file = server.file("scenario.toml");
    std::fs::write(&file, scenario).expect("a file");
    server.load("mixed", 20, &[&["--scenario", &file], options].concat())
}

fn steps<'a>(outcome: &'a Outcome, key: &str) -> Vec<&'a Value> {
    outcome.report["steps"].as_array().expect("steps").iter().map(|step| &step[key]).collect()
}

#[test]
fn each_step_has_its_share() {
    for threads in ["1", "2"] {
        let server = TppServer::start(Refusals::Alerts);
        let outcome =
            load(&server, SCENARIO, &["--count", "200", "--connections", "4", "--threads", threads]);
        assert!(outcome.success, "{}", outcome.stderr);
        assert_eq!(steps(&outcome, "name"), ["accounts", "payment", "login", "late"]);
        assert_eq!(steps(&outcome, "completed"), [120, 20, 40, 0]);
        assert_eq!(steps(&outcome, "refused"), [0, 0, 0, 20]);
        assert_eq!((outcome.count("completed"), outcome.count("refused")), (180, 20));
        assert!(steps(&outcome, "p50_us")[..3].iter().all(|latency| latency.is_number()));
        // Each login has a connection of its own, and each of the four visitors keeps one for the rest.
        assert_eq!(server.seen().len(), 44);
    }
}

#[test]
fn a_connection_that_ends_is_followed_by_another() {
    let server = Server::start(Behaviour::AnswerThenVanish(OK, 5));
    let file = server.file("scenario.toml");
    std::fs::write(&file, "[[step]]\nname = \"only\"\ndo = \"request\"\n").expect("a file");
    let outcome = server.load("mixed", &["--count", "30", "--scenario", &file]);
    // The sixth request of each connection meets its end, and is not tried again.
    assert!(!outcome.success);
    assert_eq!((outcome.count("completed"), outcome.count("failed")), (25, 5));
    assert_eq!(
        (steps(&outcome, "completed"), steps(&outcome, "failed")),
        (vec![&25.into()], vec![&5.into()])
    );
}

#[test]
fn each_step_expects_its_own_status() {
    let server = TppServer::start(Refusals::Answers);
    let step = |status: u16| {
        format!("[[step]]\nname = \"s\"\ndo = \"request\"\nclient = \"roleless\"\nexpect_status = {status}\n")
    };
    assert!(load(&server, &step(403), &["--count", "4", "--expect", "roleless=pass"]).success);
    let outcome = load(&server, &step(200), &["--count", "4", "--expect", "roleless=pass"]);
    assert!(!outcome.success && outcome.count("unexpected_status") == 4, "{}", outcome.stderr);
}

#[test]
fn a_scenario_that_cannot_be_is_refused_before_it_begins() {
    let server = TppServer::start(Refusals::Alerts);
    for (scenario, options, complaint) in [
        ("[[step]]\nname = \"a\"\ndo = \"dance\"\n", &[][..], "dance"),
        ("[[step]]\nname = \"a\"\ndo = \"request\"\npath = \"a b\"\n", &[], "step \"a\""),
        (SCENARIO, &["--bad", "foreign=0.5"], "--bad"),
        (SCENARIO, &["--resume-ratio", "0.5"], "--resume-ratio"),
    ] {
        let outcome = load(&server, scenario, &[&["--count", "1"], options].concat());
        assert!(!outcome.success && outcome.report.is_null());
        assert!(outcome.stderr.contains(complaint), "{}", outcome.stderr);
    }
    assert!(server.seen().is_empty());
}
