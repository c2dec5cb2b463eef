//! The process that a shard is measured with: a client, and the backend behind the gate.

use std::{
    env,
    io::{self, BufRead, BufReader, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::Arc,
    thread,
    time::Duration,
};

use rustls::{
    ClientConfig, ClientConnection, HandshakeKind, RootCertStore, StreamOwned, SupportedProtocolVersion,
    client::Resumption, version,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};

/// The variables that hold the certificates: the server's root, the client's chain and its key.
pub(crate) const ROOT: &str = "PORTCULLIS_TEST_ROOT";
pub(crate) const CHAIN: &str = "PORTCULLIS_TEST_CHAIN";
pub(crate) const KEY: &str = "PORTCULLIS_TEST_KEY";

/// What it says when it has done the work often enough that everything which is made once is there, and at the end.
pub(crate) const READY: &str = "ready";
pub(crate) const DONE: &str = "done";

/// How often it does what it was told to, each time when it reads a line.
pub(crate) const ROUNDS: usize = 3;

const WARM_UP: usize = 20;

/// How long the gate may keep the client waiting before the test has failed.
const PATIENCE: Duration = Duration::from_secs(30);

type Stream = StreamOwned<ClientConnection, TcpStream>;

/// Says where its backend is, and then, for each line that it reads, does what it says.
#[test]
#[ignore = "the other test of this file starts it"]
fn works_to_order() {
    let backend = TcpListener::bind("127.0.0.1:0").unwrap();
    eprintln!("{}", backend.local_addr().unwrap());
    thread::spawn(move || {
        for stream in backend.incoming() {
            thread::spawn(move || answer(stream.unwrap()));
        }
    });
    let mut orders = io::stdin().lines().map(Result::unwrap);
    while let Some(order) = orders.next() {
        let mut words = order.splitn(3, ' ');
        let address = words.next().unwrap().parse().unwrap();
        let count: usize = words.next().unwrap().parse().unwrap();
        let mut work = work(words.next().unwrap(), address);
        (0..WARM_UP).for_each(|_| _ = work());
        eprintln!("{READY}");
        for _ in 0..ROUNDS {
            orders.next().unwrap();
            (0..count).for_each(|_| assert!(work(), "{order}"));
            eprintln!("{DONE}");
        }
    }
}

/// Work that says each time whether it went as its name has it.
fn work(name: &str, address: SocketAddr) -> Box<dyn FnMut() -> bool> {
    match name {
        "answered" | "proxied" => {
            let mut stream = connect(&config(&version::TLS13, false), address);
            let request = format!("GET /{name} HTTP/1.1\r\nHost: api.bank.example\r\n\r\n");
            Box::new(move || get(&mut stream, &request))
        }
        _ => {
            let is_resumed = name.starts_with("resumed");
            let version = if name.ends_with("1.2") { &version::TLS12 } else { &version::TLS13 };
            let config = config(version, is_resumed);
            let expected = if is_resumed { HandshakeKind::Resumed } else { HandshakeKind::Full };
            Box::new(move || handshake(connect(&config, address)) == Some(expected))
        }
    }
}

fn config(version: &'static SupportedProtocolVersion, resumes: bool) -> Arc<ClientConfig> {
    let text = |name| env::var(name).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(text(ROOT).as_bytes()).unwrap()).unwrap();
    let chain = CertificateDer::pem_slice_iter(text(CHAIN).as_bytes()).map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_slice(text(KEY).as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(&[version]).unwrap();
    let mut config = builder.with_root_certificates(roots).with_client_auth_cert(chain, key).unwrap();
    if !resumes {
        config.resumption = Resumption::disabled();
    }
    Arc::new(config)
}

fn connect(config: &Arc<ClientConfig>, address: SocketAddr) -> Stream {
    let name = "api.bank.example".try_into().unwrap();
    let socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.set_nodelay(true).unwrap();
    StreamOwned::new(ClientConnection::new(Arc::clone(config), name).unwrap(), socket)
}

/// A connection from its beginning to its end, on which nothing is asked.
fn handshake(mut stream: Stream) -> Option<HandshakeKind> {
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock).unwrap();
    }
    stream.conn.send_close_notify();
    while stream.conn.wants_write() {
        stream.conn.write_tls(&mut stream.sock).unwrap();
    }
    stream.sock.shutdown(Shutdown::Write).unwrap();
    stream.read_to_end(&mut Vec::new()).unwrap();
    stream.conn.handshake_kind()
}

/// One request; both answers have a body that is shorter than its head, and end with it.
fn get(stream: &mut Stream, request: &str) -> bool {
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"welcome") {
        let mut piece = [0; 1024];
        match stream.read(&mut piece).unwrap() {
            0 => return false,
            read => answer.extend_from_slice(&piece[..read]),
        }
    }
    answer.starts_with(b"HTTP/1.1 200 ")
}

/// Answers every request of a connection, none of which has a body.
fn answer(mut stream: TcpStream) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    while let Some(Ok(line)) = lines.next() {
        if line.is_empty() {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nwelcome").unwrap();
        }
    }
}
