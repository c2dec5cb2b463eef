//! The schema of reports says what they are: every test of this program holds what it reports against it, and here what is not a report
//! is refused.

mod server;

use std::process::Command;

use serde_json::{Value, json};
use server::{Behaviour, OK, Server, violation};

#[test]
fn what_is_no_report_is_refused() {
    let server = Server::start(Behaviour::Answer(OK));
    let report = server.load("request", &["--count", "20", "--rate", "1000", "--title", "twenty"]).report;
    assert_eq!(violation(&report), None);
    let keys: Vec<String> = report.as_object().expect("an object").keys().cloned().collect();
    for key in keys {
        let mut less = report.clone();
        less.as_object_mut().expect("an object").remove(&key);
        assert!(violation(&less).is_some(), "{key} is missed");
    }
    for (key, wrong) in [
        ("completed", json!(-1)),
        ("p50_us", json!("fast")),
        ("clients", json!({ "good": { "expected": 1 } })),
        (
            "clients",
            json!({ "good": { "expected": 1, "unexpected": 0 }, "odd": { "expected": 1, "unexpected": 0 } }),
        ),
        ("series", json!([{ "at_s": 1.0 }])),
        ("io", json!("kqueue")),
        ("another", json!(1)),
    ] {
        let mut other = report.clone();
        other[key] = wrong;
        assert!(violation(&other).is_some(), "{key} may not be {}", other[key]);
    }
    assert!(violation(&Value::Null).is_some());
}

#[test]
fn the_floor_is_a_report() {
    let output = Command::new(env!("CARGO_BIN_EXE_loadtest")).args(["floor", "--format", "json"]).output();
    let report = serde_json::from_slice(&output.expect("it runs").stdout).expect("JSON");
    assert_eq!(violation(&report), None, "{report}");
}
