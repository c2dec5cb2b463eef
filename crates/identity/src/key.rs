//! The public key that a certificate certifies.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::der::{BIT_STRING, DerError, INTEGER, OBJECT_IDENTIFIER, Reader, SEQUENCE};
use crate::oid;

/// Kind and size of a public key (RFC 5280 section 4.1.2.7; RFC 3279, RFC 5480, RFC 8410).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PublicKey {
    /// What it is for.
    pub algorithm: KeyAlgorithm,
    /// Size in bits: of the modulus, or of the field. `None` if the algorithm is not one that is known here.
    pub bits: Option<u32>,
}

/// The algorithm of a key. Serialised and shown as in `EC P-256`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyAlgorithm {
    /// rsaEncryption.
    Rsa,
    /// RSASSA-PSS: a key for this scheme only.
    RsaPss,
    /// NIST P-256.
    EcP256,
    /// NIST P-384.
    EcP384,
    /// NIST P-521.
    EcP521,
    /// Ed25519.
    Ed25519,
    /// Ed448.
    Ed448,
    /// Another algorithm, or for an elliptic curve the curve: its identifier, dotted.
    Other(String),
}

impl KeyAlgorithm {
    /// Whether the key is on an elliptic curve and can sign, or agree on a key, and no more (RFC 5480 section 3).
    pub const fn is_elliptic(&self) -> bool {
        matches!(self, Self::EcP256 | Self::EcP384 | Self::EcP521 | Self::Ed25519 | Self::Ed448)
    }
}

impl fmt::Display for KeyAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Rsa => "RSA",
            Self::RsaPss => "RSASSA-PSS",
            Self::EcP256 => "EC P-256",
            Self::EcP384 => "EC P-384",
            Self::EcP521 => "EC P-521",
            Self::Ed25519 => "Ed25519",
            Self::Ed448 => "Ed448",
            Self::Other(dotted) => dotted,
        })
    }
}

impl Serialize for KeyAlgorithm {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Lengths of the point of a curve: uncompressed, with its first octet; compressed ones are not used in certificates
/// that TLS takes (RFC 8422 section 5.1.1).
const POINT_P256: usize = 65;
const POINT_P384: usize = 97;
const POINT_P521: usize = 133;

impl PublicKey {
    /// Reads a `SubjectPublicKeyInfo`. Whether the key is a good one is not looked at.
    ///
    /// # Errors
    /// It is not one, or its key is not well-formed.
    pub fn from_info(der: &[u8]) -> Result<Self, DerError> {
        let mut info = Reader::sequence(der)?;
        let mut algorithm = Reader::new(info.expect(SEQUENCE)?.content);
        let id = algorithm.expect(OBJECT_IDENTIFIER)?.content;
        oid::check(id)?;
        let [0, key @ ..] = info.expect(BIT_STRING)?.content else { return Err(DerError::BitString) };
        info.finish()?;
        match id {
            oid::RSA => Ok(Self { algorithm: KeyAlgorithm::Rsa, bits: Some(modulus_bits(key)?) }),
            oid::RSA_PSS => Ok(Self { algorithm: KeyAlgorithm::RsaPss, bits: Some(modulus_bits(key)?) }),
            oid::EC => Self::on_curve(algorithm.expect(OBJECT_IDENTIFIER)?.content, key),
            oid::ED25519 => Self::of_length(KeyAlgorithm::Ed25519, 256, key, 32),
            oid::ED448 => Self::of_length(KeyAlgorithm::Ed448, 456, key, 57),
            other => Ok(Self { algorithm: KeyAlgorithm::Other(oid::dotted(other)), bits: None }),
        }
    }

    fn on_curve(curve: &[u8], point: &[u8]) -> Result<Self, DerError> {
        let (algorithm, bits, length) = match curve {
            oid::P256 => (KeyAlgorithm::EcP256, 256, POINT_P256),
            oid::P384 => (KeyAlgorithm::EcP384, 384, POINT_P384),
            oid::P521 => (KeyAlgorithm::EcP521, 521, POINT_P521),
            other => {
                oid::check(other)?;
                return Ok(Self { algorithm: KeyAlgorithm::Other(oid::dotted(other)), bits: None });
            }
        };
        if point.first() != Some(&4) {
            return Err(DerError::BitString);
        }
        Self::of_length(algorithm, bits, point, length)
    }

    fn of_length(algorithm: KeyAlgorithm, bits: u32, key: &[u8], length: usize) -> Result<Self, DerError> {
        if key.len() == length { Ok(Self { algorithm, bits: Some(bits) }) } else { Err(DerError::BitString) }
    }
}

/// The bits of the modulus of an `RSAPublicKey` (RFC 3279 section 2.3.1).
fn modulus_bits(key: &[u8]) -> Result<u32, DerError> {
    let mut fields = Reader::sequence(key)?;
    let modulus = positive(fields.expect(INTEGER)?.content)?;
    positive(fields.expect(INTEGER)?.content)?;
    fields.finish()?;
    let bits = modulus.len() * 8 - modulus.first().map_or(0, |first| first.leading_zeros() as usize);
    u32::try_from(bits).map_err(|_| DerError::Integer)
}

/// The octets of an INTEGER that must be positive, without the octet that only carries the sign.
fn positive(content: &[u8]) -> Result<&[u8], DerError> {
    match content {
        [] | [0] | [0, 0..=0x7f, ..] | [0x80..=0xff, ..] => Err(DerError::Integer),
        [0, rest @ ..] => Ok(rest),
        all => Ok(all),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_der::{null, oid as encode_oid, sequence, tlv};

    fn read(algorithm: &[Vec<u8>], key: &[u8]) -> Result<String, DerError> {
        let bits = [&[0], key].concat();
        let key = PublicKey::from_info(&sequence(&[sequence(algorithm), tlv(0x03, &bits)]))?;
        Ok(format!("{} {:?}", key.algorithm, key.bits))
    }

    fn rsa(modulus: &[u8]) -> Vec<u8> {
        sequence(&[tlv(0x02, modulus), tlv(0x02, &[1, 0, 1])])
    }

    #[test]
    fn keys_have_their_size() {
        let rsa_algorithm = [encode_oid("1.2.840.113549.1.1.1"), null()];
        let modulus = [&[0, 0x80][..], &[0x11; 255]].concat();
        assert_eq!(read(&rsa_algorithm, &rsa(&modulus)).unwrap(), "RSA Some(2048)");
        assert_eq!(
            read(&rsa_algorithm, &rsa(&[&[0x40][..], &[0x11; 127]].concat())).unwrap(),
            "RSA Some(1023)"
        );
        let curve = |oid: &str| [encode_oid("1.2.840.10045.2.1"), encode_oid(oid)];
        let point = |length: usize| [&[4][..], &vec![7; length - 1]].concat();
        assert_eq!(read(&curve("1.2.840.10045.3.1.7"), &point(65)).unwrap(), "EC P-256 Some(256)");
        assert_eq!(read(&curve("1.3.132.0.34"), &point(97)).unwrap(), "EC P-384 Some(384)");
        assert_eq!(read(&curve("1.3.132.0.35"), &point(133)).unwrap(), "EC P-521 Some(521)");
        assert_eq!(read(&curve("1.3.36.3.3.2.8.1.1.7"), &point(65)).unwrap(), "1.3.36.3.3.2.8.1.1.7 None");
        assert_eq!(read(&[encode_oid("1.3.101.112")], &[1; 32]).unwrap(), "Ed25519 Some(256)");
        assert_eq!(read(&[encode_oid("1.2.3")], &[]).unwrap(), "1.2.3 None");
    }

    #[test]
    fn malformed_keys_are_refused() {
        let rsa_algorithm = [encode_oid("1.2.840.113549.1.1.1"), null()];
        for modulus in [&[][..], &[0], &[0, 0x7f], &[0x80, 1]] {
            assert!(read(&rsa_algorithm, &rsa(modulus)).is_err(), "{modulus:02x?}");
        }
        let curve = [encode_oid("1.2.840.10045.2.1"), encode_oid("1.2.840.10045.3.1.7")];
        assert!(read(&curve, &[4; 64]).is_err());
        assert!(read(&curve, &[2; 65]).is_err(), "a compressed point");
        assert!(read(&curve[..1], &[4; 65]).is_err(), "no curve");
        assert!(
            PublicKey::from_info(&sequence(&[sequence(&curve), tlv(0x03, &[1, 4])])).is_err(),
            "unused bits"
        );
    }
}
