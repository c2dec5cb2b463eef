//! Signature algorithms, and the keys that have them.

use std::fmt;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA512_ASN1, ECDSA_P384_SHA384_ASN1,
    ECDSA_P384_SHA384_FIXED, ECDSA_P384_SHA512_ASN1, ECDSA_P521_SHA512_ASN1, ED25519,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA512, VerificationAlgorithm,
};
use portcullis_identity::KeyAlgorithm;

use crate::error::SealError;
use crate::excerpt::excerpt;

/// An algorithm that is known here. Those with a shared secret are not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Algorithm {
    /// RSASSA-PSS with SHA-512 and a salt of 64 octets (RFC 9421 section 3.3.1).
    RsaPssSha512,
    /// RSASSA-PKCS1-v1_5 with SHA-256 (RFC 9421 section 3.3.2), `rsa-sha256` of the Berlin Group.
    RsaPkcs1Sha256,
    /// RSASSA-PKCS1-v1_5 with SHA-512, `rsa-sha512` of the Berlin Group.
    RsaPkcs1Sha512,
    /// ECDSA on P-256 with SHA-256 (RFC 9421 section 3.3.4), `ecdsa-sha256` of the Berlin Group.
    EcdsaP256Sha256,
    /// ECDSA on P-384 with SHA-384 (RFC 9421 section 3.3.5).
    EcdsaP384Sha384,
    /// ECDSA on P-256, P-384 or P-521 with SHA-512, as `hs2019` means it for such keys.
    EcdsaSha512,
    /// Ed25519 (RFC 9421 section 3.3.6).
    Ed25519,
}

/// Which algorithm a message names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    Named(Algorithm),
    /// `hs2019` (draft-cavage-12 appendix E.2): what the key says, with SHA-512. RSA is RSASSA-PSS.
    Hs2019,
    /// None: the first of the rules that the key has (RFC 9421 section 3.2, step 6).
    Unnamed,
}

impl Algorithm {
    /// All of them, those that RFC 9421 registers for a kind of key before others.
    pub const ALL: [Self; 7] = [
        Self::RsaPssSha512,
        Self::RsaPkcs1Sha256,
        Self::RsaPkcs1Sha512,
        Self::EcdsaP256Sha256,
        Self::EcdsaP384Sha384,
        Self::EcdsaSha512,
        Self::Ed25519,
    ];

    /// The name: that of the registry of RFC 9421 where it has one.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RsaPssSha512 => "rsa-pss-sha512",
            Self::RsaPkcs1Sha256 => "rsa-v1_5-sha256",
            Self::RsaPkcs1Sha512 => "rsa-v1_5-sha512",
            Self::EcdsaP256Sha256 => "ecdsa-p256-sha256",
            Self::EcdsaP384Sha384 => "ecdsa-p384-sha384",
            Self::EcdsaSha512 => "ecdsa-sha512",
            Self::Ed25519 => "ed25519",
        }
    }

    /// By its [name](Self::as_str), as a configuration has it.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == name)
    }

    /// Whether a key of this kind has it.
    pub(crate) const fn fits(self, key: &KeyAlgorithm) -> bool {
        match self {
            Self::RsaPssSha512 => matches!(key, KeyAlgorithm::Rsa | KeyAlgorithm::RsaPss),
            Self::RsaPkcs1Sha256 | Self::RsaPkcs1Sha512 => matches!(key, KeyAlgorithm::Rsa),
            Self::EcdsaP256Sha256 => matches!(key, KeyAlgorithm::EcP256),
            Self::EcdsaP384Sha384 => matches!(key, KeyAlgorithm::EcP384),
            Self::EcdsaSha512 => {
                matches!(key, KeyAlgorithm::EcP256 | KeyAlgorithm::EcP384 | KeyAlgorithm::EcP521)
            }
            Self::Ed25519 => matches!(key, KeyAlgorithm::Ed25519),
        }
    }

    /// The verification of a key that [fits](Self::fits).
    pub(crate) fn verification(self, key: &KeyAlgorithm) -> &'static dyn VerificationAlgorithm {
        match (self, key) {
            (Self::RsaPssSha512, _) => &RSA_PSS_2048_8192_SHA512,
            (Self::RsaPkcs1Sha256, _) => &RSA_PKCS1_2048_8192_SHA256,
            (Self::RsaPkcs1Sha512, _) => &RSA_PKCS1_2048_8192_SHA512,
            (Self::EcdsaP256Sha256, _) => &ECDSA_P256_SHA256_ASN1,
            (Self::EcdsaP384Sha384, _) => &ECDSA_P384_SHA384_ASN1,
            (Self::EcdsaSha512, KeyAlgorithm::EcP256) => &ECDSA_P256_SHA512_ASN1,
            (Self::EcdsaSha512, KeyAlgorithm::EcP384) => &ECDSA_P384_SHA512_ASN1,
            (Self::EcdsaSha512, _) => &ECDSA_P521_SHA512_ASN1,
            (Self::Ed25519, _) => &ED25519,
        }
    }

    /// The verification of a signature of fixed length, where the algorithm has that form. With SHA-512 it is not seen,
    /// and P-256 would have none in aws-lc-rs.
    pub(crate) fn fixed(self) -> Option<&'static dyn VerificationAlgorithm> {
        match self {
            Self::EcdsaP256Sha256 => Some(&ECDSA_P256_SHA256_FIXED),
            Self::EcdsaP384Sha384 => Some(&ECDSA_P384_SHA384_FIXED),
            _ => None,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Claim {
    /// As the Berlin Group's messages name it (draft-cavage-10 appendix E, -12 appendix E.2; in any case).
    pub(crate) fn of_draft(name: &str, accepted: &[Algorithm]) -> Result<Self, SealError> {
        Ok(match name.to_ascii_lowercase().as_str() {
            "hs2019" => Self::Hs2019,
            "rsa-sha256" => Self::Named(Algorithm::RsaPkcs1Sha256),
            "rsa-sha512" => Self::Named(Algorithm::RsaPkcs1Sha512),
            "ecdsa-sha256" => Self::Named(Algorithm::EcdsaP256Sha256),
            "ecdsa-sha512" => Self::Named(Algorithm::EcdsaSha512),
            "ed25519" => Self::Named(Algorithm::Ed25519),
            _ => return Err(not_accepted(name, accepted)),
        })
    }

    /// As RFC 9421 registers it (section 6.2.2).
    pub(crate) fn of_registry(name: Option<&str>, accepted: &[Algorithm]) -> Result<Self, SealError> {
        let Some(name) = name else { return Ok(Self::Unnamed) };
        match Algorithm::from_name(name) {
            Some(Algorithm::RsaPkcs1Sha512 | Algorithm::EcdsaSha512) | None => {
                Err(not_accepted(name, accepted))
            }
            Some(algorithm) => Ok(Self::Named(algorithm)),
        }
    }

    /// Binds the claim to the key: what the signature is verified with.
    ///
    /// # Errors
    /// The rules do not accept it, or the key does not have it.
    pub(crate) fn resolve(&self, key: &KeyAlgorithm, accepted: &[Algorithm]) -> Result<Algorithm, SealError> {
        let key_type =
            |name: &str| SealError::KeyType { algorithm: name.into(), key: excerpt(&key.to_string()) };
        let algorithm = match self {
            Self::Named(algorithm) => *algorithm,
            Self::Hs2019 => [Algorithm::RsaPssSha512, Algorithm::EcdsaSha512, Algorithm::Ed25519]
                .into_iter()
                .find(|algorithm| algorithm.fits(key))
                .ok_or_else(|| key_type("hs2019"))?,
            Self::Unnamed => *accepted
                .iter()
                .find(|algorithm| algorithm.fits(key))
                .ok_or_else(|| key_type("of the rules"))?,
        };
        if !accepted.contains(&algorithm) {
            return Err(not_accepted(algorithm.as_str(), accepted));
        }
        if algorithm.fits(key) { Ok(algorithm) } else { Err(key_type(algorithm.as_str())) }
    }
}

fn not_accepted(name: &str, accepted: &[Algorithm]) -> SealError {
    let names: Vec<_> = accepted.iter().map(|algorithm| algorithm.as_str()).collect();
    SealError::Algorithm { found: excerpt(name), accepted: names.join(", ").into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(
        claim: &Claim,
        key: &KeyAlgorithm,
        accepted: &[Algorithm],
    ) -> Result<&'static str, &'static str> {
        claim.resolve(key, accepted).map(Algorithm::as_str).map_err(|error| error.code())
    }

    #[test]
    fn the_key_says_what_hs2019_is() {
        let all = &Algorithm::ALL;
        for (key, expected) in [
            (KeyAlgorithm::Rsa, Ok("rsa-pss-sha512")),
            (KeyAlgorithm::RsaPss, Ok("rsa-pss-sha512")),
            (KeyAlgorithm::EcP256, Ok("ecdsa-sha512")),
            (KeyAlgorithm::EcP384, Ok("ecdsa-sha512")),
            (KeyAlgorithm::Ed25519, Ok("ed25519")),
            (KeyAlgorithm::Ed448, Err("seal.key-type")),
        ] {
            assert_eq!(resolved(&Claim::Hs2019, &key, all), expected, "{key}");
        }
        assert_eq!(resolved(&Claim::Hs2019, &KeyAlgorithm::Rsa, &all[1..]), Err("seal.algorithm"));
    }

    #[test]
    fn without_a_name_the_rules_choose() {
        let rsa = &KeyAlgorithm::Rsa;
        assert_eq!(resolved(&Claim::Unnamed, rsa, &Algorithm::ALL), Ok("rsa-pss-sha512"));
        assert_eq!(resolved(&Claim::Unnamed, rsa, &[Algorithm::RsaPkcs1Sha256]), Ok("rsa-v1_5-sha256"));
        assert_eq!(resolved(&Claim::Unnamed, rsa, &[Algorithm::Ed25519]), Err("seal.key-type"));
    }

    #[test]
    fn an_algorithm_goes_with_its_key_alone() {
        let named = |name| Claim::of_draft(name, &Algorithm::ALL).unwrap();
        assert_eq!(
            resolved(&named("RSA-SHA256"), &KeyAlgorithm::EcP256, &Algorithm::ALL),
            Err("seal.key-type")
        );
        assert_eq!(
            resolved(&named("rsa-sha512"), &KeyAlgorithm::RsaPss, &Algorithm::ALL),
            Err("seal.key-type")
        );
        assert_eq!(
            resolved(&named("ecdsa-sha256"), &KeyAlgorithm::EcP384, &Algorithm::ALL),
            Err("seal.key-type")
        );
        assert_eq!(resolved(&named("rsa-sha256"), &KeyAlgorithm::Rsa, &[]), Err("seal.algorithm"));
    }

    #[test]
    fn shared_secrets_and_sha_1_are_unknown() {
        for name in ["hmac-sha256", "rsa-sha1", "none", ""] {
            assert_eq!(
                Claim::of_draft(name, &Algorithm::ALL).unwrap_err().code(),
                "seal.algorithm",
                "{name}"
            );
            assert!(Claim::of_registry(Some(name), &Algorithm::ALL).is_err(), "{name}");
        }
        assert!(Claim::of_registry(Some("ecdsa-sha512"), &Algorithm::ALL).is_err(), "it is not registered");
    }
}
