//! One request at a backend, in the hands of its script.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::Received;
use crate::backend::Shared;
use crate::received::fields;

/// A request whose head has come, and the connection that it came on.
#[derive(Debug)]
pub struct Exchange<'a> {
    stream: &'a mut TcpStream,
    ahead: &'a mut Vec<u8>,
    shared: &'a Shared,
    received: Received,
    count: usize,
}

impl<'a> Exchange<'a> {
    /// Waits for a head. `None` at the end of the connection.
    pub(crate) fn begin(
        stream: &'a mut TcpStream,
        ahead: &'a mut Vec<u8>,
        (connection, count): (usize, usize),
        shared: &'a Shared,
    ) -> io::Result<Option<Self>> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let mut received = Received { id, connection, ..Received::default() };
        let end = loop {
            if let Some(at) = ahead.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            let came = more(stream, ahead);
            if !matches!(came, Ok(true)) {
                if !ahead.is_empty() {
                    received.head = std::mem::take(ahead);
                    shared.push(received);
                }
                return came.map(|_| None);
            }
        };
        received.head = ahead.drain(..end).collect();
        received.complete =
            received.values("content-length").is_empty() && received.values("transfer-encoding").is_empty();
        shared.push(received.clone());
        Ok(Some(Self { stream, ahead, shared, received, count }))
    }

    /// The request, as far as it was read.
    #[must_use]
    pub fn received(&self) -> &Received {
        &self.received
    }

    /// The how-manieth request of its connection this is, counted from 1.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// Reads the body to its end and returns it without its framing.
    ///
    /// # Errors
    ///
    /// What the socket says; [`io::ErrorKind::InvalidData`] for framing that is none, which the backend notes.
    pub fn read_body(&mut self) -> io::Result<Vec<u8>> {
        if self.received.complete {
            return Ok(Vec::new());
        }
        let lengths = self.received.values("content-length");
        let codings = self.received.values("transfer-encoding");
        let result = match (&lengths[..], &codings[..]) {
            ([length], []) => match length.parse() {
                Ok(length) => self.read_data(length),
                Err(_) => Err(invalid(format!("Content-Length: {length}"))),
            },
            ([], [coding]) if coding == "chunked" => self.read_chunks(),
            _ => Err(invalid(format!("lengths {lengths:?}, codings {codings:?}"))),
        };
        self.received.complete = result.is_ok();
        self.note();
        result.map(|()| self.received.body.clone())
    }

    /// Reads at least so many bytes of what follows the head, framing and all, and leaves the rest.
    ///
    /// # Errors
    ///
    /// What the socket says.
    pub fn read_at_least(&mut self, length: usize) -> io::Result<()> {
        while self.received.wire.len() < length {
            if self.ahead.is_empty() && !more(self.stream, self.ahead)? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.received.wire.append(self.ahead);
        }
        self.note();
        Ok(())
    }

    /// Reads and forgets until the gate closes the connection.
    pub fn wait_for_close(&mut self) {
        let mut buffer = [0; 16 * 1024];
        while self.stream.read(&mut buffer).is_ok_and(|count| count > 0) {}
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    ///
    /// What the socket says.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Sends a whole answer with its length.
    ///
    /// # Errors
    ///
    /// What the socket says.
    pub fn answer(&mut self, status: u16, body: &[u8]) -> io::Result<()> {
        let length = body.len();
        let mut bytes = format!(
            "HTTP/1.1 {status} Whatever\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n"
        )
        .into_bytes();
        bytes.extend_from_slice(body);
        self.send(&bytes)
    }

    /// Does nothing for so long.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::Interrupted`] when the backend is to stop.
    pub fn pause(&mut self, time: Duration) -> io::Result<()> {
        if self.shared.pause(time) { Ok(()) } else { Err(io::ErrorKind::Interrupted.into()) }
    }

    fn read_data(&mut self, length: usize) -> io::Result<()> {
        let mut left = length;
        while left > 0 {
            if self.ahead.is_empty() && !more(self.stream, self.ahead)? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let data: Vec<u8> = self.ahead.drain(..left.min(self.ahead.len())).collect();
            left -= data.len();
            self.received.wire.extend_from_slice(&data);
            self.received.body.extend_from_slice(&data);
        }
        Ok(())
    }

    fn read_chunks(&mut self) -> io::Result<()> {
        loop {
            let line = self.read_line()?;
            let text = str::from_utf8(&line).unwrap_or_default();
            let size = usize::from_str_radix(text, 16).ok().filter(|_| !text.starts_with('+'));
            let size = size.ok_or_else(|| invalid(format!("chunk size {text:?}")))?;
            if size == 0 {
                break;
            }
            self.read_data(size)?;
            let end = self.read_line()?;
            if !end.is_empty() {
                return Err(invalid(format!("{end:?} at the end of a chunk")));
            }
        }
        let mut lines = Vec::new();
        loop {
            let line = self.read_line()?;
            if line.is_empty() {
                break;
            }
            lines.push(line);
        }
        self.received.trailers = fields(lines.iter().map(Vec::as_slice));
        Ok(())
    }

    /// One line of the framing, without its CRLF.
    fn read_line(&mut self) -> io::Result<Vec<u8>> {
        let end = loop {
            if let Some(at) = self.ahead.windows(2).position(|pair| pair == b"\r\n") {
                break at;
            }
            if !more(self.stream, self.ahead)? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        };
        let mut line: Vec<u8> = self.ahead.drain(..end + 2).collect();
        self.received.wire.extend_from_slice(&line);
        line.truncate(end);
        Ok(line)
    }

    fn note(&self) {
        let now = self.received.clone();
        self.shared.update(now.id, |received| *received = now);
    }
}

impl Drop for Exchange<'_> {
    /// What was read before an error is on record too.
    fn drop(&mut self) {
        self.note();
    }
}

/// False at the end of the stream.
fn more(stream: &mut TcpStream, ahead: &mut Vec<u8>) -> io::Result<bool> {
    let mut buffer = [0; 16 * 1024];
    let count = stream.read(&mut buffer)?;
    ahead.extend_from_slice(&buffer[..count]);
    Ok(count > 0)
}

fn invalid(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
