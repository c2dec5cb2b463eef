//! What an auditor reads: a line for each verdict on a client that proved its key, with who it was, what was decided, and the codes
//! that the client was told too. One that proved nothing leaves no line. The file can be moved away at any time.

use portcullis_test_harness::{
    AlertDescription, Configuration, Gate, Refusal, Site, TlsClient, TlsConnection, Version, eventually,
};
use portcullis_test_pki::{Authority, Psd2Statement, QcStatements, Role, TppCertificate, oid, qc_statements};
use serde_json::{Value, json};

const PORTCULLIS: &str = env!("CARGO_BIN_EXE_portcullis");

const RULES: &str = "mode = \"required\"\nprofile = \"psd2\"\nanchors = [\"qtsp.pem\"]\n";
const AUDITED: &str = "[log]\naudit = true\naudit_file = \"audit.log\"";

const FIELDS: [&str; 11] = [
    "chain",
    "codes",
    "domain",
    "event",
    "listener",
    "organization",
    "organization_identifier",
    "peer",
    "thumbprint_sha256",
    "time_unix_s",
    "verdict",
];

fn by_alert() -> Configuration {
    Configuration::psd2().and(AUDITED)
}

fn by_http() -> Configuration {
    Configuration::psd2().client_auth(&format!("{RULES}refusals = \"http\"")).and(AUDITED)
}

fn tpp() -> TppCertificate {
    TppCertificate::new("Lindenblatt Kontodienst GmbH").roles([Role::PspAi])
}

fn seal() -> TppCertificate {
    let seal = qc_statements::qc_type(&[oid::QCT_ESEAL]);
    tpp().qc_statements(QcStatements::qwac().set(oid::QC_TYPE, Some(&seal)))
}

fn lines_of(site: &Site, file: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(site.path(file)).unwrap_or_default();
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect()
}

/// So many lines, once there are as many.
fn lines(site: &Site, count: usize) -> Vec<Value> {
    eventually("the verdicts are written", || lines_of(site, "audit.log").len() >= count);
    let lines = lines_of(site, "audit.log");
    assert_eq!(lines.len(), count, "{lines:#?}");
    lines
}

fn connect(gate: &Gate, client: &TlsClient) -> TlsConnection {
    client.connect(gate.address("tpp")).expect("a session")
}

#[test]
fn each_verdict_has_a_line() {
    let site = Site::new();
    let gate = Gate::start(PORTCULLIS, &site, &by_http());
    let mut peers = Vec::new();
    for certificate in [tpp(), seal()] {
        let client = TlsClient::new(&site.bank).credential(&site.issue(certificate));
        let mut connection = connect(&gate, &client);
        peers.push(connection.socket().local_addr().expect("a socket has an address").to_string());
        for _ in 0..2 {
            connection.get("/v1/accounts").expect("an answer");
        }
    }
    let lines = lines(&site, 2);
    for (line, peer) in lines.iter().zip(&peers) {
        let fields: Vec<&String> = line.as_object().expect("an object").keys().collect();
        assert_eq!(fields, FIELDS, "a reader may count on each");
        assert_eq!(line["organization_identifier"], "PSDDE-BAFIN-104114", "{line}");
        assert_eq!(line["organization"], "Lindenblatt Kontodienst GmbH");
        assert_eq!((&line["listener"], &line["domain"]), (&"tpp".into(), &"tpp/tpp.bank.example".into()));
        assert_eq!(line["thumbprint_sha256"].as_str().map(str::len), Some(64));
        assert_eq!(line["peer"], peer.as_str());
        assert!(line["time_unix_s"].as_f64().is_some_and(|time| time > 1.7e9), "{line}");
    }
    assert_eq!(
        (&lines[0]["verdict"], &lines[0]["codes"]),
        (&"admit".into(), &json!(["revocation.no-source"]))
    );
    assert_eq!((&lines[1]["verdict"], &lines[1]["codes"][0]), (&"refuse".into(), &"qc.type-seal".into()));
    assert_ne!(lines[0]["thumbprint_sha256"], lines[1]["thumbprint_sha256"]);
    for family in ["portcullis_audit_records_dropped_total", "portcullis_audit_write_errors_total"] {
        let metrics = gate.metrics();
        assert!(metrics.families().contains(family), "{family}");
        assert_eq!(metrics.sum(family, &[]), 0.0, "{family}");
    }
}

#[test]
fn the_codes_are_those_that_the_client_is_told() {
    let site = Site::new();
    let answering = Gate::start(PORTCULLIS, &site, &by_http());
    let flattened = tpp().psd2(Psd2Statement::new([Role::PspAi]).with_roles_flattened());
    let unqualified = tpp().qc_statements(QcStatements::qwac().without(oid::QC_COMPLIANCE));
    let refused = [seal(), flattened, unqualified, TppCertificate::new("Hafenkontor Handels GmbH")];
    let refused = refused.map(|certificate| site.issue(certificate));
    let mut told = Vec::new();
    for credential in &refused {
        let client = TlsClient::new(&site.bank).credential(credential);
        let answer = client.get(answering.address("tpp"), "/").expect("an answer").json();
        let findings = answer["findings"].as_array().expect("a list").clone();
        let grave = findings.iter().filter(|finding| finding["severity"] != "note");
        let codes: Vec<Value> = grave.map(|finding| finding["code"].clone()).collect();
        assert_eq!(codes.first(), Some(&answer["code"]), "{answer}");
        told.push(codes);
    }
    let recorded = |lines: Vec<Value>| -> Vec<Vec<Value>> {
        lines.iter().map(|line| line["codes"].as_array().expect("a list").clone()).collect()
    };
    assert_eq!(recorded(lines(&site, refused.len())), told);

    std::fs::remove_file(site.path("audit.log")).expect("it is there");
    let alerting = Gate::start(PORTCULLIS, &site, &by_alert());
    for credential in &refused {
        let refusal = TlsClient::new(&site.bank).credential(credential).refused(alerting.address("tpp"));
        assert!(matches!(refusal, Refusal::Alert(_)), "{refusal:?}");
    }
    assert_eq!(recorded(lines(&site, refused.len())), told, "an alert has room for less, the record has not");
}

#[test]
fn only_who_proved_a_key_is_recorded() {
    let site = Site::new();
    let gate = Gate::start(PORTCULLIS, &site, &by_alert());
    let thief = site.issue(seal()).with_key_of(&site.issue(tpp()));
    for version in Version::BOTH {
        let client = TlsClient::new(&site.bank).version(version);
        let refusal = client.clone().credential(&thief).refused(gate.address("tpp"));
        assert_eq!(refusal, Refusal::Alert(AlertDescription::DecryptError));
        let _ = client.refused(gate.address("tpp"));
    }
    // A path that leads nowhere is a verdict too, on a key that was proved.
    let foreign = tpp().issue(&Authority::foreign().expect("an authority")).expect("a certificate");
    let refusal = TlsClient::new(&site.bank).credential(&foreign).refused(gate.address("tpp"));
    assert_eq!(refusal, Refusal::Alert(AlertDescription::UnknownCA));
    let line = lines(&site, 1).remove(0);
    assert_eq!((&line["verdict"], &line["codes"][0]), (&"refuse".into(), &"path.unknown-issuer".into()));
}

#[test]
fn a_verdict_that_is_given_anew_has_a_line() {
    let site = Site::new();
    let gate = Gate::start(PORTCULLIS, &site, &by_alert());
    let mut connection = connect(&gate, &TlsClient::new(&site.bank).credential(&site.issue(tpp())));
    let peer = connection.socket().local_addr().expect("a socket has an address").to_string();
    assert_eq!(connection.get("/v1/accounts").expect("an answer").status, 200);
    let stricter = format!("{RULES}severities = {{ \"revocation.no-source\" = \"deny\" }}");
    gate.rewrite(&by_alert().client_auth(&stricter).to_toml());
    gate.reload();
    let lines = lines(&site, 2);
    let verdicts: Vec<&Value> = lines.iter().map(|line| &line["verdict"]).collect();
    assert_eq!(verdicts, ["admit", "refuse"]);
    for line in &lines {
        assert_eq!(
            (&line["peer"], &line["codes"]),
            (&peer.as_str().into(), &json!(["revocation.no-source"]))
        );
    }
}

#[test]
fn the_file_can_be_moved_away() {
    let site = Site::new();
    let gate = Gate::start(PORTCULLIS, &site, &by_alert());
    let client = TlsClient::new(&site.bank).credential(&site.issue(tpp()));
    drop(connect(&gate, &client));
    assert_eq!(lines(&site, 1).len(), 1);
    std::fs::rename(site.path("audit.log"), site.path("audit.log.1")).expect("it is there");
    gate.reload();
    drop(connect(&gate, &client));
    assert_eq!(lines(&site, 1).len(), 1);
    assert_eq!(lines_of(&site, "audit.log.1").len(), 1);
}

#[test]
fn nothing_is_recorded_unless_asked_for() {
    let site = Site::new();
    let mut gate = Gate::start(PORTCULLIS, &site, &Configuration::psd2());
    drop(connect(&gate, &TlsClient::new(&site.bank).credential(&site.issue(tpp()))));
    gate.terminate();
    assert!(gate.wait().success());
    assert_eq!(gate.printed().text(), "", "standard output is where records go by default");
}
