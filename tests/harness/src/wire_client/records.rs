//! The record layer (RFC 8446 5, RFC 5246 6.2), with AES-128-GCM alone.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use rustls::AlertDescription;

use super::secrets::expand_label;
use super::vectors::broken;
use crate::Version;

/// Content types.
pub(super) const CHANGE_CIPHER_SPEC: u8 = 20;
pub(super) const ALERT: u8 = 21;
pub(super) const HANDSHAKE: u8 = 22;
pub(super) const APPLICATION_DATA: u8 = 23;

const KEY: usize = 16;
/// Of an IV of TLS 1.3, and of a nonce.
const NONCE: usize = 12;
/// Of an IV of TLS 1.2; the rest of the nonce stands in the record (RFC 5288 3).
const SALT: usize = 4;
const FRAGMENT_MAX: usize = 1 << 14;

/// Protects what goes one way.
pub(super) struct Protection {
    version: Version,
    key: LessSafeKey,
    iv: [u8; NONCE],
    sequence: u64,
}

impl Protection {
    /// Of TLS 1.3, by a traffic secret.
    pub(super) fn tls13(secret: &[u8]) -> Self {
        let (key, iv) = (expand_label(secret, "key", b"", KEY), expand_label(secret, "iv", b"", NONCE));
        Self::new(Version::Tls13, &key, &iv)
    }

    /// Of TLS 1.2, by both directions' keys and salts (RFC 5246 6.3); the client's first.
    pub(super) fn tls12(key_block: &[u8]) -> [Self; 2] {
        let (keys, salts) = key_block.split_at(2 * KEY);
        let of = |at: usize| Self::new(Version::Tls12, &keys[at * KEY..][..KEY], &salts[at * SALT..][..SALT]);
        [of(0), of(1)]
    }

    /// Bytes of the key block of TLS 1.2.
    pub(super) const KEY_BLOCK: usize = 2 * (KEY + SALT);

    fn new(version: Version, key: &[u8], salt: &[u8]) -> Self {
        let key = UnboundKey::new(&AES_128_GCM, key).expect("a key of 16 bytes");
        let mut iv = [0; NONCE];
        iv[..salt.len()].copy_from_slice(salt);
        Self { version, key: LessSafeKey::new(key), iv, sequence: 0 }
    }

    /// A record with its header.
    fn seal(&mut self, kind: u8, content: &[u8]) -> Vec<u8> {
        let mut sealed = content.to_vec();
        let (nonce, sequence) = self.next();
        match self.version {
            Version::Tls13 => {
                sealed.push(kind);
                let head = head(APPLICATION_DATA, sealed.len() + AES_128_GCM.tag_len());
                self.key.seal_in_place_append_tag(nonce, Aad::from(head), &mut sealed).expect("it is short");
                [&head[..], &sealed].concat()
            }
            Version::Tls12 => {
                let aad = [&sequence, &head(kind, content.len())[..]].concat();
                self.key.seal_in_place_append_tag(nonce, Aad::from(aad), &mut sealed).expect("it is short");
                [&head(kind, sequence.len() + sealed.len())[..], &sequence, &sealed].concat()
            }
        }
    }

    /// The content of a record, and of which type it is.
    fn open(&mut self, kind: u8, mut record: Vec<u8>) -> io::Result<(u8, Vec<u8>)> {
        let no_record = |_| broken("a record cannot be opened");
        let (nonce, sequence) = self.next();
        match self.version {
            Version::Tls13 => {
                let aad = Aad::from(head(APPLICATION_DATA, record.len()));
                let inner = self.key.open_in_place(nonce, aad, &mut record).map_err(no_record)?;
                let end = inner.iter().rposition(|byte| *byte != 0);
                let end = end.ok_or_else(|| broken("a record is padding alone"))?;
                Ok((inner[end], inner[..end].to_vec()))
            }
            Version::Tls12 => {
                let overhead = sequence.len() + AES_128_GCM.tag_len();
                let length = record.len().checked_sub(overhead).ok_or_else(|| broken("a short record"))?;
                let aad = [&sequence, &head(kind, length)[..]].concat();
                let mut bytes = self.iv;
                bytes[SALT..].copy_from_slice(&record[..sequence.len()]);
                let nonce = Nonce::assume_unique_for_key(bytes);
                let sealed = &mut record[sequence.len()..];
                let content = self.key.open_in_place(nonce, Aad::from(aad), sealed).map_err(no_record)?;
                Ok((kind, content.to_vec()))
            }
        }
    }

    /// The next nonce, and the sequence number in it.
    fn next(&mut self) -> (Nonce, [u8; 8]) {
        let sequence = self.sequence.to_be_bytes();
        self.sequence += 1;
        let mut nonce = self.iv;
        for (byte, other) in nonce[SALT..].iter_mut().zip(sequence) {
            *byte ^= other;
        }
        (Nonce::assume_unique_for_key(nonce), sequence)
    }
}

fn head(kind: u8, length: usize) -> [u8; 5] {
    let [high, low] = u16::try_from(length).expect("a record is short").to_be_bytes();
    [kind, 3, 3, high, low]
}

/// Records to and from a socket, and the handshake messages in them.
pub(super) struct Records {
    pub(super) socket: TcpStream,
    pub(super) read: Option<Protection>,
    pub(super) write: Option<Protection>,
    /// Handshake bytes that are no whole message yet.
    pieces: Vec<u8>,
    /// What is sent before anything is awaited: a flight goes out at once, so that an alert in the midst of it finds nobody writing.
    outgoing: Vec<u8>,
}

impl Records {
    pub(super) fn new(socket: TcpStream) -> Self {
        Self { socket, read: None, write: None, pieces: Vec::new(), outgoing: Vec::new() }
    }

    /// Sends content in as many records as it takes.
    pub(super) fn send(&mut self, kind: u8, content: &[u8]) {
        for part in content.chunks(FRAGMENT_MAX) {
            let record = match &mut self.write {
                Some(protection) => protection.seal(kind, part),
                None => [&head(kind, part.len())[..], part].concat(),
            };
            self.outgoing.extend(record);
        }
    }

    /// Lets go what was sent.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.socket.write_all(&std::mem::take(&mut self.outgoing))
    }

    /// The next record that says something. An alert is an error, except the one that ends the session, which is none.
    pub(super) fn receive(&mut self) -> io::Result<(u8, Vec<u8>)> {
        self.flush()?;
        let mut header = [0; 5];
        self.socket.read_exact(&mut header)?;
        let [kind, _, _, high, low] = header;
        let mut record = vec![0; usize::from(u16::from_be_bytes([high, low]))];
        self.socket.read_exact(&mut record)?;
        let is_plain = kind == CHANGE_CIPHER_SPEC;
        let (kind, content) = match &mut self.read {
            Some(protection) if !is_plain => protection.open(kind, record)?,
            _ => (kind, record),
        };
        match (kind, &content[..]) {
            (ALERT, [_, code]) => Err(alert(*code)),
            _ => Ok((kind, content)),
        }
    }

    /// The next handshake message, header and all. `None` for a `change_cipher_spec` of TLS 1.2.
    pub(super) fn message(&mut self, version: Version) -> io::Result<Option<Vec<u8>>> {
        loop {
            if let Some(message) = self.whole_message() {
                return Ok(Some(message));
            }
            match self.receive()? {
                (HANDSHAKE, bytes) => self.pieces.extend(bytes),
                (CHANGE_CIPHER_SPEC, _) if version == Version::Tls12 => return Ok(None),
                (CHANGE_CIPHER_SPEC, _) => {}
                (kind, _) => return Err(broken(&format!("a record of type {kind} in a handshake"))),
            }
        }
    }

    /// Takes handshake bytes that came among others.
    pub(super) fn keep(&mut self, bytes: &[u8]) {
        self.pieces.extend(bytes);
    }

    /// A message that is whole.
    pub(super) fn whole_message(&mut self) -> Option<Vec<u8>> {
        let [_, high, middle, low] = *self.pieces.first_chunk()?;
        let length = 4 + (usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low));
        (self.pieces.len() >= length).then(|| self.pieces.drain(..length).collect())
    }
}

/// An alert as the error that [`Refusal`](crate::Refusal) knows; `close_notify` is the end.
fn alert(code: u8) -> io::Error {
    match AlertDescription::from(code) {
        AlertDescription::CloseNotify => io::ErrorKind::UnexpectedEof.into(),
        alert => io::Error::new(io::ErrorKind::InvalidData, rustls::Error::AlertReceived(alert)),
    }
}
