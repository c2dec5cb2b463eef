//! The keys that an issuer publishes.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::DecodingKey;
use serde::Deserialize;
use thiserror::Error;

use crate::algorithm::{Algorithm, KeyKind};

/// Bytes of a key set. A hundred keys with certificates have half as many.
const BYTES_MAX: usize = 1 << 20;
/// Keys of a set. Issuers have two or three for each algorithm.
const KEYS_MAX: usize = 100;
/// Bits of an RSA modulus.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// Keys of an issuer that can verify (RFC 7517 5).
#[derive(Debug, Default)]
pub struct KeySet {
    keys: Vec<PublishedKey>,
    left_out: Vec<LeftOut>,
}

#[derive(Debug)]
struct PublishedKey {
    id: Option<String>,
    kind: KeyKind,
    /// The one algorithm that it is for, if it says so.
    algorithm: Option<Algorithm>,
    key: DecodingKey,
}

/// Why a key of a set is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LeftOut {
    /// It is for encryption.
    Encryption,
    /// Its type, its curve or its algorithm is none of those here.
    Unsupported,
    /// It has a private or a secret part, which is public now.
    Private,
    /// Its modulus is too short, or longer than anyone's.
    Size,
    /// It is not what its type says.
    Malformed,
}

/// Why a document is no key set.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum KeySetError {
    /// It is too large.
    #[error("has more than {BYTES_MAX} bytes")]
    TooLarge,
    /// It is none.
    #[error("is no JSON web key set")]
    Malformed(#[source] serde_json::Error),
    /// There are too many keys.
    #[error("has more than {KEYS_MAX} keys")]
    TooManyKeys,
    /// There is none that can be used.
    #[error("has no key that can be used")]
    Empty,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<serde_json::Value>,
}

/// The members of a key that matter here.
#[derive(Deserialize)]
struct Members {
    kty: String,
    #[serde(rename = "use")]
    usage: Option<String>,
    kid: Option<String>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
    d: Option<serde_json::Value>,
    k: Option<serde_json::Value>,
}

impl KeySet {
    /// Reads what an issuer publishes. Keys that cannot be used are [left out](Self::left_out).
    ///
    /// # Errors
    /// [`KeySetError`].
    pub fn from_json(json: &[u8]) -> Result<Self, KeySetError> {
        if json.len() > BYTES_MAX {
            return Err(KeySetError::TooLarge);
        }
        let Document { keys } = serde_json::from_slice(json).map_err(KeySetError::Malformed)?;
        if keys.len() > KEYS_MAX {
            return Err(KeySetError::TooManyKeys);
        }
        let mut set = Self::default();
        for key in keys {
            match serde_json::from_value(key).map_err(|_| LeftOut::Malformed).and_then(PublishedKey::read) {
                Ok(key) => set.keys.push(key),
                Err(why) => set.left_out.push(why),
            }
        }
        if set.keys.is_empty() { Err(KeySetError::Empty) } else { Ok(set) }
    }

    /// How many keys can be used.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is none, as before an issuer was first asked.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Why others cannot.
    pub fn left_out(&self) -> &[LeftOut] {
        &self.left_out
    }

    /// Keys that a token may be signed with: those of its id, or where it has none those without one and, of a set of one, that one.
    pub(crate) fn candidates(&self, id: Option<&str>) -> impl Iterator<Item = Candidate<'_>> {
        let is_only = self.keys.len() == 1;
        let fits = move |key: &&PublishedKey| match (id, key.id.as_deref()) {
            (Some(id), known) => known == Some(id),
            (None, known) => known.is_none() || is_only,
        };
        self.keys.iter().filter(fits).map(Candidate)
    }
}

/// A key that a token may be signed with.
#[derive(Clone, Copy)]
pub(crate) struct Candidate<'a>(&'a PublishedKey);

impl Candidate<'_> {
    /// Whether it is a key for that algorithm.
    pub(crate) fn serves(self, algorithm: Algorithm) -> bool {
        self.0.kind == algorithm.key_kind() && self.0.algorithm.is_none_or(|own| own == algorithm)
    }

    /// Whether the signature is its own.
    pub(crate) fn verifies(self, signed: &str, signature: &str, algorithm: Algorithm) -> bool {
        let verified =
            jsonwebtoken::crypto::verify(signature, signed.as_bytes(), &self.0.key, algorithm.for_library());
        verified.unwrap_or(false)
    }
}

impl PublishedKey {
    fn read(members: Members) -> Result<Self, LeftOut> {
        let Members { kty, usage, kid, alg, crv, n, e, x, y, d, k } = members;
        if d.is_some() || k.is_some() || kty == "oct" {
            return Err(LeftOut::Private);
        }
        if usage.is_some_and(|usage| usage != "sig") {
            return Err(LeftOut::Encryption);
        }
        let text = |member: Option<String>| member.ok_or(LeftOut::Malformed);
        let (kind, key) = match (kty.as_str(), crv.as_deref()) {
            ("RSA", _) => (KeyKind::Rsa, rsa(&text(n)?, &text(e)?)?),
            ("EC", Some("P-256")) => (KeyKind::P256, ec(&text(x)?, &text(y)?, 32)?),
            ("EC", Some("P-384")) => (KeyKind::P384, ec(&text(x)?, &text(y)?, 48)?),
            ("OKP", Some("Ed25519")) => {
                let x = text(x)?;
                coordinate(&x, 32)?;
                (KeyKind::Ed25519, DecodingKey::from_ed_components(&x).map_err(|_| LeftOut::Malformed)?)
            }
            _ => return Err(LeftOut::Unsupported),
        };
        let named = |name: String| Algorithm::from_name(&name).ok_or(LeftOut::Unsupported);
        let algorithm = alg.map(named).transpose()?;
        if algorithm.is_some_and(|algorithm| algorithm.key_kind() != kind) {
            return Err(LeftOut::Malformed);
        }
        Ok(Self { id: kid, kind, algorithm, key })
    }
}

fn rsa(n: &str, e: &str) -> Result<DecodingKey, LeftOut> {
    let modulus = URL_SAFE_NO_PAD.decode(n).map_err(|_| LeftOut::Malformed)?;
    let leading = modulus.iter().position(|byte| *byte != 0).ok_or(LeftOut::Malformed)?;
    let bits = (modulus.len() - leading) * 8 - modulus[leading].leading_zeros() as usize;
    if !RSA_BITS.contains(&bits) {
        return Err(LeftOut::Size);
    }
    DecodingKey::from_rsa_components(n, e).map_err(|_| LeftOut::Malformed)
}

fn ec(x: &str, y: &str, bytes: usize) -> Result<DecodingKey, LeftOut> {
    coordinate(x, bytes)?;
    coordinate(y, bytes)?;
    DecodingKey::from_ec_components(x, y).map_err(|_| LeftOut::Malformed)
}

/// A coordinate has its full length, zeros in front included (RFC 7518 6.2.1.2).
fn coordinate(text: &str, bytes: usize) -> Result<(), LeftOut> {
    let decoded = URL_SAFE_NO_PAD.decode(text).map_err(|_| LeftOut::Malformed)?;
    if decoded.len() == bytes { Ok(()) } else { Err(LeftOut::Malformed) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// The EC key of RFC 7517 A.1.
    const X: &str = "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4";
    const Y: &str = "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM";

    #[test]
    fn a_key_that_cannot_be_used_is_left_out_and_says_why() {
        let good = json!({ "kty": "EC", "crv": "P-256", "x": X, "y": Y, "kid": "1" });
        let with = |name: &str, value: serde_json::Value| {
            let mut key = good.clone();
            key[name] = value;
            key
        };
        let rsa = |bytes: usize| json!({ "kty": "RSA", "n": URL_SAFE_NO_PAD.encode(vec![0xff; bytes]), "e": "AQAB" });
        for (key, why) in [
            (with("use", json!("enc")), LeftOut::Encryption),
            (with("d", json!("AQ")), LeftOut::Private),
            (json!({ "kty": "oct", "k": "AQ" }), LeftOut::Private),
            (json!({ "kty": "oct" }), LeftOut::Private),
            (with("crv", json!("secp256k1")), LeftOut::Unsupported),
            (with("kty", json!("odd")), LeftOut::Unsupported),
            (with("alg", json!("HS256")), LeftOut::Unsupported),
            (with("alg", json!("none")), LeftOut::Unsupported),
            (with("alg", json!("ES384")), LeftOut::Malformed),
            (with("x", json!("AQ")), LeftOut::Malformed),
            (with("x", json!(7)), LeftOut::Malformed),
            (json!(7), LeftOut::Malformed),
            (rsa(128), LeftOut::Size),
            (rsa(2048), LeftOut::Size),
        ] {
            let set = json!({ "keys": [key, good] }).to_string();
            let set = KeySet::from_json(set.as_bytes()).unwrap();
            assert_eq!((set.len(), set.left_out()), (1, &[why][..]), "{key}");
        }
        let set = json!({ "keys": [rsa(256), good] }).to_string();
        assert_eq!(KeySet::from_json(set.as_bytes()).unwrap().len(), 2);
    }

    #[test]
    fn a_set_is_bounded() {
        let good = json!({ "kty": "EC", "crv": "P-256", "x": X, "y": Y });
        let many = json!({ "keys": vec![good; 101] }).to_string();
        assert!(matches!(KeySet::from_json(many.as_bytes()), Err(KeySetError::TooManyKeys)));
        assert!(matches!(KeySet::from_json(&vec![b' '; BYTES_MAX + 1]), Err(KeySetError::TooLarge)));
        assert!(matches!(KeySet::from_json(b"{\"keys\":[]}"), Err(KeySetError::Empty)));
        assert!(matches!(KeySet::from_json(b"{}"), Err(KeySetError::Malformed(_))));
    }

    proptest! {
        #[test]
        fn no_bytes_make_reading_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), text in "\\PC{0,80}") {
            let _ = KeySet::from_json(&bytes);
            let _ = KeySet::from_json(json!({ "keys": [{ "kty": "RSA", "n": text, "e": text }] }).to_string().as_bytes());
        }
    }
}
