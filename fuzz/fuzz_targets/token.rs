//! Any bytes as a token, as a key set, as what an issuer answers of a token and as what a request has in `Authorization`: no panic, and each error has its code.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use portcullis_token::{AccessToken, Algorithm, IssuerRules, KeySet, UnverifiedToken, bearer};

const KEYS: &[u8] = include_bytes!("../seeds/token/keys.json");

static ISSUER: LazyLock<(IssuerRules, KeySet)> = LazyLock::new(|| {
    let rules = IssuerRules {
        issuer: "https://as.bank.example".to_owned(),
        audiences: vec!["api".to_owned()],
        algorithms: Algorithm::ALL.map(|(_, algorithm)| algorithm).to_vec(),
        clock_skew_s: 10,
        takes_any_type: true,
    };
    (rules, KeySet::from_json(KEYS).expect("a key set"))
});

fuzz_target!(|bytes: &[u8]| {
    let (rules, keys) = &*ISSUER;
    let _ = KeySet::from_json(bytes);
    let _ = AccessToken::from_introspection(bytes, rules, 1_790_000_000);
    let token = bearer(std::iter::once(bytes))
        .or_else(|_| str::from_utf8(bytes).map_err(|_| portcullis_token::TokenError::Form));
    let verified = token
        .and_then(UnverifiedToken::read)
        .and_then(|token| AccessToken::verify(token, rules, keys, 1_790_000_000));
    if let Err(error) = verified {
        assert!(error.code().starts_with("token.") && error.status() >= 400);
        assert!(error.challenge().is_none_or(|challenge| challenge.is_ascii()));
    }
});
