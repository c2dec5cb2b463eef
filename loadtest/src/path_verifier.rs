//! The server's certificate, verified once in a run.

use std::sync::{Arc, OnceLock};

use anyhow::{Context, Result};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

/// Builds the path of the first certificate that it sees. A server shows the same one again and again, and its path costs as much as the
/// server's own signature: that time is this program's to make load with. What differs is verified each time. That the server
/// holds the key is verified in every handshake.
#[derive(Debug)]
pub(crate) struct PathVerifier {
    path: Arc<WebPkiServerVerifier>,
    verified: OnceLock<Verified>,
}

/// What was verified.
#[derive(Debug)]
struct Verified {
    leaf: CertificateDer<'static>,
    intermediates: Vec<CertificateDer<'static>>,
    name: ServerName<'static>,
}

impl PathVerifier {
    /// For paths that end at these roots.
    pub(crate) fn new(roots: RootCertStore, provider: Arc<CryptoProvider>) -> Result<Self> {
        let path = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider);
        Ok(Self { path: path.build().context("--ca")?, verified: OnceLock::new() })
    }
}

impl Verified {
    fn is(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
    ) -> bool {
        self.leaf == *leaf && self.intermediates == intermediates && self.name == *name
    }
}

impl ServerCertVerifier for PathVerifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.verified.get().is_some_and(|verified| verified.is(leaf, intermediates, name)) {
            return Ok(ServerCertVerified::assertion());
        }
        let verified = self.path.verify_server_cert(leaf, intermediates, name, ocsp_response, now)?;
        self.verified.get_or_init(|| Verified {
            leaf: leaf.clone().into_owned(),
            intermediates: intermediates.iter().map(|der| der.clone().into_owned()).collect(),
            name: name.to_owned(),
        });
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.path.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.path.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.path.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use portcullis_test_pki::{Authority, ServerCertificate};
    use rustls::crypto::aws_lc_rs;
    use std::time::Duration;

    #[test]
    fn what_was_verified_is_taken_again_and_nothing_else() {
        let (bank, foreign) = (Authority::bank().unwrap(), Authority::foreign().unwrap());
        let issue = |authority: &Authority| {
            let issued = ServerCertificate::new(["localhost"]).issue(authority).unwrap();
            (issued.leaf_der().clone(), vec![authority.issuing_der().clone()])
        };
        let mut roots = RootCertStore::empty();
        roots.add(bank.root_der().clone()).unwrap();
        let verifier = PathVerifier::new(roots, Arc::new(aws_lc_rs::default_provider())).unwrap();
        let now = UnixTime::now();
        let verify =
            |(leaf, intermediates): &(CertificateDer<'static>, Vec<_>), name: &str, now: UnixTime| {
                let name = ServerName::try_from(name.to_owned()).unwrap();
                verifier.verify_server_cert(leaf, intermediates, &name, &[], now).is_ok()
            };
        let (first, other, strange) = (issue(&bank), issue(&bank), issue(&foreign));
        assert!(!verify(&strange, "localhost", now) && verify(&first, "localhost", now));
        // That it is not verified again shows where it would fail.
        let later = UnixTime::since_unix_epoch(Duration::from_secs(now.as_secs() + 400 * 86_400));
        assert!(verify(&first, "localhost", later));
        assert!(!verify(&other, "localhost", later) && verify(&other, "localhost", now));
        assert!(!verify(&first, "bank.example", now) && !verify(&strange, "localhost", now));
        assert!(!verify(&(first.0.clone(), Vec::new()), "localhost", now), "another chain is another path");
    }
}
