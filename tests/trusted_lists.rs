//! A gate under trusted lists: whom it believes follows the lists in their folder while it runs, what cannot be believed
//! changes nothing, and `/ready`, the metrics and the log say how things stand.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use portcullis_test_harness::{
    AlertDescription, Configuration, Gate, Metrics, Refusal, Site, TlsClient, TlsConnection, eventually,
};
use portcullis_test_pki::Role;
use portcullis_test_pki::trusted_list::{ListSigner, State, TrustedList};

const PORTCULLIS: &str = env!("CARGO_BIN_EXE_portcullis");
const LONG_AGO: &str = "2018-01-01T00:00:00Z";
const RULES: &str = "mode = \"required\"\nprofile = \"psd2\"\ntrusted_lists = true\n";

/// A folder of lists beside the configuration: Spain has the QTSP of the site.
struct Lists {
    folder: PathBuf,
    commission: ListSigner,
    spain: ListSigner,
    sequence: AtomicU64,
}

impl Lists {
    fn new(site: &Site) -> Self {
        let signer = |name| ListSigner::new(name, 2020..2030).expect("a signer");
        let folder = site.directory().join("lists");
        std::fs::create_dir(&folder).expect("a folder");
        let lists = Self {
            folder,
            commission: signer("Commission"),
            spain: signer("Spain"),
            sequence: AtomicU64::new(10),
        };
        std::fs::write(site.directory().join("journal.der.pem"), lists.commission.certificate_pem())
            .expect("a file");
        let lotl = TrustedList::new("EU", 1).pointer("ES", "https://lists.test/es.xml", &[&lists.spain]);
        lists.put("eu.xml", &lotl.sign(&lists.commission).expect("signed"));
        lists
    }

    /// Publishes a list of Spain with the QTSP in a status.
    fn publish(&self, site: &Site, status: &'static str) {
        let sequence = self.sequence.fetch_add(1, Ordering::Relaxed) + 1;
        self.put("es.xml", &self.spanish(site, sequence, status));
    }

    fn spanish(&self, site: &Site, sequence: u64, status: &'static str) -> String {
        let states = [State::for_web(status, "2025-01-01T00:00:00Z"), State::for_web("granted", LONG_AGO)];
        let list = TrustedList::new("ES", sequence).service(site.qtsp.issuing_der(), states);
        list.sign(&self.spain).expect("signed")
    }

    /// Puts a file there in one step.
    fn put(&self, name: &str, content: &str) {
        let temporary = self.folder.join("temporary");
        std::fs::write(&temporary, content).expect("a file");
        std::fs::rename(&temporary, self.folder.join(name)).expect("a file in its place");
    }
}

fn configuration(rules: &str, more: &str) -> Configuration {
    let trust = format!(
        "[trust]\nfolder = \"lists\"\nsigners = [\"journal.der.pem\"]\nrefresh_interval = \"1s\"\nrequired = [\"ES\"]\n{more}\n"
    );
    Configuration::psd2().client_auth(rules).and(&trust)
}

fn outcome(gate: &Gate, client: &TlsClient) -> Result<u16, Refusal> {
    client.get(gate.address("tpp"), "/v1/accounts").map(|response| response.status)
}

fn ready(gate: &Gate) -> (u16, String) {
    let answer = Metrics::get(gate.admin(), "/ready");
    (answer.status, answer.text())
}

fn sequence(gate: &Gate) -> f64 {
    gate.metrics().sum("portcullis_trust_list_sequence", &[("territory", "ES")])
}

#[test]
fn who_is_believed_follows_the_lists() {
    let site = Site::new();
    let lists = Lists::new(&site);
    lists.publish(&site, "granted");
    let gate = Gate::start(PORTCULLIS, &site, &configuration(RULES, ""));
    let client = TlsClient::new(&site.bank).credential(&site.tpp(&[Role::PspAi]));
    assert_eq!(outcome(&gate, &client), Ok(200));
    assert_eq!(ready(&gate), (200, "ready\n".to_owned()));
    assert_eq!(
        gate.metrics().sum("portcullis_trust_list_anchors", &[("territory", "ES"), ("usage", "web")]),
        1.0
    );
    let mut stays = client.connect(gate.address("tpp")).expect("a session");
    let ask = |connection: &mut TlsConnection| connection.get("/v1/accounts").map(|answer| answer.status);
    assert_eq!(ask(&mut stays), Ok(200));
    lists.publish(&site, "withdrawn");
    eventually("the connection is closed", || ask(&mut stays).is_err());
    assert_eq!(outcome(&gate, &client), Err(Refusal::Alert(AlertDescription::AccessDenied)));
    let withdrawn =
        || gate.metrics().sum("portcullis_client_cert_verifications_total", &[("result", "trust.withdrawn")]);
    eventually("the refusal is counted by its code", || withdrawn() > 0.0);
    lists.publish(&site, "granted");
    eventually("it is believed again", || outcome(&gate, &client) == Ok(200));
}

#[test]
fn what_cannot_be_believed_changes_nothing() {
    let site = Site::new();
    let lists = Lists::new(&site);
    lists.publish(&site, "granted");
    let gate = Gate::start(PORTCULLIS, &site, &configuration(RULES, ""));
    let client = TlsClient::new(&site.bank).credential(&site.tpp(&[Role::PspAi]));
    let seen = sequence(&gate);
    let up_to_date = || gate.metrics().sum("portcullis_trust_list_up_to_date", &[("territory", "ES")]);
    assert_eq!(up_to_date(), 1.0);
    let forged = lists.spanish(&site, 99, "granted").replace("TSLSequenceNumber>99", "TSLSequenceNumber>98");
    let stranger = ListSigner::new("Stranger", 2020..2030).expect("a signer");
    let strange = TrustedList::new("ES", 99).sign(&stranger).expect("signed");
    for (what, content) in [
        ("an older list", lists.spanish(&site, 5, "withdrawn")),
        ("a forged list", forged),
        ("a stranger's list", strange),
        ("garbage", "\u{1}garbage".repeat(1000)),
        ("half a list", lists.spanish(&site, 99, "withdrawn")[..2000].to_owned()),
        ("nothing", String::new()),
    ] {
        lists.put("es.xml", &content);
        eventually(what, || up_to_date() == 0.0);
        assert_eq!((sequence(&gate), outcome(&gate, &client)), (seen, Ok(200)), "{what}");
        assert_eq!(ready(&gate).0, 200, "{what}: the last good list is there");
        lists.put("es.xml", &lists.spanish(&site, 11, "granted"));
        eventually("it is up to date again", || up_to_date() == 1.0);
    }
    assert!(gate.log().wait_for(|record| record.field("code") == Some("rollback")).is_some());
    // Without a list of lists nothing new is taken up at all.
    std::fs::remove_file(lists.folder.join("eu.xml")).expect("a file");
    let failures = || gate.metrics().sum("portcullis_trust_refreshes_total", &[("result", "failure")]);
    eventually("the failure is counted", || failures() > 0.0);
    assert_eq!(outcome(&gate, &client), Ok(200));
}

#[test]
fn a_gate_without_its_lists_lets_nobody_in_and_says_so() {
    let site = Site::new();
    let lists = Lists::new(&site);
    let gate = Gate::start(PORTCULLIS, &site, &configuration(RULES, ""));
    let client = TlsClient::new(&site.bank).credential(&site.tpp(&[Role::PspAi]));
    assert_eq!(ready(&gate), (503, "the trusted list of ES is missing or out of date\n".to_owned()));
    assert_eq!(outcome(&gate, &client), Err(Refusal::Alert(AlertDescription::UnknownCA)));
    lists.publish(&site, "granted");
    eventually("it is ready", || ready(&gate).0 == 200);
    eventually("the list reaches the shards", || outcome(&gate, &client) == Ok(200));
}

#[test]
fn a_list_past_its_next_update_serves_until_it_is_too_old() {
    let site = Site::new();
    let lists = Lists::new(&site);
    let overdue =
        TrustedList { next_update: "2026-01-02T00:00:00Z".to_owned(), ..TrustedList::new("ES", 11) };
    let overdue = overdue.service(site.qtsp.issuing_der(), [State::for_web("granted", LONG_AGO)]);
    lists.put("es.xml", &overdue.sign(&lists.spain).expect("signed"));
    let patient = configuration(RULES, "max_staleness = \"366d\"");
    let gate = Gate::start(PORTCULLIS, &site, &patient);
    let client = TlsClient::new(&site.bank).credential(&site.tpp(&[Role::PspAi]));
    assert_eq!((outcome(&gate, &client), ready(&gate).0), (Ok(200), 200));
    let next_update =
        gate.metrics().sum("portcullis_trust_list_next_update_timestamp_seconds", &[("territory", "ES")]);
    assert_eq!(next_update, 1_767_312_000.0);
    gate.rewrite(&configuration(RULES, "max_staleness = \"0s\"").to_toml());
    gate.reload();
    eventually("it is too old", || {
        outcome(&gate, &client) == Err(Refusal::Alert(AlertDescription::AccessDenied))
    });
    eventually("that is told", || ready(&gate).0 == 503);
    // The alert comes before it is counted.
    eventually("it is counted", || {
        gate.metrics().sum("portcullis_client_cert_verifications_total", &[("result", "trust.stale")]) > 0.0
    });
}

#[test]
fn lists_that_are_observed_refuse_nobody_and_tell_whom_they_would() {
    let site = Site::new();
    let lists = Lists::new(&site);
    lists.publish(&site, "withdrawn");
    let rules = format!("{RULES}anchors = [\"qtsp.pem\"]\n");
    let gate = Gate::start(PORTCULLIS, &site, &configuration(&rules, "mode = \"observe\""));
    let client = TlsClient::new(&site.bank).credential(&site.tpp(&[Role::PspAi]));
    assert_eq!(outcome(&gate, &client), Ok(200));
    let observed = || {
        gate.metrics().sum("portcullis_client_cert_observed_refusals_total", &[("code", "trust.withdrawn")])
    };
    eventually("it is counted", || observed() == 1.0);
    let line = gate.log().wait_for(|record| record.field("code") == Some("trust.withdrawn"));
    assert!(line.is_some(), "{}", gate.log().text());
    lists.publish(&site, "granted");
    eventually("the new list serves", || sequence(&gate) == 12.0);
    eventually("nobody would be refused any more", || {
        let before = observed();
        outcome(&gate, &client) == Ok(200) && observed() == before
    });
}

#[test]
fn what_of_the_lists_is_believed_changes_by_a_reload() {
    let site = Site::new();
    let lists = Lists::new(&site);
    lists.publish(&site, "granted");
    let gate = Gate::start(PORTCULLIS, &site, &configuration(RULES, ""));
    let client = TlsClient::new(&site.bank).credential(&site.tpp(&[Role::PspAi]));
    assert_eq!(outcome(&gate, &client), Ok(200));
    let excluded = configuration(RULES, "excluded_providers = [\"Test provider of ES\"]");
    gate.rewrite(&excluded.to_toml());
    gate.reload();
    eventually("its provider is excluded", || outcome(&gate, &client).is_err());
    gate.rewrite(&configuration(RULES, "").to_toml());
    gate.reload();
    eventually("it is believed again", || outcome(&gate, &client) == Ok(200));
    // Lists that cannot be read refuse a reload, and what served serves on.
    gate.rewrite(&configuration(RULES, "").to_toml().replace("folder = \"lists\"", "folder = \"elsewhere\""));
    gate.reload();
    let failures = || gate.metrics().sum("portcullis_config_reloads_total", &[("result", "failure")]);
    eventually("the reload is refused", || failures() == 1.0);
    assert_eq!(outcome(&gate, &client), Ok(200));
}
