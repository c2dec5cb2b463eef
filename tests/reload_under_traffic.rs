//! The rules change while everybody is at work. Ten thousand requests go through connections of HTTP/1.1 and h2 that stay open, while
//! the gate is told twenty times to read its file again: routes come and go, the servers of the upstream change places, the server
//! certificate is renewed. Every request is answered, right, and once. At the end the gate is told to go while answers are still
//! to come: they come, h2 is told first that nothing new is taken, and the process ends with 0.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use portcullis_test_harness::{
    Backend, Configuration, Gate, H2Client, HOST, Next, Passage, Refusal, Site, TlsClient, eventually,
    h2_request,
};
use portcullis_test_pki::Role;

const PORTCULLIS: &str = env!("CARGO_BIN_EXE_portcullis");

const REQUESTS: usize = 10_000;
const CONNECTIONS: usize = 8;
const RELOADS: usize = 20;

/// Each time another: the order of the servers, the routes beside the one that is asked for, and the limits of the upstream.
fn configuration(servers: [&Backend; 2], round: usize) -> Configuration {
    let mut addresses = servers.map(Backend::address);
    addresses.rotate_left(round % 2);
    let mut routes = "[[route]]\npath = \"/\"\nroles = [\"PSP_AI\"]\nupstream = \"bank\"\n\n".to_owned();
    for extra in 0..round % 3 {
        routes += &format!("[[route]]\npath = \"/extra-{round}-{extra}\"\nrespond = {{ status = 204 }}\n\n");
    }
    if round % 4 == 3 {
        routes = routes.replace("path = \"/\"", "path = \"/v1\"");
    }
    let lines = format!("connections_max = {}\nidle_timeout = \"{}s\"", 200 + round, 10 + round);
    Configuration::passing_on(&addresses, &lines).routes(&routes)
}

#[test]
fn reloads_cost_no_request() {
    let site = Site::new();
    let backends = ["one", "two"].map(|_| {
        Backend::start(|exchange| {
            let body = exchange.read_body()?;
            let target = exchange.received().target();
            exchange.answer(200, &[target.as_bytes(), b" ", &body].concat())?;
            Ok(Next::Stay)
        })
    });
    let servers = [&backends[0], &backends[1]];
    let gate = Gate::start(PORTCULLIS, &site, &configuration(servers, 0));
    let client = TlsClient::new(&site.bank).credential(&site.tpp(&[Role::PspAi]));
    let address = gate.address("tpp");
    let _ = gate.metrics();
    let descriptors = gate.process().descriptor_count();
    let done = AtomicUsize::new(0);
    let last = thread::scope(|scope| {
        for number in 0..CONNECTIONS {
            let (client, done) = (&client, &done);
            scope.spawn(move || match number % 2 {
                0 => ask_by_http1(client, address, number, done),
                _ => ask_by_h2(client, address, number, done),
            });
        }
        let mut last = None;
        for round in 1..=RELOADS {
            // Spread over the requests, so that each meets traffic.
            while done.load(Ordering::Relaxed) < (round - 1) * REQUESTS / RELOADS {
                thread::sleep(Duration::from_millis(1));
            }
            last = Some(site.serve("server", &[HOST, "localhost"]));
            gate.rewrite(&configuration(servers, round).to_toml());
            gate.reload();
            assert_eq!(
                gate.metrics().sum("portcullis_config_last_reload_success", &[]),
                1.0,
                "round {round}"
            );
        }
        last.expect("there were reloads")
    });
    assert_eq!(done.load(Ordering::Relaxed), REQUESTS);
    let received = backends.each_ref().map(Backend::count);
    assert_eq!(received[0] + received[1], REQUESTS, "each once: {received:?}");
    assert!(received.iter().all(|count| *count > REQUESTS / 4), "both have their share: {received:?}");
    eventually("the last certificate is presented", || {
        &client.connect(address).expect("a session").server_certificate() == last.leaf_der()
    });
    for mut backend in backends {
        backend.stop();
        assert_eq!(backend.faults(), [""; 0]);
    }
    eventually("no connection is left open", || gate.metrics().sum("portcullis_connections", &[]) == 0.0);
    eventually("descriptors are as before", || gate.process().descriptor_count() <= descriptors + 3);
}

fn ask_by_http1(client: &TlsClient, address: std::net::SocketAddr, number: usize, done: &AtomicUsize) {
    let mut connection = client.connect(address).expect("a session");
    for at in 0..REQUESTS / CONNECTIONS {
        let path = format!("/v1/{number}/{at}");
        // Some that may not be repeated, with a body.
        let request = match at % 4 {
            0 => format!("POST {path} HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 4\r\n\r\nbody"),
            _ => format!("GET {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n"),
        };
        let body = if at % 4 == 0 { "body" } else { "" };
        let response = connection.request(request.as_bytes()).unwrap_or_else(|refusal| {
            panic!("{path}: {refusal:?}");
        });
        assert_eq!((response.status, response.text()), (200, format!("{path} {body}")));
        done.fetch_add(1, Ordering::Relaxed);
    }
}

/// Five streams at a time.
fn ask_by_h2(client: &TlsClient, address: std::net::SocketAddr, number: usize, done: &AtomicUsize) {
    const AT_ONCE: usize = 5;
    let mut connection = H2Client::connect(client, address).expect("a session");
    for at in 0..REQUESTS / CONNECTIONS / AT_ONCE {
        let paths: [String; AT_ONCE] = std::array::from_fn(|stream| format!("/v1/{number}/{at}/{stream}"));
        let streams = paths.each_ref().map(|path| {
            let stream = connection.open(&h2_request("POST", path), false).expect("a stream");
            connection.send_data(stream, b"body", true).expect("the gate reads");
            stream
        });
        for (path, stream) in paths.iter().zip(streams) {
            let response = connection.receive(stream).unwrap_or_else(|refusal| panic!("{path}: {refusal:?}"));
            assert_eq!((response.status, response.text()), (200, format!("{path} body")));
            done.fetch_add(1, Ordering::Relaxed);
        }
    }
    assert_eq!(connection.goaway(), None, "the connection may stay");
}

#[test]
fn who_waits_for_a_backend_is_answered_before_the_gate_goes() {
    let hold = Arc::new(AtomicBool::new(true));
    let held = Arc::clone(&hold);
    let backend = Backend::start(move |exchange| {
        let wait = |exchange: &mut portcullis_test_harness::Exchange<'_>| {
            while held.load(Ordering::SeqCst) {
                exchange.pause(Duration::from_millis(10))?;
            }
            Ok::<_, std::io::Error>(())
        };
        if exchange.received().target() == "/half" {
            exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf")?;
            wait(exchange)?;
            exchange.send(b"half")?;
        } else {
            let body = exchange.read_body()?;
            wait(exchange)?;
            exchange.answer(200, &[b"answered ", &body[..]].concat())?;
        }
        Ok(Next::Stay)
    });
    let configuration =
        Configuration::passing_on(&[backend.address()], "").runtime("shards = 1\ndrain_timeout = \"5m\"");
    let mut passage = Passage::start_with(PORTCULLIS, backend, &configuration);
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n").into_bytes();

    let mut waits = passage.http1();
    waits.send(&get("/")).expect("the gate reads");
    let mut half_down = passage.http1();
    half_down.send(&get("/half")).expect("the gate reads");
    assert_eq!(half_down.receive_head().expect("the head").status, 200);
    let mut half_up = passage.http1();
    let put = format!("PUT /up HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 8\r\n\r\nhalf");
    half_up.send(put.as_bytes()).expect("the gate reads");
    let mut h2 = passage.h2();
    let streams = ["/a", "/b"].map(|path| h2.open(&h2_request("GET", path), true).expect("a stream"));
    let h2_half_down = h2.open(&h2_request("GET", "/half"), true).expect("a stream");
    h2.receive_at_least(h2_half_down, 4).expect("the first half");
    let h2_half_up = h2.open(&h2_request("PUT", "/up"), false).expect("a stream");
    h2.send_data(h2_half_up, b"half", false).expect("the gate reads");
    eventually("all are under way", || passage.backend.count() == 7);

    passage.gate.terminate();
    h2.wait_for_goaway().expect("it is told first");
    assert_eq!(h2.goaway(), Some(0));
    eventually("nobody new is taken", || passage.client.get(passage.address(), "/").is_err());
    half_up.send(b"half").expect("the gate reads on");
    h2.send_data(h2_half_up, b"half", true).expect("the gate reads on");
    hold.store(false, Ordering::SeqCst);

    assert_eq!(waits.receive().expect("the answer").text(), "answered ");
    assert_eq!(waits.end(), Refusal::Closed);
    assert_eq!(half_down.read_exactly(8).expect("both halves"), b"halfhalf");
    assert_eq!(half_down.end(), Refusal::Closed);
    assert_eq!(half_up.receive().expect("the answer").text(), "answered halfhalf");
    assert_eq!(half_up.end(), Refusal::Closed);
    for stream in streams {
        assert_eq!(h2.receive(stream).expect("the answer").text(), "answered ");
    }
    assert_eq!(h2.receive(h2_half_down).expect("the answer").text(), "halfhalf");
    assert_eq!(h2.receive(h2_half_up).expect("the answer").text(), "answered halfhalf");
    h2.wait_for_end();
    assert_eq!(passage.gate.wait().code(), Some(0));
    eventually("the backend is left", || passage.backend.open() == 0);
    assert!(passage.backend.received().iter().all(|received| received.complete));
}
