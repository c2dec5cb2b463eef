//! Tokens that an authorisation server is asked about: one that it says is active opens what it was issued for to whom it is bound; one that
//! it says is not opens nothing, nor does any while the server is slow, gone or says what cannot be. What it said is believed for a while.

use std::{
    fs::{Permissions, set_permissions},
    os::unix::fs::PermissionsExt as _,
    sync::atomic::{AtomicBool, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use portcullis_test_harness::{
    Answering, Configuration, Gate, HttpsServer, Response, Site, TlsClient, eventually,
};
use portcullis_test_pki::{Credential, Role};
use serde_json::{Value, json};

const PORTCULLIS: &str = env!("CARGO_BIN_EXE_portcullis");
const RULES: &str = "mode = \"required\"\nprofile = \"psd2\"\nanchors = [\"qtsp.pem\"]\n";
const ROUTES: &str = "[[route]]\npath = \"/bound\"\ntoken = \"bound\"\nscopes = [\"accounts\"]\nrespond = { body = \"ok\" }\n\
    [[route]]\npath = \"/required\"\ntoken = \"required\"\nclaims = { acr = \"sca\" }\nrespond = { body = \"ok\" }\n";
const ISSUER: &str = "https://as.bank.example";

/// A gate that asks a server, with a client of it and one that is a stranger to its tokens.
struct Bench {
    site: Site,
    server: HttpsServer,
    gate: Gate,
    own: Credential,
    client: TlsClient,
    stranger: TlsClient,
}

impl Bench {
    fn new(answering: Answering) -> Self {
        let site = Site::new();
        let credential = site.serve("as.pem", &["localhost"]);
        site.write("bank-root.pem", &site.bank.root_pem());
        let secret = site.write("secret", "pass word+1\n");
        set_permissions(secret, Permissions::from_mode(0o600)).expect("it is ours");
        let server = HttpsServer::start(&credential);
        server.answer("/introspect", answering);
        let gate = Gate::start(PORTCULLIS, &site, &configuration(&server, ISSUER));
        let (own, other) = (site.tpp(&[Role::PspAi]), site.tpp(&[Role::PspAi]));
        let client = TlsClient::new(&site.bank).credential(&own);
        let stranger = TlsClient::new(&site.bank).credential(&other);
        Self { site, server, gate, own, client, stranger }
    }

    /// Answers with a token of the client in which a member is something else.
    fn say(&self, name: &str, value: Value) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later").as_secs();
        let thumbprint = URL_SAFE_NO_PAD.encode(digest(&SHA256, self.own.leaf_der()));
        let mut answer = json!({
            "active": true, "iss": ISSUER, "aud": ["https://api.bank.example"], "exp": now + 300, "scope": "accounts",
            "token_type": "Bearer", "acr": "sca", "cnf": { "x5t#S256": thumbprint },
        });
        answer[name] = value;
        self.server.answer("/introspect", Answering::Json(answer.to_string().into_bytes()));
    }

    fn of(&self, client: &TlsClient, path: &str, token: &str) -> Response {
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n");
        let mut connection = client.connect(self.gate.address("tpp")).expect("a connection");
        connection.request(request.as_bytes()).expect("an answer")
    }

    fn told(&self, path: &str, token: &str) -> (u16, String) {
        told(&self.of(&self.client, path, token))
    }

    /// How often the server was asked.
    fn questions(&self) -> usize {
        self.server.count("/introspect", 200)
    }

    fn counted(&self, result: &str) -> f64 {
        self.gate.metrics().sum("portcullis_introspections_total", &[("issuer", "bank"), ("result", result)])
    }
}

fn configuration(server: &HttpsServer, issuer: &str) -> Configuration {
    let issuer = format!(
        "[issuer.bank]\nissuer = \"{issuer}\"\naudiences = [\"https://api.bank.example\"]\nintrospection = \"{}\"\n\
         client_id = \"the gate\"\nclient_secret_file = \"secret\"\nhttps_roots = [\"bank-root.pem\"]\n",
        server.url("/introspect")
    );
    Configuration::psd2().client_auth(RULES).routes(ROUTES).and(&issuer)
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

#[test]
fn a_token_that_is_active_opens_what_it_was_issued_for() {
    let bench = Bench::new(Answering::Status(500));
    bench.say("jti", json!("1"));
    assert_eq!(bench.told("/bound", "opaque-1"), good());
    let asked = bench.server.received("/introspect").expect("a question");
    let lower = asked.to_ascii_lowercase();
    assert!(
        asked.starts_with("POST ") && asked.ends_with("\n\ntoken=opaque-1&token_type_hint=access_token"),
        "{asked}"
    );
    // `the%20gate:pass%20word%2B1`, each encoded for itself (RFC 6749 2.3.1).
    assert!(asked.contains("Basic dGhlJTIwZ2F0ZTpwYXNzJTIwd29yZCUyQjE="), "{asked}");
    assert!(lower.contains("\naccept: application/json\n"), "{asked}");
    for _ in 0..5 {
        assert_eq!((bench.told("/bound", "opaque-1"), bench.told("/required", "opaque-1")), (good(), good()));
        let stolen = told(&bench.of(&bench.stranger, "/bound", "opaque-1"));
        assert_eq!(stolen, no(401, "token.binding"), "a stolen token");
    }
    assert_eq!(bench.questions(), 1, "what it said is believed, by all shards");
    for (number, (path, name, value, expected)) in [
        ("/bound", "cnf", json!({}), no(401, "token.unbound")),
        ("/bound", "scope", json!("payments"), no(403, "token.scope")),
        ("/required", "acr", json!("pwd"), no(403, "token.claim")),
        ("/bound", "active", json!(false), no(401, "token.inactive")),
        ("/bound", "exp", json!(1), no(401, "token.expired")),
        ("/bound", "nbf", json!(4_000_000_000_u64), no(401, "token.not-yet-valid")),
        ("/bound", "aud", json!("https://other.bank.example"), no(401, "token.audience")),
        ("/bound", "aud", json!(null), no(401, "token.audience")),
        ("/bound", "iss", json!("https://as.other.example"), no(401, "token.issuer")),
        ("/bound", "token_type", json!("DPoP"), no(401, "token.type")),
        ("/bound", "active", json!("true"), no(503, "token.introspection")),
        ("/bound", "active", json!(null), no(503, "token.introspection")),
    ]
    .into_iter()
    .enumerate()
    {
        bench.say(name, value);
        assert_eq!(bench.told(path, &format!("changed-{number}")), expected, "{name}");
    }
    let named = URL_SAFE_NO_PAD.encode(r#"{"iss":"https://as.other.example"}"#);
    let foreign = format!("{}.{named}.c2ln", URL_SAFE_NO_PAD.encode("{}"));
    let before = bench.questions();
    assert_eq!(bench.told("/bound", &foreign), no(401, "token.issuer"));
    assert_eq!(bench.questions(), before, "nobody is asked about a token that names somebody else");
    assert!(bench.counted("active") >= 4.0 && bench.counted("token.inactive") >= 1.0);
}

#[test]
fn nobody_passes_while_the_server_says_nothing_that_can_be() {
    let bench = Bench::new(Answering::Status(500));
    let insecure = bench.server.url("/introspect").replace("https", "http");
    let active = br#"{"active":true,"aud":"https://api.bank.example"}"#.to_vec();
    let huge = format!(r#"{{"active":true,"aud":"https://api.bank.example","x":"{}"}}"#, "x".repeat(1 << 17));
    for (number, (answering, code, result)) in [
        (Answering::Status(500), "token.unavailable", "fetch.status"),
        (Answering::Status(401), "token.unavailable", "fetch.status"),
        (Answering::Redirect(insecure), "token.unavailable", "fetch.status"),
        (Answering::Garbage, "token.unavailable", "fetch.protocol"),
        // No media type.
        (Answering::Document(active.clone()), "token.unavailable", "fetch.media-type"),
        (Answering::Endless, "token.unavailable", "fetch.media-type"),
        (Answering::Json(huge.into_bytes()), "token.unavailable", "fetch.too-large"),
        (Answering::Json(active[..20].to_vec()), "token.introspection", "token.introspection"),
        (Answering::Json(b"[]".to_vec()), "token.introspection", "token.introspection"),
        (Answering::Silent, "token.unavailable", "fetch.timeout"),
    ]
    .into_iter()
    .enumerate()
    {
        let (told_of, before) = (format!("{answering:?}"), bench.counted(result));
        let told_of = &told_of[..told_of.len().min(80)];
        bench.server.answer("/introspect", answering);
        let answer = bench.of(&bench.client, "/required", &format!("odd-{number}"));
        assert_eq!(told(&answer), no(503, code), "{told_of}");
        assert_eq!(answer.header("retry-after"), Some("2"), "{told_of}");
        assert!(answer.header("www-authenticate").is_none(), "{told_of}");
        eventually("it is counted", || bench.counted(result) > before);
    }
    bench.say("jti", json!("1"));
    eventually("it is asked again", || bench.told("/required", "odd-0") == good());
    let waiting = || bench.gate.metrics().sum("portcullis_introspections_waiting", &[("issuer", "bank")]);
    eventually("nobody waits", || waiting().abs() < 0.5);
}

#[test]
fn a_reload_drops_what_no_longer_holds_and_nothing_else() {
    let bench = Bench::new(Answering::Status(500));
    bench.say("iss", json!(ISSUER));
    assert_eq!(bench.told("/bound", "opaque"), good());
    bench.server.answer("/introspect", Answering::Status(500));
    bench.gate.reload();
    assert_eq!(bench.told("/bound", "opaque"), good(), "what was said is true of the next plan too");
    bench.gate.rewrite(&configuration(&bench.server, "https://as.other.example").to_toml());
    bench.gate.reload();
    // Shards take the plan up a moment after it is counted.
    eventually("it was said of another issuer", || {
        bench.told("/bound", "opaque") == no(503, "token.unavailable")
    });
    bench.say("iss", json!(ISSUER));
    assert_eq!(bench.told("/bound", "another"), no(401, "token.issuer"));
}

#[test]
fn a_reload_that_changes_an_issuer_refuses_nobody() {
    let bench = Bench::new(Answering::Status(500));
    bench.say("jti", json!("1"));
    let is_over = AtomicBool::new(false);
    let ask = |client: usize| {
        let tokens = (0..).map(|number| format!("{client}-{number}"));
        let tokens = tokens.take_while(|_| !is_over.load(Ordering::Relaxed));
        tokens.map(|token| bench.told("/bound", &token)).filter(|told| *told != good()).collect::<Vec<_>>()
    };
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..4)
            .map(|client| {
                scope.spawn({
                    let ask = &ask;
                    move || ask(client)
                })
            })
            .collect();
        for age in 2..8 {
            let changed = configuration(&bench.server, ISSUER).to_toml();
            let changed =
                changed.replace("client_id", &format!("introspection_max_age = \"{age}m\"\nclient_id"));
            bench.gate.rewrite(&changed);
            bench.gate.reload();
            let before = bench.questions();
            eventually("it is asked by the new rules", || bench.questions() > before + 20);
        }
        is_over.store(true, Ordering::Relaxed);
        for client in clients {
            assert_eq!(client.join().expect("answers"), []);
        }
    });
}

#[test]
fn many_that_ask_about_one_token_ask_one_question() {
    let bench = Bench::new(Answering::Status(500));
    bench.say("jti", json!("1"));
    std::thread::scope(|scope| {
        let asking: Vec<_> = (0..16).map(|_| scope.spawn(|| bench.told("/bound", "opaque"))).collect();
        for one in asking {
            assert_eq!(one.join().expect("an answer"), good());
        }
    });
    assert_eq!(bench.questions(), 1);
}

#[test]
fn what_cannot_be_decided_is_told_by_check() {
    let bench = Bench::new(Answering::Status(500));
    let good = configuration(&bench.server, ISSUER).to_toml();
    let second = "[issuer.two]\nissuer = \"two\"\naudiences = [\"api\"]\nintrospection = \"https://two.example\"\nclient_id = \"a\"\nclient_secret_file = \"secret\"\n";
    let keyed = good.replace("introspection = ", "algorithms = [\"ES256\"]\nintrospection = ");
    let unknown = good.replace("client_secret_file = \"secret\"\n", "");
    let claim = good.replace("claims = { acr = \"sca\" }", "key_claim = \"org\"");
    let only = format!(
        "{}{second}",
        good.replace("token = \"bound\"", "token = \"bound\"\nissuers = [\"bank\"]")
            .replace("token = \"required\"", "token = \"required\"\nissuers = [\"two\"]")
    );
    for (text, expected) in [
        (good.clone(), ""),
        (only, ""),
        (format!("{good}{second}"), "another is asked about"),
        (keyed, "stands beside `introspection`"),
        (unknown, "client_secret_file"),
        (claim, "needs [keys]"),
    ] {
        let output = Gate::output(PORTCULLIS, &["check"], &bench.site, &text);
        let printed =
            String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.success(), expected.is_empty(), "{printed}");
        assert!(printed.contains(expected) && !printed.contains("pass word"), "{printed}");
    }
}
