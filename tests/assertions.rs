//! What an upstream is told of the client under the gate's signature: an independent reader verifies it with the keys that the admin
//! listener publishes, it is made once for a connection, and keys can be changed without a word that nobody can verify.

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header, jwk::JwkSet};
use portcullis_test_harness::{Backend, Configuration, Gate, Site, TlsClient, TlsConnection, eventually};
use portcullis_test_pki::{Role, ServerCertificate, TppCertificate};
use serde_json::{Value, json};

const PORTCULLIS: &str = env!("CARGO_BIN_EXE_portcullis");
const RULES: &str = "mode = \"required\"\nprofile = \"psd2\"\nanchors = [\"qtsp.pem\"]\n";
const FIELD: &str = "portcullis-assertion";

/// A gate with keys and an upstream, and further lines of both.
fn configuration(backend: &Backend, assertion: &str, upstream: &str) -> Configuration {
    let upstream = Configuration::upstream("bank", &[backend.address()], upstream);
    let sections = format!("[keys]\nstore = \"keys.redb\"\n{assertion}\n{upstream}");
    let routes = "[[route]]\npath = \"/\"\nupstream = \"bank\"";
    Configuration::psd2().client_auth(RULES).routes(routes).and(&sections)
}

/// A private key on P-256, in a file.
fn put_key(site: &Site, name: &str) {
    let credential = ServerCertificate::new(["unused.example"]).issue(&site.bank).expect("a key");
    site.write(name, &credential.key_pem());
}

fn client(site: &Site) -> TlsClient {
    let tpp = TppCertificate::new("Lindenblatt Kontodienst GmbH").roles([Role::PspAi]);
    TlsClient::new(&site.bank).credential(&site.issue(tpp.organization_identifier("PSDES-BE-1")))
}

/// What the upstream is told on a connection, with a field of the client's own.
fn told(backend: &Backend, connection: &mut TlsConnection) -> Vec<String> {
    let request = "GET / HTTP/1.1\r\nHost: localhost\r\nPortcullis-Assertion: forged\r\n\r\n";
    assert_eq!(connection.request(request.as_bytes()).expect("an answer").status, 200);
    backend.received().last().expect("a request").values(FIELD)
}

fn key_set(gate: &Gate) -> JwkSet {
    serde_json::from_slice(&gate.ask("GET /jwks.json", "", "").body).expect("a key set")
}

/// The claims of a token that holds for that audience, by one of the keys.
fn verify(token: &str, keys: &JwkSet, audience: &str) -> Result<Value, jsonwebtoken::errors::Error> {
    let header = decode_header(token)?;
    assert_eq!((header.alg, header.typ.as_deref()), (Algorithm::ES256, Some("portcullis-assertion+jwt")));
    let key = keys.find(header.kid.as_deref().expect("a key id")).expect("it is published");
    let mut validation = Validation::new(Algorithm::ES256);
    validation.set_audience(&[audience]);
    validation.set_issuer(&["https://gate.bank.example"]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    Ok(decode::<Value>(token, &DecodingKey::from_jwk(key)?, &validation)?.claims)
}

#[test]
fn a_backend_verifies_who_the_client_is_and_who_changes_the_token_is_found_out() {
    let (site, backend) = (Site::new(), Backend::answering("ok"));
    put_key(&site, "assertion.pem");
    let assertion = "[assertion]\nkeys = [\"assertion.pem\"]\nissuer = \"https://gate.bank.example\"";
    let audience = "assertion_audience = \"https://accounts.bank.example\"";
    let gate = Gate::start(PORTCULLIS, &site, &configuration(&backend, assertion, audience));
    let client = client(&site);
    let mut key = Value::Null;
    eventually("its key", || {
        let mut connection = client.connect(gate.address("tpp")).expect("a connection");
        told(&backend, &mut connection);
        let listed: Value = serde_json::from_slice(&gate.ask("GET /v1/keys", "", "").body).expect("JSON");
        key = listed["keys"][0].clone();
        key.is_object()
    });
    let mut connection = client.connect(gate.address("tpp")).expect("a connection");
    let keys = key_set(&gate);
    let mut first = String::new();
    eventually("an assertion that names the key", || {
        let all = told(&backend, &mut connection);
        assert_eq!(all.len(), 1, "one, and not the client's");
        first.clone_from(&all[0]);
        verify(&first, &keys, "https://accounts.bank.example").expect("it holds")["sub"] == key["id"]
    });
    assert_eq!(told(&backend, &mut connection), [first.as_str()], "it is made once");
    let claims = verify(&first, &keys, "https://accounts.bank.example").expect("it holds");
    assert_eq!(claims["organization_identifier"], "PSDES-BE-1");
    assert_eq!(claims["organization"], "Lindenblatt Kontodienst GmbH");
    assert_eq!(claims["roles"], json!(["PSP_AI"]));
    let lifetime = claims["exp"].as_i64().zip(claims["iat"].as_i64()).map(|(exp, iat)| exp - iat);
    assert_eq!(lifetime, Some(300));
    assert!(verify(&first, &keys, "https://other.bank.example").is_err());
    let (signed, signature) = first.rsplit_once('.').expect("a signature");
    let other = if signature.starts_with('A') { "B" } else { "A" };
    let forged = format!("{signed}.{other}{}", &signature[1..]);
    assert!(verify(&forged, &keys, "https://accounts.bank.example").is_err());
}

#[test]
fn keys_change_while_those_before_are_still_published() {
    let (site, backend) = (Site::new(), Backend::answering("ok"));
    put_key(&site, "old.pem");
    put_key(&site, "new.pem");
    let with = |keys: &str| {
        let assertion = format!("[assertion]\nkeys = [{keys}]\nissuer = \"https://gate.bank.example\"");
        configuration(&backend, &assertion, "")
    };
    let gate = Gate::start(PORTCULLIS, &site, &with("\"old.pem\", \"new.pem\""));
    let mut connection = client(&site).connect(gate.address("tpp")).expect("a connection");
    let before = told(&backend, &mut connection).remove(0);
    let kid = |token: &str| decode_header(token).expect("a header").kid;
    gate.rewrite(&with("\"new.pem\", \"old.pem\"").to_toml());
    gate.reload();
    let mut after = String::new();
    eventually("another key signs on the same connection", || {
        after = told(&backend, &mut connection).remove(0);
        kid(&after) != kid(&before)
    });
    let keys = key_set(&gate);
    assert_eq!(keys.keys.len(), 2);
    for token in [&before, &after] {
        assert!(
            verify(token, &keys, "bank").is_ok(),
            "the audience is the upstream, and both keys are known"
        );
    }
}

#[test]
fn who_is_told_nothing_of_it_gets_none_and_what_cannot_be_meant_is_refused() {
    let (site, backend) = (Site::new(), Backend::answering("ok"));
    put_key(&site, "assertion.pem");
    let gate = Gate::start(PORTCULLIS, &site, &configuration(&backend, "", ""));
    let mut connection = client(&site).connect(gate.address("tpp")).expect("a connection");
    assert_eq!(told(&backend, &mut connection), [""; 0]);
    assert_eq!(gate.ask("GET /jwks.json", "", "").status, 404);
    drop(gate);
    let assertion = "[assertion]\nkeys = [\"assertion.pem\"]";
    let gate =
        Gate::start(PORTCULLIS, &site, &configuration(&backend, assertion, "hand_off = [\"thumbprint\"]"));
    let mut connection = client(&site).connect(gate.address("tpp")).expect("a connection");
    assert_eq!(told(&backend, &mut connection), [""; 0]);
    assert_eq!(backend.received().last().expect("a request").values("portcullis-tpp-thumbprint").len(), 1);
    for (assertion, upstream, place) in [
        ("", "hand_off = [\"assertion\"]", "upstream.bank.hand_off[0]"),
        ("", "assertion_audience = \"x\"", "upstream.bank.assertion_audience"),
        ("[assertion]\n", "", "assertion.keys"),
        ("[assertion]\nkeys = []", "", "assertion.keys"),
        ("[assertion]\nkeys = [\"qtsp.pem\"]", "", "assertion.keys[0]"),
        ("[assertion]\nkeys = [\"assertion.pem\"]\nlifetime = \"1s\"", "", "assertion.lifetime"),
    ] {
        let text = configuration(&backend, assertion, upstream).to_toml();
        let output = Gate::output(PORTCULLIS, &["check"], &site, &text);
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && complaint.contains(place), "{place}: {complaint}");
    }
}
