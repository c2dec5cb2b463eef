//! RSA keys of less than 2048 bits, which the library for XML signatures refuses: Norway signs its list with 2032 bits.

use aws_lc_rs::signature::{
    RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY,
    UnparsedPublicKey,
};
use kryptering::{HashAlgorithm, SignatureAlgorithm, Verifier};
use portcullis_identity::{Identity, KeyAlgorithm, TbsCertificate};
use rustls_pki_types::CertificateDer;

/// Bits of the shortest key that is accepted: a little below 2048, where rounding has led in practice.
const BITS_MIN: u32 = 2000;
/// Bits from which the library verifies.
const BITS_ORDINARY: u32 = 2048;

/// Verifies with a key that is a little short.
pub(super) struct ShortRsa {
    subject_public_key_info: Vec<u8>,
    hash: HashAlgorithm,
}

impl ShortRsa {
    /// The verifier for a signer's key and a method, if it is one for which there must be another than the library's.
    pub(super) fn of(signer: &CertificateDer<'_>, method: &str) -> Option<Self> {
        let key = Identity::from_der(signer).ok()?.key?;
        let is_short = key.bits.is_some_and(|bits| (BITS_MIN..BITS_ORDINARY).contains(&bits));
        if key.algorithm != KeyAlgorithm::Rsa || !is_short {
            return None;
        }
        let hash = match method {
            "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256" => HashAlgorithm::Sha256,
            "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512" => HashAlgorithm::Sha512,
            _ => return None,
        };
        let subject_public_key_info = TbsCertificate::from_der(signer).ok()?.subject_public_key_info.to_vec();
        Some(Self { subject_public_key_info, hash })
    }
}

impl Verifier for ShortRsa {
    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::RsaPkcs1v15(self.hash)
    }

    fn verify(&self, data: &[u8], signature: &[u8]) -> kryptering::Result<bool> {
        let parameters = match self.hash {
            HashAlgorithm::Sha512 => &RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY,
            _ => &RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
        };
        let key = UnparsedPublicKey::new(parameters, &self.subject_public_key_info);
        Ok(key.verify(data, signature).is_ok())
    }
}
