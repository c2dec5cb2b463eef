//! keyUsage and basicConstraints.

use serde::{Serialize, Serializer};

use crate::der::{BIT_STRING, BOOLEAN, DerError, INTEGER, Reader};

/// The names of the bits, from bit 0 (RFC 5280 section 4.2.1.3).
const NAMES: [&str; 9] = [
    "digitalSignature",
    "nonRepudiation",
    "keyEncipherment",
    "dataEncipherment",
    "keyAgreement",
    "keyCertSign",
    "cRLSign",
    "encipherOnly",
    "decipherOnly",
];

/// keyUsage (RFC 5280 section 4.2.1.3). Serialised as a list of names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyUsage(u16);

impl KeyUsage {
    /// Whether digitalSignature is set, without which a key may not sign a handshake.
    pub const fn digital_signature(self) -> bool {
        self.0 & 1 != 0
    }

    /// Whether keyCertSign is set.
    pub const fn key_cert_sign(self) -> bool {
        self.0 & 1 << 5 != 0
    }

    /// Whether keyEncipherment or dataEncipherment is set.
    pub const fn encipherment(self) -> bool {
        self.0 & (1 << 2 | 1 << 3) != 0
    }

    /// Whether nonRepudiation, also called contentCommitment, is set.
    pub const fn non_repudiation(self) -> bool {
        self.0 & 1 << 1 != 0
    }

    /// Whether a bit, by its number in RFC 5280 section 4.2.1.3, is set; none from 9 on is.
    pub const fn asserts(self, bit: u8) -> bool {
        bit < 16 && self.0 >> bit & 1 != 0
    }

    /// Reads the BIT STRING. DER cuts trailing zero bits off a named bit list (X.690 section 11.2.2).
    ///
    /// # Errors
    /// It is no BIT STRING in DER, or has no bit or too many.
    pub fn read(der: &[u8]) -> Result<Self, DerError> {
        let mut outer = Reader::new(der);
        let content = outer.expect(BIT_STRING)?.content;
        outer.finish()?;
        let [unused, octets @ ..] = content else { return Err(DerError::BitString) };
        // A usage without any bit is refused too (RFC 5280: at least one must be set).
        if octets.len() > 2 || octets.last().is_none_or(|last| last.trailing_zeros() != u32::from(*unused)) {
            return Err(DerError::BitString);
        }
        let mut bits = 0;
        for (position, octet) in octets.iter().enumerate() {
            bits |= u16::from(octet.reverse_bits()) << (8 * position);
        }
        if bits == 0 || bits >> NAMES.len() != 0 { Err(DerError::BitString) } else { Ok(Self(bits)) }
    }
}

impl Serialize for KeyUsage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let set = NAMES.iter().enumerate().filter(|(bit, _)| self.0 & 1 << bit != 0);
        serializer.collect_seq(set.map(|(_, name)| name))
    }
}

/// Reads basicConstraints (RFC 5280 section 4.2.1.9): whether the certificate is a CA's.
pub(crate) fn is_ca(der: &[u8]) -> Result<bool, DerError> {
    let mut fields = Reader::sequence(der)?;
    let is_ca = match fields.optional(BOOLEAN)?.map(|boolean| boolean.content) {
        // FALSE written out is the DEFAULT and so not DER; issuers write it all the same.
        None | Some([0x00]) => false,
        Some([0xff]) => true,
        Some(_) => return Err(DerError::Boolean),
    };
    fields.optional(INTEGER)?;
    fields.finish()?;
    Ok(is_ca)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_der::{null, sequence, tlv};

    fn names(content: &[u8]) -> Result<serde_json::Value, DerError> {
        KeyUsage::read(&tlv(0x03, content)).map(|usage| serde_json::to_value(usage).unwrap())
    }

    #[test]
    fn bits_have_their_names() {
        assert_eq!(names(&[7, 0x80]).unwrap(), serde_json::json!(["digitalSignature"]));
        assert_eq!(names(&[5, 0xa0]).unwrap(), serde_json::json!(["digitalSignature", "keyEncipherment"]));
        assert_eq!(names(&[7, 0x08, 0x80]).unwrap(), serde_json::json!(["keyAgreement", "decipherOnly"]));
        assert!(KeyUsage::read(&tlv(0x03, &[6, 0xc0])).unwrap().non_repudiation());
        assert!(KeyUsage::read(&tlv(0x03, &[2, 0x04])).unwrap().key_cert_sign());
        assert!(KeyUsage::read(&tlv(0x03, &[4, 0x10])).unwrap().encipherment());
    }

    #[test]
    fn other_bit_strings_are_refused() {
        for bad in [
            &[][..],
            &[0],
            &[8, 0x80],
            &[0, 0x80],
            &[6, 0x80],
            &[0, 0],
            &[7, 0],
            &[0, 0x80, 0],
            &[6, 0x80, 0x40],
            &[7, 1, 2, 0x80],
        ] {
            assert!(names(bad).is_err(), "{bad:02x?}");
        }
        assert!(KeyUsage::read(&[tlv(0x03, &[7, 0x80]), null()].concat()).is_err());
    }

    #[test]
    fn a_ca_is_told_from_others() {
        assert_eq!(is_ca(&sequence(&[])), Ok(false));
        assert_eq!(is_ca(&sequence(&[tlv(0x01, &[0])])), Ok(false));
        assert_eq!(is_ca(&sequence(&[tlv(0x01, &[0xff]), tlv(0x02, &[0])])), Ok(true));
        assert!(is_ca(&sequence(&[tlv(0x01, &[1])])).is_err());
        assert!(is_ca(&sequence(&[null()])).is_err());
    }
}
