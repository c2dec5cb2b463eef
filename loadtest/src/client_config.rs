//! The TLS client configuration, made once and shared by all clients.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{SupportedKxGroup, WebPkiSupportedAlgorithms, aws_lc_rs};
use rustls::crypto::{verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme, SupportedCipherSuite,
    SupportedProtocolVersion,
};

use crate::arguments::{Cipher, Kx, SessionArguments, Tls};
use crate::path_verifier::PathVerifier;

/// What all clients have in common: no certificate yet, and no sessions.
pub(crate) fn build(session: &SessionArguments, http2: bool) -> Result<ClientConfig> {
    let mut provider = aws_lc_rs::default_provider();
    provider.kx_groups = session.kx.iter().map(|kx| kx_group(*kx)).collect();
    let suites = provider.cipher_suites.clone();
    provider.cipher_suites = session.cipher.iter().flat_map(|cipher| suites_with(*cipher, &suites)).collect();
    let algorithms = provider.signature_verification_algorithms;
    let provider = Arc::new(provider);
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[version(session.tls)])
        .context("TLS version and key exchange do not go together")?;
    let verifier: Arc<dyn ServerCertVerifier> = match &session.ca {
        Some(file) => Arc::new(PathVerifier::new(roots(file)?, provider)?),
        None => Arc::new(AnyCertificate { algorithms }),
    };
    let mut config = builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
    config.resumption = Resumption::disabled();
    config.alpn_protocols = vec![if http2 { b"h2".to_vec() } else { b"http/1.1".to_vec() }];
    Ok(config)
}

fn version(tls: Tls) -> &'static SupportedProtocolVersion {
    match tls {
        Tls::V12 => &rustls::version::TLS12,
        Tls::V13 => &rustls::version::TLS13,
    }
}

fn kx_group(kx: Kx) -> &'static dyn SupportedKxGroup {
    match kx {
        Kx::X25519 => aws_lc_rs::kx_group::X25519,
        Kx::Secp256r1 => aws_lc_rs::kx_group::SECP256R1,
        Kx::Secp384r1 => aws_lc_rs::kx_group::SECP384R1,
        Kx::X25519mlkem768 => aws_lc_rs::kx_group::X25519MLKEM768,
    }
}

/// The suites of a cipher, of both TLS versions; rustls offers those of the version that was asked for.
fn suites_with(cipher: Cipher, suites: &[SupportedCipherSuite]) -> Vec<SupportedCipherSuite> {
    let name = match cipher {
        Cipher::Aes128Gcm => "AES_128_GCM",
        Cipher::Aes256Gcm => "AES_256_GCM",
        Cipher::Chacha20poly1305 => "CHACHA20_POLY1305",
    };
    let has_cipher =
        |suite: &SupportedCipherSuite| suite.suite().as_str().is_some_and(|suite| suite.contains(name));
    suites.iter().copied().filter(has_cipher).collect()
}

/// The certificates of a PEM file, at least one, as anchors.
pub(crate) fn roots(file: &Path) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(file)? {
        roots.add(certificate).with_context(|| file.display().to_string())?;
    }
    Ok(roots)
}

/// The certificates of a PEM file, at least one.
pub(crate) fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let certificates: Vec<_> = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect)
        .with_context(|| file.display().to_string())?;
    if certificates.is_empty() {
        bail!("{}: no certificate in it", file.display());
    }
    Ok(certificates)
}

/// The first private key of a PEM file.
pub(crate) fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>> {
    PrivateKeyDer::from_pem_file(file).with_context(|| file.display().to_string())
}

/// Takes any certificate of the server (`--insecure`), but not a server that cannot use its key: a handshake must be one.
#[derive(Debug)]
struct AnyCertificate {
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
