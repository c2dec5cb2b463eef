//! A TLS client made by hand, which does what libraries keep their users from: it says what it likes about earlier sessions, with
//! tickets and secrets that it was given, altered, or took from somebody else.
//!
//! It knows one suite of each version, X25519, and ECDSA on P-256. It does not verify the server's certificate: who answers is
//! known, since the test has started it.

mod connection;
mod hello;
mod keys;
mod records;
mod secrets;
mod session;
#[cfg(test)]
mod tests;
mod tls12;
mod tls13;
mod vectors;

use std::io;
use std::net::SocketAddr;

use portcullis_test_pki::Credential;
use rustls_pki_types::CertificateDer;

pub use self::connection::WireConnection;
use self::hello::{ClientHello, ServerHello, is_retry_request};
use self::keys::{KeyExchange, random};
use self::records::{HANDSHAKE, Records};
use self::secrets::message_hash;
pub use self::session::KeptSession;
use self::vectors::broken;
use crate::{HOST, Refusal, Version};

const EARLY_DATA_TAKEN: &str = "the server took early data";

/// What became of a client that came with sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// One of them was resumed, and a request answered with this status.
    Resumed(u16),
    /// A full handshake was made in their place, and a request answered with this status.
    Full(u16),
    /// There was no answer.
    Refused(Refusal),
}

/// The certificates that a client presents, and the key that it signs with.
#[derive(Clone, Debug)]
struct Presented {
    chain: Vec<CertificateDer<'static>>,
    credential: Credential,
}

/// How to connect.
#[derive(Clone, Debug)]
pub struct WireClient {
    version: Version,
    presented: Option<Presented>,
    server_name: Option<String>,
    alpn: Vec<Vec<u8>>,
    sessions: Vec<KeptSession>,
    session_id: Option<Vec<u8>>,
    has_ticket_extension: bool,
    early_data: Option<Vec<u8>>,
    has_key_at_first: bool,
}

impl WireClient {
    /// A client that asks for [`HOST`] and has neither a certificate nor a session.
    #[must_use]
    pub fn new(version: Version) -> Self {
        Self {
            version,
            presented: None,
            server_name: Some(HOST.to_owned()),
            alpn: Vec::new(),
            sessions: Vec::new(),
            session_id: None,
            has_ticket_extension: true,
            early_data: None,
            has_key_at_first: true,
        }
    }

    /// Presents this certificate when it is asked for one. Its key is on P-256.
    #[must_use]
    pub fn credential(mut self, credential: &Credential) -> Self {
        self.presented = Some(Presented { chain: credential.chain(), credential: credential.clone() });
        self
    }

    /// Presents these certificates in place of the chain of the credential, which comes first.
    ///
    /// # Panics
    ///
    /// When there is no credential.
    #[must_use]
    pub fn chain(mut self, chain: &[CertificateDer<'static>]) -> Self {
        self.presented.as_mut().expect("a credential comes first").chain = chain.to_vec();
        self
    }

    /// The same without a certificate.
    #[must_use]
    pub fn without_credential(mut self) -> Self {
        self.presented = None;
        self
    }

    /// Asks for another name.
    #[must_use]
    pub fn server_name(mut self, name: &str) -> Self {
        self.server_name = Some(name.to_owned());
        self
    }

    /// Sends no name.
    #[must_use]
    pub fn without_sni(mut self) -> Self {
        self.server_name = None;
        self
    }

    /// Offers these protocols.
    #[must_use]
    pub fn alpn(mut self, protocols: &[&str]) -> Self {
        self.alpn = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        self
    }

    /// Comes with these sessions, the first first; of TLS 1.2 the ticket of the first goes out.
    #[must_use]
    pub fn offering(&self, sessions: &[KeptSession]) -> Self {
        Self { sessions: sessions.to_vec(), ..self.clone() }
    }

    /// Comes with this session alone.
    #[must_use]
    pub fn showing(&self, session: &KeptSession) -> Self {
        self.offering(std::slice::from_ref(session))
    }

    /// Sends this session id in place of a random one.
    #[must_use]
    pub fn session_id(mut self, id: &[u8]) -> Self {
        self.session_id = Some(id.to_vec());
        self
    }

    /// Says nothing of tickets; TLS 1.2.
    #[must_use]
    pub fn without_ticket_extension(mut self) -> Self {
        self.has_ticket_extension = false;
        self
    }

    /// Sends these bytes as early data under the first session; TLS 1.3.
    #[must_use]
    pub fn early_data(mut self, bytes: &[u8]) -> Self {
        self.early_data = Some(bytes.to_vec());
        self
    }

    /// Sends no key at first, so that the server asks for the hello again (RFC 8446 4.1.4); TLS 1.3.
    #[must_use]
    pub fn asked_again(mut self) -> Self {
        self.has_key_at_first = false;
        self
    }

    /// Connects and finishes the handshake as far as the client can tell.
    ///
    /// # Errors
    ///
    /// [`Refusal`]
    pub fn connect(&self, address: SocketAddr) -> Result<WireConnection, Refusal> {
        self.connect_around(address, || ())
    }

    /// As [`connect`](Self::connect), with `meanwhile` behind the `ServerHello`, which says whether a session is resumed.
    ///
    /// # Errors
    ///
    /// [`Refusal`]
    pub fn connect_around(
        &self,
        address: SocketAddr,
        meanwhile: impl FnOnce(),
    ) -> Result<WireConnection, Refusal> {
        Ok(self.handshake(address, meanwhile)?)
    }

    /// Connects, asks for `/` and says what became of it.
    #[must_use]
    pub fn outcome(&self, address: SocketAddr) -> Outcome {
        self.outcome_of(address, "/")
    }

    /// As [`outcome`](Self::outcome), for another path.
    #[must_use]
    pub fn outcome_of(&self, address: SocketAddr, path: &str) -> Outcome {
        let answered = self.connect(address).and_then(|mut connection| {
            let status = connection.get(path)?.status;
            Ok((connection.was_resumed(), status))
        });
        match answered {
            Ok((true, status)) => Outcome::Resumed(status),
            Ok((false, status)) => Outcome::Full(status),
            Err(refusal) => Outcome::Refused(refusal),
        }
    }

    /// Connects, asks for nothing, and hears why it is not wanted; what is sent meanwhile could turn an alert into a reset.
    ///
    /// # Panics
    ///
    /// When it is not refused.
    #[must_use]
    pub fn refusal(&self, address: SocketAddr) -> Refusal {
        match self.connect(address) {
            Ok(mut connection) => connection.end(),
            Err(refusal) => refusal,
        }
    }

    /// Connects, asks for `/`, and keeps the one session that it is given.
    ///
    /// # Panics
    ///
    /// When it is not answered 200, or given none or several.
    #[must_use]
    pub fn session(&self, address: SocketAddr) -> KeptSession {
        let mut connection = self.connect(address).unwrap_or_else(|refusal| panic!("{refusal:?}"));
        let response = connection.get("/").unwrap_or_else(|refusal| panic!("{refusal:?}"));
        assert_eq!(response.status, 200, "{}", response.text());
        match connection.sessions() {
            [session] => session.clone(),
            sessions => panic!("{} tickets in place of one", sessions.len()),
        }
    }

    /// Says hello and hears whether a session would be resumed; the handshake goes no further.
    ///
    /// # Errors
    ///
    /// [`Refusal`]
    pub fn is_taken_up(&self, address: SocketAddr) -> Result<bool, Refusal> {
        let exchange = KeyExchange::new();
        let (mut records, transcript, client_random, hello) = self.greet(address, &exchange)?;
        match self.version {
            Version::Tls13 => Ok(hello.selected.is_some()),
            Version::Tls12 => {
                let handshake = tls12::Handshake {
                    records: &mut records,
                    transcript,
                    client_random: &client_random,
                    hello: &hello,
                };
                Ok({ handshake }.is_resumed()?.0)
            }
        }
    }

    fn handshake(&self, address: SocketAddr, meanwhile: impl FnOnce()) -> io::Result<WireConnection> {
        let exchange = KeyExchange::new();
        let (mut records, transcript, client_random, hello) = self.greet(address, &exchange)?;
        meanwhile();
        let presented = self.presented.as_ref();
        let (was_resumed, sessions, resumption_secret) = match self.version {
            Version::Tls13 => {
                let keys = (exchange, &self.sessions[..]);
                let done = tls13::finish(&mut records, transcript, &hello, keys, presented)?;
                (done.was_resumed, Vec::new(), Some(done.resumption_secret))
            }
            Version::Tls12 => {
                let records = &mut records;
                let client_random = &client_random;
                let handshake = tls12::Handshake { records, transcript, client_random, hello: &hello };
                let done = handshake.finish(exchange, self.sessions.first(), presented)?;
                (done.was_resumed, done.session.into_iter().collect(), None)
            }
        };
        let session_id = hello.session_id;
        let (plain, ahead) = (Vec::new(), Vec::new());
        let host = self.server_name.clone().unwrap_or_else(|| HOST.to_owned());
        Ok(WireConnection {
            records,
            host,
            was_resumed,
            session_id,
            sessions,
            resumption_secret,
            plain,
            ahead,
        })
    }

    /// The `ClientHello` out, the `ServerHello` in: both, the client's random, and what the server says.
    fn greet(
        &self,
        address: SocketAddr,
        exchange: &KeyExchange,
    ) -> io::Result<(Records, Vec<u8>, [u8; 32], ServerHello)> {
        let (random, session_id) = (random(), random());
        let ticket = self.sessions.first().map_or(&[][..], |session| &session.ticket);
        let mut hello = ClientHello {
            version: self.version,
            random: &random,
            session_id: self.session_id.as_deref().unwrap_or(&session_id),
            server_name: self.server_name.as_deref(),
            alpn: &self.alpn,
            key_share: self.has_key_at_first.then(|| exchange.public()),
            before: &[],
            ticket: self.has_ticket_extension.then_some(ticket),
            sessions: &self.sessions,
            early_data: self.early_data.is_some(),
        };
        let mut transcript = hello.encode();
        let mut records = Records::new(crate::tls_client::connected(address)?);
        records.send(HANDSHAKE, &transcript);
        if let (Some(data), Some(session)) = (&self.early_data, self.sessions.first()) {
            tls13::send_early(&mut records, session, &transcript, data);
        }
        if !self.has_key_at_first {
            let request = records.message(self.version)?.filter(|message| is_retry_request(message));
            let request = request.ok_or_else(|| broken("no HelloRetryRequest"))?;
            let before = [message_hash(&transcript), request].concat();
            (hello.key_share, hello.before) = (Some(exchange.public()), &before);
            let again = hello.encode();
            records.send(HANDSHAKE, &again);
            transcript = [before, again].concat();
        }
        let answer = records.message(self.version)?.ok_or_else(|| broken("no ServerHello"))?;
        let hello = ServerHello::read(&answer, self.version)?;
        transcript.extend(answer);
        Ok((records, transcript, random, hello))
    }
}
