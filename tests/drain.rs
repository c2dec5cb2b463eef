//! The end of a gate. On SIGTERM it takes no more connections, lets those who are being served finish, closes those who only sit
//! there, and ends with 0; who takes too long is left behind at the end of the time set.

use std::io::Write as _;
use std::net::TcpStream;

use portcullis_test_harness::{
    Configuration, DEADLINE, Gate, H2Client, HOST, Refusal, Site, TlsClient, eventually,
};
use portcullis_test_pki::Role;

const PORTCULLIS: &str = env!("CARGO_BIN_EXE_portcullis");

fn gate(site: &Site, drain_timeout: &str) -> Gate {
    gate_with(site, drain_timeout, Configuration::default())
}

fn gate_with(site: &Site, drain_timeout: &str, configuration: Configuration) -> Gate {
    // One shard takes what comes in order, so that a test knows what it has read.
    let runtime = format!("shards = 1\ndrain_timeout = \"{drain_timeout}\"");
    Gate::start(PORTCULLIS, site, &configuration.runtime(&runtime))
}

fn client(site: &Site) -> TlsClient {
    TlsClient::new(&site.bank).credential(&site.tpp(&[Role::PspAi]))
}

fn takes_nobody(gate: &Gate, client: &TlsClient) -> bool {
    client.get(gate.address("tpp"), "/").is_err()
}

#[test]
fn a_gate_without_clients_ends_at_once() {
    let site = Site::new();
    let mut gate = gate(&site, "5m");
    gate.terminate();
    assert_eq!(gate.wait().code(), Some(0));
}

#[test]
fn who_is_being_served_is_served_and_who_sits_there_is_not_kept() {
    let site = Site::new();
    // Longer than the test waits: nothing here may need the time.
    let mut gate = gate(&site, "5m");
    let client = client(&site);
    let mut idle = client.connect(gate.address("tpp")).expect("a session");
    assert_eq!(idle.get("/").expect("an answer").status, 200);
    let mut idle_h2 = H2Client::connect(&client, gate.address("tpp")).expect("a session");
    assert_eq!(idle_h2.get(HOST.as_bytes(), b"/").expect("an answer").status, 200);
    let mut asking = client.connect(gate.address("tpp")).expect("a session");
    asking.send(format!("GET / HTTP/1.1\r\nHost: {HOST}\r\n").as_bytes()).expect("half a request");
    // The shard has read this half once it has answered what came later.
    assert_eq!(idle.get("/").expect("an answer").status, 200);

    let address = gate.address("tpp");
    gate.terminate();
    eventually("nobody new is taken", || takes_nobody(&gate, &client));
    assert_eq!(idle.end(), Refusal::Closed);
    let response = asking.request(b"\r\n").expect("the answer to what was begun");
    assert_eq!((response.status, response.text().as_str()), (200, "ok\n"));
    assert_eq!(asking.end(), Refusal::Closed);
    drop(idle_h2);
    assert_eq!(gate.wait().code(), Some(0));
    assert!(TcpStream::connect_timeout(&address, DEADLINE).is_err(), "the port is free");
}

#[test]
fn who_takes_too_long_is_left_behind() {
    let site = Site::new();
    let mut gate = gate(&site, "1s");
    let client = client(&site);
    let mut slow = client.connect(gate.address("tpp")).expect("a session");
    slow.send(b"GET / HTTP/1.1\r\n").expect("half a request");
    let half_open = TcpStream::connect(gate.address("tpp")).expect("the gate accepts");
    gate.terminate();
    assert_eq!(gate.wait().code(), Some(0));
    assert_eq!(slow.end(), Refusal::Closed);
    drop(half_open);
}

#[test]
fn a_handshake_under_way_ends_with_the_drain() {
    let site = Site::new();
    let client = client(&site);
    let in_flight = |gate: &Gate| gate.metrics().sum("portcullis_tls_handshakes_in_flight", &[]);
    // One that comes to its end is no reason to wait for the drain's.
    let mut finishing = gate(&site, "5m");
    let address = finishing.address("tpp");
    let connection = client.connect_around(address, || {
        eventually("the first half is read", || in_flight(&finishing) == 1.0);
        finishing.terminate();
        eventually("nobody new is taken", || TcpStream::connect(address).is_err());
    });
    // Whether it was closed within the handshake or behind it, it is not kept.
    let end = connection.map_or_else(|refusal| refusal, |mut connection| connection.end());
    assert_eq!(end, Refusal::Closed);
    assert_eq!(finishing.wait().code(), Some(0));
    let half_a_hello = |gate: &Gate| {
        let mut socket = TcpStream::connect(gate.address("tpp")).expect("the gate accepts");
        let hello = client.hello();
        socket.write_all(&hello[..hello.len() / 2]).expect("half a hello");
        eventually("the first half is read", || in_flight(gate) == 1.0);
        socket
    };
    // One that does not is left behind,
    let mut hanging = gate(&site, "1s");
    let _socket = half_a_hello(&hanging);
    hanging.terminate();
    assert_eq!(hanging.wait().code(), Some(0));
    // or closed when its own time is over.
    let short = Configuration::default().limits("handshake_timeout = \"3s\"");
    let mut patient = gate_with(&site, "5m", short);
    let _socket = half_a_hello(&patient);
    patient.terminate();
    assert_eq!(patient.wait().code(), Some(0));
}
