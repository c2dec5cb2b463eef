//! How soon the connections of a revoked certificate end, and whether any others do.
//!
//! `cargo run --release -p portcullis-test-harness --example revocation_reach -- GATE [TPPS [CONNECTIONS]]`
//!
//! A gate on two shards has so many connections of each of so many TPPs (100 and 100 if nothing is said), all of them idle. A responder
//! that is asked every second then says of one that it is revoked. Printed is the time from that answer's being sent until the
//! first and the last of its connections were seen to end, how many of them did, and how many of the others answer a request
//! afterwards.

#![allow(clippy::print_stdout, reason = "it tells what it measured")]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use portcullis_test_harness::{Backend, Configuration, Gate, Next, Refusal, Site, TlsClient};
use portcullis_test_pki::revocation::OcspAnswer;
use portcullis_test_pki::{Role, TppCertificate};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What the responder says, by path, and when it first sent the answer that revokes.
#[derive(Default)]
struct Answers {
    by_path: HashMap<String, Vec<u8>>,
    revoked: Option<String>,
    sent_at: Option<Instant>,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let gate = arguments.first().expect("the path of the gate");
    let number = |at: usize| arguments.get(at).map_or(100, |text| text.parse().expect("a number"));
    let (tpps, each) = (number(1), number(2));
    let most = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most }).expect("more open files");

    let answers: Arc<Mutex<Answers>> = Arc::default();
    let asked = Arc::clone(&answers);
    let responder = Backend::start(move |exchange| {
        exchange.read_body()?;
        let path = exchange.received().target();
        let answer = {
            let mut answers = asked.lock().expect("a lock");
            if answers.revoked.as_ref() == Some(&path) && answers.sent_at.is_none() {
                answers.sent_at = Some(Instant::now());
            }
            answers.by_path.get(&path).cloned().unwrap_or_default()
        };
        exchange.answer(200, &answer)?;
        Ok(Next::Close)
    });
    let site = Site::new();
    let section = format!(
        "[revocation]\ncache = \"revocation\"\nprivate_hosts = [\"{}\"]\nrefresh_interval = \"1s\"\non_unknown = \"allow\"\n",
        responder.address()
    );
    let configuration = Configuration::psd2()
        .runtime("shards = 2")
        .limits("idle_timeout = \"1h\"\nhandshakes_per_source_max = 0")
        .and(&section);
    let gate = Gate::start(gate, &site, &configuration);
    let mut connections = Vec::new();
    let mut revoking = Vec::new();
    for tpp in 0..tpps {
        let path = format!("/{tpp}");
        let url = format!("http://{}{path}", responder.address());
        let certificate =
            TppCertificate::new(&format!("TPP {tpp}")).roles([Role::PspAi]).ocsp_responder(&url);
        let credential = site.issue(certificate);
        let about = || OcspAnswer::about(credential.leaf_der(), &site.qtsp);
        answers.lock().expect("a lock").by_path.insert(path, about().der().expect("an answer"));
        if tpp == tpps / 2 {
            revoking = about().revoked().der().expect("an answer");
        }
        let client = TlsClient::new(&site.bank).credential(&credential);
        for _ in 0..each {
            let mut connection = client.connect(gate.address("tpp")).expect("a connection");
            assert_eq!(connection.get("/v1/accounts").expect("an answer").status, 200);
            connections.push((tpp, connection));
        }
    }
    let connected = gate.metrics().sum("portcullis_connections", &[]);
    println!("connections            {connected}, of {tpps} certificates");
    let path = format!("/{}", tpps / 2);
    {
        let mut answers = answers.lock().expect("a lock");
        answers.by_path.insert(path.clone(), revoking);
        answers.revoked = Some(path);
    }
    let mut ended = Vec::new();
    for (_, connection) in connections.iter_mut().filter(|(tpp, _)| *tpp == tpps / 2) {
        connection.set_read_timeout(Duration::from_secs(120));
        if connection.end() == Refusal::Closed {
            ended.push(Instant::now());
        }
    }
    let sent_at = answers.lock().expect("a lock").sent_at.expect("it was asked");
    let after = |at: Option<&Instant>| at.map_or(f64::NAN, |at| (*at - sent_at).as_secs_f64() * 1e3);
    println!("ended                  {} of {each}", ended.len());
    println!(
        "after the answer       first {:.0} ms, last {:.0} ms",
        after(ended.first()),
        after(ended.last())
    );
    let mut alive = 0;
    for (_, connection) in connections.iter_mut().filter(|(tpp, _)| *tpp != tpps / 2) {
        alive += usize::from(connection.get("/v1/accounts").is_ok_and(|response| response.status == 200));
    }
    println!("of the others answer   {alive} of {}", (tpps - 1) * each);
}
