//! The SHA-256 of a certificate.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

/// SHA-256 over the whole DER certificate, as RFC 8705 section 3.1 (`x5t#S256`) takes it. Shown as lower-case
/// hexadecimal; equality is not constant-time, since a thumbprint is public.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Thumbprint([u8; 32]);

impl Thumbprint {
    /// Hashes a certificate. The bytes are not looked at otherwise.
    pub fn of(der: &[u8]) -> Self {
        let digest = digest::digest(&digest::SHA256, der);
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest.as_ref());
        Self(bytes)
    }

    /// The 32 octets.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl From<[u8; 32]> for Thumbprint {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = [0; 64];
        f.write_str(self.hexadecimal(&mut digits))
    }
}

impl fmt::Debug for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Thumbprint({self})")
    }
}

/// SHA-256 over a `SubjectPublicKeyInfo` with its tag and length: what stays when a certificate is renewed for the same
/// key. Shown as a [`Thumbprint`] is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct SpkiHash(Thumbprint);

impl SpkiHash {
    /// Hashes a `SubjectPublicKeyInfo`. The bytes are not looked at otherwise.
    pub fn of(info: &[u8]) -> Self {
        Self(Thumbprint::of(info))
    }

    /// The 32 octets.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }
}

impl fmt::Display for SpkiHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for SpkiHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SpkiHash({self})")
    }
}

/// A thumbprint in text that is not 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a SHA-256 thumbprint has 64 hexadecimal digits, without separators")]
#[non_exhaustive]
pub struct ThumbprintError;

impl FromStr for Thumbprint {
    type Err = ThumbprintError;

    /// Reads 64 hexadecimal digits of either case.
    fn from_str(text: &str) -> Result<Self, ThumbprintError> {
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        if pairs.len() != 32 || !rest.is_empty() {
            return Err(ThumbprintError);
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(pairs) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Ok(Self(bytes))
    }
}

impl Serialize for Thumbprint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut digits = [0; 64];
        serializer.serialize_str(self.hexadecimal(&mut digits))
    }
}

impl<'de> Deserialize<'de> for Thumbprint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl Thumbprint {
    fn hexadecimal<'a>(&self, digits: &'a mut [u8; 64]) -> &'a str {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        for (pair, byte) in digits.as_chunks_mut::<2>().0.iter_mut().zip(self.0) {
            *pair = [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 0x0f)]];
        }
        std::str::from_utf8(digits).expect("hexadecimal digits are ASCII")
    }
}

fn digit(character: u8) -> Result<u8, ThumbprintError> {
    match character {
        b'0'..=b'9' => Ok(character - b'0'),
        b'a'..=b'f' => Ok(character - b'a' + 10),
        b'A'..=b'F' => Ok(character - b'A' + 10),
        _ => Err(ThumbprintError),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SHA-256 of "abc", FIPS 180-4.
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn shown_as_lower_case_hexadecimal() {
        let thumbprint = Thumbprint::of(b"abc");
        assert_eq!(thumbprint.to_string(), ABC);
        assert_eq!(serde_json::to_value(thumbprint).unwrap(), ABC);
    }

    #[test]
    fn read_from_either_case_and_nothing_else() {
        let thumbprint = Thumbprint::of(b"abc");
        assert_eq!(ABC.parse(), Ok(thumbprint));
        assert_eq!(ABC.to_uppercase().parse(), Ok(thumbprint));
        assert_eq!(serde_json::from_str::<Thumbprint>(&format!("\"{ABC}\"")).unwrap(), thumbprint);
        for text in
            ["", "ba", &ABC[1..], &format!("{ABC}00"), &ABC.replace('b', "g"), &ABC.replace("ba", "é")]
        {
            assert_eq!(text.parse::<Thumbprint>(), Err(ThumbprintError), "{text}");
        }
    }
}
