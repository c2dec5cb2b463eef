//! A server that is known by its certificate.

use std::sync::Arc;

use rustls::{
    DigitallySignedStruct, Error, OtherError, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature},
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

/// Believes one certificate and no other, whoever issued it, whatever it is for and until when: whoever asks has the file that the
/// gate serves with, and an operator must reach a gate whose certificate has expired.
#[derive(Debug)]
pub(super) struct KnownServer {
    leaf: CertificateDer<'static>,
    algorithms: WebPkiSupportedAlgorithms,
}

/// It is not that one.
#[derive(Debug, thiserror::Error)]
#[error("it does not present the certificate of [admin.tls] chain; was it reloaded since that was renewed?")]
struct Unknown;

impl KnownServer {
    pub(super) const fn new(leaf: CertificateDer<'static>, algorithms: WebPkiSupportedAlgorithms) -> Self {
        Self { leaf, algorithms }
    }
}

impl ServerCertVerifier for KnownServer {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match *end_entity == self.leaf {
            true => Ok(ServerCertVerified::assertion()),
            // Not `InvalidCertificate`, which would not say why in words.
            false => Err(Error::Other(OtherError(Arc::new(Unknown)))),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
