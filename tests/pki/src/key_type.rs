//! The kinds of key that a TPP may hold.

use aws_lc_rs::signature::Ed25519KeyPair;
use rcgen::{KeyPair, RsaKeySize};
use rustls_pki_types::PrivatePkcs8KeyDer;

use crate::Error;

/// What kind of key a certificate is made for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyType {
    /// ECDSA on P-256, what most TPPs use.
    #[default]
    P256,
    /// ECDSA on P-384.
    P384,
    /// Ed25519.
    Ed25519,
    /// RSA with a modulus of 2,048 bits.
    Rsa2048,
    /// RSA with a modulus of 3,072 bits.
    Rsa3072,
    /// RSA with a modulus of 4,096 bits; making one takes a second or more.
    Rsa4096,
}

impl KeyType {
    /// Every kind, for tests that go through them all.
    pub const ALL: [Self; 6] =
        [Self::P256, Self::P384, Self::Ed25519, Self::Rsa2048, Self::Rsa3072, Self::Rsa4096];

    pub(crate) fn generate(self) -> Result<KeyPair, Error> {
        Ok(match self {
            Self::P256 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?,
            Self::P384 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384)?,
            Self::Ed25519 => ed25519()?,
            Self::Rsa2048 => KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_2048)?,
            Self::Rsa3072 => KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_3072)?,
            Self::Rsa4096 => KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_4096)?,
        })
    }
}

/// rcgen writes Ed25519 keys as PKCS#8 version 2, with the public key beside the private one, which OpenSSL 3.0 cannot read;
/// version 1 is understood by everybody.
fn ed25519() -> Result<KeyPair, Error> {
    let document = Ed25519KeyPair::generate()?.to_pkcs8v1()?;
    let key = PrivatePkcs8KeyDer::from(document.as_ref());
    Ok(KeyPair::from_pkcs8_der_and_sign_algo(&key, &rcgen::PKCS_ED25519)?)
}
