//! Names in text, compared with names in certificates.
//!
//! Two names are the same where their attributes are: types by object identifier, whatever they are called; values
//! without regard to case and to how much white space there is (RFC 5280 section 7.1, in short). Relative names may
//! stand in the order of RFC 4514, which is the reverse of the certificate's, or in the certificate's: both are seen in
//! the wild. The attributes of one relative name have no order.

use portcullis_identity::der::Reader;
use portcullis_identity::{MAX_RDNS, oid, relative_names, string_text};

/// Type and value of an attribute.
type Attribute = (Vec<u8>, Value);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Value {
    /// A text, folded.
    Text(String),
    /// The DER of a value that is no text.
    Der(Vec<u8>),
}

/// Whether a text in the form of RFC 4514 is the name of which `content` is the `RDNSequence`, without its tag and
/// length. A text that is no name is no one's.
///
/// Both are hostile; time is linear in them.
pub(crate) fn is_name_of(text: &str, content: &[u8]) -> bool {
    let (Some(mut written), Some(certified)) = (parse(text), of_certificate(content)) else { return false };
    if written == certified {
        return true;
    }
    written.reverse();
    written == certified
}

fn of_certificate(content: &[u8]) -> Option<Vec<Vec<Attribute>>> {
    let names = relative_names(content).ok()?;
    let attribute = |attribute: &portcullis_identity::Attribute<'_>| {
        let value = match attribute.text() {
            Some(text) => Value::Text(fold(&text)),
            None => Value::Der(attribute.value.encoded.to_vec()),
        };
        (attribute.oid.to_vec(), value)
    };
    Some(names.iter().map(|set| in_order(set.iter().map(attribute).collect())).collect())
}

fn parse(text: &str) -> Option<Vec<Vec<Attribute>>> {
    let sets = split(text, &[',', ';'])?;
    if sets.len() > MAX_RDNS {
        return None;
    }
    sets.into_iter()
        .map(|set| {
            let attributes: Option<Vec<_>> = split(set, &['+'])?.into_iter().map(parse_attribute).collect();
            attributes.map(in_order)
        })
        .collect()
}

fn in_order(mut attributes: Vec<Attribute>) -> Vec<Attribute> {
    attributes.sort_unstable();
    attributes
}

/// Splits a text where one of these stands that is neither escaped nor quoted.
fn split<'a>(text: &'a str, separators: &[char]) -> Option<Vec<&'a str>> {
    let (mut parts, mut begin) = (Vec::new(), 0);
    let (mut is_escaped, mut is_quoted) = (false, false);
    for (at, character) in text.char_indices() {
        match character {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            separator if !is_quoted && separators.contains(&separator) => {
                parts.push(&text[begin..at]);
                begin = at + separator.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(&text[begin..]);
    (!is_escaped && !is_quoted).then_some(parts)
}

fn parse_attribute(text: &str) -> Option<Attribute> {
    let (name, value) = text.split_once('=')?;
    Some((attribute_type(name.trim())?, parse_value(value.trim_start())?))
}

fn parse_value(text: &str) -> Option<Value> {
    if let Some(digits) = text.strip_prefix('#') {
        let der = from_hex(digits.trim())?;
        let mut reader = Reader::new(&der);
        let element = reader.read().ok()?;
        reader.finish().ok()?;
        return Some(match string_text(&element) {
            Some(text) => Value::Text(fold(&text)),
            None => Value::Der(der.clone()),
        });
    }
    unescape(text).map(|text| Value::Text(fold(&text)))
}

/// Undoes the escapes of RFC 4514 section 2.4, and the quotes of RFC 2253.
fn unescape(text: &str) -> Option<String> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let mut taken = character.len_utf8();
        match character {
            '\\' => {
                let pair = rest.get(1..3).and_then(from_hex);
                let escaped = rest[1..].chars().next()?;
                taken += if pair.is_some() { 2 } else { escaped.len_utf8() };
                match pair {
                    Some(octet) => octets.extend(octet),
                    None => octets.extend(escaped.encode_utf8(&mut [0; 4]).bytes()),
                }
            }
            '"' => {}
            other => octets.extend(other.encode_utf8(&mut [0; 4]).bytes()),
        }
        rest = &rest[taken..];
    }
    String::from_utf8(octets).ok()
}

fn from_hex(digits: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    let digit = |octet: u8| char::from(octet).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let octet = |[high, low]: &[u8; 2]| Some(digit(*high)? << 4 | digit(*low)?);
    if rest.is_empty() { pairs.iter().map(octet).collect() } else { None }
}

/// Without regard to case and to how much white space there is.
fn fold(text: &str) -> String {
    text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The identifier of a type by one of the names it goes by (RFC 4519, RFC 5280 appendix A, and what OpenSSL, Java and
/// Windows write), or dotted.
fn attribute_type(name: &str) -> Option<Vec<u8>> {
    let name = name.to_ascii_lowercase();
    let last = match name.as_str() {
        "cn" | "commonname" => 3,
        "sn" | "surname" => 4,
        "serialnumber" => 5,
        "c" | "countryname" => 6,
        "l" | "localityname" => 7,
        "st" | "s" | "sp" | "stateorprovincename" => 8,
        "street" | "streetaddress" => 9,
        "o" | "organizationname" => 10,
        "ou" | "organizationalunitname" => 11,
        "t" | "title" => 12,
        "businesscategory" => 15,
        "postalcode" => 17,
        "gn" | "g" | "givenname" => 42,
        "organizationidentifier" => 97,
        "uid" | "userid" => return oid::from_dotted("0.9.2342.19200300.100.1.1"),
        "dc" | "domaincomponent" => return oid::from_dotted("0.9.2342.19200300.100.1.25"),
        "e" | "email" | "emailaddress" => return oid::from_dotted("1.2.840.113549.1.9.1"),
        dotted => return oid::from_dotted(dotted.strip_prefix("oid.").unwrap_or(dotted)),
    };
    Some(vec![0x55, 4, last])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
        [&[tag, u8::try_from(content.len()).unwrap()], content].concat()
    }

    fn attribute(oid: &str, tag: u8, value: &str) -> Vec<u8> {
        let pair = [tlv(6, &oid::from_dotted(oid).unwrap()), tlv(tag, value.as_bytes())].concat();
        tlv(0x30, &pair)
    }

    /// `CN=Example CA\, 2+OU=Seals,2.5.4.97=VATDE-1,O=Exämple  AG,C=DE` as RFC 4514 has it.
    fn issuer() -> Vec<u8> {
        [
            tlv(0x31, &attribute("2.5.4.6", 0x13, "DE")),
            tlv(0x31, &attribute("2.5.4.10", 0x0c, "Exämple  AG")),
            tlv(0x31, &attribute("2.5.4.97", 0x0c, "VATDE-1")),
            tlv(
                0x31,
                &[attribute("2.5.4.11", 0x0c, "Seals"), attribute("2.5.4.3", 0x0c, "Example CA, 2")].concat(),
            ),
        ]
        .concat()
    }

    #[test]
    fn a_name_is_known_however_it_is_written() {
        for text in [
            r"CN=Example CA\, 2+OU=Seals,2.5.4.97=VATDE-1,O=Exämple  AG,C=DE",
            r"OU=Seals+CN=Example CA\, 2,organizationIdentifier=VATDE-1,O=Exämple AG,C=DE",
            r"C=DE, O=exämple ag, OID.2.5.4.97=vatde-1, cn=Example CA\2c 2 + ou=SEALS",
            r#"CN="Example CA, 2"+OU=Seals;2.5.4.97=#0c0756415444452d31;O=Ex\c3\a4mple AG ;C= DE"#,
        ] {
            assert!(is_name_of(text, &issuer()), "{text}");
        }
    }

    #[test]
    fn another_name_is_another() {
        for text in [
            "",
            "CN",
            r"CN=Example CA\, 2+OU=Seals,2.5.4.97=VATDE-1,O=Exämple AG,C=AT",
            r"CN=Example CA\, 2,OU=Seals,2.5.4.97=VATDE-1,O=Exämple AG,C=DE",
            r"CN=Example CA\, 2+OU=Seals,2.5.4.97=VATDE-1,O=Exämple AG",
            r"O=Exämple AG,CN=Example CA\, 2+OU=Seals,2.5.4.97=VATDE-1,C=DE",
            r"CN=Example CA, 2+OU=Seals,2.5.4.97=VATDE-1,O=Exämple AG,C=DE",
            r"CN=Example CA\, 2+OU=Seals,2.5.4.97=VATDE-1,O=Exämple AG,C=DE\",
            r"CN=Example CA\, 2+OU=Seals,2.5.4.97=#0c0856415444452d31,O=Exämple AG,C=DE",
            r"CN=Example CA\, 2+OU=Seals,2.5.4.97=VATDE-1,O=Ex\c3mple AG,C=DE",
        ] {
            assert!(!is_name_of(text, &issuer()), "{text}");
        }
        assert!(!is_name_of("C=DE", &[0x31]), "and what is no name has none");
    }
}
