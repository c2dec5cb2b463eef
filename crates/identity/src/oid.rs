//! OBJECT IDENTIFIERs as DER content octets: the ones that rules are about, and their dotted form.

use std::fmt::Write as _;

use crate::der::DerError;

/// commonName (X.520), 2.5.4.3.
pub(crate) const COMMON_NAME: &[u8] = &[0x55, 4, 3];
/// countryName (X.520), 2.5.4.6.
pub(crate) const COUNTRY: &[u8] = &[0x55, 4, 6];
/// organizationName (X.520), 2.5.4.10.
pub(crate) const ORGANIZATION: &[u8] = &[0x55, 4, 10];
/// organizationIdentifier (X.520), 2.5.4.97.
pub(crate) const ORGANIZATION_IDENTIFIER: &[u8] = &[0x55, 4, 0x61];
/// keyUsage, 2.5.29.15.
pub(crate) const KEY_USAGE: &[u8] = &[0x55, 29, 15];
/// subjectAltName, 2.5.29.17.
pub(crate) const SUBJECT_ALT_NAME: &[u8] = &[0x55, 29, 17];
/// basicConstraints, 2.5.29.19.
pub(crate) const BASIC_CONSTRAINTS: &[u8] = &[0x55, 29, 19];
/// cRLDistributionPoints, 2.5.29.31.
pub(crate) const CRL_DISTRIBUTION_POINTS: &[u8] = &[0x55, 29, 31];
/// certificatePolicies, 2.5.29.32.
pub(crate) const CERTIFICATE_POLICIES: &[u8] = &[0x55, 29, 32];
/// extKeyUsage, 2.5.29.37.
pub(crate) const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 29, 37];
/// noRevAvail (RFC 9608), 2.5.29.56.
pub(crate) const NO_REV_AVAIL: &[u8] = &[0x55, 29, 56];
/// authorityInfoAccess, 1.3.6.1.5.5.7.1.1.
pub(crate) const AUTHORITY_INFO_ACCESS: &[u8] = &[43, 6, 1, 5, 5, 7, 1, 1];
/// qcStatements (RFC 3739 section 3.2.6), 1.3.6.1.5.5.7.1.3.
pub(crate) const QC_STATEMENTS: &[u8] = &[43, 6, 1, 5, 5, 7, 1, 3];
/// validity assured, short term (EN 319 412-1), 0.4.0.194121.2.1.
pub(crate) const VALIDITY_ASSURED: &[u8] = &[4, 0, 0x8b, 0xec, 0x49, 2, 1];
/// id-ad-ocsp, 1.3.6.1.5.5.7.48.1.
pub(crate) const AD_OCSP: &[u8] = &[43, 6, 1, 5, 5, 7, 48, 1];
/// id-ad-caIssuers, 1.3.6.1.5.5.7.48.2.
pub(crate) const AD_CA_ISSUERS: &[u8] = &[43, 6, 1, 5, 5, 7, 48, 2];
/// id-qcs-pkixQCSyntax-v1, which v2 replaced (RFC 3739), 1.3.6.1.5.5.7.11.1.
pub const QC_SYNTAX_V1: &[u8] = &[43, 6, 1, 5, 5, 7, 11, 1];
/// id-qcs-pkixQCSyntax-v2 (RFC 3739), 1.3.6.1.5.5.7.11.2.
pub const QC_SYNTAX_V2: &[u8] = &[43, 6, 1, 5, 5, 7, 11, 2];
/// `QcCompliance` (EN 319 412-5), 0.4.0.1862.1.1.
pub const QC_COMPLIANCE: &[u8] = &[4, 0, 0x8e, 0x46, 1, 1];
/// `QcLimitValue`, 0.4.0.1862.1.2.
pub const QC_LIMIT_VALUE: &[u8] = &[4, 0, 0x8e, 0x46, 1, 2];
/// `QcRetentionPeriod`, 0.4.0.1862.1.3.
pub const QC_RETENTION_PERIOD: &[u8] = &[4, 0, 0x8e, 0x46, 1, 3];
/// `QcSSCD`, 0.4.0.1862.1.4.
pub const QC_SSCD: &[u8] = &[4, 0, 0x8e, 0x46, 1, 4];
/// `QcPDS`, 0.4.0.1862.1.5.
pub const QC_PDS: &[u8] = &[4, 0, 0x8e, 0x46, 1, 5];
/// QcType, 0.4.0.1862.1.6.
pub const QC_TYPE: &[u8] = &[4, 0, 0x8e, 0x46, 1, 6];
/// `QcCClegislation`, 0.4.0.1862.1.7.
pub const QC_LEGISLATION: &[u8] = &[4, 0, 0x8e, 0x46, 1, 7];
/// QcType esign, 0.4.0.1862.1.6.1.
pub(crate) const QCT_ESIGN: &[u8] = &[4, 0, 0x8e, 0x46, 1, 6, 1];
/// QcType eseal, 0.4.0.1862.1.6.2.
pub(crate) const QCT_ESEAL: &[u8] = &[4, 0, 0x8e, 0x46, 1, 6, 2];
/// QcType web, 0.4.0.1862.1.6.3.
pub(crate) const QCT_WEB: &[u8] = &[4, 0, 0x8e, 0x46, 1, 6, 3];
/// PSD2 statement (TS 119 495 Annex A), 0.4.0.19495.2.
pub const PSD2_STATEMENT: &[u8] = &[4, 0, 0x81, 0x98, 39, 2];
/// the arc of the PSD2 roles (TS 119 495 Annex A), 0.4.0.19495.1.
pub const PSD2_ROLES: &[u8] = &[4, 0, 0x81, 0x98, 39, 1];
/// QCP-n (EN 319 411-2), 0.4.0.194112.1.0.
pub const QCP_NATURAL: &[u8] = &[4, 0, 0x8b, 0xec, 0x40, 1, 0];
/// QCP-l, 0.4.0.194112.1.1.
pub const QCP_LEGAL: &[u8] = &[4, 0, 0x8b, 0xec, 0x40, 1, 1];
/// QCP-n-qscd, 0.4.0.194112.1.2.
pub const QCP_NATURAL_QSCD: &[u8] = &[4, 0, 0x8b, 0xec, 0x40, 1, 2];
/// QCP-l-qscd, 0.4.0.194112.1.3.
pub const QCP_LEGAL_QSCD: &[u8] = &[4, 0, 0x8b, 0xec, 0x40, 1, 3];
/// QCP-w, also QEVCP-w, 0.4.0.194112.1.4.
pub const QCP_WEB: &[u8] = &[4, 0, 0x8b, 0xec, 0x40, 1, 4];
/// QNCP-w, 0.4.0.194112.1.5.
pub const QNCP_WEB: &[u8] = &[4, 0, 0x8b, 0xec, 0x40, 1, 5];
/// QNCP-w-gen, 0.4.0.194112.1.6.
pub const QNCP_WEB_GENERIC: &[u8] = &[4, 0, 0x8b, 0xec, 0x40, 1, 6];
/// QCP-w-psd2 (TS 119 495), 0.4.0.19495.3.1.
pub const QCP_WEB_PSD2: &[u8] = &[4, 0, 0x81, 0x98, 39, 3, 1];
/// id-kp-serverAuth, 1.3.6.1.5.5.7.3.1.
pub const SERVER_AUTH: &[u8] = &[43, 6, 1, 5, 5, 7, 3, 1];
/// id-kp-clientAuth, 1.3.6.1.5.5.7.3.2.
pub const CLIENT_AUTH: &[u8] = &[43, 6, 1, 5, 5, 7, 3, 2];
/// id-tlsBinding: the key of a 2-QWAC (TS 119 411-5), 0.4.0.194115.1.0.
pub const TLS_BINDING: &[u8] = &[4, 0, 0x8b, 0xec, 0x43, 1, 0];
/// rsaEncryption, 1.2.840.113549.1.1.1.
pub(crate) const RSA: &[u8] = &[42, 0x86, 0x48, 0x86, 0xf7, 13, 1, 1, 1];
/// id-RSASSA-PSS, 1.2.840.113549.1.1.10.
pub(crate) const RSA_PSS: &[u8] = &[42, 0x86, 0x48, 0x86, 0xf7, 13, 1, 1, 10];
/// id-ecPublicKey, 1.2.840.10045.2.1.
pub(crate) const EC: &[u8] = &[42, 0x86, 0x48, 0xce, 61, 2, 1];
/// secp256r1, 1.2.840.10045.3.1.7.
pub(crate) const P256: &[u8] = &[42, 0x86, 0x48, 0xce, 61, 3, 1, 7];
/// secp384r1, 1.3.132.0.34.
pub(crate) const P384: &[u8] = &[43, 0x81, 4, 0, 34];
/// secp521r1, 1.3.132.0.35.
pub(crate) const P521: &[u8] = &[43, 0x81, 4, 0, 35];
/// id-Ed25519, 1.3.101.112.
pub(crate) const ED25519: &[u8] = &[43, 0x65, 0x70];
/// id-Ed448, 1.3.101.113.
pub(crate) const ED448: &[u8] = &[43, 0x65, 0x71];

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

/// The content octets of an identifier in dotted form, such as `1.3.6.1.5.5.7.3.2`; `None` if it is none (X.660).
pub fn from_dotted(dotted: &str) -> Option<Vec<u8>> {
    let identifier: x509_parser::der_parser::oid::Oid<'_> = dotted.parse().ok()?;
    Some(identifier.as_bytes().to_vec())
}

/// The dotted form of the content octets of a well-formed identifier.
///
/// An arc that does not fit 128 bits makes the whole identifier print as `0x` and its octets: no registered one is
/// so large, and big-number arithmetic for a log line would be an odd thing to expose to a peer.
pub fn dotted(content: &[u8]) -> String {
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
        for (content, expected) in [
            (COMMON_NAME, "2.5.4.3"),
            (COUNTRY, "2.5.4.6"),
            (ORGANIZATION, "2.5.4.10"),
            (ORGANIZATION_IDENTIFIER, "2.5.4.97"),
            (KEY_USAGE, "2.5.29.15"),
            (SUBJECT_ALT_NAME, "2.5.29.17"),
            (BASIC_CONSTRAINTS, "2.5.29.19"),
            (CRL_DISTRIBUTION_POINTS, "2.5.29.31"),
            (CERTIFICATE_POLICIES, "2.5.29.32"),
            (EXTENDED_KEY_USAGE, "2.5.29.37"),
            (NO_REV_AVAIL, "2.5.29.56"),
            (AUTHORITY_INFO_ACCESS, "1.3.6.1.5.5.7.1.1"),
            (QC_STATEMENTS, "1.3.6.1.5.5.7.1.3"),
            (VALIDITY_ASSURED, "0.4.0.194121.2.1"),
            (AD_OCSP, "1.3.6.1.5.5.7.48.1"),
            (AD_CA_ISSUERS, "1.3.6.1.5.5.7.48.2"),
            (QC_SYNTAX_V1, "1.3.6.1.5.5.7.11.1"),
            (QC_SYNTAX_V2, "1.3.6.1.5.5.7.11.2"),
            (QC_COMPLIANCE, "0.4.0.1862.1.1"),
            (QC_LIMIT_VALUE, "0.4.0.1862.1.2"),
            (QC_RETENTION_PERIOD, "0.4.0.1862.1.3"),
            (QC_SSCD, "0.4.0.1862.1.4"),
            (QC_PDS, "0.4.0.1862.1.5"),
            (QC_TYPE, "0.4.0.1862.1.6"),
            (QC_LEGISLATION, "0.4.0.1862.1.7"),
            (QCT_ESIGN, "0.4.0.1862.1.6.1"),
            (QCT_ESEAL, "0.4.0.1862.1.6.2"),
            (QCT_WEB, "0.4.0.1862.1.6.3"),
            (PSD2_STATEMENT, "0.4.0.19495.2"),
            (PSD2_ROLES, "0.4.0.19495.1"),
            (QCP_NATURAL, "0.4.0.194112.1.0"),
            (QCP_LEGAL, "0.4.0.194112.1.1"),
            (QCP_NATURAL_QSCD, "0.4.0.194112.1.2"),
            (QCP_LEGAL_QSCD, "0.4.0.194112.1.3"),
            (QCP_WEB, "0.4.0.194112.1.4"),
            (QNCP_WEB, "0.4.0.194112.1.5"),
            (QNCP_WEB_GENERIC, "0.4.0.194112.1.6"),
            (QCP_WEB_PSD2, "0.4.0.19495.3.1"),
            (SERVER_AUTH, "1.3.6.1.5.5.7.3.1"),
            (CLIENT_AUTH, "1.3.6.1.5.5.7.3.2"),
            (TLS_BINDING, "0.4.0.194115.1.0"),
            (RSA, "1.2.840.113549.1.1.1"),
            (RSA_PSS, "1.2.840.113549.1.1.10"),
            (EC, "1.2.840.10045.2.1"),
            (P256, "1.2.840.10045.3.1.7"),
            (P384, "1.3.132.0.34"),
            (P521, "1.3.132.0.35"),
            (ED25519, "1.3.101.112"),
            (ED448, "1.3.101.113"),
        ] {
            assert_eq!(dotted(content), expected);
            assert_eq!(check(content), Ok(()));
        }
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
