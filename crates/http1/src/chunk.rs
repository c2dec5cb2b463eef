//! The chunked coding (RFC 9112 7.1), byte by byte.

use crate::HeadRefusal;

/// What the extensions of one chunk may have, in bytes. The signatures that some clients put there stay below 100;
/// over it the message is refused.
const CHUNK_EXTENSION_BYTES_MAX: usize = 256;

/// The most hex digits of a chunk size, leading zeros included: those of 64 bits.
const CHUNK_SIZE_DIGITS_MAX: usize = 16;

/// What the next byte of a chunked body is. `left` is at least one; a trailer section could begin at `LastCr`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // The names are those of the grammar.
pub enum Chunk {
    Size { size: u64, digits: usize },
    Extension { size: u64, bytes: usize },
    SizeLf { size: u64 },
    Data { left: u64 },
    DataCr,
    DataLf,
    LastCr,
    LastLf,
}

/// What follows a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChunkStep {
    /// More of the body.
    Next(Chunk),
    /// The body has ended.
    End,
    /// The next byte, which was not taken, begins a trailer section.
    Trailers,
}

impl Chunk {
    /// The first byte of a body.
    pub const START: Self = Self::Size { size: 0, digits: 0 };

    /// Takes one byte of `bytes`, which are hostile and not empty, or what is there of the data, and says how many
    /// those were. None is taken where a trailer section begins.
    ///
    /// # Errors
    /// A [`HeadRefusal`] of the body for bytes that are no chunks.
    pub fn step(self, bytes: &[u8]) -> Result<(usize, ChunkStep), HeadRefusal> {
        let byte = bytes[0];
        let next = match self {
            Self::Data { left } => {
                let len = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
                let left = left - len as u64;
                let next = if left == 0 { Self::DataCr } else { Self::Data { left } };
                return Ok((len, ChunkStep::Next(next)));
            }
            Self::Size { size, digits } => Self::after_size(size, digits, byte)?,
            Self::Extension { size, .. } if byte == b'\r' => Self::SizeLf { size },
            Self::Extension { size, bytes } => {
                if bytes == CHUNK_EXTENSION_BYTES_MAX || !matches!(byte, b'\t' | b' '..=b'~') {
                    return Err(HeadRefusal::ChunkExtension);
                }
                Self::Extension { size, bytes: bytes + 1 }
            }
            Self::SizeLf { .. } if byte != b'\n' => return Err(HeadRefusal::ChunkSize),
            Self::SizeLf { size: 0 } => Self::LastCr,
            Self::SizeLf { size } => Self::Data { left: size },
            Self::DataCr if byte == b'\r' => Self::DataLf,
            Self::DataLf if byte == b'\n' => Self::START,
            Self::DataCr | Self::DataLf => return Err(HeadRefusal::ChunkEnd),
            Self::LastCr if byte == b'\r' => Self::LastLf,
            Self::LastCr => return Ok((0, ChunkStep::Trailers)),
            Self::LastLf if byte == b'\n' => return Ok((1, ChunkStep::End)),
            Self::LastLf => return Err(HeadRefusal::ChunkEnd),
        };
        Ok((1, ChunkStep::Next(next)))
    }

    /// No white space after the size, which RFC 9112 7.1.1 lets a recipient skip before an extension.
    fn after_size(size: u64, digits: usize, byte: u8) -> Result<Self, HeadRefusal> {
        match (char::from(byte).to_digit(16), byte) {
            (Some(digit), _) if digits < CHUNK_SIZE_DIGITS_MAX => {
                Ok(Self::Size { size: size << 4 | u64::from(digit), digits: digits + 1 })
            }
            (None, b'\r') if digits > 0 => Ok(Self::SizeLf { size }),
            (None, b';') if digits > 0 => Ok(Self::Extension { size, bytes: 0 }),
            _ => Err(HeadRefusal::ChunkSize),
        }
    }
}
