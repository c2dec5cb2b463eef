//! Distinguished names: iteration over their attributes, and the string form of RFC 4514.

use std::borrow::Cow;

use crate::der::{
    BMP_STRING, DerError, Element, IA5_STRING, NUMERIC_STRING, OBJECT_IDENTIFIER, PRINTABLE_STRING, Reader,
    SEQUENCE, SET, TELETEX_STRING, UTF8_STRING, VISIBLE_STRING,
};
use crate::error::IdentityError;
use crate::oid;
use crate::visible::is_visible;

/// Relative distinguished names of a name that are read. Names of QWACs seen have 9 to 13; more is refused.
pub const MAX_RDNS: usize = 64;

/// Bytes of a name that are read, without its outer tag and length. Names seen have under 500; the string form may
/// need three characters for a byte, so this also bounds what a name costs in memory. More is refused.
pub const MAX_NAME_BYTES: usize = 8192;

/// One `AttributeTypeAndValue` of a name.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Attribute<'a> {
    /// Content octets of the attribute type.
    pub oid: &'a [u8],
    /// The value, whatever its type.
    pub value: Element<'a>,
}

impl<'a> Attribute<'a> {
    fn read(set: &mut Reader<'a>) -> Result<Self, DerError> {
        let mut pair = Reader::new(set.expect(SEQUENCE)?.content);
        let oid = pair.expect(OBJECT_IDENTIFIER)?.content;
        oid::check(oid)?;
        let value = pair.read()?;
        pair.finish()?;
        Ok(Self { oid, value })
    }

    /// Whether the string has a type in which a certificate of today is to be written (RFC 5280 section 4.1.2.4):
    /// `UTF8String` or `PrintableString`, and for a country the latter.
    pub(crate) fn has_allowed_type(&self) -> bool {
        self.value.tag == PRINTABLE_STRING || self.value.tag == UTF8_STRING && self.oid != oid::COUNTRY
    }

    /// The value as text, if it is a character string that can be read without guessing.
    pub fn text(&self) -> Option<Cow<'a, str>> {
        string_text(&self.value)
    }
}

/// An element as text, if it is a character string that can be read without guessing.
///
/// `TeletexString` is read as ISO 8859-1, as OpenSSL does: T.61 proper is not found in certificates.
pub fn string_text<'a>(element: &Element<'a>) -> Option<Cow<'a, str>> {
    let content = element.content;
    match element.tag {
        UTF8_STRING => std::str::from_utf8(content).ok().map(Cow::Borrowed),
        PRINTABLE_STRING | IA5_STRING | VISIBLE_STRING | NUMERIC_STRING => {
            content.is_ascii().then(|| std::str::from_utf8(content).ok()).flatten().map(Cow::Borrowed)
        }
        TELETEX_STRING => Some(content.iter().copied().map(char::from).collect()),
        BMP_STRING => basic_multilingual(content).map(Cow::Owned),
        _ => None,
    }
}

/// A name whose structure has been checked.
pub(crate) struct Name<'a> {
    rdns: [&'a [u8]; MAX_RDNS],
    used: usize,
}

impl<'a> Name<'a> {
    /// Reads an `RDNSequence` without its outer tag and length, and hands over each attribute in order of encoding.
    pub(crate) fn read(
        content: &'a [u8],
        field: &'static str,
        mut each: impl FnMut(Attribute<'a>),
    ) -> Result<Self, IdentityError> {
        if content.len() > MAX_NAME_BYTES {
            return Err(IdentityError::OverLimit { field, limit: MAX_NAME_BYTES });
        }
        let malformed = IdentityError::within(field);
        let mut name = Self { rdns: [&[]; MAX_RDNS], used: 0 };
        let mut sequence = Reader::new(content);
        while !sequence.is_empty() {
            let Some(slot) = name.rdns.get_mut(name.used) else {
                return Err(IdentityError::OverLimit { field, limit: MAX_RDNS });
            };
            *slot = sequence.expect(SET).map_err(&malformed)?.content;
            let mut set = Reader::new(slot);
            // An RDN is SET SIZE (1..MAX): the first attribute is demanded.
            each(Attribute::read(&mut set).map_err(&malformed)?);
            while !set.is_empty() {
                each(Attribute::read(&mut set).map_err(&malformed)?);
            }
            name.used += 1;
        }
        Ok(name)
    }

    /// The string form of RFC 4514: the last RDN first, special and invisible characters escaped. An attribute type
    /// without a name in its table, or a value that is no text, is shown as `#` and the value's DER (section 2.4).
    pub(crate) fn to_rfc4514(&self) -> String {
        let rdns = &self.rdns[..self.used];
        let bytes: usize = rdns.iter().map(|rdn| rdn.len()).sum();
        let mut text = String::with_capacity(bytes);
        for (position, rdn) in rdns.iter().rev().enumerate() {
            let mut set = Reader::new(rdn);
            let mut separator = if position == 0 { "" } else { "," };
            while let Ok(attribute) = Attribute::read(&mut set) {
                text.push_str(separator);
                push_attribute(&mut text, &attribute);
                separator = "+";
            }
        }
        text
    }
}

/// The RFC 4514 string of a name, such as an issuer's in a message.
///
/// `content` is an `RDNSequence` without its outer tag and length, as [`TbsCertificate`](crate::TbsCertificate) holds
/// it. Hostile input; invisible characters come out escaped, so the text is safe in a log line.
///
/// # Errors
/// The name is not well-formed, or over [`MAX_NAME_BYTES`] or [`MAX_RDNS`].
pub fn distinguished_name(content: &[u8]) -> Result<String, IdentityError> {
    Name::read(content, "name", |_| ()).map(|name| name.to_rfc4514())
}

/// Whether a name has an attribute of a type, given as content octets. `content` is as for [`distinguished_name`]; a name
/// that cannot be read has none.
pub fn has_attribute(content: &[u8], attribute_type: &[u8]) -> bool {
    let mut found = false;
    let read = Name::read(content, "name", |attribute| found |= attribute.oid == attribute_type);
    read.is_ok() && found
}

/// The relative distinguished names of a name in order of encoding, each with its attributes: what two names are compared by.
/// `content` is as for [`distinguished_name`].
///
/// # Errors
/// As [`distinguished_name`].
pub fn relative_names(content: &[u8]) -> Result<Vec<Vec<Attribute<'_>>>, IdentityError> {
    let name = Name::read(content, "name", |_| ())?;
    let attributes = |rdn| {
        let mut set = Reader::new(rdn);
        std::iter::from_fn(|| Attribute::read(&mut set).ok()).collect()
    };
    Ok(name.rdns[..name.used].iter().copied().map(attributes).collect())
}

fn push_attribute(text: &mut String, attribute: &Attribute<'_>) {
    let descriptor = descriptor(attribute.oid);
    match descriptor {
        Some(name) => text.push_str(name),
        None => text.push_str(&oid::dotted(attribute.oid)),
    }
    text.push('=');
    match descriptor.and_then(|_| attribute.text()) {
        Some(value) => push_escaped(text, &value),
        None => {
            text.push('#');
            attribute.value.encoded.iter().for_each(|octet| oid::push_hex(text, *octet));
        }
    }
}

/// Appends a value as RFC 4514 section 2.4 asks for. Beyond its list, whatever is [not visible](is_visible) is escaped
/// too: a line separator ends a line for some readers of logs, and a change of direction turns what follows.
fn push_escaped(text: &mut String, value: &str) {
    if value
        .bytes()
        .all(|octet| matches!(octet, b'-' | b'.' | b'/' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z'))
    {
        // Most values: nothing in them could need escaping, so they are not walked by character.
        text.push_str(value);
        return;
    }
    let last = value.len().saturating_sub(1);
    for (at, character) in value.char_indices() {
        match character {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => {
                text.push('\\');
                text.push(character);
            }
            ' ' if at == 0 || at == last => text.push_str("\\ "),
            '#' if at == 0 => text.push_str("\\#"),
            hidden if !is_visible(hidden) => {
                let mut octets = [0; 4];
                for octet in hidden.encode_utf8(&mut octets).bytes() {
                    text.push('\\');
                    oid::push_hex(text, octet);
                }
            }
            other => text.push(other),
        }
    }
}

/// The short names of RFC 4514 section 3 and, of those registered for LDAP, the ones that eIDAS certificates use.
fn descriptor(oid: &[u8]) -> Option<&'static str> {
    match oid {
        [0x55, 4, last] => Some(match last {
            3 => "CN",
            4 => "sn",
            5 => "serialNumber",
            6 => "C",
            7 => "L",
            8 => "ST",
            9 => "STREET",
            10 => "O",
            11 => "OU",
            12 => "title",
            15 => "businessCategory",
            17 => "postalCode",
            42 => "givenName",
            97 => "organizationIdentifier",
            _ => return None,
        }),
        // 0.9.2342.19200300.100.1.1 and .25
        [0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 1] => Some("UID"),
        [0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25] => Some("DC"),
        _ => None,
    }
}

/// Reads `BMPString`: two octets a character, no surrogates.
fn basic_multilingual(content: &[u8]) -> Option<String> {
    let (pairs, rest) = content.as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|pair| char::from_u32(u32::from(u16::from_be_bytes(*pair)))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_der::{attribute, oid as encode_oid, printable, rdn, sequence, set, tlv, utf8};

    fn text_of(rdns: &[Vec<u8>]) -> String {
        distinguished_name(&rdns.concat()).unwrap()
    }

    #[test]
    fn the_examples_of_rfc_4514_come_out() {
        let name = [
            rdn("0.9.2342.19200300.100.1.25", &tlv(IA5_STRING, b"net")),
            rdn("0.9.2342.19200300.100.1.25", &tlv(IA5_STRING, b"example")),
            set(&[attribute("2.5.4.11", &utf8("Sales")), attribute("2.5.4.3", &utf8("J.  Smith"))]),
        ];
        assert_eq!(text_of(&name), "OU=Sales+CN=J.  Smith,DC=example,DC=net");
        assert_eq!(
            text_of(&[rdn("2.5.4.3", &utf8("James \"Jim\" Smith, III"))]),
            r#"CN=James \"Jim\" Smith\, III"#
        );
        assert_eq!(text_of(&[rdn("2.5.4.3", &utf8("Before\rAfter"))]), r"CN=Before\0dAfter");
        assert_eq!(text_of(&[rdn("1.3.6.1.4.1.1466.0", &tlv(0x04, b"Hi"))]), "1.3.6.1.4.1.1466.0=#04024869");
        assert_eq!(text_of(&[rdn("2.5.4.3", &utf8("Lučić"))]), "CN=Lučić");
        assert_eq!(text_of(&[rdn("2.5.4.3", &utf8(" #a "))]), r"CN=\ #a\ ");
        assert_eq!(text_of(&[rdn("2.5.4.3", &utf8("#a\0"))]), r"CN=\#a\00");
        assert_eq!(text_of(&[rdn("2.5.4.3", &utf8(" "))]), r"CN=\ ");
        assert_eq!(text_of(&[]), "");
    }

    #[test]
    fn what_is_not_seen_is_escaped() {
        assert_eq!(
            text_of(&[rdn("2.5.4.3", &utf8("a\u{2028}b\u{202e}c\u{200b}"))]),
            r"CN=a\e2\80\a8b\e2\80\aec\e2\80\8b"
        );
        assert_eq!(text_of(&[rdn("2.5.4.3", &utf8("O'Neill\u{a0}Ж"))]), r"CN=O'Neill\c2\a0Ж");
    }

    #[test]
    fn strings_are_read_by_their_type() {
        let text = |value: Vec<u8>| text_of(&[rdn("2.5.4.3", &value)]);
        assert_eq!(text(printable("abc")), "CN=abc");
        assert_eq!(text(tlv(TELETEX_STRING, b"caf\xe9")), "CN=café");
        assert_eq!(text(tlv(BMP_STRING, &[0, b'a', 0x01, 0x0d])), "CN=ač");
        assert_eq!(text(tlv(BMP_STRING, &[0xd8, 0x00])), "CN=#1e02d800");
        assert_eq!(text(tlv(BMP_STRING, &[0])), "CN=#1e0100");
        assert_eq!(text(tlv(UTF8_STRING, &[0xff])), "CN=#0c01ff");
        assert_eq!(text(tlv(PRINTABLE_STRING, &[0xe9])), "CN=#1301e9");
    }

    #[test]
    fn malformed_names_are_refused() {
        let good = attribute("2.5.4.3", &utf8("x"));
        let oid_only = sequence(&[encode_oid("2.5.4.3")]);
        let three = sequence(&[encode_oid("2.5.4.3"), utf8("x"), utf8("y")]);
        for bad in [good.clone(), set(&[]), set(&[oid_only]), set(&[three]), set(&[good, vec![0x30]])] {
            let error = distinguished_name(&bad).unwrap_err();
            assert!(matches!(error, IdentityError::Malformed { .. }), "{bad:02x?}: {error}");
        }
    }

    #[test]
    fn attributes_are_told_by_relative_name() {
        let two = set(&[attribute("2.5.4.11", &utf8("Sales")), attribute("2.5.4.3", &utf8("J. Smith"))]);
        let content = [rdn("2.5.4.6", &printable("FI")), two].concat();
        let names = relative_names(&content).unwrap();
        let texts: Vec<Vec<_>> =
            names.iter().map(|rdn| rdn.iter().filter_map(Attribute::text).collect()).collect();
        assert_eq!(texts, [vec!["FI"], vec!["Sales", "J. Smith"]]);
        assert_eq!(names[1][1].oid, oid::COMMON_NAME);
        assert!(relative_names(&[0x30]).is_err());
    }

    #[test]
    fn names_are_bounded() {
        let one = rdn("2.5.4.11", &utf8("x"));
        assert!(distinguished_name(&one.repeat(MAX_RDNS)).is_ok());
        let over = distinguished_name(&one.repeat(MAX_RDNS + 1)).unwrap_err();
        assert_eq!(over, IdentityError::OverLimit { field: "name", limit: MAX_RDNS });
        let long = rdn("2.5.4.11", &utf8(&"x".repeat(MAX_NAME_BYTES)));
        let over = distinguished_name(&long).unwrap_err();
        assert_eq!(over, IdentityError::OverLimit { field: "name", limit: MAX_NAME_BYTES });
    }
}
