//! `portcullis seal-request` as a TPP's engineer uses it: what it prints, put before the body, is what `verify-request` passes.

use std::process::Command;

use portcullis_test_harness::{Scratch, run_with_input};
use portcullis_test_pki::{Authority, Credential, TppCertificate};

const PORTCULLIS: &str = env!("CARGO_BIN_EXE_portcullis");
const LINE: &str = "POST /v1/payments?a=b HTTP/1.1\r\n";
const BODY: &str = "{\"amount\":\"1.00\"}\n";

struct Engineer {
    place: Scratch,
}

impl Engineer {
    /// Who has two certificates.
    fn new() -> Self {
        let (place, qtsp) = (Scratch::new(), Authority::qtsp().expect("a QTSP"));
        let issue =
            || -> Credential { TppCertificate::new("Lindenblatt AG").issue(&qtsp).expect("a certificate") };
        for name in ["own", "other"] {
            issue().write(place.path(), name).expect("files");
        }
        Self { place }
    }

    fn seal(&self, key: &str, options: &[&str], request: &str) -> (i32, String, String) {
        let mut command = Command::new(PORTCULLIS);
        command.current_dir(self.place.path());
        command.args(["seal-request", "-", "--certificate", "own.pem", "--key", key]).args(options);
        run_with_input(command, request.as_bytes())
    }
}

fn is_passed(fields: &str) -> bool {
    let dump = format!("{LINE}Host: bank.example\r\n{fields}\r\n{BODY}");
    let mut command = Command::new(PORTCULLIS);
    command.args(["verify-request", "-"]);
    run_with_input(command, dump.as_bytes()).0 == 0
}

#[test]
fn what_it_seals_is_sealed() {
    let engineer = Engineer::new();
    let request =
        format!("{LINE}Host: bank.example\r\nContent-Length: {}\r\nPSU-ID: x\r\n\r\n{BODY}", BODY.len());
    for profile in ["berlin-group", "message-signatures"] {
        let (status, fields, complaint) = engineer.seal("own.key", &["--profile", profile], &request);
        assert_eq!(status, 0, "{complaint}");
        assert!(is_passed(&fields), "{profile}: {fields}");
        assert!(!is_passed(&fields.replace("PSU-ID: x", "PSU-ID: y")), "{profile}: it covers what there is");
        let names: Vec<_> = fields.lines().filter_map(|line| line.split(':').next()).collect();
        assert_eq!(names[..3], ["PSU-ID", "date", "x-request-id"], "{profile}");
        assert!(!fields.to_lowercase().contains("content-length"), "{profile}: {fields}");
    }
    let own = request.replace("PSU-ID: x", "X-Request-ID: mine");
    let (_, fields, _) = engineer.seal("own.key", &[], &own);
    assert_eq!(
        (fields.matches("mine").count(), fields.to_lowercase().matches("x-request-id: ").count()),
        (1, 1)
    );
}

#[test]
fn a_seal_that_would_not_hold_is_not_printed() {
    let engineer = Engineer::new();
    let request = format!("{LINE}Host: bank.example\r\n\r\n{BODY}");
    let yesterday = request.replace("\r\n\r\n", "\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n\r\n");
    let twice = request.replace("\r\n\r\n", "\r\nDigest: SHA-256=AA==\r\n\r\n");
    for (key, request, words) in [
        ("other.key", &request, "not the key of the certificate"),
        ("own.key", &yesterday, "seal.stale"),
        ("own.key", &twice, "seal.duplicate-field"),
        ("own.pem", &request, "own.pem"),
        ("none.key", &request, "none.key"),
    ] {
        let (status, fields, complaint) = engineer.seal(key, &[], request);
        assert_eq!((status, &*fields), (2, ""), "{words}");
        assert!(complaint.contains(words), "{words}: {complaint}");
    }
    assert_eq!(engineer.seal("own.key", &[], "no request").0, 2);
}
