//! What the admin listener foresees of a client and its request is what becomes of them at the gate; and to ask leaves no trace.

use std::path::Path;

use boon::{Compiler, Schemas};
use portcullis_test_harness::{Configuration, Gate, HOST, Site, TlsClient, eventually};
use portcullis_test_pki::{Authority, Credential, Role, TppCertificate, Validity};
use serde_json::{Value, json};

const PORTCULLIS: &str = env!("CARGO_BIN_EXE_portcullis");
const JSON: &str = "Content-Type: application/json\r\n";
/// Refused by an alert.
const ALERT: u64 = 0;

fn configuration(keys: &str) -> Configuration {
    Configuration::psd2().and(&format!("[keys]\nstore = \"keys.redb\"\n{keys}\n"))
}

fn foreseen(gate: &Gate, supposed: &Value) -> Value {
    let answer = gate.ask("POST /v1/dry-run", JSON, &supposed.to_string());
    assert_eq!(answer.status, 200, "{supposed}: {}", answer.text());
    serde_json::from_slice(&answer.body).expect("JSON")
}

/// A request of a client with this certificate, to the gate's own host.
fn request(credential: &Credential, method: &str, path: &str) -> Value {
    let certificate_pem = credential.chain_pem();
    json!({ "listener": "tpp", "server_name": HOST, "certificate_pem": certificate_pem, "method": method, "path": path })
}

/// The status and the code that are foreseen; 200 where the route answers.
fn told(foreseen: &Value) -> (u64, String) {
    let code = || foreseen["problem"]["code"].as_str().unwrap_or_default().to_owned();
    match foreseen["outcome"].as_str() {
        Some("granted") => (200, String::new()),
        Some("request-refused") => (foreseen["problem"]["status"].as_u64().expect("a status"), code()),
        Some("handshake-refused") => (ALERT, String::new()),
        other => panic!("{other:?}"),
    }
}

/// What comes of it.
fn becomes(gate: &Gate, site: &Site, credential: &Credential, method: &str, path: &str) -> (u64, String) {
    let client = TlsClient::new(&site.bank).credential(credential);
    let message = format!("{method} {path} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n");
    let answer = client.connect(gate.address("tpp")).and_then(|mut it| it.request(message.as_bytes()));
    let Ok(answer) = answer else { return (ALERT, String::new()) };
    let problem: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let code = if answer.status == 200 { None } else { problem["code"].as_str() };
    (u64::from(answer.status), code.unwrap_or_default().to_owned())
}

fn keys(gate: &Gate) -> Vec<Value> {
    let answer = gate.ask("GET /v1/keys", "", "");
    let listed: Value = serde_json::from_slice(&answer.body).expect("JSON");
    listed["keys"].as_array().expect("keys").clone()
}

#[test]
fn what_is_foreseen_is_what_happens() {
    let site = Site::new();
    let gate = Gate::start(PORTCULLIS, &site, &configuration(""));
    let tpp = || TppCertificate::new("Lindenblatt Kontodienst GmbH").roles([Role::PspAi]);
    let good = site.issue(tpp());
    let stranger = tpp().issue(&Authority::qtsp().expect("an authority")).expect("a certificate");
    for (credential, method, path, expected) in [
        (&good, "GET", "/v1/accounts/7?x=1", 200),
        (&good, "GET", "/v1/payments", 403),
        (&good, "GET", "/V1/Accounts", 400),
        (&good, "GET", "/a/../b", 400),
        (&good, "TRACE", "/", 405),
        (&good, "POST", "/anything", 200),
        (&site.issue(tpp().validity(Validity::expired())), "GET", "/", ALERT),
        (&site.issue(tpp().validity(Validity::not_yet())), "GET", "/", ALERT),
        (&site.issue(tpp().without_qc_statements()), "GET", "/", ALERT),
        (&stranger, "GET", "/v1/accounts", ALERT),
    ] {
        let supposed = request(credential, method, path);
        let foreseen = foreseen(&gate, &supposed);
        assert_eq!(told(&foreseen).0, expected, "{method} {path}: {foreseen}");
        assert_eq!(told(&foreseen), becomes(&gate, &site, credential, method, path), "{method} {path}");
        assert!(foreseen["domain"].is_string());
    }
    let other = |field: &str, value: Value| {
        let mut supposed = request(&good, "GET", "/");
        supposed[field] = value;
        let foreseen = foreseen(&gate, &supposed);
        (foreseen["outcome"].clone(), foreseen["problem"]["code"].clone())
    };
    let refused = |outcome: &str, code: &str| (json!(outcome), json!(code));
    assert_eq!(other("host", json!("else.example")), refused("request-refused", "host.misdirected"));
    assert_eq!(
        other("server_name", json!("else.example")),
        refused("handshake-refused", "unrecognized_name")
    );
    assert_eq!(other("certificate_pem", json!("")), refused("handshake-refused", "no_cert"));
}

#[test]
fn a_reason_is_told_whole_and_nothing_is_remembered() {
    let site = Site::new();
    let refusals = "mode = \"required\"\nprofile = \"psd2\"\nanchors = [\"qtsp.pem\"]\nrefusals = \"http\"";
    let gate =
        Gate::start(PORTCULLIS, &site, &configuration("enrolment = \"approve\"").client_auth(refusals));
    let tpp = site.tpp(&[Role::PspAi]);
    let supposed = request(&tpp, "GET", "/v1/accounts");
    for _ in 0..2 {
        let foreseen = foreseen(&gate, &supposed);
        assert_eq!(told(&foreseen), (403, "enrolment.pending".to_owned()));
        assert!(foreseen["key"].is_null() && foreseen["route"].is_null(), "{foreseen}");
        // The certificate is told as `inspect` tells it.
        let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/inspect.schema.json");
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        let text = std::fs::read_to_string(schema).expect("the schema");
        compiler
            .add_resource("file:///inspect.json", serde_json::from_str(&text).expect("JSON"))
            .expect("a schema");
        let compiled = compiler.compile("file:///inspect.json", &mut schemas).expect("a schema");
        let held = schemas.validate(&foreseen["certificate"], compiled);
        assert!(held.is_ok(), "{}", held.unwrap_err());
    }
    // Had somebody come, there would be a key by the time that another has one.
    let other =
        site.issue(TppCertificate::new("Other").roles([Role::PspAi]).organization_identifier("PSDES-BE-2"));
    assert_eq!(becomes(&gate, &site, &other, "GET", "/v1/accounts").0, 403);
    eventually("a key", || !keys(&gate).is_empty());
    let all = keys(&gate);
    assert_eq!((all.len(), all[0]["identity"].as_str()), (1, Some("psd2:PSDES-BE-2")));
    assert_eq!(gate.metrics().sum("portcullis_requests_refused_total", &[]), 1.0);

    let id = all[0]["id"].as_str().expect("an id");
    assert_eq!(gate.ask(&format!("POST /v1/keys/{id}/approve"), "", "").status, 200);
    let supposed = request(&other, "GET", "/v1/accounts");
    eventually("the approval is known", || told(&foreseen(&gate, &supposed)).0 == 200);
    let granted = foreseen(&gate, &supposed);
    assert_eq!((&granted["key"], &granted["route"]["roles"]), (&all[0]["id"], &json!(["PSP_AI"])));
}

#[test]
fn what_cannot_be_thought_of_has_a_problem_document() {
    let site = Site::new();
    let gate = Gate::start(PORTCULLIS, &site, &configuration(""));
    let tpp = site.tpp(&[Role::PspAi]);
    for (field, value, status, code) in [
        ("listener", json!("other"), 404, "admin.unknown-listener"),
        ("listener", json!(null), 400, "admin.malformed"),
        ("path", json!("v1/accounts"), 400, "admin.malformed"),
        ("path", json!("https://tpp.bank.example/"), 400, "admin.malformed"),
        ("method", json!("G T"), 400, "admin.malformed"),
        ("certificate_pem", json!("nothing"), 400, "admin.malformed"),
        (
            "certificate_pem",
            json!("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"),
            400,
            "admin.malformed",
        ),
        ("server_name", json!(null), 400, "admin.malformed"),
        ("colour", json!("red"), 400, "admin.malformed"),
    ] {
        let mut supposed = request(&tpp, "GET", "/");
        supposed[field] = value;
        let answer = gate.ask("POST /v1/dry-run", JSON, &supposed.to_string());
        let problem: Value = serde_json::from_slice(&answer.body).expect("JSON");
        assert_eq!((answer.status, problem["code"].as_str()), (status, Some(code)), "{field}: {problem}");
    }
    assert_eq!(gate.ask("POST /v1/dry-run", "", "{}").status, 415);
}
