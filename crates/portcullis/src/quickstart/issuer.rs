//! An authorisation server of the quickstart, as far as the gate sees one: a key set, and a token that it issued.

use std::{
    fs,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{
    Algorithm, EncodingKey, Header, encode,
    jwk::{Jwk, JwkSet},
};
use portcullis_identity::Thumbprint;
use portcullis_test_pki::{Authority, Credential, ServerCertificate};
use serde_json::json;

/// What it calls itself.
pub(super) const ISSUER: &str = "https://as.quickstart.example";
/// For whom its token is.
pub(super) const AUDIENCE: &str = "https://api.quickstart.example";
pub(super) const KEY_SET: &str = "issuer.jwks.json";
const KEY_ID: &str = "quickstart";
/// Longer than anyone keeps a quickstart, and its certificates last.
const LIFETIME_S: u64 = 10 * 366 * 24 * 60 * 60;

/// Writes the key set, and beside the certificate of `client` a token that is bound to it.
pub(super) fn make(
    directory: &Path,
    bank: &Authority,
    (name, client): (&str, &Credential),
) -> anyhow::Result<()> {
    let key = ServerCertificate::new(["as.quickstart.example"]).issue(bank)?.key();
    let key = EncodingKey::from_ec_der(key.secret_der());
    let mut jwk = Jwk::from_encoding_key(&key, Algorithm::ES256)?;
    jwk.common.key_id = Some(KEY_ID.to_owned());
    fs::write(directory.join(KEY_SET), serde_json::to_string(&JwkSet { keys: vec![jwk] })?)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let thumbprint = URL_SAFE_NO_PAD.encode(Thumbprint::of(client.leaf_der()).as_bytes());
    let claims = json!({
        "iss": ISSUER, "aud": AUDIENCE, "iat": now, "exp": now + LIFETIME_S, "sub": "an account holder", "client_id": name,
        "scope": "consents", "cnf": { "x5t#S256": thumbprint },
    });
    let header = Header {
        typ: Some("at+jwt".to_owned()),
        kid: Some(KEY_ID.to_owned()),
        ..Header::new(Algorithm::ES256)
    };
    fs::write(directory.join(format!("tpp/{name}.token")), encode(&header, &claims, &key)?)?;
    Ok(())
}
