//! A writer of DER that writes what is wrong just as well: every length is right, and nothing else is checked.

pub(crate) fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let octets = length.to_be_bytes();
    let used = &octets[length.leading_zeros() as usize / 8..];
    let mut der = vec![tag];
    match u8::try_from(length) {
        Ok(short @ 0..0x80) => der.push(short),
        _ => {
            der.push(0x80 | u8::try_from(used.len()).unwrap_or(0));
            der.extend_from_slice(used);
        }
    }
    der.extend_from_slice(content);
    der
}

pub(crate) fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    tlv(0x30, &parts.concat())
}

pub(crate) fn oid(dotted: &str) -> Vec<u8> {
    let arcs: Vec<u64> = dotted.split('.').filter_map(|arc| arc.parse().ok()).collect();
    let mut content = Vec::new();
    for arc in std::iter::once(arcs[0] * 40 + arcs[1]).chain(arcs[2..].iter().copied()) {
        let groups = (64 - (arc | 1).leading_zeros()).div_ceil(7);
        for group in (0..groups).rev() {
            let bits = u8::try_from(arc >> (7 * group) & 0x7f).unwrap_or(0);
            content.push(bits | if group == 0 { 0 } else { 0x80 });
        }
    }
    tlv(0x06, &content)
}

/// A SEQUENCE OF OBJECT IDENTIFIER.
pub(crate) fn oids(dotted: &[&str]) -> Vec<u8> {
    tlv(0x30, &dotted.iter().flat_map(|id| oid(id)).collect::<Vec<_>>())
}

pub(crate) fn utf8(text: &str) -> Vec<u8> {
    tlv(0x0c, text.as_bytes())
}

pub(crate) fn printable(text: &str) -> Vec<u8> {
    tlv(0x13, text.as_bytes())
}

pub(crate) fn ia5(text: &str) -> Vec<u8> {
    tlv(0x16, text.as_bytes())
}

pub(crate) fn integer(content: &[u8]) -> Vec<u8> {
    tlv(0x02, content)
}

/// A uniformResourceIdentifier among `GeneralNames`.
pub(crate) fn uri(url: &str) -> Vec<u8> {
    tlv(0x86, url.as_bytes())
}

pub(crate) fn null() -> Vec<u8> {
    vec![0x05, 0x00]
}
