//! What the gate says of a client under its own signature: backends can check it instead of trusting the network between.

use std::{fmt, rc::Rc, sync::Arc};

use aws_lc_rs::{
    digest::{SHA256, digest},
    error::{KeyRejected, Unspecified},
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use portcullis_policy::{Assessment, Permit};
use serde::Serialize;
use serde_json::{Value, json};

use crate::judge::distinct;

/// The `typ` of assertions, by which no other token of the same key can be taken for one (RFC 8725 3.11).
const TYPE: &str = "portcullis-assertion+jwt";

/// A key that signs assertions: ECDSA on P-256.
pub struct AssertionKey {
    pair: EcdsaKeyPair,
    /// Its public half (RFC 7517).
    jwk: Value,
    /// The head of a token that it signs, encoded.
    header: String,
}

impl AssertionKey {
    /// Reads a private key from DER: PKCS#8 (RFC 5958) or SEC 1 (RFC 5915).
    ///
    /// # Errors
    /// It is none on P-256.
    pub fn from_der(der: &[u8]) -> Result<Self, KeyRejected> {
        let pair = EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_FIXED_SIGNING, der)?;
        // An uncompressed point: a byte that says so, and two coordinates (SEC 1 2.3.3).
        let point = pair.public_key().as_ref();
        let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..65]));
        // The members in this order, and without spaces, are what RFC 7638 3 hashes.
        let hashed = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
        let id = URL_SAFE_NO_PAD.encode(digest(&SHA256, hashed.as_bytes()));
        let header = json!({ "alg": "ES256", "kid": id, "typ": TYPE });
        let header = URL_SAFE_NO_PAD.encode(header.to_string());
        let jwk =
            json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": id, "alg": "ES256", "use": "sig" });
        Ok(Self { pair, jwk, header })
    }

    /// A signed token with these claims (RFC 7515 7.1).
    fn sign(&self, claims: &[u8]) -> Result<String, Unspecified> {
        let mut token = format!("{}.{}", self.header, URL_SAFE_NO_PAD.encode(claims));
        let signature = self.pair.sign(&SystemRandom::new(), token.as_bytes())?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(token)
    }
}

impl fmt::Debug for AssertionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AssertionKey({})", self.jwk["kid"])
    }
}

/// How assertions are made: JSON web tokens (RFC 7519) under ES256.
#[derive(Debug)]
pub struct Assertions {
    /// Signs.
    pub key: AssertionKey,
    /// Sign no longer, or not yet; backends know them.
    pub other_keys: Vec<AssertionKey>,
    /// Who says it (`iss`).
    pub issuer: String,
    /// For how long each holds, in seconds.
    pub lifetime_s: i64,
}

impl Assertions {
    /// The public keys (RFC 7517 5).
    pub fn key_set(&self) -> Value {
        let keys = std::iter::once(&self.key).chain(&self.other_keys);
        json!({ "keys": keys.map(|key| &key.jwk).collect::<Vec<_>>() })
    }
}

/// What is said, and to whom.
#[derive(Debug, Clone)]
pub(crate) struct Addressed {
    pub(crate) assertions: Arc<Assertions>,
    /// `aud`
    pub(crate) audience: Arc<str>,
}

/// The claims (RFC 7519 4). Those that a certificate does not have are left out.
#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    aud: &'a str,
    /// The id of the key, or where there are none the hash of the certificate.
    sub: &'a str,
    iat: i64,
    exp: i64,
    /// The hash of the client's certificate, as RFC 8705 3.1 writes it.
    #[serde(rename = "x5t#S256")]
    thumbprint: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    organization_identifier: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    organization: Option<&'a str>,
    /// Those that routes are opened by.
    #[serde(skip_serializing_if = "Option::is_none")]
    roles: Option<Vec<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nca: Option<Nca<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    qtsp: Option<Qtsp<'a>>,
    /// What of the certificate is not as it should be, though it passes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    codes: Vec<&'static str>,
}

/// The competent authority.
#[derive(Serialize)]
struct Nca<'a> {
    id: &'a str,
    name: &'a str,
}

/// Who issued the certificate, by the trusted list that says so.
#[derive(Serialize)]
struct Qtsp<'a> {
    name: &'a str,
    territory: &'a str,
}

/// The field lines that one connection has at present, one for each audience.
#[derive(Debug, Default)]
pub(crate) struct AssertionLines(Vec<AssertionLine>);

#[derive(Debug)]
struct AssertionLine {
    addressed: Addressed,
    /// From then on it is made anew, in seconds of Unix time: whoever gets it has half of its life to look at it.
    renew_at: i64,
    line: Rc<[u8]>,
}

impl AssertionLines {
    /// What is said of a client at `now`, and holds until `until` at most. `None` for a client without a certificate, of which there is
    /// nothing to say, and where nothing can be signed.
    pub(crate) fn line(
        &mut self,
        to: &Addressed,
        permit: &Permit,
        (now, until): (i64, i64),
    ) -> Option<Rc<[u8]>> {
        let is_same = |known: &AssertionLine| {
            Arc::ptr_eq(&known.addressed.assertions, &to.assertions)
                && known.addressed.audience == to.audience
        };
        let known = self.0.iter().find(|known| is_same(known) && now < known.renew_at);
        if let Some(known) = known {
            return Some(Rc::clone(&known.line));
        }
        let lifetime_s = to.assertions.lifetime_s;
        let claims =
            claims(to, permit.assessment()?, (now, until.min(now.saturating_add(lifetime_s))), permit);
        let token = to.assertions.key.sign(&claims);
        let token = token.inspect_err(|_| tracing::error!("an assertion cannot be signed")).ok()?;
        let line: Rc<[u8]> = format!("portcullis-assertion: {token}\r\n").into_bytes().into();
        // Nothing is said any more by keys that are not those of the present plan.
        self.0.retain(|known| Arc::ptr_eq(&known.addressed.assertions, &to.assertions) && !is_same(known));
        let renew_at = now.saturating_add(lifetime_s / 2);
        self.0.push(AssertionLine { addressed: to.clone(), renew_at, line: Rc::clone(&line) });
        Some(line)
    }
}

fn claims(to: &Addressed, assessment: &Assessment, (iat, exp): (i64, i64), permit: &Permit) -> Vec<u8> {
    let Assessment { identity, key, .. } = assessment;
    let (subject, psd2) = (&identity.subject, identity.psd2.as_ref());
    let sub = key.key_id().map_or_else(|| identity.thumbprint.to_string(), |id| id.to_string());
    let roles = permit.roles().to_string();
    let claims = Claims {
        iss: &to.assertions.issuer,
        aud: &to.audience,
        sub: &sub,
        iat,
        exp,
        thumbprint: URL_SAFE_NO_PAD.encode(identity.thumbprint.as_bytes()),
        organization_identifier: subject.organization_identifier.as_deref(),
        organization: subject.organization.as_deref(),
        roles: psd2.map(|_| roles.split_whitespace().collect()),
        nca: psd2.map(|psd2| Nca { id: &psd2.nca_id, name: &psd2.nca_name }),
        qtsp: assessment.listing().map(|it| Qtsp { name: &it.provider, territory: &it.territory }),
        codes: distinct(assessment.codes()),
    };
    // Texts and numbers can always be written.
    serde_json::to_vec(&claims).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_known_by_its_thumbprint_and_must_be_on_p256() {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let der = pair.to_pkcs8v1().unwrap();
        let (one, same) =
            (AssertionKey::from_der(der.as_ref()).unwrap(), AssertionKey::from_der(der.as_ref()).unwrap());
        assert_eq!(one.jwk, same.jwk);
        assert!(one.jwk.get("d").is_none() && one.jwk["kid"].as_str().unwrap().len() == 43);
        let (other, issuer) = (AssertionKey::from_der(der.as_ref()).unwrap(), "gate".to_owned());
        let assertions = Assertions { key: one, other_keys: vec![other], issuer, lifetime_s: 60 };
        assert_eq!(assertions.key_set()["keys"].as_array().unwrap().len(), 2);
        let p384 = &aws_lc_rs::signature::ECDSA_P384_SHA384_FIXED_SIGNING;
        let p384 = EcdsaKeyPair::generate(p384).unwrap().to_pkcs8v1().unwrap();
        assert!(AssertionKey::from_der(p384.as_ref()).is_err());
        assert!(AssertionKey::from_der(b"").is_err());
    }
}
