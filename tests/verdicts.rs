//! What a client is refused for, and how it learns it: by an alert or by an answer with every finding, with the same codes as
//! in the audit log; and how an operator changes what a finding leads to.

use portcullis_test_harness::{
    AlertDescription, Configuration, Gate, H2Client, HOST, Refusal, Site, TlsClient, Version, eventually,
};
use portcullis_test_pki::{
    Credential, Psd2Statement, QcStatements, Role, TppCertificate, oid, qc_statements,
};
use serde_json::Value;

const PORTCULLIS: &str = env!("CARGO_BIN_EXE_portcullis");

const RULES: &str = "mode = \"required\"\nprofile = \"psd2\"\nanchors = [\"qtsp.pem\"]\n";

fn tpp() -> TppCertificate {
    TppCertificate::new("Lindenblatt Kontodienst GmbH").roles([Role::PspAi])
}

fn eseal() -> QcStatements {
    QcStatements::qwac().set(oid::QC_TYPE, Some(&qc_statements::qc_type(&[oid::QCT_ESEAL])))
}

/// Certificates that are refused, with the code of the first reason and the alert.
fn refused(site: &Site) -> Vec<(Credential, &'static str, AlertDescription)> {
    let malformed = QcStatements::qwac().set(oid::PSD2_QC_STATEMENT, Some(&[0x30, 0x00]));
    let (denied, unsupported) = (AlertDescription::AccessDenied, AlertDescription::UnsupportedCertificate);
    vec![
        (site.issue(tpp().qc_statements(eseal())), "qc.type-seal", unsupported),
        (
            site.issue(tpp().qc_statements(QcStatements::qwac().without(oid::QC_COMPLIANCE))),
            "qc.not-qualified",
            denied,
        ),
        (site.issue(TppCertificate::new("Hafenkontor Handels GmbH")), "psd2.missing", denied),
        (
            site.issue(TppCertificate::new("Hafenkontor Handels GmbH").qc_statements(malformed)),
            "psd2.malformed",
            denied,
        ),
        (
            site.issue(tpp().organization_identifier("PSDDE-bafin-1")),
            "organization-identifier.malformed",
            denied,
        ),
        (site.issue(tpp().psd2(german("DE"))), "psd2.nca-id-syntax", denied),
    ]
}

fn german(nca_id: &str) -> Psd2Statement {
    Psd2Statement { nca_id: nca_id.to_owned(), ..Psd2Statement::new([Role::PspAi]) }
}

fn by_http() -> Configuration {
    Configuration::psd2().client_auth(&format!("{RULES}refusals = \"http\""))
}

fn first_finding(json: &Value) -> &Value {
    &json["findings"][0]
}

#[test]
fn a_refusal_has_the_same_code_by_alert_and_by_http() {
    let site = Site::new();
    let alerting = Gate::start(PORTCULLIS, &site, &Configuration::psd2());
    let answering = Gate::start(PORTCULLIS, &site, &by_http());
    for (credential, code, alert) in refused(&site) {
        for version in Version::BOTH {
            let client = TlsClient::new(&site.bank).version(version).credential(&credential);
            assert_eq!(client.refused(alerting.address("tpp")), Refusal::Alert(alert), "{code} {version:?}");
            for path in ["/", "/v1/accounts", "/nowhere"] {
                let response = client.get(answering.address("tpp"), path).expect("the handshake finishes");
                let json = response.json();
                assert_eq!((response.status, &json["code"]), (403, &code.into()), "{path} {version:?}");
                assert_eq!(
                    (&first_finding(&json)["code"], &first_finding(&json)["severity"]),
                    (&code.into(), &"deny".into())
                );
                assert!(first_finding(&json)["hint"].as_str().is_some_and(|hint| !hint.is_empty()), "{json}");
            }
        }
        let verified = |gate: &Gate| {
            gate.metrics().sum("portcullis_client_cert_verifications_total", &[("result", code)])
        };
        assert!(verified(&alerting) >= 2.0 && verified(&answering) >= 2.0, "{code}");
    }
    let granted = |gate: &Gate| gate.metrics().sum("portcullis_authz_decisions_total", &[]);
    assert_eq!((granted(&alerting), granted(&answering)), (0.0, 0.0), "no route was looked at");
}

#[test]
fn a_refused_client_is_told_over_h2_too() {
    let site = Site::new();
    let gate = Gate::start(PORTCULLIS, &site, &by_http());
    let seal = site.issue(tpp().qc_statements(eseal()));
    let mut client = H2Client::connect(&TlsClient::new(&site.bank).credential(&seal), gate.address("tpp"))
        .expect("a session");
    for path in [&b"/v1/accounts"[..], b"/nowhere"] {
        let response = client.get(HOST.as_bytes(), path).expect("an answer");
        assert_eq!((response.status, &response.json()["code"]), (403, &"qc.type-seal".into()));
    }
}

#[test]
fn an_operator_changes_what_follows_from_a_finding() {
    let site = Site::new();
    let severities = "severities = { \"qc.not-qualified\" = \"warn\", \"revocation.no-source\" = \"deny\" }";
    let gate =
        Gate::start(PORTCULLIS, &site, &Configuration::psd2().client_auth(&format!("{RULES}{severities}")));
    let unqualified = QcStatements::qwac().without(oid::QC_COMPLIANCE);
    let watched = tpp().qc_statements(unqualified).ocsp_responder("http://ocsp.example.com");
    let admitted = TlsClient::new(&site.bank).credential(&site.issue(watched));
    assert_eq!(admitted.get(gate.address("tpp"), "/v1/accounts").expect("an answer").status, 200);
    let unwatched = TlsClient::new(&site.bank).credential(&site.issue(tpp()));
    assert_eq!(unwatched.refused(gate.address("tpp")), Refusal::Alert(AlertDescription::AccessDenied));

    let unknown = Configuration::psd2()
        .client_auth(&format!("{RULES}severities = {{ \"qc.not-qualifed\" = \"warn\" }}"));
    let text = unknown.to_toml();
    let output = Gate::output(PORTCULLIS, &["check"], &site, &text);
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{complaint}");
    assert!(complaint.contains("did you mean \"qc.not-qualified\"?"), "{complaint}");
}

#[test]
fn every_verdict_is_in_the_audit_log() {
    let site = Site::new();
    let configuration = by_http().and("[log]\naudit = true\naudit_file = \"audit.log\"");
    let gate = Gate::start(PORTCULLIS, &site, &configuration);
    let good = site.issue(tpp());
    let seal = site.issue(tpp().qc_statements(eseal()));
    for credential in [&good, &seal] {
        TlsClient::new(&site.bank)
            .credential(credential)
            .get(gate.address("tpp"), "/v1/accounts")
            .expect("an answer");
    }
    // Who cannot prove that the key is its own is not recorded: the certificate could be anybody's.
    let thief = seal.clone().with_key_of(&good);
    let refusal = TlsClient::new(&site.bank).credential(&thief).refused(gate.address("tpp"));
    assert_eq!(refusal, Refusal::Alert(AlertDescription::DecryptError));
    let lines = || {
        let text = std::fs::read_to_string(site.path("audit.log")).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).collect::<Vec<_>>()
    };
    eventually("both verdicts are written", || lines().len() >= 2);
    let lines = lines();
    assert_eq!(lines.len(), 2, "{lines:?}");
    for line in &lines {
        assert_eq!(line["organization_identifier"], "PSDDE-BAFIN-104114", "{line}");
        assert_eq!(line["organization"], "Lindenblatt Kontodienst GmbH");
        assert!(line["time_unix_s"].as_f64().is_some() && line["peer"].as_str().is_some(), "{line}");
        assert_eq!(line["thumbprint_sha256"].as_str().map(str::len), Some(64));
        assert_eq!(line["listener"], "tpp");
    }
    assert_eq!(
        (&lines[0]["verdict"], &lines[0]["codes"]),
        (&"admit".into(), &serde_json::json!(["revocation.no-source"]))
    );
    assert_eq!(lines[1]["verdict"], "refuse");
    assert_eq!(lines[1]["codes"][0], "qc.type-seal");
    assert_eq!(gate.metrics().sum("portcullis_audit_records_dropped_total", &[]), 0.0);
}
