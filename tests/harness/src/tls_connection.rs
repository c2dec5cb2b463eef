//! An established TLS session, and how it can end.

use std::fmt;
use std::io::ErrorKind::WouldBlock;
use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::sockopt::set_socket_linger;
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
        Ok(Response::read(&mut Incoming(&mut self.stream), &mut self.ahead)?)
    }

    /// Reads the head of an answer of HTTP/1.1: all there is of one to HEAD.
    ///
    /// # Errors
    ///
    /// [`Refusal`]
    pub fn receive_head(&mut self) -> Result<Response, Refusal> {
        Ok(Response::read_head(&mut Incoming(&mut self.stream), &mut self.ahead)?)
    }

    /// Sends and listens at once, for as long as it takes to send all, to hear a first byte, or to see nothing move for
    /// `patience`. How many bytes went out, or into the buffer of the session, which is 64 KiB.
    ///
    /// # Errors
    ///
    /// [`Refusal`]
    ///
    /// # Panics
    ///
    /// When the socket is gone.
    pub fn send_and_listen(&mut self, bytes: &[u8], patience: Duration) -> Result<usize, Refusal> {
        self.stream.sock.set_nonblocking(true).expect("a socket can be asked");
        let result = self.pump(bytes, patience);
        self.stream.sock.set_nonblocking(false).expect("a socket can be asked");
        Ok(result?)
    }

    fn pump(&mut self, bytes: &[u8], patience: Duration) -> io::Result<usize> {
        let patience = Timespec::try_from(patience).expect("a test waits for seconds");
        let mut sent = 0;
        loop {
            let StreamOwned { conn, sock } = &mut self.stream;
            sent += conn.writer().write(&bytes[sent..])?;
            match write_what_fits(conn, sock) {
                Ok(()) if sent == bytes.len() => return Ok(sent),
                Err(error) if error.kind() == WouldBlock => {}
                // What the gate said before it closed is still to be read.
                Err(_) => return self.read_what_came().map(|()| sent),
                Ok(()) => continue,
            }
            let mut polled = [PollFd::new(sock, PollFlags::IN | PollFlags::OUT)];
            if poll(&mut polled, Some(&patience))? == 0 {
                return Ok(sent);
            }
            match self.read_what_came() {
                Err(error) if error.kind() == WouldBlock => {}
                result => return result.map(|()| sent),
            }
        }
    }

    fn read_what_came(&mut self) -> io::Result<()> {
        crate::http::more(&mut Incoming(&mut self.stream), &mut self.ahead)
    }

    /// Reads to the end of the connection: what came, and whether it ended by the word of the gate (`close_notify`) rather than by
    /// being cut.
    pub fn rest(&mut self) -> (Vec<u8>, bool) {
        let mut bytes = std::mem::take(&mut self.ahead);
        let ended = Incoming(&mut self.stream).read_to_end(&mut bytes);
        (bytes, ended.is_ok())
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
        Ok(crate::http::read_exactly(&mut Incoming(&mut self.stream), &mut self.ahead, length)?)
    }

    /// The next bytes, which stay there to be read.
    ///
    /// # Errors
    ///
    /// [`Refusal`]
    pub(crate) fn peek(&mut self, length: usize) -> Result<&[u8], Refusal> {
        while self.ahead.len() < length {
            self.read_what_came()?;
        }
        Ok(&self.ahead[..length])
    }

    /// Resets the connection.
    ///
    /// # Panics
    ///
    /// When the socket is gone.
    pub fn reset(self) {
        set_socket_linger(&self.stream.sock, Some(Duration::ZERO)).expect("a socket can be asked");
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

    /// How many tickets came so far; TLS 1.3 sends them behind the handshake.
    #[must_use]
    pub fn tickets(&self) -> u32 {
        self.stream.conn.tls13_tickets_received()
    }

    /// Whether the handshake stood on an earlier session.
    #[must_use]
    pub fn was_resumed(&self) -> bool {
        self.stream.conn.handshake_kind() == Some(rustls::HandshakeKind::Resumed)
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

/// What the gate sends, whatever has become of what is sent to it: a stream of rustls first writes what it still has to, and an
/// answer that came before a body was taken would be lost.
struct Incoming<'a>(&'a mut StreamOwned<ClientConnection, TcpStream>);

impl io::Read for Incoming<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let StreamOwned { conn, sock } = &mut *self.0;
        loop {
            match conn.reader().read(buffer) {
                Err(error) if error.kind() == WouldBlock => {}
                result => return result,
            }
            conn.read_tls(sock)?;
            conn.process_new_packets().map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        }
    }
}

fn write_what_fits(conn: &mut ClientConnection, sock: &mut TcpStream) -> io::Result<()> {
    while conn.wants_write() {
        conn.write_tls(sock)?;
    }
    Ok(())
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
