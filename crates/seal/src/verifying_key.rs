//! The key of a certificate, which verifies signatures.

use aws_lc_rs::signature::UnparsedPublicKey;
use portcullis_identity::der::{BIT_STRING, Reader};
use portcullis_identity::{DerError, KeyAlgorithm, PublicKey};

use crate::algorithm::Algorithm;
use crate::error::SealError;

/// How a signature by ECDSA is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EcdsaForm {
    /// Two integers of fixed length (RFC 9421 section 3.3.4).
    Fixed,
    /// The drafts do not say. What signs by OpenSSL or Java writes DER; JOSE libraries write fixed length.
    Either,
}

/// The key of a certificate.
#[derive(Clone, Debug)]
pub(crate) struct VerifyingKey<'a> {
    pub(crate) kind: PublicKey,
    octets: &'a [u8],
}

/// Below this nothing is accepted: the verification of aws-lc-rs begins there.
const RSA_BITS_MIN: u32 = 2048;

impl<'a> VerifyingKey<'a> {
    /// Reads a `SubjectPublicKeyInfo`.
    pub(crate) fn from_info(spki: &'a [u8], field: &str) -> Result<Self, SealError> {
        let malformed = |error: DerError| SealError::CertificateMalformed {
            field: field.into(),
            reason: format!("its key is not well-formed: {error}").into(),
        };
        let kind = PublicKey::from_info(spki).map_err(malformed)?;
        let mut info = Reader::sequence(spki).map_err(malformed)?;
        info.read().map_err(malformed)?;
        // The first octet counts unused bits; that there are none has been read.
        let octets = info.expect(BIT_STRING).map_err(malformed)?.content.get(1..).unwrap_or_default();
        Ok(Self { kind, octets })
    }

    /// # Errors
    /// It is an RSA key that is too short.
    pub(crate) fn demand_bits(&self, bits_min: u32) -> Result<(), SealError> {
        let bits_min = bits_min.max(RSA_BITS_MIN);
        let is_rsa = matches!(self.kind.algorithm, KeyAlgorithm::Rsa | KeyAlgorithm::RsaPss);
        match self.kind.bits {
            Some(bits) if is_rsa && bits < bits_min => Err(SealError::KeyTooSmall { bits, bits_min }),
            _ => Ok(()),
        }
    }

    /// Whether a signature is this key's over a message.
    pub(crate) fn verifies(
        &self,
        algorithm: Algorithm,
        form: EcdsaForm,
        message: &[u8],
        signature: &[u8],
    ) -> bool {
        let key_type = &self.kind.algorithm;
        let by = |verification| {
            UnparsedPublicKey::new(verification, self.octets).verify(message, signature).is_ok()
        };
        match (algorithm.fixed(), form) {
            (Some(fixed), EcdsaForm::Fixed) => by(fixed),
            (Some(fixed), EcdsaForm::Either) => by(algorithm.verification(key_type)) || by(fixed),
            (None, _) => by(algorithm.verification(key_type)),
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::encoding::AsDer as _;
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{
        ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _,
    };
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;
    use crate::algorithm::Claim;

    /// By OpenSSL, over this message, with SHA-512.
    #[test]
    fn a_curve_may_have_a_longer_hash() {
        const MESSAGE: &[u8] = b"digest: SHA-256=x\nx-request-id: 1";
        for (spki, signature) in [
            (
                "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEiV5Ws1C2DhkuW8apI4Iy9ArIzs0IiQbet4DlBWt1Ek3ZZVO86zzQOP7P\
                 fXTXv/pDyB7hhPz2RuMp+XPPAMoyhA==",
                "MEUCIQCTJMfyT+VvdLAuhgAAUxfpXRfUFpVtz/6+NwTBcwSqBgIgBC3stEfRnJR4bn0alQizU41VylmuEKzfLkHClXy1\
                 tJA=",
            ),
            (
                "MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEjXkZPADAC9ReaDTFz1BylK34vOUUqXzB3X634UsMY9EB6SLDBPVeOsF0VldyfT\
                 tvWB1QGZQn0bXtaPCrCEi2SSr5nOsWih12ru88Uf7aMd1ZY7JFYDEW29zwFI4vnS4i",
                "MGUCMQCmaXvA+Uvk3zQ9BzKZlnLwUpBkTIOhZDRd/pqQhsAXEwbyxHmPDecKUrFF9lXKmzECMFKOYp/Pjl4jyX5mrACX5K\
                 rpnZj5HGUmM9yhJL1LyHbgsdOTXrg0VTxlBcZMufCw6g==",
            ),
        ] {
            let [spki, signature] = [spki, signature].map(|text| STANDARD.decode(text).unwrap());
            let key = VerifyingKey::from_info(&spki, "").unwrap();
            let algorithm = Claim::Hs2019.resolve(&key.kind.algorithm, &Algorithm::ALL).unwrap();
            let verifies = |message| key.verifies(algorithm, EcdsaForm::Either, message, &signature);
            assert!(verifies(MESSAGE));
            assert!(!verifies(&MESSAGE[1..]));
        }
    }

    #[test]
    fn the_drafts_leave_the_form_of_ecdsa_open() {
        let (der, fixed) = (&ECDSA_P256_SHA256_ASN1_SIGNING, &ECDSA_P256_SHA256_FIXED_SIGNING);
        for (signing, is_fixed) in [(der, false), (fixed, true)] {
            let pair = EcdsaKeyPair::generate(signing).unwrap();
            let info = pair.public_key().as_der().unwrap();
            let key = VerifyingKey::from_info(info.as_ref(), "").unwrap();
            let signature = pair.sign(&SystemRandom::new(), b"message").unwrap();
            let verifies =
                |form| key.verifies(Algorithm::EcdsaP256Sha256, form, b"message", signature.as_ref());
            assert!(verifies(EcdsaForm::Either));
            assert_eq!(verifies(EcdsaForm::Fixed), is_fixed, "RFC 9421 has one form");
        }
    }
}
