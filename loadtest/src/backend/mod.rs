//! `loadtest backend`: the server behind a gate. It costs little itself, keeps every connection, and counts connections and
//! requests, so that a script can prove that the gate kept them too and that it handed the client's certificate on.

pub(crate) mod request;

use std::cell::Cell;
use std::io::{self, Write};
use std::rc::Rc;

use anyhow::{Context, Result, bail};
use monoio::io::{AsyncReadRent, AsyncWriteRentExt};
use monoio::net::{TcpListener, TcpStream};
use serde::Serialize;

use crate::arguments::BackendArguments;

use self::request::{Request, RequestError, Resource};

/// Bytes read at once: a head with a certificate in it, and room.
const INBOX_BYTES: usize = 16 * 1024;
/// The answer to a path that asks for nothing else: as long as a short document of an account.
const SMALL_BODY: &[u8] =
    br#"{"account":"DE02120300000000202051","currency":"EUR","balance":"1024.00","status":"enabled","n":1}
"#;
/// What a body of many bytes is written from. A quarter of a MiB at once makes the calls few and stays in a core's cache.
static FILL: [u8; 256 * 1024] = [b'x'; 256 * 1024];
/// Bytes of such a body that are sent with its head, so that the head is not a packet of its own.
const FIRST_BYTES: usize = 16 * 1024;

/// What was counted since the start. As JSON its keys are an interface, which the README lists.
#[derive(Debug, Default, Serialize)]
struct Stats {
    /// Connections that brought a request, other than for these figures.
    connections: Cell<u64>,
    /// Requests on them, those refused included.
    requests: Cell<u64>,
    /// Requests that lacked the required field.
    lacking: Cell<u64>,
    /// Requests that were refused for another reason.
    refused: Cell<u64>,
}

/// What all connections share.
#[derive(Debug, Default)]
struct Backend {
    required_field: Option<String>,
    stats: Stats,
}

/// A connection, its buffers, and whether it is counted already.
struct Peer {
    stream: TcpStream,
    inbox: Vec<u8>,
    received: Vec<u8>,
    counted: bool,
}

/// An answer that is ready to be sent: `outbox`, and then so many bytes of [`FILL`].
#[derive(Debug, Default)]
struct Reply {
    outbox: Vec<u8>,
    fill: u64,
    closes: bool,
}

/// Serves until the process is ended, or accepting fails. The address is written to standard output, since port 0 lets the system
/// choose.
pub(crate) fn run(arguments: &BackendArguments) -> Result<()> {
    arguments.serving.check()?;
    if let Some(field) = &arguments.require_field
        && !is_token(field)
    {
        bail!("--require-field {field:?}: not the name of a field");
    }
    let backend = Rc::new(Backend { required_field: arguments.require_field.clone(), ..Backend::default() });
    arguments.serving.run(|listener, _| serve(backend, listener))
}

async fn serve(backend: Rc<Backend>, listener: TcpListener) -> Result<()> {
    writeln!(io::stdout(), "listening on {}", listener.local_addr()?)?;
    loop {
        let (stream, _) = listener.accept().await.context("accept")?;
        // Closed by both sides when the gate closes: there is no deadline, since a gate may keep what it does not use.
        monoio::spawn(Peer::new(stream).serve(Rc::clone(&backend)));
    }
}

impl Peer {
    fn new(stream: TcpStream) -> Self {
        Self { stream, inbox: Vec::with_capacity(INBOX_BYTES), received: Vec::new(), counted: false }
    }

    /// Answers until the gate closes or is refused. What breaks a connection is the gate's to report.
    async fn serve(mut self, backend: Rc<Backend>) -> io::Result<()> {
        self.stream.set_nodelay(true)?;
        let mut reply = Reply::default();
        loop {
            match request::parse(&self.received, backend.required_field.as_deref()) {
                Ok(None) => {
                    if !self.receive().await? {
                        return Ok(());
                    }
                    continue;
                }
                Ok(Some(request)) => {
                    self.counted = backend.answer(&request, self.counted, &mut reply);
                    let length = request.length;
                    self.received.drain(..length);
                }
                Err(error) => backend.refuse(error, self.counted, &mut reply),
            }
            self.send(&mut reply).await?;
            if reply.closes {
                return Ok(());
            }
        }
    }

    /// Reads once. Returns false at the end of the stream.
    async fn receive(&mut self) -> io::Result<bool> {
        let (result, inbox) = self.stream.read(std::mem::take(&mut self.inbox)).await;
        self.inbox = inbox;
        let length = result?;
        self.received.extend_from_slice(&self.inbox[..length]);
        Ok(length > 0)
    }

    async fn send(&mut self, reply: &mut Reply) -> io::Result<()> {
        let (result, outbox) = self.stream.write_all(std::mem::take(&mut reply.outbox)).await;
        reply.outbox = outbox;
        result?;
        while reply.fill > 0 {
            let step = usize::try_from(reply.fill).unwrap_or(usize::MAX).min(FILL.len());
            self.stream.write_all(&FILL[..step]).await.0?;
            reply.fill -= step as u64;
        }
        Ok(())
    }
}

impl Backend {
    /// Counts a request and makes the answer to it. Returns whether its connection is counted by now.
    fn answer(&self, request: &Request<'_>, counted: bool, reply: &mut Reply) -> bool {
        if request.resource == Resource::Stats {
            // Counters of integers always serialize.
            let stats = serde_json::to_vec(&self.stats).unwrap_or_default();
            reply.set("200 OK", &stats, request.closes);
            return counted;
        }
        self.count(counted);
        match request.resource {
            _ if self.required_field.is_some() && request.values.is_empty() => {
                add_one(&self.stats.lacking);
                reply.set("400 Bad Request", b"the required field is missing\n", request.closes);
            }
            Resource::Bytes(count) => reply.set_filled(count, request.closes),
            Resource::Field => {
                let lines = request.values.iter().flat_map(|value| [*value, b"\n"]).collect::<Vec<_>>();
                reply.set("200 OK", &lines.concat(), request.closes);
            }
            Resource::Small | Resource::Stats => reply.set("200 OK", SMALL_BODY, request.closes),
        }
        true
    }

    fn refuse(&self, error: RequestError, counted: bool, reply: &mut Reply) {
        self.count(counted);
        add_one(&self.stats.refused);
        reply.set(error.status(), format!("{error}\n").as_bytes(), true);
    }

    fn count(&self, counted: bool) {
        add_one(&self.stats.requests);
        if !counted {
            add_one(&self.stats.connections);
        }
    }
}

impl Reply {
    fn set(&mut self, status: &str, body: &[u8], closes: bool) {
        self.head(status, body.len() as u64, closes);
        self.outbox.extend_from_slice(body);
        self.fill = 0;
    }

    fn set_filled(&mut self, count: u64, closes: bool) {
        self.head("200 OK", count, closes);
        let first = usize::try_from(count).unwrap_or(usize::MAX).min(FIRST_BYTES);
        self.outbox.extend_from_slice(&FILL[..first]);
        self.fill = count - first as u64;
    }

    fn head(&mut self, status: &str, length: u64, closes: bool) {
        self.closes = closes;
        self.outbox.clear();
        let connection = if closes { "Connection: close\r\n" } else { "" };
        // Writing to memory does not fail.
        let _ = write!(self.outbox, "HTTP/1.1 {status}\r\nContent-Length: {length}\r\n{connection}\r\n");
    }
}

fn add_one(counter: &Cell<u64>) {
    counter.set(counter.get() + 1);
}

/// A name as RFC 9110, section 5.6.2, has it.
fn is_token(name: &str) -> bool {
    !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(backend: &Backend, path: &str, fields: &str) -> (String, u64) {
        let head = format!("GET {path} HTTP/1.1\r\n{fields}\r\n");
        let request = request::parse(head.as_bytes(), backend.required_field.as_deref()).unwrap().unwrap();
        let mut reply = Reply::default();
        backend.answer(&request, false, &mut reply);
        (String::from_utf8(reply.outbox).unwrap(), reply.fill)
    }

    #[test]
    fn an_answer_is_as_long_as_it_says() {
        let backend = Backend::default();
        for count in [0, 1, FIRST_BYTES as u64, FIRST_BYTES as u64 + 1, 1 << 20] {
            let (outbox, fill) = answer(&backend, &format!("/bytes/{count}"), "");
            let (head, body) = outbox.split_once("\r\n\r\n").unwrap();
            assert!(head.ends_with(&format!("Content-Length: {count}")), "{head}");
            assert_eq!(body.len() as u64 + fill, count);
        }
    }

    #[test]
    fn a_request_that_lacks_the_field_is_counted_and_refused() {
        let backend = Backend { required_field: Some("Client-Cert".to_owned()), ..Backend::default() };
        assert!(answer(&backend, "/", "").0.starts_with("HTTP/1.1 400 "));
        assert!(answer(&backend, "/bytes/5", "").0.starts_with("HTTP/1.1 400 "));
        assert!(answer(&backend, "/", "Client-Cert: a\r\n").0.starts_with("HTTP/1.1 200 "));
        let (outbox, _) = answer(&backend, "/field", "Client-Cert: a\r\nclient-cert: b\r\n");
        assert!(outbox.ends_with("\r\n\r\na\nb\n"), "{outbox}");
        assert!(answer(&backend, "/stats", "").0.contains(r#""requests":4,"lacking":2,"#));
    }

    #[test]
    fn names_of_fields_are_tokens() {
        assert!(is_token("Client-Cert"));
        for name in ["", "Client Cert", "Client-Cert:", "a\r\nb", "\u{e9}"] {
            assert!(!is_token(name), "{name:?}");
        }
    }
}
