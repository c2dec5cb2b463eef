//! Proof that a server hands the client's certificate on, and nothing that the client wrote in its place.

use std::fmt;
use std::net::SocketAddr;

use anyhow::{Context, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use serde::Serialize;

use super::certificates::Certificates;
use super::probe::Probe;

/// The field in which the backend must find the certificate.
pub(crate) const FIELD: &str = "Client-Cert";

/// What a client writes who would be somebody else: well-formed, twice, in two spellings.
const FORGED: &str = "Client-Cert: :Zm9yZ2Vk:\r\nclient-cert: forged\r\n";

/// In which form a server hands the certificate on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) enum Form {
    /// DER in base64 between colons, as RFC 9440 has it.
    #[serde(rename = "RFC 9440")]
    Rfc9440,
    /// PEM with its special characters escaped, the nearest that some servers can say.
    #[serde(rename = "escaped PEM")]
    EscapedPem,
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rfc9440 => "RFC 9440",
            Self::EscapedPem => "escaped PEM",
        })
    }
}

/// Sends forged fields through a server and looks at what comes to the backend.
pub(crate) fn prove(probe: &Probe, certificates: &Certificates, address: SocketAddr) -> Result<Form> {
    let values = probe.get(address, "/proxied/field", FORGED)?;
    judge(&values, &certificates.client_leaf()?)
}

/// Judges what the backend got, a value on each line.
fn judge(values: &str, expected: &CertificateDer<'_>) -> Result<Form> {
    let mut lines = values.lines();
    let (Some(value), None) = (lines.next(), lines.next()) else {
        bail!("not one {FIELD} comes to the backend: {values:?}");
    };
    let (form, der) = match value.strip_prefix(':').and_then(|value| value.strip_suffix(':')) {
        Some(text) => (Form::Rfc9440, STANDARD.decode(text).context("base64")),
        None => (Form::EscapedPem, escaped_pem(value)),
    };
    let der = der.with_context(|| format!("{FIELD} cannot be read: {value:?}"))?;
    if der != expected.as_ref() {
        bail!("{FIELD} is not the client's certificate: {value:?}");
    }
    Ok(form)
}

fn escaped_pem(value: &str) -> Result<Vec<u8>> {
    let mut pem = Vec::new();
    let mut rest = value;
    while let Some((plain, escaped)) = rest.split_once('%') {
        pem.extend_from_slice(plain.as_bytes());
        let digits = escaped.get(..2).context("an escape that was cut short")?;
        pem.push(u8::from_str_radix(digits, 16).context("an escape")?);
        rest = &escaped[2..];
    }
    pem.extend_from_slice(rest.as_bytes());
    Ok(CertificateDer::from_pem_slice(&pem)?.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEM: &str = "-----BEGIN%20CERTIFICATE-----%0AYWJj%0A-----END%20CERTIFICATE-----%0A\n";

    #[test]
    fn both_forms_are_read() {
        let certificate = CertificateDer::from(b"abc".to_vec());
        assert_eq!(judge(":YWJj:\n", &certificate).unwrap(), Form::Rfc9440);
        assert_eq!(judge(PEM, &certificate).unwrap(), Form::EscapedPem);
    }

    #[test]
    fn what_the_client_wrote_does_not_pass() {
        let certificate = CertificateDer::from(b"abc".to_vec());
        for values in [
            "",
            "forged\n",
            ":Zm9yZ2Vk:\n",
            ":YWJj:\nforged\n",
            ":YWJj:\n:YWJj:\n",
            ":YWJ:\n",
            "%4\n",
            "-----BEGIN%20CERTIFICATE-----%0AYWJk%0A-----END%20CERTIFICATE-----%0A\n",
        ] {
            assert!(judge(values, &certificate).is_err(), "{values:?}");
        }
    }
}
