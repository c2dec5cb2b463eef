//! Tokens that are right, and each way to be wrong.

use aws_lc_rs::{
    encoding::AsDer as _,
    rsa::KeySize,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RsaKeyPair},
};
use jsonwebtoken::{EncodingKey, Header};
use serde_json::json;

use super::*;

const NOW: i64 = 1_790_000_000;

/// An issuer with a key of each kind.
struct Issuer {
    rsa: (EncodingKey, Vec<u8>),
    ec: EncodingKey,
    ed: EncodingKey,
    set: Value,
}

impl Issuer {
    fn new() -> Self {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let rsa = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let rsa_public = rsa.public_key();
        let modulus = rsa_public.modulus().big_endian_without_leading_zero().to_vec();
        let exponent = rsa_public.exponent().big_endian_without_leading_zero().to_vec();
        let ec = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let point = ec.public_key().as_ref().to_vec();
        let ed = Ed25519KeyPair::generate().unwrap();
        let set = json!({ "keys": [
            { "kty": "RSA", "kid": "rsa", "n": encode(&modulus), "e": encode(&exponent) },
            { "kty": "EC", "crv": "P-256", "kid": "ec", "x": encode(&point[1..33]), "y": encode(&point[33..]), "use": "sig", "alg": "ES256" },
            { "kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": encode(ed.public_key().as_ref()) },
        ] });
        let rsa_der = rsa.as_der().unwrap().as_ref().to_vec();
        // What the library takes of an RSA key is PKCS#1, which is what PKCS#8 wraps behind 26 octets.
        let rsa_key = EncodingKey::from_rsa_der(&rsa_der[26..]);
        Self {
            rsa: (rsa_key, rsa.public_key().as_ref().to_vec()),
            ec: EncodingKey::from_ec_der(ec.to_pkcs8v1().unwrap().as_ref()),
            ed: EncodingKey::from_ed_der(ed.to_pkcs8().unwrap().as_ref()),
            set,
        }
    }

    fn keys(&self) -> KeySet {
        KeySet::from_json(self.set.to_string().as_bytes()).unwrap()
    }

    fn sign(&self, key: &EncodingKey, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let algorithm = match header["sign-with"].as_str().or(header["alg"].as_str()).unwrap() {
            "RS256" => jsonwebtoken::Algorithm::RS256,
            "PS512" => jsonwebtoken::Algorithm::PS512,
            "EdDSA" => jsonwebtoken::Algorithm::EdDSA,
            "HS256" => jsonwebtoken::Algorithm::HS256,
            _ => jsonwebtoken::Algorithm::ES256,
        };
        let signature = jsonwebtoken::crypto::sign(signed.as_bytes(), key, algorithm).unwrap();
        format!("{signed}.{signature}")
    }

    fn ec(&self, claims: &Value) -> String {
        self.sign(&self.ec, &header(), claims)
    }

    fn verify(&self, token: &str) -> Result<AccessToken, TokenError> {
        verify(token, &rules(), &self.keys(), NOW)
    }
}

fn header() -> Value {
    json!({ "alg": "ES256", "typ": "at+jwt", "kid": "ec" })
}

fn claims() -> Value {
    json!({
        "iss": "https://as.bank.example", "aud": "https://api.bank.example", "exp": NOW + 300, "iat": NOW, "sub": "user",
        "client_id": "tpp", "scope": "accounts openid", "cnf": { "x5t#S256": URL_SAFE_NO_PAD.encode([7; 32]) },
    })
}

fn with(mut value: Value, name: &str, changed: Value) -> Value {
    value[name] = changed;
    value
}

fn rules() -> IssuerRules {
    IssuerRules {
        issuer: "https://as.bank.example".to_owned(),
        audiences: vec!["https://other.bank.example".to_owned(), "https://api.bank.example".to_owned()],
        algorithms: vec![Algorithm::Es256, Algorithm::Rs256, Algorithm::Ps512, Algorithm::EdDsa],
        clock_skew_s: 10,
        takes_any_type: false,
    }
}

fn verify(token: &str, rules: &IssuerRules, keys: &KeySet, now: i64) -> Result<AccessToken, TokenError> {
    AccessToken::verify(UnverifiedToken::read(token)?, rules, keys, now)
}

fn code(outcome: Result<AccessToken, TokenError>) -> &'static str {
    outcome.map_or_else(|error| error.code(), |_| "good")
}

#[test]
fn what_an_issuer_says_is_read() {
    let issuer = Issuer::new();
    let token = issuer.verify(&issuer.ec(&claims())).unwrap();
    assert_eq!((token.client_id.as_deref(), token.subject.as_deref()), (Some("tpp"), Some("user")));
    assert_eq!(token.scopes, ["accounts", "openid"]);
    assert_eq!(token.certificate, Some(Thumbprint::from([7; 32])));
    assert_eq!(token.until, NOW + 309, "the second of its end is not its own");
    for (key, algorithm, kid) in [
        (&issuer.rsa.0, "RS256", "rsa"),
        (&issuer.rsa.0, "PS512", "rsa"),
        (&issuer.ed, "EdDSA", "ed"),
        (&issuer.ec, "ES256", "ec"),
    ] {
        let header = json!({ "alg": algorithm, "typ": "application/AT+JWT", "kid": kid });
        assert_eq!(code(issuer.verify(&issuer.sign(key, &header, &claims()))), "good", "{algorithm}");
    }
    // The library reads what it would write itself.
    let by_library = jsonwebtoken::encode(
        &Header {
            typ: Some("at+jwt".to_owned()),
            kid: Some("ec".to_owned()),
            ..Header::new(jsonwebtoken::Algorithm::ES256)
        },
        &claims(),
        &issuer.ec,
    );
    assert_eq!(code(issuer.verify(&by_library.unwrap())), "good");
}

#[test]
fn each_wrong_header_has_its_code() {
    let issuer = Issuer::new();
    let changed = |name: &str, value: Value| {
        let header = with(with(header(), "sign-with", json!("ES256")), name, value);
        code(issuer.verify(&issuer.sign(&issuer.ec, &header, &claims())))
    };
    for (name, value, expected) in [
        ("typ", json!("JWT"), "token.type"),
        ("typ", json!(null), "token.type"),
        ("typ", json!("at+jwt2"), "token.type"),
        ("typ", json!("application/jwt"), "token.type"),
        ("typ", json!("\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}"), "token.type"),
        ("crit", json!(["exp"]), "token.critical"),
        ("alg", json!("none"), "token.algorithm"),
        ("alg", json!("NONE"), "token.algorithm"),
        ("alg", json!("es256"), "token.algorithm"),
        ("alg", json!("HS256"), "token.algorithm"),
        ("alg", json!("ES384"), "token.algorithm"),
        ("alg", json!(7), "token.algorithm"),
        ("kid", json!("gone"), "token.key-unknown"),
        ("kid", json!(null), "token.key-unknown"),
        ("kid", json!("rsa"), "token.key-type"),
        ("alg", json!("RS256"), "token.key-type"),
    ] {
        assert_eq!(changed(name, value.clone()), expected, "{name} {value}");
    }
    let any = IssuerRules { takes_any_type: true, ..rules() };
    let token = issuer.sign(&issuer.ec, &with(header(), "typ", json!("JWT")), &claims());
    assert_eq!(code(verify(&token, &any, &issuer.keys(), NOW)), "good");
}

#[test]
fn a_public_key_is_no_secret_and_a_signature_is_of_its_token() {
    let issuer = Issuer::new();
    // The confusion of algorithms: the public key of RS256 as the secret of HS256.
    let secret = EncodingKey::from_secret(&issuer.rsa.1);
    for algorithm in ["HS256", "RS256"] {
        let header = json!({ "alg": algorithm, "sign-with": "HS256", "typ": "at+jwt", "kid": "rsa" });
        let told = code(issuer.verify(&issuer.sign(&secret, &header, &claims())));
        assert!(["token.algorithm", "token.signature"].contains(&told), "{told}");
    }
    let good = issuer.ec(&claims());
    let other = issuer.ec(&with(claims(), "sub", json!("another")));
    let (signed, _) = good.rsplit_once('.').unwrap();
    let (_, signature) = other.rsplit_once('.').unwrap();
    assert_eq!(code(issuer.verify(&format!("{signed}.{signature}"))), "token.signature");
    for signature in ["AA", "AAAA", &"A".repeat(86), "%%%"] {
        assert_eq!(code(issuer.verify(&format!("{signed}.{signature}"))), "token.signature", "{signature}");
    }
    let stranger = Issuer::new();
    assert_eq!(code(issuer.verify(&stranger.ec(&claims()))), "token.signature");
    assert_eq!(code(verify(&good, &rules(), &KeySet::default(), NOW)), "token.unavailable");
    let only_rsa = IssuerRules { algorithms: vec![Algorithm::Rs256], ..rules() };
    assert_eq!(code(verify(&good, &only_rsa, &issuer.keys(), NOW)), "token.algorithm");
}

#[test]
fn each_wrong_claim_has_its_code() {
    let issuer = Issuer::new();
    let changed = |name: &str, value: Value| code(issuer.verify(&issuer.ec(&with(claims(), name, value))));
    let thumbprint = |bytes: usize| json!({ "x5t#S256": URL_SAFE_NO_PAD.encode(vec![7; bytes]) });
    for (name, value, expected) in [
        ("iss", json!("https://as.bank.example/"), "token.issuer"),
        ("iss", json!(null), "token.issuer"),
        ("iss", json!(["https://as.bank.example"]), "token.issuer"),
        ("aud", json!("https://api.bank.example.evil"), "token.audience"),
        ("aud", json!(null), "token.audience"),
        ("aud", json!([]), "token.audience"),
        ("aud", json!(["x", "https://api.bank.example"]), "good"),
        ("exp", json!(NOW - 9), "good"),
        ("exp", json!(NOW - 10), "token.expired"),
        ("exp", json!(NOW as f64 - 9.5), "token.expired"),
        ("exp", json!(-1), "token.expired"),
        ("exp", json!(1e300), "good"),
        ("exp", json!("soon"), "token.malformed"),
        ("exp", json!(null), "token.malformed"),
        ("nbf", json!(NOW + 10), "good"),
        ("nbf", json!(NOW + 11), "token.not-yet-valid"),
        ("iat", json!(NOW + 11), "token.not-yet-valid"),
        ("iat", json!(-1e300), "good"),
        ("cnf", json!(7), "token.malformed"),
        ("cnf", json!({ "jkt": "x" }), "good"),
        ("cnf", json!({ "x5t#S256": 7 }), "token.malformed"),
        ("cnf", thumbprint(31), "token.malformed"),
        ("cnf", thumbprint(33), "token.malformed"),
        ("cnf", json!({ "x5t#S256": format!("{}=", URL_SAFE_NO_PAD.encode([7; 32])) }), "token.malformed"),
    ] {
        assert_eq!(changed(name, value.clone()), expected, "{name} {value}");
    }
    let mut none = claims();
    none.as_object_mut().unwrap().remove("exp");
    assert_eq!(code(issuer.verify(&issuer.ec(&none))), "token.malformed");
    let listed = with(with(claims(), "scope", json!(null)), "scope", json!(["a", "b c"]));
    assert_eq!(issuer.verify(&issuer.ec(&listed)).unwrap().scopes, ["a", "b", "c"]);
}

#[test]
fn a_key_without_an_id_is_found_however_many_there_are_for_other_algorithms() {
    let issuer = Issuer::new();
    let mut keys: Vec<Value> = issuer.set["keys"].as_array().unwrap().clone();
    for key in &mut keys {
        key.as_object_mut().unwrap().remove("kid");
    }
    let (rsa, ec) = (keys[0].clone(), keys[1].clone());
    let set = json!({ "keys": [rsa, rsa, rsa, rsa, rsa, ec] });
    let set = KeySet::from_json(set.to_string().as_bytes()).unwrap();
    let mut header = header();
    header.as_object_mut().unwrap().remove("kid");
    let token = issuer.sign(&issuer.ec, &header, &claims());
    assert_eq!(code(verify(&token, &rules(), &set, NOW)), "good");
}

#[test]
fn what_a_token_takes_is_counted_by_what_is_in_it() {
    let issuer = Issuer::new();
    let bytes = |claims: &Value| issuer.verify(&issuer.ec(claims)).unwrap().bytes();
    let plain = bytes(&claims());
    assert!(plain < 4096, "{plain}");
    // What a client may have its issuer repeat (RFC 9396), of small objects: each takes many times its text.
    let details = vec![json!({ "a": 0 }); 900];
    let odd = bytes(&with(claims(), "authorization_details", json!(details)));
    assert!(odd > 900 * 500, "{odd}");
}
