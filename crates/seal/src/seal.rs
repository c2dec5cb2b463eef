//! The steps of verification, each of which makes what the next one needs.

use portcullis_identity::SpkiHash;

use crate::algorithm::Algorithm;
use crate::certificate_field::certificate_in;
use crate::claim::Claim;
use crate::digest::ExpectedDigest;
use crate::error::SealError;
use crate::excerpt::excerpt;
use crate::freshness::{Freshness, Times, imf_fixdate};
use crate::head::RequestHead;
use crate::observer::{Observer, Silent};
use crate::rules::{Profile, SealRules};
use crate::verifying_key::VerifyingKey;
use crate::{berlin_group, coverage, message_signatures};

/// Bytes of an `X-Request-ID`. A UUID has 36; identifiers that are not UUIDs are seen and taken.
pub const REQUEST_ID_BYTES_MAX: usize = 128;

/// The beginning of verification.
#[derive(Clone, Copy, Debug)]
pub struct Seal;

/// A message whose seal has been read, and nothing of it believed: neither the certificate nor the signature.
#[derive(Clone, Debug)]
pub struct Parsed {
    claim: Claim,
    certificate: Box<[u8]>,
    spki: Box<[u8]>,
    certificate_field: Box<str>,
    digest: ExpectedDigest,
    request_id: Option<Box<str>>,
    times: Times,
    freshness: Freshness,
    algorithms: Box<[Algorithm]>,
    rsa_bits_min: u32,
}

/// A message whose head was sealed with the key of its certificate, and recently. Its body is sealed once
/// [`ExpectedDigest::begin`] has led to success.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sealed {
    /// How it was sealed.
    pub profile: Profile,
    /// With which algorithm.
    pub algorithm: Algorithm,
    /// The components that are covered whole, in lower case.
    pub covered: Box<[Box<str>]>,
    /// What the body must be.
    pub digest: ExpectedDigest,
    /// `X-Request-ID`: visible characters of ASCII, at most [`REQUEST_ID_BYTES_MAX`].
    pub request_id: Option<Box<str>>,
    /// When it was sealed, in seconds of Unix time, by something that is signed.
    pub sealed_at_s: Option<i64>,
}

impl Seal {
    /// Reads the seal of a request: which certificate is claimed, what is covered, which digest the body must have.
    ///
    /// Trust: hostile in every part. Time and memory are linear in the head, times the
    /// [components](crate::COMPONENTS_MAX) that are covered at most.
    ///
    /// # Errors
    /// The seal is missing or not well-formed, covers less than it must, names another certificate than the message
    /// holds, or announces no digest that counts.
    pub fn parse(head: &RequestHead<'_>, rules: &SealRules) -> Result<Parsed, SealError> {
        Parsed::read(head, rules, &mut Silent)
    }
}

impl Parsed {
    /// The DER of the certificate that is claimed, for the caller to judge. Its frame, its issuer and its serial number
    /// have been read, and no more.
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// The `SubjectPublicKeyInfo` of the [certificate](Self::certificate).
    pub fn subject_public_key_info(&self) -> &[u8] {
        &self.spki
    }

    /// How the message says that it is sealed.
    pub const fn profile(&self) -> Profile {
        self.claim.profile
    }

    /// What was signed, if the message is the one that was sealed: the signing string of the drafts, the signature base
    /// of RFC 9421.
    pub fn signed(&self) -> &[u8] {
        &self.claim.base
    }

    /// Verifies the signature with `spki`, the `SubjectPublicKeyInfo` of the certificate that the caller has judged,
    /// and that the message was sealed recently at `now_s`, the present in seconds of Unix time. What was judged is
    /// what is verified: the key of another certificate than the [message's](Self::certificate) is refused.
    ///
    /// # Errors
    /// The key is not the certificate's, not one that the algorithm goes with, or too short; the signature is not one;
    /// or the message is stale, or from the future.
    pub fn verify_signature(self, spki: &[u8], now_s: i64) -> Result<Sealed, SealError> {
        let key = self.key(spki)?;
        let algorithm = self.algorithm(&key)?;
        self.demand_signature(&key, algorithm)?;
        self.demand_fresh(now_s)?;
        Ok(Sealed {
            profile: self.claim.profile,
            algorithm,
            covered: self.claim.covered.into(),
            digest: self.digest,
            request_id: self.request_id,
            sealed_at_s: self.times.sealed_at_s,
        })
    }

    pub(crate) fn key<'a>(&self, spki: &'a [u8]) -> Result<VerifyingKey<'a>, SealError> {
        if *spki != *self.spki {
            let [found, expected] =
                [spki, &self.spki].map(|spki| format!("of the key {}", SpkiHash::of(spki)).into());
            return Err(SealError::KeyId { found, expected });
        }
        let key = VerifyingKey::from_info(spki, &self.certificate_field)?;
        key.demand_bits(self.rsa_bits_min)?;
        Ok(key)
    }

    pub(crate) fn algorithm(&self, key: &VerifyingKey<'_>) -> Result<Algorithm, SealError> {
        self.claim.algorithm.resolve(&key.kind.algorithm, &self.algorithms)
    }

    pub(crate) fn demand_signature(
        &self,
        key: &VerifyingKey<'_>,
        algorithm: Algorithm,
    ) -> Result<(), SealError> {
        let Claim { base, signature, profile, .. } = &self.claim;
        match key.verifies(algorithm, self.claim.ecdsa_form(), base, signature) {
            true => Ok(()),
            false => {
                Err(SealError::Signature { algorithm: algorithm.as_str(), profile: profile.specification() })
            }
        }
    }

    pub(crate) fn demand_fresh(&self, now_s: i64) -> Result<(), SealError> {
        self.times.check(self.freshness, now_s)
    }

    pub(crate) const fn digest(&self) -> &ExpectedDigest {
        &self.digest
    }

    /// Reads a message before the eyes of an observer.
    pub(crate) fn read(
        head: &RequestHead<'_>,
        rules: &SealRules,
        observer: &mut impl Observer,
    ) -> Result<Self, SealError> {
        let profile = observer.step("profile", profile_of(head, rules), |profile| {
            format!("{}: {}", profile.as_str(), profile.specification())
        })?;
        observer.step("fields", demand_single(head, profile, rules), |()| found(head, rules))?;
        let digest = observer.step("digest announced", digest_of(head, profile), |_| {
            format!("in {}", profile.digest_field())
        })?;
        let claim = match profile {
            Profile::BerlinGroup => berlin_group::claim(head, rules),
            Profile::MessageSignatures => message_signatures::claim(head, rules),
        };
        let claim =
            observer.step("signed", claim, |claim| String::from_utf8_lossy(&claim.base).into_owned())?;
        observer.step("coverage", coverage::demand(head, &claim, rules), |()| claim.covered.join(", "))?;
        let certificate =
            observer.step("certificate", certificate_in(head, &claim, rules), |certificate| {
                let key_id = excerpt(claim.key_id.as_deref().unwrap_or("absent"));
                format!("{}\nkeyId: {key_id}", certificate.key_id)
            })?;
        let request_id = observer.step("request-id", request_id(head), |request_id| {
            request_id.as_deref().unwrap_or("none").to_owned()
        })?;
        let times = observer.step("sealed at", times(head, &claim), |times| {
            times.sealed_at_s.map_or_else(|| "nothing says when".to_owned(), |at_s| at_s.to_string())
        })?;
        Ok(Self {
            claim,
            certificate: certificate.der.into(),
            spki: certificate.spki,
            certificate_field: rules.certificate_field.clone(),
            digest,
            request_id,
            times,
            freshness: Freshness::of(rules),
            algorithms: rules.algorithms.as_slice().into(),
            rsa_bits_min: rules.rsa_bits_min,
        })
    }
}

fn profile_of(head: &RequestHead<'_>, rules: &SealRules) -> Result<Profile, SealError> {
    let missing = |field: &str| Err(SealError::Missing { field: field.into() });
    let fields = head.fields();
    if !fields.has("signature") {
        return missing("Signature");
    }
    let by_rfc = rules.profiles.contains(&Profile::MessageSignatures);
    if by_rfc && fields.has("signature-input") {
        return Ok(Profile::MessageSignatures);
    }
    // Whoever sends the digest of RFC 9530 means RFC 9421, and is told what that needs.
    let means_rfc = by_rfc && fields.has("content-digest") && !fields.has("digest");
    if rules.profiles.contains(&Profile::BerlinGroup) && !means_rfc {
        return Ok(Profile::BerlinGroup);
    }
    missing("Signature-Input")
}

/// Fields of which two readers could take different ones. `Signature`, `Signature-Input` and `Content-Digest` of RFC
/// 9421 are dictionaries, whose lines are one value.
fn demand_single(head: &RequestHead<'_>, profile: Profile, rules: &SealRules) -> Result<(), SealError> {
    let always = ["x-request-id", "digest", "date", &rules.certificate_field];
    let signature = (profile == Profile::BerlinGroup).then_some("signature");
    always.into_iter().chain(signature).try_for_each(|name| head.fields().single(name).map(drop))
}

/// The fields that are about the seal, a line each.
fn found(head: &RequestHead<'_>, rules: &SealRules) -> String {
    let names = [
        "signature-input",
        "signature",
        "digest",
        "content-digest",
        &rules.certificate_field,
        "x-request-id",
        "date",
    ];
    let line = |name: &str, value: &[u8]| format!("{name}: {}", excerpt(&String::from_utf8_lossy(value)));
    let lines =
        names.into_iter().flat_map(|name| head.fields().values(name).map(move |value| line(name, value)));
    lines.collect::<Vec<_>>().join("\n")
}

fn digest_of(head: &RequestHead<'_>, profile: Profile) -> Result<ExpectedDigest, SealError> {
    let field = profile.digest_field();
    match profile {
        Profile::BerlinGroup => {
            let value = head.fields().single(field)?.ok_or(SealError::DigestMissing { field })?;
            ExpectedDigest::from_digest(value)
        }
        Profile::MessageSignatures => match head.fields().joined(field)? {
            Some(value) => ExpectedDigest::from_content_digest(&value),
            None => Ok(ExpectedDigest::none(field)),
        },
    }
}

fn request_id(head: &RequestHead<'_>) -> Result<Option<Box<str>>, SealError> {
    let Some(request_id) = head.fields().single("x-request-id")? else { return Ok(None) };
    let refused = |reason: &'static str| Err(SealError::RequestId { reason: reason.into() });
    if request_id.is_empty() || request_id.len() > REQUEST_ID_BYTES_MAX {
        return refused("it has 1 to 128 characters");
    }
    if !request_id.bytes().all(|octet| octet.is_ascii_graphic()) {
        return refused("its characters are visible ones of ASCII");
    }
    Ok(Some(request_id.into()))
}

/// When the message was sealed: by `created` where it is covered, or else by `Date` where that is.
fn times(head: &RequestHead<'_>, claim: &Claim) -> Result<Times, SealError> {
    let created_s = claim.created_s.filter(|_| claim.created_is_covered);
    let sealed_at_s = match (created_s, head.fields().single("date")?) {
        (Some(created_s), _) => Some(created_s),
        (None, Some(date)) if claim.covers("date") => Some(imf_fixdate(date)?),
        _ => None,
    };
    Ok(Times { sealed_at_s, created_s: claim.created_s, expires_s: claim.expires_s })
}
