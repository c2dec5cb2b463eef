//! Who gets in. A bank's gate asks for a certificate; a TPP comes with a good one, with none, with one that is over, that begins
//! tomorrow, that a stranger issued, whose issuer it forgot to send, that is meant for servers, or that it found somewhere and
//! has no key for. Each is let in or told by name what is wrong, in TLS 1.2 as in 1.3, and whether the gate insists on a
//! certificate, asks for one, or does not ask.

use portcullis_test_harness::{
    AlertDescription, Configuration, Gate, Refusal, Site, TlsClient, Version, eventually,
};
use portcullis_test_pki::{Authority, Credential, ExtendedKeyUsagePurpose, Role, TppCertificate, Validity};

const PORTCULLIS: &str = env!("CARGO_BIN_EXE_portcullis");

const ECHO: &str = "[[route]]\npath = \"/\"\nrespond = { status = 200, echo = \"identity\" }";

fn tpp() -> TppCertificate {
    TppCertificate::new("Lindenblatt Kontodienst GmbH").roles([Role::PspAi])
}

fn client(site: &Site, version: Version) -> TlsClient {
    TlsClient::new(&site.bank).version(version)
}

/// The status that a client gets for `/`.
fn status(gate: &Gate, client: &TlsClient) -> u16 {
    client.get(gate.address("tpp"), "/").unwrap_or_else(|refusal| panic!("{refusal:?}")).status
}

fn assert_refused(gate: &Gate, client: &TlsClient, alerts: &[AlertDescription], case: &str) {
    let refusal = client.refused(gate.address("tpp"));
    let named = matches!(&refusal, Refusal::Alert(alert) if alerts.contains(alert));
    assert!(named, "{case}: {refusal:?}, not one of {alerts:?}");
}

fn failures(gate: &Gate) -> f64 {
    gate.metrics().sum("portcullis_tls_handshake_failures_total", &[])
}

#[test]
fn a_certificate_is_required_and_good_ones_pass() {
    let site = Site::new();
    let gate = Gate::start(PORTCULLIS, &site, &Configuration::default());
    let good = site.tpp(&[Role::PspAi]);
    for version in Version::BOTH {
        assert_eq!(status(&gate, &client(&site, version).credential(&good)), 200, "{version:?}");
        let missing = [AlertDescription::CertificateRequired];
        assert_refused(&gate, &client(&site, version), &missing, "no certificate");
    }
    let in_flight = || gate.metrics().sum("portcullis_tls_handshakes_in_flight", &[]);
    eventually("no handshake is left in flight", || in_flight() == 0.0);
}

#[test]
fn every_kind_of_bad_certificate_is_named() {
    let site = Site::new();
    let gate = Gate::start(PORTCULLIS, &site, &Configuration::default());
    let foreign = tpp().issue(&Authority::foreign().expect("an authority")).expect("a certificate");
    // Of the same name as the trusted provider, but with keys of its own.
    let impostor = tpp().issue(&Authority::qtsp().expect("an authority")).expect("a certificate");
    let server_only = tpp().extended_key_usages([ExtendedKeyUsagePurpose::ServerAuth]);
    use AlertDescription::{
        BadCertificate, CertificateExpired, DecryptError, UnknownCA, UnsupportedCertificate,
    };
    let cases: [(&str, Credential, &[AlertDescription]); 6] = [
        ("expired", site.issue(tpp().validity(Validity::expired())), &[CertificateExpired]),
        (
            "not yet valid",
            site.issue(tpp().validity(Validity::not_yet())),
            &[CertificateExpired, BadCertificate],
        ),
        ("foreign", foreign, &[UnknownCA]),
        ("impostor", impostor, &[UnknownCA, BadCertificate, DecryptError]),
        ("no intermediate", site.tpp(&[Role::PspAi]).without_intermediates(), &[UnknownCA]),
        ("server only", site.issue(server_only), &[UnsupportedCertificate, BadCertificate]),
    ];
    for (case, credential, alerts) in &cases {
        for version in Version::BOTH {
            let client = client(&site, version).credential(credential);
            assert_refused(&gate, &client, alerts, &format!("{case}, {version:?}"));
        }
    }
    eventually("each is counted", || failures(&gate) == 12.0);
}

#[test]
fn a_certificate_without_its_key_is_not_even_looked_at() {
    let site = Site::new();
    let gate = Gate::start(PORTCULLIS, &site, &Configuration::default());
    let found = site.tpp(&[Role::PspPi]).with_key_of(&site.tpp(&[Role::PspAi]));
    let found_and_expired = site.issue(tpp().validity(Validity::expired())).with_key_of(&found);
    for version in Version::BOTH {
        // The second shows the order: possession fails before anything is said of the certificate.
        for credential in [&found, &found_and_expired] {
            let client = client(&site, version).credential(credential);
            assert_refused(&gate, &client, &[AlertDescription::DecryptError], "another's key");
        }
    }
    eventually("each is counted as a failed handshake", || failures(&gate) == 4.0);
    let counted = gate.metrics().sum("portcullis_client_cert_verifications_total", &[]);
    assert_eq!(counted, 0.0, "nothing is counted for a certificate whose key was not proved");
}

#[test]
fn extended_key_usage_follows_the_rule() {
    let site = Site::new();
    let rule = |rule: &str| {
        let lines = "mode = \"required\"\nprofile = \"x509\"\nanchors = [\"qtsp.pem\"]";
        let configuration =
            Configuration::default().client_auth(&format!("{lines}\nextended_key_usage = \"{rule}\""));
        Gate::start(PORTCULLIS, &site, &configuration)
    };
    use ExtendedKeyUsagePurpose::{ClientAuth, CodeSigning, ServerAuth};
    let with = |usages: Vec<ExtendedKeyUsagePurpose>| site.issue(tpp().extended_key_usages(usages));
    // The usages, whether `client-auth` takes them, whether `any-tls` does.
    let cases = [
        (with(vec![ClientAuth]), true, true),
        (with(vec![ServerAuth, ClientAuth]), true, true),
        (with(vec![]), true, true),
        (with(vec![ServerAuth]), false, true),
        (with(vec![CodeSigning]), false, false),
    ];
    let (client_auth, any_tls) = (rule("client-auth"), rule("any-tls"));
    for (index, (credential, by_client_auth, by_any_tls)) in cases.iter().enumerate() {
        for (gate, taken) in [(&client_auth, by_client_auth), (&any_tls, by_any_tls)] {
            let client = TlsClient::new(&site.bank).credential(credential);
            match taken {
                true => assert_eq!(status(gate, &client), 200, "case {index}"),
                false => {
                    let alerts = [AlertDescription::UnsupportedCertificate, AlertDescription::BadCertificate];
                    assert_refused(gate, &client, &alerts, &format!("case {index}"));
                }
            }
        }
    }
}

#[test]
fn an_optional_certificate_may_be_missing_but_not_bad() {
    let site = Site::new();
    let rules = "mode = \"optional\"\nprofile = \"x509\"\nanchors = [\"qtsp.pem\"]";
    let gate = Gate::start(PORTCULLIS, &site, &Configuration::default().client_auth(rules).routes(ECHO));
    let expired = site.issue(tpp().validity(Validity::expired()));
    for version in Version::BOTH {
        let nobody = client(&site, version).get(gate.address("tpp"), "/").expect("nobody passes");
        assert_eq!((nobody.status, &nobody.json()["thumbprint_sha256"]), (200, &serde_json::Value::Null));
        let somebody = client(&site, version).credential(&site.tpp(&[Role::PspAi]));
        let somebody = somebody.get(gate.address("tpp"), "/").expect("a good one passes");
        assert!(somebody.json()["thumbprint_sha256"].is_string(), "{}", somebody.text());
        let bad = client(&site, version).credential(&expired);
        assert_refused(&gate, &bad, &[AlertDescription::CertificateExpired], "expired");
    }
}

#[test]
fn nothing_is_asked_where_the_mode_is_off() {
    let site = Site::new();
    let gate =
        Gate::start(PORTCULLIS, &site, &Configuration::default().client_auth("mode = \"off\"").routes(ECHO));
    for version in Version::BOTH {
        // A client that has a certificate is not asked for it, so that the gate knows nobody.
        let clients = [client(&site, version), client(&site, version).credential(&site.tpp(&[Role::PspAi]))];
        for client in clients {
            let response = client.get(gate.address("tpp"), "/").expect("everybody passes");
            assert_eq!((response.status, &response.json()["subject"]), (200, &serde_json::Value::Null));
        }
    }
}

#[test]
fn a_certificate_without_roles_is_refused_by_alert_or_by_http() {
    let site = Site::new();
    let rules = "mode = \"required\"\nprofile = \"psd2\"\nanchors = [\"qtsp.pem\"]\n";
    let by_alert = Gate::start(PORTCULLIS, &site, &Configuration::psd2());
    let by_http = Configuration::psd2().client_auth(&format!("{rules}refusals = \"http\""));
    let by_http = Gate::start(PORTCULLIS, &site, &by_http);
    let no_statement = site.issue(TppCertificate::new("Hafenkontor Handels GmbH"));
    let no_role = site.issue(TppCertificate::new("Hafenkontor Handels GmbH").roles([] as [Role; 0]));
    let ordinary = site.issue(tpp().without_qc_statements());
    for (credential, code) in
        [(&no_statement, "psd2.missing"), (&no_role, "psd2.no-roles"), (&ordinary, "qc.missing")]
    {
        for version in Version::BOTH {
            let client = client(&site, version).credential(credential);
            assert_refused(&by_alert, &client, &[AlertDescription::AccessDenied], "without roles");
            let response = client.get(by_http.address("tpp"), "/").expect("the handshake finishes");
            assert_eq!((response.status, &response.json()["code"]), (403, &code.into()));
        }
    }
    // A path that leads nowhere is refused in the handshake either way.
    let foreign = tpp().issue(&Authority::foreign().expect("an authority")).expect("a certificate");
    let client = TlsClient::new(&site.bank).credential(&foreign);
    assert_refused(&by_http, &client, &[AlertDescription::UnknownCA], "foreign");
}
