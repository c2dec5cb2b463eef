//! A token endpoint that authenticates its clients by the certificate that the gate hands on (RFC 8705 2.1, RFC 9440).

use std::collections::HashMap;
use std::io;

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine as _, engine::general_purpose::STANDARD, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::json;
use x509_parser::prelude::{FromDer as _, X509Certificate, X509Name};

use crate::{Backend, Exchange, Next, Received};

/// The server: a [`Backend`] that answers a form with `client_id` by what the token that it would issue is bound to, or by `invalid_client`.
#[derive(Debug)]
pub struct AuthorisationServer(Backend);

impl AuthorisationServer {
    /// A server that knows these clients, each by its id and its `tls_client_auth_subject_dn`.
    ///
    /// # Panics
    ///
    /// When the loopback address cannot be listened on.
    #[must_use]
    pub fn start(clients: &[(&str, &str)]) -> Self {
        let clients: HashMap<String, String> =
            clients.iter().map(|(id, name)| ((*id).to_owned(), (*name).to_owned())).collect();
        Self(Backend::start(move |exchange| answer(exchange, &clients)))
    }

    /// Whether two spellings are of one name; `None` where one is none.
    #[must_use]
    pub fn is_same_name(one: &str, other: &str) -> Option<bool> {
        Some(parse(one)? == parse(other)?)
    }

    /// The backend that it is.
    #[must_use]
    pub fn backend(&self) -> &Backend {
        &self.0
    }
}

fn answer(exchange: &mut Exchange<'_>, clients: &HashMap<String, String>) -> io::Result<Next> {
    let body = exchange.read_body()?;
    let form = String::from_utf8_lossy(&body).into_owned();
    let id = form.split('&').find_map(|pair| pair.strip_prefix("client_id="));
    let registered = id.and_then(|id| clients.get(id));
    let certificate = presented(exchange.received());
    let (status, json) = match (registered, certificate) {
        (Some(name), Some(certificate)) if is_of(&certificate, name) => {
            let thumbprint = URL_SAFE_NO_PAD.encode(digest(&SHA256, &certificate));
            (200, json!({ "cnf": { "x5t#S256": thumbprint } }))
        }
        _ => (401, json!({ "error": "invalid_client" })),
    };
    exchange.answer(status, json.to_string().as_bytes())?;
    Ok(Next::Stay)
}

/// The certificate of `Client-Cert`, which is there once: one byte sequence (RFC 9440 2.2).
fn presented(request: &Received) -> Option<Vec<u8>> {
    let value = request.value("client-cert")?;
    STANDARD.decode(value.strip_prefix(':')?.strip_suffix(':')?).ok()
}

fn is_of(certificate: &[u8], name: &str) -> bool {
    let Ok((_, certificate)) = X509Certificate::from_der(certificate) else { return false };
    let registered = parse(name);
    registered.is_some() && registered == attributes(certificate.subject())
}

/// The attributes of a name in the order of the certificate: the number of the type, and the value as it is compared.
fn attributes(name: &X509Name<'_>) -> Option<Vec<(String, String)>> {
    let attribute = |it: &x509_parser::x509::AttributeTypeAndValue<'_>| {
        Some((it.attr_type().to_id_string(), compared(it.as_str().ok()?)))
    };
    name.iter_attributes().map(attribute).collect()
}

/// A name as RFC 4514 3 writes it, with one attribute in each part; the last part stands first in the certificate.
fn parse(name: &str) -> Option<Vec<(String, String)>> {
    let mut parts = vec![Vec::new()];
    let mut bytes = name.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b',' => parts.push(Vec::new()),
            b'\\' => {
                let escaped = bytes.next()?;
                let byte = match char::from(escaped).to_digit(16) {
                    Some(high) => u8::try_from(high * 16 + char::from(bytes.next()?).to_digit(16)?).ok()?,
                    None => escaped,
                };
                parts.last_mut()?.push(byte);
            }
            byte => parts.last_mut()?.push(byte),
        }
    }
    let attribute = |part: Vec<u8>| {
        let text = String::from_utf8(part).ok()?;
        let (kind, value) = text.split_once('=')?;
        Some((number(kind.trim())?, compared(value)))
    };
    parts.into_iter().rev().map(attribute).collect()
}

/// The number of a type, which may be written by its name.
fn number(kind: &str) -> Option<String> {
    let known = match kind.to_ascii_uppercase().as_str() {
        "CN" => "2.5.4.3",
        "C" => "2.5.4.6",
        "O" => "2.5.4.10",
        "ORGANIZATIONIDENTIFIER" => "2.5.4.97",
        _ if kind.starts_with(|sign: char| sign.is_ascii_digit()) => kind,
        _ => return None,
    };
    Some(known.to_owned())
}

/// As caseIgnoreMatch has it (RFC 4517 4.2.11): neither letter case nor how many spaces counts.
fn compared(value: &str) -> String {
    value.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}
