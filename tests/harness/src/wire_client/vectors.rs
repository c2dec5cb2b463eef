//! Vectors of the presentation language (RFC 8446 3.4), written and read.

use std::io;

/// Content behind its length in one byte.
pub(super) fn vector8(content: &[u8]) -> Vec<u8> {
    [&[u8::try_from(content.len()).expect("it fits")], content].concat()
}

/// Content behind its length in two bytes.
pub(super) fn vector16(content: &[u8]) -> Vec<u8> {
    [&u16::try_from(content.len()).expect("it fits").to_be_bytes(), content].concat()
}

/// Content behind its length in three bytes.
pub(super) fn vector24(content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).expect("it fits").to_be_bytes();
    [&length[1..], content].concat()
}

/// A handshake message of this type.
pub(super) fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind], &vector24(body)[..]].concat()
}

/// What is not yet read of a message.
pub(super) struct Cursor<'a>(pub(super) &'a [u8]);

impl<'a> Cursor<'a> {
    /// The next bytes.
    pub(super) fn take(&mut self, count: usize) -> io::Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or_else(|| broken("a message is too short"))?;
        self.0 = rest;
        Ok(taken)
    }

    /// A number of so many bytes, four at most.
    pub(super) fn number(&mut self, bytes: usize) -> io::Result<u32> {
        Ok(self.take(bytes)?.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
    }

    /// Content behind its length in so many bytes.
    pub(super) fn vector(&mut self, length_bytes: usize) -> io::Result<&'a [u8]> {
        let length = self.number(length_bytes)?;
        self.take(usize::try_from(length).map_err(io::Error::other)?)
    }

    /// Extensions, each with its number.
    pub(super) fn extensions(&mut self) -> io::Result<Vec<(u32, &'a [u8])>> {
        let mut extensions = Vec::new();
        if self.0.is_empty() {
            return Ok(extensions);
        }
        let mut rest = Self(self.vector(2)?);
        while !rest.0.is_empty() {
            extensions.push((rest.number(2)?, rest.vector(2)?));
        }
        Ok(extensions)
    }
}

/// The peer does not speak TLS as we read it.
pub(super) fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}
