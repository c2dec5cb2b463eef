//! HTTP/2 frame by frame, so that a `:path` goes out with every byte it was given; a client library would refuse or mend it.
//!
//! Header blocks are written without compression. Of an answer only the status is read: the decoder's table is declared empty, so
//! a status is either an entry of the static table or a literal of three digits.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;

use crate::{Refusal, TlsClient, TlsConnection};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Frame types (RFC 9113 6).
mod frame {
    pub(super) const DATA: u8 = 0;
    pub(super) const HEADERS: u8 = 1;
    pub(super) const RST_STREAM: u8 = 3;
    pub(super) const SETTINGS: u8 = 4;
    pub(super) const PING: u8 = 6;
    pub(super) const GOAWAY: u8 = 7;
    pub(super) const WINDOW_UPDATE: u8 = 8;
    pub(super) const CONTINUATION: u8 = 9;
}

const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
/// What both windows begin with (RFC 9113 6.9.2).
const WINDOW_BYTES: u32 = 65_535;
/// The least that every peer takes (RFC 9113 4.2).
const FRAME_BYTES_MAX: i64 = 16_384;
/// Settings (RFC 9113 6.5.2).
const HEADER_TABLE_SIZE: u16 = 1;
const INITIAL_WINDOW_SIZE: u16 = 4;

/// A connection that agreed on h2.
#[derive(Debug)]
pub struct H2Client {
    connection: TlsConnection,
    next_stream: u32,
    /// What may still be sent on the whole connection, and what on each new stream.
    window: i64,
    window_initial: i64,
    streams: BTreeMap<u32, Stream>,
    gives_window: bool,
    goaway: Option<u32>,
}

#[derive(Debug, Default)]
struct Stream {
    window: i64,
    response: H2Response,
    end: Option<Result<(), H2Refusal>>,
}

/// An answer.
#[derive(Clone, Debug, Default)]
pub struct H2Response {
    /// The status code.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
    /// The statuses of what came before it (RFC 9110 15.2).
    pub informational: Vec<u16>,
    /// Whether trailer fields ended it.
    pub trailers: bool,
}

/// Why there was none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum H2Refusal {
    /// The gate reset the stream with this error code (RFC 9113 7).
    Reset(u32),
    /// The gate gave up the connection with this error code.
    GoAway(u32),
    /// The connection ended beneath it.
    Tls(Refusal),
}

impl H2Response {
    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    ///
    /// When it is not.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }
}

impl H2Client {
    /// Connects with ALPN `h2` and says hello.
    ///
    /// # Errors
    ///
    /// [`Refusal`]
    ///
    /// # Panics
    ///
    /// When another protocol was agreed on.
    pub fn connect(client: &TlsClient, address: SocketAddr) -> Result<Self, Refusal> {
        Self::connect_with_window(client, address, WINDOW_BYTES)
    }

    /// As [`connect`](Self::connect), and lets the gate send so many bytes of each answer, of all together as many if that is
    /// more than what they begin with, before more is given.
    ///
    /// # Errors
    ///
    /// [`Refusal`]
    ///
    /// # Panics
    ///
    /// When another protocol was agreed on.
    pub fn connect_with_window(
        client: &TlsClient,
        address: SocketAddr,
        window_bytes: u32,
    ) -> Result<Self, Refusal> {
        let mut connection = client.clone().alpn(&["h2"]).connect(address)?;
        assert_eq!(connection.alpn(), Some(&b"h2"[..]));
        connection.send(PREFACE)?;
        let mut client = Self {
            connection,
            next_stream: 1,
            window: i64::from(WINDOW_BYTES),
            window_initial: i64::from(WINDOW_BYTES),
            streams: BTreeMap::new(),
            gives_window: true,
            goaway: None,
        };
        let settings = [(HEADER_TABLE_SIZE, 0), (INITIAL_WINDOW_SIZE, window_bytes)];
        let setting = |(key, value): (u16, u32)| [&key.to_be_bytes()[..], &value.to_be_bytes()].concat();
        client.send(frame::SETTINGS, 0, 0, &settings.map(setting).concat())?;
        if let Some(more @ 1..) = window_bytes.checked_sub(WINDOW_BYTES) {
            client.send(frame::WINDOW_UPDATE, 0, 0, &more.to_be_bytes())?;
        }
        Ok(client)
    }

    /// One GET of which the answer is not waited for.
    ///
    /// # Errors
    ///
    /// [`H2Refusal`]
    pub fn ask(&mut self, authority: &[u8], path: &[u8]) -> Result<(), H2Refusal> {
        self.open(&get(authority, path), true).map(|_| ())
    }

    /// One GET; `path` and `authority` go out as they are.
    ///
    /// # Errors
    ///
    /// [`H2Refusal`]
    pub fn get(&mut self, authority: &[u8], path: &[u8]) -> Result<H2Response, H2Refusal> {
        self.request(&get(authority, path))
    }

    /// One request without a body, of exactly these fields.
    ///
    /// # Errors
    ///
    /// [`H2Refusal`]
    pub fn request(&mut self, fields: &[(&[u8], &[u8])]) -> Result<H2Response, H2Refusal> {
        let stream = self.open(fields, true)?;
        self.receive(stream)
    }

    /// Opens a stream with exactly these fields, and ends it at once or leaves it to be followed by a body.
    ///
    /// # Errors
    ///
    /// [`H2Refusal`]
    pub fn open(&mut self, fields: &[(&[u8], &[u8])], ends: bool) -> Result<u32, H2Refusal> {
        let stream = self.next_stream;
        self.next_stream += 2;
        self.streams.insert(stream, Stream { window: self.window_initial, ..Stream::default() });
        self.send_fields(stream, fields, ends)?;
        Ok(stream)
    }

    /// Ends the body with trailer fields.
    ///
    /// # Errors
    ///
    /// [`H2Refusal`]
    pub fn send_trailers(&mut self, stream: u32, fields: &[(&[u8], &[u8])]) -> Result<(), H2Refusal> {
        self.send_fields(stream, fields, true)
    }

    /// Sends so much of a body as the gate has room for, waiting for more room as long as [`set_patience`](Self::set_patience)
    /// allows, and until the answer is at its end. How many bytes went out.
    ///
    /// # Errors
    ///
    /// [`H2Refusal`]
    pub fn send_data(&mut self, stream: u32, bytes: &[u8], ends: bool) -> Result<usize, H2Refusal> {
        let mut sent = 0;
        loop {
            if self.stream(stream).end.is_some() {
                return Ok(sent);
            }
            let room = self.window.min(self.stream(stream).window).clamp(0, FRAME_BYTES_MAX);
            let length = usize::try_from(room).expect("not negative").min(bytes.len() - sent);
            if length == 0 && sent < bytes.len() {
                match self.turn() {
                    Err(H2Refusal::Tls(Refusal::Other(_))) => return Ok(sent),
                    result => result?,
                }
                continue;
            }
            let is_last = sent + length == bytes.len();
            let flags = if ends && is_last { END_STREAM } else { 0 };
            self.send(frame::DATA, flags, stream, &bytes[sent..sent + length])?;
            let spent = i64::try_from(length).expect("a frame is short");
            self.window -= spent;
            self.stream(stream).window -= spent;
            sent += length;
            if is_last {
                return Ok(sent);
            }
        }
    }

    /// Waits for the whole answer on a stream.
    ///
    /// # Errors
    ///
    /// [`H2Refusal`]; what came of the answer before it is at [`so_far`](Self::so_far).
    pub fn receive(&mut self, stream: u32) -> Result<H2Response, H2Refusal> {
        loop {
            if let Some(end) = self.stream(stream).end.clone() {
                return end.map(|()| self.stream(stream).response.clone());
            }
            self.turn()?;
        }
    }

    /// Waits until at least so much of an answer's body is there, or its head if it is nothing.
    ///
    /// # Errors
    ///
    /// [`H2Refusal`]
    pub fn receive_at_least(&mut self, stream: u32, length: usize) -> Result<(), H2Refusal> {
        loop {
            let Stream { response, end, .. } = self.stream(stream);
            if response.status != 0 && response.body.len() >= length {
                return Ok(());
            }
            if let Some(Err(refusal)) = end {
                return Err(refusal.clone());
            }
            self.turn()?;
        }
    }

    /// What there is of an answer.
    #[must_use]
    pub fn so_far(&self, stream: u32) -> H2Response {
        self.streams.get(&stream).map(|stream| stream.response.clone()).unwrap_or_default()
    }

    /// Gives a stream up.
    ///
    /// # Errors
    ///
    /// [`H2Refusal`]
    pub fn reset(&mut self, stream: u32) -> Result<(), H2Refusal> {
        const CANCEL: [u8; 4] = [0, 0, 0, 8];
        self.send(frame::RST_STREAM, 0, stream, &CANCEL)?;
        Ok(())
    }

    /// From now on lets the gate send no more than it was allowed before.
    pub fn withhold_window(&mut self) {
        self.gives_window = false;
    }

    /// Waits at most this long for the next byte.
    pub fn set_patience(&self, patience: Duration) {
        self.connection.set_read_timeout(patience);
    }

    /// Whether the session of an earlier connection was taken up.
    #[must_use]
    pub fn was_resumed(&self) -> bool {
        self.connection.was_resumed()
    }

    /// The error code of a GOAWAY that came, 0 for a connection that ends in order.
    #[must_use]
    pub fn goaway(&self) -> Option<u32> {
        self.goaway
    }

    /// Waits until the gate says that it takes no new streams. What is under way goes on.
    ///
    /// # Errors
    ///
    /// [`H2Refusal`]
    pub fn wait_for_goaway(&mut self) -> Result<(), H2Refusal> {
        while self.goaway.is_none() {
            self.turn()?;
        }
        Ok(())
    }

    /// Reads until the gate closes the connection.
    ///
    /// # Panics
    ///
    /// When it does not.
    pub fn wait_for_end(&mut self) {
        loop {
            match self.turn() {
                Ok(()) | Err(H2Refusal::GoAway(0)) => {}
                Err(H2Refusal::Tls(Refusal::Closed)) => return,
                Err(refusal) => panic!("{refusal:?}"),
            }
        }
    }

    /// The session beneath, for what is no frame.
    #[must_use]
    pub fn into_connection(self) -> TlsConnection {
        self.connection
    }

    fn stream(&mut self, stream: u32) -> &mut Stream {
        self.streams.entry(stream).or_default()
    }

    /// Takes one frame in.
    fn turn(&mut self) -> Result<(), H2Refusal> {
        let frame = self.next_frame().map_err(|refusal| match self.goaway {
            Some(code) if refusal == Refusal::Closed && !self.streams.is_empty() => H2Refusal::GoAway(code),
            _ => H2Refusal::Tls(refusal),
        });
        let frame = match frame {
            // Asked once more, it says that the connection is closed.
            Err(refusal @ H2Refusal::GoAway(_)) => {
                self.streams.clear();
                return Err(refusal);
            }
            frame => frame?,
        };
        let Frame { kind, flags, stream, payload } = frame;
        match kind {
            frame::SETTINGS if flags & ACK == 0 => {
                self.take_settings(&payload);
                self.reply(frame::SETTINGS, ACK, 0, &[]);
            }
            frame::PING if flags & ACK == 0 => self.reply(frame::PING, ACK, 0, &payload),
            frame::WINDOW_UPDATE if stream == 0 => self.window += i64::from(number(&payload)),
            frame::WINDOW_UPDATE => self.stream(stream).window += i64::from(number(&payload)),
            frame::GOAWAY => {
                let code = number(&payload[4..8]);
                self.goaway = Some(code);
                if code != 0 {
                    return Err(H2Refusal::GoAway(code));
                }
            }
            frame::RST_STREAM => {
                let code = number(&payload[..4]);
                // What follows a whole answer only says that the rest of the request is not wanted.
                self.stream(stream).end.get_or_insert(Err(H2Refusal::Reset(code)));
            }
            frame::HEADERS => self.stream(stream).response.take_fields(&payload),
            frame::DATA => {
                self.stream(stream).response.body.extend_from_slice(&payload);
                self.give_window(stream, payload.len());
            }
            _ => {}
        }
        if matches!(kind, frame::HEADERS | frame::DATA) && flags & END_STREAM != 0 {
            self.stream(stream).end.get_or_insert(Ok(()));
        }
        Ok(())
    }

    fn take_settings(&mut self, payload: &[u8]) {
        for setting in payload.chunks(6) {
            if number(&setting[..2]) == u32::from(INITIAL_WINDOW_SIZE) {
                let initial = i64::from(number(&setting[2..]));
                for stream in self.streams.values_mut() {
                    stream.window += initial - self.window_initial;
                }
                self.window_initial = initial;
            }
        }
    }

    fn give_window(&mut self, stream: u32, length: usize) {
        if !self.gives_window || length == 0 {
            return;
        }
        let increment = u32::try_from(length).expect("a frame is short").to_be_bytes();
        self.reply(frame::WINDOW_UPDATE, 0, 0, &increment);
        self.reply(frame::WINDOW_UPDATE, 0, stream, &increment);
    }

    /// What the protocol wants said. The gate may have closed behind its last answer, of which there may be more to read.
    fn reply(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let _ = self.send(kind, flags, stream, payload);
    }

    fn next_frame(&mut self) -> Result<Frame, Refusal> {
        const HEAD_BYTES: usize = 9;
        let head = self.connection.peek(HEAD_BYTES)?;
        let length = number(&head[..3]) as usize;
        // The frame is taken when it is all there, so that a wait may be broken off at any byte.
        self.connection.peek(HEAD_BYTES + length)?;
        let head = self.connection.read_exactly(HEAD_BYTES)?;
        let payload = self.connection.read_exactly(length)?;
        Ok(Frame { kind: head[3], flags: head[4], stream: number(&head[5..9]), payload })
    }

    /// A header block, in as many frames as it takes.
    fn send_fields(&mut self, stream: u32, fields: &[(&[u8], &[u8])], ends: bool) -> Result<(), H2Refusal> {
        let mut block = Vec::new();
        for (name, value) in fields {
            // A literal that is not to be indexed, with a literal name (RFC 7541 6.2.2).
            block.push(0);
            push_string(&mut block, name);
            push_string(&mut block, value);
        }
        let mut pieces = block.chunks(usize::try_from(FRAME_BYTES_MAX).expect("it is small")).peekable();
        let mut kind = frame::HEADERS;
        let mut flags = if ends { END_STREAM } else { 0 };
        while let Some(piece) = pieces.next() {
            if pieces.peek().is_none() {
                flags |= END_HEADERS;
            }
            self.send(kind, flags, stream, piece)?;
            (kind, flags) = (frame::CONTINUATION, 0);
        }
        Ok(())
    }

    fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Result<(), Refusal> {
        let length = u32::try_from(payload.len()).expect("a frame of a test is short").to_be_bytes();
        let mut bytes = vec![length[1], length[2], length[3], kind, flags];
        bytes.extend_from_slice(&stream.to_be_bytes());
        bytes.extend_from_slice(payload);
        self.connection.send(&bytes)
    }
}

impl H2Response {
    /// The head of the answer, what comes before it, or what ends it.
    fn take_fields(&mut self, block: &[u8]) {
        if self.status != 0 {
            self.trailers = true;
            return;
        }
        match status(block) {
            status @ 100..200 => self.informational.push(status),
            status => self.status = status,
        }
    }
}

impl From<Refusal> for H2Refusal {
    fn from(refusal: Refusal) -> Self {
        Self::Tls(refusal)
    }
}

fn get<'a>(authority: &'a [u8], path: &'a [u8]) -> [(&'a [u8], &'a [u8]); 4] {
    [(b":method", b"GET"), (b":scheme", b"https"), (b":authority", authority), (b":path", path)]
}

/// The pseudo-fields of a request to [`HOST`](crate::HOST), to which others may be added.
#[must_use]
pub fn h2_request<'a>(method: &'a str, path: &'a str) -> Vec<(&'a [u8], &'a [u8])> {
    let fields = [(":method", method), (":scheme", "https"), (":authority", crate::HOST), (":path", path)];
    fields.map(|(name, value)| (name.as_bytes(), value.as_bytes())).to_vec()
}

struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Vec<u8>,
}

fn number(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte))
}

/// A string literal without Huffman coding (RFC 7541 5.2).
fn push_string(block: &mut Vec<u8>, text: &[u8]) {
    const PREFIX_MAX: usize = 127;
    match text.len().checked_sub(PREFIX_MAX) {
        None => block.push(u8::try_from(text.len()).expect("below 127")),
        Some(mut rest) => {
            block.push(0x7f);
            while rest >= 128 {
                block.push(u8::try_from(rest % 128).expect("below 128") | 0x80);
                rest /= 128;
            }
            block.push(u8::try_from(rest).expect("below 128"));
        }
    }
    block.extend_from_slice(text);
}

/// The status, which is the first field of an answer (RFC 9113 8.3). A change of table size may stand before it.
fn status(block: &[u8]) -> u16 {
    const STATIC: [u16; 7] = [200, 204, 206, 304, 400, 404, 500];
    let mut rest = block;
    while let [first, tail @ ..] = rest
        && first & 0xe0 == 0x20
    {
        rest = tail;
    }
    match rest {
        [index @ 0x88..=0x8e, ..] => STATIC[usize::from(index - 0x88)],
        // A literal whose name is the entry 8, with or without indexing.
        [0x08 | 0x18 | 0x48, length, value @ ..] => {
            let value = &value[..usize::from(length & 0x7f)];
            if length & 0x80 == 0 { decimal(value) } else { huffman_decimal(value) }
        }
        _ => panic!("no status at the beginning of {block:02x?}"),
    }
}

fn decimal(digits: &[u8]) -> u16 {
    digits.iter().fold(0, |number, digit| number * 10 + u16::from(digit - b'0'))
}

/// Three digits in the code of RFC 7541 Appendix B: 0, 1, 2 have five bits, 3 to 9 six.
fn huffman_decimal(bytes: &[u8]) -> u16 {
    let mut bits = bytes.iter().flat_map(|byte| (0..8).rev().map(move |at| u16::from(byte >> at & 1)));
    let mut take = |count: usize| bits.by_ref().take(count).fold(0, |code, bit| code << 1 | bit);
    let mut number = 0;
    for _ in 0..3 {
        let code = take(5);
        let digit = if code < 3 { code } else { (code << 1 | take(1)) - 0b01_1001 + 3 };
        number = number * 10 + digit;
    }
    number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_read_in_every_form() {
        assert_eq!(status(&[0x88]), 200);
        assert_eq!(status(&[0x20, 0x8d, 0x76]), 404);
        assert_eq!(status(b"\x08\x03421"), 421);
        // 403: 011010 00000 011001, padded with ones.
        assert_eq!(status(&[0x48, 0x83, 0b0110_1000, 0b0000_1100, 0b1111_1111]), 403);
    }

    #[test]
    fn a_long_string_has_a_long_length() {
        let mut block = Vec::new();
        push_string(&mut block, &[b'a'; 300]);
        assert_eq!(block[..3], [0x7f, 0xad, 0x01]);
        assert_eq!(block.len(), 303);
    }
}
