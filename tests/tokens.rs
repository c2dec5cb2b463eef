//! Access tokens on routes: one that is bound to the client's certificate opens what it was issued for; stolen, of another audience, over or
//! forged it opens nothing, and the answer says why; the issuer's keys may change, and be gone, without a request that fails.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::{
    digest::{SHA256, digest},
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use portcullis_test_harness::{
    Answering, Configuration, Gate, H2Client, HttpsServer, Response, Site, TlsClient, TlsConnection,
    eventually, h2_request,
};
use portcullis_test_pki::{Credential, Role, TppCertificate};
use serde_json::{Value, json};

const PORTCULLIS: &str = env!("CARGO_BIN_EXE_portcullis");
const RULES: &str = "mode = \"required\"\nprofile = \"psd2\"\nanchors = [\"qtsp.pem\"]\n";
const ROUTES: &str = "[[route]]\npath = \"/bound\"\ntoken = \"bound\"\nscopes = [\"accounts\"]\nrespond = { echo = \"identity\" }\n\
    [[route]]\npath = \"/required\"\ntoken = \"required\"\nclaims = { acr = [\"sca\", \"sca2\"] }\nrespond = { body = \"ok\" }\n\
    [[route]]\npath = \"/both\"\ntoken = \"required\"\nkey_claim = \"org\"\nrespond = { body = \"ok\" }\n\
    [[route]]\npath = \"/open\"\nrespond = { body = \"ok\" }\n";

/// A key of the authorisation server.
struct SigningKey {
    id: &'static str,
    key: EncodingKey,
    point: Vec<u8>,
}

impl SigningKey {
    fn new(id: &'static str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
        let key = EncodingKey::from_ec_der(pair.to_pkcs8v1().expect("DER").as_ref());
        Self { id, key, point: pair.public_key().as_ref().to_vec() }
    }

    fn jwk(&self) -> Value {
        let (x, y) = (base64url(&self.point[1..33]), base64url(&self.point[33..]));
        json!({ "kty": "EC", "crv": "P-256", "kid": self.id, "x": x, "y": y, "use": "sig" })
    }

    fn sign(&self, claims: &Value) -> String {
        let header = Header {
            typ: Some("at+jwt".to_owned()),
            kid: Some(self.id.to_owned()),
            ..Header::new(Algorithm::ES256)
        };
        encode(&header, claims, &self.key).expect("a token")
    }
}

fn key_set(keys: &[&SigningKey]) -> Answering {
    let keys: Vec<Value> = keys.iter().map(|key| key.jwk()).collect();
    Answering::Document(json!({ "keys": keys }).to_string().into_bytes())
}

/// RFC 4648 5, without padding.
fn base64url(bytes: &[u8]) -> String {
    const SIGNS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits =
            chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for sign in 0..=chunk.len() {
            text.push(char::from(SIGNS[(bits >> (18 - 6 * sign) & 63) as usize]));
        }
    }
    text
}

fn tpp(site: &Site, identifier: &str) -> Credential {
    let tpp = TppCertificate::new("Lindenblatt Kontodienst GmbH").roles([Role::PspAi]);
    site.issue(tpp.organization_identifier(identifier))
}

/// Claims of a token for the holder of that certificate.
fn claims(credential: &Credential) -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later").as_secs();
    let thumbprint = base64url(digest(&SHA256, credential.leaf_der()).as_ref());
    json!({
        "iss": "https://as.bank.example", "aud": "https://api.bank.example", "exp": now + 300, "iat": now, "sub": "user",
        "scope": "accounts", "acr": "sca", "org": "psd2:PSDES-BE-1", "cnf": { "x5t#S256": thumbprint },
    })
}

fn with(mut claims: Value, name: &str, value: Value) -> Value {
    claims[name] = value;
    claims
}

fn configuration(server: &HttpsServer) -> Configuration {
    configuration_and(server, "")
}

/// With these lines of `[keys]` and tables behind it.
fn configuration_and(server: &HttpsServer, more: &str) -> Configuration {
    let issuer = format!(
        "[issuer.bank]\nissuer = \"https://as.bank.example\"\naudiences = [\"https://api.bank.example\"]\n\
         jwks = \"{}\"\nhttps_roots = [\"bank-root.pem\"]\n[keys]\nstore = \"keys.redb\"\n{more}",
        server.url("/jwks")
    );
    Configuration::psd2().client_auth(RULES).routes(ROUTES).and(&issuer)
}

/// An authorisation server with that key set.
fn authorisation_server(site: &Site, answering: Answering) -> HttpsServer {
    let credential = site.serve("as.pem", &["localhost"]);
    site.write("bank-root.pem", &site.bank.root_pem());
    let server = HttpsServer::start(&credential);
    server.answer("/jwks", answering);
    server
}

fn ask(gate: &Gate, client: &TlsClient, path: &str, token: Option<&str>) -> Response {
    let authorization = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{authorization}\r\n");
    let mut connection = client.connect(gate.address("tpp")).expect("a connection");
    connection.request(request.as_bytes()).expect("an answer")
}

/// The status, and the code of a refusal.
fn told(response: &Response) -> (u16, String) {
    let json: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    (response.status, json["code"].as_str().unwrap_or_default().to_owned())
}

fn no(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

fn good() -> (u16, String) {
    (200, String::new())
}

/// Waits for the keys of the issuer.
fn until_keys_are_known(gate: &Gate) {
    eventually("the keys of the issuer", || gate.metrics().sum("portcullis_issuer_keys", &[]) >= 1.0);
}

#[test]
fn a_token_opens_what_it_was_issued_for_to_whom_it_is_bound() {
    let site = Site::new();
    let key = SigningKey::new("one");
    let server = authorisation_server(&site, key_set(&[&key]));
    let gate = Gate::start(PORTCULLIS, &site, &configuration(&server));
    until_keys_are_known(&gate);
    let (own, thief) = (tpp(&site, "PSDES-BE-1"), tpp(&site, "PSDES-BE-2"));
    let (client, stranger) =
        (TlsClient::new(&site.bank).credential(&own), TlsClient::new(&site.bank).credential(&thief));
    let token = key.sign(&claims(&own));
    let of = |client: &TlsClient, path: &str, token: &str| told(&ask(&gate, client, path, Some(token)));
    for path in ["/bound", "/required", "/both", "/open"] {
        assert_eq!(of(&client, path, &token), good(), "{path}");
    }
    for path in ["/bound", "/required", "/both"] {
        assert_eq!(of(&stranger, path, &token), no(401, "token.binding"), "a stolen token on {path}");
        assert_eq!(told(&ask(&gate, &client, path, None)), no(401, "token.missing"), "{path}");
    }
    for (path, asked) in
        [("/bound", json!("bound")), ("/required", json!("required")), ("/open", json!(null))]
    {
        let supposed = json!({ "listener": "tpp", "server_name": "localhost", "certificate_pem": own.chain_pem(), "method": "GET", "path": path });
        let answer =
            gate.ask("POST /v1/dry-run", "Content-Type: application/json\r\n", &supposed.to_string());
        let foreseen: Value = serde_json::from_slice(&answer.body).expect("JSON");
        assert_eq!(
            (&foreseen["outcome"], &foreseen["route"]["token"]),
            (&json!("granted"), &asked),
            "{foreseen}"
        );
    }
    let denied = [("decision", "denied")];
    assert!(gate.metrics().sum("portcullis_authz_decisions_total", &denied) >= 6.0, "they are denied");
    assert_eq!(of(&stranger, "/open", &token), good());
    let free = key.sign(&with(claims(&own), "cnf", json!({})));
    assert_eq!(of(&client, "/bound", &free), no(401, "token.unbound"));
    assert_eq!(of(&stranger, "/required", &free), good(), "it is for whoever has it");
    assert_eq!(of(&stranger, "/both", &free), no(403, "token.claim"), "its claim is of another key");
    let changed = |name: &str, value: Value| key.sign(&with(claims(&own), name, value));
    for (path, name, value, expected) in [
        ("/bound", "scope", json!("payments"), no(403, "token.scope")),
        ("/required", "acr", json!("pwd"), no(403, "token.claim")),
        ("/bound", "exp", json!(1), no(401, "token.expired")),
        ("/bound", "nbf", json!(4_000_000_000_u64), no(401, "token.not-yet-valid")),
        ("/bound", "aud", json!("https://other.bank.example"), no(401, "token.audience")),
        ("/bound", "iss", json!("https://as.other.example"), no(401, "token.issuer")),
    ] {
        assert_eq!(of(&client, path, &changed(name, value)), expected, "{name}");
    }
    let large = ask(&gate, &client, "/bound", Some(&"a".repeat(20_000)));
    assert_eq!(told(&large), no(401, "token.too-large"));
    let none = ask(&gate, &client, "/bound", None);
    assert_eq!(none.header("www-authenticate"), Some("Bearer realm=\"portcullis\""));
    let scope = ask(&gate, &client, "/bound", Some(&changed("scope", json!("x"))));
    let challenge = scope.header("www-authenticate").expect("a challenge");
    assert!(
        challenge.contains("error=\"insufficient_scope\"") && challenge.contains("scope=\"accounts\""),
        "{challenge}"
    );
    let mut h2 = H2Client::connect(&client, gate.address("tpp")).expect("a connection");
    let bearer = format!("Bearer {token}");
    let mut fields = h2_request("GET", "/bound");
    assert_eq!(h2.request(&fields).expect("an answer").status, 401);
    fields.push((b"authorization", bearer.as_bytes()));
    assert_eq!(h2.request(&fields).expect("an answer").status, 200);
    // The same token once more: it was verified before, and is asked for its certificate again.
    assert_eq!(
        (of(&client, "/bound", &token), of(&stranger, "/bound", &token)),
        (good(), no(401, "token.binding"))
    );
}

#[test]
fn keys_change_without_a_request_that_fails_and_the_last_good_ones_are_kept() {
    let site = Site::new();
    let (old, new, forged) = (SigningKey::new("old"), SigningKey::new("new"), SigningKey::new("old"));
    let server = authorisation_server(&site, Answering::Status(500));
    let gate = Gate::start(PORTCULLIS, &site, &configuration(&server));
    let own = tpp(&site, "PSDES-BE-1");
    let client = TlsClient::new(&site.bank).credential(&own);
    let of = |token: &str| told(&ask(&gate, &client, "/bound", Some(token)));
    let token = old.sign(&claims(&own));
    assert_eq!(of(&token), no(503, "token.unavailable"), "nothing is known yet, and nobody passes");
    server.answer("/jwks", key_set(&[&old]));
    // Who comes asks for the keys, at most every ten seconds.
    eventually("the keys", || of(&token) == good());
    assert_eq!(of(&forged.sign(&claims(&own))), no(401, "token.signature"));
    server.answer("/jwks", Answering::Status(503));
    gate.reload();
    assert_eq!(of(&token), good(), "what was good is kept, by a reload too");
    gate.rewrite(&configuration(&server).to_toml().replace("[keys]", "refresh_interval = \"1h\"\n[keys]"));
    gate.reload();
    assert_eq!(of(&token), good(), "and by one that changes how often they are fetched");
    gate.rewrite(&configuration(&server).to_toml());
    gate.reload();
    server.answer("/jwks", key_set(&[&new]));
    let rotated = new.sign(&claims(&own));
    eventually("the new key is met and fetched", || of(&rotated) == good());
    assert_eq!(of(&token), no(401, "token.key-unknown"), "what was verified before is not believed for ever");
    let fetches = || server.count("/jwks", 200) + server.count("/jwks", 304);
    let before = fetches();
    for number in 0..20 {
        let unknown = SigningKey::new(["a", "b", "c", "d"][number % 4]);
        assert_eq!(of(&unknown.sign(&claims(&own))), no(401, "token.key-unknown"));
    }
    assert!(fetches() <= before + 2, "who names keys makes nobody fetch");
}

#[test]
fn nobody_passes_by_an_issuer_that_answers_oddly() {
    let site = Site::new();
    let key = SigningKey::new("one");
    let server = authorisation_server(&site, key_set(&[&key]));
    let insecure = server.url("/jwks").replace("https", "http");
    let odd = [
        Answering::Garbage,
        Answering::Endless,
        Answering::Half(b"{\"keys\":[]}".to_vec()),
        Answering::Status(304),
        Answering::Redirect(insecure),
        Answering::Redirect(server.url("/5")),
        Answering::Document(b"{\"keys\":[]}".to_vec()),
        Answering::Document(vec![b'['; 1 << 19]),
    ];
    let mut issuers = String::new();
    for (number, answering) in odd.iter().enumerate() {
        let path = format!("/{number}");
        server.answer(&path, answering.clone());
        issuers += &format!(
            "[issuer.odd{number}]\nissuer = \"{number}\"\naudiences = [\"api\"]\njwks = \"{}\"\nhttps_roots = [\"bank-root.pem\"]\n",
            server.url(&path)
        );
    }
    let gate = Gate::start(PORTCULLIS, &site, &configuration_and(&server, &issuers));
    until_keys_are_known(&gate);
    let own = tpp(&site, "PSDES-BE-1");
    let client = TlsClient::new(&site.bank).credential(&own);
    let good_one = key.sign(&claims(&own));
    for number in 0..odd.len() {
        let name = format!("odd{number}");
        let labels = [("issuer", name.as_str())];
        eventually("a fetch", || gate.metrics().sum("portcullis_issuer_key_fetches_total", &labels) >= 1.0);
        let good = [("issuer", name.as_str()), ("result", "success")];
        assert!(gate.metrics().sum("portcullis_issuer_key_fetches_total", &good) < 1.0, "{number}");
        let claims = with(with(claims(&own), "iss", json!(number.to_string())), "aud", json!("api"));
        let answer = ask(&gate, &client, "/bound", Some(&key.sign(&claims)));
        assert_eq!(told(&answer), no(503, "token.unavailable"), "{number}");
    }
    assert_eq!(told(&ask(&gate, &client, "/bound", Some(&good_one))), good());
}

/// A connection whose request waits for keys, which its client is not allowed another beside.
fn waiting(gate: &Gate, client: &TlsClient, token: &str) -> TlsConnection {
    let request = format!("GET /bound HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n");
    let mut waiting = None;
    eventually("a request that waits", || {
        let mut connection = client.connect(gate.address("tpp")).expect("a connection");
        connection.send(request.as_bytes()).expect("a request");
        let is_waiting = told(&ask(gate, client, "/open", None)) == no(429, "policy.requests");
        waiting = Some(connection);
        is_waiting
    });
    waiting.expect("it waits")
}

#[test]
fn a_request_that_waits_for_keys_is_counted_and_then_judged_by_what_holds_then() {
    let site = Site::new();
    let key = SigningKey::new("one");
    let server = authorisation_server(&site, Answering::Silent);
    let own = tpp(&site, "PSDES-BE-1");
    let client = TlsClient::new(&site.bank).credential(&own);
    let policy = "default_policy = \"one\"\n[policy.one]\nrequests_max = 1";
    let gate = Gate::start(PORTCULLIS, &site, &configuration_and(&server, policy));
    let ids = || {
        let listed: Value = serde_json::from_slice(&gate.ask("GET /v1/keys", "", "").body).expect("JSON");
        let ids: Vec<String> = listed["keys"]
            .as_array()
            .expect("keys")
            .iter()
            .map(|key| key["id"].as_str().expect("an id").to_owned())
            .collect();
        ids
    };
    assert_eq!(told(&ask(&gate, &client, "/open", None)), good());
    eventually("its key", || ids().len() == 1);
    let token = key.sign(&claims(&own));
    let answer = waiting(&gate, &client, &token).receive().expect("an answer");
    assert_eq!(told(&answer), no(503, "token.unavailable"));
    eventually("it counts no longer", || told(&ask(&gate, &client, "/open", None)) == good());
    let mut suspended = waiting(&gate, &client, &token);
    let json = "Content-Type: application/json\r\n";
    assert_eq!(gate.ask(&format!("POST /v1/keys/{}/suspend", ids()[0]), json, "").status, 200);
    if let Ok(answer) = suspended.receive() {
        assert_eq!(answer.status, 403, "{:?}", told(&answer));
    }
}
