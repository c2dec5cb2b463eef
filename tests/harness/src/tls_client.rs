//! A TLS client with its hands on every lever: which certificate, which key, which signature, which name, which version.

use std::io::{self, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use portcullis_test_pki::{Authority, Credential};
use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs;
use rustls::sign::CertifiedKey;
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, SignatureScheme, StreamOwned, SupportedProtocolVersion,
};
use rustls_pki_types::ServerName;

use crate::client_identity::{OneScheme, Presents};
use crate::{DEADLINE, HOST, Refusal, Response, TlsConnection};

/// A version of TLS, the only one that a client offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// TLS 1.2, where the client hears of its refusal inside the handshake.
    Tls12,
    /// TLS 1.3, where it hears of it afterwards.
    Tls13,
}

impl Version {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::Tls12, Self::Tls13];

    fn supported(self) -> &'static SupportedProtocolVersion {
        match self {
            Self::Tls12 => &rustls::version::TLS12,
            Self::Tls13 => &rustls::version::TLS13,
        }
    }
}

/// How to connect. Every connection is a full handshake: nothing is resumed, unless a client wants to.
#[derive(Clone, Debug)]
pub struct TlsClient {
    roots: Arc<RootCertStore>,
    identity: Option<Arc<CertifiedKey>>,
    versions: Vec<Version>,
    alpn: Vec<Vec<u8>>,
    server_name: ServerName<'static>,
    send_sni: bool,
    /// A configuration that keeps sessions. rustls offers them to nobody who has another one.
    keeping: Option<Arc<ClientConfig>>,
}

impl TlsClient {
    /// A client that trusts the bank's servers, asks for [`HOST`] and has no certificate.
    ///
    /// # Panics
    ///
    /// When the authority's root is no trust anchor.
    #[must_use]
    pub fn new(bank: &Authority) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(bank.root_der().clone()).expect("a root is a trust anchor");
        Self {
            roots: Arc::new(roots),
            identity: None,
            versions: Version::BOTH.to_vec(),
            alpn: Vec::new(),
            server_name: ServerName::try_from(HOST).expect("a name"),
            send_sni: true,
            keeping: None,
        }
    }

    /// Presents this certificate and signs with this key, whether or not they belong together.
    ///
    /// # Panics
    ///
    /// When the key is of no kind that rustls knows.
    #[must_use]
    pub fn credential(mut self, credential: &Credential) -> Self {
        let key = aws_lc_rs::sign::any_supported_type(&credential.key()).expect("a key of a known kind");
        // `CertifiedKey::new` does not compare the two; the safer way would refuse what a thief tries.
        self.identity = Some(Arc::new(CertifiedKey::new(credential.chain(), key)));
        self
    }

    /// Signs by this scheme alone. Takes effect after [`credential`](Self::credential).
    ///
    /// # Panics
    ///
    /// When there is no credential.
    #[must_use]
    pub fn signing_by(mut self, scheme: SignatureScheme) -> Self {
        let identity = self.identity.take().expect("a credential comes first");
        let key = Arc::new(OneScheme { key: Arc::clone(&identity.key), scheme });
        self.identity = Some(Arc::new(CertifiedKey::new(identity.cert.clone(), key)));
        self
    }

    /// Offers this version only.
    #[must_use]
    pub fn version(mut self, version: Version) -> Self {
        self.versions = vec![version];
        self
    }

    /// Offers these protocols: `h2`, `http/1.1`.
    #[must_use]
    pub fn alpn(mut self, protocols: &[&str]) -> Self {
        self.alpn = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        self
    }

    /// Asks for another name, which the server's certificate must then bear.
    ///
    /// # Panics
    ///
    /// When it is none.
    #[must_use]
    pub fn server_name(mut self, name: &str) -> Self {
        self.server_name = ServerName::try_from(name.to_owned()).expect("a name");
        self
    }

    /// Sends no name at all; the certificate must be for [`HOST`] or whatever name was set.
    #[must_use]
    pub fn without_sni(mut self) -> Self {
        self.send_sni = false;
        self
    }

    /// Asks for tickets, keeps what it is given, and comes back with it; clones share what they keep. Comes last, since nothing
    /// that is changed behind it has an effect, except the name.
    #[must_use]
    pub fn resuming(mut self) -> Self {
        self.keeping = Some(self.config(Resumption::in_memory_sessions(16)));
        self
    }

    /// Connects and finishes the handshake as far as the client can tell.
    ///
    /// # Errors
    ///
    /// [`Refusal`]
    pub fn connect(&self, address: SocketAddr) -> Result<TlsConnection, Refusal> {
        Self::finish(self.session(), connected(address)?)
    }

    /// As [`connect`](Self::connect), with the ClientHello cut up by `cut`; each piece goes out in a TCP segment of its own.
    ///
    /// # Errors
    ///
    /// [`Refusal`]
    ///
    /// # Panics
    ///
    /// When the session has no ClientHello to send.
    pub fn connect_in_pieces(
        &self,
        address: SocketAddr,
        cut: impl Fn(&[u8]) -> Vec<Vec<u8>>,
    ) -> Result<TlsConnection, Refusal> {
        let (session, hello) = self.begin();
        let mut socket = connected(address)?;
        for piece in cut(&hello) {
            socket.write_all(&piece)?;
        }
        Self::finish(session, socket)
    }

    /// As [`connect`](Self::connect), with `meanwhile` after the first half of the ClientHello.
    ///
    /// # Errors
    ///
    /// [`Refusal`]
    ///
    /// # Panics
    ///
    /// When the session has no ClientHello to send.
    pub fn connect_around(
        &self,
        address: SocketAddr,
        meanwhile: impl FnOnce(),
    ) -> Result<TlsConnection, Refusal> {
        let (session, hello) = self.begin();
        let mut socket = connected(address)?;
        let (first, second) = hello.split_at(hello.len() / 2);
        socket.write_all(first)?;
        meanwhile();
        socket.write_all(second)?;
        Self::finish(session, socket)
    }

    /// The bytes of a ClientHello, for connections that go no further.
    ///
    /// # Panics
    ///
    /// When the session has none to send.
    #[must_use]
    pub fn hello(&self) -> Vec<u8> {
        self.begin().1
    }

    /// A session, and the ClientHello that it wants sent.
    fn begin(&self) -> (ClientConnection, Vec<u8>) {
        let mut session = self.session();
        let mut hello = Vec::new();
        session.write_tls(&mut hello).expect("a vector takes everything");
        (session, hello)
    }

    fn finish(session: ClientConnection, socket: TcpStream) -> Result<TlsConnection, Refusal> {
        let mut stream = StreamOwned::new(session, socket);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(TlsConnection::new(stream))
    }

    fn session(&self) -> ClientConnection {
        let config = self.keeping.clone().unwrap_or_else(|| self.config(Resumption::disabled()));
        ClientConnection::new(config, self.server_name.clone()).expect("a configuration that fits")
    }

    fn config(&self, resumption: Resumption) -> Arc<ClientConfig> {
        let versions: Vec<_> = self.versions.iter().map(|version| version.supported()).collect();
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let builder = builder.with_protocol_versions(&versions).expect("versions of the provider");
        let builder = builder.with_root_certificates(Arc::clone(&self.roots));
        let mut config = builder.with_client_cert_resolver(Arc::new(Presents(self.identity.clone())));
        config.alpn_protocols.clone_from(&self.alpn);
        config.enable_sni = self.send_sni;
        config.resumption = resumption;
        Arc::new(config)
    }

    /// One GET for a path of [`HOST`] on a connection of its own.
    ///
    /// # Errors
    ///
    /// [`Refusal`]
    pub fn get(&self, address: SocketAddr, path: &str) -> Result<Response, Refusal> {
        self.connect(address)?.get(path)
    }

    /// Connects, says nothing, and hears why it is not wanted. With TLS 1.3 the alert comes after the client believes itself
    /// connected, and bytes sent meanwhile could turn it into a reset.
    ///
    /// # Panics
    ///
    /// When it is not refused.
    #[must_use]
    pub fn refused(&self, address: SocketAddr) -> Refusal {
        match self.connect(address) {
            Ok(mut connection) => connection.end(),
            Err(refusal) => refusal,
        }
    }
}

/// A socket that gives up in time.
pub(crate) fn connected(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(DEADLINE))?;
    // Otherwise a request waits for the acknowledgement of the handshake's last flight, 40 ms on Linux.
    socket.set_nodelay(true)?;
    Ok(socket)
}
