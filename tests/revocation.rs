//! A gate that asks whether certificates are revoked: beside the handshakes, of those only that a client has proved to hold, and
//! what it believes decides at the next handshake and on living connections.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use portcullis_test_harness::{
    AlertDescription, Backend, Configuration, Gate, Next, Refusal, Site, TlsClient, available, eventually,
};
use portcullis_test_pki::revocation::{OcspAnswer, OcspResponder, RevocationList};
use portcullis_test_pki::{Authority, Credential, Role, TppCertificate};

const PORTCULLIS: &str = env!("CARGO_BIN_EXE_portcullis");
const RULES: &str = "mode = \"required\"\nprofile = \"psd2\"\nanchors = [\"qtsp.pem\"]\n";

/// A server of answers, whatever they are, by path.
struct Answers {
    backend: Backend,
    now: Arc<Mutex<Answering>>,
}

#[derive(Clone, Debug)]
enum Answering {
    Body(Vec<u8>),
    Status(u16),
    Endless,
    Drip,
    Nothing,
}

impl Answers {
    fn start(first: Answering) -> Self {
        let now = Arc::new(Mutex::new(first));
        let answering = Arc::clone(&now);
        let backend = Backend::start(move |exchange| {
            exchange.read_body()?;
            let answering = answering.lock().expect("a lock").clone();
            match answering {
                Answering::Body(body) => exchange.answer(200, &body)?,
                Answering::Status(status) => exchange.answer(status, b"")?,
                Answering::Endless => {
                    exchange.send(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")?;
                    let piece = vec![0x30; 1 << 16];
                    for _ in 0..16 << 10 {
                        exchange.send(&piece)?;
                    }
                }
                Answering::Drip => {
                    exchange.send(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")?;
                    for _ in 0..60 {
                        exchange.send(b"0")?;
                        exchange.pause(Duration::from_secs(1))?;
                    }
                }
                Answering::Nothing => exchange.wait_for_close(),
            }
            Ok(Next::Close)
        });
        Self { backend, now }
    }

    fn turn_to(&self, answering: Answering) {
        *self.now.lock().expect("a lock") = answering;
    }

    fn url(&self) -> String {
        format!("http://{}/", self.backend.address())
    }

    fn host(&self) -> String {
        self.backend.address().to_string()
    }
}

fn configuration(hosts: &[String], more: &str) -> Configuration {
    let hosts: Vec<String> = hosts.iter().map(|host| format!("\"{host}\"")).collect();
    let section = format!(
        "[revocation]\ncache = \"revocation\"\nprivate_hosts = [{}]\nrefresh_interval = \"1s\"\n{more}\n",
        hosts.join(", ")
    );
    Configuration::psd2().client_auth(RULES).and(&section)
}

fn certificate() -> TppCertificate {
    TppCertificate::new("Lindenblatt Kontodienst GmbH").roles([Role::PspAi])
}

fn outcome(gate: &Gate, client: &TlsClient) -> Result<u16, Refusal> {
    client.get(gate.address("tpp"), "/v1/accounts").map(|response| response.status)
}

fn client(site: &Site, tpp: &Credential) -> TlsClient {
    TlsClient::new(&site.bank).credential(tpp)
}

fn good(tpp: &Credential, site: &Site) -> Answering {
    Answering::Body(OcspAnswer::about(tpp.leaf_der(), &site.qtsp).der().expect("an answer"))
}

fn checks(gate: &Gate, result: &str) -> f64 {
    gate.metrics().sum("portcullis_revocation_checks_total", &[("result", result)])
}

#[test]
fn a_revoked_certificate_is_cut_off_and_refused() {
    let site = Site::new();
    let responder = Answers::start(Answering::Status(503));
    let tpp = site.issue(certificate().ocsp_responder(&responder.url()));
    responder.turn_to(good(&tpp, &site));
    let gate = Gate::start(PORTCULLIS, &site, &configuration(&[responder.host()], ""));
    let client = client(&site, &tpp);
    // Nothing is known at first, and by default that is not enough.
    assert_eq!(outcome(&gate, &client), Err(Refusal::Alert(AlertDescription::AccessDenied)));
    eventually("the answer is there", || outcome(&gate, &client) == Ok(200));
    let mut living = client.connect(gate.address("tpp")).expect("a connection");
    assert_eq!(living.get("/v1/accounts").expect("an answer").status, 200);

    let revoked = OcspAnswer::about(tpp.leaf_der(), &site.qtsp).revoked().der().expect("an answer");
    responder.turn_to(Answering::Body(revoked));
    assert_eq!(living.end(), Refusal::Closed);
    assert_eq!(outcome(&gate, &client), Err(Refusal::Alert(AlertDescription::CertificateRevoked)));
    assert!(checks(&gate, "good") >= 1.0 && checks(&gate, "revoked") >= 1.0);
    // Older answers are played back in vain.
    responder.turn_to(Answering::Body(
        OcspAnswer::about(tpp.leaf_der(), &site.qtsp).times(-900, Some(3600)).der().expect("an answer"),
    ));
    eventually("it is refused", || checks(&gate, "ocsp.rollback") >= 1.0);
    assert_eq!(outcome(&gate, &client), Err(Refusal::Alert(AlertDescription::CertificateRevoked)));
}

#[test]
fn what_served_last_serves_until_its_end() {
    let site = Site::new();
    let responder = Answers::start(Answering::Status(503));
    let tpp = site.issue(certificate().ocsp_responder(&responder.url()));
    let short = OcspAnswer::about(tpp.leaf_der(), &site.qtsp).times(-60, Some(6)).der().expect("an answer");
    responder.turn_to(Answering::Body(short));
    let gate = Gate::start(PORTCULLIS, &site, &configuration(&[responder.host()], ""));
    let client = client(&site, &tpp);
    eventually("the answer is there", || outcome(&gate, &client) == Ok(200));
    responder.turn_to(Answering::Status(503));
    eventually("the responder is down", || checks(&gate, "fetch.status") >= 1.0);
    let mut living = client.connect(gate.address("tpp")).expect("a connection");
    assert_eq!(living.get("/v1/accounts").expect("an answer").status, 200);
    assert_eq!(living.end(), Refusal::Closed);
    assert_eq!(outcome(&gate, &client), Err(Refusal::Alert(AlertDescription::AccessDenied)));
}

#[test]
fn without_an_answer_the_operator_has_decided() {
    let site = Site::new();
    let responder = Answers::start(Answering::Nothing);
    let tpp = site.issue(certificate().ocsp_responder(&responder.url()));
    let client = client(&site, &tpp);
    let hosts = [responder.host()];

    let gate = Gate::start(PORTCULLIS, &site, &configuration(&hosts, "on_unknown = \"allow\""));
    assert_eq!(outcome(&gate, &client), Ok(200));
    drop(gate);
    std::fs::remove_dir_all(site.directory().join("revocation")).expect("a folder");

    let wait = configuration(&hosts, "on_unknown = \"wait\"\nwait_ms_max = 500");
    let gate = Gate::start(PORTCULLIS, &site, &wait);
    let mut waiting = client.connect(gate.address("tpp")).expect("a handshake");
    let answer = waiting.get("/v1/accounts").expect("an answer");
    assert_eq!(answer.status, 403);
    assert!(answer.text().contains("revocation.unknown"), "{}", answer.text());
    drop(gate);
    std::fs::remove_dir_all(site.directory().join("revocation")).expect("a folder");

    responder.turn_to(good(&tpp, &site));
    let gate =
        Gate::start(PORTCULLIS, &site, &configuration(&hosts, "on_unknown = \"wait\"\nwait_ms_max = 10000"));
    assert_eq!(outcome(&gate, &client), Ok(200), "the answer came while the client waited");
}

#[test]
fn lies_are_refused_and_counted() {
    let site = Site::new();
    let responder = Answers::start(Answering::Status(503));
    let tpp = site.issue(certificate().ocsp_responder(&responder.url()));
    let other = site.issue(certificate());
    let foreign = Authority::foreign().expect("an authority");
    let stranger = OcspResponder::of(&foreign).expect("a responder");
    let answer = |answer: OcspAnswer<'_>| Answering::Body(answer.der().expect("an answer"));
    let about = || OcspAnswer::about(tpp.leaf_der(), &site.qtsp);
    let mut broken = about().der().expect("an answer");
    *broken.last_mut().expect("a byte") ^= 1;
    let gate = Gate::start(PORTCULLIS, &site, &configuration(&[responder.host()], "order = [\"ocsp\"]"));
    let client = client(&site, &tpp);
    assert!(outcome(&gate, &client).is_err());
    for (lie, code) in [
        (answer(about().by_authority(&foreign)), "ocsp.signer"),
        (answer(about().by(&stranger)), "ocsp.responder"),
        (answer(OcspAnswer::about(other.leaf_der(), &site.qtsp)), "ocsp.other-certificate"),
        (answer(about().times(-900, Some(-300))), "ocsp.stale"),
        (Answering::Body(broken), "ocsp.signature"),
        (Answering::Body(b"garbage".to_vec()), "ocsp.malformed"),
        (Answering::Endless, "fetch.too-large"),
        (Answering::Drip, "fetch.timeout"),
    ] {
        let before = checks(&gate, code);
        responder.turn_to(lie);
        eventually(code, || checks(&gate, code) > before);
        assert!(outcome(&gate, &client).is_err(), "{code}");
    }
    assert!(gate.process().rss_kib() < 100 << 10);
    responder.turn_to(good(&tpp, &site));
    eventually("the truth", || outcome(&gate, &client) == Ok(200));
}

#[test]
fn a_list_of_the_ca_does_as_well() {
    let site = Site::new();
    let lists = Answers::start(Answering::Status(503));
    let tpp = site.issue(certificate().crl_distribution_point(&lists.url()));
    let empty = RevocationList::of(&site.qtsp).number(5).der().expect("a list");
    lists.turn_to(Answering::Body(empty));
    let gate = Gate::start(PORTCULLIS, &site, &configuration(&[lists.host()], ""));
    let client = client(&site, &tpp);
    eventually("the list is there", || outcome(&gate, &client) == Ok(200));
    let older = RevocationList::of(&site.qtsp).number(4).der().expect("a list");
    lists.turn_to(Answering::Body(older));
    eventually("an older one is refused", || checks(&gate, "crl.rollback") >= 1.0);
    let mut living = client.connect(gate.address("tpp")).expect("a connection");
    let revoked =
        RevocationList::of(&site.qtsp).number(6).revoked(tpp.leaf_der(), Some(1)).der().expect("a list");
    lists.turn_to(Answering::Body(revoked));
    assert_eq!(living.end(), Refusal::Closed);
    assert_eq!(outcome(&gate, &client), Err(Refusal::Alert(AlertDescription::CertificateRevoked)));
}

#[test]
fn a_list_is_where_to_look_when_the_responder_is_down() {
    let site = Site::new();
    let (responder, lists) = (Answers::start(Answering::Status(503)), Answers::start(Answering::Status(503)));
    let tpp = site.issue(certificate().ocsp_responder(&responder.url()).crl_distribution_point(&lists.url()));
    lists.turn_to(Answering::Body(RevocationList::of(&site.qtsp).der().expect("a list")));
    let gate = Gate::start(PORTCULLIS, &site, &configuration(&[responder.host(), lists.host()], ""));
    let client = client(&site, &tpp);
    eventually("the list is there", || outcome(&gate, &client) == Ok(200));
    assert!(checks(&gate, "fetch.status") >= 1.0);
}

#[test]
fn lists_take_no_more_memory_than_they_may() {
    let site = Site::new();
    let lists = Answers::start(Answering::Status(503));
    let tpp = site.issue(certificate().crl_distribution_point(&lists.url()));
    // Fourteen bytes each.
    let list = |number: u8, entries: u8| {
        let list = (0..entries).fold(RevocationList::of(&site.qtsp).number(number), |list, octet| {
            list.entry(&[1, octet, 3, 4, 5, 6, 7, 8], &[])
        });
        Answering::Body(list.der().expect("a list"))
    };
    lists.turn_to(list(1, 60));
    let gate = Gate::start(PORTCULLIS, &site, &configuration(&[lists.host()], "crl_memory_max = \"1k\""));
    let client = client(&site, &tpp);
    eventually("the list is there", || outcome(&gate, &client) == Ok(200));
    lists.turn_to(list(2, 80));
    eventually("a longer one is refused", || checks(&gate, "crl.memory") >= 1.0);
    assert_eq!(outcome(&gate, &client), Ok(200), "what was known serves on");
    let taken = || gate.metrics().sum("portcullis_crl_memory_bytes", &[]);
    eventually("its memory is told", || taken() == 840.0);
    // The next takes the place of the one before.
    lists.turn_to(list(3, 70));
    eventually("one that fits is taken up", || taken() == 980.0);
}

#[test]
fn who_does_not_hold_a_certificate_makes_the_gate_ask_nobody() {
    let site = Site::new();
    let listener = Answers::start(Answering::Status(503));
    let tpp =
        site.issue(certificate().ocsp_responder(&listener.url()).crl_distribution_point(&listener.url()));
    let own = Authority::named(&portcullis_test_pki::Subject::new("Self-made")).expect("an authority");
    let self_made = certificate().ocsp_responder(&listener.url()).issue(&own).expect("a certificate");
    let thief = tpp.clone().with_key_of(&self_made);
    let gate = Gate::start(PORTCULLIS, &site, &configuration(&[listener.host()], ""));
    for credential in [&thief, &self_made] {
        assert!(outcome(&gate, &client(&site, credential)).is_err());
    }
    // The owner of the certificate comes last, and is the first that anybody asks about.
    assert!(outcome(&gate, &client(&site, &tpp)).is_err());
    eventually("the owner's is asked about", || listener.backend.accepted() >= 1);
    eventually("it alone is followed", || {
        gate.metrics().sum("portcullis_revocation_certificates", &[]) == 1.0
    });
}

#[test]
fn a_private_address_is_not_asked_unless_it_may_be() {
    let site = Site::new();
    let listener = Answers::start(Answering::Status(503));
    let tpp = site.issue(certificate().ocsp_responder(&listener.url()));
    let gate = Gate::start(PORTCULLIS, &site, &configuration(&[], ""));
    assert!(outcome(&gate, &client(&site, &tpp)).is_err());
    eventually("it is refused", || checks(&gate, "fetch.not-public") >= 1.0);
    assert_eq!(listener.backend.accepted(), 0);
}

#[test]
fn after_a_restart_without_a_network_it_is_known_what_was_known() {
    let site = Site::new();
    let (mut responder, mut lists) =
        (Answers::start(Answering::Status(503)), Answers::start(Answering::Status(503)));
    let tpp = site.issue(certificate().ocsp_responder(&responder.url()));
    let by_list = site.issue(certificate().crl_distribution_point(&lists.url()));
    let stolen = site.issue(certificate().crl_distribution_point(&lists.url()));
    responder.turn_to(good(&tpp, &site));
    lists.turn_to(Answering::Body(
        RevocationList::of(&site.qtsp).revoked(stolen.leaf_der(), None).der().expect("a list"),
    ));
    let configuration = configuration(&[responder.host(), lists.host()], "");
    let mut gate = Gate::start(PORTCULLIS, &site, &configuration);
    let clients = [&tpp, &by_list, &stolen].map(|credential| client(&site, credential));
    eventually("all is known", || {
        let outcomes = clients.each_ref().map(|client| outcome(&gate, client));
        outcomes == [Ok(200), Ok(200), Err(Refusal::Alert(AlertDescription::CertificateRevoked))]
    });
    gate.terminate();
    assert!(gate.wait().success());
    responder.backend.stop();
    lists.backend.stop();
    let gate = Gate::start(PORTCULLIS, &site, &configuration);
    let outcomes = clients.each_ref().map(|client| outcome(&gate, client));
    assert_eq!(outcomes, [Ok(200), Ok(200), Err(Refusal::Alert(AlertDescription::CertificateRevoked))]);
}

/// OpenSSL's responder, told of one certificate.
struct OpenSslResponder(Child);

impl OpenSslResponder {
    fn start(site: &Site, port: u16, serial_number: &str, status: &str) -> Self {
        site.write("index.txt", &format!("{status}\t{serial_number}\tunknown\t/CN=tpp\n"));
        let mut command = Command::new("openssl");
        command.current_dir(site.directory()).args(["ocsp", "-index", "index.txt", "-CA", "ca.pem"]);
        command.args(["-rsigner", "ca.pem", "-rkey", "ca.key", "-nmin", "5", "-port", &port.to_string()]);
        let quiet = || Stdio::null();
        Self(command.stdin(quiet()).stdout(quiet()).stderr(quiet()).spawn().expect("OpenSSL runs"))
    }
}

impl Drop for OpenSslResponder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_responder_of_openssl_is_understood() {
    if !available("openssl", "version") {
        return;
    }
    let site = Site::new();
    site.write("ca.pem", &site.qtsp.issuing_pem());
    site.write("ca.key", &site.qtsp.issuing_key_pem());
    // A port that was free a moment ago.
    let port =
        TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port();
    let host = format!("127.0.0.1:{port}");
    let tpp = site.issue(certificate().ocsp_responder(&format!("http://{host}/")));
    let identity = portcullis_identity::Identity::from_der(tpp.leaf_der()).expect("a certificate");
    let serial_number = identity.serial_number.to_string().to_uppercase();

    let responder = OpenSslResponder::start(&site, port, &serial_number, "V\t361231235959Z\t");
    let gate = Gate::start(PORTCULLIS, &site, &configuration(&[host], ""));
    let client = client(&site, &tpp);
    eventually("it says good", || outcome(&gate, &client) == Ok(200));
    drop(responder);
    let _responder =
        OpenSslResponder::start(&site, port, &serial_number, "R\t361231235959Z\t261124000000Z,superseded");
    let revoked = Err(Refusal::Alert(AlertDescription::CertificateRevoked));
    eventually("it says revoked", || outcome(&gate, &client) == revoked);
}
