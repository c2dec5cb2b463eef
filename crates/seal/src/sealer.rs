//! Sealing: for tests, for who tries a route, and for a bank that seals its answers.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING,
    ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_ASN1_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    Ed25519KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA512, RSA_PSS_SHA512, RsaEncoding, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use portcullis_identity::TbsCertificate;
use sfv::{BareItem, Dictionary, FieldType as _, InnerList, Item, KeyRef, ListEntry, StringRef};

use crate::algorithm::Algorithm;
use crate::berlin_group::signing_string;
use crate::coverage::COVERED_MIN;
use crate::error::SealError;
use crate::head::{Message, RequestHead, ResponseHead};
use crate::key_id;
use crate::message_signatures::{serialize, signature_base};
use crate::parameters::Parameters;
use crate::rules::{Profile, SealRules};
use crate::verifying_key::{EcdsaForm, VerifyingKey};

/// The label of a signature of RFC 9421.
const LABEL: &str = "seal";

/// Algorithms of each profile, of which a key has one, RSA the one that is in most use.
const BERLIN_GROUP: [Algorithm; 4] =
    [Algorithm::RsaPkcs1Sha256, Algorithm::EcdsaP256Sha256, Algorithm::EcdsaSha512, Algorithm::Ed25519];
const MESSAGE_SIGNATURES: [Algorithm; 4] =
    [Algorithm::RsaPssSha512, Algorithm::EcdsaP256Sha256, Algorithm::EcdsaP384Sha384, Algorithm::Ed25519];

/// A key to seal with, and its certificate.
pub struct Sealer {
    key: SigningKey,
    algorithm: Algorithm,
    certificate: Box<[u8]>,
    key_id: String,
}

enum SigningKey {
    Rsa(Box<RsaKeyPair>, &'static dyn RsaEncoding),
    /// As DER for the drafts, and in fixed length for RFC 9421, where the algorithm has that form.
    Ecdsa(Box<EcdsaKeyPair>, Option<Box<EcdsaKeyPair>>),
    Ed25519(Box<Ed25519KeyPair>),
}

/// A field to be added to a message.
pub type Field = (&'static str, String);

impl Sealer {
    /// Takes a private key in PKCS#8 and the DER of its certificate. Whether the two belong together is not looked at.
    ///
    /// # Errors
    /// The key is none that has the algorithm, or the certificate is none. Nothing can be signed on P-256 or P-384 with
    /// SHA-512.
    pub fn from_pkcs8(pkcs8: &[u8], certificate: &[u8], algorithm: Algorithm) -> Result<Self, SealError> {
        let tbs = TbsCertificate::from_der(certificate).map_err(|error| unusable(error.to_string()))?;
        Ok(Self {
            key: SigningKey::from_pkcs8(pkcs8, algorithm)?,
            algorithm,
            certificate: certificate.into(),
            key_id: key_id::expected(&tbs),
        })
    }

    /// The same by the first algorithm of a profile that the key has. The key is that of the certificate.
    ///
    /// # Errors
    /// As [`from_pkcs8`](Self::from_pkcs8); it is another's key.
    pub fn of(profile: Profile, pkcs8: &[u8], certificate: &[u8]) -> Result<Self, SealError> {
        let algorithms = match profile {
            Profile::BerlinGroup => &BERLIN_GROUP,
            Profile::MessageSignatures => &MESSAGE_SIGNATURES,
        };
        let sealer = algorithms.iter().find_map(|it| Self::from_pkcs8(pkcs8, certificate, *it).ok());
        let Some(sealer) = sealer else {
            // The certificate may be at fault.
            return Self::from_pkcs8(pkcs8, certificate, Algorithm::EcdsaP256Sha256);
        };
        if sealer.is_of_certificate()? {
            Ok(sealer)
        } else {
            Err(unusable("it is not the key of the certificate"))
        }
    }

    fn is_of_certificate(&self) -> Result<bool, SealError> {
        let tbs = TbsCertificate::from_der(&self.certificate).map_err(|error| unusable(error.to_string()))?;
        let key = VerifyingKey::from_info(tbs.subject_public_key_info, "certificate")?;
        let signature = self.key.sign(&[], false)?;
        Ok(self.algorithm.fits(&key.kind.algorithm)
            && key.verifies(self.algorithm, EcdsaForm::Either, &[], &signature))
    }

    /// Seals a request as the Berlin Group has it. Everything that it has of [`COVERED_MIN`] and a `Date` are covered.
    ///
    /// # Errors
    /// The algorithm has no name there, or a field of the head cannot be signed.
    pub fn berlin_group(&self, head: &RequestHead<'_>, body: &[u8]) -> Result<Vec<Field>, SealError> {
        let algorithm = self.draft_name()?;
        let digest = format!("SHA-256={}", STANDARD.encode(digest(&SHA256, body)));
        let mut covered: Vec<Box<str>> = vec!["digest".into()];
        let others = COVERED_MIN.into_iter().chain(["date"]).filter(|name| head.fields().has(name));
        covered.extend(others.map(Into::into));
        let fields: Vec<_> = head.fields.iter().copied().chain([("digest", digest.as_bytes())]).collect();
        let head = RequestHead { fields: &fields, ..*head };
        let parameters = Parameters { algorithm: Some(algorithm), ..Parameters::default() };
        let signature = self.key.sign(&signing_string(&head, &covered, &parameters)?, false)?;
        // Within quotes a backslash needs one before it, and so do quotes.
        let key_id = self.key_id.replace('\\', r"\\").replace('"', r#"\""#);
        let signature = format!(
            r#"keyId="{key_id}",algorithm="{algorithm}",headers="{}",signature="{}""#,
            covered.join(" "),
            STANDARD.encode(signature)
        );
        Ok(vec![
            ("digest", digest),
            (SealRules::CERTIFICATE_FIELD, STANDARD.encode(&self.certificate)),
            ("signature", signature),
        ])
    }

    /// Seals a request as RFC 9421 has it: method, target, body, certificate, and everything that it has of [`COVERED_MIN`].
    ///
    /// # Errors
    /// A field of the head cannot be signed.
    pub fn message_signature(
        &self,
        head: &RequestHead<'_>,
        body: &[u8],
        created_s: i64,
    ) -> Result<Vec<Field>, SealError> {
        let mut fields = vec![content_digest(digest(&SHA256, body).as_ref())];
        fields.push((SealRules::CERTIFICATE_FIELD, STANDARD.encode(&self.certificate)));
        let mut covered = vec!["@method", "@target-uri", "content-digest", SealRules::CERTIFICATE_FIELD];
        covered.extend(COVERED_MIN.into_iter().filter(|name| head.fields().has(name)));
        let all = with(head.fields, &fields);
        let input = self.input(&covered, created_s)?;
        let base = signature_base(Message::Request(&RequestHead { fields: &all, ..*head }), &input)?;
        fields.extend(self.signature_fields(&input, &base)?);
        Ok(fields)
    }

    /// Seals an answer as RFC 9421 has it: status, body, and its type and `X-Request-ID` where it has them. Of the body its SHA-256 is
    /// taken.
    ///
    /// # Errors
    /// A field of the head cannot be signed.
    pub fn response(
        &self,
        head: &ResponseHead<'_>,
        body_sha256: &[u8],
        created_s: i64,
    ) -> Result<Vec<Field>, SealError> {
        let mut fields = vec![content_digest(body_sha256)];
        let all = with(head.fields, &fields);
        let head = ResponseHead { fields: &all, ..*head };
        let message = Message::Response(&head);
        let mut covered = vec!["@status", "content-digest"];
        covered
            .extend(["content-type", "x-request-id"].into_iter().filter(|name| message.fields().has(name)));
        let input = self.input(&covered, created_s)?;
        let base = signature_base(message, &input)?;
        fields.extend(self.signature_fields(&input, &base)?);
        Ok(fields)
    }

    fn input(&self, covered: &[&str], created_s: i64) -> Result<InnerList, SealError> {
        let items: Result<Vec<_>, _> = covered.iter().map(|name| string(name).map(Item::new)).collect();
        let mut input = InnerList::new(items?);
        let created = sfv::Integer::try_from(created_s).map_err(|error| unusable(error.to_string()))?;
        let thumbprint = URL_SAFE_NO_PAD.encode(digest(&SHA256, &self.certificate));
        for (name, value) in [
            ("created", BareItem::Integer(created)),
            ("keyid", string(&thumbprint)?),
            ("alg", string(self.algorithm.as_str())?),
        ] {
            input.params.insert(key(name)?, value);
        }
        Ok(input)
    }

    fn signature_fields(&self, input: &InnerList, base: &[u8]) -> Result<[Field; 2], SealError> {
        let signature = self.key.sign(base, true)?;
        let mut signatures = Dictionary::new();
        signatures.insert(key(LABEL)?, ListEntry::Item(Item::new(signature)));
        Ok([
            ("signature-input", format!("{LABEL}={}", serialize(input))),
            ("signature", signatures.serialize().unwrap_or_default()),
        ])
    }

    /// What the drafts call the algorithm.
    fn draft_name(&self) -> Result<&'static str, SealError> {
        Ok(match self.algorithm {
            Algorithm::RsaPkcs1Sha256 => "rsa-sha256",
            Algorithm::RsaPkcs1Sha512 => "rsa-sha512",
            Algorithm::EcdsaP256Sha256 => "ecdsa-sha256",
            Algorithm::RsaPssSha512 | Algorithm::EcdsaSha512 | Algorithm::Ed25519 => "hs2019",
            Algorithm::EcdsaP384Sha384 => return Err(unusable("the drafts have no name for its algorithm")),
        })
    }
}

/// Without the key.
impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealer({}, {})", self.key_id, self.algorithm)
    }
}

impl SigningKey {
    fn from_pkcs8(pkcs8: &[u8], algorithm: Algorithm) -> Result<Self, SealError> {
        let rsa =
            |encoding| Ok(Self::Rsa(Box::new(RsaKeyPair::from_pkcs8(pkcs8).map_err(rejected)?), encoding));
        let pair = |algorithm: &'static EcdsaSigningAlgorithm| {
            EcdsaKeyPair::from_pkcs8(algorithm, pkcs8).map(Box::new).map_err(rejected)
        };
        match algorithm {
            Algorithm::RsaPssSha512 => rsa(&RSA_PSS_SHA512),
            Algorithm::RsaPkcs1Sha256 => rsa(&RSA_PKCS1_SHA256),
            Algorithm::RsaPkcs1Sha512 => rsa(&RSA_PKCS1_SHA512),
            Algorithm::EcdsaP256Sha256 => Ok(Self::Ecdsa(
                pair(&ECDSA_P256_SHA256_ASN1_SIGNING)?,
                Some(pair(&ECDSA_P256_SHA256_FIXED_SIGNING)?),
            )),
            Algorithm::EcdsaP384Sha384 => Ok(Self::Ecdsa(
                pair(&ECDSA_P384_SHA384_ASN1_SIGNING)?,
                Some(pair(&ECDSA_P384_SHA384_FIXED_SIGNING)?),
            )),
            Algorithm::EcdsaSha512 => Ok(Self::Ecdsa(pair(&ECDSA_P521_SHA512_ASN1_SIGNING)?, None)),
            Algorithm::Ed25519 => {
                let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8).map_err(rejected)?;
                Ok(Self::Ed25519(Box::new(pair)))
            }
        }
    }

    fn sign(&self, message: &[u8], is_fixed: bool) -> Result<Vec<u8>, SealError> {
        let failed = |_| unusable("signing failed");
        match self {
            Self::Rsa(pair, encoding) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(*encoding, &SystemRandom::new(), message, &mut signature).map_err(failed)?;
                Ok(signature)
            }
            Self::Ecdsa(_, None) if is_fixed => Err(unusable("its algorithm is not registered for RFC 9421")),
            Self::Ecdsa(der, fixed) => {
                let pair = fixed.as_ref().filter(|_| is_fixed).unwrap_or(der);
                Ok(pair.sign(&SystemRandom::new(), message).map_err(failed)?.as_ref().to_vec())
            }
            Self::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
        }
    }
}

fn content_digest(sha256: &[u8]) -> Field {
    ("content-digest", format!("sha-256=:{}:", STANDARD.encode(sha256)))
}

fn with<'a>(fields: &[(&'a str, &'a [u8])], added: &'a [Field]) -> Vec<(&'a str, &'a [u8])> {
    let added = added.iter().map(|(name, value)| (*name, value.as_bytes()));
    fields.iter().copied().chain(added).collect()
}

fn string(text: &str) -> Result<BareItem, SealError> {
    StringRef::from_str(text)
        .map(|text| BareItem::String(text.to_owned()))
        .map_err(|error| unusable(error.to_string()))
}

fn key(name: &str) -> Result<sfv::Key, SealError> {
    KeyRef::from_str(name).map(ToOwned::to_owned).map_err(|error| unusable(error.to_string()))
}

fn rejected(error: aws_lc_rs::error::KeyRejected) -> SealError {
    unusable(error.to_string())
}

fn unusable(reason: impl Into<std::borrow::Cow<'static, str>>) -> SealError {
    SealError::SigningKey { reason: reason.into() }
}
