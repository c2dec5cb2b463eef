//! The admin listener speaks TLS and asks who comes: without a certificate of its own CA nobody hears anything, with one that is not
//! named nobody sees a key, and with the right one an operator is served from wherever, and is named in the audit log.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    os::unix::fs::PermissionsExt as _,
    process::Command,
};

use portcullis_test_harness::{
    AlertDescription, Configuration, DEADLINE, Gate, Refusal, Response, Site, TlsClient, Version, eventually,
};
use portcullis_test_pki::{
    Authority, Credential, ExtendedKeyUsagePurpose, Role, ServerCertificate, Subject, TppCertificate,
    Validity,
};
use serde_json::{Value, json};

const PORTCULLIS: &str = env!("CARGO_BIN_EXE_portcullis");
const RULES: &str = "mode = \"required\"\nprofile = \"psd2\"\nanchors = [\"qtsp.pem\"]\n";
const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const ADA: &str = "CN=ada,O=Musterbank AG,C=DE";
const DEMANDED: &str = "client_anchors = [\"ops-ca.pem\"]";

/// A site whose admin listener has a certificate, and the CA of those who operate it.
struct Office {
    site: Site,
    ca: Authority,
}

impl Office {
    fn new() -> Self {
        let ca = Authority::named(&Subject::new("Musterbank AG")).expect("an authority");
        let site = Site::new();
        site.write("ops-ca.pem", &ca.root_pem());
        site.serve("admin", &["gate.bank.example"]);
        Self { site, ca }
    }

    /// `admin` are further lines of `[admin]`, `tls` of `[admin.tls]`.
    fn configuration(admin: &str, tls: &str) -> Configuration {
        let sections = format!(
            "{admin}\n[admin.tls]\nchain = \"admin.pem\"\nkey = \"admin.key\"\n{tls}\n[keys]\nstore = \"keys.redb\"\n\
             [log]\naudit = true\naudit_file = \"audit.jsonl\"\n"
        );
        Configuration::psd2().client_auth(RULES).and(&sections)
    }

    fn start(&self, admin: &str, tls: &str) -> Gate {
        Gate::start(PORTCULLIS, &self.site, &Self::configuration(admin, tls))
    }

    fn certificate(&self, name: &str) -> TppCertificate {
        TppCertificate::new("Musterbank AG")
            .subject(Subject::new("Musterbank AG").common_name(name))
            .names([format!("{name}.bank.example")])
            .without_qc_statements()
    }

    fn credential(&self, name: &str) -> Credential {
        self.certificate(name).issue(&self.ca).expect("a certificate")
    }

    /// A client that shows no certificate.
    fn anybody(&self) -> TlsClient {
        TlsClient::new(&self.site.bank).server_name("gate.bank.example")
    }

    fn operator(&self, name: &str) -> TlsClient {
        self.anybody().credential(&self.credential(name))
    }

    /// Makes a key, by a TPP that comes.
    fn enrol(&self, gate: &Gate) {
        let tpp = TppCertificate::new("Lindenblatt Kontodienst GmbH").roles([Role::PspAi]);
        let client = TlsClient::new(&self.site.bank).credential(&self.site.issue(tpp));
        assert_eq!(client.get(gate.address("tpp"), "/v1/accounts").expect("an answer").status, 200);
    }

    fn put_token(&self) {
        let path = self.site.write("admin.token", &format!("{TOKEN}\n"));
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("it is ours");
    }

    /// Checks a configuration: whether it is good, and what was said.
    fn check(&self, text: &str) -> (bool, String) {
        let output = Gate::output(PORTCULLIS, &["check"], &self.site, text);
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&said).into_owned())
    }
}

fn ask(client: &TlsClient, gate: &Gate, request: &str, fields: &str) -> Result<Response, Refusal> {
    let head = format!("{request} HTTP/1.1\r\nHost: gate.bank.example\r\n{fields}Content-Length: 0\r\n\r\n");
    client.connect(gate.admin())?.request(head.as_bytes())
}

/// The status, and the code of a problem document.
fn told(client: &TlsClient, gate: &Gate, request: &str, fields: &str) -> (u16, Option<String>) {
    let response = ask(client, gate, request, fields).expect("an answer");
    let code = || response.json()["code"].as_str().map(str::to_owned);
    (response.status, (response.status >= 400).then(code).flatten())
}

fn no(status: u16, code: &str) -> (u16, Option<String>) {
    (status, Some(code.to_owned()))
}

const YES: (u16, Option<String>) = (200, None);

#[test]
fn nobody_is_heard_without_a_genuine_certificate() {
    let office = Office::new();
    let gate = office.start("", DEMANDED);
    let foreign = Authority::named(&Subject::new("Musterbank AG")).expect("an authority");
    let of = |certificate: TppCertificate, ca: &Authority| {
        office.anybody().credential(&certificate.issue(ca).expect("a certificate"))
    };
    let ada = || office.certificate("ada");
    let own = office.credential("ada");
    let for_servers = ada().extended_key_usages([ExtendedKeyUsagePurpose::ServerAuth]);
    let thief = office.anybody().credential(&own.clone().with_key_of(&office.credential("bob")));
    for version in Version::BOTH {
        for (whose, client, alert) in [
            ("the provider of TPPs", of(ada(), &office.site.qtsp), AlertDescription::UnknownCA),
            // Of the same name, but with another key.
            ("a twin of the CA", of(ada(), &foreign), AlertDescription::DecryptError),
            (
                "expired",
                of(ada().validity(Validity::expired()), &office.ca),
                AlertDescription::CertificateExpired,
            ),
            (
                "early",
                of(ada().validity(Validity::not_yet()), &office.ca),
                AlertDescription::CertificateExpired,
            ),
            ("a server", of(for_servers.clone(), &office.ca), AlertDescription::UnsupportedCertificate),
            ("a thief", thief.clone(), AlertDescription::DecryptError),
        ] {
            let refusal = client.version(version).refused(gate.admin());
            assert_eq!(refusal, Refusal::Alert(alert), "{whose}");
        }
    }
    let without = |version| office.anybody().version(version).refused(gate.admin());
    assert_eq!(without(Version::Tls13), Refusal::Alert(AlertDescription::CertificateRequired));
    assert!(matches!(without(Version::Tls12), Refusal::Alert(_)));
    // The right one is served, metrics and health too.
    let ada = office.operator("ada");
    for version in Version::BOTH {
        for path in ["/metrics", "/health", "/v1/keys"] {
            let client = ada.clone().version(version);
            assert_eq!(told(&client, &gate, &format!("GET {path}"), ""), YES, "{path}");
        }
    }
    let metrics = ask(&ada, &gate, "GET /metrics", "").expect("an answer").text();
    let failures = |reason: &str, count: usize| {
        let line = format!("portcullis_admin_handshake_failures_total{{reason=\"{reason}\"}} {count}");
        assert!(metrics.contains(&line), "{line}:\n{metrics}");
    };
    let expiry =
        "portcullis_certificate_not_after_timestamp_seconds{listener=\"admin\",name=\"gate.bank.example\"}";
    assert!(metrics.contains(expiry), "{metrics}");
    failures("no_cert", 2);
    failures("client_cert", 12);
}

#[test]
fn of_those_who_are_genuine_only_those_who_are_named_see_keys() {
    let office = Office::new();
    let clients = format!("{DEMANDED}\nclients = [\"{ADA}\", \"dns:Bob.bank.example\"]");
    let gate = office.start("", &clients);
    for (name, outcome) in
        [("ada", YES), ("bob", YES), ("eve", no(403, "admin.unlisted")), ("Ada", no(403, "admin.unlisted"))]
    {
        let client = office.operator(name);
        assert_eq!(told(&client, &gate, "GET /v1/keys", ""), outcome, "{name}");
        assert_eq!(told(&client, &gate, "GET /metrics", ""), YES, "{name}");
    }
    // She learns under which name she came.
    let refused = ask(&office.operator("eve"), &gate, "GET /v1/keys", "").expect("an answer");
    assert!(refused.text().contains("CN=eve,O=Musterbank AG,C=DE"), "{}", refused.text());
    // A page in ada's browser speaks with her certificate, and says whose it is.
    let page = "Origin: https://page.example\r\n";
    assert_eq!(
        told(&office.operator("ada"), &gate, "POST /v1/keys/0123456789abcdef/suspend", page),
        no(403, "admin.foreign")
    );
}

#[test]
fn an_operator_comes_from_wherever_and_is_named_in_the_audit_log() {
    let office = Office::new();
    let text = Office::configuration("allow_remote = true", DEMANDED).to_toml();
    let (good, closed) = (everywhere(&text), everywhere(&text.replace(DEMANDED, "")));
    assert!(office.check(&good).0);
    let (is_good, said) = office.check(&closed);
    assert!(!is_good && said.contains("token_file") && said.contains("client_anchors"), "{said}");

    let gate = start(&office, &good);
    office.enrol(&gate);
    let ada = office.operator("ada");
    let mut id = String::new();
    eventually("a key", || {
        let listed = ask(&ada, &gate, "GET /v1/keys", "").expect("an answer").json();
        id = listed["keys"][0]["id"].as_str().unwrap_or_default().to_owned();
        !id.is_empty()
    });
    assert_eq!(told(&ada, &gate, &format!("POST /v1/keys/{id}/suspend"), ""), YES);
    eventually("a record", || {
        let audit = fs::read_to_string(office.site.path("audit.jsonl")).unwrap_or_default();
        let mut records = audit.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        records.any(|record| {
            record["action"] == "suspend" && record["by"] == json!(format!("{ADA} from 127.0.0.1"))
        })
    });
}

fn everywhere(text: &str) -> String {
    text.replace("[admin]\naddress = \"127.0.0.1:0\"", "[admin]\naddress = \"0.0.0.0:0\"")
}

/// A gate on a configuration as text.
fn start(office: &Office, text: &str) -> Gate {
    let path = office.site.write("gate.toml", text);
    let mut command = Command::new(PORTCULLIS);
    command.args(["run", "-c"]).arg(&path);
    let gate = Gate::spawn(command, path);
    gate.wait_until_ready();
    gate
}

#[test]
fn where_there_is_a_token_too_both_are_needed() {
    let office = Office::new();
    office.put_token();
    let clients = format!("{DEMANDED}\nclients = [\"{ADA}\"]");
    let gate = office.start("token_file = \"admin.token\"", &clients);
    let bearer = format!("Authorization: Bearer {TOKEN}\r\n");
    let wrong = format!("Authorization: Bearer {}\r\n", TOKEN.replace('0', "1"));
    let (ada, eve) = (office.operator("ada"), office.operator("eve"));
    assert_eq!(told(&ada, &gate, "GET /v1/keys", &bearer), YES);
    assert_eq!(told(&ada, &gate, "GET /v1/keys", ""), no(401, "admin.unauthorised"));
    assert_eq!(told(&ada, &gate, "GET /v1/keys", &wrong), no(401, "admin.unauthorised"));
    assert_eq!(told(&eve, &gate, "GET /v1/keys", &bearer), no(403, "admin.unlisted"));
    assert!(matches!(office.anybody().refused(gate.admin()), Refusal::Alert(_)));
}

#[test]
fn tls_alone_hides_the_token_and_asks_for_no_certificate() {
    let office = Office::new();
    office.put_token();
    let gate = office.start("token_file = \"admin.token\"", "");
    let bearer = format!("Authorization: Bearer {TOKEN}\r\n");
    let anybody = office.anybody();
    assert_eq!(told(&anybody, &gate, "GET /v1/keys", &bearer), YES);
    assert_eq!(told(&anybody, &gate, "GET /v1/keys", ""), no(401, "admin.unauthorised"));
    assert_eq!(told(&anybody, &gate, "GET /health", ""), YES);
    // Nothing is resumed.
    let mut connection = anybody.clone().resuming().connect(gate.admin()).expect("a connection");
    assert!(connection.get("/health").is_ok() && connection.tickets() == 0);
}

/// What comes back for bytes, to the end of the connection.
fn answer_to(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).expect("it accepts");
    stream.set_read_timeout(Some(DEADLINE)).expect("a socket takes a timeout");
    stream.write_all(bytes).expect("it reads");
    let mut answer = Vec::new();
    // An end is an end, by reset too.
    drop(stream.read_to_end(&mut answer));
    answer
}

#[test]
fn plain_http_is_not_answered() {
    let office = Office::new();
    let gate = office.start("", DEMANDED);
    for request in
        ["GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n", "GET /v1/keys HTTP/1.1\r\nHost: localhost\r\n\r\n"]
    {
        let answer = answer_to(gate.admin(), request.as_bytes());
        assert!(!answer.starts_with(b"HTTP"), "{}", String::from_utf8_lossy(&answer));
    }
    assert_eq!(told(&office.operator("ada"), &gate, "GET /health", ""), YES);
}

/// All places of the listener are taken by clients that begin a handshake and never end it. The next one is served once they are cut
/// off, and they hear no more than an end.
#[test]
fn whoever_never_ends_the_handshake_does_not_keep_a_place() {
    let office = Office::new();
    let gate = office.start("", DEMANDED);
    let hello = office.anybody().hello();
    let mut crowd = Vec::new();
    for part in [&hello[..0], &hello[..9]].into_iter().cycle().take(64) {
        let mut stream = TcpStream::connect(gate.admin()).expect("it accepts");
        stream.set_read_timeout(Some(DEADLINE)).expect("a socket takes a timeout");
        stream.write_all(part).expect("it reads");
        crowd.push(stream);
    }
    assert_eq!(told(&office.operator("ada"), &gate, "GET /health", ""), YES);
    for mut stream in crowd {
        drop(stream.read_to_end(&mut Vec::new()));
    }
    let metrics = ask(&office.operator("ada"), &gate, "GET /metrics", "").expect("an answer").text();
    assert!(
        metrics.contains("portcullis_admin_handshake_failures_total{reason=\"timeout\"} 64"),
        "{metrics}"
    );
}

#[test]
fn a_reload_renews_the_certificate_and_ends_what_it_would_not_let_in() {
    let office = Office::new();
    let gate = office.start("", DEMANDED);
    let ada = office.operator("ada");
    let mut before = ada.connect(gate.admin()).expect("a connection");
    assert_eq!(before.get("/health").expect("an answer").status, 200);
    let renewed = office.site.serve("admin", &["gate.bank.example"]);
    office.put_token();
    let stricter = format!("{DEMANDED}\nclients = [\"dns:bob.bank.example\"]");
    gate.rewrite(&Office::configuration("token_file = \"admin.token\"", &stricter).to_toml());
    gate.hang_up();
    assert_eq!(before.end(), Refusal::Closed);
    let after = ada.connect(gate.admin()).expect("a connection");
    assert_eq!(after.server_certificate(), *renewed.leaf_der());
    assert_eq!(told(&ada, &gate, "GET /v1/keys", ""), no(403, "admin.unlisted"));
    let bob = office.operator("bob");
    assert_eq!(told(&bob, &gate, "GET /v1/keys", ""), no(401, "admin.unauthorised"));
    assert_eq!(told(&bob, &gate, "GET /v1/keys", &format!("Authorization: Bearer {TOKEN}\r\n")), YES);
}

#[test]
fn what_is_wrong_with_the_table_is_told() {
    let office = Office::new();
    let told = |old: &str, new: &str| {
        let text = Office::configuration("", &format!("{DEMANDED}\nclients = [\"{ADA}\"]")).to_toml();
        assert!(text.contains(old), "{old}");
        office.check(&text.replacen(old, new, 1))
    };
    let (is_good, said) = told(DEMANDED, DEMANDED);
    assert!(
        is_good && said.contains(&format!("over TLS, client certificate required, keys for {ADA}\n")),
        "{said}"
    );
    office.site.serve("other", &["gate.bank.example"]);
    office.site.write("empty.pem", "");
    fs::copy(office.site.path("admin.key"), office.site.path("open.key")).expect("a copy");
    fs::set_permissions(office.site.path("open.key"), fs::Permissions::from_mode(0o640)).expect("it is ours");
    for (old, new, key, words) in [
        ("chain = \"admin.pem\"\n", "", "admin.tls.chain", "is missing"),
        ("key = \"admin.key\"\n", "", "admin.tls.key", "is missing"),
        ("\"admin.pem\"", "\"nowhere.pem\"", "admin.tls.chain", "cannot be read"),
        ("\"admin.pem\"", "\"empty.pem\"", "admin.tls.chain", "no certificate"),
        ("\"admin.key\"", "\"other.key\"", "admin.tls.key", "does not serve"),
        ("\"admin.key\"", "\"open.key\"", "admin.tls.key", "0640"),
        ("\"admin.key\"", "\"admin.pem\"", "admin.tls.key", "0644"),
        ("\"ops-ca.pem\"", "\"nowhere.pem\"", "admin.tls.client_anchors[0]", "cannot be read"),
        ("[\"ops-ca.pem\"]", "[]", "admin.tls.client_anchors", "at least one"),
        (DEMANDED, "", "admin.tls.clients", "no effect"),
        (ADA, "ada", "admin.tls.clients[0]", "neither a subject"),
        (ADA, "dns:", "admin.tls.clients[0]", "neither a subject"),
        (DEMANDED, "client_anchor = []", "admin.tls.client_anchor", "did you mean \"client_anchors\""),
    ] {
        let (is_good, said) = told(old, new);
        assert!(!is_good && said.contains(key) && said.contains(words), "{old} -> {new}:\n{said}");
    }
    let nobody = told(&format!("[\"{ADA}\"]"), "[]");
    assert!(nobody.0 && nobody.1.contains("whoever the anchors vouch for"), "{}", nobody.1);
}

#[test]
fn the_command_line_speaks_tls_and_has_a_certificate_of_its_own() {
    let office = Office::new();
    office.put_token();
    office.site.put("ada", &office.credential("ada"));
    let port = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a port").port();
    let own = "[admin.tls.client]\nchain = \"ada.pem\"\nkey = \"ada.key\"";
    let tls = format!("{DEMANDED}\nclients = [\"{ADA}\"]\n{own}");
    let text = Office::configuration("token_file = \"admin.token\"", &tls).to_toml();
    let text = text
        .replace("[admin]\naddress = \"127.0.0.1:0\"", &format!("[admin]\naddress = \"127.0.0.1:{port}\""));
    // The gate does not need an operator's key.
    let gate = start(&office, &text.replace("ada.key", "nowhere.key"));
    office.enrol(&gate);
    let list = |text: &str| {
        let path = office.site.write("cli.toml", text);
        let output = Command::new(PORTCULLIS).args(["keys", "list", "-c"]).arg(path).output();
        let output = output.expect("it runs");
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8_lossy(&said).into_owned())
    };
    eventually("a key", || {
        let (code, said) = list(&text);
        assert_eq!(code, Some(0), "{said}");
        said.contains("psd2:PSDDE-BAFIN-104114")
    });
    let (code, said) = list(&text.replace(own, ""));
    assert!(code == Some(1) && said.contains("has no [admin.tls.client]"), "{said}");
    let (code, said) = list(&text.replace("ada.key", "nowhere.key"));
    assert!(code == Some(1) && said.contains("nowhere.key"), "{said}");
    fs::set_permissions(office.site.path("ada.key"), fs::Permissions::from_mode(0o644)).expect("it is ours");
    let (code, said) = list(&text);
    assert!(code == Some(1) && said.contains("0644"), "{said}");
    fs::set_permissions(office.site.path("ada.key"), fs::Permissions::from_mode(0o600)).expect("it is ours");
    // Somebody else's server, though of the same name and issuer.
    let other = ServerCertificate::new(["gate.bank.example"]).issue(&office.site.bank).expect("one");
    office.site.put("other", &other);
    let (code, said) = list(&text.replace("admin.pem", "other.pem").replace("admin.key", "other.key"));
    assert!(code == Some(1) && said.contains("does not present the certificate"), "{said}");
}
