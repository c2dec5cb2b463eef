//! What an upstream is told of the client, and what the client may not tell it.

use std::{fmt::Write, net::SocketAddr, sync::Arc};

use base64::{Engine, engine::general_purpose::STANDARD};
use portcullis_handshake::PeerChain;
use portcullis_http1::is_hop_by_hop;
use portcullis_identity::Identity;
use portcullis_policy::{Assessment, Permit};
use portcullis_upstream::TrailerRule;

use crate::{
    assertion::{Addressed, Assertions},
    judge::distinct,
    plan::{FieldPattern, HandOffField, HandOffFields, UpstreamPlan, plain_name},
};

/// The rules of one upstream.
#[derive(Debug)]
pub(crate) struct HandOff {
    pub(crate) fields: HandOffFields,
    /// The assertion that it gets.
    pub(crate) assertion: Option<Addressed>,
    strip: Vec<FieldPattern>,
}

impl HandOff {
    pub(crate) fn new(plan: &UpstreamPlan, assertions: Option<&Arc<Assertions>>) -> Self {
        let assertion = assertions.filter(|_| plan.hand_off.contains(HandOffField::Assertion));
        let assertion = assertion.map(|assertions| Addressed {
            assertions: Arc::clone(assertions),
            audience: Arc::clone(&plan.assertion_audience),
        });
        Self { fields: plan.hand_off, assertion, strip: plan.strip.clone() }
    }

    /// Whether a client's field of this name, in lower case, never reaches the upstream: it belongs to the connection, the
    /// gate writes it anew, or a backend could take it for the gate's own word.
    pub(crate) fn strips(&self, name: &str) -> bool {
        let name = plain_name(name);
        is_hop_by_hop(&name)
            || matches!(&*name, "content-length" | "expect" | "host")
            || speaks_for_the_gate(&name)
            || self.strip.iter().any(|pattern| pattern.covers(&name))
    }
}

impl TrailerRule for HandOff {
    fn passes(&self, name: &str) -> bool {
        !self.strips(name)
    }
}

/// Names under which backends look for an identity, or for where a request came from.
fn speaks_for_the_gate(name: &str) -> bool {
    // Some frameworks take the last two for the path, in place of the one that was judged.
    const NAMES: [&str; 8] = [
        "client-cert",
        "client-cert-chain",
        "forwarded",
        "true-client-ip",
        "x-arr-clientcert",
        "x-real-ip",
        "x-original-url",
        "x-rewrite-url",
    ];
    const PREFIXES: [&str; 6] =
        ["portcullis-", "ssl-client-", "x-amzn-mtls-", "x-client-cert", "x-forwarded-", "x-ssl-"];
    // Most names begin with another letter.
    matches!(name.as_bytes().first(), Some(b'c' | b'f' | b'p' | b's' | b't' | b'x'))
        && (NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix)))
}

/// The field lines that say who the client is.
pub(crate) fn identity_lines(fields: HandOffFields, permit: &Permit, chain: Option<&PeerChain>) -> Vec<u8> {
    let mut lines = String::new();
    if let Some(chain) = chain {
        if fields.contains(HandOffField::ClientCert) {
            lines.push_str("client-cert: ");
            push_byte_sequence(&chain.leaf, &mut lines);
            lines.push_str("\r\n");
        }
        if fields.contains(HandOffField::ClientCertChain) && !chain.intermediates.is_empty() {
            lines.push_str("client-cert-chain: ");
            for (index, certificate) in chain.intermediates.iter().enumerate() {
                lines.push_str(if index == 0 { "" } else { ", " });
                push_byte_sequence(certificate, &mut lines);
            }
            lines.push_str("\r\n");
        }
        if let Some(identity) = permit.identity()
            && fields.contains(HandOffField::ForwardedClientCert)
        {
            push_forwarded_client_cert(identity, &chain.leaf, &mut lines);
        }
        if fields.contains(HandOffField::SslClientCert) {
            lines.push_str("ssl-client-cert: ");
            push_escaped_pem(&chain.leaf, &mut lines);
            lines.push_str("\r\n");
        }
        if let Some(identity) = permit.identity()
            && fields.contains(HandOffField::SslClientSubjectDn)
        {
            lines.push_str("ssl-client-subject-dn: ");
            push_subject(&identity.subject.distinguished_name, &mut lines);
            lines.push_str("\r\n");
        }
    }
    if let Some(assessment) = permit.assessment() {
        let Assessment { identity, key, .. } = assessment;
        let (subject, psd2) = (&identity.subject, identity.psd2.as_ref());
        let mut line = |field, name: &str, value: Option<String>| {
            if let Some(value) = value.filter(|_| fields.contains(field)) {
                // Writing to memory does not fail.
                let _ = write!(lines, "portcullis-tpp-{name}: {value}\r\n");
            }
        };
        let authorisation = subject.organization_identifier.as_deref().map(item);
        line(HandOffField::Authorisation, "authorisation", authorisation);
        // Those that routes are opened by, which need not be all that the certificate names.
        let roles = psd2.map(|_| permit.roles().to_string().replace(' ', ", "));
        line(HandOffField::Roles, "roles", roles);
        let nca = psd2.map(|psd2| format!("{};name={}", item(&psd2.nca_id), quoted(&psd2.nca_name)));
        line(HandOffField::Nca, "nca", nca);
        line(HandOffField::Thumbprint, "thumbprint", Some(identity.thumbprint.to_string()));
        line(HandOffField::Organisation, "organisation", subject.organization.as_deref().map(quoted));
        line(HandOffField::Key, "key", key.key_id().map(|id| id.to_string()));
        let listing = assessment.listing();
        let qtsp = listing.map(|it| format!("{};territory={}", quoted(&it.provider), item(&it.territory)));
        line(HandOffField::Qtsp, "qtsp", qtsp);
        let codes = distinct(assessment.codes());
        line(HandOffField::Codes, "codes", (!codes.is_empty()).then(|| codes.join(", ")));
    }
    lines.into_bytes()
}

/// `X-Forwarded-Client-Cert` as Envoy writes it: pairs that are separated by semicolons, the certificate as percent-encoded PEM.
fn push_forwarded_client_cert(identity: &Identity, leaf: &[u8], out: &mut String) {
    let _ = write!(out, "x-forwarded-client-cert: Hash={};Cert=\"", identity.thumbprint);
    push_escaped_pem(leaf, out);
    out.push('"');
    push_pair("Subject", &identity.subject.distinguished_name, out);
    if let Some(names) = &identity.subject_alt_name {
        names.uri.iter().for_each(|uri| push_pair("URI", uri, out));
        names.dns.iter().for_each(|dns| push_pair("DNS", dns, out));
    }
    out.push_str("\r\n");
}

/// A certificate as percent-encoded PEM.
fn push_escaped_pem(certificate: &[u8], out: &mut String) {
    let pem = |out: &mut String, text: &str| {
        for byte in text.bytes() {
            match byte {
                byte if byte.is_ascii_alphanumeric() => out.push(char::from(byte)),
                byte => drop(write!(out, "%{byte:02X}")),
            }
        }
    };
    pem(out, "-----BEGIN CERTIFICATE-----\n");
    let body = STANDARD.encode(certificate);
    for line in body.as_bytes().chunks(64) {
        pem(out, &String::from_utf8_lossy(line));
        pem(out, "\n");
    }
    pem(out, "-----END CERTIFICATE-----\n");
}

/// A distinguished name (RFC 4514). What is not printable ASCII is written as pairs of hexadecimal digits (2.4), so that it is one value on
/// one line, and the same name.
fn push_subject(name: &str, out: &mut String) {
    for byte in name.bytes() {
        match byte {
            b' '..=b'~' => out.push(char::from(byte)),
            _ => drop(write!(out, "\\{byte:02X}")),
        }
    }
}

/// A name and a value in quotes. What is not printable ASCII is written as a pair of hexadecimal digits (RFC 4514 2.4).
fn push_pair(name: &str, value: &str, out: &mut String) {
    let _ = write!(out, ";{name}=\"");
    for byte in value.bytes() {
        match byte {
            b'"' => out.push_str("\\\""),
            b' '..=b'~' => out.push(char::from(byte)),
            _ => drop(write!(out, "\\{byte:02X}")),
        }
    }
    out.push('"');
}

/// The field lines that say from where a request came, and for which authority: `Forwarded` (RFC 7239) and those before it.
pub(crate) fn push_forwarded(peer: SocketAddr, authority: &str, head: &mut Vec<u8>) {
    use std::io::Write as _;

    let address = peer.ip().to_canonical();
    let (before, behind) = if address.is_ipv6() { ("\"[", "]\"") } else { ("", "") };
    // Writing to memory does not fail.
    let _ = write!(
        head,
        "x-forwarded-for: {address}\r\nx-forwarded-proto: https\r\nx-forwarded-host: {authority}\r\n\
         forwarded: for={before}{address}{behind};proto=https;host=\"{authority}\"\r\n"
    );
}

/// A byte sequence (RFC 9651 3.3.5), as RFC 9440 2.1 has it.
fn push_byte_sequence(bytes: &[u8], out: &mut String) {
    out.push(':');
    STANDARD.encode_string(bytes, out);
    out.push(':');
}

/// A text as it is if it has only letters, digits and `-._:/`, so that it can be compared as it is; otherwise quoted.
fn item(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:/".contains(&byte);
    if !text.is_empty() && text.bytes().all(is_plain) { text.to_owned() } else { quoted(text) }
}

/// A string (RFC 9651 3.3.3), or a display string (3.3.8) if it is not all printable ASCII. Whatever a certificate has in
/// it, this is one value on one line.
fn quoted(text: &str) -> String {
    let is_printable = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    let mut out = String::with_capacity(text.len() + 3);
    out.push_str(if is_printable { "\"" } else { "%\"" });
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' if is_printable => {
                out.push('\\');
                out.push(char::from(byte));
            }
            b' '..=b'~' if is_printable || !matches!(byte, b'"' | b'%') => out.push(char::from(byte)),
            _ => {
                let _ = write!(out, "%{byte:02x}");
            }
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_stays_one_value_whatever_is_in_it() {
        assert_eq!(item("PSDSE-FINA-1"), "PSDSE-FINA-1");
        assert_eq!(item(""), "\"\"");
        assert_eq!(item("a, PSP_PI"), "\"a, PSP_PI\"");
        assert_eq!(quoted("a\"b\\c"), "\"a\\\"b\\\\c\"");
        assert_eq!(quoted("B\u{e4}nk \"1\" 5%"), "%\"B%c3%a4nk %221%22 5%25\"");
        assert_eq!(quoted("a\r\nclient-cert: x"), "%\"a%0d%0aclient-cert: x\"");
    }

    #[test]
    fn a_pair_stays_one_pair_whatever_is_in_it() {
        let mut out = String::new();
        push_pair("Subject", "CN=a\";By=x\r\ny: \u{e4}", &mut out);
        assert_eq!(out, ";Subject=\"CN=a\\\";By=x\\0D\\0Ay: \\C3\\A4\"");
    }

    #[test]
    fn a_subject_stays_one_name_whatever_is_in_it() {
        let mut out = String::new();
        push_subject("CN=B\u{e4}nk\\, eG\r\nclient-cert: x,C=DE", &mut out);
        assert_eq!(out, "CN=B\\C3\\A4nk\\, eG\\0D\\0Aclient-cert: x,C=DE");
    }

    #[test]
    fn no_spelling_of_a_reserved_name_passes() {
        let own = vec![FieldPattern::parse("X_Internal-*").unwrap(), FieldPattern::parse("x-user").unwrap()];
        let rules = HandOff { fields: HandOffFields::ALL, assertion: None, strip: own };
        for name in [
            "client-cert",
            "client_cert",
            "client-cert_chain",
            "x-forwarded-client-cert",
            "x_forwarded_client_cert",
            "x-ssl-client-verify",
            "ssl_client_s_dn",
            "x-client-cert-der",
            "x-client-certificate",
            "portcullis-tpp-roles",
            "portcullis_tpp-roles",
            "forwarded",
            "x-forwarded-for",
            "x-real-ip",
            "x_real_ip",
            "connection",
            "proxy_connection",
            "transfer_encoding",
            "content-length",
            "content_length",
            "host",
            "expect",
            "client.cert",
            "portcullis.tpp.roles",
            "portcullis~tpp~roles",
            "x!forwarded-for",
            "x-original-url",
            "x.rewrite.url",
            "true-client-ip",
            "x-arr-clientcert",
            "x-amzn-mtls-clientcert-leaf",
            "x-internal-user",
            "x_internal_",
            "x-user",
        ] {
            assert!(rules.strips(name), "{name}");
        }
        for name in ["accept", "authorization", "x-request-id", "x-users", "client-certs", "digest", "x-sslx"]
        {
            assert!(!rules.strips(name), "{name}");
        }
    }
}
