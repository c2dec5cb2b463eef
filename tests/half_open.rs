//! A crowd at the door. A thousand peers begin a handshake and stop; a thousand more come in, ask once and stay. The gate goes on
//! serving; when the crowd leaves, its descriptors are free and its memory is too. A peer that only ever begins is shown out at
//! the deadline, and beyond the bounds for handshakes in flight, in all or from one source, a newcomer is closed unread, before
//! the gate has spent a signature on it.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use portcullis_test_harness::{
    Configuration, DEADLINE, Gate, Refusal, Site, TlsClient, TlsConnection, allow_descriptors, eventually,
};
use portcullis_test_pki::Role;

const PORTCULLIS: &str = env!("CARGO_BIN_EXE_portcullis");

const CROWD: usize = 1000;
/// Both crowds on both sides, with room for the rest of the process.
const DESCRIPTORS: u64 = 4096;
/// Descriptors that may differ for no fault of the gate: a scrape that is just ending.
const DESCRIPTORS_SLACK: usize = 3;
/// How much of the memory that a crowd took may be kept when it has gone: tables that have grown, odd pages of the allocator.
const KEPT_OF_TAKEN: f64 = 0.25;

/// Peers that send half a ClientHello and wait.
fn begin(address: SocketAddr, client: &TlsClient, count: usize) -> Vec<TcpStream> {
    let hello = client.hello();
    let half = &hello[..hello.len() / 2];
    let begin = || {
        let mut socket = TcpStream::connect(address).expect("the gate accepts");
        socket.set_read_timeout(Some(DEADLINE)).expect("a socket takes a timeout");
        // The gate may have closed it already.
        let _ = socket.write_all(half);
        socket
    };
    (0..count).map(|_| begin()).collect()
}

/// Clients that ask once and stay.
fn stay(address: SocketAddr, client: &TlsClient, count: usize) -> Vec<TlsConnection> {
    let stay = || {
        let mut connection = client.connect(address).expect("a session");
        assert_eq!(connection.get("/").expect("an answer").status, 200);
        connection
    };
    (0..count).map(|_| stay()).collect()
}

fn is_closed(mut socket: &TcpStream) -> bool {
    match socket.read(&mut [0; 64]) {
        Ok(count) => count == 0,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    }
}

fn in_flight(gate: &Gate) -> f64 {
    gate.metrics().sum("portcullis_tls_handshakes_in_flight", &[])
}

fn shed(gate: &Gate, reason: &str) -> f64 {
    gate.metrics().sum("portcullis_tls_handshakes_shed_total", &[("reason", reason)])
}

/// Lets both crowds in, sees that a newcomer is served, and lets them out; returns the memory that was held, in KiB.
fn host_the_crowds(gate: &Gate, client: &TlsClient, descriptors: usize) -> u64 {
    let address = gate.address("tpp");
    let half_open = begin(address, client, CROWD);
    let idle = stay(address, client, CROWD);
    eventually("all are counted", || in_flight(gate) >= 1000.0);
    assert_eq!(client.get(address, "/").expect("a newcomer is served").status, 200);
    let process = gate.process();
    let held_kib = process.anonymous_kib();
    drop((half_open, idle));
    eventually("descriptors are free again", || {
        process.descriptor_count() <= descriptors + DESCRIPTORS_SLACK
    });
    eventually("nothing is in flight", || in_flight(gate) == 0.0);
    eventually("no connection is open", || gate.metrics().sum("portcullis_connections", &[]) == 0.0);
    held_kib
}

#[test]
fn crowds_come_and_go_without_a_trace() {
    allow_descriptors(DESCRIPTORS);
    let site = Site::new();
    let limits = "handshake_timeout = \"5m\"\nidle_timeout = \"5m\"\nhandshakes_per_source_max = 0";
    let gate = Gate::start(PORTCULLIS, &site, &Configuration::default().limits(limits));
    let client = TlsClient::new(&site.bank).credential(&site.tpp(&[Role::PspAi]));
    assert_eq!(client.get(gate.address("tpp"), "/").expect("an answer").status, 200);
    let (descriptors, before_kib) = (gate.process().descriptor_count(), gate.process().anonymous_kib());
    // What is lost with each crowd would add up; what is only kept for the next one does not.
    for crowd in ["first", "second", "third"] {
        let held_kib = host_the_crowds(&gate, &client, descriptors);
        let taken_kib = held_kib.saturating_sub(before_kib) as f64;
        let kept_kib = || gate.process().anonymous_kib().saturating_sub(before_kib) as f64;
        let what = format!(
            "memory is given back after the {crowd} crowd: {before_kib} KiB before, {held_kib} KiB held"
        );
        eventually(&what, || kept_kib() <= taken_kib * KEPT_OF_TAKEN);
        println!("{what}, {} KiB after", before_kib as f64 + kept_kib());
    }
}

#[test]
fn a_handshake_that_does_not_end_is_ended() {
    let site = Site::new();
    let limits = "handshake_timeout = \"1s\"";
    let gate = Gate::start(PORTCULLIS, &site, &Configuration::default().limits(limits));
    let client = TlsClient::new(&site.bank).credential(&site.tpp(&[Role::PspAi]));
    let address = gate.address("tpp");
    let half_open = begin(address, &client, 50);
    let silent: Vec<_> = (0..50).map(|_| TcpStream::connect(address).expect("the gate accepts")).collect();
    for socket in half_open.iter().chain(&silent) {
        socket.set_read_timeout(Some(DEADLINE)).expect("a socket takes a timeout");
        assert!(is_closed(socket), "a peer without a handshake is still there");
    }
    let timeouts = || gate.metrics().sum("portcullis_tls_handshake_failures_total", &[("reason", "timeout")]);
    eventually("each is counted", || timeouts() == 100.0);
    // The deadline is that of the handshake: who has finished it may stay.
    let mut connection = client.connect(address).expect("a session");
    std::thread::sleep(std::time::Duration::from_millis(1500));
    assert_eq!(connection.get("/").expect("an answer").status, 200);
}

#[test]
fn a_trickle_does_not_put_the_deadline_off() {
    let site = Site::new();
    let gate = Gate::start(PORTCULLIS, &site, &Configuration::default().limits("handshake_timeout = \"1s\""));
    let client = TlsClient::new(&site.bank).credential(&site.tpp(&[Role::PspAi]));
    let mut socket = TcpStream::connect(gate.address("tpp")).expect("the gate accepts");
    let hello = client.hello();
    // One byte each 100 ms: the whole hello would take minutes.
    let cut_off = hello.iter().any(|byte| {
        std::thread::sleep(std::time::Duration::from_millis(100));
        socket.write_all(&[*byte]).is_err()
    });
    assert!(cut_off, "the gate read on to the end");
}

#[test]
fn beyond_the_bounds_a_newcomer_is_closed_unread() {
    let site = Site::new();
    let bounds = [("handshakes_per_source_max", "source"), ("handshakes_max", "handshakes")];
    for (key, reason) in bounds {
        let limits = format!("handshake_timeout = \"5m\"\n{key} = 10");
        let gate = Gate::start(PORTCULLIS, &site, &Configuration::default().limits(&limits));
        let client = TlsClient::new(&site.bank).credential(&site.tpp(&[Role::PspAi]));
        let address = gate.address("tpp");
        let mut idle = stay(address, &client, 20);
        let half_open = begin(address, &client, 10);
        eventually("the bound is reached", || in_flight(&gate) == 10.0);
        assert_eq!(client.refused(address), Refusal::Closed, "{key}");
        eventually("it is counted", || shed(&gate, reason) >= 1.0);
        // Those who are in are not in flight, and are not disturbed.
        assert_eq!(idle[0].get("/").expect("an answer").status, 200);
        drop(half_open);
        eventually("the door is open again", || client.get(address, "/").is_ok());
    }
}

#[test]
fn a_bound_on_connections_holds() {
    let site = Site::new();
    let gate = Gate::start(PORTCULLIS, &site, &Configuration::default().limits("connections_max = 10"));
    let client = TlsClient::new(&site.bank).credential(&site.tpp(&[Role::PspAi]));
    let address = gate.address("tpp");
    let idle = stay(address, &client, 10);
    assert_eq!(client.refused(address), Refusal::Closed);
    eventually("it is counted", || shed(&gate, "connections") >= 1.0);
    drop(idle);
    eventually("the door is open again", || client.get(address, "/").is_ok());
}
