//! DER that is longer than memory, read once from its beginning to its end.

use std::io::{ErrorKind, Read};

use aws_lc_rs::digest::{Algorithm, Context, Digest};

use super::CrlError;

/// Bytes that are held: more than the longest field.
const BUFFER_BYTES: usize = 64 * 1024;
/// Octets of the longest header: a tag and a length of up to four octets.
const HEADER_BYTES_MAX: usize = 6;

/// An input, element by element, and the digest of what is signed of it.
pub(super) struct Stream<R> {
    input: R,
    bytes_max: u64,
    /// Bytes that came, up to `filled`; those before `next` are read.
    buffer: Box<[u8]>,
    next: usize,
    filled: usize,
    /// How many bytes came before the buffer.
    before: u64,
    /// Where in the buffer the bytes begin that are signed and not hashed yet.
    unhashed: Option<usize>,
    hash: Option<Context>,
}

impl<R: Read> Stream<R> {
    pub(super) fn new(input: R, bytes_max: u64) -> Self {
        let buffer = vec![0; BUFFER_BYTES].into_boxed_slice();
        Self { input, bytes_max, buffer, next: 0, filled: 0, before: 0, unhashed: None, hash: None }
    }

    /// How many bytes were read.
    pub(super) fn position(&self) -> u64 {
        self.before + self.next as u64
    }

    /// What is read from here on is signed.
    pub(super) fn begin_signed(&mut self) {
        self.unhashed = Some(self.next);
    }

    /// By what the signed part is hashed, which stands near its beginning.
    pub(super) fn hash_with(&mut self, algorithm: &'static Algorithm) {
        self.hash = Some(Context::new(algorithm));
    }

    /// Ends the signed part.
    pub(super) fn end_signed(&mut self) -> Digest {
        self.hash_read();
        self.unhashed = None;
        let hash = self.hash.take();
        hash.unwrap_or_else(|| Context::new(&aws_lc_rs::digest::SHA256)).finish()
    }

    /// The tag of the next element.
    pub(super) fn peek_tag(&mut self) -> Result<u8, CrlError> {
        self.ensure(1)?;
        Ok(self.buffer[self.next])
    }

    /// Reads the header of an element, whose content follows. Returns the length of the content and of the header.
    pub(super) fn expect(&mut self, tag: u8) -> Result<(u64, usize), CrlError> {
        let (found, length, header) = self.header()?;
        if found != tag {
            return Err(CrlError::malformed("a structure"));
        }
        self.next += header;
        Ok((length, header))
    }

    /// Reads an element whose content has at most `bytes_max` bytes, by its tag and content.
    pub(super) fn field(&mut self, bytes_max: usize) -> Result<(u8, &[u8]), CrlError> {
        let (tag, length, header) = self.header()?;
        let length = usize::try_from(length).ok().filter(|length| *length <= bytes_max);
        let length = length.ok_or(CrlError::malformed("a field, which is too long"))?;
        self.ensure(header + length)?;
        let content = self.next + header;
        self.next = content + length;
        Ok((tag, &self.buffer[content..content + length]))
    }

    /// Demands that nothing follows.
    pub(super) fn finish(&mut self) -> Result<(), CrlError> {
        if self.next < self.filled || self.fill()? > 0 {
            return Err(CrlError::malformed("its end, behind which there is more"));
        }
        Ok(())
    }

    /// The tag and the length of the next element, and how long its header is. Nothing is read yet.
    fn header(&mut self) -> Result<(u8, u64, usize), CrlError> {
        self.ensure(2)?;
        let (tag, first) = (self.buffer[self.next], self.buffer[self.next + 1]);
        if tag & 0x1f == 0x1f {
            return Err(CrlError::malformed("a tag"));
        }
        if first < 0x80 {
            return Ok((tag, first.into(), 2));
        }
        let octets = usize::from(first & 0x7f);
        if octets == 0 || octets > HEADER_BYTES_MAX - 2 {
            return Err(CrlError::malformed("a length"));
        }
        self.ensure(2 + octets)?;
        let length = &self.buffer[self.next + 2..self.next + 2 + octets];
        let length = length.iter().fold(0_u64, |length, octet| length << 8 | u64::from(*octet));
        // The shortest long form that could hold the value.
        let shortest = if octets == 1 { 0x80 } else { 1 << (8 * (octets - 1)) };
        if length < shortest {
            return Err(CrlError::malformed("a length"));
        }
        Ok((tag, length, 2 + octets))
    }

    /// Sees to it that `count` bytes are in the buffer.
    fn ensure(&mut self, count: usize) -> Result<(), CrlError> {
        while self.filled - self.next < count {
            if self.next + count > self.buffer.len() {
                self.hash_read();
                self.buffer.copy_within(self.next..self.filled, 0);
                self.before += self.next as u64;
                self.filled -= self.next;
                self.next = 0;
                if self.unhashed.is_some() {
                    if self.hash.is_none() {
                        return Err(CrlError::malformed("signature"));
                    }
                    self.unhashed = Some(0);
                }
            }
            if self.fill()? == 0 {
                return Err(CrlError::Read(ErrorKind::UnexpectedEof.into()));
            }
        }
        Ok(())
    }

    fn fill(&mut self) -> Result<usize, CrlError> {
        if self.filled == self.buffer.len() {
            return Ok(0);
        }
        let came = loop {
            match self.input.read(&mut self.buffer[self.filled..]) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                came => break came.map_err(CrlError::Read)?,
            }
        };
        self.filled += came;
        if self.before + self.filled as u64 > self.bytes_max {
            return Err(CrlError::TooLarge { bytes_max: self.bytes_max });
        }
        Ok(came)
    }

    fn hash_read(&mut self) {
        if let (Some(from), Some(hash)) = (&mut self.unhashed, &mut self.hash) {
            hash.update(&self.buffer[*from..self.next]);
            *from = self.next;
        }
    }
}
