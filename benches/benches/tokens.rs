//! What an access token costs a request: one that was verified before, and one that is new, beside its bare signature.
//!
//! `cargo bench -p portcullis-benches --bench tokens`
#![allow(missing_docs, reason = "criterion's macros make an undocumented function")]
#![allow(clippy::unwrap_used, reason = "a benchmark's own input")]

use std::{hint::black_box, rc::Rc};

use criterion::{Criterion, criterion_group, criterion_main};
use jsonwebtoken::{DecodingKey, EncodingKey, Header, encode, jwk::Jwk};
use portcullis_identity::Thumbprint;
use portcullis_test_pki::{Authority, ServerCertificate};
use portcullis_token::{
    AccessToken, Algorithm, Binding, IssuerRules, KeySet, TokenCache, TokenDemand, UnverifiedToken, bearer,
};
use serde_json::json;

const NOW: i64 = 1_790_000_000;
/// Tokens that a shard has verified.
const REMEMBERED: usize = 2_000;

fn claims(number: usize) -> serde_json::Value {
    json!({
        "iss": "https://as.bank.example", "aud": "https://api.bank.example", "exp": NOW + 300, "iat": NOW,
        "sub": format!("user-{number}"), "client_id": "tpp", "scope": "accounts openid", "jti": format!("{number:032x}"),
        "cnf": { "x5t#S256": "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc" },
    })
}

fn tokens(criterion: &mut Criterion) {
    let bank = Authority::bank().unwrap();
    let credential = ServerCertificate::new(["as.bank.example"]).issue(&bank).unwrap().key();
    let key = EncodingKey::from_ec_der(credential.secret_der());
    let mut jwk = Jwk::from_encoding_key(&key, jsonwebtoken::Algorithm::ES256).unwrap();
    jwk.common.key_id = Some("one".to_owned());
    let keys = KeySet::from_json(json!({ "keys": [jwk] }).to_string().as_bytes()).unwrap();
    let header = Header {
        typ: Some("at+jwt".to_owned()),
        kid: Some("one".to_owned()),
        ..Header::new(jsonwebtoken::Algorithm::ES256)
    };
    let rules = IssuerRules {
        issuer: "https://as.bank.example".to_owned(),
        audiences: vec!["https://api.bank.example".to_owned()],
        algorithms: vec![Algorithm::Es256],
        clock_skew_s: 10,
        takes_any_type: false,
    };
    let demand = TokenDemand {
        binding: Binding::Bound,
        scopes: vec!["accounts".to_owned()],
        claims: Vec::new(),
        key_claim: None,
    };
    let certificate = Thumbprint::from([7; 32]);
    let all: Vec<String> =
        (0..REMEMBERED).map(|number| encode(&header, &claims(number), &key).unwrap()).collect();
    let verify =
        |text: &str| AccessToken::verify(UnverifiedToken::read(text).unwrap(), &rules, &keys, NOW).unwrap();
    let mut cache = TokenCache::new(16 << 20);
    for text in &all {
        let token = verify(text);
        let bytes = token.bytes();
        cache.insert(text, Rc::new(token), bytes, NOW + 300);
    }
    let fields: Vec<Vec<u8>> = all.iter().map(|text| format!("Bearer {text}").into_bytes()).collect();
    let mut at = 0;
    let mut next = move || {
        at = (at + 7) % REMEMBERED;
        at
    };
    criterion.bench_function("token seen before", |bencher| {
        bencher.iter(|| {
            let text = bearer(std::iter::once(black_box(&fields[next()][..]))).unwrap();
            let token = Rc::clone(cache.get(text, NOW).unwrap());
            demand.meet(&token, Some(&certificate), None)
        });
    });
    criterion.bench_function("token new", |bencher| bencher.iter(|| verify(black_box(&all[0]))));
    let public = DecodingKey::from_jwk(&jwk).unwrap();
    let (signed, signature) = all[0].rsplit_once('.').unwrap();
    criterion.bench_function("token's signature alone", |bencher| {
        bencher.iter(|| {
            let message = black_box(signed).as_bytes();
            jsonwebtoken::crypto::verify(signature, message, &public, jsonwebtoken::Algorithm::ES256).unwrap()
        });
    });
}

criterion_group!(benches, tokens);
criterion_main!(benches);
