//! Certificates judged without sockets: each is counted once, what is bad under the code of its refusal, and what comes in figures adds up.

mod server;

use std::process::Command;

use serde_json::{Value, json};
use server::violation;

/// A run, its complaint, and whether it had none.
fn verify(arguments: &[&str]) -> (Value, String, bool) {
    let output = Command::new(env!("CARGO_BIN_EXE_loadtest"))
        .args(["verify", "--format", "json", "--rounds", "2"])
        .args(arguments)
        .output()
        .expect("it runs");
    let stderr = String::from_utf8(output.stderr).expect("UTF-8");
    let report = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {stderr}"));
    assert_eq!(violation(&report), None, "{report}");
    (report, stderr, output.status.success())
}

fn results(report: &Value) -> &[Value] {
    report["results"].as_array().expect("results")
}

fn of_method<'a>(report: &'a Value, method: &str) -> Vec<&'a Value> {
    results(report).iter().filter(|result| result["method"] == method).collect()
}

#[test]
fn everything_is_judged_as_often_as_it_says() {
    let (report, stderr, success) = verify(&[
        "--certificates",
        "20",
        "--anchors",
        "1,20",
        "--revoked",
        "0,50",
        "--threads",
        "1,2",
        "--openssl",
        "/nonexistent",
    ]);
    assert!(success, "{stderr}");
    // Three profiles, two numbers of anchors, two numbers of threads; and two numbers of revoked for who asks.
    assert_eq!(of_method(&report, "cold").len(), 24);
    assert_eq!(of_method(&report, "cached").len(), 24);
    assert_eq!(of_method(&report, "webpki").len(), 12);
    assert_eq!(results(&report).len(), 60, "a program that is not there is left out");
    for result in results(&report) {
        let judged = 20 * 2 * result["threads"].as_u64().expect("a number");
        assert_eq!(
            (result["judged"].as_u64(), result["admitted"].as_u64()),
            (Some(judged), Some(judged)),
            "{result}"
        );
        assert_eq!(result["refused"], json!({}), "{result}");
        let remembered = if result["method"] == "cached" { judged } else { 0 };
        assert_eq!(result["remembered"], remembered, "{result}");
        let [cpu_us, per_core] =
            ["cpu_us", "per_second_per_core"].map(|key| result[key].as_f64().expect("a number"));
        assert!(cpu_us > 0.0 && (per_core * cpu_us / 1e6 - 1.0).abs() < 1e-9, "{result}");
    }
}

#[test]
fn what_is_bad_is_refused_by_its_code() {
    let bad = "expired=0.1,revoked=0.2,foreign=0.1,roleless=0.1";
    let arguments = ["--certificates", "20", "--anchors", "9", "--revoked", "10", "--bad", bad];
    let (report, stderr, success) = verify(&arguments);
    assert!(success, "{stderr}");
    for method in ["cold", "cached"] {
        for result in of_method(&report, method) {
            let mut refused = json!({ "path.expired": 4, "path.unknown-issuer": 4, "revocation.revoked": 8 });
            if result["profile"] != "x509" {
                refused["psd2.no-roles"] = json!(4);
            }
            assert_eq!(result["refused"], refused, "{result}");
            let refused: u64 = refused.as_object().expect("codes").values().filter_map(Value::as_u64).sum();
            assert_eq!(result["admitted"], 40 - refused, "{result}");
        }
    }
    // Those that see the path alone.
    for result in of_method(&report, "webpki").into_iter().chain(of_method(&report, "openssl")) {
        assert_eq!(result["refused"], json!({ "path": 8 }), "{result}");
        assert!(result["revoked"].is_null());
    }
}
