//! An established TLS session, and how it can end.

use std::fmt;
use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use rustls::{AlertDescription, ClientConnection, StreamOwned};
use rustls_pki_types::CertificateDer;

use crate::{HOST, Response};

/// Why there was no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The gate sent this alert.
    Alert(AlertDescription),
    /// The gate closed or reset the connection without a word.
    Closed,
    /// Something else, in words.
    Other(String),
}

/// An established session.
pub struct TlsConnection {
    stream: StreamOwned<ClientConnection, TcpStream>,
    ahead: Vec<u8>,
}

impl TlsConnection {
    pub(crate) fn new(stream: StreamOwned<ClientConnection, TcpStream>) -> Self {
        Self { stream, ahead: Vec::new() }
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    ///
    /// [`Refusal`]
    pub fn send(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        Ok(self.stream.write_all(bytes).and_then(|()| self.stream.flush())?)
    }

    /// Reads one answer of HTTP/1.1.
    ///
    /// # Errors
    ///
    /// [`Refusal`]
    pub fn receive(&mut self) -> Result<Response, Refusal> {
        Ok(Response::read(&mut self.stream, &mut self.ahead)?)
    }

    /// Sends a request, byte by byte as given, and reads its answer.
    ///
    /// # Errors
    ///
    /// [`Refusal`]
    pub fn request(&mut self, bytes: &[u8]) -> Result<Response, Refusal> {
        self.send(bytes)?;
        self.receive()
    }

    /// One GET for a path of [`HOST`], sent untouched.
    ///
    /// # Errors
    ///
    /// [`Refusal`]
    pub fn get(&mut self, path: &str) -> Result<Response, Refusal> {
        self.request(format!("GET {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n").as_bytes())
    }

    /// Reads exactly so many bytes.
    ///
    /// # Errors
    ///
    /// [`Refusal`]
    pub fn read_exactly(&mut self, length: usize) -> Result<Vec<u8>, Refusal> {
        Ok(crate::http::read_exactly(&mut self.stream, &mut self.ahead, length)?)
    }

    /// Reads until the gate ends the connection, and says how.
    ///
    /// # Panics
    ///
    /// When it sends something instead, or nothing within the deadline.
    #[must_use]
    pub fn end(&mut self) -> Refusal {
        match self.stream.read(&mut [0; 1024]) {
            Ok(0) => Refusal::Closed,
            Ok(count) => panic!("{count} bytes came instead of the end"),
            Err(error) => error.into(),
        }
    }

    /// As [`end`](Self::end), but drops whatever still comes before.
    #[must_use]
    pub fn end_after_rest(&mut self) -> Refusal {
        loop {
            match self.stream.read(&mut [0; 4096]) {
                Ok(0) => return Refusal::Closed,
                Ok(_) => {}
                Err(error) => return error.into(),
            }
        }
    }

    /// Whether the gate has ended the session by a `close_notify`, once [`end`](Self::end) says that it is closed.
    ///
    /// # Panics
    ///
    /// When the session is broken.
    #[must_use]
    pub fn was_notified(&mut self) -> bool {
        self.stream.conn.process_new_packets().expect("a session that is whole").peer_has_closed()
    }

    /// Sends these bytes, `close_notify` and others behind it as they are, in one write.
    ///
    /// # Errors
    ///
    /// [`Refusal`]
    ///
    /// # Panics
    ///
    /// When the session cannot end.
    pub fn notify_and_go_on(&mut self, before: &[u8], behind: &[u8]) -> Result<(), Refusal> {
        self.stream.conn.set_buffer_limit(None);
        self.stream.conn.writer().write_all(before)?;
        self.stream.conn.send_close_notify();
        let mut bytes = Vec::new();
        while self.stream.conn.wants_write() {
            self.stream.conn.write_tls(&mut bytes).expect("a vector takes everything");
        }
        bytes.extend_from_slice(behind);
        Ok(self.stream.sock.write_all(&bytes)?)
    }

    /// The socket beneath the session, for bytes that are no TLS.
    #[must_use]
    pub fn socket(&self) -> &TcpStream {
        &self.stream.sock
    }

    /// The certificate that the gate presented.
    ///
    /// # Panics
    ///
    /// When there was none.
    #[must_use]
    pub fn server_certificate(&self) -> CertificateDer<'static> {
        let chain = self.stream.conn.peer_certificates().expect("the handshake is over");
        chain.first().expect("a leaf").clone().into_owned()
    }

    /// The protocol that was agreed on.
    #[must_use]
    pub fn alpn(&self) -> Option<&[u8]> {
        self.stream.conn.alpn_protocol()
    }

    /// Waits at most this long for the next byte.
    ///
    /// # Panics
    ///
    /// When the socket is gone.
    pub fn set_read_timeout(&self, timeout: Duration) {
        self.stream.sock.set_read_timeout(Some(timeout)).expect("a socket takes a timeout");
    }
}

impl fmt::Debug for TlsConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsConnection").field("socket", &self.stream.sock).finish_non_exhaustive()
    }
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
        match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(rustls::Error::AlertReceived(alert)) => Self::Alert(*alert),
            Some(other) => Self::Other(other.to_string()),
            None => match error.kind() {
                BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof => Self::Closed,
                _ => Self::Other(error.to_string()),
            },
        }
    }
}
