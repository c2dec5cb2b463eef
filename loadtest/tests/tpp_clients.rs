//! Many clients: each is who it is, the shares of those who are to be refused are exact, they come as often as the distribution says,
//! with the keys and chains that were asked for; and whoever is not treated as expected fails the run.

mod server;
mod tpp_server;

use portcullis_test_pki::Authority;
use serde_json::json;
use server::{Behaviour, OK, Outcome, Server};
use tpp_server::{Refusals, TppServer};

/// A tenth of each kind that a gate refuses.
const BAD: &str = "expired=0.1,revoked=0.1,foreign=0.1,roleless=0.1";

/// Runs with a tenth of each kind: 200 handshakes, of which 20 are of each.
fn load_bad(server: &TppServer, options: &[&str]) -> Outcome {
    let serials = server.file("revoked.txt");
    let bad = ["--bad", BAD, "--revoked-serials", &serials, "--count", "200", "--connections", "4"];
    server.load("handshake", 40, &[&bad[..], options].concat())
}

fn outcomes(expected: u64, unexpected: u64) -> serde_json::Value {
    json!({ "expected": expected, "unexpected": unexpected })
}

#[test]
fn ten_thousand_clients_are_made_and_used() {
    let server = TppServer::start(Refusals::Alerts);
    let outcome = server.load("handshake", 10_000, &["--count", "40", "--connections", "4"]);
    assert!(outcome.success, "{}", outcome.stderr);
    assert_eq!((outcome.count("client_certificates"), outcome.count("client_keys")), (10_000, 10_000));
    // Forty of ten thousand meet each other with a chance of 7 %, twice or more of 0.3 %; the seed is fixed.
    assert!(server.visits().len() >= 38, "{:?}", server.visits());
    assert!(server.visits().keys().all(|organization| organization.starts_with("PSDDE-BAFIN-10")));
}

#[test]
fn each_kind_has_its_share_and_is_refused_as_expected() {
    for threads in ["1", "2"] {
        let server = TppServer::start(Refusals::Alerts);
        let outcome = load_bad(&server, &["--threads", threads]);
        assert!(outcome.success, "{}", outcome.stderr);
        let counts = ["completed", "refused", "unexpected_status", "failed"].map(|key| outcome.count(key));
        assert_eq!(counts, [120, 80, 0, 0]);
        let [good, bad] = [outcomes(120, 0), outcomes(20, 0)];
        let expected =
            json!({ "good": good, "expired": bad, "revoked": bad, "foreign": bad, "roleless": bad });
        assert_eq!(outcome.report["clients"], expected);
        let second = &outcome.report["series"][0];
        assert!(second["refused"].as_u64().unwrap() > 0 && second["failed"] == 0, "{second}");
        assert_eq!(server.seen().len(), 120, "nobody else was let in");
    }
}

#[test]
fn refusals_by_answers_are_expected_where_it_is_said() {
    let server = TppServer::start(Refusals::Answers);
    let outcome = load_bad(&server, &[]);
    assert!(!outcome.success, "an answer to revoked clients was not expected");
    let revoked = "20 of 20 revoked clients otherwise than expected";
    assert!(outcome.stderr.contains(revoked), "{}", outcome.stderr);
    // Of the forty answers with 403, those to clients without a role were expected.
    assert!(outcome.stderr.contains("\n  20 x status 403"), "{}", outcome.stderr);
    assert_eq!(outcome.report["statuses"]["403"], 40);
    assert_eq!(outcome.report["unexpected_statuses"], json!({ "403": 20 }));

    let outcome = load_bad(&server, &["--expect", "revoked=status:403"]);
    assert!(outcome.success, "{}", outcome.stderr);
    assert_eq!((outcome.count("refused"), outcome.count("unexpected_status")), (80, 0));
}

#[test]
fn whoever_passes_and_should_not_fails_the_run() {
    let server = TppServer::start(Refusals::None);
    let outcome = server.load("handshake", 10, &["--bad", "roleless=0.2", "--count", "50"]);
    assert!(!outcome.success);
    assert_eq!((outcome.count("completed"), outcome.count("unexpected_status")), (40, 10));
    let roleless = "10 of 10 roleless clients otherwise than expected";
    assert!(outcome.stderr.contains(roleless), "{}", outcome.stderr);
    assert_eq!(outcome.report["clients"], json!({ "good": outcomes(40, 0), "roleless": outcomes(0, 10) }));
    // Where the good are to be refused, it is they who fail it.
    let outcome = server.load("handshake", 10, &["--expect", "good=status:403", "--count", "5"]);
    assert!(!outcome.success);
    assert_eq!((outcome.count("completed"), outcome.count("unexpected_status")), (0, 5));
}

#[test]
fn clients_come_as_often_as_the_distribution_says() {
    let visits = |options: &[&str]| {
        let server = TppServer::start(Refusals::Alerts);
        let count = ["--count", "600", "--key-type", "p256"];
        let outcome = server.load("handshake", 30, &[&count[..], options].concat());
        assert!(outcome.success, "{}", outcome.stderr);
        server.visits()
    };
    let uniform = visits(&["--choice", "uniform"]);
    let zipf = visits(&["--choice", "zipf"]);
    // Twenty each on average; the first of thirty has 25 % by Zipf's law, which is 150.
    assert_eq!(uniform.len(), 30);
    assert!(uniform.values().all(|visits| (5..50).contains(visits)), "{uniform:?}");
    let first = zipf["PSDDE-BAFIN-1000000"];
    assert!((110..190).contains(&first) && zipf.values().all(|visits| *visits <= first), "{zipf:?}");
    assert_eq!(zipf, visits(&["--choice", "zipf"]), "a seed makes the same choices again");
    assert_ne!(zipf, visits(&["--choice", "zipf", "--seed", "1"]));
}

#[test]
fn clients_have_the_keys_that_were_asked_for() {
    let server = TppServer::start(Refusals::Alerts);
    let (ec, rsa) = ("1.2.840.10045.2.1", "1.2.840.113549.1.1.1");
    let kinds = [
        ("p256", format!("{ec} 256")),
        ("p384", format!("{ec} 384")),
        ("rsa2048", format!("{rsa} 2048")),
        ("rsa3072", format!("{rsa} 3072")),
        ("rsa4096", format!("{rsa} 4096")),
    ];
    for (key_type, key) in kinds {
        let outcome = server.load("handshake", 2, &["--key-type", key_type, "--count", "4"]);
        assert!(outcome.success, "{key_type}: {}", outcome.stderr);
        assert_eq!(outcome.count("client_keys"), 2);
        let last = server.seen().split_off(server.seen().len() - 4);
        assert!(last.iter().all(|seen| seen.key == key), "{key_type}: {last:?}");
    }
    let outcome = server.load("handshake", 2, &["--key-type", "ed25519", "--count", "4"]);
    assert!(outcome.success, "{}", outcome.stderr);
    assert!(server.seen().last().unwrap().key.starts_with("1.3.101.112 "), "{:?}", server.seen().last());
}

#[test]
fn rsa_keys_are_few_and_shared() {
    let server = TppServer::start(Refusals::Alerts);
    let outcome = server.load("handshake", 20, &["--key-type", "rsa2048", "--count", "60"]);
    assert!(outcome.success, "{}", outcome.stderr);
    assert_eq!((outcome.count("client_certificates"), outcome.count("client_keys")), (20, 8));
    assert!(server.visits().len() > 8, "{:?}", server.visits());
}

#[test]
fn chains_have_the_length_that_was_asked_for() {
    let server = TppServer::start(Refusals::Alerts);
    for length in [1, 2, 3] {
        let outcome = server.load("handshake", 2, &["--chain-length", &length.to_string(), "--count", "2"]);
        assert!(outcome.success, "{length}: {}", outcome.stderr);
        assert_eq!(server.seen().last().map(|seen| seen.chain), Some(length));
    }
    // This CA may have none below it.
    let qtsp = Authority::qtsp().unwrap();
    let [issuer, key] = ["issuing.pem", "issuing.key"].map(|name| server.file(name));
    std::fs::write(&issuer, qtsp.issuing_pem()).unwrap();
    std::fs::write(&key, qtsp.issuing_key_pem()).unwrap();
    let made = ["--insecure", "--clients", "2", "--issuer", &issuer, "--issuer-key", &key, "--count", "1"];
    let outcome = server.run("handshake", &[&made[..], &["--chain-length", "3"]].concat());
    assert!(!outcome.success && outcome.report.is_null());
    let reason = "its pathLenConstraint allows 0 CAs below it, not 1";
    assert!(outcome.stderr.contains(reason), "{}", outcome.stderr);
}

#[test]
fn clients_are_read_from_a_folder() {
    let server = Server::start(Behaviour::Answer(OK));
    let folder = server.file("clients");
    std::fs::create_dir(&folder).unwrap();
    let put = |from: &str, to: &str| std::fs::copy(server.file(from), format!("{folder}/{to}")).unwrap();
    let load = |options: &[&str]| {
        let all = ["--clients-dir", &folder, "--count", "20"];
        server.load_bare("handshake", &[&all[..], options].concat())
    };
    assert!(load(&[]).stderr.contains("no NAME.pem in it"));
    for name in ["one", "two", "three"] {
        put("client.pem", &format!("{name}.pem"));
        assert!(
            load(&[]).stderr.contains(&format!("{name}.key")),
            "a certificate without a key is no client"
        );
        put("client.key", &format!("{name}.key"));
        put("client.key", &format!("{name}.txt"));
    }
    let outcome = load(&[]);
    assert!(outcome.success, "{}", outcome.stderr);
    assert_eq!((outcome.count("completed"), outcome.count("client_certificates")), (20, 3));
    // Those of another folder are revoked, which this server does not know.
    let revoked = ["--revoked-dir", &folder, "--bad", "revoked=0.25", "--expect", "revoked=pass"];
    let outcome = load(&revoked);
    assert!(outcome.success, "{}", outcome.stderr);
    assert_eq!(outcome.report["clients"], json!({ "good": outcomes(15, 0), "revoked": outcomes(5, 0) }));
    assert!(!load(&revoked[..4]).success, "else they are expected to be refused");
    assert!(load(&revoked[..2]).stderr.contains("--bad revoked=SHARE"));
}
