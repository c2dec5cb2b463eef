//! A gate that limits the holders of keys: by rate, by what is under way, by connections, by the day, and by what each may do at all; by
//! the policy of a key, of its tags or roles, or the default; across shards, renewals and restarts of nothing but the clock.

use std::time::Instant;

use portcullis_test_harness::{
    Backend, Configuration, Gate, H2Client, Response, Site, TlsClient, TlsConnection, eventually, h2_request,
};
use portcullis_test_pki::{Credential, Role, TppCertificate};
use serde_json::Value;

const PORTCULLIS: &str = env!("CARGO_BIN_EXE_portcullis");
const RULES: &str = "mode = \"required\"\nprofile = \"psd2\"\nanchors = [\"qtsp.pem\"]\n";
const JSON: &str = "Content-Type: application/json\r\n";

fn configuration(sections: &str) -> Configuration {
    Configuration::psd2().client_auth(RULES).and(&keys(sections))
}

fn keys(sections: &str) -> String {
    format!("[keys]\nstore = \"keys.redb\"\n{sections}\n")
}

fn tpp(site: &Site, identifier: &str, roles: &[Role]) -> Credential {
    let tpp = TppCertificate::new("Lindenblatt Kontodienst GmbH").roles(roles.iter().copied());
    site.issue(tpp.organization_identifier(identifier))
}

fn client(site: &Site, identifier: &str) -> TlsClient {
    TlsClient::new(&site.bank).credential(&tpp(site, identifier, &[Role::PspAi]))
}

fn ask(gate: &Gate, client: &TlsClient) -> Response {
    client.get(gate.address("tpp"), "/v1/accounts").expect("an answer")
}

fn code(response: &Response) -> Option<String> {
    let json: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    json["code"].as_str().map(str::to_owned)
}

fn told(response: &Response) -> (u16, Option<String>) {
    (response.status, code(response).filter(|_| response.status != 200))
}

fn no(status: u16, code: &str) -> (u16, Option<String>) {
    (status, Some(code.to_owned()))
}

/// Waits until every shard knows the key of a client, as far as can be seen: what is asked until then may count, or not.
fn until_known(gate: &Gate, client: &TlsClient) {
    let is_known = || {
        let answer = ask(gate, client);
        let json: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        answer.status == 429 || json["enrolment"]["status"] == "active"
    };
    eventually("its key is known", || (0..12).all(|_| is_known()));
}

fn key_ids(gate: &Gate) -> Vec<String> {
    let listed: Value = serde_json::from_slice(&gate.ask("GET /v1/keys", "", "").body).expect("JSON");
    let keys = listed["keys"].as_array().expect("keys");
    keys.iter().filter_map(|key| key["id"].as_str().map(str::to_owned)).collect()
}

#[test]
fn a_rate_holds_for_a_holder_whatever_shard_and_certificate_it_comes_by() {
    let site = Site::new();
    let policy = "default_policy = \"slow\"\n[policy.slow]\nrate = \"60/m\"\nburst = 20";
    let gate = Gate::start(PORTCULLIS, &site, &configuration(policy).runtime("shards = 2"));
    let clients = [client(&site, "PSDES-BE-1"), client(&site, "PSDES-BE-1")];
    let begin = Instant::now();
    until_known(&gate, &clients[0]);
    let (mut admitted, mut refused) = (0, 0);
    for round in 0..60 {
        let answer = ask(&gate, &clients[round % 2]);
        match answer.status {
            200 => admitted += 1,
            _ => {
                refused += 1;
                assert_eq!(told(&answer), no(429, "policy.rate"));
                assert_eq!(answer.header("ratelimit-policy"), Some("\"rate\";q=60;w=60"));
                assert_eq!(answer.header("ratelimit"), Some("\"rate\";r=0;t=1"));
                assert_eq!(answer.header("retry-after"), Some("1"));
            }
        }
    }
    // A burst, and one for each second that went by.
    let most = 20 + begin.elapsed().as_secs() + 1;
    assert!(admitted <= most && refused > 0, "{admitted} of at most {most}, {refused} refused");
    assert_eq!(ask(&gate, &client(&site, "PSDES-BE-2")).status, 200, "nobody spends what is another's");
    let count = || gate.metrics().sum("portcullis_requests_refused_total", &[("code", "policy.rate")]);
    eventually("they are counted", || count() >= f64::from(refused));
    eventually("there is one again", || ask(&gate, &clients[1]).status == 200);
}

#[test]
fn the_policy_of_a_key_goes_before_that_of_its_tag_its_role_and_the_default() {
    let site = Site::new();
    let policies = "default_policy = \"default\"\n\
        [[keys.assign]]\ntag = \"tagged\"\npolicy = \"of-tag\"\n\
        [[keys.assign]]\nrole = \"PSP_IC\"\npolicy = \"of-role\"\n\
        [policy.default]\nmethods = [\"POST\"]\n[policy.of-tag]\npaths = [\"/v2\"]\n\
        [policy.of-role]\nnetworks = [\"192.0.2.0/24\"]\n[policy.own]\ndeny = true";
    let gate = Gate::start(PORTCULLIS, &site, &configuration(policies));
    let plain = client(&site, "PSDES-BE-1");
    let issuing =
        TlsClient::new(&site.bank).credential(&tpp(&site, "PSDES-BE-2", &[Role::PspAi, Role::PspIc]));
    assert_eq!(told(&ask(&gate, &issuing)), no(403, "policy.network"));
    assert_eq!(told(&ask(&gate, &plain)), no(403, "policy.method"), "before its key is made, too");
    eventually("their keys", || key_ids(&gate).len() == 2);
    let id = key_ids(&gate)
        .into_iter()
        .find(|id| gate.ask(&format!("GET /v1/keys/{id}"), "", "").text().contains("PSDES-BE-1"))
        .expect("the first");
    let mut connection = plain.connect(gate.address("tpp")).expect("a connection");
    // It reaches connections that live.
    let mut holds = |expected: (u16, Option<String>)| {
        eventually("it holds", || told(&connection.get("/v1/accounts").expect("an answer")) == expected);
    };
    let change =
        |body: &str| assert_eq!(gate.ask(&format!("PATCH /v1/keys/{id}"), JSON, body).status, 200, "{body}");
    change("{\"tags\":[\"tagged\"]}");
    holds(no(403, "policy.path"));
    change("{\"policy\":\"own\"}");
    holds(no(403, "policy.denied"));
    // One that is gone is as none; whoever had it has what goes for others.
    gate.rewrite(&configuration(&policies.replace("[policy.own]\ndeny = true", "")).to_toml());
    gate.reload();
    holds(no(403, "policy.path"));
    change("{\"tags\":[],\"policy\":null}");
    holds(no(403, "policy.method"));
    gate.rewrite(&configuration(&policies.replace("[\"POST\"]", "[\"GET\"]")).to_toml());
    gate.reload();
    eventually("a new rule holds", || connection.get("/v1/accounts").expect("an answer").status == 200);
}

#[test]
fn who_gets_a_faster_rate_does_not_wait_for_the_slow_one() {
    let site = Site::new();
    let policies = |rate: &str| {
        let rest = "burst = 5\n[policy.own]\nrate = \"50/s\"";
        let policies = format!("default_policy = \"slow\"\n[policy.slow]\nrate = \"{rate}\"\n{rest}");
        configuration(&policies).runtime("shards = 2")
    };
    let gate = Gate::start(PORTCULLIS, &site, &policies("1/h"));
    let one = client(&site, "PSDES-BE-1");
    eventually("its key is made", || ask(&gate, &one).status == 200 && key_ids(&gate).len() == 1);
    let mut connection = one.connect(gate.address("tpp")).expect("a connection");
    let mut get = || connection.get("/v1/accounts").expect("an answer");
    let is_slow = |answer: &Response| answer.header("ratelimit-policy") == Some("\"rate\";q=1;w=3600");
    eventually("it is spent", || is_slow(&get()));
    gate.rewrite(&policies("20/s").to_toml());
    gate.reload();
    eventually("the policy is another", || get().status == 200);
    gate.rewrite(&policies("1/h").to_toml());
    gate.reload();
    eventually("it is spent again", || is_slow(&get()));
    let id = key_ids(&gate).remove(0);
    assert_eq!(gate.ask(&format!("PATCH /v1/keys/{id}"), JSON, "{\"policy\":\"own\"}").status, 200);
    eventually("the key has another", || get().status == 200);
}

#[test]
fn so_many_connections_at_a_time() {
    let site = Site::new();
    let policies = "default_policy = \"few\"\n[policy.few]\nconnections_max = 2";
    let gate = Gate::start(PORTCULLIS, &site, &configuration(policies).runtime("shards = 2"));
    let one = client(&site, "PSDES-BE-1");
    until_known(&gate, &one);
    let connect = || one.connect(gate.address("tpp")).expect("a connection");
    let get = |connection: &mut TlsConnection| told(&connection.get("/v1/accounts").expect("an answer"));
    let mut held = None;
    eventually("the earlier one is gone", || {
        let (mut first, mut second) = (connect(), connect());
        let are_served = get(&mut first).0 == 200 && get(&mut second).0 == 200;
        held = are_served.then_some((first, second));
        are_served
    });
    let (mut first, _second) = held.expect("both");
    let mut third = connect();
    assert_eq!(get(&mut third), no(429, "policy.connections"));
    assert_eq!(get(&mut first).0, 200);
    drop(first);
    eventually("there is room for it", || get(&mut third).0 == 200);
    assert_eq!(get(&mut connect()), no(429, "policy.connections"));
    assert_eq!(ask(&gate, &client(&site, "PSDES-BE-2")).status, 200);
}

#[test]
fn a_day_has_its_quota() {
    let site = Site::new();
    let policies = "default_policy = \"day\"\n[policy.day]\ndaily_quota = 50";
    let gate = Gate::start(PORTCULLIS, &site, &configuration(policies));
    let one = client(&site, "PSDES-BE-1");
    until_known(&gate, &one);
    let answers: Vec<_> = (0..60).map(|_| ask(&gate, &one)).collect();
    let admitted = answers.iter().filter(|answer| answer.status == 200).count();
    // Some went before.
    assert!((1..50).contains(&admitted), "{admitted}");
    let last = answers.last().expect("sixty");
    assert_eq!(told(last), no(429, "policy.quota"));
    assert!(last.header("ratelimit-policy").is_some_and(|policy| policy == "\"day\";q=50;w=86400"));
    assert!(
        last.header("retry-after")
            .and_then(|after| after.parse::<u32>().ok())
            .is_some_and(|after| after <= 86_400)
    );
}

#[test]
fn a_body_is_as_long_as_it_may_be_whether_its_length_is_announced_or_not() {
    let site = Site::new();
    let backend = Backend::echoing();
    let upstream = Configuration::upstream("bank", &[backend.address()], "");
    let policy = format!("default_policy = \"small\"\n[policy.small]\nbody_bytes_max = \"10k\"\n{upstream}");
    let routes = "[[route]]\npath = \"/\"\nupstream = \"bank\"";
    let gate = Gate::start(PORTCULLIS, &site, &configuration(&policy).routes(routes));
    let one = client(&site, "PSDES-BE-1");
    let metric = |name: &str, labels: &[(&str, &str)]| gate.metrics().sum(name, labels);
    eventually("its key is known", || {
        ask(&gate, &one);
        let key = key_ids(&gate).pop();
        key.is_some_and(|key| metric("portcullis_key_requests_total", &[("key", &key)]) > 0.0)
    });
    let send = |framing: &str, body: &str| {
        let mut connection = one.connect(gate.address("tpp")).expect("a connection");
        let request = format!("POST / HTTP/1.1\r\nHost: localhost\r\n{framing}\r\n\r\n{body}");
        told(&connection.request(request.as_bytes()).expect("an answer"))
    };
    let announced = |length: usize| send(&format!("Content-Length: {length}"), &"b".repeat(length));
    let chunked = |chunks: usize| {
        let chunk = format!("400\r\n{}\r\n", "c".repeat(1024));
        send("Transfer-Encoding: chunked", &format!("{}0\r\n\r\n", chunk.repeat(chunks)))
    };
    assert_eq!(announced(10 << 10).0, 200);
    assert_eq!(chunked(10).0, 200);
    backend.forget();
    assert_eq!(announced((10 << 10) + 1), no(413, "policy.body"));
    assert_eq!(backend.count(), 0, "nothing of it is sent on");
    assert_eq!(chunked(11), no(413, "policy.body"));
    // The rest of a body that is too long is none of the next request, on either protocol.
    let chunks = format!("400\r\n{}\r\n", "c".repeat(1024)).repeat(11);
    let mut connection = one.connect(gate.address("tpp")).expect("a connection");
    let head = "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
    let next = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    connection.send(format!("{head}{chunks}5\r\nGET /\r\n0\r\n\r\n{next}").as_bytes()).expect("it is sent");
    assert_eq!(told(&connection.receive().expect("an answer")), no(413, "policy.body"));
    assert_eq!(connection.receive().expect("an answer").status, 200);
    let mut h2 = H2Client::connect(&one, gate.address("tpp")).expect("a connection");
    let stream = h2.open(&h2_request("POST", "/"), false).expect("a stream");
    assert_eq!(h2.send_data(stream, &[b'c'; 11 << 10], true).expect("it is sent"), 11 << 10);
    assert_eq!(h2.receive(stream).expect("an answer").status, 413);
    assert_eq!(h2.request(&h2_request("GET", "/")).expect("an answer").status, 200);
    let key = key_ids(&gate).remove(0);
    let key = ("key", key.as_str());
    eventually("what went on is counted", || {
        let bytes = |name| metric(name, &[key]);
        bytes("portcullis_key_received_bytes_total") >= f64::from(20 << 10)
            && bytes("portcullis_key_sent_bytes_total") >= f64::from(20 << 10)
    });
    assert_eq!(metric("portcullis_key_refusals_total", &[key, ("code", "policy.body")]), 4.0);
    assert!(metric("portcullis_key_answer_time_seconds", &[key]) > 0.0);
}

#[test]
fn what_cannot_be_meant_is_told_with_its_place() {
    let site = Site::new();
    let check = |text: &str| {
        let output = Gate::output(PORTCULLIS, &["check"], &site, text);
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    for (sections, key, words) in [
        ("default_policy = \"none\"", "keys.default_policy", "there is no [policy.\"none\"]"),
        ("[policy.a]\nrate = \"fast\"", "policy.a.rate", "is no rate"),
        ("[policy.a]\nburst = 3", "policy.a.burst", "without a rate"),
        ("[policy.a]\nnetworks = [\"192.0.2.7/24\"]", "policy.a.networks[0]", "is no network"),
        ("[policy.a]\nhours = [\"weekdays\"]", "policy.a.hours[0]", "is no time"),
        ("[policy.a]\nmethods = [\"get\"]", "policy.a.methods[0]", "is no method"),
        ("[policy.a]\npaths = [\"v1\"]", "policy.a.paths[0]", "is no path"),
        ("[policy.a]\ncolour = 1", "policy.a.colour", ""),
        ("[[keys.assign]]\npolicy = \"a\"\n[policy.a]\ndeny = true", "keys.assign[0]", "a tag or a role"),
        (
            "[[keys.assign]]\ntag = \"a b\"\npolicy = \"a\"\n[policy.a]\ndeny = true",
            "keys.assign[0].tag",
            "is no tag",
        ),
    ] {
        let complaint = check(&configuration(sections).to_toml());
        assert!(complaint.contains(key) && complaint.contains(words), "{sections}: {complaint}");
    }
    let without_keys = Configuration::psd2().and("[policy.a]\ndeny = true\n").to_toml();
    assert!(check(&without_keys).contains("there is no [keys]"));
}
