//! HTTP/2 frame by frame, so that a `:path` goes out with every byte it was given; a client library would refuse or mend it.
//!
//! Header blocks are written without compression. Of an answer only the status is read: the decoder's table is declared empty, so
//! a status is either an entry of the static table or a literal of three digits.

use std::net::SocketAddr;

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
}

const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
/// Settings (RFC 9113 6.5.2).
const HEADER_TABLE_SIZE: u16 = 1;
const INITIAL_WINDOW_SIZE: u16 = 4;
/// What both windows begin with (RFC 9113 6.9.2).
const WINDOW_BYTES: u32 = 65_535;

/// A connection that agreed on h2.
#[derive(Debug)]
pub struct H2Client {
    connection: TlsConnection,
    next_stream: u32,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct H2Response {
    /// The status code.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
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
    /// more than what they begin with.
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
        let mut client = Self { connection, next_stream: 1 };
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
    /// [`Refusal`]
    pub fn ask(&mut self, authority: &[u8], path: &[u8]) -> Result<(), Refusal> {
        self.open(&get(authority, path)).map(|_| ())
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
        let stream = self.open(fields).map_err(H2Refusal::Tls)?;
        self.receive(stream)
    }

    /// Sends a request; returns its stream.
    fn open(&mut self, fields: &[(&[u8], &[u8])]) -> Result<u32, Refusal> {
        let stream = self.next_stream;
        self.next_stream += 2;
        let mut block = Vec::new();
        for (name, value) in fields {
            // A literal that is not to be indexed, with a literal name (RFC 7541 6.2.2).
            block.push(0);
            push_string(&mut block, name);
            push_string(&mut block, value);
        }
        self.send(frame::HEADERS, END_STREAM | END_HEADERS, stream, &block)?;
        Ok(stream)
    }

    /// The session beneath, for what is no frame.
    #[must_use]
    pub fn into_connection(self) -> TlsConnection {
        self.connection
    }

    fn receive(&mut self, stream: u32) -> Result<H2Response, H2Refusal> {
        let mut response = H2Response { status: 0, body: Vec::new() };
        loop {
            let frame = self.next_frame().map_err(H2Refusal::Tls)?;
            match frame.kind {
                frame::SETTINGS if frame.flags & ACK == 0 => {
                    self.send(frame::SETTINGS, ACK, 0, &[]).map_err(H2Refusal::Tls)?;
                }
                frame::PING if frame.flags & ACK == 0 => {
                    self.send(frame::PING, ACK, 0, &frame.payload).map_err(H2Refusal::Tls)?;
                }
                frame::GOAWAY => return Err(H2Refusal::GoAway(number(&frame.payload[4..8]))),
                frame::RST_STREAM if frame.stream == stream => {
                    return Err(H2Refusal::Reset(number(&frame.payload[..4])));
                }
                frame::HEADERS if frame.stream == stream => response.status = status(&frame.payload),
                frame::DATA if frame.stream == stream => response.body.extend_from_slice(&frame.payload),
                _ => continue,
            }
            let carries_answer = matches!(frame.kind, frame::HEADERS | frame::DATA) && frame.stream == stream;
            if carries_answer && frame.flags & END_STREAM != 0 {
                return Ok(response);
            }
        }
    }

    fn next_frame(&mut self) -> Result<Frame, Refusal> {
        let head = self.connection.read_exactly(9)?;
        let length = number(&[0, head[0], head[1], head[2]]) as usize;
        let payload = self.connection.read_exactly(length)?;
        Ok(Frame { kind: head[3], flags: head[4], stream: number(&head[5..9]), payload })
    }

    fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Result<(), Refusal> {
        let length = u32::try_from(payload.len()).expect("a frame of a test is short").to_be_bytes();
        let mut bytes = vec![length[1], length[2], length[3], kind, flags];
        bytes.extend_from_slice(&stream.to_be_bytes());
        bytes.extend_from_slice(payload);
        self.connection.send(&bytes)
    }
}

fn get<'a>(authority: &'a [u8], path: &'a [u8]) -> [(&'a [u8], &'a [u8]); 4] {
    [(b":method", b"GET"), (b":scheme", b"https"), (b":authority", authority), (b":path", path)]
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
