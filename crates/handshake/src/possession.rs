//! Whether a client holds the key of the certificate that it presented (RFC 8446 4.4.3, RFC 5246 7.4.8).
//!
//! rustls reads the certificate with webpki before it verifies the signature, and webpki reads none that no path could
//! be built from: one with a critical extension that is not processed, or with an extension that is malformed. Its
//! holder would hear no more than that something is wrong. So where the certificate is at fault, the signature is
//! verified once more, with the key alone, and the judge says what is wrong with the certificate.

use rustls::{
    CertificateError, DigitallySignedStruct, Error, PeerMisbehaved,
    client::danger::HandshakeSignatureValid,
    crypto::{
        WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
        verify_tls13_signature_with_raw_key,
    },
};
use rustls_pki_types::{CertificateDer, SubjectPublicKeyInfoDer};
use webpki::RawPublicKeyEntity;

/// The version of TLS by whose rules a signature is verified.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Handshake {
    /// RFC 5246
    Tls12,
    /// RFC 8446
    Tls13,
}

/// What the client signed, and how.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Proof<'a> {
    pub(crate) handshake: Handshake,
    pub(crate) message: &'a [u8],
    pub(crate) signed: &'a DigitallySignedStruct,
}

impl Proof<'_> {
    /// Verifies the signature with the key of `leaf`. `key` finds it where webpki does not read the certificate.
    ///
    /// # Errors
    /// The signature does not hold, or no key can be read.
    pub(crate) fn verify<'c>(
        self,
        leaf: &'c CertificateDer<'_>,
        key: impl FnOnce() -> Option<SubjectPublicKeyInfoDer<'c>>,
        algorithms: &WebPkiSupportedAlgorithms,
    ) -> Result<HandshakeSignatureValid, Error> {
        let Self { handshake, message, signed } = self;
        let verified = match handshake {
            Handshake::Tls12 => verify_tls12_signature(message, leaf, signed, algorithms),
            Handshake::Tls13 => verify_tls13_signature(message, leaf, signed, algorithms),
        };
        match verified {
            Err(Error::InvalidCertificate(error)) if error != CertificateError::BadSignature => {
                match (key(), handshake) {
                    (None, _) => Err(error.into()),
                    (Some(key), Handshake::Tls12) => self.verify_tls12_with_key(&key, algorithms),
                    (Some(key), Handshake::Tls13) => {
                        verify_tls13_signature_with_raw_key(message, &key, signed, algorithms)
                    }
                }
            }
            verified => verified,
        }
    }

    /// What rustls has for TLS 1.3 only. That the scheme is one that was offered, and of TLS 1.2, it has looked at
    /// before it looked at the certificate.
    fn verify_tls12_with_key(
        self,
        key: &SubjectPublicKeyInfoDer<'_>,
        algorithms: &WebPkiSupportedAlgorithms,
    ) -> Result<HandshakeSignatureValid, Error> {
        let key = RawPublicKeyEntity::try_from(key).map_err(|_| CertificateError::BadEncoding)?;
        let of_scheme = algorithms.mapping.iter().find(|(scheme, _)| *scheme == self.signed.scheme);
        let Some((_, candidates)) = of_scheme else {
            return Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into());
        };
        // A scheme of TLS 1.2 does not name the curve: there is a candidate for each.
        let holds =
            |algorithm| key.verify_signature(algorithm, self.message, self.signed.signature()).is_ok();
        match candidates.iter().any(|algorithm| holds(*algorithm)) {
            true => Ok(HandshakeSignatureValid::assertion()),
            false => Err(CertificateError::BadSignature.into()),
        }
    }
}
