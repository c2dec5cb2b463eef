//! A session that is established, and what comes over it.

use std::io;
use std::net::TcpStream;

use super::KeptSession;
use super::records::{APPLICATION_DATA, HANDSHAKE, Records};
use super::tls13;
use super::vectors::broken;
use crate::{Refusal, Response};

/// An established session.
pub struct WireConnection {
    pub(super) records: Records,
    pub(super) host: String,
    pub(super) was_resumed: bool,
    pub(super) session_id: Vec<u8>,
    pub(super) sessions: Vec<KeptSession>,
    pub(super) resumption_secret: Option<Vec<u8>>,
    /// Opened and not yet read.
    pub(super) plain: Vec<u8>,
    pub(super) ahead: Vec<u8>,
}

impl WireConnection {
    /// Whether the handshake stood on an earlier session.
    #[must_use]
    pub fn was_resumed(&self) -> bool {
        self.was_resumed
    }

    /// The sessions that the server gave tickets for, as far as they have been read: all that came before an answer.
    #[must_use]
    pub fn sessions(&self) -> &[KeptSession] {
        &self.sessions
    }

    /// The session id of the `ServerHello`, which in TLS 1.3 is that of the `ClientHello`.
    #[must_use]
    pub fn session_id(&self) -> &[u8] {
        &self.session_id
    }

    /// One GET for a path of the host that was connected to.
    ///
    /// # Errors
    ///
    /// [`Refusal`]
    pub fn get(&mut self, path: &str) -> Result<Response, Refusal> {
        let host = &self.host;
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        self.records.send(APPLICATION_DATA, request.as_bytes());
        self.records.flush()?;
        let mut ahead = std::mem::take(&mut self.ahead);
        let response = Response::read(self, &mut ahead);
        self.ahead = ahead;
        Ok(response?)
    }

    /// Reads until the server ends the connection, and says how.
    ///
    /// # Panics
    ///
    /// When it sends something instead, or nothing within the deadline.
    #[must_use]
    pub fn end(&mut self) -> Refusal {
        match io::Read::read(self, &mut [0; 1024]) {
            Ok(count) => panic!("{count} bytes came instead of the end"),
            Err(error) => error.into(),
        }
    }

    /// Takes in one record.
    fn pump(&mut self) -> io::Result<()> {
        match self.records.receive()? {
            (APPLICATION_DATA, bytes) => self.plain.extend(bytes),
            (HANDSHAKE, bytes) => self.records.keep(&bytes),
            _ => {}
        }
        while let Some(message) = self.records.whole_message() {
            let secret = self.resumption_secret.as_deref();
            let secret = secret.ok_or_else(|| broken("a handshake message of TLS 1.2"))?;
            self.sessions.extend(tls13::ticket(&message, secret)?);
        }
        Ok(())
    }
}

impl io::Read for WireConnection {
    /// Bytes of the application. The end of the connection is an error.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.plain.is_empty() {
            self.pump()?;
        }
        let count = buffer.len().min(self.plain.len());
        buffer[..count].copy_from_slice(&self.plain[..count]);
        self.plain.drain(..count);
        Ok(count)
    }
}

impl std::fmt::Debug for WireConnection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let socket: &TcpStream = &self.records.socket;
        f.debug_struct("WireConnection").field("socket", socket).finish_non_exhaustive()
    }
}
