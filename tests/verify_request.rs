//! `portcullis verify-request` as a TPP's engineer uses it: a request is sealed, spoilt in one way, and the command says
//! in which.

use std::process::Command;
use std::sync::LazyLock;

use portcullis_seal::{Algorithm, Profile, RequestHead, Sealer};
use portcullis_test_harness::{Scratch, run_with_input};
use portcullis_test_pki::{Authority, Credential, QcStatements, Role, TppCertificate, oid, qc_statements};
use serde_json::Value;
use time::format_description::well_known::{Rfc2822, Rfc3339};
use time::{Duration, OffsetDateTime};

const PORTCULLIS: &str = env!("CARGO_BIN_EXE_portcullis");
const REQUEST_ID: &str = "b463a960-9616-4df6-909f-f80884190c22";
const BODY: &[u8] = br#"{"instructedAmount":{"currency":"EUR","amount":"123.50"}}"#;

/// When every request here was sealed: the present, for which certificates are made.
static NOW: LazyLock<OffsetDateTime> = LazyLock::new(OffsetDateTime::now_utc);

/// So many seconds after that, as the command line has it.
fn after(seconds: i64) -> String {
    let time = NOW.replace_nanosecond(0).expect("a time") + Duration::seconds(seconds);
    time.format(&Rfc3339).expect("a time")
}

/// So many seconds after that, as a field has it.
fn date_after(seconds: i64) -> String {
    let time = *NOW + Duration::seconds(seconds);
    time.format(&Rfc2822).expect("a time").replace("+0000", "GMT")
}

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

    /// The code, or `verified`.
    fn code(&self) -> String {
        let json = self.json();
        assert_eq!(self.status, i32::from(json["verdict"] != "verified"), "{}", self.complaint);
        json["code"].as_str().unwrap_or("verified").to_owned()
    }
}

fn verify(arguments: &[&str], input: &[u8]) -> Told {
    verify_at(&after(0), arguments, input)
}

fn verify_at(at: &str, arguments: &[&str], input: &[u8]) -> Told {
    let mut command = Command::new(PORTCULLIS);
    command.args(["verify-request", "-", "--at", at]).args(arguments);
    let (status, out, complaint) = run_with_input(command, input);
    Told { status, out, complaint }
}

fn code(request: &Request) -> String {
    verify(&["--format", "json"], &request.dump("\r\n")).code()
}

/// A request that owns its parts.
#[derive(Clone)]
struct Request {
    line: String,
    fields: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    fn sealed(credential: &Credential, profile: Profile) -> Self {
        Self::sealed_body(credential, profile, BODY)
    }

    fn sealed_body(credential: &Credential, profile: Profile, body: &[u8]) -> Self {
        let key = credential.key();
        let sealer = Sealer::from_pkcs8(key.secret_der(), credential.leaf_der(), Algorithm::EcdsaP256Sha256)
            .expect("a sealer");
        let date = date_after(0);
        let fields = [("Host", "api.bank.example"), ("Date", &*date), ("X-Request-ID", REQUEST_ID)];
        let borrowed = fields.map(|(name, value)| (name, value.as_bytes()));
        let head = RequestHead {
            method: "POST",
            scheme: "https",
            authority: "api.bank.example",
            path: "/v1/payments",
            query: Some("a=b"),
            fields: &borrowed,
        };
        let added = match profile {
            Profile::BerlinGroup => sealer.berlin_group(&head, body),
            _ => sealer.message_signature(&head, body, NOW.unix_timestamp()),
        };
        let added = added.expect("a seal").into_iter().map(|(name, value)| (name.to_owned(), value));
        let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let line = "POST /v1/payments?a=b HTTP/1.1".to_owned();
        Self { line, fields: fields.into_iter().chain(added).collect(), body: body.to_vec() }
    }

    fn dump(&self, end: &str) -> Vec<u8> {
        let fields = self.fields.iter().map(|(name, value)| format!("{name}: {value}{end}"));
        let head = format!("{}{end}{}{end}", self.line, fields.collect::<String>());
        [head.as_bytes(), &self.body].concat()
    }

    fn without(&self, name: &str) -> Self {
        let mut request = self.clone();
        request.fields.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        assert!(request.fields.len() < self.fields.len(), "{name} was there");
        request
    }

    fn and(&self, name: &str, value: &str) -> Self {
        let mut request = self.clone();
        request.fields.push((name.to_owned(), value.to_owned()));
        request
    }

    fn value(&self, name: &str) -> &str {
        let field = self.fields.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
        &field.expect("it is there").1
    }

    fn with(&self, name: &str, value: &str) -> Self {
        self.without(name).and(name, value)
    }
}

/// How a component is named in what is signed.
fn name_as_signed(name: &str, profile: Profile) -> String {
    match profile {
        Profile::BerlinGroup => name.to_owned(),
        _ => format!("\"{name}\""),
    }
}

fn qtsp() -> Authority {
    Authority::qtsp().expect("an authority")
}

fn qsealc(qtsp: &Authority) -> Credential {
    let statements = QcStatements::qwac().set(oid::QC_TYPE, Some(&qc_statements::qc_type(&[oid::QCT_ESEAL])));
    issue(TppCertificate::new("Lindenblatt Kontodienst GmbH").qc_statements(statements), qtsp)
}

fn issue(certificate: TppCertificate, qtsp: &Authority) -> Credential {
    certificate.roles([Role::PspAi]).extended_key_usages([]).issue(qtsp).expect("a certificate")
}

#[test]
fn a_good_seal_is_explained_step_by_step() {
    let credential = qsealc(&qtsp());
    for profile in Profile::ALL {
        let request = Request::sealed(&credential, profile);
        for end in ["\r\n", "\n"] {
            let told = verify(&[], &request.dump(end));
            assert_eq!((told.status, told.complaint.as_str()), (0, ""), "{}", told.out);
            for words in [
                &format!("verified at {}\nPOST /v1/payments?a=b to api.bank.example", after(0)),
                profile.as_str(),
                &format!("      {}: {REQUEST_ID}", name_as_signed("x-request-id", profile)),
                "announced",
                "O=Lindenblatt Kontodienst GmbH",
                "organisation   PSDDE-BAFIN-104114",
                "was not judged",
            ] {
                assert!(told.out.contains(words), "{words}\n{}", told.out);
            }
            assert!(!told.out.contains("FAIL"), "{}", told.out);
        }
        let json = verify(&["--format", "json"], &request.dump("\n")).json();
        assert_eq!((&json["verdict"], &json["code"]), (&"verified".into(), &Value::Null));
        assert_eq!(json["certificate"]["organization_identifier"], "PSDDE-BAFIN-104114");
        assert!(json["steps"].as_array().expect("a list").iter().all(|step| step["passed"] == true));
        let other = Profile::ALL.into_iter().find(|other| *other != profile).expect("another").as_str();
        let told = verify(&["--profile", other, "--format", "json"], &request.dump("\n"));
        assert_ne!(told.code(), "verified", "it is not sealed as {other} has it");
    }
}

#[test]
fn each_way_to_spoil_it_has_its_code() {
    let qtsp = qtsp();
    let (credential, foreign) = (qsealc(&qtsp), qsealc(&qtsp));
    for profile in Profile::ALL {
        let good = Request::sealed(&credential, profile);
        assert_eq!(code(&good), "verified");
        let mut body = good.clone();
        body.body[20] ^= 1;
        assert_eq!(code(&body), "seal.digest");
        assert_eq!(code(&good.without("x-request-id")), "seal.component");
        assert_eq!(code(&good.and("x-request-id", REQUEST_ID)), "seal.duplicate-field");
        assert_eq!(code(&good.without("signature")), "seal.missing");
        // RFC 9421 has the field covered, so that it is missed earlier.
        let missing = if profile == Profile::BerlinGroup { "seal.missing" } else { "seal.component" };
        assert_eq!(code(&good.without("tpp-signature-certificate")), missing);
        assert_eq!(code(&good.with("x-request-id", "1")), "seal.signature");
        assert_eq!(code(&good.and("psu-id", "Anna")), "seal.coverage");
        let certificate = Request::sealed(&foreign, profile).value("tpp-signature-certificate").to_owned();
        let swapped = code(&good.with("tpp-signature-certificate", &certificate));
        assert!(["seal.key-id", "seal.signature"].contains(&&*swapped), "{swapped}");
        for (seconds, expected) in [(330, "verified"), (331, "seal.stale"), (-31, "seal.future")] {
            let told = verify_at(&after(seconds), &["--format", "json"], &good.dump("\n"));
            assert_eq!(told.code(), expected, "{seconds}");
        }
    }
    let good = Request::sealed(&credential, Profile::BerlinGroup);
    assert_eq!(code(&good.without("digest")), "seal.digest-missing");
    assert_eq!(code(&good.with("date", &date_after(-3600))), "seal.signature");
    let mut target = Request::sealed(&credential, Profile::MessageSignatures);
    "POST /v1/payments?a=c HTTP/1.1".clone_into(&mut target.line);
    assert_eq!(code(&target), "seal.signature");
}

#[test]
fn a_digest_that_begins_with_a_zero_is_a_digest() {
    let credential = qsealc(&qtsp());
    let bodies = (0..).map(|number: u32| format!("{{\"number\":{number}}}").into_bytes());
    let is_led_by_zero = |body: &Vec<u8>| {
        aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, body).as_ref().first() == Some(&0)
    };
    let body = bodies.take(100_000).find(is_led_by_zero).expect("one in 256 is");
    for profile in Profile::ALL {
        let request = Request::sealed_body(&credential, profile, &body);
        assert_eq!(code(&request), "verified");
    }
}

#[test]
fn the_certificate_is_judged_where_somebody_is_named() {
    let place = Scratch::new();
    let (own, foreign) = (qtsp(), Authority::foreign().expect("an authority"));
    let file = |name: &str, text: &str| {
        let path = place.path().join(name);
        std::fs::write(&path, text).expect("written");
        path.to_str().expect("UTF-8").to_owned()
    };
    let (root, other) = (file("root.pem", &own.root_pem()), file("other.pem", &foreign.root_pem()));
    let chain = file("chain.pem", &own.issuing_pem());
    let judged = |credential: &Credential, anchors: &str, more: &[&str]| {
        let arguments = [&["--chain", &chain, "--anchors", anchors], more].concat();
        let request = Request::sealed(credential, Profile::BerlinGroup);
        verify(&arguments, &request.dump("\n"))
    };
    let json = &["--format", "json"];
    let seal = qsealc(&own);
    let told = judged(&seal, &root, json);
    assert_eq!((told.status, &told.json()["assessment"]["verdict"]), (0, &"admit".into()), "{}", told.out);
    let told = judged(&seal, &root, &[]);
    assert!(told.out.contains("certificate as qsealc: admitted under psd2"), "{}", told.out);
    assert_eq!(judged(&seal, &other, json).code(), "certificate.refused");
    let qwac = issue(TppCertificate::new("Lindenblatt Kontodienst GmbH"), &own);
    let told = judged(&qwac, &root, json);
    assert_eq!(told.code(), "certificate.refused");
    let findings = &told.json()["assessment"]["findings"];
    assert!(findings.to_string().contains("qc.type-web"), "{findings}");
    assert!(judged(&qwac, &root, &[]).out.contains("DENY  qc.type-web"));
}

#[test]
fn what_is_no_request_has_status_2() {
    let long = format!("GET / HTTP/1.1\na: {}\n\n", "b".repeat(2 << 20));
    let many = format!("GET / HTTP/1.1\n{}\n", "a: b\n".repeat(5000));
    let cases: [(&[&str], &[u8], &str); 9] = [
        (&[], b"", "no end"),
        (&[], b"GET / HTTP/1.1\nHost: a", "no end"),
        (&[], b"hello\n\n", "line 1: it is not a request line"),
        (&[], b"GET / HTTP/1.1\nHost: a\n b\n\n", "line 3: it continues a field"),
        (&[], b"GET / HTTP/1.1\nA: a\n\n", "name --authority"),
        (&[], long.as_bytes(), "its head is longer than"),
        (&[], many.as_bytes(), "more than 4096 fields"),
        (&["--profile", "psd2"], b"", "berlin-group"),
        (&["--trust-signers", "x"], b"", "--trust"),
    ];
    for (arguments, input, words) in cases {
        let told = verify(arguments, input);
        assert_eq!((told.status, told.out.as_str()), (2, ""), "{words}");
        assert!(told.complaint.contains(words), "{words}: {}", told.complaint);
    }
    let unsealed = verify(&["--authority", "a"], b"GET / HTTP/1.1\nA: a\n\n");
    assert_eq!(unsealed.status, 1, "{}", unsealed.complaint);
    assert!(unsealed.out.contains("seal.missing  (401 SIGNATURE_MISSING)"), "{}", unsealed.out);
}

#[test]
fn nothing_that_a_terminal_obeys_is_shown() {
    let request = Request::sealed(&qsealc(&qtsp()), Profile::BerlinGroup);
    let told = verify(&["--authority", "\u{1b}[31m"], &request.and("psu-id", "\u{1b}[2J\u{202e}").dump("\n"));
    assert_eq!(told.status, 1, "{}", told.complaint);
    assert!(!told.out.contains(['\u{1b}', '\u{202e}']), "{}", told.out);
}

#[test]
fn a_line_end_behind_the_body_is_left_off_where_its_length_is_known() {
    let request = Request::sealed(&qsealc(&qtsp()), Profile::MessageSignatures);
    let mut saved = request.and("Content-Length", &BODY.len().to_string());
    saved.body.push(b'\n');
    let told = verify(&[], &saved.dump("\n"));
    assert_eq!(told.status, 0, "{}", told.out);
    assert!(told.out.contains("A byte behind the body was left off."), "{}", told.out);
}
