//! Backends fail in every way that servers do: they are not there, do not accept, keep silent, close at the wrong moment, answer
//! nonsense, or break off in the middle. The client is told which it was, within the deadlines, by a problem with a code; an answer
//! that has begun is broken off rather than ended, so that nobody takes a part for the whole; nothing is sent twice that may have
//! been acted on. Once the backend is back the gate serves as before and has kept no descriptor of what went wrong.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use portcullis_test_harness::{
    Backend, Configuration, DEADLINE, Exchange, FullListener, H2Refusal, HOST, Next, Passage, eventually,
    h2_request, problem_code,
};

const PORTCULLIS: &str = env!("CARGO_BIN_EXE_portcullis");

/// Short, and long enough for a slow machine to send an answer in.
const TIMEOUTS: &str = "connect_timeout = \"500ms\"\nresponse_timeout = \"1s\"";

fn passage(script: impl Fn(&mut Exchange<'_>) -> io::Result<Next> + Send + Sync + 'static) -> Passage {
    Passage::start(PORTCULLIS, Backend::start(script), TIMEOUTS, "")
}

fn failing(code: &str, status: u16) -> [(u16, String); 2] {
    [(status, code.to_owned()), (status, code.to_owned())]
}

fn served() -> [(u16, String); 2] {
    failing("", 200)
}

fn post(path: &str, body: &str) -> Vec<u8> {
    format!("POST {path} HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
        .into_bytes()
}

#[test]
fn a_backend_that_is_not_there_is_said_to_be_unreachable_until_it_is_back() {
    let mut passage = Passage::start(PORTCULLIS, Backend::answering("ok"), TIMEOUTS, "");
    assert_eq!(passage.statuses("/"), served());
    let address = passage.backend.address();
    for _ in 0..3 {
        passage.backend.stop();
        for _ in 0..5 {
            assert_eq!(passage.statuses("/"), failing("upstream.unreachable", 502));
        }
        passage.backend =
            Backend::start_at(address, |exchange| exchange.answer(200, b"ok").map(|()| Next::Stay));
        assert_eq!(passage.statuses("/"), served());
    }
    passage.settle();
}

#[test]
fn a_backend_that_does_not_accept_is_given_up() {
    let full = FullListener::new();
    let configuration = Configuration::passing_on(&[full.address()], TIMEOUTS);
    let passage = Passage::start_with(PORTCULLIS, Backend::answering("ok"), &configuration);
    assert_eq!(passage.statuses("/"), failing("upstream.connect-timeout", 504));
    passage.settle();
}

#[test]
fn a_silent_backend_is_given_up() {
    let given_up = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&given_up);
    let passage = passage(move |exchange| {
        if exchange.received().target() == "/served" {
            return exchange.answer(200, b"ok").map(|()| Next::Stay);
        }
        if exchange.received().target() == "/half" {
            exchange.send(b"HTTP/1.1 200 OK\r\nContent-Le")?;
        }
        exchange.wait_for_close();
        count.fetch_add(1, Ordering::SeqCst);
        Ok(Next::Close)
    });
    for path in ["/", "/half"] {
        assert_eq!(passage.statuses(path), failing("upstream.timeout", 504));
    }
    // Streams of one connection wait side by side.
    let mut h2 = passage.h2();
    let streams: Vec<_> =
        (0..20).map(|_| h2.open(&h2_request("GET", "/"), true).expect("a stream")).collect();
    assert_eq!(h2.get(HOST.as_bytes(), b"/served").expect("an answer").status, 200);
    for stream in streams {
        let response = h2.receive(stream).expect("an answer");
        assert_eq!((response.status, problem_code(&response.body).as_str()), (504, "upstream.timeout"));
    }
    assert_eq!(h2.get(HOST.as_bytes(), b"/served").expect("an answer").status, 200);
    eventually("the backend is left alone", || given_up.load(Ordering::SeqCst) == 24);
    drop(h2);
    passage.settle();
}

#[test]
fn a_connection_that_ends_before_an_answer_is_told() {
    let passage = passage(|exchange| {
        Ok(match exchange.received().target().as_str() {
            "/close" => Next::Close,
            "/reset" => Next::Reset,
            "/half" => {
                exchange.send(b"HTTP/1.1 200 OK\r\nContent-")?;
                Next::Close
            }
            _ => exchange.answer(200, b"ok").map(|()| Next::Stay)?,
        })
    });
    for path in ["/close", "/reset"] {
        assert_eq!(passage.statuses(path), failing("upstream.closed", 502), "{path}");
    }
    assert_eq!(passage.statuses("/half"), failing("upstream.malformed", 502));
    assert_eq!(passage.statuses("/"), served());
    passage.settle();
}

/// Answers that two readers could take for two things, or that are none at all.
const NONSENSE: &[&str] = &[
    "SSH-2.0-OpenSSH_9.2p1\r\n\r\n",
    "220 mail.bank.example ESMTP\r\n\r\n",
    "\0\0\0\0\r\n\r\n",
    "\r\n\r\n",
    "ok\n",
    "<html>not found</html>\r\n\r\n",
    "HTTP/2 200\r\n\r\n",
    "HTTP/1.1 20 OK\r\n\r\n",
    "HTTP/1.1 2000 OK\r\n\r\n",
    "HTTP/1.1 abc OK\r\n\r\n",
    "HTTP/1.1 099 OK\r\n\r\n",
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    "HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
    "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok",
    "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok",
    "HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok",
    "HTTP/1.1 200 OK\r\nContent-Length: 0x2\r\n\r\nok",
    "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nok",
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\nok",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nX-A : b\r\n\r\n",
    "HTTP/1.1 200 OK\r\nX-A: b\r\n c\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nX-A: b\0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nX-A: b\rSet-Cookie: c=d\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
];

#[test]
fn nonsense_is_not_passed_on() {
    let answers: Vec<Vec<u8>> = NONSENSE.iter().map(|text| text.as_bytes().to_vec()).collect();
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "X-A: b\r\n".repeat(2000)).into_bytes();
    let long = format!("HTTP/1.1 200 OK\r\nX-A: {}\r\n\r\n", "b".repeat(1 << 20)).into_bytes();
    let interim = "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(1000).into_bytes();
    let answers = [answers, vec![many, long, interim]].concat();
    let count = answers.len();
    let passage = passage(move |exchange| {
        let Ok(at) = exchange.received().target()[1..].parse::<usize>() else {
            return exchange.answer(200, b"ok").map(|()| Next::Stay);
        };
        // The gate may close before it has read it all.
        let _ = exchange.send(&answers[at]);
        Ok(Next::Close)
    });
    for at in 0..count {
        let answer = passage.statuses(&format!("/{at}"));
        assert_eq!(answer, failing("upstream.malformed", 502), "{at}: {:?}", NONSENSE.get(at));
    }
    assert_eq!(passage.statuses("/served"), served());
    passage.settle();
}

/// How an answer can break off, the head apart.
const BROKEN: &[(&str, &str)] = &[
    ("/length", "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc"),
    ("/length-1.0", "HTTP/1.0 200 OK\r\nContent-Length: 1000\r\n\r\nabc"),
    ("/chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n400\r\nabc"),
    ("/between-chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"),
    ("/last-chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n"),
    ("/no-chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\nabc\r\n0\r\n\r\n"),
    (
        "/signed-chunk",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n+3\r\nabc\r\n0\r\n\r\n",
    ),
    ("/long-chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcdef\r\n0\r\n\r\n"),
    ("/close-delimited", "HTTP/1.1 200 OK\r\n\r\nabc"),
];

#[test]
fn an_answer_that_is_closed_early_is_broken_off() {
    break_off(Next::Close);
}

#[test]
fn an_answer_that_is_reset_is_broken_off() {
    break_off(Next::Reset);
}

#[test]
fn an_answer_that_does_not_go_on_is_broken_off() {
    break_off(Next::Stay);
}

/// Every beginning of an answer, ended like this.
fn break_off(how: Next) {
    let backend = Backend::start(move |exchange| {
        let target = exchange.received().target();
        let Some((_, answer)) = BROKEN.iter().find(|(path, _)| *path == target) else {
            return exchange.answer(200, b"ok").map(|()| Next::Stay);
        };
        exchange.send(answer.as_bytes())?;
        // Time for the head to get through, so that it is an answer that breaks off and not none.
        exchange.pause(Duration::from_millis(100))?;
        if how == Next::Stay {
            exchange.wait_for_close();
        }
        Ok(how)
    });
    let passage = Passage::start(PORTCULLIS, backend, TIMEOUTS, "");
    let way = &passage;
    thread::scope(|scope| {
        for (path, answer) in BROKEN {
            // The one that ends in order is whole.
            if *path != "/close-delimited" || how != Next::Close {
                scope.spawn(move || is_broken_off(way, path, &format!("{how:?} after {answer:?}")));
            }
        }
    });
    assert_eq!(passage.statuses("/served"), served());
    passage.settle();
}

fn is_broken_off(passage: &Passage, path: &str, what: &str) {
    let answer = passage.http1().get(path);
    let is_whole = answer.as_ref().is_ok_and(|response| response.status == 200);
    assert!(!is_whole, "{what}: a whole answer to HTTP/1.1: {answer:?}");

    // To HTTP/1.0 a body without a length ends with the connection, so that it must not end in order.
    let mut old = passage.http1();
    old.send(format!("GET {path} HTTP/1.0\r\nHost: {HOST}\r\n\r\n").as_bytes()).expect("the gate reads");
    let (bytes, in_order) = old.rest();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let is_told = text.is_empty()
        || text.starts_with("HTTP/1.0 502")
        || text.to_lowercase().contains("content-length: 1000");
    assert!(!in_order || is_told, "{what}: a whole answer to HTTP/1.0: {text}");

    let mut h2 = passage.h2();
    match h2.get(HOST.as_bytes(), path.as_bytes()) {
        Ok(response) => assert_eq!(response.status, 502, "{what}: a whole answer to h2"),
        Err(refusal) => assert!(matches!(refusal, H2Refusal::Reset(_)), "{what}: {refusal:?}"),
    }
    assert_eq!(h2.get(HOST.as_bytes(), b"/served").expect("an answer").status, 200, "{what}");
}

#[test]
fn a_kept_connection_that_ends_is_replaced_for_what_may_be_repeated() {
    // Serves the first request of each connection and closes on the second, when it has come.
    let passage = passage(|exchange| {
        let is_first = exchange.count() == 1;
        if !is_first {
            return Ok(if exchange.received().target().contains("reset") {
                Next::Reset
            } else {
                Next::Close
            });
        }
        exchange.read_body()?;
        exchange.answer(200, b"ok").map(|()| Next::Stay)
    });
    let warm = || assert_eq!(passage.statuses("/warm"), served());
    let mut http1 = passage.http1();
    for request in ["GET /get", "GET /reset", "HEAD /head", "OPTIONS /options", "DELETE /delete", "PUT /put"]
    {
        assert_eq!(http1.get("/warm").expect("an answer").status, 200);
        passage.backend.forget();
        http1.send(format!("{request} HTTP/1.1\r\nHost: {HOST}\r\n\r\n").as_bytes()).expect("the gate reads");
        let is_head = request.starts_with("HEAD");
        let response = if is_head { http1.receive_head() } else { http1.receive() };
        assert_eq!(response.expect("an answer").status, 200, "{request}");
        assert_eq!(passage.backend.count(), 2, "{request} is sent again once");
        let lines: Vec<_> = passage.backend.received().iter().map(|received| received.head.clone()).collect();
        assert_eq!(lines[0], lines[1], "{request}");
    }
    // Who says what to do once must not have it done twice.
    for request in [post("/post", ""), post("/post-reset", "x"), post("/post", "a body")] {
        warm();
        passage.backend.forget();
        let response = passage.http1().request(&request).expect("an answer");
        assert_eq!((response.status, problem_code(&response.body).as_str()), (502, "upstream.closed"));
        assert_eq!(passage.backend.count(), 1, "sent once: {:?}", passage.backend.received());
    }
    warm();
    passage.backend.forget();
    let put = [&b"PUT"[..], &post("/put", "a body")[4..]].concat();
    let response = passage.http1().request(&put).expect("an answer");
    assert_eq!((response.status, passage.backend.count()), (502, 1), "a body cannot be sent again");
    drop(http1);
    passage.settle();
}

#[test]
fn what_follows_an_answer_is_not_the_next_one() {
    let passage = passage(|exchange| {
        let target = exchange.received().target();
        let poison = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison";
        match target.as_str() {
            // In one piece with the answer, or behind it when the connection already waits for the next request.
            "/together" => {
                let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
                exchange.send(&[&answer[..], poison].concat())?;
            }
            "/later" => {
                exchange.answer(200, b"ok")?;
                exchange.pause(Duration::from_millis(100))?;
                exchange.send(poison)?;
            }
            "/empty" => exchange.send(&[&b"HTTP/1.1 204 No Content\r\n\r\n"[..], poison].concat())?,
            _ => exchange.answer(200, b"clean")?,
        }
        Ok(Next::Stay)
    });
    let mut http1 = passage.http1();
    for path in ["/together", "/later", "/empty"] {
        for _ in 0..3 {
            let response = http1.get(path).expect("an answer");
            assert!(response.status == 204 || response.text() == "ok", "{path}: {response:?}");
            thread::sleep(Duration::from_millis(200));
            assert_eq!(http1.get("/next").expect("an answer").text(), "clean", "after {path}");
            assert_eq!(passage.h2().get(HOST.as_bytes(), b"/next").expect("an answer").text(), "clean");
        }
    }
    drop(http1);
    passage.settle();
}

/// A backend that closes each connection right behind its answer without saying so, at the moment when the next request comes.
#[test]
fn connections_that_close_behind_the_answer_cost_no_request() {
    let passage = passage(|exchange| exchange.answer(200, b"ok").map(|()| Next::Close));
    let mut http1 = passage.http1();
    let mut h2 = passage.h2();
    for _ in 0..100 {
        assert_eq!(http1.get("/").expect("an answer").status, 200);
        assert_eq!(h2.get(HOST.as_bytes(), b"/").expect("an answer").status, 200);
    }
    drop((http1, h2));
    passage.settle();
}

#[test]
fn a_dead_server_is_passed_over() {
    let [mut dead, live, other] = ["dead", "live", "other"].map(Backend::answering);
    let dead_address = dead.address();
    dead.stop();
    let servers = [live.address(), dead_address, other.address()];
    let configuration = Configuration::passing_on(&servers, TIMEOUTS);
    let passage = Passage::start_with(PORTCULLIS, live, &configuration);
    let mut http1 = passage.http1();
    for at in 0..60 {
        let request = if at % 2 == 0 {
            post("/", "body")
        } else {
            format!("GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n").into()
        };
        assert_eq!(http1.request(&request).expect("an answer").status, 200);
    }
    let (first, second) = (passage.backend.count(), other.count());
    assert_eq!(first + second, 60);
    assert!(first >= 15 && second >= 15, "{first} and {second}");
    let back = Backend::start_at(dead_address, |exchange| {
        exchange.read_body()?;
        exchange.answer(200, b"back").map(|()| Next::Stay)
    });
    eventually("the one that is back gets its share", || {
        http1.get("/").is_ok_and(|response| response.text() == "back")
    });
    drop((http1, back, other));
    passage.settle();
}

#[test]
fn no_more_connections_are_made_than_are_allowed() {
    let hold = Arc::new(AtomicBool::new(true));
    let held = Arc::clone(&hold);
    let backend = Backend::start(move |exchange| {
        while held.load(Ordering::SeqCst) {
            exchange.pause(Duration::from_millis(10))?;
        }
        exchange.answer(200, b"ok").map(|()| Next::Stay)
    });
    let lines = "connections_max = 2\nresponse_timeout = \"30s\"";
    let passage = Passage::start(PORTCULLIS, backend, lines, "");
    let mut waiting = [passage.http1(), passage.http1()];
    for connection in &mut waiting {
        connection
            .send(format!("GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n").as_bytes())
            .expect("the gate reads");
    }
    eventually("both are under way", || passage.backend.count() == 2);
    assert_eq!(passage.statuses("/third"), failing("upstream.saturated", 503));
    assert_eq!(passage.backend.accepted(), 2);
    hold.store(false, Ordering::SeqCst);
    for connection in &mut waiting {
        assert_eq!(connection.receive().expect("an answer").status, 200);
    }
    for _ in 0..5 {
        assert_eq!(passage.statuses("/third"), served());
    }
    drop(waiting);
    passage.settle();
}

/// Everything at once: whoever asks for something that works gets it.
#[test]
fn failures_do_not_touch_their_neighbours() {
    let passage = passage(|exchange| {
        Ok(match exchange.received().target().as_str() {
            "/close" => Next::Close,
            "/reset" => Next::Reset,
            "/silent" => {
                exchange.wait_for_close();
                Next::Close
            }
            "/nonsense" => {
                exchange.send(b"nonsense\r\n\r\n")?;
                Next::Close
            }
            "/breaks" => {
                exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc")?;
                Next::Reset
            }
            _ => exchange.answer(200, b"ok").map(|()| Next::Stay)?,
        })
    });
    let mut h2 = passage.h2();
    let failures = ["/close", "/reset", "/silent", "/nonsense", "/breaks"];
    for round in 0..10 {
        let bad: Vec<_> =
            failures.iter().map(|path| h2.open(&h2_request("GET", path), true).expect("a stream")).collect();
        let good = h2.open(&h2_request("GET", "/"), true).expect("a stream");
        assert_eq!(h2.receive(good).expect("an answer").status, 200, "round {round}");
        // The silent ones are left to their deadline while the next come.
        for (path, stream) in failures.iter().zip(bad).filter(|(path, _)| **path != "/silent") {
            let answer = h2.receive(stream);
            let failed = answer.as_ref().map_or(true, |response| response.status == 502);
            assert!(failed, "{path}: {answer:?}");
        }
    }
    h2.set_patience(DEADLINE);
    assert_eq!(h2.get(HOST.as_bytes(), b"/").expect("an answer").status, 200);
    drop(h2);
    passage.settle();
}

/// Clients go on asking, each over one connection, while the backend dies and is back, is silent, resets and answers nonsense. Each
/// request has an outcome that its backend accounts for, within the deadline, and the connections of the clients live on.
#[test]
fn under_load_each_fault_costs_what_it_must() {
    const CLIENTS: usize = 4;
    let mood = Arc::new(AtomicUsize::new(0));
    let script = {
        let mood = Arc::clone(&mood);
        move |exchange: &mut Exchange<'_>| match mood.load(Ordering::SeqCst) {
            0 => exchange.answer(200, b"ok").map(|()| Next::Stay),
            1 => {
                exchange.wait_for_close();
                Ok(Next::Close)
            }
            2 => Ok(Next::Reset),
            3 => exchange.send(b"SSH-2.0-OpenSSH_9.6\r\n\r\n").map(|()| Next::Close),
            _ => exchange.answer(200, b"ok").map(|()| Next::Close),
        }
    };
    let script = Arc::new(script);
    let run = |at: std::net::SocketAddr| {
        let script = Arc::clone(&script);
        Backend::start_at(at, move |exchange| script(exchange))
    };
    let mut passage = Passage::start(PORTCULLIS, Backend::answering("ok"), TIMEOUTS, "");
    let address = passage.backend.address();
    passage.backend.stop();
    passage.backend = run(address);
    let going = AtomicBool::new(true);
    let outcomes = thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                let (passage, going) = (passage.http1(), &going);
                scope.spawn(move || {
                    let (mut connection, mut outcomes) = (passage, Vec::new());
                    let request = format!("GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n");
                    while going.load(Ordering::SeqCst) {
                        let answer =
                            connection.request(request.as_bytes()).expect("an answer, whatever it is");
                        outcomes.push((answer.status, problem_code(&answer.body)));
                    }
                    outcomes
                })
            })
            .collect();
        thread::sleep(Duration::from_millis(300));
        // Silence lasts beyond the deadline, so that whoever met it is free again for what comes next.
        for (kind, time_ms) in [(1, 1500), (2, 1500), (3, 300), (4, 300), (0, 300)] {
            mood.store(kind, Ordering::SeqCst);
            thread::sleep(Duration::from_millis(time_ms));
        }
        for _ in 0..2 {
            thread::sleep(Duration::from_millis(300));
            passage.backend.stop();
            thread::sleep(Duration::from_millis(100));
            passage.backend = run(address);
        }
        thread::sleep(Duration::from_millis(1200));
        going.store(false, Ordering::SeqCst);
        clients.into_iter().flat_map(|client| client.join().expect("a client")).collect::<Vec<_>>()
    });
    let count =
        |status: u16, code: &str| outcomes.iter().filter(|(met, why)| *met == status && why == code).count();
    let known = [
        count(200, ""),
        count(504, "upstream.timeout"),
        count(502, "upstream.closed"),
        count(502, "upstream.malformed"),
        count(502, "upstream.unreachable"),
    ];
    assert_eq!(known.iter().sum::<usize>(), outcomes.len(), "{known:?} of {outcomes:?}");
    assert!(known[0] > 100 && known[2..].iter().all(|count| *count > 0), "{known:?}");
    assert_eq!(passage.statuses("/"), served());
    passage.settle();
}
