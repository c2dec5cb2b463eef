//! Peers that speak h2 and take nothing. One asks for more than its socket holds and never reads; one opens no window, so that the
//! gate may not even send. Both look busy for ever to a gate that counts what is under way. Both are closed as
//! stalled, in the time set, and neither keeps a descriptor.

use portcullis_test_harness::{Configuration, Gate, H2Client, HOST, Site, TlsClient, eventually};
use portcullis_test_pki::Role;

const PORTCULLIS: &str = env!("CARGO_BIN_EXE_portcullis");

/// Times of which only one is short, so that it must be the one that ends the connection.
const NEVER: &str = "1h";
const ANSWER_BYTES: usize = 1024 * 1024;
/// More than the buffers of both sockets take at their largest, 10 MiB by default, and no more streams than are allowed.
const ANSWERS: usize = 40;
/// The largest window (RFC 9113 6.9.1).
const ALL: u32 = 0x7fff_ffff;

fn gate(site: &Site, idle_timeout: &str, stall_timeout: &str) -> Gate {
    let body = "x".repeat(ANSWER_BYTES);
    let route = format!("[[route]]\npath = \"/\"\nrespond = {{ status = 200, body = \"{body}\" }}");
    let limits = format!("idle_timeout = \"{idle_timeout}\"\nstall_timeout = \"{stall_timeout}\"");
    Gate::start(PORTCULLIS, site, &Configuration::default().routes(&route).limits(&limits))
}

/// Lets a peer of that window ask and never read; sees it closed for `reason`, alone.
fn ask_and_take_nothing(site: &Site, gate: &Gate, window_bytes: u32, answers: usize, reason: &str) {
    let client = TlsClient::new(&site.bank).credential(&site.tpp(&[Role::PspAi]));
    let address = gate.address("tpp");
    assert_eq!(client.get(address, "/").expect("an answer").status, 200);
    let closed = |labels: &[(&str, &str)]| gate.metrics().sum("portcullis_connections_closed_total", labels);
    eventually("the first has left", || closed(&[]) == 1.0);
    let descriptors = gate.process().descriptor_count();
    let mut peer = H2Client::connect_with_window(&client, address, window_bytes).expect("a session");
    for _ in 0..answers {
        peer.ask(HOST.as_bytes(), b"/").expect("the gate reads on");
    }
    eventually("the peer is closed", || closed(&[]) == 2.0);
    assert_eq!(closed(&[("reason", reason)]), 1.0, "{}", gate.metrics().text());
    eventually("its descriptor is free", || gate.process().descriptor_count() <= descriptors + 3);
    assert_eq!(client.get(address, "/").expect("others are served").status, 200);
    drop(peer);
}

#[test]
fn a_peer_that_never_reads_is_stalled() {
    let site = Site::new();
    let gate = gate(&site, NEVER, "1s");
    ask_and_take_nothing(&site, &gate, ALL, ANSWERS, "stalled");
}

#[test]
fn a_peer_without_a_window_stalls() {
    let site = Site::new();
    // Nothing is queued for it, so nothing waits in a socket; each answer has its own deadline.
    let gate = gate(&site, NEVER, "1s");
    ask_and_take_nothing(&site, &gate, 0, 3, "stalled");
}
