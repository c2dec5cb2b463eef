//! Nobody is asked to hold what another does not take. A backend that does not read makes its client wait, a client that does not
//! read makes its backend wait, and the gate between them holds little of it however much there is to come: its memory is watched
//! from outside while tens of megabytes stand on both sides. Who is only slow gets everything; who stalls is given up; and whoever
//! leaves in the middle takes the other side's connection with him.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use portcullis_test_harness::{
    Backend, Exchange, H2Refusal, HOST, Next, Passage, Refusal, eventually, h2_request, problem_code,
};

const PORTCULLIS: &str = env!("CARGO_BIN_EXE_portcullis");

const MIB: usize = 1 << 20;
/// What is sent against somebody who does not take it, by each of the peers.
const AGAINST: usize = 64 * MIB;
const PEERS: usize = 4;
/// What the gate may hold for all of them, in KiB: a small part of what is sent.
const HELD_KIB_MAX: u64 = 16 * 1024;
/// How long nothing must move for a sender to be taken for stopped.
const STILL: Duration = Duration::from_millis(500);

/// Bytes of which every stretch differs from the others, so that a lost or doubled piece shows.
fn pattern(length: usize) -> Vec<u8> {
    let words = u32::try_from(length / 4).expect("it is short");
    (0..words).flat_map(u32::to_be_bytes).collect()
}

fn differs_at(one: &[u8], other: &[u8]) -> Option<usize> {
    if one == other {
        return None;
    }
    let differ = one.iter().zip(other).position(|(one, other)| one != other);
    Some(differ.unwrap_or(one.len().min(other.len())))
}

fn put(path: &str, length: usize) -> Vec<u8> {
    format!("PUT {path} HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {length}\r\n\r\n").into_bytes()
}

fn download(exchange: &mut Exchange<'_>, body: &[u8]) -> io::Result<Next> {
    exchange.answer(200, body)?;
    Ok(Next::Stay)
}

#[test]
fn eight_mebibytes_go_up_and_come_down_whole() {
    let body = pattern(8 * MIB);
    let sent = body.clone();
    let backend = Backend::start(move |exchange| {
        let came = exchange.read_body()?;
        match exchange.received().target().as_str() {
            "/up" => exchange.answer(200, format!("{:?}", differs_at(&came, &sent)).as_bytes())?,
            "/down" => exchange.answer(200, &sent)?,
            "/down-chunked" => {
                exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
                for chunk in sent.chunks(77_777) {
                    exchange.send(&[format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat())?;
                }
                exchange.send(b"0\r\n\r\n")?;
            }
            _ => exchange.answer(200, &came)?,
        }
        Ok(Next::Stay)
    });
    let passage = Passage::start(PORTCULLIS, backend, "", "");
    let (mut http1, mut h2) = (passage.http1(), passage.h2());
    http1.send(&put("/up", body.len())).expect("the gate reads");
    assert_eq!(http1.request(&body).expect("an answer").text(), "None");
    let mut chunked =
        format!("POST /up HTTP/1.1\r\nHost: {HOST}\r\nTransfer-Encoding: chunked\r\n\r\n").into_bytes();
    for chunk in body.chunks(99_999) {
        chunked.extend([format!("{:X}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat());
    }
    chunked.extend_from_slice(b"0\r\n\r\n");
    assert_eq!(http1.request(&chunked).expect("an answer").text(), "None");
    for path in ["/up", "/both"] {
        let stream = h2.open(&h2_request("PUT", path), false).expect("a stream");
        assert_eq!(h2.send_data(stream, &body, true), Ok(body.len()));
        let response = h2.receive(stream).expect("an answer");
        match path {
            "/up" => assert_eq!(response.text(), "None"),
            _ => assert_eq!(differs_at(&response.body, &body), None),
        }
    }
    for path in ["/down", "/down-chunked"] {
        assert_eq!(differs_at(&http1.get(path).expect("an answer").body, &body), None, "{path}");
        let response = h2.get(HOST.as_bytes(), path.as_bytes()).expect("an answer");
        assert_eq!(differs_at(&response.body, &body), None, "{path} by h2");
    }
    drop((http1, h2));
    passage.settle();
}

#[test]
fn a_backend_that_does_not_read_holds_its_clients_up() {
    let backend = Backend::start(|exchange| {
        if exchange.received().target() == "/served" {
            return exchange.answer(200, b"ok").map(|()| Next::Stay);
        }
        exchange.pause(Duration::from_secs(600)).map(|()| Next::Close)
    });
    let passage =
        Passage::start(PORTCULLIS, backend, "response_timeout = \"60s\"", "stall_timeout = \"60s\"");
    assert_eq!(passage.statuses("/served"), [(200, String::new()), (200, String::new())]);
    let before = passage.gate.process().rss_kib();
    let body = vec![b'x'; AGAINST];
    let senders: Vec<_> = thread::scope(|scope| {
        let http1 = (0..PEERS / 2).map(|_| {
            scope.spawn(|| {
                let mut http1 = passage.http1();
                http1.send(&put("/held", AGAINST)).expect("the gate reads");
                let sent = http1.send_and_listen(&body, STILL).expect("it waits");
                (sent, Some(http1), None)
            })
        });
        let h2 = (0..PEERS / 2).map(|_| {
            scope.spawn(|| {
                let mut h2 = passage.h2();
                let stream = h2.open(&h2_request("PUT", "/held"), false).expect("a stream");
                h2.set_patience(STILL);
                let sent = h2.send_data(stream, &body, true).expect("it waits");
                (sent, None, Some(h2))
            })
        });
        let senders: Vec<_> = http1.chain(h2).collect();
        senders.into_iter().map(|sender| sender.join().expect("no sender panics")).collect()
    });
    for (sent, ..) in &senders {
        assert!(*sent < AGAINST, "all {AGAINST} bytes were taken from a client that nobody reads from");
    }
    let held = passage.gate.process().rss_kib().saturating_sub(before);
    assert!(held < HELD_KIB_MAX, "{held} KiB for {PEERS} clients that nobody reads from");
    assert_eq!(passage.statuses("/served"), [(200, String::new()), (200, String::new())]);
    drop(senders);
    passage.settle();
}

#[test]
fn a_client_that_does_not_read_holds_its_backend_up() {
    let sent = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&sent);
    let backend = Backend::start(move |exchange| {
        if exchange.received().target() == "/served" {
            return exchange.answer(200, b"ok").map(|()| Next::Stay);
        }
        exchange.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {AGAINST}\r\n\r\n").as_bytes())?;
        let piece = [b'x'; 64 * 1024];
        for _ in 0..AGAINST / piece.len() {
            exchange.send(&piece)?;
            count.fetch_add(piece.len(), Ordering::SeqCst);
        }
        Ok(Next::Stay)
    });
    let passage =
        Passage::start(PORTCULLIS, backend, "response_timeout = \"60s\"", "stall_timeout = \"60s\"");
    assert_eq!(passage.statuses("/served"), [(200, String::new()), (200, String::new())]);
    let before = passage.gate.process().rss_kib();
    let mut held = (Vec::new(), Vec::new());
    for _ in 0..PEERS / 2 {
        let mut http1 = passage.http1();
        http1.send(format!("GET /held HTTP/1.1\r\nHost: {HOST}\r\n\r\n").as_bytes()).expect("the gate reads");
        assert_eq!(http1.receive_head().expect("the head").status, 200);
        held.0.push(http1);
        let mut h2 = passage.h2();
        h2.withhold_window();
        let stream = h2.open(&h2_request("GET", "/held"), true).expect("a stream");
        h2.receive_at_least(stream, 0).expect("the head");
        held.1.push(h2);
    }
    // Until what is between them is full.
    let mut last = 0;
    eventually("the backend waits", || {
        thread::sleep(STILL);
        let now = sent.load(Ordering::SeqCst);
        std::mem::replace(&mut last, now) == now
    });
    assert!(last < PEERS * AGAINST / 2, "{last} bytes were taken for clients that do not read");
    let kept = passage.gate.process().rss_kib().saturating_sub(before);
    assert!(kept < HELD_KIB_MAX, "{kept} KiB for {PEERS} clients that do not read");
    assert_eq!(passage.statuses("/served"), [(200, String::new()), (200, String::new())]);
    drop(held);
    passage.settle();
}

/// The deadline of the upstream is for the upstream: a client that rests for longer than that, and reads on, has not missed it.
#[test]
fn a_client_that_rests_gets_the_rest() {
    let body = pattern(24 * MIB);
    let sent = body.clone();
    let backend = Backend::start(move |exchange| download(exchange, &sent));
    let passage =
        Passage::start(PORTCULLIS, backend, "response_timeout = \"300ms\"", "stall_timeout = \"20s\"");
    let mut http1 = passage.http1();
    http1.send(format!("GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n").as_bytes()).expect("the gate reads");
    let head = http1.receive_head().expect("the head");
    assert_eq!(head.status, 200);
    let mut came = Vec::new();
    for part in [MIB, 4 * MIB, body.len() - 5 * MIB] {
        thread::sleep(Duration::from_millis(900));
        came.extend(http1.read_exactly(part).unwrap_or_else(|refusal| {
            panic!("{refusal:?} after {} bytes and a rest", came.len());
        }));
    }
    assert_eq!(differs_at(&came, &body), None);
    let mut h2 = passage.h2();
    let stream = h2.open(&h2_request("GET", "/"), true).expect("a stream");
    for part in [MIB, 5 * MIB] {
        h2.receive_at_least(stream, part).expect("a part");
        thread::sleep(Duration::from_millis(900));
    }
    assert_eq!(differs_at(&h2.receive(stream).expect("the rest").body, &body), None);
    drop((http1, h2));
    passage.settle();
}

/// Nor has a client that rests in its upload, as long as it keeps to its own deadline.
#[test]
fn a_client_that_rests_in_its_upload_is_waited_for() {
    let passage = Passage::start(
        PORTCULLIS,
        Backend::echoing(),
        "response_timeout = \"300ms\"",
        "stall_timeout = \"20s\"",
    );
    let mut http1 = passage.http1();
    http1.send(&put("/", 9)).expect("the gate reads");
    for part in [b"abc", b"def", b"ghi"] {
        thread::sleep(Duration::from_millis(700));
        http1.send(part).expect("the gate reads");
    }
    assert_eq!(http1.receive().expect("the answer").text(), "abcdefghi");
    let mut h2 = passage.h2();
    let stream = h2.open(&h2_request("PUT", "/"), false).expect("a stream");
    for (at, part) in [b"abc", b"def", b"ghi"].into_iter().enumerate() {
        thread::sleep(Duration::from_millis(700));
        h2.send_data(stream, part, at == 2).expect("the gate reads");
    }
    assert_eq!(h2.receive(stream).expect("the answer").text(), "abcdefghi");
    drop((http1, h2));
    passage.settle();
}

#[test]
fn a_body_that_stalls_is_given_up() {
    let passage = Passage::start(
        PORTCULLIS,
        Backend::echoing(),
        "response_timeout = \"20s\"",
        "stall_timeout = \"500ms\"",
    );
    // Before its first byte, and after some.
    for begun in ["", "abc"] {
        let mut http1 = passage.http1();
        http1.send(&put("/", 1000)).expect("the gate reads");
        http1.send(begun.as_bytes()).expect("the gate reads");
        match http1.receive() {
            Ok(response) => assert_eq!(response.status, 408, "{}", response.text()),
            Err(refusal) => assert_eq!(refusal, Refusal::Closed),
        }
        let mut h2 = passage.h2();
        let stream = h2.open(&h2_request("PUT", "/"), false).expect("a stream");
        h2.send_data(stream, begun.as_bytes(), false).expect("the gate reads");
        match h2.receive(stream) {
            Ok(response) => {
                assert_eq!((response.status, problem_code(&response.body).as_str()), (408, "body.timeout"));
            }
            Err(refusal) => assert!(!matches!(refusal, H2Refusal::Tls(Refusal::Other(_))), "{refusal:?}"),
        }
    }
    eventually("the backend is rid of them", || passage.backend.open() == 0);
    assert!(passage.backend.received().iter().all(|received| !received.complete));
    assert_eq!(passage.statuses("/"), [(200, String::new()), (200, String::new())]);
    passage.settle();
}

#[test]
fn a_client_that_leaves_takes_the_backends_connection_with_it() {
    let backend = Backend::start(|exchange| {
        match exchange.received().target().as_str() {
            "/served" => return exchange.answer(200, b"ok").map(|()| Next::Stay),
            "/down" => {
                exchange.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {AGAINST}\r\n\r\n").as_bytes())?;
                loop {
                    exchange.send(&[b'x'; 64 * 1024])?;
                }
            }
            "/up" => drop(exchange.read_body()?),
            _ => exchange.wait_for_close(),
        }
        Ok(Next::Close)
    });
    let passage = Passage::start(PORTCULLIS, backend, "response_timeout = \"1s\"", "stall_timeout = \"1s\"");
    for by_reset in [true, false] {
        for path in ["/up", "/down", "/silent"] {
            let mut http1 = passage.http1();
            let head = if path == "/up" {
                put(path, MIB)
            } else {
                format!("GET {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n").into_bytes()
            };
            http1.send(&head).expect("the gate reads");
            let mut h2 = passage.h2();
            let method = if path == "/up" { "PUT" } else { "GET" };
            let stream = h2.open(&h2_request(method, path), path != "/up").expect("a stream");
            if path == "/up" {
                http1.send(b"half").expect("the gate reads");
                h2.send_data(stream, b"half", false).expect("the gate reads");
            }
            eventually("both have arrived", || passage.backend.count() == 2);
            if by_reset {
                http1.reset();
                h2.reset(stream).expect("the gate reads");
                // The connection of h2 goes on.
                assert_eq!(h2.get(HOST.as_bytes(), b"/served").expect("an answer").status, 200);
            } else {
                drop(http1);
            }
            drop(h2);
            eventually(&format!("the backend is rid of {path}"), || {
                let held = passage.backend.received();
                held.iter().all(|received| {
                    received.target() == "/served" || !passage.backend.is_open(received.connection)
                })
            });
            let whole: Vec<_> = passage.backend.received();
            assert!(
                whole
                    .iter()
                    .all(|received| path != "/up" || received.target() == "/served" || !received.complete)
            );
            passage.backend.forget();
        }
    }
    assert_eq!(passage.statuses("/served"), [(200, String::new()), (200, String::new())]);
    passage.settle();
}
