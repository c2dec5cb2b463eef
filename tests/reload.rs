//! News for a running gate. On SIGHUP it reads its file again: routes, anchors and certificates as they are now hold for whoever
//! connects next. A file with a mistake changes nothing, says so in a metric, and the gate goes on with what it had until the
//! file is mended.

use portcullis_test_harness::{
    AlertDescription, Configuration, Gate, H2Client, HOST, Refusal, Site, TlsClient, eventually,
};
use portcullis_test_pki::{Authority, Role, TppCertificate};

const PORTCULLIS: &str = env!("CARGO_BIN_EXE_portcullis");

fn answering(body: &str) -> Configuration {
    Configuration::default()
        .routes(&format!("[[route]]\npath = \"/\"\nrespond = {{ status = 200, body = \"{body}\" }}"))
}

fn last_reload(gate: &Gate) -> f64 {
    gate.metrics().sum("portcullis_config_last_reload_success", &[])
}

fn body(gate: &Gate, client: &TlsClient) -> Option<String> {
    client.get(gate.address("tpp"), "/").ok().map(|response| response.text())
}

#[test]
fn routes_change() {
    let site = Site::new();
    let gate = Gate::start(PORTCULLIS, &site, &answering("before"));
    let client = TlsClient::new(&site.bank).credential(&site.tpp(&[Role::PspAi]));
    let mut stays = client.connect(gate.address("tpp")).expect("a session");
    assert_eq!(stays.get("/").expect("an answer").text(), "before");
    gate.rewrite(&answering("after").to_toml());
    gate.reload();
    assert_eq!(last_reload(&gate), 1.0);
    eventually("a new connection meets the new route", || body(&gate, &client).as_deref() == Some("after"));
    eventually("so does one that stayed, or it was closed", || match stays.get("/") {
        Ok(response) => response.text() == "after",
        Err(refusal) => refusal == Refusal::Closed,
    });
}

#[test]
fn anchors_come_and_go() {
    let site = Site::new();
    let foreign = Authority::foreign().expect("an authority");
    let gate = Gate::start(PORTCULLIS, &site, &Configuration::default());
    let own = TlsClient::new(&site.bank).credential(&site.tpp(&[Role::PspAi]));
    let other = TppCertificate::new("Lindenblatt Kontodienst GmbH").issue(&foreign).expect("a certificate");
    let other = TlsClient::new(&site.bank).credential(&other);
    let address = gate.address("tpp");
    let unknown = Refusal::Alert(AlertDescription::UnknownCA);
    assert_eq!(own.get(address, "/").expect("an answer").status, 200);
    assert_eq!(other.refused(address), unknown);
    // The file of anchors changes, its name in the configuration does not.
    site.write("qtsp.pem", &foreign.root_pem());
    gate.reload();
    eventually("the new anchor is believed", || other.get(address, "/").is_ok());
    assert_eq!(own.refused(address), unknown, "the old one is not");
}

/// A handshake is judged by the rules that held when it began; what it led to is judged anew before the first answer.
#[test]
fn a_handshake_across_a_reload_meets_the_new_rules() {
    let site = Site::new();
    let foreign = Authority::foreign().expect("an authority");
    let gate = Gate::start(PORTCULLIS, &site, &Configuration::default());
    let client = TlsClient::new(&site.bank).credential(&site.tpp(&[Role::PspAi]));
    let address = gate.address("tpp");
    assert_eq!(client.get(address, "/").expect("an answer").status, 200);
    let connection = client.connect_around(address, || {
        eventually("the first half is read", || {
            gate.metrics().sum("portcullis_tls_handshakes_in_flight", &[]) == 1.0
        });
        site.write("qtsp.pem", &foreign.root_pem());
        gate.reload();
        eventually("the shard has the new rules", || client.get(address, "/").is_err());
    });
    let answer = connection.and_then(|mut connection| connection.get("/"));
    // Its ClientHello came to its end after the reload.
    assert_eq!(answer.map(|answer| answer.status), Err(Refusal::Alert(AlertDescription::UnknownCA)));
}

/// A connection that rests under long deadlines has not got them for good.
#[test]
fn limits_that_are_tightened_hold_for_who_is_there() {
    let site = Site::new();
    // An h2 client that does not confirm the end is given the time of one that stalls.
    let limits = |idle: &str| {
        Configuration::default().limits(&format!("idle_timeout = \"{idle}\"\nstall_timeout = \"1s\""))
    };
    let gate = Gate::start(PORTCULLIS, &site, &limits("1h"));
    let client = TlsClient::new(&site.bank).credential(&site.tpp(&[Role::PspAi]));
    let address = gate.address("tpp");
    let mut http1 = client.connect(address).expect("a session");
    assert_eq!(http1.get("/").expect("an answer").status, 200);
    let mut h2 = H2Client::connect(&client, address).expect("a session");
    assert_eq!(h2.get(HOST.as_bytes(), b"/").expect("an answer").status, 200);
    gate.rewrite(&limits("500ms").to_toml());
    gate.reload();
    eventually("both are idle", || {
        gate.metrics().sum("portcullis_connections_closed_total", &[("reason", "idle")]) == 2.0
    });
}

#[test]
fn certificates_are_renewed() {
    let site = Site::new();
    let first = site.serve("renewed", &[HOST]);
    let certificate = "[[listener.certificate]]\nchain = \"renewed.pem\"\nkey = \"renewed.key\"";
    let gate = Gate::start(PORTCULLIS, &site, &Configuration::default().certificates(certificate));
    let client = TlsClient::new(&site.bank).credential(&site.tpp(&[Role::PspAi]));
    let presented = || client.connect(gate.address("tpp")).expect("a session").server_certificate();
    assert_eq!(&presented(), first.leaf_der());
    let second = site.serve("renewed", &[HOST]);
    gate.reload();
    eventually("the new certificate is presented", || &presented() == second.leaf_der());
}

#[test]
fn a_broken_file_changes_nothing_until_it_is_mended() {
    let site = Site::new();
    let gate = Gate::start(PORTCULLIS, &site, &answering("before"));
    let client = TlsClient::new(&site.bank).credential(&site.tpp(&[Role::PspAi]));
    assert_eq!(last_reload(&gate), 1.0, "a gate that runs has read its file");
    let broken = [
        "this is not TOML".to_owned(),
        answering("broken").limits("handshake_timeout = \"soon\"").to_toml(),
        answering("broken").to_toml().replace("qtsp.pem", "nowhere.pem"),
    ];
    for text in broken {
        gate.rewrite(&text);
        gate.reload();
        assert_eq!(last_reload(&gate), 0.0, "{text}");
        assert_eq!(body(&gate, &client).as_deref(), Some("before"), "{text}");
    }
    gate.rewrite(&answering("mended").to_toml());
    gate.reload();
    assert_eq!(last_reload(&gate), 1.0);
    eventually("the mended file holds", || body(&gate, &client).as_deref() == Some("mended"));
    // A broken certificate behind an unchanged file is as bad.
    site.write("server.key", "-----BEGIN PRIVATE KEY-----\n");
    gate.reload();
    assert_eq!((last_reload(&gate), body(&gate, &client).as_deref()), (0.0, Some("mended")));
    let read_right = gate.metrics();
    let before = read_right.sum("portcullis_config_reloads_total", &[]);
    assert!(before >= 5.0, "each attempt is counted:\n{}", read_right.text());
}

#[test]
fn many_reloads_leave_nothing_behind() {
    let site = Site::new();
    let gate = Gate::start(PORTCULLIS, &site, &Configuration::default());
    let client = TlsClient::new(&site.bank).credential(&site.tpp(&[Role::PspAi]));
    gate.reload();
    let descriptors = gate.process().descriptor_count();
    for _ in 0..20 {
        gate.reload();
        assert_eq!(client.get(gate.address("tpp"), "/").expect("an answer").status, 200);
    }
    eventually("descriptors are as before", || gate.process().descriptor_count() <= descriptors + 2);
}
