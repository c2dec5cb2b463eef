//! `[seal.NAME]`, and the routes that ask for one.

use portcullis_gateway::plan::{Delivery, SealAlgorithm, SealDemand, SealProfile};
use portcullis_test_pki::Validity;

use super::bench::{Bench, GOOD};

const SEAL: &str = "[seal.tpp]\nanchors = [\"root.pem\"]\n";

/// The good configuration, whose first route has these lines, with these tables behind.
fn with(lines: &str, tables: &str) -> String {
    format!(
        "{}\n{tables}",
        GOOD.replacen("path = \"/direct\"\n", &format!("path = \"/direct\"\n{lines}\n"), 1)
    )
}

#[test]
fn what_is_not_written_is_as_documented() {
    let plan = Bench::new().good(&with("signature = \"required\"", SEAL)).plan;
    assert_eq!(plan.sealed, [Some(SealDemand { seal: 0, is_required: true }), None]);
    let [seal] = &plan.seals[..] else { panic!("one seal") };
    assert_eq!((seal.name.as_str(), seal.delivery), ("tpp", Delivery::Buffered));
    assert_eq!((seal.memory_bytes_max, seal.body_bytes_max), (256 << 10, 100 << 20));
    assert_eq!((seal.rules.freshness_s_max, seal.rules.clock_skew_s), (300, 30));
    assert!(seal.rules.date_required && seal.rules.request_id_required);
    let (domain, _) = plan.seal_policy.domain(seal.domain);
    assert_eq!(domain.name, "seal.tpp");
    assert_eq!(domain.client_auth.rules.purpose, portcullis_policy::Purpose::Qsealc);
    assert_eq!(domain.client_auth.rules.profile, portcullis_policy::Profile::Psd2);
    assert_eq!(domain.client_auth.anchors.len(), 1);
}

#[test]
fn what_is_written_is_taken() {
    let tables = format!(
        "{SEAL}[seal.other]\nanchors = [\"root.pem\"]\nprofiles = [\"message-signatures\"]\nalgorithms = [\"ed25519\"]\n\
         covered = [\"@authority\", \"content-type\"]\nfreshness = \"1m\"\nclock_skew = \"0ms\"\ndate_required = false\n\
         request_id = \"optional\"\nrsa_bits = 3072\ncertificate_field = \"X-Seal\"\nverify = \"streaming\"\nmemory_max = \"4k\"\n\
         body_max = \"1m\"\nanswer_key = \"server.key\"\nanswer_certificate = \"server.pem\"\ncertificate_profile = \"x509\""
    );
    let plan = Bench::new().good(&with("signature = \"optional\"\nseal = \"other\"", &tables)).plan;
    let demand = plan.sealed[0].unwrap();
    let seal = &plan.seals[demand.seal];
    assert_eq!(
        (demand.is_required, seal.name.as_str(), seal.delivery),
        (false, "other", Delivery::Streaming)
    );
    assert_eq!((seal.memory_bytes_max, seal.body_bytes_max), (4 << 10, 1 << 20));
    let sealing = plan.seals.iter().filter(|seal| seal.answers.is_some()).count();
    assert_eq!((seal.answers.is_some(), sealing), (true, 1));
    let rules = &seal.rules;
    assert_eq!(rules.profiles, [SealProfile::MessageSignatures]);
    assert_eq!(rules.algorithms, [SealAlgorithm::Ed25519]);
    assert_eq!(rules.covered_min, [Box::from("@authority"), Box::from("content-type")]);
    assert_eq!((rules.freshness_s_max, rules.clock_skew_s, rules.rsa_bits_min), (60, 0, 3072));
    assert!(!rules.date_required && !rules.request_id_required && *rules.certificate_field == *"x-seal");
}

#[test]
fn a_route_asks_for_a_seal_that_is_there() {
    let bench = Bench::new();
    let required = "signature = \"required\"";
    let two = format!("{SEAL}[seal.other]\nanchors = [\"root.pem\"]\n");
    for (lines, tables, needle, key, words) in [
        (required, "", "signature", "signature", "there is no [seal.NAME]"),
        (required, &*two, "signature", "signature", "needs `seal`"),
        ("seal = \"tpp\"", SEAL, "seal = ", "seal", "has no effect without `signature`"),
        ("signature = \"required\"\nseal = \"tp\"", SEAL, "seal = ", "seal", "did you mean \"tpp\"?"),
    ] {
        bench.tells(&with(lines, tables), needle, &format!("route[0].{key}"), words);
    }
}

#[test]
fn mistakes_are_told_with_their_places() {
    let bench = Bench::new();
    let required = "signature = \"required\"";
    for (line, key, words) in [
        ("covered = [\"Date\"]", "covered[0]", "names are in lower case"),
        ("freshness = \"2h\"", "freshness", "1h"),
        ("rsa_bits = 1024", "rsa_bits", "2048"),
        ("certificate_field = \"a b\"", "certificate_field", "no name of a field"),
        ("verify = \"later\"", "verify", "streaming"),
        ("memory_max = \"1g\"", "memory_max", "16m"),
        ("trusted_lists = true", "trusted_lists", "there is no [trust]"),
        ("answer_key = \"server.key\"", "answer_key", "not with one of them"),
    ] {
        bench.tells(&with(required, &format!("{SEAL}{line}\n")), line, &format!("seal.tpp.{key}"), words);
    }
    let answers = |key: &str, certificate: &str| {
        format!("{SEAL}answer_certificate = \"{certificate}\"\nanswer_key = \"{key}\"\n")
    };
    for (tables, line, key, words) in [
        (answers("other.key", "server.pem"), "answer_key = ", "answer_key", "not the key of the certificate"),
        (answers("server.pem", "server.pem"), "answer_key = ", "answer_key", "no private key"),
        (answers("server.key", "none.pem"), "answer_certificate = ", "answer_certificate", "none.pem"),
    ] {
        bench.tells(&with(required, &tables), line, &format!("seal.tpp.{key}"), words);
    }
    let expired = portcullis_test_pki::ServerCertificate::new(["a.example"]).validity(Validity::expired());
    expired.issue(&bench.bank).unwrap().write(bench.folder(), "expired").unwrap();
    let warnings = bench.warnings(&with(required, &answers("expired.key", "expired.pem")));
    assert_eq!(
        warnings,
        [("seal.tpp.answer_certificate".to_owned(), "this certificate has expired".to_owned())]
    );
    bench.tells(&with(required, "[seal.tpp]"), "[seal.tpp]", "seal.tpp.anchors", "is missing");
    let warnings = bench.warnings(&with("", SEAL));
    assert_eq!(warnings, [("seal.tpp".to_owned(), "no route asks for this seal".to_owned())]);
    bench.breaks(
        "io = \"auto\"",
        "spool_dir = \"/nowhere/at/all\"",
        "spool_dir",
        "runtime.spool_dir",
        "no directory",
    );
}
