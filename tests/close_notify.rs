//! `close_notify`, from either side. A peer may send it and go on, which RFC 8446 6.1 has ignored: rustls takes nothing behind it,
//! and a gate that fed it until all was taken fed it for ever, with every other client of the shard waiting. And the gate sends it to
//! whom it closes for being quiet, so that the peer knows the end for an end and not for a cut.

use std::time::Duration;

use portcullis_test_harness::{
    Configuration, Gate, H2Client, HOST, Refusal, Site, TlsClient, Version, eventually,
};
use portcullis_test_pki::Role;

const PORTCULLIS: &str = env!("CARGO_BIN_EXE_portcullis");

const OBSERVED: Duration = Duration::from_secs(1);
/// A shard that spins uses 100 ticks (of 10 ms) in the time observed, even one that has a core with others half of them.
const TICKS_MAX: u64 = 25;

/// rustls takes 4 kB at once. Only a gate that reads more than that at once can have something left behind a `close_notify`: what
/// comes before makes its reads grow.
const BEFORE_BYTES: usize = 40 * 1024;
const BEHIND_BYTES: usize = 64 * 1024;
/// A PING (RFC 9113 6.7), which every h2 connection may send.
const PING: &[u8] = &[0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];

fn client(site: &Site) -> TlsClient {
    TlsClient::new(&site.bank).credential(&site.tpp(&[Role::PspAi]))
}

fn closed(gate: &Gate, reason: &str) -> f64 {
    gate.metrics().sum("portcullis_connections_closed_total", &[("reason", reason)])
}

#[test]
fn what_comes_behind_close_notify_is_dropped() {
    let site = Site::new();
    // One shard: who spins on it keeps everybody waiting.
    let gate = Gate::start(PORTCULLIS, &site, &Configuration::default());
    let (client, address) = (client(&site), gate.address("tpp"));
    assert_eq!(client.get(address, "/").expect("an answer").status, 200);
    let descriptors = gate.process().descriptor_count();
    let mut ended = Vec::new();
    for version in Version::BOTH {
        let client = client.clone().version(version);
        let mut h1 = client.connect(address).expect("a session");
        assert_eq!(h1.get("/").expect("an answer").status, 200);
        let mut h2 = H2Client::connect(&client, address).expect("a session");
        assert_eq!(h2.get(HOST.as_bytes(), b"/").expect("an answer").status, 200);
        let requests = format!("GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n").repeat(BEFORE_BYTES / 40);
        let pings = PING.repeat(BEFORE_BYTES / PING.len());
        for (mut connection, before) in [(h1, requests.as_bytes()), (h2.into_connection(), &pings)] {
            connection.notify_and_go_on(before, &[0x17; BEHIND_BYTES]).expect("the gate takes it");
            assert_eq!(connection.end_after_rest(), Refusal::Closed, "{version:?}");
            ended.push(connection);
        }
    }
    assert_eq!(client.get(address, "/").expect("others are served").status, 200);
    let before = gate.process().cpu_ticks();
    std::thread::sleep(OBSERVED);
    let used = gate.process().cpu_ticks() - before;
    assert!(used <= TICKS_MAX, "{used} ticks of processor time for nothing");
    drop(ended);
    eventually("descriptors are free again", || gate.process().descriptor_count() <= descriptors + 3);
}

#[test]
fn who_is_quiet_is_told_of_the_end() {
    let site = Site::new();
    let gate = Gate::start(PORTCULLIS, &site, &Configuration::default().limits("idle_timeout = \"1s\""));
    for (ends, version) in [(1.0, Version::Tls12), (2.0, Version::Tls13)] {
        let mut connection = client(&site).version(version).connect(gate.address("tpp")).expect("a session");
        assert_eq!(connection.get("/").expect("an answer").status, 200);
        assert_eq!(connection.end(), Refusal::Closed, "{version:?}");
        assert!(connection.was_notified(), "{version:?}: cut off without close_notify");
        eventually("it is counted as idle", || closed(&gate, "idle") == ends);
    }
}
