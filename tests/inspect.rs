//! `portcullis inspect` as a TPP's engineer uses it: what goes in, what comes out, and with which status.

use std::path::{Path, PathBuf};
use std::process::Command;

use portcullis_test_harness::{Scratch, run_with_input};
use portcullis_test_pki::{
    Authority, Credential, QcStatements, Role, TppCertificate, Validity, oid, qc_statements,
};
use serde_json::Value;

const PORTCULLIS: &str = env!("CARGO_BIN_EXE_portcullis");
const SCREEN_LINES: usize = 40;

/// What a run of it told.
struct Told {
    status: i32,
    out: String,
    complaint: String,
}

impl Told {
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).expect("it is JSON")
    }

    fn codes(&self, severity: &str) -> Vec<String> {
        let json = self.json();
        let findings = json["findings"].as_array().expect("a list");
        let of = findings.iter().filter(|finding| finding["severity"] == severity);
        of.map(|finding| finding["code"].as_str().expect("a code").to_owned()).collect()
    }
}

fn inspect(arguments: &[&str], input: &[u8]) -> Told {
    let mut command = Command::new(PORTCULLIS);
    command.arg("inspect").args(arguments);
    let (status, out, complaint) = run_with_input(command, input);
    Told { status, out, complaint }
}

fn tpp() -> TppCertificate {
    TppCertificate::new("Lindenblatt Kontodienst GmbH")
        .roles([Role::PspAi])
        .ocsp_responder("http://ocsp.example.com")
}

fn qtsp() -> Authority {
    Authority::qtsp().expect("an authority")
}

fn issue(certificate: TppCertificate, qtsp: &Authority) -> Credential {
    certificate.issue(qtsp).expect("a certificate")
}

/// The output of every test here is held against the schema that docs/ publishes.
fn assert_valid(told: &Told) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/inspect.schema.json");
    let (mut schemas, mut compiler) = (boon::Schemas::new(), boon::Compiler::new());
    let schema = compiler.compile(path.to_str().expect("UTF-8"), &mut schemas).expect("the schema is one");
    if let Err(error) = schemas.validate(&told.json(), schema) {
        panic!("{error:#}\n{}", told.out);
    }
}

#[test]
fn a_good_certificate_is_admitted_however_it_comes() {
    let place = Scratch::new();
    let credential = issue(tpp(), &qtsp());
    let (pem, der) = (place.path().join("tpp.pem"), place.path().join("tpp.der"));
    std::fs::write(&pem, format!("a word before\n{}", credential.chain_pem())).expect("written");
    std::fs::write(&der, credential.leaf_der()).expect("written");
    let pem_text = credential.chain_pem();
    for (file, input) in [
        (pem.to_str().expect("UTF-8"), &b""[..]),
        (der.to_str().expect("UTF-8"), b""),
        ("-", pem_text.as_bytes()),
        ("-", credential.leaf_der()),
    ] {
        let told = inspect(&[file, "--format", "json"], input);
        assert_eq!((told.status, told.complaint.as_str()), (0, ""), "{file}");
        assert_eq!((&told.json()["verdict"], &told.json()["path"]), (&"admit".into(), &Value::Null));
        assert_valid(&told);
    }
    let told = inspect(&[], pem_text.as_bytes());
    assert_eq!(told.status, 0, "{}", told.complaint);
    assert!(told.out.starts_with("admitted under psd2 at "), "{}", told.out);
    assert!(told.out.contains("judged alone"), "{}", told.out);
    for shown in [
        "PSP_AI (0.4.0.19495.1.3)",
        "104114 of DE-BAFIN",
        "0.4.0.194112.1.4 QCP-w",
        "http://ocsp.example.com",
    ] {
        assert!(told.out.contains(shown), "{shown}: {}", told.out);
    }
}

#[test]
fn two_faults_are_named_with_clause_and_hint_on_one_screen() {
    let statements = QcStatements::qwac().without(oid::QC_COMPLIANCE);
    let faulty =
        issue(tpp().qc_statements(statements).organization_identifier("PSDDE_BAFIN-104114"), &qtsp());
    let told = inspect(&["-"], faulty.chain_pem().as_bytes());
    assert_eq!(told.status, 1, "{}", told.complaint);
    assert!(told.out.lines().count() <= SCREEN_LINES, "{}", told.out);
    for words in [
        "refused under psd2",
        "DENY  qc.not-qualified  (EN 319 412-5 QCS-5.01)",
        "DENY  organization-identifier.malformed  (EN 319 412-1 LEG-5.1.4-02)",
        "-> Use your QWAC",
        "PSDFI-FINFSA-1234567-8",
    ] {
        assert!(told.out.contains(words), "{words}\n{}", told.out);
    }
}

#[test]
fn the_time_and_the_profile_decide() {
    let expired = issue(tpp().validity(Validity::expired()), &qtsp()).chain_pem();
    let judged = |more: &[&str]| inspect(&[&["-", "--format", "json"], more].concat(), expired.as_bytes());
    assert_eq!((judged(&[]).status, judged(&[]).codes("deny")), (1, vec!["validity.expired".to_owned()]));
    let then = time::OffsetDateTime::now_utc() - time::Duration::days(30);
    let then = then.format(&time::format_description::well_known::Rfc3339).expect("a time");
    assert_eq!(judged(&["--at", &then]).status, 0);
    assert_eq!(judged(&["--at", "1999-01-01T00:00:00+01:00"]).codes("deny"), ["validity.not-yet-valid"]);

    let ordinary = issue(tpp().without_qc_statements(), &qtsp()).chain_pem();
    let judged =
        |profile: &str| inspect(&["-", "--profile", profile, "--format", "json"], ordinary.as_bytes());
    let statuses: Vec<_> = ["psd2", "obie", "x509"].iter().map(|profile| judged(profile).status).collect();
    assert_eq!(statuses, [1, 1, 0]);
    assert_eq!(judged("psd2").codes("deny"), ["qc.missing", "psd2.missing"]);
    for profile in ["psd2", "obie", "x509"] {
        assert_valid(&judged(profile));
    }
}

#[test]
fn a_path_is_judged_where_anchors_are_given() {
    let place = Scratch::new();
    let (own, foreign) = (qtsp(), Authority::foreign().expect("an authority"));
    let file = |name: &str, text: &str| -> PathBuf {
        let path = place.path().join(name);
        std::fs::write(&path, text).expect("written");
        path
    };
    let root = file("root.pem", &own.root_pem());
    let other = file("other.pem", &foreign.root_pem());
    let chain = file("chain.pem", &own.issuing_pem());
    let leaf = issue(tpp(), &own).without_intermediates().chain_pem();
    let judged = |more: &[&Path]| {
        let more = more.iter().map(|path| path.to_str().expect("UTF-8"));
        let arguments: Vec<_> = ["-", "--format", "json", "--anchors"].into_iter().chain(more).collect();
        inspect(&arguments, leaf.as_bytes())
    };
    let trusted = judged(&[&other, &root, Path::new("--chain"), &chain]);
    assert_eq!((trusted.status, &trusted.json()["path"]["trusted"]), (0, &true.into()));
    assert_eq!(
        (trusted.json()["path"]["intermediates"].as_u64(), &trusted.json()["path"]["code"]),
        (Some(1), &Value::Null)
    );
    for broken in [judged(&[&root]), judged(&[&other, Path::new("--chain"), &chain])] {
        assert_eq!((broken.status, &broken.json()["path"]["trusted"]), (1, &false.into()));
        assert_eq!(broken.json()["path"]["code"], "path.unknown-issuer");
        assert_valid(&broken);
    }
    assert_valid(&trusted);
}

#[test]
fn a_seal_is_one_and_no_certificate_for_a_connection() {
    let place = Scratch::new();
    let own = qtsp();
    let statements = QcStatements::qwac().set(oid::QC_TYPE, Some(&qc_statements::qc_type(&[oid::QCT_ESEAL])));
    let seal = issue(tpp().qc_statements(statements).extended_key_usages([]), &own).chain_pem();
    let root = place.path().join("root.pem");
    std::fs::write(&root, own.root_pem()).expect("written");
    let judged = |purpose: &str| {
        let root = root.to_str().expect("UTF-8");
        inspect(&["-", "--as", purpose, "--format", "json", "--anchors", root], seal.as_bytes())
    };
    assert_eq!((judged("qsealc").status, judged("qsealc").codes("deny")), (0, vec![]));
    assert_eq!((judged("qwac").status, judged("qwac").codes("deny")), (1, vec!["qc.type-seal".to_owned()]));
    assert_valid(&judged("qsealc"));
}

#[test]
fn what_is_no_certificate_or_no_command_has_status_2() {
    let place = Scratch::new();
    let key = issue(tpp(), &qtsp()).key_pem();
    let gone = place.path().join("gone.pem");
    let gone = gone.to_str().expect("UTF-8");
    let long = vec![0x30; 5 << 20];
    let cases: [(&[&str], &[u8], &str); 9] = [
        (&["-"], b"", "certificate.unreadable"),
        (&["-"], b"garbage", "certificate.unreadable"),
        (&["-"], &long, "longer than"),
        (&["-"], b"-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n", "malformed PEM"),
        (&["-"], key.as_bytes(), "no PEM section CERTIFICATE"),
        (&[gone], b"", "cannot be read"),
        (&["-", "--at", "yesterday"], b"", "2026-11-24T08:00:00Z"),
        (&["-", "--profile", "psd3"], b"", "psd2"),
        (&["-", "--anchors", gone], key.as_bytes(), "no PEM section CERTIFICATE"),
    ];
    for (arguments, input, words) in cases {
        let told = inspect(arguments, input);
        assert_eq!((told.status, told.out.as_str()), (2, ""), "{arguments:?}");
        assert!(told.complaint.contains(words), "{words}: {}", told.complaint);
    }
}

#[test]
fn a_hostile_certificate_says_nothing_to_the_terminal() {
    let hostile = TppCertificate::new("\u{1b}]0;owned\u{7}\u{202e}GmbH").roles([Role::PspAi]);
    let told = inspect(&["-"], issue(hostile, &qtsp()).chain_pem().as_bytes());
    assert!(
        !told.out.contains(|character: char| character.is_control() && character != '\n'),
        "{:?}",
        told.out
    );
    assert!(!told.out.contains('\u{202e}') && told.out.contains("owned"), "{:?}", told.out);
}
