//! Changes to a signed list, none of which may leave it valid.
#![allow(clippy::unwrap_used, reason = "clippy knows tests by their attribute, not their helpers")]

use portcullis_trust::list::{ListStatus, SignedList};
use rustls_pki_types::CertificateDer;

/// A sequence of numbers that is the same in each run (Marsaglia's xorshift).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(limit.max(1)).unwrap()).unwrap()
    }
}

/// Tries every change `rounds` times where it has a place to choose, and truncation at every kilobyte. Returns how many
/// changed lists were judged.
pub(crate) fn assert_none_is_valid(
    bytes: &[u8],
    signers: &[CertificateDer<'_>],
    original: &SignedList,
    rounds: usize,
) -> usize {
    let text = std::str::from_utf8(bytes).unwrap();
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let mut changed = Vec::new();
    for _ in 0..rounds {
        for (part, region) in regions(text) {
            changed.push((format!("a byte of {part}"), change_a_byte(text, region, &mut numbers)));
        }
    }
    changed.extend(structural(text));
    changed.extend((1..=bytes.len() / 1024).map(|kilobytes| {
        (format!("cut off at {kilobytes} kB"), bytes[..(kilobytes * 1024).min(bytes.len() - 2)].to_vec())
    }));
    for (what, changed) in &changed {
        match SignedList::verify(changed, signers) {
            Err(error) => assert_ne!(error.status(), ListStatus::Valid),
            // What lies outside of everything that is signed, such as white space behind the root, may change; what is
            // read may not.
            Ok(signed) => panic!("{what} is valid ({} bytes, equal: {})", changed.len(), signed == *original),
        }
    }
    changed.len()
}

/// Parts of a signed list, by where they begin and end.
fn regions(text: &str) -> Vec<(&'static str, std::ops::Range<usize>)> {
    let between = |from: &str, to: &str| {
        let start = text.find(from).unwrap_or_else(|| panic!("no {from}")) + from.len();
        start..start + text[start..].find(to).unwrap()
    };
    let signature = text.find("SignedInfo").unwrap();
    let after = |from: &str, to: &str| {
        let start =
            signature + text[signature..].find(from).unwrap_or_else(|| panic!("no {from}")) + from.len();
        start..start + text[start..].find(to).unwrap()
    };
    vec![
        ("the sequence number", between("TSLSequenceNumber>", "</")),
        ("the document", between("SchemeInformation>", "SchemeTerritory>")),
        ("a status", between("Svcstatus/", "<")),
        ("a service's certificate", {
            let services = text.find("TSPService>").unwrap();
            let start = services + text[services..].find("X509Certificate>").unwrap() + 16;
            start..start + text[start..].find('<').unwrap()
        }),
        ("the digest", after("DigestValue>", "</")),
        ("the signature value", {
            let value = after("SignatureValue", "</");
            value.start + text[value.clone()].find('>').unwrap() + 1..value.end
        }),
        ("the signer's certificate", after("X509Certificate>", "</")),
        ("SignedProperties", after("SigningTime>", "</")),
        ("the certificate's digest", {
            let start = after("CertDigest>", "Value>").end + 6;
            start..start + text[start..].find("</").unwrap()
        }),
    ]
}

/// Changes a byte to another that stands in texts and in base64.
fn change_a_byte(text: &str, region: std::ops::Range<usize>, numbers: &mut Numbers) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    loop {
        let position = region.start + numbers.below(region.len());
        let old = bytes[position];
        let new = b"AQgw048x"[numbers.below(8)];
        if old.is_ascii_alphanumeric() && old != new && !is_padding(text, position) {
            bytes[position] = new;
            return bytes;
        }
    }
}

/// The last character before the padding of base64 has bits that mean nothing.
fn is_padding(text: &str, position: usize) -> bool {
    text[position + 1..].starts_with('=')
}

/// Changes of structure: of signatures, of what is signed, and of what stands beside it.
fn structural(text: &str) -> Vec<(String, Vec<u8>)> {
    let (start, end) = signature(text);
    let (before, signature, after) = (&text[..start], &text[start..end], &text[end..]);
    let root = root(text);
    let (head, rest) = text.split_at(root);
    let inner_end = text.rfind("</").unwrap();
    let all = &text[root..];
    let without = format!("{before}{after}");
    let prolog = format!("{head}<!DOCTYPE a [<!ENTITY b \"c\">]>{rest}");
    let mut bomb = String::from("<!DOCTYPE a [<!ENTITY e0 \"xxxxxxxxxx\">");
    for level in 1..12 {
        let below = format!("&e{};", level - 1).repeat(10);
        bomb.push_str(&format!("<!ENTITY e{level} \"{below}\">"));
    }
    bomb.push_str("]>");
    let inside = text.find("TSLVersionIdentifier>").unwrap() + "TSLVersionIdentifier>".len();
    let opening = &text[root..=root + text[root..].find('>').unwrap()];
    let wrapper = format!("{opening}{}</{}>", &all[opening.len()..inner_end - root], name(opening));
    let changes = [
        ("the signature is left out", without.clone()),
        ("the signature is doubled", format!("{before}{signature}{signature}{after}")),
        ("the signature is moved to the front", moved_to_front(text, signature, &without)),
        (
            "the signature is within a service",
            without.replacen("<TSPService>", &format!("<TSPService>{signature}"), 1),
        ),
        ("the document is wrapped in another root", format!("{head}<wrapped>{rest}</wrapped>")),
        ("the document is wrapped in another list", format!("{head}{opening}{all}</{}>", name(opening))),
        ("a second document stands behind", format!("{text}{wrapper}")),
        ("a second document stands before", format!("{head}{wrapper}{rest}")),
        ("an unsigned element is added", format!("{}<X/>{}", &text[..start], &text[start..])),
        ("the reference is to another id", text.replacen("URI=\"\"", "URI=\"#elsewhere\"", 1)),
        ("the reference is to the signed properties twice", text.replacen("URI=\"\"", &own_uri(text), 1)),
        ("the reference is to a file", text.replacen("URI=\"\"", "URI=\"file:///etc/passwd\"", 1)),
        ("the transforms are another", text.replacen("#enveloped-signature", "#base64", 1)),
        ("the method is a MAC", text.replacen("xmldsig-more#rsa-sha256", "xmldsig-more#hmac-sha256", 1)),
        ("the digest is SHA-1", text.replacen("2001/04/xmlenc#sha256", "2000/09/xmldsig#sha1", 1)),
        ("there is a document type", prolog),
        (
            "there is an entity bomb",
            format!("{head}{bomb}{}", rest.replacen("TSLTag", "a=\"&e11;\" TSLTag", 1)),
        ),
        ("an entity is used that is not declared", format!("{}&b;{}", &text[..inside], &text[inside..])),
        (
            "a comment splits the sequence number",
            text.replacen("TSLSequenceNumber>", "TSLSequenceNumber><!-- --\u{3e}9", 1),
        ),
        ("there is a NUL", text.replacen("<SchemeInformation>", "\0<SchemeInformation>", 1)),
        (
            "it is deep",
            format!("{}{}{}{}", &text[..inside], "<a>".repeat(200), "</a>".repeat(200), &text[inside..]),
        ),
        ("it is of another version", text.replacen("TSLVersionIdentifier>5", "TSLVersionIdentifier>7", 1)),
    ];
    let changes = changes.into_iter().filter(|(_, changed)| changed != text);
    let mut changes: Vec<_> = changes.map(|(what, text)| (what.to_owned(), text.into_bytes())).collect();
    changes.push(("nothing".to_owned(), Vec::new()));
    changes.push(("UTF-16".to_owned(), text.encode_utf16().flat_map(u16::to_le_bytes).collect()));
    changes.push((
        "a byte that is not UTF-8".to_owned(),
        [&text.as_bytes()[..inside], b"\xff", &text.as_bytes()[inside..]].concat(),
    ));
    changes
}

fn own_uri(text: &str) -> String {
    let start = text.find("URI=\"#").unwrap();
    text[start..=start + 5 + text[start + 5..].find('"').unwrap()].to_owned()
}

fn moved_to_front(text: &str, signature: &str, without: &str) -> String {
    let root = root(text);
    let opening_end = root + without[root..].find('>').unwrap() + 1;
    // Into the first element, so that it is no child of the root any more.
    let scheme = opening_end + without[opening_end..].find('>').unwrap() + 1;
    format!("{}{signature}{}", &without[..scheme], &without[scheme..])
}

/// Where the outermost element begins.
fn root(text: &str) -> usize {
    let at = text.find("TrustServiceStatusList").unwrap();
    text[..at].rfind('<').unwrap()
}

fn name(opening: &str) -> &str {
    opening[1..].split_whitespace().next().unwrap()
}

/// The signature, which is the last element of the root.
fn signature(text: &str) -> (usize, usize) {
    let info = text.find("SignedInfo").unwrap();
    let inner = text[..info].rfind('<').unwrap();
    let start = text[..inner].rfind('<').unwrap();
    let element = name(&text[start..inner]).trim_end_matches('>').to_owned();
    let closing = format!("</{element}>");
    (start, text.rfind(&closing).unwrap() + closing.len())
}
