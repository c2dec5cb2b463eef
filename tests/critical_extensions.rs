//! An extension that is critical and that the gate does not process must lead to refusal (RFC 5280 4.2). Trusted CAs have such
//! extensions, so the refusal has a code, a sentence that names certificate and extension, and a counter; and an operator who
//! takes the CA itself for an anchor lets its clients in.

use portcullis_test_harness::{
    AlertDescription, Configuration, Gate, Refusal, Site, TlsClient, Version, eventually,
};
use portcullis_test_pki::{Authority, KeyType, Role, TppCertificate};

const PORTCULLIS: &str = env!("CARGO_BIN_EXE_portcullis");

fn tpp() -> TppCertificate {
    TppCertificate::new("Lindenblatt Kontodienst GmbH").roles([Role::PspAi])
}

fn counted(gate: &Gate, extension: &str) -> f64 {
    let labels = [("extension", extension), ("listener", "tpp")];
    gate.metrics().sum("portcullis_client_cert_critical_extensions_total", &labels)
}

fn assert_refused(gate: &Gate, client: &TlsClient) {
    for version in Version::BOTH {
        let refusal = client.clone().version(version).refused(gate.address("tpp"));
        assert_eq!(refusal, Refusal::Alert(AlertDescription::BadCertificate), "{version:?}");
    }
}

/// The sentence of the refusal, which the log tells.
fn sentence(gate: &Gate) -> String {
    let told = gate.log().wait_for(|record| record.field("code") == Some("path.critical-extension"));
    let record = told.expect("the gate still runs");
    record.field("detail").expect("every refusal has a sentence").to_owned()
}

#[test]
fn of_a_leaf() {
    let site = Site::new();
    let rules = "mode = \"required\"\nprofile = \"psd2\"\nanchors = [\"qtsp.pem\"]\nrefusals = \"http\"";
    let configuration = Configuration::psd2().client_auth(rules).and("[log]\naudit = true");
    let gate = Gate::start(PORTCULLIS, &site, &configuration);
    let client = TlsClient::new(&site.bank).credential(&site.issue(tpp().critical_qc_statements()));
    assert_refused(&gate, &client);
    eventually("both are counted", || counted(&gate, "qcStatements") == 2.0);
    // The certificate of another's key is not looked at, whatever is wrong with it.
    let thief = site.issue(tpp().critical_qc_statements()).with_key_of(&site.issue(tpp()));
    for version in Version::BOTH {
        let client = TlsClient::new(&site.bank).version(version).credential(&thief);
        let refusal = client.refused(gate.address("tpp"));
        assert_eq!(refusal, Refusal::Alert(AlertDescription::DecryptError), "{version:?}");
    }
    // Whatever key it is that was proved.
    for key_type in [KeyType::P384, KeyType::Ed25519, KeyType::Rsa2048] {
        let certificate = tpp().critical_qc_statements().key_type(key_type);
        assert_refused(&gate, &TlsClient::new(&site.bank).credential(&site.issue(certificate)));
    }
    eventually("each is counted", || counted(&gate, "qcStatements") == 8.0);
    let sentence = sentence(&gate);
    assert!(sentence.contains("the client certificate"), "{sentence}");
    assert!(sentence.contains("1.3.6.1.5.5.7.1.3"), "{sentence}");
    let record = gate.printed().wait_for(|record| record.field("verdict") == Some("refuse"));
    let line = record.expect("the gate still runs").line;
    for code in ["\"path.critical-extension\"", "\"extension.critical-unprocessed\""] {
        assert!(line.contains(code), "{code}: {line}");
    }
}

#[test]
fn of_an_intermediate_whose_ca_can_be_an_anchor() {
    let site = Site::new();
    let qtsp = Authority::critical_policies().expect("an authority");
    site.write("qtsp.pem", &qtsp.root_pem());
    let gate = Gate::start(PORTCULLIS, &site, &Configuration::psd2());
    let client = TlsClient::new(&site.bank).credential(&tpp().issue(&qtsp).expect("a certificate"));
    assert_refused(&gate, &client);
    eventually("both are counted", || counted(&gate, "certificatePolicies") == 2.0);
    let sentence = sentence(&gate);
    assert!(sentence.contains("intermediate 1") && sentence.contains("2.5.29.32"), "{sentence}");

    site.write("qtsp.pem", &qtsp.issuing_pem());
    gate.reload();
    let admitted =
        || client.get(gate.address("tpp"), "/v1/accounts").is_ok_and(|answer| answer.status == 200);
    eventually("the clients of an anchor are let in, whatever its extensions", admitted);
    assert_eq!(counted(&gate, "other"), 0.0);
}
