//! What a client is refused for, and how it learns it: by an alert, or by an answer with every finding to whatever it asks. Either
//! way the code is the same, no route is reached, and nothing is given that would let it come back unjudged.

use portcullis_test_harness::{
    AlertDescription, Configuration, Gate, H2Client, HOST, Refusal, Site, TlsClient, Version, eventually,
};
use portcullis_test_pki::{
    Credential, ExtendedKeyUsagePurpose, Psd2Statement, QcStatements, Role, TppCertificate, oid,
    qc_statements,
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
        (
            site.issue(tpp().psd2(Psd2Statement::new([Role::PspAi]).with_roles_flattened())),
            "psd2.flattened-roles",
            denied,
        ),
        (
            site.issue(tpp().extended_key_usages([ExtendedKeyUsagePurpose::ClientAuth, tls_binding()])),
            "eku.tls-binding",
            unsupported,
        ),
    ]
}

/// id-etsi-kp-tlsBinding (TS 119 411-5).
fn tls_binding() -> ExtendedKeyUsagePurpose {
    ExtendedKeyUsagePurpose::Other(vec![0, 4, 0, 194_115, 1, 0])
}

fn german(nca_id: &str) -> Psd2Statement {
    Psd2Statement { nca_id: nca_id.to_owned(), ..Psd2Statement::new([Role::PspAi]) }
}

fn by_http() -> Configuration {
    Configuration::psd2().client_auth(&format!("{RULES}refusals = \"http\""))
}

fn verified(gate: &Gate, result: &str) -> f64 {
    gate.metrics().sum("portcullis_client_cert_verifications_total", &[("result", result)])
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
        // By alert one for each version, by HTTP one for each path too.
        eventually("each verdict is counted", || {
            (verified(&alerting, code), verified(&answering, code)) == (2.0, 6.0)
        });
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
fn a_certificate_without_a_path_is_refused_in_the_handshake_always() {
    let site = Site::new();
    let gate = Gate::start(PORTCULLIS, &site, &by_http());
    // Its only usage is that of a 2-QWAC, which webpki does not take for a client's.
    let bound = site.issue(tpp().extended_key_usages([tls_binding()]));
    for version in Version::BOTH {
        let client = TlsClient::new(&site.bank).version(version).credential(&bound);
        let refusal = client.refused(gate.address("tpp"));
        assert_eq!(refusal, Refusal::Alert(AlertDescription::UnsupportedCertificate), "{version:?}");
    }
    eventually("both are counted", || verified(&gate, "path.unusable-eku") == 2.0);
}

#[test]
fn a_refusal_lists_a_bounded_number_of_findings() {
    let site = Site::new();
    let gate = Gate::start(PORTCULLIS, &site, &by_http());
    let odd = [1, 3, 6, 1, 4, 1, 99999, 1];
    let statements = (0..32).fold(QcStatements::new(), |all, _| all.append(&odd, None));
    let credential = site.issue(TppCertificate::new("Hafenkontor Handels GmbH").qc_statements(statements));
    let client = TlsClient::new(&site.bank).credential(&credential);
    let response = client.get(gate.address("tpp"), "/").expect("an answer");
    let json = response.json();
    let findings = json["findings"].as_array().expect("a list");
    assert_eq!((response.status, findings.len()), (403, 32));
    assert!(json["findings_omitted"].as_u64().is_some_and(|more| more > 0), "{json}");
    assert_eq!((&findings[0]["severity"], &findings[0]["code"]), (&"deny".into(), &json["code"]));
    assert!(response.body.len() < 32 << 10, "{} bytes", response.body.len());
    let few = TlsClient::new(&site.bank).credential(&site.issue(tpp().qc_statements(eseal())));
    let json = few.get(gate.address("tpp"), "/").expect("an answer").json();
    assert!(json.get("findings_omitted").is_none(), "{json}");
}

/// A session that was refused must not come back.
#[test]
fn who_is_refused_is_given_no_ticket() {
    let site = Site::new();
    let gate = Gate::start(PORTCULLIS, &site, &by_http());
    let seal = site.issue(tpp().qc_statements(eseal()));
    for (credential, status) in [(&seal, 403), (&site.issue(tpp()), 200)] {
        for version in Version::BOTH {
            let client = TlsClient::new(&site.bank).version(version).credential(credential).resuming();
            for is_second in [false, true] {
                let mut connection = client.connect(gate.address("tpp")).expect("a session");
                assert_eq!(connection.get("/v1/accounts").expect("an answer").status, status);
                assert_eq!(connection.was_resumed(), is_second && status == 200, "{status} {version:?}");
                let is_given = status == 200 && version == Version::Tls13;
                assert_eq!(connection.tickets(), u32::from(is_given), "{status} {version:?}");
            }
        }
    }
}
