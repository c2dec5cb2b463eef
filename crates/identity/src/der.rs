//! A reader of strict DER (X.690): definite, minimal lengths, one-byte tags, nothing allocated.

use thiserror::Error;

/// A whole NULL, with its tag and length.
pub(crate) const NULL: &[u8] = &[0x05, 0x00];
/// The identifier octet of a BOOLEAN.
pub const BOOLEAN: u8 = 0x01;
/// The identifier octet of a INTEGER.
pub const INTEGER: u8 = 0x02;
/// The identifier octet of a BIT STRING.
pub const BIT_STRING: u8 = 0x03;
/// The identifier octet of a OCTET STRING.
pub const OCTET_STRING: u8 = 0x04;
/// The identifier octet of a OBJECT IDENTIFIER.
pub const OBJECT_IDENTIFIER: u8 = 0x06;
/// The identifier octet of an ENUMERATED.
pub const ENUMERATED: u8 = 0x0a;
pub(crate) const UTF8_STRING: u8 = 0x0c;
pub(crate) const NUMERIC_STRING: u8 = 0x12;
pub(crate) const PRINTABLE_STRING: u8 = 0x13;
pub(crate) const TELETEX_STRING: u8 = 0x14;
pub(crate) const IA5_STRING: u8 = 0x16;
pub(crate) const VISIBLE_STRING: u8 = 0x1a;
pub(crate) const UNIVERSAL_STRING: u8 = 0x1c;
pub(crate) const BMP_STRING: u8 = 0x1e;
/// The identifier octet of a SEQUENCE.
pub const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;
pub(crate) const CONTEXT_0: u8 = 0xa0;
pub(crate) const CONTEXT_1_IMPLICIT: u8 = 0x81;
pub(crate) const CONTEXT_2_IMPLICIT: u8 = 0x82;
pub(crate) const CONTEXT_3: u8 = 0xa3;

/// The two class bits of a tag; `0x80` is context-specific.
const CLASS_BITS: u8 = 0xc0;
const CONTEXT_CLASS: u8 = 0x80;

/// Why bytes are not the strict DER that was expected. Whose fault: the certificate's issuer.
///
/// Source: X.690 section 8.1 (encoding) and 10.1 (definite, minimal lengths).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DerError {
    /// An element announces more bytes than are there.
    #[error("an element of {needed} bytes begins where {left} are left")]
    Truncated {
        /// Bytes that the element asks for.
        needed: usize,
        /// Bytes that were left.
        left: usize,
    },
    /// The length is indefinite, which BER allows and DER does not.
    #[error("indefinite length")]
    IndefiniteLength,
    /// The length takes more octets than it needs.
    #[error("length not encoded in the fewest octets")]
    NonMinimalLength,
    /// The length has more than three octets; no element of a certificate is that long.
    #[error("length of {octets} octets")]
    LengthTooLarge {
        /// Octets of the long-form length.
        octets: usize,
    },
    /// The tag uses the high-tag-number form, which no structure read here has.
    #[error("high-tag-number form")]
    HighTagNumber,
    /// Another type stands where one was expected.
    #[error("expected tag 0x{expected:02x}, found 0x{found:02x}")]
    UnexpectedTag {
        /// Identifier octet that the structure asks for.
        expected: u8,
        /// Identifier octet that is there.
        found: u8,
    },
    /// The structure ends where an element was expected.
    #[error("expected tag 0x{expected:02x}, found the end")]
    Missing {
        /// Identifier octet that the structure asks for.
        expected: u8,
    },
    /// Bytes follow the last element of a structure.
    #[error("{count} bytes too many")]
    TrailingBytes {
        /// Bytes that follow.
        count: usize,
    },
    /// An OBJECT IDENTIFIER that is empty, cut off, padded or longer than the limit.
    #[error("object identifier not well-formed")]
    ObjectIdentifier,
    /// A version that is not one of v1, v2 and v3.
    #[error("version not one of v1, v2, v3")]
    Version,
    /// A BOOLEAN that is neither 0x00 nor 0xff.
    #[error("boolean not well-formed")]
    Boolean,
    /// An INTEGER that is empty, padded, or out of the range that its field allows.
    #[error("integer not well-formed or out of range")]
    Integer,
    /// A BIT STRING whose bits are not what its field allows.
    #[error("bit string not well-formed")]
    BitString,
    /// A character string that is empty, too long, or has characters that its type or its field does not allow.
    #[error("character string not well-formed")]
    Text,
    /// More elements than are read.
    #[error("more than {limit} elements")]
    TooManyElements {
        /// Elements that are read.
        limit: usize,
    },
}

/// One element: its identifier octet, its content, and both with the length between them.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Element<'a> {
    /// The identifier octet.
    pub tag: u8,
    /// The content octets.
    pub content: &'a [u8],
    /// All of it.
    pub encoded: &'a [u8],
}

impl Element<'_> {
    /// Whether the element is of the context-specific class: a tag that a structure without tagging cannot have.
    pub(crate) fn is_context_specific(&self) -> bool {
        self.tag & CLASS_BITS == CONTEXT_CLASS
    }

    /// Whether the element is a character string of a type other than `UTF8String`.
    pub(crate) fn is_other_string(&self) -> bool {
        matches!(
            self.tag,
            NUMERIC_STRING
                | PRINTABLE_STRING
                | TELETEX_STRING
                | IA5_STRING
                | VISIBLE_STRING
                | UNIVERSAL_STRING
                | BMP_STRING
        )
    }
}

/// A cursor over the content of one structure. It never descends by itself, so no input can make it recurse.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// A reader of a content.
    pub const fn new(content: &'a [u8]) -> Self {
        Self { rest: content }
    }

    /// A reader of the content of `der`, which must be one SEQUENCE and nothing else.
    ///
    /// # Errors
    /// It is something else.
    pub fn sequence(der: &'a [u8]) -> Result<Self, DerError> {
        let mut outer = Self::new(der);
        let content = outer.expect(SEQUENCE)?.content;
        outer.finish()?;
        Ok(Self::new(content))
    }

    /// What is left.
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Whether nothing is left.
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The identifier octet of the next element.
    pub fn peek_tag(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// Reads the next element, whatever its type.
    ///
    /// # Errors
    /// There is none in strict DER.
    pub fn read(&mut self) -> Result<Element<'a>, DerError> {
        let (&tag, after_tag) = self.rest.split_first().ok_or(DerError::Truncated { needed: 2, left: 0 })?;
        if tag & 0x1f == 0x1f {
            return Err(DerError::HighTagNumber);
        }
        let (length, after_length) = read_length(after_tag)?;
        let Some((content, rest)) = after_length.split_at_checked(length) else {
            return Err(DerError::Truncated { needed: length, left: after_length.len() });
        };
        let encoded = &self.rest[..self.rest.len() - rest.len()];
        self.rest = rest;
        Ok(Element { tag, content, encoded })
    }

    /// Reads the next element, which must have this identifier octet.
    ///
    /// # Errors
    /// It has another, or there is none in strict DER.
    pub fn expect(&mut self, tag: u8) -> Result<Element<'a>, DerError> {
        match self.peek_tag() {
            Some(found) if found == tag => self.read(),
            Some(found) => Err(DerError::UnexpectedTag { expected: tag, found }),
            None => Err(DerError::Missing { expected: tag }),
        }
    }

    /// Reads the next element if it has this identifier octet.
    ///
    /// # Errors
    /// It has, and is not strict DER.
    pub fn optional(&mut self, tag: u8) -> Result<Option<Element<'a>>, DerError> {
        if self.peek_tag() == Some(tag) { self.read().map(Some) } else { Ok(None) }
    }

    /// Demands that nothing is left.
    ///
    /// # Errors
    /// [`DerError::TrailingBytes`].
    pub fn finish(self) -> Result<(), DerError> {
        if self.rest.is_empty() { Ok(()) } else { Err(DerError::TrailingBytes { count: self.rest.len() }) }
    }
}

/// Reads a length and returns what follows it.
fn read_length(bytes: &[u8]) -> Result<(usize, &[u8]), DerError> {
    let (&first, mut rest) = bytes.split_first().ok_or(DerError::Truncated { needed: 1, left: 0 })?;
    if first < 0x80 {
        return Ok((usize::from(first), rest));
    }
    let octets = usize::from(first & 0x7f);
    if octets == 0 {
        return Err(DerError::IndefiniteLength);
    }
    if octets > 3 {
        return Err(DerError::LengthTooLarge { octets });
    }
    let mut length = 0usize;
    for _ in 0..octets {
        let (&octet, after) = rest.split_first().ok_or(DerError::Truncated { needed: 1, left: 0 })?;
        length = length << 8 | usize::from(octet);
        rest = after;
    }
    // The shortest long form that could hold the value: one octet from 0x80 on, two from 0x100, three from 0x10000.
    let shortest = if octets == 1 { 0x80 } else { 1 << (8 * (octets - 1)) };
    if length < shortest {
        return Err(DerError::NonMinimalLength);
    }
    Ok((length, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<usize, DerError> {
        Reader::new(bytes).read().map(|element| element.content.len())
    }

    #[test]
    fn minimal_lengths_are_read() {
        assert_eq!(read(&[0x04, 0x00]), Ok(0));
        let mut long = vec![0x04, 0x81, 0x80];
        long.resize(3 + 0x80, 0);
        assert_eq!(read(&long), Ok(0x80));
        let mut longer = vec![0x04, 0x82, 0x01, 0x00];
        longer.resize(4 + 0x100, 0);
        assert_eq!(read(&longer), Ok(0x100));
    }

    #[test]
    fn lengths_outside_der_are_refused() {
        assert_eq!(read(&[0x30, 0x80, 0x00, 0x00]), Err(DerError::IndefiniteLength));
        assert_eq!(read(&[0x04, 0x81, 0x01, 0x00]), Err(DerError::NonMinimalLength));
        assert_eq!(read(&[0x04, 0x82, 0x00, 0x80]), Err(DerError::NonMinimalLength));
        assert_eq!(read(&[0x04, 0x83, 0x00, 0x01, 0x00]), Err(DerError::NonMinimalLength));
        assert_eq!(read(&[0x04, 0x84, 0xff, 0xff, 0xff, 0xff]), Err(DerError::LengthTooLarge { octets: 4 }));
        assert_eq!(read(&[0x04, 0xff]), Err(DerError::LengthTooLarge { octets: 127 }));
    }

    #[test]
    fn cut_off_input_is_refused() {
        assert!(matches!(read(&[]), Err(DerError::Truncated { .. })));
        assert!(matches!(read(&[0x04]), Err(DerError::Truncated { .. })));
        assert!(matches!(read(&[0x04, 0x82, 0x01]), Err(DerError::Truncated { .. })));
        assert_eq!(read(&[0x04, 0x05, 0x00]), Err(DerError::Truncated { needed: 5, left: 1 }));
        assert_eq!(read(&[0x1f, 0x81, 0x00, 0x00]), Err(DerError::HighTagNumber));
    }
}
