//! A TLS server that tells TPPs apart, as a gate does: by their chain and its time, by revocation and by roles. It keeps who came.

#![allow(dead_code, reason = "each test file uses a part")]
#![allow(clippy::unwrap_used, reason = "these functions belong to tests, whose failure a panic is")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use std::{fs, thread};

use rustls::crypto::aws_lc_rs::Ticketer;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, HandshakeKind, ServerConfig,
    ServerConnection, SignatureScheme, StreamOwned,
};
use x509_parser::certificate::X509Certificate;
use x509_parser::parse_x509_certificate;

use crate::server::{self, OK, Outcome};

/// The answer to those who are refused by one.
const FORBIDDEN: &str = "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n";
/// What the object identifiers of all roles of PSD2 begin with: 0.4.0.19495.1 (TS 119 495, annex A).
const ROLE: [u8; 6] = [0x04, 0x00, 0x81, 0x98, 0x27, 0x01];
/// organizationIdentifier, 2.5.4.97.
const ORGANIZATION_IDENTIFIER: &str = "2.5.4.97";

/// How those are refused who are revoked or have no role. Who is expired or foreign hears an alert of any server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusals {
    /// By an alert of TLS.
    Alerts,
    /// By an answer.
    Answers,
    /// Not at all.
    None,
}

/// A client that shook hands and was not refused by an alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Its organizationIdentifier.
    pub(crate) organization: String,
    /// Algorithm and size of its key.
    pub(crate) key: String,
    /// Certificates that it sent.
    pub(crate) chain: usize,
    /// Whether its session was resumed.
    pub(crate) resumed: bool,
}

/// A server until the test ends.
pub(crate) struct TppServer {
    address: SocketAddr,
    directory: PathBuf,
    judge: Arc<Judge>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl TppServer {
    /// Starts one.
    pub(crate) fn start(refusals: Refusals) -> Self {
        let directory = server::new_directory();
        let identity = server::certificates(&directory);
        let path = identity.path_verifier();
        let revoked = directory.join("revoked.txt");
        let judge = Arc::new(Judge { path, refusals, revoked, presented: Mutex::default() });
        let mut config = identity.config(Arc::clone(&judge) as Arc<dyn ClientCertVerifier>);
        // Tickets, since the memory for sessions would hold too few.
        config.ticketer = Ticketer::new().unwrap();
        let (config, seen) = (Arc::new(config), Arc::<Mutex<Vec<Seen>>>::default());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, book) = (listener.local_addr().unwrap(), Arc::clone(&seen));
        let judges = Arc::clone(&judge);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (config, judge, seen) = (Arc::clone(&config), Arc::clone(&judges), Arc::clone(&book));
                // The peer may go at any time, which ends the thread.
                thread::spawn(move || serve(stream?, config, &judge, &seen));
            }
        });
        Self { address, directory, judge, seen }
    }

    /// Runs the program with so many clients that the server's own CA issues.
    pub(crate) fn load(&self, command: &str, clients: usize, options: &[&str]) -> Outcome {
        let (root, key, clients) = (self.file("root.pem"), self.file("root.key"), clients.to_string());
        let made = ["--ca", &root, "--clients", &clients, "--issuer", &root, "--issuer-key", &key];
        server::run(command, self.address, &[&made[..], options].concat())
    }

    /// Runs the program.
    pub(crate) fn run(&self, command: &str, options: &[&str]) -> Outcome {
        server::run(command, self.address, options)
    }

    /// A file of its directory.
    pub(crate) fn file(&self, name: &str) -> String {
        self.directory.join(name).to_str().unwrap().to_owned()
    }

    /// Who came so far, in that order.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// How many different certificates clients have shown.
    pub(crate) fn presented(&self) -> usize {
        self.judge.presented.lock().unwrap().len()
    }

    /// How often each organisation came so far.
    pub(crate) fn visits(&self) -> BTreeMap<String, u32> {
        let mut visits = BTreeMap::new();
        self.seen().into_iter().for_each(|seen| *visits.entry(seen.organization).or_default() += 1);
        visits
    }
}

impl Drop for TppServer {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.directory).unwrap();
    }
}

/// Who is let in.
#[derive(Debug)]
struct Judge {
    path: Arc<dyn ClientCertVerifier>,
    refusals: Refusals,
    /// Serial numbers, as the program writes them.
    revoked: PathBuf,
    presented: Mutex<BTreeSet<Vec<u8>>>,
}

impl Judge {
    /// What is wrong with a client that has a path.
    fn fault(&self, leaf: &CertificateDer<'_>) -> Option<CertificateError> {
        let certificate = parse(leaf);
        let serial: String = certificate.raw_serial().iter().map(|octet| format!("{octet:02x}")).collect();
        let revoked = fs::read_to_string(&self.revoked).unwrap_or_default();
        if self.refusals == Refusals::None {
            None
        } else if revoked.lines().any(|line| line == serial) {
            Some(CertificateError::Revoked)
        } else if !leaf.windows(ROLE.len()).any(|window| window == ROLE) {
            // Which rustls says by the alert access_denied.
            Some(CertificateError::ApplicationVerificationFailure)
        } else {
            None
        }
    }
}

impl ClientCertVerifier for Judge {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.path.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.presented.lock().unwrap().insert(leaf.to_vec());
        self.path.verify_client_cert(leaf, intermediates, now)?;
        match self.fault(leaf) {
            Some(fault) if self.refusals == Refusals::Alerts => Err(fault.into()),
            _ => Ok(ClientCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, Error> {
        self.path.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, Error> {
        self.path.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.path.supported_verify_schemes()
    }
}

fn serve(
    stream: TcpStream,
    config: Arc<ServerConfig>,
    judge: &Judge,
    seen: &Mutex<Vec<Seen>>,
) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut tls = StreamOwned::new(ServerConnection::new(config).unwrap(), stream);
    let mut is_known = false;
    loop {
        if let Err(error) = server::read_request(&mut tls) {
            // The alert is sent; the client reads it before the socket goes.
            thread::sleep(Duration::from_millis(100));
            return Err(error);
        }
        let chain = tls.conn.peer_certificates().unwrap();
        if !is_known {
            seen.lock().unwrap().push(Seen::of(&tls.conn));
            is_known = true;
        }
        let answer = if judge.fault(&chain[0]).is_some() { FORBIDDEN } else { OK };
        tls.write_all(answer.as_bytes())?;
    }
}

impl Seen {
    fn of(connection: &ServerConnection) -> Self {
        let chain = connection.peer_certificates().unwrap();
        let certificate = parse(&chain[0]);
        let subject = certificate.subject();
        let identifier =
            subject.iter_attributes().find(|a| a.attr_type().to_id_string() == ORGANIZATION_IDENTIFIER);
        let algorithm = certificate.public_key().algorithm.algorithm.to_id_string();
        let bits = certificate.public_key().parsed().unwrap().key_size();
        Self {
            organization: identifier.unwrap().as_str().unwrap().to_owned(),
            key: format!("{algorithm} {bits}"),
            chain: chain.len(),
            resumed: connection.handshake_kind() == Some(HandshakeKind::Resumed),
        }
    }
}

fn parse<'a>(der: &'a CertificateDer<'_>) -> X509Certificate<'a> {
    parse_x509_certificate(der).unwrap().1
}
