//! What an issuer says in a token.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use portcullis_identity::Thumbprint;
use serde_json::{Map, Value};

use crate::{Algorithm, KeySet, TokenError, UnverifiedToken};

/// Keys of one id, or without one, that a signature is tried with: an issuer has that many of an algorithm only while it changes them.
const KEYS_TRIED_MAX: usize = 4;

/// What is taken from an issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerRules {
    /// Its name, as tokens have it (`iss`).
    pub issuer: String,
    /// For whom a token may be (`aud`): one of these.
    pub audiences: Vec<String>,
    /// What it signs with.
    pub algorithms: Vec<Algorithm>,
    /// By how much its clock may differ, in seconds.
    pub clock_skew_s: i64,
    /// Whether tokens are taken whose `typ` does not say that they are access tokens: those of issuers older than RFC 9068. Then nothing but
    /// the audience tells them from ID tokens.
    pub takes_any_type: bool,
}

/// A token that its issuer vouches for, and that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessToken {
    /// For whom it was issued (`client_id`), if it says so.
    pub client_id: Option<String>,
    /// Whom it is about (`sub`), if it says so.
    pub subject: Option<String>,
    /// What it was issued for.
    pub scopes: Vec<String>,
    /// The certificate that it is bound to (RFC 8705 3.1).
    pub certificate: Option<Thumbprint>,
    /// The last second at which it holds, in Unix seconds, with the skew that is allowed; [`i64::MAX`] where its issuer names none.
    pub until: i64,
    /// All that it says.
    pub claims: Map<String, Value>,
}

impl AccessToken {
    /// Verifies a token at `now`, in Unix seconds (RFC 9068 4).
    ///
    /// # Errors
    /// [`TokenError`]. Before [`TokenError::Signature`] it says only what anybody can read in the token; behind it, what its issuer wrote.
    pub fn verify(
        token: UnverifiedToken<'_>,
        rules: &IssuerRules,
        keys: &KeySet,
        now: i64,
    ) -> Result<Self, TokenError> {
        let kind = token.header_text("typ").unwrap_or_default();
        let kind = kind
            .get(.."application/".len())
            .filter(|it| it.eq_ignore_ascii_case("application/"))
            .map_or(kind, |prefix| &kind[prefix.len()..]);
        if !rules.takes_any_type && !kind.eq_ignore_ascii_case("at+jwt") {
            return Err(TokenError::Type);
        }
        if token.header.contains_key("crit") {
            return Err(TokenError::Critical);
        }
        let algorithm = token.header_text("alg").and_then(Algorithm::from_name);
        let algorithm = algorithm.filter(|algorithm| rules.algorithms.contains(algorithm));
        let algorithm = algorithm.ok_or(TokenError::Algorithm)?;
        if token.issuer() != Some(&*rules.issuer) {
            return Err(TokenError::Issuer);
        }
        check_signature(&token, keys, algorithm)?;
        if !token.claims.contains_key("exp") {
            return Err(TokenError::Malformed("no exp"));
        }
        Self::from_claims(token.claims, rules, now)
    }

    /// What it takes in memory, in bytes, as far as what it says decides that. Small objects take many times their text, and clients may
    /// have their issuer repeat some (RFC 9396).
    pub fn bytes(&self) -> usize {
        let scopes = self.scopes.iter().map(|scope| STRING_BYTES + scope.len());
        size_of::<Self>() + scopes.sum::<usize>() + members_bytes(&self.claims)
    }

    /// What its issuer wrote, if it holds at `now` for one of the audiences.
    pub(crate) fn from_claims(
        claims: Map<String, Value>,
        rules: &IssuerRules,
        now: i64,
    ) -> Result<Self, TokenError> {
        let text = |name: &str| claims.get(name).and_then(Value::as_str).map(str::to_owned);
        let until = time(&claims, "exp")?
            .map_or(i64::MAX, |expires| expires.saturating_add(rules.clock_skew_s).saturating_sub(1));
        if now > until {
            return Err(TokenError::Expired { ago_s: now.saturating_sub(until) });
        }
        for name in ["nbf", "iat"] {
            let from = time(&claims, name)?.unwrap_or(i64::MIN).saturating_sub(rules.clock_skew_s);
            if now < from {
                return Err(TokenError::NotYetValid { in_s: from.saturating_sub(now) });
            }
        }
        let audiences = claims.get("aud").map(texts).unwrap_or_default();
        if !audiences.iter().any(|audience| rules.audiences.iter().any(|ours| ours == audience)) {
            return Err(TokenError::Audience);
        }
        let scopes = match (claims.get("scope"), claims.get("scp")) {
            (Some(scopes), _) | (None, Some(scopes)) => texts(scopes),
            (None, None) => Vec::new(),
        };
        let scopes = scopes.iter().flat_map(|scopes| scopes.split(' '));
        let scopes = scopes.filter(|scope| !scope.is_empty()).map(str::to_owned).collect();
        let certificate = claims.get("cnf").map(confirmation).transpose()?.flatten();
        let (client_id, subject) = (text("client_id"), text("sub"));
        Ok(Self { client_id, subject, scopes, certificate, until, claims })
    }
}

fn check_signature(
    token: &UnverifiedToken<'_>,
    keys: &KeySet,
    algorithm: Algorithm,
) -> Result<(), TokenError> {
    if keys.is_empty() {
        return Err(TokenError::Unavailable);
    }
    let candidates = || keys.candidates(token.header_text("kid"));
    if candidates().next().is_none() {
        return Err(TokenError::KeyUnknown);
    }
    let mut serving = candidates().filter(|key| key.serves(algorithm)).take(KEYS_TRIED_MAX).peekable();
    if serving.peek().is_none() {
        return Err(TokenError::KeyType);
    }
    let is_signed = serving.any(|key| key.verifies(token.signed, token.signature, algorithm));
    if is_signed { Ok(()) } else { Err(TokenError::Signature) }
}

/// A text on the heap: where it is, and the least that an allocator gives.
const STRING_BYTES: usize = size_of::<String>() + 16;

fn members_bytes(members: &Map<String, Value>) -> usize {
    /// A tree is made of nodes with room for eleven members each, which may be half empty.
    const NODE_MEMBERS: usize = 11;
    const NODE_BYTES: usize = NODE_MEMBERS * (size_of::<String>() + size_of::<Value>());
    let nodes = members.len().div_ceil(NODE_MEMBERS / 2);
    let content = members.iter().map(|(name, value)| name.len() + value_bytes(value));
    nodes * NODE_BYTES + content.sum::<usize>()
}

/// What a value takes beside its own place. As deep as it was read, which has a bound.
fn value_bytes(value: &Value) -> usize {
    match value {
        Value::String(text) => STRING_BYTES + text.len(),
        // A list grows by doubling, and may be half empty.
        Value::Array(items) => {
            items.iter().map(|item| 2 * size_of::<Value>() + value_bytes(item)).sum::<usize>()
        }
        Value::Object(members) => members_bytes(members),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

/// A time in Unix seconds, which may have a fraction (RFC 7519 2).
fn time(claims: &Map<String, Value>, name: &str) -> Result<Option<i64>, TokenError> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    #[allow(clippy::cast_possible_truncation, reason = "a float beyond all times becomes the last of them")]
    let seconds = value.as_i64().or_else(|| value.as_f64().map(|seconds| seconds.floor() as i64));
    seconds.map(Some).ok_or(TokenError::Malformed("a time that is no number"))
}

/// One text, or several.
pub(crate) fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// The certificate of `cnf`, if it names one. A token that is bound to something else is bound to no certificate.
fn confirmation(cnf: &Value) -> Result<Option<Thumbprint>, TokenError> {
    const ODD: TokenError = TokenError::Malformed("a cnf that is none");
    let Some(thumbprint) = cnf.as_object().ok_or(ODD)?.get("x5t#S256") else { return Ok(None) };
    let bytes = thumbprint.as_str().and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
    let bytes: [u8; 32] = bytes.and_then(|bytes| bytes.try_into().ok()).ok_or(ODD)?;
    Ok(Some(Thumbprint::from(bytes)))
}

#[cfg(test)]
#[path = "access_token_tests.rs"]
mod tests;
