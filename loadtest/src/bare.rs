//! `loadtest bare`: a TLS server of rustls and monoio and nothing else. It requires a client's certificate, answers each GET, and
//! knows no rules, routes, limits or counts: what a gate on the same libraries costs beside it is the gate's own.

use std::io::{self, Read as _, Write as _};
use std::sync::Arc;

use anyhow::{Context, Result};
use monoio::io::{AsyncReadRent, AsyncWriteRentExt};
use monoio::net::{TcpListener, TcpStream};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, ServerConfig, ServerConnection, SignatureScheme};

use crate::arguments::BareArguments;
use crate::backend::request;
use crate::client_config;
use crate::driver::Driver;

/// Bytes read at once: one TLS record of the largest size and its header.
const INBOX_BYTES: usize = 16 * 1024 + 256;
/// The answer to every GET.
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n";

/// Serves until the process is ended, or accepting fails. The address is written to standard output, since port 0 lets the system
/// choose, with the kernel's interface, since one server is to be held against another on the same.
pub(crate) fn run(arguments: &BareArguments) -> Result<()> {
    arguments.serving.check()?;
    let config = Arc::new(config(arguments)?);
    arguments.serving.run(|listener, driver| serve(config, listener, driver))
}

/// What the gate does where it resumes nothing: every TLS version, X25519 or P-256, a certificate of every client.
fn config(arguments: &BareArguments) -> Result<ServerConfig> {
    let mut provider = aws_lc_rs::default_provider();
    provider.kx_groups = vec![aws_lc_rs::kx_group::X25519, aws_lc_rs::kx_group::SECP256R1];
    let provider = Arc::new(provider);
    let verifier: Arc<dyn ClientCertVerifier> = match &arguments.anchor {
        Some(file) => {
            let roots = Arc::new(client_config::roots(file)?);
            WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider)).build()?
        }
        None => Arc::new(AnyCertificate { algorithms: provider.signature_verification_algorithms }),
    };
    let (chain, key) =
        (client_config::certificates(&arguments.chain)?, client_config::private_key(&arguments.key)?);
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .context("--chain and --key")?;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

async fn serve(config: Arc<ServerConfig>, listener: TcpListener, driver: Driver) -> Result<()> {
    writeln!(io::stdout(), "listening on {} by {driver}", listener.local_addr()?)?;
    loop {
        let (stream, _) = listener.accept().await.context("accept")?;
        let mut tls = ServerConnection::new(Arc::clone(&config))?;
        // All that one read can ask for is answered in one go; no more is read before it is sent.
        tls.set_buffer_limit(None);
        let (inbox, outbox, received) = (Vec::with_capacity(INBOX_BYTES), Vec::new(), Vec::new());
        // What breaks a connection is the load's to report; there is no deadline, since a load may hold what it does not use.
        monoio::spawn(Peer { stream, tls, inbox, outbox, received }.serve());
    }
}

/// A connection, its buffers, and the plaintext that is not answered yet.
struct Peer {
    stream: TcpStream,
    tls: ServerConnection,
    inbox: Vec<u8>,
    outbox: Vec<u8>,
    received: Vec<u8>,
}

impl Peer {
    /// Answers until the client closes or breaks the rules of TLS or HTTP, the first of which it is told by an alert.
    async fn serve(mut self) -> io::Result<()> {
        self.stream.set_nodelay(true)?;
        loop {
            let (result, inbox) = self.stream.read(std::mem::take(&mut self.inbox)).await;
            self.inbox = inbox;
            if result? == 0 {
                return Ok(());
            }
            let goes_on = self.take();
            if !goes_on {
                self.tls.send_close_notify();
            }
            self.flush().await?;
            if !goes_on {
                return Ok(());
            }
        }
    }

    /// Takes in what was read, and answers what is whole. Returns whether the connection goes on.
    fn take(&mut self) -> bool {
        let mut ciphertext = self.inbox.as_slice();
        while !ciphertext.is_empty() {
            if self.tls.read_tls(&mut ciphertext).is_err() {
                return false;
            }
            let Ok(state) = self.tls.process_new_packets() else { return false };
            let bytes = state.plaintext_bytes_to_read();
            let start = self.received.len();
            self.received.resize(start + bytes, 0);
            let is_read = self.tls.reader().read_exact(&mut self.received[start..]).is_ok();
            let goes_on = is_read && answer(&mut self.tls, &mut self.received);
            if !goes_on || state.peer_has_closed() {
                return false;
            }
        }
        true
    }

    /// Writes all that rustls has to say, in one go.
    async fn flush(&mut self) -> io::Result<()> {
        self.outbox.clear();
        while self.tls.wants_write() {
            self.tls.write_tls(&mut self.outbox)?;
        }
        if self.outbox.is_empty() {
            return Ok(());
        }
        let (result, outbox) = self.stream.write_all(std::mem::take(&mut self.outbox)).await;
        self.outbox = outbox;
        result.map(drop)
    }
}

/// Answers each GET that is whole. Returns whether more may come.
fn answer(tls: &mut ServerConnection, received: &mut Vec<u8>) -> bool {
    let mut taken = 0;
    let goes_on = loop {
        match request::parse(&received[taken..], None) {
            Ok(Some(request)) => {
                taken += request.length;
                if tls.writer().write_all(ANSWER).is_err() || request.closes {
                    break false;
                }
            }
            Ok(None) => break true,
            Err(_) => break false,
        }
    };
    received.drain(..taken);
    goes_on
}

/// Takes any certificate whose key the client has, as a server does that knows it already: no path is built.
#[derive(Debug)]
struct AnyCertificate {
    algorithms: WebPkiSupportedAlgorithms,
}

impl ClientCertVerifier for AnyCertificate {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
