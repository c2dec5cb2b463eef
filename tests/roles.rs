//! What a TPP may do stands in its certificate. Each role opens its own resource and no other, and a TPP that asks for more than it
//! was granted is told what was needed and what it has, in a form that a program can read (RFC 9457); one that is let in can see
//! what the gate makes of its certificate.

use portcullis_test_harness::{Configuration, Gate, H2Client, HOST, Site, TlsClient};
use portcullis_test_pki::{Psd2Statement, Role, RoleOfPsp, TppCertificate};
use serde_json::json;

const PORTCULLIS: &str = env!("CARGO_BIN_EXE_portcullis");

const RESOURCES: [(&str, Role); 3] =
    [("/v1/accounts", Role::PspAi), ("/v1/payments", Role::PspPi), ("/v1/funds-confirmations", Role::PspIc)];

#[test]
fn each_role_opens_its_own_resource() {
    let site = Site::new();
    let gate = Gate::start(PORTCULLIS, &site, &Configuration::psd2());
    let held: [&[Role]; 6] = [
        &[Role::PspAi],
        &[Role::PspPi],
        &[Role::PspIc],
        &[Role::PspAs],
        &[Role::PspAi, Role::PspPi],
        &Role::ALL,
    ];
    for roles in held {
        let client = TlsClient::new(&site.bank).credential(&site.tpp(roles));
        let mut http1 = client.connect(gate.address("tpp")).expect("a session");
        let mut http2 = H2Client::connect(&client, gate.address("tpp")).expect("a session");
        for (path, needed) in RESOURCES {
            let expected = if roles.contains(&needed) { 200 } else { 403 };
            assert_eq!(http1.get(path).expect("an answer").status, expected, "{roles:?} {path}");
            let response = http2.get(HOST.as_bytes(), path.as_bytes()).expect("an answer");
            assert_eq!(response.status, expected, "{roles:?} {path}");
        }
        assert_eq!(http1.get("/anything").expect("an answer").text(), "open\n");
    }
}

#[test]
fn a_missing_role_is_explained() {
    let site = Site::new();
    let gate = Gate::start(PORTCULLIS, &site, &Configuration::psd2());
    let client = TlsClient::new(&site.bank).credential(&site.tpp(&[Role::PspIc, Role::PspAi]));
    let response = client.get(gate.address("tpp"), "/v1/payments").expect("an answer");
    assert_eq!(response.status, 403);
    assert_eq!(response.header("content-type"), Some("application/problem+json"));
    let problem = response.json();
    assert_eq!(problem["status"], 403);
    assert_eq!(problem["code"], "route.role-missing");
    assert_eq!(problem["required_roles"], json!(["PSP_PI"]));
    assert_eq!(problem["certificate_roles"], json!(["PSP_AI", "PSP_IC"]));
    for field in ["type", "title", "detail"] {
        assert!(problem[field].as_str().is_some_and(|text| !text.is_empty()), "{field}: {problem}");
    }
    let detail = problem["detail"].as_str().expect("it is text");
    assert!(detail.contains("PSP_PI") && detail.contains("PSP_AI"), "{detail}");
}

#[test]
fn what_is_not_there_is_not_there_for_anybody() {
    let site = Site::new();
    let routes = "[[route]]\npath = \"/v1/payments\"\nroles = [\"PSP_PI\"]\nrespond = { status = 200 }";
    let gate = Gate::start(PORTCULLIS, &site, &Configuration::psd2().routes(routes));
    let client = TlsClient::new(&site.bank).credential(&site.tpp(&Role::ALL));
    let response = client.get(gate.address("tpp"), "/v1/cards").expect("an answer");
    assert_eq!((response.status, response.header("content-type")), (404, Some("application/problem+json")));
}

#[test]
fn one_of_several_roles_is_enough_and_a_name_is_not_a_role() {
    let site = Site::new();
    let routes = "[[route]]\npath = \"/\"\nroles = [\"PSP_PI\", \"PSP_IC\"]\nrespond = { status = 204 }";
    let gate = Gate::start(PORTCULLIS, &site, &Configuration::psd2().routes(routes));
    let status = |certificate: TppCertificate| {
        let client = TlsClient::new(&site.bank).credential(&site.issue(certificate));
        client.get(gate.address("tpp"), "/").map(|response| response.status)
    };
    let tpp = || TppCertificate::new("Lindenblatt Kontodienst GmbH");
    assert_eq!(status(tpp().roles([Role::PspIc])), Ok(204));
    assert_eq!(status(tpp().roles([Role::PspAi])), Ok(403));
    // TS 119 495 GEN-5.2.2-5: identifier and name agree. Where they do not, the identifier is what was granted.
    let misnamed = RoleOfPsp { oid: Role::PspAi.oid().to_vec(), name: "PSP_PI".to_owned() };
    assert_eq!(status(tpp().psd2(Psd2Statement::new([misnamed]))), Ok(403));
    let elsewhere = RoleOfPsp { oid: vec![1, 3, 6, 1, 4, 1, 99999, 2], name: "PSP_PI".to_owned() };
    assert!(status(tpp().psd2(Psd2Statement::new([elsewhere]))).is_err(), "no role that the gate knows");
    let flattened = Psd2Statement::new([Role::PspPi]).with_roles_flattened();
    assert_ne!(status(tpp().psd2(flattened)), Ok(204), "what cannot be read grants nothing");
}

#[test]
fn the_gate_shows_what_it_read() {
    let site = Site::new();
    let gate = Gate::start(PORTCULLIS, &site, &Configuration::psd2());
    let client = TlsClient::new(&site.bank).credential(&site.tpp(&[Role::PspAi]));
    let response = client.get(gate.address("tpp"), "/v1/accounts").expect("an answer");
    assert_eq!((response.status, response.header("content-type")), (200, Some("application/json")));
    let identity = response.json();
    assert!(identity["thumbprint_sha256"].is_string(), "{identity}");
    assert_eq!(identity["psd2"]["roles"], json!(["PSP_AI"]));
    assert_eq!(identity["psd2"]["nca_id"], "DE-BAFIN");
    let subject = identity["subject"].to_string();
    for part in ["PSDDE-BAFIN-104114", "Lindenblatt Kontodienst GmbH", "DE"] {
        assert!(subject.contains(part), "{part}: {subject}");
    }
}
