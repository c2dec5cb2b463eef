//! Whether keyId names the certificate in the message.

use std::borrow::Cow;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis_identity::{TbsCertificate, distinguished_name};

use crate::distinguished_name::is_name_of;
use crate::error::SealError;
use crate::excerpt::excerpt;

/// Demands that keyId is `SN=<serial number>,CA=<issuer's name>` of a certificate, as the Berlin Group has it.
///
/// The serial number is hexadecimal, and decimal in the wild; it is compared as a number. The name is read as it
/// stands, without the backslashes that a quoted string has, and without percent-encoding, which the guidelines' own
/// example has: one reading that names the certificate is enough, since the signature is verified with the key of this
/// certificate and no other.
///
/// # Errors
/// [`SealError::KeyId`], [`SealError::Issuer`].
pub(crate) fn demand_serial_and_issuer(
    key_id: &str,
    certificate: &TbsCertificate<'_>,
) -> Result<(), SealError> {
    let readings = [Cow::Borrowed(key_id), without_backslashes(key_id), without_percent(key_id)];
    let parts: Vec<_> = readings.iter().filter_map(|reading| serial_and_issuer(reading)).collect();
    if !parts.iter().any(|(serial, _)| is_serial(serial, certificate.serial_number)) {
        return Err(SealError::KeyId { found: excerpt(key_id), expected: expected(certificate).into() });
    }
    if !parts.iter().any(|(_, issuer)| is_name_of(issuer, certificate.issuer)) {
        let found = parts.first().map_or("", |(_, issuer)| issuer);
        return Err(SealError::Issuer { found: excerpt(found), expected: issuer(certificate).into() });
    }
    Ok(())
}

/// Whether keyId is the SHA-256 of a certificate, as `x5t#S256` of RFC 7515 has it or in hexadecimal.
pub(crate) fn is_thumbprint(key_id: &str, certificate: &[u8]) -> bool {
    let hash = digest(&SHA256, certificate);
    key_id == URL_SAFE_NO_PAD.encode(hash.as_ref()) || key_id.eq_ignore_ascii_case(&hex(hash.as_ref()))
}

/// Whether keyId has the Berlin Group's form.
pub(crate) fn has_serial(key_id: &str) -> bool {
    serial_and_issuer(key_id).is_some()
}

/// What keyId of a certificate should be in the Berlin Group's form.
pub(crate) fn expected(certificate: &TbsCertificate<'_>) -> String {
    let significant = without_zeros(certificate.serial_number);
    format!("SN={},CA={}", hex(significant).to_uppercase(), issuer(certificate))
}

fn issuer(certificate: &TbsCertificate<'_>) -> String {
    distinguished_name(certificate.issuer).unwrap_or_else(|_| "a name that cannot be read".to_owned())
}

fn serial_and_issuer(key_id: &str) -> Option<(&str, &str)> {
    let (serial, rest) = strip_label(key_id.trim(), "SN")?.split_once(',')?;
    Some((serial.trim(), strip_label(rest.trim_start(), "CA")?))
}

fn strip_label<'a>(text: &'a str, label: &str) -> Option<&'a str> {
    let (name, value) = text.split_once('=')?;
    name.trim().eq_ignore_ascii_case(label).then_some(value)
}

/// Digits of a serial number that are read: 20 octets have 40 of sixteen and 49 of ten, and zeros may stand before them.
const DIGITS_MAX: usize = 128;

fn is_serial(text: &str, octets: &[u8]) -> bool {
    let octets = without_zeros(octets);
    text.len() <= DIGITS_MAX
        && [16, 10]
            .iter()
            .any(|radix| number(text, *radix).is_some_and(|number| without_zeros(&number) == octets))
}

/// The octets of a number, the most significant first.
fn number(text: &str, radix: u32) -> Option<Vec<u8>> {
    if text.is_empty() {
        return None;
    }
    let mut octets = vec![0; text.len()];
    for character in text.chars() {
        let mut carry = character.to_digit(radix)?;
        for octet in octets.iter_mut().rev() {
            let product = u32::from(*octet) * radix + carry;
            let [carried @ .., low] = product.to_be_bytes();
            *octet = low;
            carry = u32::from_be_bytes([0, carried[0], carried[1], carried[2]]);
        }
    }
    Some(octets)
}

fn without_zeros(octets: &[u8]) -> &[u8] {
    let zeros = octets.iter().take_while(|octet| **octet == 0).count();
    &octets[zeros..]
}

pub(crate) fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

fn without_backslashes(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        plain.extend(if character == '\\' { characters.next() } else { Some(character) });
    }
    Cow::Owned(plain)
}

fn without_percent(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    String::from_utf8_lossy(&crate::query_param::percent_decoded(text.as_bytes())).into_owned().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_serial_number_is_a_number() {
        let serial = [0x00, 0x9f, 0xa1];
        for same in ["9FA1", "9fa1", "0009FA1", "40865", "00040865"] {
            assert!(is_serial(same, &serial), "{same}");
        }
        for other in ["", "9FA", "9FA10", "40866", "0x9FA1", "-9FA1", "9F A1", &"0".repeat(DIGITS_MAX + 1)] {
            assert!(!is_serial(other, &serial), "{other}");
        }
        let longest = [0x7f; 20];
        assert!(is_serial(&"7f".repeat(20), &longest));
        assert!(is_serial("727885129180488904360266563744972327436484050815", &longest));
        assert!(is_serial("0", &[0]), "and zero is one");
    }

    #[test]
    fn keyid_has_two_parts() {
        assert_eq!(serial_and_issuer("SN=9FA1,CA=CN=A,C=DE"), Some(("9FA1", "CN=A,C=DE")));
        assert_eq!(serial_and_issuer(" sn=9FA1, ca=CN=A "), Some(("9FA1", "CN=A")));
        for wrong in ["", "SN=1", "CA=CN=A,SN=1", "SN=1,CN=A", "9FA1", "SN 1,CA=CN=A"] {
            assert_eq!(serial_and_issuer(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn readings_of_keyid() {
        assert_eq!(without_backslashes(r"CN=A\\, B\"), r"CN=A\, B");
        assert_eq!(without_percent("CN=D-TRUST%20CA,%4"), "CN=D-TRUST CA,%4");
    }

    #[test]
    fn a_thumbprint_has_two_forms() {
        let hash = digest(&SHA256, b"certificate");
        assert!(is_thumbprint(&URL_SAFE_NO_PAD.encode(hash.as_ref()), b"certificate"));
        assert!(is_thumbprint(&hex(hash.as_ref()).to_uppercase(), b"certificate"));
        assert!(!is_thumbprint("", b"certificate"));
    }
}
