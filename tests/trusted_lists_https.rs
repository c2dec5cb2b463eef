//! A gate that fetches its trusted lists: what publishers, and those who stand between, may do to it, and what `/ready` and the
//! metrics say each time. A restart without a network serves what was fetched before.

use portcullis_test_harness::{
    Answering, Configuration, Gate, HttpsServer, Metrics, Refusal, Site, TlsClient, eventually,
};
use portcullis_test_pki::trusted_list::{ListSigner, State, TrustedList};
use portcullis_test_pki::{Role, ServerCertificate};

const PORTCULLIS: &str = env!("CARGO_BIN_EXE_portcullis");
const RULES: &str = "mode = \"required\"\nprofile = \"psd2\"\ntrusted_lists = true\n";

/// The publishers of a list of lists and of Spain's, on one server.
struct Publishers {
    server: HttpsServer,
    commission: ListSigner,
    spain: ListSigner,
}

impl Publishers {
    fn new(site: &Site) -> Self {
        let signer = |name| ListSigner::new(name, 2020..2030).expect("a signer");
        let certificate = ServerCertificate::new(["localhost"]).issue(&site.bank).expect("a certificate");
        let publishers = Self {
            server: HttpsServer::start(&certificate),
            commission: signer("Commission"),
            spain: signer("Spain"),
        };
        site.write("journal.pem", &publishers.commission.certificate_pem());
        site.write("https-root.pem", &site.bank.root_pem());
        publishers.publish("/es.xml", &publishers.spanish(site, 11, "granted"));
        publishers.publish("/eu.xml", &publishers.lotl(5));
        publishers
    }

    fn lotl(&self, sequence: u64) -> String {
        let list =
            TrustedList::new("EU", sequence).pointer("ES", &self.server.url("/es.xml"), &[&self.spain]);
        list.sign(&self.commission).expect("signed")
    }

    fn spanish(&self, site: &Site, sequence: u64, status: &'static str) -> String {
        let states = [
            State::for_web(status, "2025-01-01T00:00:00Z"),
            State::for_web("granted", "2018-01-01T00:00:00Z"),
        ];
        let list = TrustedList::new("ES", sequence).service(site.qtsp.issuing_der(), states);
        list.sign(&self.spain).expect("signed")
    }

    fn publish(&self, path: &str, content: &str) {
        self.server.answer(path, Answering::Document(content.as_bytes().to_vec()));
    }

    fn configuration(&self) -> Configuration {
        let trust = format!(
            "[trust]\nlotl = \"{}\"\ncache = \"fetched\"\nhttps_roots = [\"https-root.pem\"]\nsigners = [\"journal.pem\"]\n\
             refresh_interval = \"1s\"\nrequired = [\"ES\"]\n",
            self.server.url("/eu.xml")
        );
        Configuration::psd2().client_auth(RULES).and(&trust)
    }
}

fn outcome(gate: &Gate, client: &TlsClient) -> Result<u16, Refusal> {
    client.get(gate.address("tpp"), "/v1/accounts").map(|response| response.status)
}

fn ready(gate: &Gate) -> u16 {
    Metrics::get(gate.admin(), "/ready").status
}

fn fetches(gate: &Gate, territory: &str, result: &str) -> f64 {
    gate.metrics().sum("portcullis_trust_fetches_total", &[("territory", territory), ("result", result)])
}

fn failures(gate: &Gate) -> f64 {
    gate.metrics().sum("portcullis_trust_refreshes_total", &[("result", "failure")])
}

#[test]
fn lists_are_fetched_and_only_if_they_changed() {
    let site = Site::new();
    let publishers = Publishers::new(&site);
    let gate = Gate::start(PORTCULLIS, &site, &publishers.configuration());
    let client = TlsClient::new(&site.bank).credential(&site.tpp(&[Role::PspAi]));
    eventually("the lists are fetched", || ready(&gate) == 200);
    eventually("they reach the shards", || outcome(&gate, &client) == Ok(200));
    let server = &publishers.server;
    eventually("they are asked for again", || {
        server.count("/es.xml", 304) > 0 && server.count("/eu.xml", 304) > 0
    });
    assert_eq!((server.count("/es.xml", 200), server.count("/eu.xml", 200)), (1, 1));
    publishers.publish("/es.xml", &publishers.spanish(&site, 12, "withdrawn"));
    eventually("the withdrawal is heard of", || outcome(&gate, &client).is_err());
    publishers.publish("/es.xml", &publishers.spanish(&site, 13, "granted"));
    eventually("it is granted again", || outcome(&gate, &client) == Ok(200));
}

#[test]
fn what_publishers_do_wrong_changes_nothing() {
    let site = Site::new();
    let publishers = Publishers::new(&site);
    let gate = Gate::start(PORTCULLIS, &site, &publishers.configuration());
    let client = TlsClient::new(&site.bank).credential(&site.tpp(&[Role::PspAi]));
    eventually("the lists are fetched", || ready(&gate) == 200);
    let withdrawn = |sequence| publishers.spanish(&site, sequence, "withdrawn").into_bytes();
    for (code, answering) in [
        ("rollback", Answering::Document(withdrawn(9))),
        ("unparsable", Answering::Document(b"garbage".to_vec())),
        ("fetch.redirect", Answering::Redirect("http://localhost/es.xml".to_owned())),
        ("fetch.too-large", Answering::Endless),
        ("fetch.truncated", Answering::Half(withdrawn(99))),
        ("fetch.status", Answering::Status(503)),
    ] {
        publishers.server.answer("/es.xml", answering);
        eventually(code, || fetches(&gate, "ES", code) > 0.0);
        eventually("who was believed is believed", || outcome(&gate, &client) == Ok(200));
        assert_eq!(ready(&gate), 200, "{code}");
    }
    let before = failures(&gate);
    publishers.server.answer("/eu.xml", Answering::Document(publishers.lotl(4).into_bytes()));
    eventually("an older list of lists is refused", || failures(&gate) > before);
    let before = failures(&gate);
    publishers.server.answer("/eu.xml", Answering::Garbage);
    eventually("garbage is refused", || failures(&gate) > before);
    assert_eq!((outcome(&gate, &client), ready(&gate)), (Ok(200), 200));
    // A publisher that says nothing holds nobody up.
    publishers.server.answer("/eu.xml", Answering::Silent);
    assert_eq!((outcome(&gate, &client), ready(&gate)), (Ok(200), 200));
}

#[test]
fn a_restart_without_a_network_serves_what_was_fetched() {
    let site = Site::new();
    let publishers = Publishers::new(&site);
    let client = TlsClient::new(&site.bank).credential(&site.tpp(&[Role::PspAi]));
    let mut gate = Gate::start(PORTCULLIS, &site, &publishers.configuration());
    eventually("the lists are fetched", || ready(&gate) == 200);
    gate.terminate();
    assert!(gate.wait().success());
    publishers.server.answer("/eu.xml", Answering::Status(500));
    let gate = Gate::start(PORTCULLIS, &site, &publishers.configuration());
    assert_eq!(outcome(&gate, &client), Ok(200));
    assert_eq!(ready(&gate), 200);
    eventually("the failure is told", || failures(&gate) > 0.0);
    assert_eq!((outcome(&gate, &client), ready(&gate)), (Ok(200), 200));
}
