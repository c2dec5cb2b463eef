//! The operator's mistakes. `check` finds all of them before anybody is turned away or let in by one, names the key and the line of
//! each, and ends with 2; `run` refuses the same file in the same words, so that what was checked is what runs. A port that
//! somebody else holds is a mistake too, one that only shows at the start.

use std::net::TcpListener;
use std::process::{Command, Output};

use portcullis_test_harness::{Configuration, Gate, Site, TlsClient};
use portcullis_test_pki::{Authority, Role, ServerCertificate};

const PORTCULLIS: &str = env!("CARGO_BIN_EXE_portcullis");

/// The three ways to have a file refused.
const WAYS: [&[&str]; 3] = [&["check"], &["run", "-t"], &["run"]];

fn said(output: &Output) -> String {
    [output.stdout.as_slice(), output.stderr.as_slice()].map(String::from_utf8_lossy).concat()
}

/// Every way refuses `text` with 2 and names, for each of `mistakes`, the line on which the first stands and the key.
fn assert_refused(site: &Site, text: &str, mistakes: &[(&str, &str)]) -> String {
    let mut everything = String::new();
    for way in WAYS {
        let output = Gate::output(PORTCULLIS, way, site, text);
        let said = said(&output);
        assert_eq!(output.status.code(), Some(2), "{way:?}: {said}");
        for (marker, key) in mistakes {
            let line =
                text.lines().position(|line| line.contains(marker)).expect("the marker is in the file") + 1;
            let named = said.lines().any(|said| said.contains(&format!(":{line}: ")) && said.contains(key));
            assert!(named, "{way:?} does not name {key} at line {line}: {said}\n{text}");
        }
        everything.push_str(&said);
    }
    everything
}

#[test]
fn a_good_file_is_good() {
    let site = Site::new();
    for configuration in [Configuration::default(), Configuration::psd2()] {
        for way in [&["check"][..], &["run", "-t"]] {
            let output = Gate::output(PORTCULLIS, way, &site, &configuration.to_toml());
            assert!(output.status.success(), "{way:?}: {}", said(&output));
        }
    }
}

#[test]
fn the_file_of_the_documentation_is_good() {
    let site = Site::new();
    site.put(
        "server.chain",
        &ServerCertificate::new(["localhost"]).issue(&site.bank).expect("a certificate"),
    );
    std::fs::rename(site.path("server.chain.pem"), site.path("chain")).expect("it was written");
    std::fs::rename(site.path("chain"), site.path("server.chain.pem")).expect("it was written");
    std::fs::rename(site.path("server.chain.key"), site.path("server.key")).expect("it was written");
    site.write("root.pem", &site.qtsp.root_pem());
    let text = r#"
[runtime]
shards = 1                 # or "auto"
cpus = [0]
io = "auto"                # "io_uring" | "epoll"

[[listener]]
name = "tpp"
address = "127.0.0.1:8443"
[[listener.certificate]]
chain = "server.chain.pem"
key = "server.key"
[listener.client_auth]
mode = "required"
profile = "x509"           # or "psd2"
anchors = ["root.pem"]

[[route]]
path = "/direct"
respond = { status = 200, body = "ok\n" }
[[route]]
path = "/v1/payments"
roles = ["PSP_PI"]
respond = { status = 200, echo = "identity" }

[admin]
address = "127.0.0.1:9090"
"#;
    let output = Gate::output(PORTCULLIS, &["check"], &site, text);
    assert!(output.status.success(), "{}", said(&output));
}

#[test]
fn an_unknown_key_is_named() {
    let site = Site::new();
    let rules = "mode = \"required\"\nprofil = \"psd2\"\nprofile = \"x509\"\nanchors = [\"qtsp.pem\"]";
    let text = Configuration::default().client_auth(rules).to_toml();
    assert_refused(&site, &text, &[("profil =", "profil")]);
    let text = Configuration::default().and("[upstreams]\nretries = 3").to_toml();
    assert_refused(&site, &text, &[("[upstreams]", "upstreams")]);
}

#[test]
fn what_is_not_toml_is_named_with_its_line() {
    let site = Site::new();
    let text = Configuration::default().runtime("shards = = 1").to_toml();
    assert_refused(&site, &text, &[("= =", "")]);
    let twice = Configuration::default().runtime("shards = 1\nshards = 2 # again").to_toml();
    assert_refused(&site, &twice, &[("# again", "duplicate key")]);
}

#[test]
fn a_missing_file_is_named() {
    let site = Site::new();
    let rules = "mode = \"required\"\nprofile = \"x509\"\nanchors = [\"nowhere.pem\"]";
    let text = Configuration::default().client_auth(rules).to_toml();
    let said = assert_refused(&site, &text, &[("nowhere.pem", "anchors")]);
    assert!(said.contains("nowhere.pem"), "{said}");
    let certificate = "[[listener.certificate]]\nchain = \"gone.pem\"\nkey = \"gone.key\"";
    let text = Configuration::default().certificates(certificate).to_toml();
    assert_refused(&site, &text, &[("gone.pem", "chain"), ("gone.key", "key")]);
    let gone = Command::new(PORTCULLIS).args(["check", "-c", "/nowhere/portcullis.toml"]).output();
    assert_eq!(gone.expect("the gate starts").status.code(), Some(2));
}

#[test]
fn a_key_of_another_certificate_is_named_and_not_shown() {
    let site = Site::new();
    let other = site.serve("other", &["other.bank.example"]);
    let certificate = "[[listener.certificate]]\nchain = \"server.pem\"\nkey = \"other.key\"";
    let text = Configuration::default().certificates(certificate).to_toml();
    let said = assert_refused(&site, &text, &[("other.key", "key")]);
    // Nor is one that was pasted where its file's name belongs.
    let pasted = other.key_pem().replace('\n', "\\n");
    let certificate = format!("[[listener.certificate]]\nchain = \"server.pem\"\nkey = \"{pasted}\"");
    let text = Configuration::default().certificates(&certificate).to_toml();
    let said = said + &assert_refused(&site, &text, &[("BEGIN", "key")]);
    let secret = other.key_pem().lines().nth(1).expect("a line of base64").to_owned();
    assert!(!said.contains(&secret), "{said}");
}

#[test]
fn listeners_that_overlap_are_named() {
    let site = Site::new();
    let listener = |name: &str, address: &str| {
        format!(
            "[[listener]]\nname = \"{name}\"\naddress = \"{address}\" # {name}\n[[listener.certificate]]\nchain = \"server.pem\"\n\
             key = \"server.key\"\n[listener.client_auth]\nmode = \"off\"\n"
        )
    };
    let both = |first: &str, second: &str| {
        let configuration = Configuration::default().and(&listener("second", second));
        configuration.listener(&format!("name = \"tpp\"\naddress = \"{first}\"")).to_toml()
    };
    for (first, second) in [
        ("127.0.0.1:8443", "127.0.0.1:8443"),
        ("127.0.0.1:8443", "0.0.0.0:8443"),
        ("[::]:8443", "127.0.0.1:8443"),
    ] {
        assert_refused(&site, &both(first, second), &[("# second", "address")]);
    }
    let apart = both("127.0.0.1:8443", "127.0.0.1:8444");
    assert!(Gate::output(PORTCULLIS, &["check"], &site, &apart).status.success());
}

#[test]
fn a_default_that_asks_less_than_its_neighbours_is_named() {
    let site = Site::new();
    site.serve("lax", &["lax.bank.example"]);
    let lax = |rules: &str| {
        let tables = format!(
            "[[listener.certificate]]\nchain = \"server.pem\"\nkey = \"server.key\"\n\n[[listener.certificate]]\nchain = \"lax.pem\"\n\
             key = \"lax.key\"\ndefault = true\n[listener.certificate.client_auth]\n{rules}\n"
        );
        Configuration::psd2().certificates(&tables).to_toml()
    };
    for rules in
        ["mode = \"off\"", "mode = \"optional\"", "profile = \"x509\"", "extended_key_usage = \"any-tls\""]
    {
        assert_refused(&site, &lax(rules), &[("default = true", "default")]);
    }
    // The other way round it is the neighbour's business.
    let strict = "mode = \"required\"\nprofile = \"psd2\"";
    let output = Gate::output(PORTCULLIS, &["check"], &site, &lax(strict));
    assert!(output.status.success(), "{}", said(&output));
    let nobody = lax(strict).replace("default = true\n", "");
    assert_eq!(
        Gate::output(PORTCULLIS, &["check"], &site, &nobody).status.code(),
        Some(2),
        "one must be the default"
    );
}

#[test]
fn all_mistakes_are_named_at_once() {
    let site = Site::new();
    let rules = "mode = \"requierd\"\nprofile = \"x509\"\nanchors = [\"nowhere.pem\"]";
    let routes = "[[route]]\npath = \"/v1/../payments\"\nroles = [\"PSP_XX\"]\nrespond = { status = 200, bdoy = \"ok\" }";
    let text = Configuration::default()
        .client_auth(rules)
        .routes(routes)
        .limits("handshake_timeout = \"soon\"")
        .to_toml();
    let mistakes = [
        ("requierd", "mode"),
        ("nowhere.pem", "anchors"),
        ("soon", "handshake_timeout"),
        ("/v1/../payments", "path"),
        ("PSP_XX", "roles"),
        ("bdoy", "bdoy"),
    ];
    assert_refused(&site, &text, &mistakes);
}

#[test]
fn a_port_that_somebody_holds_is_an_error_at_start() {
    let site = Site::new();
    let foreign = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = foreign.local_addr().expect("an address").to_string();
    let at = |more: &str| {
        Configuration::default().listener(&format!("name = \"tpp\"\naddress = \"{address}\"\n{more}"))
    };
    let output = Gate::output(PORTCULLIS, &["run"], &site, &at("").to_toml());
    assert!(!output.status.success() && output.status.code().is_some(), "{}", said(&output));
    assert!(said(&output).contains(&address), "{}", said(&output));
    drop(foreign);
    // Another gate is as foreign as any, though the kernel would let the two share: each would get half of the clients.
    let _first = Gate::start(PORTCULLIS, &site, &at(""));
    let output = Gate::output(PORTCULLIS, &["run"], &site, &at("").to_toml());
    assert!(!output.status.success() && said(&output).contains(&address), "{}", said(&output));
}

#[test]
fn a_port_is_shared_on_request() {
    let site = Site::new();
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    let shared = format!("name = \"tpp\"\naddress = \"{free}\"\nshared_port = true");
    let shared = Configuration::default().listener(&shared);
    let first = Gate::start(PORTCULLIS, &site, &shared);
    let second = Gate::start(PORTCULLIS, &site, &shared);
    let client = TlsClient::new(&site.bank).credential(&site.tpp(&[Role::PspAi]));
    for gate in [&first, &second] {
        assert_eq!(gate.address("tpp"), free);
    }
    assert_eq!(client.get(free, "/").expect("an answer").status, 200);
}

#[test]
fn anchors_that_are_none_are_named() {
    let site = Site::new();
    site.write("empty.pem", "");
    site.write("key.pem", &site.tpp(&[]).key_pem());
    for file in ["empty.pem", "key.pem"] {
        let rules = format!("mode = \"required\"\nprofile = \"x509\"\nanchors = [\"{file}\"]");
        let text = Configuration::default().client_auth(&rules).to_toml();
        assert_refused(&site, &text, &[(file, "anchors")]);
    }
    // Several files, each with several anchors, are all believed.
    let foreign = Authority::foreign().expect("an authority");
    site.write("both.pem", &(site.qtsp.root_pem() + &foreign.root_pem()));
    let rules = "mode = \"required\"\nprofile = \"x509\"\nanchors = [\"both.pem\", \"qtsp.pem\"]";
    let text = Configuration::default().client_auth(rules).to_toml();
    assert!(Gate::output(PORTCULLIS, &["check"], &site, &text).status.success());
}
