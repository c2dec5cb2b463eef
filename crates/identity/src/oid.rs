//! OBJECT IDENTIFIERs: the ones this crate knows, as DER content octets, and their dotted form.

use std::fmt::Write as _;

use crate::der::DerError;

/// qcStatements extension, 1.3.6.1.5.5.7.1.3 (RFC 3739 section 3.2.6).
pub(crate) const QC_STATEMENTS: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 1, 3];
/// PSD2 statement, 0.4.0.19495.2 (TS 119 495 Annex A).
pub(crate) const PSD2_STATEMENT: &[u8] = &[4, 0, 0x81, 0x98, 0x27, 2];
/// The arc of the roles, 0.4.0.19495.1 (TS 119 495 Annex A).
pub(crate) const PSD2_ROLES: &[u8] = &[4, 0, 0x81, 0x98, 0x27, 1];

pub(crate) const COMMON_NAME: &[u8] = &[0x55, 4, 3];
pub(crate) const COUNTRY: &[u8] = &[0x55, 4, 6];
pub(crate) const ORGANIZATION: &[u8] = &[0x55, 4, 10];
/// organizationIdentifier, 2.5.4.97 (X.520).
pub(crate) const ORGANIZATION_IDENTIFIER: &[u8] = &[0x55, 4, 97];

/// Content octets of an identifier that is read. The longest in use are UUID-based ones of 20 octets; beyond this
/// the identifier is taken as malformed.
const MAX_OID_BYTES: usize = 64;

/// Checks the content octets of an OBJECT IDENTIFIER (X.690 section 8.19): not empty, no arc padded or cut off.
pub(crate) fn check(content: &[u8]) -> Result<(), DerError> {
    let ends = content.last().is_some_and(|octet| octet & 0x80 == 0);
    if !ends || content.len() > MAX_OID_BYTES {
        return Err(DerError::ObjectIdentifier);
    }
    let mut arc_begins = true;
    for &octet in content {
        if arc_begins && octet == 0x80 {
            return Err(DerError::ObjectIdentifier);
        }
        arc_begins = octet & 0x80 == 0;
    }
    Ok(())
}

/// The dotted form of content octets that passed [`check`].
///
/// An arc that does not fit 128 bits makes the whole identifier print as `0x` and its octets: no registered one is
/// so large, and big-number arithmetic for a log line would be an odd thing to expose to a peer.
pub(crate) fn dotted(content: &[u8]) -> String {
    let mut text = String::with_capacity(content.len() * 3);
    let mut arc: u128 = 0;
    let mut first = true;
    for &octet in content {
        if arc >> (128 - 7) != 0 {
            return hexadecimal(content);
        }
        arc = arc << 7 | u128::from(octet & 0x7f);
        if octet & 0x80 != 0 {
            continue;
        }
        let written = if first {
            let root = (arc / 40).min(2);
            write!(text, "{root}.{}", arc - root * 40)
        } else {
            write!(text, ".{arc}")
        };
        debug_assert!(written.is_ok(), "writing to a String cannot fail");
        first = false;
        arc = 0;
    }
    text
}

fn hexadecimal(content: &[u8]) -> String {
    let mut text = String::with_capacity(2 + content.len() * 2);
    text.push_str("0x");
    for octet in content {
        push_hex(&mut text, *octet);
    }
    text
}

/// Appends one octet as two lower-case hexadecimal digits.
pub(crate) fn push_hex(text: &mut String, octet: u8) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    text.push(char::from(DIGITS[usize::from(octet >> 4)]));
    text.push(char::from(DIGITS[usize::from(octet & 0x0f)]));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_identifiers_have_their_dotted_form() {
        assert_eq!(dotted(QC_STATEMENTS), "1.3.6.1.5.5.7.1.3");
        assert_eq!(dotted(PSD2_STATEMENT), "0.4.0.19495.2");
        assert_eq!(dotted(PSD2_ROLES), "0.4.0.19495.1");
        assert_eq!(dotted(ORGANIZATION_IDENTIFIER), "2.5.4.97");
        assert_eq!(dotted(&[0x88, 0x37, 3]), "2.999.3");
    }

    #[test]
    fn malformed_identifiers_are_refused() {
        for content in [&[][..], &[0x80, 1], &[0x2b, 0x80, 1], &[0x2b, 0x81], &[1; 65]] {
            assert_eq!(check(content), Err(DerError::ObjectIdentifier), "{content:02x?}");
        }
        assert_eq!(check(PSD2_STATEMENT), Ok(()));
    }

    #[test]
    fn an_arc_beyond_128_bits_prints_its_octets() {
        let mut content = vec![0x69];
        content.extend([0xff; 20]);
        content.push(0x7f);
        assert_eq!(check(&content), Ok(()));
        assert!(dotted(&content).starts_with("0x69ffff"));
    }
}
