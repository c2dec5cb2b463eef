//! The serial number of a certificate.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::finding::{Finding, FindingCode};
use crate::oid::push_hex;

/// Octets of a serial number: RFC 5280 section 4.1.2.2 allows twenty.
const OCTETS_MAX: usize = 20;

/// A serial number, as the octets of its INTEGER. Shown in lower-case hexadecimal.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SerialNumber(Box<[u8]>);

impl SerialNumber {
    /// The content octets of the INTEGER, as they stand: compared octet by octet, as RFC 5280 section 5.3 needs.
    pub const fn as_octets(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn read(octets: &[u8], findings: &mut Vec<Finding>) -> Self {
        let fault = match octets {
            [] => Some("empty"),
            [0x80..=0xff, ..] => Some("negative"),
            [0] => Some("zero"),
            [0, 0..=0x7f, ..] => Some("padded"),
            _ if octets.len() > OCTETS_MAX => Some("longer than 20 octets"),
            _ => None,
        };
        if let Some(fault) = fault {
            let message = format!("the serial number is {fault}");
            findings.push(Finding::new(FindingCode::SerialNumber, message));
        }
        Self(octets.into())
    }
}

impl fmt::Display for SerialNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::with_capacity(self.0.len() * 2);
        self.0.iter().for_each(|octet| push_hex(&mut text, *octet));
        f.write_str(&text)
    }
}

impl fmt::Debug for SerialNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SerialNumber({self})")
    }
}

impl Serialize for SerialNumber {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_odd(octets: &[u8]) -> bool {
        let mut findings = Vec::new();
        SerialNumber::read(octets, &mut findings);
        !findings.is_empty()
    }

    #[test]
    fn a_serial_number_is_a_short_positive_integer() {
        for odd in [&[][..], &[0], &[0x80], &[0, 1], &[1; 21]] {
            assert!(is_odd(odd), "{odd:02x?}");
        }
        assert!(!is_odd(&[1; 20]) && !is_odd(&[0, 0x80]) && !is_odd(&[1]));
        assert_eq!(SerialNumber::read(&[0, 0xab, 0x0c], &mut Vec::new()).to_string(), "00ab0c");
    }
}
