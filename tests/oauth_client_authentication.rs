//! An authorisation server behind the gate authenticates its clients by their certificates (RFC 8705 2.1), which the gate hands on as RFC 9440
//! says; whatever a client says of itself in these fields never arrives.

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine as _, engine::general_purpose::STANDARD, engine::general_purpose::URL_SAFE_NO_PAD};
use portcullis_test_harness::{
    AuthorisationServer, Configuration, Gate, H2Client, Response, Site, TlsClient, h2_request,
};
use portcullis_test_pki::{Credential, Role, Subject, TppCertificate};
use serde_json::Value;

const PORTCULLIS: &str = env!("CARGO_BIN_EXE_portcullis");
/// One name in two spellings, neither as the gate writes it.
const NAMES: [(&str, &str); 3] = [
    (
        "escaped",
        r#"CN=tpp,organizationIdentifier=PSDDE-BAFIN-1,O=Kontodienst \22Linde\22\, B\C3\A4r \2B S\c3\b6hne,C=DE"#,
    ),
    ("loose", r#"cn=TPP,2.5.4.97=psdde-bafin-1,O=kontodienst  \"linde\"\, bär \+ söhne,C=de"#),
    // The same attributes, the other way round.
    (
        "reversed",
        r#"C=DE,O=Kontodienst \"Linde\"\, Bär \+ Söhne,organizationIdentifier=PSDDE-BAFIN-1,CN=tpp"#,
    ),
];

fn ask(gate: &Gate, client: &TlsClient, id: &str, fields: &str) -> Response {
    let form = format!("grant_type=client_credentials&client_id={id}");
    let request = format!(
        "POST /token HTTP/1.1\r\nHost: localhost\r\n{fields}Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        form.len()
    );
    let mut connection = client.connect(gate.address("tpp")).expect("a connection");
    connection.request(request.as_bytes()).expect("an answer")
}

/// What the token would be bound to.
fn bound_to(response: &Response) -> Option<String> {
    let json: Value = serde_json::from_slice(&response.body).expect("JSON");
    assert_eq!(response.status == 401, json["error"] == "invalid_client", "{json}");
    json["cnf"]["x5t#S256"].as_str().map(str::to_owned)
}

fn thumbprint(credential: &Credential) -> Option<String> {
    Some(URL_SAFE_NO_PAD.encode(digest(&SHA256, credential.leaf_der())))
}

#[test]
fn a_client_is_who_its_certificate_says_and_nobody_else() {
    let site = Site::new();
    let subject = Subject::new("Kontodienst \"Linde\", Bär + Söhne").common_name("tpp");
    let tpp = |subject: Subject| {
        site.issue(
            TppCertificate::new("")
                .roles([Role::PspAi])
                .subject(subject.organization_identifier("PSDDE-BAFIN-1")),
        )
    };
    let own = tpp(subject.clone());
    let other = tpp(subject.common_name("tpp2"));
    let server = AuthorisationServer::start(&NAMES);
    let hand_off = "hand_off = [\"client-cert\", \"ssl-client-cert\", \"ssl-client-subject-dn\"]";
    let configuration = Configuration::passing_on(&[server.backend().address()], hand_off);
    let gate = Gate::start(PORTCULLIS, &site, &configuration);
    let (client, stranger) =
        (TlsClient::new(&site.bank).credential(&own), TlsClient::new(&site.bank).credential(&other));
    for id in ["escaped", "loose"] {
        assert_eq!(bound_to(&ask(&gate, &client, id, "")), thumbprint(&own), "{id}");
        assert_eq!(bound_to(&ask(&gate, &stranger, id, "")), None, "{id}: another certificate");
    }
    for id in ["reversed", "unknown"] {
        assert_eq!(bound_to(&ask(&gate, &client, id, "")), None, "{id}");
    }
    let received = server.backend().received().pop().expect("a request");
    let subject = received.value("ssl-client-subject-dn").expect("one subject");
    assert_eq!(AuthorisationServer::is_same_name(&subject, NAMES[1].1), Some(true), "{subject}");
    assert!(subject.is_ascii());
    let pem = received.value("ssl-client-cert").expect("one certificate");
    let body = pem.replace("%0A", "").replace("%20", " ").replace("%2D", "-");
    let body = body.replace("-----BEGIN CERTIFICATE-----", "").replace("-----END CERTIFICATE-----", "");
    let body = body.replace("%2B", "+").replace("%2F", "/").replace("%3D", "=");
    assert_eq!(STANDARD.decode(body).expect("base64"), own.leaf_der().as_ref());
}

#[test]
fn what_a_client_says_of_itself_does_not_arrive() {
    let site = Site::new();
    let (own, other) = (site.tpp(&[Role::PspAi]), site.tpp(&[Role::PspAi]));
    let server = AuthorisationServer::start(&[]);
    for hand_off in ["hand_off = [\"client-cert\", \"ssl-client-subject-dn\"]", "hand_off = []"] {
        let configuration = Configuration::passing_on(&[server.backend().address()], hand_off);
        let gate = Gate::start(PORTCULLIS, &site, &configuration);
        let client = TlsClient::new(&site.bank).credential(&own);
        let forged = format!(":{}:", STANDARD.encode(other.leaf_der()));
        let names =
            ["Client-Cert", "client_cert", "CLIENT-CERT-CHAIN", "SSL-Client-Cert", "ssl_client_subject_dn"];
        let fields: String = names.iter().map(|name| format!("{name}: {forged}\r\n")).collect();
        ask(&gate, &client, "any", &fields);
        let mut h2 = H2Client::connect(&client, gate.address("tpp")).expect("a connection");
        let mut request = h2_request("GET", "/token");
        request.push((b"client-cert", forged.as_bytes()));
        request.push((b"ssl-client-subject-dn", b"CN=tpp"));
        h2.request(&request).expect("an answer");
        let received = server.backend().received();
        assert!(received.len() >= 2);
        for request in received {
            assert!(!request.contains(forged.as_bytes()), "{}", request.line());
            assert!(!request.contains(b"CN=tpp\r\n"), "{}", request.line());
        }
        server.backend().forget();
    }
}
