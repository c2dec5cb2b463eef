//! A gate that makes keys: whoever comes has one, or waits for one, or needs one, as enrolment says; a renewed certificate joins its
//! key, and the next process knows it.

use portcullis_test_harness::{Backend, Configuration, Gate, Site, TlsClient, eventually};
use portcullis_test_pki::{Credential, Role, TppCertificate, Validity};
use serde_json::Value;

const PORTCULLIS: &str = env!("CARGO_BIN_EXE_portcullis");
const RULES: &str = "mode = \"required\"\nprofile = \"psd2\"\nanchors = [\"qtsp.pem\"]\n";

fn configuration(keys: &str, client_auth: &str) -> Configuration {
    let sections =
        format!("[keys]\nstore = \"keys.redb\"\n{keys}\n[log]\naudit = true\naudit_file = \"audit.jsonl\"\n");
    Configuration::psd2().client_auth(&format!("{RULES}{client_auth}")).and(&sections)
}

fn tpp(site: &Site, identifier: &str) -> Credential {
    let tpp = TppCertificate::new("Lindenblatt Kontodienst GmbH").roles([Role::PspAi]);
    site.issue(tpp.organization_identifier(identifier))
}

/// The status of an answer, and the code of a refusal.
fn answer(gate: &Gate, site: &Site, credential: &Credential) -> (u16, Option<String>) {
    let client = TlsClient::new(&site.bank).credential(credential);
    let response = client.get(gate.address("tpp"), "/v1/accounts").expect("an answer");
    let json: Value = serde_json::from_str(&response.text()).unwrap_or_default();
    (response.status, json["code"].as_str().map(str::to_owned).filter(|_| response.status != 200))
}

fn refused(code: &str) -> (u16, Option<String>) {
    (403, Some(code.to_owned()))
}

fn keys(gate: &Gate, state: &str) -> f64 {
    gate.metrics().sum("portcullis_keys", &[("state", state)])
}

fn events(site: &Site) -> Vec<Value> {
    let text = std::fs::read_to_string(site.path("audit.jsonl")).unwrap_or_default();
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|record| record["event"] == "key").collect()
}

#[test]
fn a_first_call_makes_a_key_that_renewals_join_and_the_next_process_knows() {
    let site = Site::new();
    let configuration = configuration("", "");
    let mut gate = Gate::start(PORTCULLIS, &site, &configuration);
    let one = tpp(&site, "PSDES-BDE-3DFD21");
    assert_eq!(answer(&gate, &site, &one), (200, None));
    eventually("a key", || keys(&gate, "active") == 1.0);
    // Another certificate, and the authority by the name that the EBA has for it.
    assert_eq!(answer(&gate, &site, &tpp(&site, "PSDES-BE-3DFD21")), (200, None));
    assert_eq!(answer(&gate, &site, &tpp(&site, "PSDDE-BAFIN-3DFD21")), (200, None));
    eventually("the other's key", || keys(&gate, "active") == 2.0);
    eventually("three records", || events(&site).len() == 3);
    let told = events(&site);
    let key = |record: &Value| record["key"].as_str().map(str::to_owned);
    let of = |action: &str| told.iter().filter(|record| record["action"] == action).collect::<Vec<_>>();
    let (made, joined) = (of("enrol"), of("certificate"));
    assert_eq!((made.len(), joined.len()), (2, 1));
    let first = made.iter().find(|record| record["identity"] == "psd2:PSDES-BE-3DFD21").expect("the first");
    assert_eq!(key(first), key(joined[0]));
    gate.terminate();
    assert!(gate.wait().success());

    let gate = Gate::start(PORTCULLIS, &site, &configuration);
    assert_eq!(keys(&gate, "active"), 2.0);
    assert_eq!(answer(&gate, &site, &one), (200, None));
    assert_eq!(events(&site).len(), 3, "it is known");
}

#[test]
fn keys_are_told_apart_in_metrics_as_many_as_there_is_room_for() {
    let site = Site::new();
    let metrics = "enrolment = \"auto\"\n[metrics]\nmax_keys = 1";
    let gate = Gate::start(PORTCULLIS, &site, &configuration(metrics, ""));
    let requests = |key: &str, class: &str| {
        gate.metrics().sum("portcullis_key_requests_total", &[("key", key), ("code_class", class)])
    };
    let (one, other) = (tpp(&site, "PSDES-BE-1"), tpp(&site, "PSDES-BE-2"));
    let id_of = |identity: &str| {
        let listed: Value = serde_json::from_slice(&gate.ask("GET /v1/keys", "", "").body).expect("JSON");
        let keys = listed["keys"].as_array().expect("keys").clone();
        let found = keys.iter().find(|key| key["identity"] == identity);
        found.and_then(|key| key["id"].as_str().map(str::to_owned))
    };
    assert_eq!(answer(&gate, &site, &one), (200, None));
    eventually("a key", || id_of("psd2:PSDES-BE-1").is_some());
    let id = id_of("psd2:PSDES-BE-1").expect("it is there");
    eventually("it is counted", || {
        assert_eq!(answer(&gate, &site, &one), (200, None));
        requests(&id, "2xx") > 0.0
    });
    let seen = gate.metrics().sum("portcullis_key_last_seen_timestamp_seconds", &[("key", &id)]);
    let not_after =
        gate.metrics().sum("portcullis_key_certificate_not_after_timestamp_seconds", &[("key", &id)]);
    assert!(seen > 1.7e9 && not_after > seen, "{seen} {not_after}");
    eventually("the other is counted with all others", || {
        assert_eq!(answer(&gate, &site, &other), (200, None));
        requests("_overflow", "2xx") > 0.0
    });
    let labels = gate.metrics();
    let expected = [id.as_str(), "_overflow"].into_iter().collect();
    assert_eq!(labels.label_values("portcullis_key_requests_total", "key"), expected);
    assert_eq!(gate.ask(&format!("DELETE /v1/keys/{id}"), "", "").status, 200);
    eventually("it is told of no more", || requests(&id, "2xx") == 0.0);
}

#[test]
fn an_upstream_is_told_the_key() {
    let site = Site::new();
    let backend = Backend::answering("ok");
    let upstream = Configuration::upstream(
        "bank",
        &[backend.address()],
        "hand_off = [\"key\", \"codes\", \"x-forwarded-client-cert\"]",
    );
    let routes = "[[route]]\npath = \"/\"\nupstream = \"bank\"";
    let keys = format!("[keys]\nstore = \"keys.redb\"\n{upstream}");
    let gate =
        Gate::start(PORTCULLIS, &site, &Configuration::psd2().client_auth(RULES).routes(routes).and(&keys));
    let client = TlsClient::new(&site.bank).credential(&tpp(&site, "PSDES-BE-1"));
    let mut connection = client.connect(gate.address("tpp")).expect("a connection");
    let mut told = Vec::new();
    eventually("its key", || {
        assert_eq!(connection.get("/").expect("an answer").status, 200);
        let received = backend.received();
        let last = received.last().expect("a request");
        told = last.values("portcullis-tpp-key");
        let certificate = last.values("x-forwarded-client-cert");
        assert!(certificate.len() == 1 && certificate[0].contains(";Subject=\""), "{certificate:?}");
        told.len() == 1
    });
    let codes = || backend.received().last().expect("a request").values("portcullis-tpp-codes").join("; ");
    assert_eq!(codes(), "revocation.no-source, psd2.nca-mismatch", "it passes all the same");
    let odd = TppCertificate::new("Lindenblatt").roles([Role::PspAi]).extended_key_usages([]);
    let odd = site.issue(odd.organization_identifier("PSDES-BE-1"));
    assert_eq!(
        TlsClient::new(&site.bank).credential(&odd).get(gate.address("tpp"), "/").expect("one").status,
        200
    );
    assert!(codes().contains("eku.missing"), "{}", codes());
    let listed: Value = serde_json::from_slice(&gate.ask("GET /v1/keys", "", "").body).expect("JSON");
    assert_eq!(listed["keys"][0]["id"], told[0].as_str());
}

#[test]
fn who_must_be_approved_or_known_is_told_so_over_http() {
    let site = Site::new();
    let gate = Gate::start(PORTCULLIS, &site, &configuration("enrolment = \"approve\"", ""));
    let one = tpp(&site, "PSDES-BE-1");
    assert_eq!(answer(&gate, &site, &one), refused("enrolment.pending"));
    eventually("a key that waits", || keys(&gate, "pending") == 1.0);
    assert_eq!(answer(&gate, &site, &one), refused("enrolment.pending"));
    let mut connection =
        TlsClient::new(&site.bank).credential(&one).connect(gate.address("tpp")).expect("a connection");
    assert_eq!(connection.get("/v1/accounts").expect("an answer").status, 403);
    gate.rewrite(&configuration("enrolment = \"closed\"", "").to_toml());
    gate.reload();
    let mut others = 0;
    eventually("closed", || {
        others += 1;
        let other = tpp(&site, &format!("PSDES-BE-other{others}"));
        answer(&gate, &site, &other) == refused("enrolment.closed")
    });
    assert_eq!(answer(&gate, &site, &one), refused("enrolment.pending"));
    // Who was refused before is told by the new rules, and not cut off.
    assert_eq!(connection.get("/v1/accounts").expect("an answer").status, 403);
    let last = format!("psd2:PSDES-BE-other{others}");
    assert!(events(&site).iter().all(|record| record["identity"] != last.as_str()), "no key is made");
}

#[test]
fn there_is_room_for_so_many_and_those_who_are_known_pass_on() {
    let site = Site::new();
    let gate = Gate::start(PORTCULLIS, &site, &configuration("capacity = 1", ""));
    let one = tpp(&site, "PSDES-BE-1");
    assert_eq!(answer(&gate, &site, &one), (200, None));
    eventually("a key", || keys(&gate, "active") == 1.0);
    eventually("no room", || answer(&gate, &site, &tpp(&site, "PSDES-BE-2")) == refused("enrolment.full"));
    assert_eq!(answer(&gate, &site, &one), (200, None));
}

#[test]
fn a_key_whose_last_certificate_ends_soon_is_told_of_once() {
    let site = Site::new();
    let configuration = configuration("", "");
    let credential = |identifier: &str, days| {
        let tpp = TppCertificate::new("Lindenblatt").roles([Role::PspAi]);
        site.issue(tpp.organization_identifier(identifier).validity(Validity::days(days)))
    };
    {
        let gate = Gate::start(PORTCULLIS, &site, &configuration);
        let (old, renewed) = (credential("PSDES-BE-1", 9), credential("PSDES-BE-1", 90));
        for one in [&credential("PSDES-BE-2", 29), &credential("PSDES-BE-3", 31), &old, &renewed] {
            assert_eq!(answer(&gate, &site, one), (200, None));
        }
        eventually("all are known", || events(&site).len() == 4);
    }
    let _gate = Gate::start(PORTCULLIS, &site, &configuration);
    let told =
        || events(&site).into_iter().filter(|record| record["action"] == "expires").collect::<Vec<_>>();
    eventually("it is told", || !told().is_empty());
    let told = told();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0]["identity"], "psd2:PSDES-BE-2");
    assert!(told[0]["not_after_unix_s"].is_i64() && told[0]["thumbprint_sha256"].is_string());
}

#[test]
fn who_is_refused_for_the_certificate_gets_no_key() {
    let site = Site::new();
    let gate = Gate::start(PORTCULLIS, &site, &configuration("", "refusals = \"http\"\n"));
    let roleless = site.issue(TppCertificate::new("Lindenblatt").roles([] as [Role; 0]));
    let client = TlsClient::new(&site.bank).credential(&roleless);
    assert_eq!(client.get(gate.address("tpp"), "/v1/accounts").expect("an answer").status, 403);
    assert_eq!(answer(&gate, &site, &tpp(&site, "PSDES-BE-1")), (200, None));
    eventually("one key", || keys(&gate, "active") == 1.0);
    assert_eq!(events(&site).len(), 1);
}
