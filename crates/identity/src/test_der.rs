//! A writer of DER for tests, which can also write what is wrong: certificates here carry no valid signature.
//!
//! Included by path in the integration tests and the benchmarks, so it uses nothing of the crate.
#![allow(dead_code, unreachable_pub, reason = "each place that includes it uses some of it")]
#![allow(clippy::unwrap_used, reason = "clippy knows tests by their attribute, not their helpers")]

pub fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut out = vec![tag];
    if length < 0x80 {
        out.push(u8::try_from(length).unwrap());
    } else {
        let octets = length.to_be_bytes();
        let used = octets.iter().skip_while(|octet| **octet == 0);
        out.push(0x80 | u8::try_from(used.clone().count()).unwrap());
        out.extend(used);
    }
    out.extend_from_slice(content);
    out
}

pub fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    tlv(0x30, &parts.concat())
}

pub fn set(parts: &[Vec<u8>]) -> Vec<u8> {
    tlv(0x31, &parts.concat())
}

pub fn null() -> Vec<u8> {
    vec![0x05, 0x00]
}

pub fn utf8(text: &str) -> Vec<u8> {
    tlv(0x0c, text.as_bytes())
}

pub fn printable(text: &str) -> Vec<u8> {
    tlv(0x13, text.as_bytes())
}

pub fn utc_time(text: &str) -> Vec<u8> {
    tlv(0x17, text.as_bytes())
}

pub fn generalized_time(text: &str) -> Vec<u8> {
    tlv(0x18, text.as_bytes())
}

pub fn oid(dotted: &str) -> Vec<u8> {
    let arcs: Vec<u64> = dotted.split('.').map(|arc| arc.parse().unwrap()).collect();
    let mut content = Vec::new();
    for arc in [&[arcs[0] * 40 + arcs[1]][..], &arcs[2..]].concat() {
        let groups = (1..10).take_while(|group| arc >> (7 * group) != 0).count();
        for group in (0..=groups).rev() {
            let continues = if group == 0 { 0 } else { 0x80 };
            content.push(u8::try_from(arc >> (7 * group) & 0x7f).unwrap() | continues);
        }
    }
    tlv(0x06, &content)
}

pub fn attribute(attribute_type: &str, value: &[u8]) -> Vec<u8> {
    sequence(&[oid(attribute_type), value.to_vec()])
}

pub fn rdn(attribute_type: &str, value: &[u8]) -> Vec<u8> {
    set(&[attribute(attribute_type, value)])
}

pub fn extension(id: &str, value: &[u8]) -> Vec<u8> {
    sequence(&[oid(id), tlv(0x04, value)])
}

pub fn critical_extension(id: &str, value: &[u8]) -> Vec<u8> {
    sequence(&[oid(id), tlv(0x01, &[0xff]), tlv(0x04, value)])
}

pub fn role(id: &str, name: &str) -> Vec<u8> {
    sequence(&[oid(id), utf8(name)])
}

/// A `QCStatement` with a PSD2 statement of two roles, PI before AI.
pub fn psd2_statement() -> Vec<u8> {
    let roles = sequence(&[role("0.4.0.19495.1.2", "PSP_PI"), role("0.4.0.19495.1.3", "PSP_AI")]);
    let info = sequence(&[roles, utf8("Finanssivalvonta"), utf8("FI-FINFSA")]);
    sequence(&[oid("0.4.0.19495.2"), info])
}

/// A certificate to be written.
pub struct Certificate {
    pub version: Vec<u8>,
    pub serial_number: Vec<u8>,
    pub signature: Vec<u8>,
    pub subject: Vec<Vec<u8>>,
    pub validity: Vec<Vec<u8>>,
    pub key: Vec<u8>,
    pub extensions: Vec<Vec<u8>>,
}

impl Certificate {
    pub fn to_der(&self) -> Vec<u8> {
        let issuer = sequence(&[rdn("2.5.4.6", &printable("FI")), rdn("2.5.4.3", &utf8("Test QTSP"))]);
        let mut tbs = vec![
            tlv(0xa0, &self.version),
            self.serial_number.clone(),
            self.signature.clone(),
            issuer,
            sequence(&self.validity),
            sequence(&self.subject),
            self.key.clone(),
        ];
        if !self.extensions.is_empty() {
            tbs.push(tlv(0xa3, &sequence(&self.extensions)));
        }
        sequence(&[sequence(&tbs), self.signature.clone(), tlv(0x03, &[0x00; 72])])
    }
}

/// A key on a curve of this identifier, whose point has this many octets.
pub fn ec_key(curve: &str, point: usize) -> Vec<u8> {
    let mut bits = vec![0x00, 0x04];
    bits.resize(point + 1, 0x5a);
    sequence(&[sequence(&[oid("1.2.840.10045.2.1"), oid(curve)]), tlv(0x03, &bits)])
}

/// An RSA key whose modulus has this many octets, each with its highest bit set.
pub fn rsa_key(octets: usize) -> Vec<u8> {
    let modulus = [&[0][..], &vec![0xc5; octets]].concat();
    let key = sequence(&[tlv(0x02, &modulus), tlv(0x02, &[1, 0, 1])]);
    sequence(&[sequence(&[oid("1.2.840.113549.1.1.1"), null()]), tlv(0x03, &[&[0][..], &key].concat())])
}

/// A well-formed certificate with the extensions that a QWAC has.
pub fn with_psd2() -> Certificate {
    let compliance = sequence(&[oid("0.4.0.1862.1.1")]);
    let web = sequence(&[oid("0.4.0.1862.1.6"), sequence(&[oid("0.4.0.1862.1.6.3")])]);
    let usages = sequence(&[oid("1.3.6.1.5.5.7.3.1"), oid("1.3.6.1.5.5.7.3.2")]);
    Certificate {
        version: tlv(0x02, &[2]),
        serial_number: tlv(0x02, &[0x0a; 16]),
        signature: sequence(&[oid("1.2.840.10045.4.3.2")]),
        key: ec_key("1.2.840.10045.3.1.7", 65),
        subject: vec![
            rdn("2.5.4.6", &printable("FI")),
            rdn("2.5.4.10", &utf8("Example Oy")),
            rdn("2.5.4.97", &utf8("PSDFI-FINFSA-2858394-9")),
            rdn("2.5.4.3", &utf8("tpp.example")),
        ],
        validity: vec![utc_time("260101000000Z"), utc_time("271231235959Z")],
        extensions: vec![
            extension("2.5.29.35", &sequence(&[tlv(0x80, &[1; 20])])),
            extension("2.5.29.14", &tlv(0x04, &[2; 20])),
            critical_extension("2.5.29.15", &tlv(0x03, &[7, 0x80])),
            extension("2.5.29.37", &usages),
            extension("1.3.6.1.5.5.7.1.3", &sequence(&[compliance, web, psd2_statement()])),
        ],
    }
}
