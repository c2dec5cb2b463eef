//! The backend as a gate meets it: it keeps connections, answers what is asked for, and its counts are true.

#![allow(clippy::unwrap_used, reason = "these functions belong to tests, whose failure a panic is")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// A backend until the test ends.
struct Backend {
    process: Child,
    address: String,
}

impl Backend {
    fn start(options: &[&str]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_loadtest"))
            .args(["backend", "--listen", "127.0.0.1:0"])
            .args(options)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address =
            line.trim().strip_prefix("listening on ").expect("the address is the first line").to_owned();
        Self { process, address }
    }

    fn connect(&self) -> BufReader<TcpStream> {
        BufReader::new(TcpStream::connect(&self.address).unwrap())
    }

    fn stats(&self) -> [u64; 4] {
        let (status, body) = get(&mut self.connect(), "/stats", "");
        assert_eq!(status, 200);
        let stats: Value = serde_json::from_slice(&body).unwrap();
        ["connections", "requests", "lacking", "refused"].map(|key| stats[key].as_u64().unwrap())
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

fn get(connection: &mut BufReader<TcpStream>, path: &str, fields: &str) -> (u16, Vec<u8>) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: backend\r\n{fields}\r\n");
    connection.get_mut().write_all(request.as_bytes()).unwrap();
    answer(connection)
}

fn answer(connection: &mut BufReader<TcpStream>) -> (u16, Vec<u8>) {
    let (mut status, mut length) = (0, 0);
    loop {
        let mut line = String::new();
        connection.read_line(&mut line).unwrap();
        match line.trim_end().split_once(' ') {
            Some(("HTTP/1.1", rest)) => status = rest[..3].parse().unwrap(),
            Some(("Content-Length:", value)) => length = value.parse().unwrap(),
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    connection.read_exact(&mut body).unwrap();
    (status, body)
}

fn has_ended(connection: &mut BufReader<TcpStream>) -> bool {
    connection.read(&mut [0]).unwrap() == 0
}

#[test]
fn a_connection_is_kept_and_counted_once() {
    for io in ["auto", "epoll"] {
        let backend = Backend::start(&["--io", io]);
        let mut connection = backend.connect();
        for _ in 0..5 {
            let (status, body) = get(&mut connection, "/proxied", "");
            assert_eq!((status, body.len()), (200, 99));
        }
        let mut other = backend.connect();
        assert_eq!(get(&mut other, "/proxied", "").0, 200);
        // Asking for the counts is not counted, however often.
        assert_eq!(backend.stats(), [2, 6, 0, 0]);
        assert_eq!(backend.stats(), [2, 6, 0, 0]);
    }
}

#[test]
fn many_bytes_are_as_many_as_asked_for() {
    for io in ["auto", "epoll"] {
        let backend = Backend::start(&["--io", io]);
        let mut connection = backend.connect();
        for count in [0, 1, 16 * 1024, 1024 * 1024, 3_000_001] {
            let (status, body) = get(&mut connection, &format!("/proxied/bytes/{count}"), "");
            assert_eq!((status, body.len()), (200, count));
            assert!(body.iter().all(|byte| *byte == b'x'));
        }
        assert_eq!(backend.stats(), [1, 5, 0, 0]);
    }
}

#[test]
fn a_request_without_the_field_is_found_out() {
    let backend = Backend::start(&["--require-field", "Client-Cert"]);
    let mut connection = backend.connect();
    assert_eq!(get(&mut connection, "/", "").0, 400);
    assert_eq!(get(&mut connection, "/bytes/3", "X-Client-Cert: :YQ==:\r\n").0, 400);
    assert_eq!(get(&mut connection, "/", "client-cert: :YQ==:\r\n").0, 200);
    let (_, body) = get(&mut connection, "/proxied/field", "Client-Cert: :YQ==:\r\nClient-Cert: forged\r\n");
    assert_eq!(body, b":YQ==:\nforged\n");
    assert_eq!(backend.stats(), [1, 4, 2, 0]);
}

#[test]
fn requests_that_came_together_are_answered_in_order() {
    let backend = Backend::start(&[]);
    let mut connection = backend.connect();
    let together = "GET /bytes/1 HTTP/1.1\r\n\r\nGET /bytes/2 HTTP/1.1\r\n\r\nGET /bytes/3 HTT";
    connection.get_mut().write_all(together.as_bytes()).unwrap();
    assert_eq!(answer(&mut connection).1, b"x");
    assert_eq!(answer(&mut connection).1, b"xx");
    connection.get_mut().write_all(b"P/1.1\r\n\r\n").unwrap();
    assert_eq!(answer(&mut connection).1, b"xxx");
}

#[test]
fn the_peer_may_end_a_connection() {
    let backend = Backend::start(&[]);
    let mut connection = backend.connect();
    assert_eq!(get(&mut connection, "/", "Connection: close\r\n").0, 200);
    assert!(has_ended(&mut connection));
}

#[test]
fn what_is_refused_ends_the_connection() {
    let backend = Backend::start(&[]);
    // One byte more than is taken, so that none is left unread: its answer would go down with the reset of the connection.
    let start = "GET / HTTP/1.1\r\nX: ";
    let long = format!("{start}{}", "x".repeat(64 * 1024 + 1 - start.len()));
    for (request, expected) in [
        ("POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n", 405),
        ("GET / HTTP/1.1\r\nContent-Length: 3\r\n\r\n", 400),
        ("GET /bytes/many HTTP/1.1\r\n\r\n", 400),
        ("nonsense\r\n\r\n", 400),
        (&long, 431),
    ] {
        let mut connection = backend.connect();
        connection.get_mut().write_all(request.as_bytes()).unwrap();
        assert_eq!(answer(&mut connection).0, expected);
        assert!(has_ended(&mut connection));
    }
    assert_eq!(backend.stats(), [5, 5, 0, 5]);
}

#[test]
fn two_backends_do_not_share_an_address() {
    let backend = Backend::start(&[]);
    for (listen, cause) in [(backend.address.as_str(), "--listen"), ("192.0.2.1:0", "--allow-remote")] {
        let second = Command::new(env!("CARGO_BIN_EXE_loadtest"))
            .args(["backend", "--listen", listen])
            .output()
            .unwrap();
        assert!(!second.status.success());
        let stderr = String::from_utf8(second.stderr).unwrap();
        assert!(stderr.contains(cause), "{stderr}");
    }
}
