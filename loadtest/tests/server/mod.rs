//! A TLS server on threads of the test, and the program that is tested against it.

#![allow(dead_code, reason = "each test file uses a part")]
#![allow(clippy::unwrap_used, reason = "these functions belong to tests, whose failure a panic is")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{HandshakeKind, RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;

/// What the server does with each connection.
#[derive(Clone, Copy)]
pub(crate) enum Behaviour {
    /// Answers every request with these bytes.
    Answer(&'static str),
    /// Answers once and closes.
    AnswerAndClose(&'static str),
    /// Answers so many requests, then closes without a word.
    AnswerThenVanish(&'static str, usize),
    /// Closes as soon as it has accepted.
    Close,
    /// Accepts and never says anything.
    Silent,
    /// Shakes hands, reads the request, and never answers.
    NoAnswer,
    /// Answers, but in every period stands still for the last part of it.
    Stall(&'static str, Stalls),
}

/// When a server stands still.
#[derive(Clone, Copy)]
pub(crate) struct Stalls {
    pub(crate) since: Instant,
    pub(crate) period: Duration,
    pub(crate) stall: Duration,
}

impl Stalls {
    /// Waits until it does not.
    fn wait(self) {
        let into = Duration::from_nanos(
            u64::try_from(self.since.elapsed().as_nanos() % self.period.as_nanos()).unwrap(),
        );
        if into >= self.period - self.stall {
            thread::sleep(self.period - into);
        }
    }
}

/// What the server counts by itself.
#[derive(Default)]
pub(crate) struct Handshakes {
    pub(crate) full: AtomicU64,
    pub(crate) resumed: AtomicU64,
}

/// An answer with the expected status.
pub(crate) const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n";

/// A server until the test ends.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) accepted: Arc<AtomicU64>,
    pub(crate) handshakes: Arc<Handshakes>,
    directory: PathBuf,
}

/// What the program said.
pub(crate) struct Outcome {
    pub(crate) success: bool,
    pub(crate) report: Value,
    pub(crate) stderr: String,
}

impl Server {
    /// Starts a server that requires a client certificate.
    pub(crate) fn start(behaviour: Behaviour) -> Self {
        Self::start_with(behaviour, |_| {})
    }

    /// As [`start`](Self::start), and it resumes no session.
    pub(crate) fn start_without_resumption(behaviour: Behaviour) -> Self {
        Self::start_with(behaviour, |config| {
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        })
    }

    fn start_with(behaviour: Behaviour, change: impl FnOnce(&mut ServerConfig)) -> Self {
        let directory = new_directory();
        let identity = certificates(&directory);
        let verifier = identity.path_verifier();
        let mut config = identity.config(verifier);
        change(&mut config);
        let config = Arc::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let accepted = Arc::new(AtomicU64::new(0));
        let (count, handshakes) = (Arc::clone(&accepted), Arc::<Handshakes>::default());
        let counted = Arc::clone(&handshakes);
        thread::spawn(move || {
            for stream in listener.incoming() {
                count.fetch_add(1, Ordering::SeqCst);
                let (config, counted) = (Arc::clone(&config), Arc::clone(&counted));
                // The peer may go at any time, which ends the thread.
                thread::spawn(move || serve(stream?, config, behaviour, &counted));
            }
        });
        Self { address, accepted, handshakes, directory }
    }

    /// Runs the program against this server with its client certificate.
    pub(crate) fn load(&self, command: &str, options: &[&str]) -> Outcome {
        let (cert, key) = (self.file("client.pem"), self.file("client.key"));
        self.load_bare(command, &[&["--cert", &cert, "--key", &key], options].concat())
    }

    /// Runs the program against this server without a client certificate.
    pub(crate) fn load_bare(&self, command: &str, options: &[&str]) -> Outcome {
        run(command, self.address, &[&["--ca", &self.file("root.pem")], options].concat())
    }

    pub(crate) fn file(&self, name: &str) -> String {
        self.directory.join(name).to_str().unwrap().to_owned()
    }
}

/// Runs the program against a server. What it reports is held against the schema that docs/ publishes.
pub(crate) fn run(command: &str, address: SocketAddr, options: &[&str]) -> Outcome {
    let output = Command::new(env!("CARGO_BIN_EXE_loadtest"))
        .args([command, "--target", &address.to_string(), "--sni", "localhost", "--format", "json"])
        .args(options)
        .output()
        .unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    if !report.is_null() {
        assert_eq!(violation(&report), None, "{report}");
    }
    let stderr = String::from_utf8(output.stderr).unwrap();
    Outcome { success: output.status.success(), report, stderr }
}

/// What about a report is not as the schema says.
pub(crate) fn violation(report: &Value) -> Option<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/loadtest.schema.json");
    let (mut schemas, mut compiler) = (boon::Schemas::new(), boon::Compiler::new());
    let schema = compiler.compile(path.to_str().unwrap(), &mut schemas).unwrap();
    schemas.validate(report, schema).err().map(|error| format!("{error:#}"))
}

/// A directory of its own.
pub(crate) fn new_directory() -> PathBuf {
    static DIRECTORIES: AtomicU64 = AtomicU64::new(0);
    let number = DIRECTORIES.fetch_add(1, Ordering::Relaxed);
    let directory = env::temp_dir().join(format!("loadtest-{}-{number}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    directory
}

impl Drop for Server {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.directory).unwrap();
    }
}

impl Outcome {
    /// A count of the report.
    pub(crate) fn count(&self, key: &str) -> u64 {
        self.report[key].as_u64().unwrap_or_else(|| panic!("{key} in {}; {}", self.report, self.stderr))
    }
}

/// What a server needs besides a verifier.
pub(crate) struct Identity {
    /// The CA of its clients, which is its own too.
    pub(crate) roots: Arc<RootCertStore>,
    pub(crate) provider: Arc<CryptoProvider>,
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
}

impl Identity {
    /// The configuration of a server.
    pub(crate) fn config(self, verifier: Arc<dyn ClientCertVerifier>) -> ServerConfig {
        ServerConfig::builder_with_provider(self.provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier)
            .with_single_cert(vec![self.certificate], self.key)
            .unwrap()
    }

    /// The path of a client's certificate.
    pub(crate) fn path_verifier(&self) -> Arc<dyn ClientCertVerifier> {
        let (roots, provider) = (Arc::clone(&self.roots), Arc::clone(&self.provider));
        WebPkiClientVerifier::builder_with_provider(roots, provider).build().unwrap()
    }
}

/// Makes a CA, a certificate of a client and one of the server, and leaves all but the last in files.
pub(crate) fn certificates(directory: &Path) -> Identity {
    let mut authority = CertificateParams::new([]).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let leaf = |name: &str| {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        (params.signed_by(&key, &authority).unwrap(), key)
    };
    let (client, client_key) = leaf("client");
    let (server, server_key) = leaf("localhost");
    fs::write(directory.join("root.pem"), authority.pem()).unwrap();
    fs::write(directory.join("root.key"), authority.key().serialize_pem()).unwrap();
    fs::write(directory.join("client.pem"), client.pem()).unwrap();
    fs::write(directory.join("client.key"), client_key.serialize_pem()).unwrap();

    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(authority.der().clone()).unwrap();
    let key = PrivateKeyDer::try_from(server_key.serialize_der()).unwrap();
    Identity { roots: Arc::new(roots), provider, certificate: server.der().clone(), key }
}

fn serve(
    stream: TcpStream,
    config: Arc<ServerConfig>,
    behaviour: Behaviour,
    handshakes: &Handshakes,
) -> std::io::Result<()> {
    // Else an answer waits for the client to acknowledge the tickets.
    stream.set_nodelay(true)?;
    let mut tls = match behaviour {
        Behaviour::Close => return Ok(()),
        Behaviour::Silent => return linger(&stream),
        _ => StreamOwned::new(ServerConnection::new(config).unwrap(), stream),
    };
    let mut answered = 0;
    loop {
        if let Err(error) = read_request(&mut tls) {
            // The alert is sent; the client reads it before the socket goes.
            thread::sleep(Duration::from_millis(100));
            return Err(error);
        }
        if answered == 0 {
            match tls.conn.handshake_kind() {
                Some(HandshakeKind::Resumed) => handshakes.resumed.fetch_add(1, Ordering::SeqCst),
                _ => handshakes.full.fetch_add(1, Ordering::SeqCst),
            };
        }
        let (answer, most) = match behaviour {
            Behaviour::Stall(answer, stalls) => {
                stalls.wait();
                (answer, usize::MAX)
            }
            Behaviour::Answer(answer) => (answer, usize::MAX),
            Behaviour::AnswerAndClose(answer) => (answer, 1),
            Behaviour::AnswerThenVanish(answer, most) => (answer, most),
            Behaviour::Close | Behaviour::Silent | Behaviour::NoAnswer => return linger(&tls.sock),
        };
        if answered == most {
            return Ok(());
        }
        tls.write_all(answer.as_bytes())?;
        answered += 1;
        if matches!(behaviour, Behaviour::AnswerAndClose(_)) {
            tls.conn.send_close_notify();
            return tls.flush();
        }
    }
}

/// Reads a request to the end of its head, or of its body if it has one.
pub(crate) fn read_request(tls: &mut impl Read) -> std::io::Result<()> {
    let mut request = Vec::new();
    let mut bytes = [0; 16 * 1024];
    loop {
        let head = request.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4);
        if head.is_some_and(|head| request.len() == head + content_length(&request[..head])) {
            return Ok(());
        }
        match tls.read(&mut bytes)? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            length => request.extend_from_slice(&bytes[..length]),
        }
    }
}

fn content_length(head: &[u8]) -> usize {
    let head = String::from_utf8(head.to_vec()).unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
    length.map_or(0, |length| length.parse().unwrap())
}

/// Keeps the connection until the client goes.
fn linger(mut stream: &TcpStream) -> std::io::Result<()> {
    while stream.read(&mut [0; 1024])? > 0 {}
    Ok(())
}
