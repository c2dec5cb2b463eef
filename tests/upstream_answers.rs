//! An answer comes through as it was meant, however the backend puts it: with a length, in chunks, to the end of the connection, as
//! HTTP/1.0, without a body where the method or the status has none, behind interim answers, or before the request was even read.
//! The client gets every byte of it by HTTP/1.1 and by h2, and both its connection and the gate's own go on with the next request.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use portcullis_test_harness::{Backend, Configuration, HOST, Next, Passage, eventually, h2_request};

const PORTCULLIS: &str = env!("CARGO_BIN_EXE_portcullis");

const PATIENCE: Duration = Duration::from_secs(2);

/// The same body in every way to delimit it: path, bytes of the answer, whether the connection ends it.
const BODIES: &[(&str, &str, bool)] = &[
    ("/length", "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello world", false),
    ("/zeros", "HTTP/1.1 200 OK\r\ncontent-length:00011\r\n\r\nhello world", false),
    ("/reason", "HTTP/1.1 200 \r\nContent-Length: 11\r\n\r\nhello world", false),
    (
        "/chunked",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
        false,
    ),
    (
        "/extension",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\nb;a=\"b\"\r\nhello world\r\n000;c\r\n\r\n",
        false,
    ),
    (
        "/trailers",
        "HTTP/1.1 200 OK\r\nTrailer: Digest\r\nTransfer-Encoding: chunked\r\n\r\n0B\r\nhello world\r\n0\r\nDigest: x\r\n\r\n",
        false,
    ),
    ("/close", "HTTP/1.1 200 OK\r\n\r\nhello world", true),
    ("/close-1.0", "HTTP/1.0 200 OK\r\n\r\nhello world", true),
    ("/length-1.0", "HTTP/1.0 200 OK\r\nContent-Length: 11\r\n\r\nhello world", true),
    ("/said-close", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 11\r\n\r\nhello world", true),
    (
        "/interim",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello world",
        false,
    ),
    (
        "/interims",
        "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n\
         HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello world",
        false,
    ),
];

#[test]
fn every_way_to_delimit_a_body_is_understood() {
    // In one piece, and with every byte in a packet of its own.
    for is_split in [false, true] {
        for lines in ["", "trailers = true"] {
            let backend = Backend::start(move |exchange| {
                let target = exchange.received().target();
                let (_, answer, closes) =
                    BODIES.iter().find(|(path, ..)| *path == target).expect("a path of the list");
                match is_split {
                    true => answer.bytes().try_for_each(|byte| exchange.send(&[byte]))?,
                    false => exchange.send(answer.as_bytes())?,
                }
                Ok(if *closes { Next::Close } else { Next::Stay })
            });
            let passage = Passage::start(PORTCULLIS, backend, lines, "");
            let (mut http1, mut h2) = (passage.http1(), passage.h2());
            for _ in 0..2 {
                for (path, answer, _) in BODIES {
                    let response = receive_final(&mut http1, path);
                    assert_eq!(
                        (response.status, response.text().as_str()),
                        (200, "hello world"),
                        "{answer:?}"
                    );
                    let response = h2.get(HOST.as_bytes(), path.as_bytes()).expect("an answer");
                    assert_eq!(
                        (response.status, response.text().as_str()),
                        (200, "hello world"),
                        "{answer:?}"
                    );
                    assert_eq!(response.trailers, *path == "/trailers" && !lines.is_empty(), "{answer:?}");
                }
            }
            drop((http1, h2));
            passage.settle();
        }
    }
}

/// The answer behind the interim ones that may precede it.
fn receive_final(
    connection: &mut portcullis_test_harness::TlsConnection,
    path: &str,
) -> portcullis_test_harness::Response {
    let mut response = connection.get(path).expect("an answer");
    while response.status < 200 {
        response = connection.receive().expect("an answer");
    }
    response
}

#[test]
fn an_answer_without_a_body_leaves_the_connection_in_step() {
    let backend = Backend::start(|exchange| {
        exchange.send(match exchange.received().target().as_str() {
            "/head" => b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\nX-A: b\r\n\r\n",
            "/head-chunked" => b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "/head-bare" => b"HTTP/1.1 404 Not Found\r\n\r\n",
            "/204" => b"HTTP/1.1 204 No Content\r\n\r\n",
            "/204-length" => b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
            "/304" => b"HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\r\n",
            "/304-length" => b"HTTP/1.1 304 Not Modified\r\nContent-Length: 11\r\n\r\n",
            "/304-chunked" => b"HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n",
            "/empty" => b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            "/empty-chunked" => b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            _ => b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext",
        })?;
        Ok(Next::Stay)
    });
    let passage = Passage::start(PORTCULLIS, backend, "", "");
    let (mut http1, mut h2) = (passage.http1(), passage.h2());
    let cases = [
        ("HEAD", "/head", 200),
        ("HEAD", "/head-chunked", 200),
        ("HEAD", "/head-bare", 404),
        ("HEAD", "/304-length", 304),
        ("HEAD", "/204", 204),
        ("GET", "/204", 204),
        ("GET", "/204-length", 204),
        ("GET", "/304", 304),
        ("GET", "/304-length", 304),
        ("GET", "/304-chunked", 304),
        ("GET", "/empty", 200),
        ("GET", "/empty-chunked", 200),
        ("DELETE", "/204", 204),
    ];
    for (method, path, status) in cases {
        http1
            .send(format!("{method} {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n").as_bytes())
            .expect("the gate reads");
        let has_body = path.starts_with("/empty");
        let response = if has_body { http1.receive() } else { http1.receive_head() }.expect("an answer");
        assert_eq!((response.status, response.body.len()), (status, 0), "{method} {path}");
        if status == 204 {
            assert!(response.header("transfer-encoding").is_none(), "{method} {path}");
            assert!(response.header("content-length").is_none(), "{method} {path}");
        }
        if path == "/head" {
            assert_eq!((response.header("content-length"), response.header("x-a")), (Some("11"), Some("b")));
        }
        assert_eq!(http1.get("/next").expect("an answer").text(), "next", "after {method} {path}");
        let response = h2.request(&h2_request(method, path)).expect("an answer");
        assert_eq!((response.status, response.body.len()), (status, 0), "{method} {path} by h2");
        assert_eq!(h2.get(HOST.as_bytes(), b"/next").expect("an answer").text(), "next");
    }
    drop((http1, h2));
    passage.settle();
}

#[test]
fn fields_of_an_answer_come_through_but_those_of_its_connection() {
    let backend = Backend::start(|exchange| {
        exchange.send(
            b"HTTP/1.1 201 Created\r\nServer: bank/1\r\nLocation: /v1/payments/7\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\n\
              Connection: keep-alive, X-Hop\r\nKeep-Alive: timeout=5\r\nX-Hop: 1\r\nProxy-Authenticate: Basic\r\n\
              Upgrade: h2c\r\nX-Obs: caf\xe9\r\nX-Empty:\r\nContent-Length: 2\r\n\r\nok",
        )?;
        Ok(Next::Stay)
    });
    let passage = Passage::start(PORTCULLIS, backend, "", "");
    // A value that is no UTF-8 is legal, so the bytes are looked at.
    let mut connection = passage.http1();
    connection
        .send(format!("GET / HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n").as_bytes())
        .expect("the gate reads");
    let (bytes, in_order) = connection.rest();
    let text = String::from_utf8_lossy(&bytes).to_lowercase();
    assert!(in_order && text.starts_with("http/1.1 201 "), "{text}");
    for kept in
        ["server: bank/1", "location: /v1/payments/7", "set-cookie: a=b", "set-cookie: c=d", "x-empty:"]
    {
        assert!(text.contains(kept), "{kept}: {text}");
    }
    assert!(bytes.windows(4).any(|window| window == b"caf\xe9"), "{text}");
    for gone in ["keep-alive", "x-hop", "proxy-authenticate", "upgrade", "h2c"] {
        assert!(!text.contains(gone), "{gone}: {text}");
    }
    assert_eq!(passage.h2().get(HOST.as_bytes(), b"/").expect("an answer").status, 201);
    passage.settle();
}

/// 3 MB on their way, and the backend has said no before it read any of them.
#[test]
fn an_early_answer_is_had_whole() {
    const BODY_BYTES: usize = 3_000_000;
    const ANSWER_BYTES: usize = 100_000;
    for how in ["/waits", "/reads", "/closes"] {
        let backend = Backend::start(|exchange| {
            let target = exchange.received().target();
            if target == "/next" {
                return exchange.answer(200, b"next").map(|()| Next::Stay);
            }
            // Who keeps the connection must read the request to its end.
            let connection = if target == "/reads" { "keep-alive" } else { "close" };
            let head = format!(
                "HTTP/1.1 413 Content Too Large\r\nConnection: {connection}\r\nContent-Length: {ANSWER_BYTES}\r\n\r\n"
            );
            exchange.send(&[head.as_bytes(), &[b'a'; ANSWER_BYTES]].concat())?;
            match target.as_str() {
                "/reads" => {
                    exchange.pause(Duration::from_millis(200))?;
                    exchange.read_body()?;
                    return Ok(Next::Stay);
                }
                "/waits" => {
                    exchange.pause(Duration::from_millis(200))?;
                    exchange.wait_for_close();
                }
                _ => exchange.pause(Duration::from_millis(200))?,
            }
            Ok(Next::Close)
        });
        let passage = Passage::start(PORTCULLIS, backend, "response_timeout = \"2s\"", "");
        let body = vec![b'x'; BODY_BYTES];

        let mut http1 = passage.http1();
        let head = format!("PUT {how} HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {BODY_BYTES}\r\n\r\n");
        http1.send(head.as_bytes()).expect("the gate reads");
        let sent = http1.send_and_listen(&body, PATIENCE).expect("it goes out until the answer comes");
        let response = http1.receive().expect("the answer");
        assert_eq!((response.status, response.body.len()), (413, ANSWER_BYTES), "{how} after {sent} bytes");
        // Either the connection is over, or the body goes on where it was and the next request stands behind it.
        let rest = http1.send_and_listen(&body[sent..], PATIENCE);
        if rest == Ok(body.len() - sent)
            && let Ok(next) = http1.get("/next")
        {
            assert_eq!((next.status, next.text().as_str()), (200, "next"), "{how}");
        }

        let mut h2 = passage.h2();
        let stream = h2.open(&h2_request("PUT", how), false).expect("a stream");
        h2.send_data(stream, &body, true).expect("it goes out until the answer is whole");
        let response = h2.receive(stream).expect("the answer");
        assert_eq!((response.status, response.body.len()), (413, ANSWER_BYTES), "{how}");
        assert_eq!(h2.get(HOST.as_bytes(), b"/next").expect("an answer").text(), "next", "{how}");
        drop((http1, h2));
        passage.settle();
    }
}

/// A client that waits for leave to send gets it, or the answer instead.
#[test]
fn who_expects_to_be_told_to_go_on_is_told() {
    let backend = Backend::start(|exchange| {
        if exchange.received().target() == "/no" {
            return exchange.answer(403, b"no").map(|()| Next::Close);
        }
        let body = exchange.read_body()?;
        exchange.answer(200, &body)?;
        Ok(Next::Stay)
    });
    let passage = Passage::start(PORTCULLIS, backend, "", "");
    let head = |path: &str| {
        format!("PUT {path} HTTP/1.1\r\nHost: {HOST}\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
    };
    let mut http1 = passage.http1();
    let interim = http1.request(head("/yes").as_bytes()).expect("leave");
    assert_eq!(interim.status, 100);
    assert_eq!(http1.request(b"hello").expect("the answer").text(), "hello");
    let response = passage.http1().request(head("/no").as_bytes()).expect("an answer");
    assert!(matches!(response.status, 100 | 403), "{response:?}");
    for received in passage.backend.received() {
        assert!(received.values("expect").is_empty(), "the gate keeps that promise itself: {received:?}");
    }
    drop(http1);
    passage.settle();
}

/// A deadline is for standing still: who sends a little all the time may take as long as it likes.
#[test]
fn an_answer_that_trickles_is_not_cut_off() {
    const PIECES: usize = 8;
    let backend = Backend::start(|exchange| {
        let chunked = exchange.received().target() == "/chunked";
        match chunked {
            true => exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?,
            false => exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n")?,
        }
        for _ in 0..PIECES {
            std::thread::sleep(Duration::from_millis(250));
            exchange.send(if chunked { b"5\r\nhello\r\n" } else { b"hello" })?;
        }
        if chunked {
            exchange.send(b"0\r\n\r\n")?;
        }
        Ok(Next::Stay)
    });
    let passage = Passage::start(PORTCULLIS, backend, "response_timeout = \"600ms\"", "");
    for path in ["/length", "/chunked"] {
        let http1 = passage.http1().get(path).expect("an answer");
        let h2 = passage.h2().get(HOST.as_bytes(), path.as_bytes()).expect("an answer");
        assert_eq!((http1.text(), h2.text()), ("hello".repeat(PIECES), "hello".repeat(PIECES)), "{path}");
    }
    passage.settle();
}

/// What waits for use in the pool of an upstream that a reload replaced will not be used again, though an answer of the old one is
/// still under way; and that one's connection goes with its answer.
#[test]
fn a_pool_that_is_replaced_is_given_up() {
    let hold = Arc::new(AtomicBool::new(true));
    let held = Arc::clone(&hold);
    let backend = Backend::start(move |exchange| {
        while exchange.received().target() == "/slow" && held.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(5));
        }
        exchange.answer(200, b"ok").map(|()| Next::Stay)
    });
    let passage = Passage::start(PORTCULLIS, backend, "idle_timeout = \"1h\"", "");
    let mut slow = passage.h2();
    let stream = slow.open(&h2_request("GET", "/slow"), true).expect("a stream");
    eventually("the slow one is under way", || passage.backend.count() == 1);
    assert_eq!(passage.http1().get("/").expect("an answer").status, 200);
    eventually("the other connection is kept", || passage.backend.open() == 2);
    let servers = [passage.backend.address()];
    passage.gate.rewrite(&Configuration::passing_on(&servers, "idle_timeout = \"2h\"").to_toml());
    passage.gate.reload();
    eventually("it is closed", || passage.backend.open() == 1);
    hold.store(false, Ordering::SeqCst);
    assert_eq!(slow.receive(stream).expect("an answer").text(), "ok");
    eventually("nothing of the old one is kept", || passage.backend.open() == 0);
    assert_eq!(passage.http1().get("/").expect("an answer").status, 200);
    drop(slow);
    passage.settle();
}
