//! Signatures of CAs under what they tell of their certificates.

use aws_lc_rs::digest::{self, SHA256, SHA384, SHA512};
use aws_lc_rs::signature::{self, VerificationAlgorithm};
use der::Decode as _;
use der::asn1::BitStringRef;
use rustls_pki_types::AlgorithmIdentifier;
use rustls_pki_types::alg_id::{
    ECDSA_P256, ECDSA_P384, ECDSA_P521, ECDSA_SHA256, ECDSA_SHA384, ECDSA_SHA512, RSA_ENCRYPTION,
    RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512,
};
use webpki::ALL_VERIFICATION_ALGS;
use x509_cert::spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoRef};

use crate::crl::CrlError;
use crate::status::Issuer;

/// Why a signature does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SignatureFault {
    /// The algorithm is not one that is believed here, or not one for the key.
    Algorithm,
    /// The mathematics do not come out.
    Wrong,
}

/// Verifies a signature with a key, both as DER has them: every algorithm that webpki supports with aws-lc-rs, never SHA-1.
pub(crate) fn verify(
    public_key_info: &[u8],
    algorithm: &AlgorithmIdentifierOwned,
    message: &[u8],
    signature: &[u8],
) -> Result<(), SignatureFault> {
    let key = SubjectPublicKeyInfoRef::from_der(public_key_info).map_err(|_| SignatureFault::Algorithm)?;
    let (key_algorithm, algorithm) = (content(&key.algorithm)?, content(algorithm)?);
    let key: BitStringRef<'_> = key.subject_public_key;
    let key = key.as_bytes().ok_or(SignatureFault::Algorithm)?;
    let is_meant = |id: AlgorithmIdentifier, octets: &[u8]| id.as_ref() == octets;
    let mut verifiers = ALL_VERIFICATION_ALGS
        .iter()
        .filter(|known| is_meant(known.public_key_alg_id(), &key_algorithm))
        .filter(|known| is_meant(known.signature_alg_id(), &algorithm))
        .peekable();
    verifiers.peek().ok_or(SignatureFault::Algorithm)?;
    match verifiers.any(|known| known.verify_signature(key, message, signature).is_ok()) {
        true => Ok(()),
        false => Err(SignatureFault::Wrong),
    }
}

/// The content of an `AlgorithmIdentifier`, without tag and length.
fn content(algorithm: &impl der::Encode) -> Result<Vec<u8>, SignatureFault> {
    let encoded = algorithm.to_der().map_err(|_| SignatureFault::Algorithm)?;
    let content = der::asn1::AnyRef::from_der(&encoded).map(|any| any.value().to_vec());
    content.map_err(|_| SignatureFault::Algorithm)
}

/// How a CA's key verifies what was hashed already.
pub(crate) struct DigestScheme {
    key: Vec<u8>,
    hash: &'static digest::Algorithm,
    verifier: &'static dyn VerificationAlgorithm,
}

impl DigestScheme {
    /// By what the signed octets are hashed.
    pub(crate) fn algorithm(&self) -> &'static digest::Algorithm {
        self.hash
    }

    /// Whether the signature is of this digest.
    pub(crate) fn verify(&self, digest: &digest::Digest, signature: &[u8]) -> bool {
        self.verifier.verify_digest_sig(&self.key, digest, signature).is_ok()
    }
}

/// The scheme of an algorithm (the content of its `AlgorithmIdentifier`) and a CA's key: what webpki supports with aws-lc-rs and hashes first.
///
/// # Errors
/// [`CrlError::Algorithm`].
pub(crate) fn digest_scheme(issuer: &Issuer, algorithm: &[u8]) -> Result<DigestScheme, CrlError> {
    let info = issuer.public_key_info_der();
    let key = SubjectPublicKeyInfoRef::from_der(&info).map_err(|_| CrlError::Algorithm)?;
    let key_algorithm = content(&key.algorithm).map_err(|_| CrlError::Algorithm)?;
    let known = DIGEST_SCHEMES.iter().find(|(key_id, signature_id, ..)| {
        key_id.as_ref() == key_algorithm && signature_id.as_ref() == algorithm
    });
    let (_, _, hash, verifier) = *known.ok_or(CrlError::Algorithm)?;
    Ok(DigestScheme { key: issuer.public_key().to_vec(), hash, verifier })
}

/// Keys, signature algorithms, hashes and verifiers.
type KnownScheme = (
    AlgorithmIdentifier,
    AlgorithmIdentifier,
    &'static digest::Algorithm,
    &'static dyn VerificationAlgorithm,
);

static DIGEST_SCHEMES: [KnownScheme; 15] = [
    (RSA_ENCRYPTION, RSA_PKCS1_SHA256, &SHA256, &signature::RSA_PKCS1_2048_8192_SHA256),
    (RSA_ENCRYPTION, RSA_PKCS1_SHA384, &SHA384, &signature::RSA_PKCS1_2048_8192_SHA384),
    (RSA_ENCRYPTION, RSA_PKCS1_SHA512, &SHA512, &signature::RSA_PKCS1_2048_8192_SHA512),
    (RSA_ENCRYPTION, RSA_PSS_SHA256, &SHA256, &signature::RSA_PSS_2048_8192_SHA256),
    (RSA_ENCRYPTION, RSA_PSS_SHA384, &SHA384, &signature::RSA_PSS_2048_8192_SHA384),
    (RSA_ENCRYPTION, RSA_PSS_SHA512, &SHA512, &signature::RSA_PSS_2048_8192_SHA512),
    (ECDSA_P256, ECDSA_SHA256, &SHA256, &signature::ECDSA_P256_SHA256_ASN1),
    (ECDSA_P256, ECDSA_SHA384, &SHA384, &signature::ECDSA_P256_SHA384_ASN1),
    (ECDSA_P256, ECDSA_SHA512, &SHA512, &signature::ECDSA_P256_SHA512_ASN1),
    (ECDSA_P384, ECDSA_SHA256, &SHA256, &signature::ECDSA_P384_SHA256_ASN1),
    (ECDSA_P384, ECDSA_SHA384, &SHA384, &signature::ECDSA_P384_SHA384_ASN1),
    (ECDSA_P384, ECDSA_SHA512, &SHA512, &signature::ECDSA_P384_SHA512_ASN1),
    (ECDSA_P521, ECDSA_SHA256, &SHA256, &signature::ECDSA_P521_SHA256_ASN1),
    (ECDSA_P521, ECDSA_SHA384, &SHA384, &signature::ECDSA_P521_SHA384_ASN1),
    (ECDSA_P521, ECDSA_SHA512, &SHA512, &signature::ECDSA_P521_SHA512_ASN1),
];
