//! When a client is no longer admitted its living connections end: those of its certificate and no others, at once or after the
//! grace that a request in flight is given.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use portcullis_test_harness::{
    AlertDescription, Backend, Configuration, Gate, H2Client, HOST, Next, Refusal, Site, TlsClient, Version,
    eventually,
};
use portcullis_test_pki::revocation::OcspAnswer;
use portcullis_test_pki::{Credential, Role, TppCertificate};

const PORTCULLIS: &str = env!("CARGO_BIN_EXE_portcullis");

/// A responder that knows each certificate by a path of its own.
struct Responder {
    backend: Backend,
    answers: Arc<Mutex<HashMap<String, Vec<u8>>>>,
}

impl Responder {
    fn start() -> Self {
        let answers: Arc<Mutex<HashMap<String, Vec<u8>>>> = Arc::default();
        let known = Arc::clone(&answers);
        let backend = Backend::start(move |exchange| {
            exchange.read_body()?;
            let target = exchange.received().target();
            let answer = known.lock().expect("a lock").get(target.as_str()).cloned();
            match answer {
                Some(answer) => exchange.answer(200, &answer)?,
                None => exchange.answer(404, b"")?,
            }
            Ok(Next::Close)
        });
        Self { backend, answers }
    }

    /// A certificate of which it says that it is good.
    fn vouch_for(&self, site: &Site, path: &str) -> Credential {
        let url = format!("http://{}{path}", self.backend.address());
        let certificate = TppCertificate::new(&format!("Lindenblatt {path}")).roles([Role::PspAi]);
        let credential = site.issue(certificate.ocsp_responder(&url));
        self.says(path, &OcspAnswer::about(credential.leaf_der(), &site.qtsp));
        credential
    }

    fn revokes(&self, site: &Site, path: &str, credential: &Credential) {
        self.says(path, &OcspAnswer::about(credential.leaf_der(), &site.qtsp).revoked());
    }

    fn says(&self, path: &str, answer: &OcspAnswer<'_>) {
        let der = answer.der().expect("an answer");
        self.answers.lock().expect("a lock").insert(path.to_owned(), der);
    }

    fn asked_by(&self, configuration: Configuration, upstream: &str, more: &str) -> Configuration {
        let section = format!(
            "[revocation]\ncache = \"revocation\"\nprivate_hosts = [\"{}\"]\nrefresh_interval = \"1s\"\n\
             on_unknown = \"allow\"\n{more}\n{upstream}",
            self.backend.address()
        );
        configuration.and(&section)
    }
}

fn closed(gate: &Gate) -> f64 {
    gate.metrics().sum("portcullis_connections_closed_total", &[("reason", "no_longer_admitted")])
}

fn connected(gate: &Gate) -> f64 {
    gate.metrics().sum("portcullis_client_certificates_connected", &[])
}

/// It is known by now: who comes anew is refused.
fn wait_until_revoked(gate: &Gate, client: &TlsClient) {
    eventually("the revocation is known", || {
        let refused = Refusal::Alert(AlertDescription::CertificateRevoked);
        client.get(gate.address("tpp"), "/v1/accounts").err() == Some(refused)
    });
}

#[test]
fn the_connections_of_a_revoked_certificate_end_and_no_others() {
    const CONNECTIONS: usize = 12;
    let site = Site::new();
    let responder = Responder::start();
    let gate = Gate::start(
        PORTCULLIS,
        &site,
        &responder.asked_by(Configuration::psd2().runtime("shards = 2"), "", ""),
    );
    let tpps: Vec<_> = (0..4).map(|number| format!("/{number}")).collect();
    let credentials: Vec<_> = tpps.iter().map(|path| responder.vouch_for(&site, path)).collect();
    let clients: Vec<_> =
        credentials.iter().map(|credential| TlsClient::new(&site.bank).credential(credential)).collect();
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        for (index, client) in clients.iter().enumerate() {
            let mut connection = client.connect(gate.address("tpp")).expect("a connection");
            assert_eq!(connection.get("/v1/accounts").expect("an answer").status, 200);
            connections.push((index, connection));
        }
    }
    eventually("all are known", || connected(&gate) == 4.0);

    responder.revokes(&site, &tpps[1], &credentials[1]);
    for (_, connection) in connections.iter_mut().filter(|(index, _)| *index == 1) {
        assert_eq!(connection.end(), Refusal::Closed);
    }
    for (_, connection) in connections.iter_mut().filter(|(index, _)| *index != 1) {
        assert_eq!(connection.get("/v1/accounts").expect("an answer").status, 200);
    }
    let expected = f64::from(u32::try_from(CONNECTIONS).expect("a few"));
    // Each is given a moment to hear of it.
    eventually("they are counted", || closed(&gate) == expected);
    eventually("those of three are left", || connected(&gate) == 3.0);
    drop(connections);
    eventually("all are gone", || connected(&gate) == 0.0);
}

#[test]
fn an_h2_connection_is_told_to_go_away() {
    let site = Site::new();
    let responder = Responder::start();
    let gate = Gate::start(PORTCULLIS, &site, &responder.asked_by(Configuration::psd2(), "", ""));
    let tpp = responder.vouch_for(&site, "/h2");
    let client = TlsClient::new(&site.bank).credential(&tpp);
    let mut connection = H2Client::connect(&client, gate.address("tpp")).expect("a connection");
    assert_eq!(connection.get(HOST.as_bytes(), b"/v1/accounts").expect("an answer").status, 200);
    responder.revokes(&site, "/h2", &tpp);
    connection.wait_for_goaway().expect("it is said");
    assert_eq!(connection.goaway(), Some(0));
    connection.wait_for_end();
    wait_until_revoked(&gate, &client);
}

#[test]
fn an_h2_connection_that_was_resumed_is_told_so_too() {
    let site = Site::new();
    let responder = Responder::start();
    let gate = Gate::start(PORTCULLIS, &site, &responder.asked_by(Configuration::psd2(), "", ""));
    for version in Version::BOTH {
        let path = format!("/{version:?}");
        let tpp = responder.vouch_for(&site, &path);
        let client = TlsClient::new(&site.bank).credential(&tpp).version(version).alpn(&["h2"]).resuming();
        let mut connections = [(); 3].map(|()| {
            let mut connection = H2Client::connect(&client, gate.address("tpp")).expect("a connection");
            assert_eq!(connection.get(HOST.as_bytes(), b"/v1/accounts").expect("an answer").status, 200);
            connection
        });
        let resumed = connections.each_ref().map(H2Client::was_resumed);
        assert_eq!(resumed, [false, true, true], "{version:?}");
        responder.revokes(&site, &path, &tpp);
        for connection in &mut connections {
            connection.wait_for_goaway().expect("it is said");
            assert_eq!(connection.goaway(), Some(0), "{version:?}");
            connection.wait_for_end();
        }
        wait_until_revoked(&gate, &TlsClient::new(&site.bank).credential(&tpp).version(version));
    }
}

/// A gate before a backend that answers when it is let, and a request that is with that backend when its client is revoked.
fn answer_in_flight(grace: &str) -> (Result<u16, Refusal>, Refusal) {
    let site = Site::new();
    let responder = Responder::start();
    let is_let = Arc::new(AtomicBool::new(false));
    let waits_for = Arc::clone(&is_let);
    let backend = Backend::start(move |exchange| {
        exchange.read_body()?;
        while !waits_for.load(Ordering::Acquire) {
            exchange.pause(Duration::from_millis(10))?;
        }
        exchange.answer(200, b"late")?;
        Ok(Next::Stay)
    });
    let upstream = Configuration::upstream("bank", &[backend.address()], "");
    let configuration = Configuration::passing_on(&[backend.address()], "");
    let gate = Gate::start(PORTCULLIS, &site, &responder.asked_by(configuration, &upstream, grace));
    let tpp = responder.vouch_for(&site, "/slow");
    let client = TlsClient::new(&site.bank).credential(&tpp);
    let mut connection = client.connect(gate.address("tpp")).expect("a connection");
    connection
        .send(format!("GET /v1/accounts HTTP/1.1\r\nHost: {HOST}\r\n\r\n").as_bytes())
        .expect("it is sent");
    eventually("it is with the backend", || backend.count() == 1);
    responder.revokes(&site, "/slow", &tpp);
    eventually("the connection was judged again", || {
        let result = [("result", "revocation.revoked")];
        gate.metrics().sum("portcullis_client_cert_verifications_total", &result) == 1.0
    });
    is_let.store(true, Ordering::Release);
    let answer = connection.receive().map(|response| response.status);
    let end = if answer.is_ok() { connection.end() } else { Refusal::Closed };
    eventually("it is counted", || closed(&gate) == 1.0);
    (answer, end)
}

#[test]
fn a_request_in_flight_is_cut_without_grace_and_answered_with_it() {
    let (answer, _) = answer_in_flight("");
    assert_eq!(answer, Err(Refusal::Closed));
    assert_eq!(answer_in_flight("grace = \"30s\""), (Ok(200), Refusal::Closed));
}
