//! One GET, to see whether a server serves and what it hands on. It does not measure anything.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::certificates::{Certificates, SERVER_NAME};

/// Longest wait for a connection, and for each read.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Largest answer: those that are asked for have some kilobytes.
const ANSWER_BYTES_MAX: u64 = 256 * 1024;

/// A client with the certificate that the load has.
#[derive(Clone, Debug)]
pub(crate) struct Probe {
    config: Arc<ClientConfig>,
}

impl Probe {
    /// Reads the certificates.
    pub(crate) fn new(certificates: &Certificates) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(certificates.root())?)?;
        let chain = CertificateDer::pem_file_iter(certificates.client())?.collect::<Result<Vec<_>, _>>()?;
        let key = PrivateKeyDer::from_pem_file(certificates.client_key())?;
        let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { config: Arc::new(config) })
    }

    /// Asks for a path over TLS and returns the body of an answer 200. `fields` are lines that end with CR LF.
    pub(crate) fn get(&self, address: SocketAddr, path: &str, fields: &str) -> Result<String> {
        exchange(&mut self.connect(address)?, path, fields)
    }

    /// The certificate that a server has now.
    pub(crate) fn server_certificate(&self, address: SocketAddr) -> Result<CertificateDer<'static>> {
        let mut stream = self.connect(address)?;
        exchange(&mut stream, "/direct", "")?;
        let chain = stream.conn.peer_certificates().unwrap_or_default();
        chain.first().cloned().context("a server without a certificate")
    }

    fn connect(&self, address: SocketAddr) -> Result<StreamOwned<ClientConnection, TcpStream>> {
        let name = ServerName::try_from(SERVER_NAME).context("the name of every server")?;
        let connection = ClientConnection::new(Arc::clone(&self.config), name)?;
        Ok(StreamOwned::new(connection, connect(address)?))
    }
}

/// Asks for a path in the clear.
pub(crate) fn get_plain(address: SocketAddr, path: &str) -> Result<String> {
    exchange(&mut connect(address)?, path, "")
}

fn connect(address: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, TIMEOUT).with_context(|| address.to_string())?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    Ok(stream)
}

fn exchange(stream: &mut (impl Read + Write), path: &str, fields: &str) -> Result<String> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {SERVER_NAME}\r\n{fields}Connection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    // Not every server ends TLS in good order. An answer that was cut short has no blank line or too short a body.
    if let Err(error) = stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer)
        && answer.is_empty()
    {
        return Err(error).context("no answer");
    }
    body(&String::from_utf8(answer).context("the answer is not UTF-8")?)
}

/// The body of an answer 200.
fn body(answer: &str) -> Result<String> {
    let (head, body) = answer.split_once("\r\n\r\n").context("the answer has no end of its head")?;
    let mut lines = head.lines();
    let status = lines.next().unwrap_or_default();
    if status.split(' ').nth(1) != Some("200") {
        bail!("the answer is {status:?}");
    }
    let field = |name: &str| {
        lines.clone().find_map(|line| {
            let (field, value) = line.split_once(':')?;
            field.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    };
    if field("Transfer-Encoding").is_some() {
        return unchunked(body);
    }
    let length: Option<usize> = field("Content-Length").and_then(|length| length.parse().ok());
    match length {
        Some(length) if body.len() != length => bail!("the answer has {} bytes, not {length}", body.len()),
        _ => Ok(body.to_owned()),
    }
}

/// The content of chunks (RFC 9112, section 7.1).
fn unchunked(mut body: &str) -> Result<String> {
    let mut content = String::new();
    loop {
        let (size, rest) = body.split_once("\r\n").context("a chunk without its size")?;
        let size = usize::from_str_radix(size, 16).context("the size of a chunk")?;
        if size == 0 {
            return Ok(content);
        }
        content += rest.get(..size).context("a chunk that was cut short")?;
        body =
            rest.get(size..).and_then(|rest| rest.strip_prefix("\r\n")).context("a chunk without its end")?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_whole_or_an_error() {
        assert_eq!(body("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nok\n").unwrap(), "ok\n");
        let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n1\r\n!\r\n0\r\n\r\n";
        assert_eq!(body(chunked).unwrap(), "ok!");
        for answer in [
            "",
            "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nok\n",
            "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nok",
        ] {
            assert!(body(answer).is_err(), "{answer:?}");
        }
    }
}
