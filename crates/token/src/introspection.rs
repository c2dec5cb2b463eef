//! What an issuer answers that is asked about a token (RFC 7662).

use serde_json::{Map, Value};

use crate::{AccessToken, IssuerRules, TokenError, compact::Members};

impl AccessToken {
    /// Takes what the issuer by these rules answered of a token, at `now` in Unix seconds. The issuer's, and no more believed than what it
    /// signs: an answer for another audience or of another issuer is none. Who issued it need not be said, since the server was asked as
    /// that one (RFC 7662 2.2); for whom it is must be.
    ///
    /// # Errors
    /// [`TokenError`]; [`TokenError::Introspection`] where the answer is none.
    pub fn from_introspection(answer: &[u8], rules: &IssuerRules, now: i64) -> Result<Self, TokenError> {
        let odd = TokenError::Introspection("no JSON object whose members have names of their own");
        let Members(claims) = serde_json::from_slice(answer).map_err(|_| odd)?;
        match claims.get("active") {
            Some(Value::Bool(true)) => {}
            Some(Value::Bool(false)) => return Err(TokenError::Inactive),
            _ => return Err(TokenError::Introspection("no active that is true or false")),
        }
        if claims.get("iss").is_some_and(|issuer| issuer.as_str() != Some(&*rules.issuer)) {
            return Err(TokenError::Issuer);
        }
        if !is_bearer_token(&claims) {
            return Err(TokenError::Type);
        }
        // Whatever is malformed here was not written by the client.
        Self::from_claims(claims, rules, now).map_err(|error| match error {
            TokenError::Malformed(what) => TokenError::Introspection(what),
            error => error,
        })
    }
}

/// Whether it is an access token for whoever bears it. A server may be asked about refresh tokens too (RFC 7662 2.1), and those who know
/// both say which it is in a member of their own: Ory Hydra in `token_use`, Keycloak in `typ`.
fn is_bearer_token(claims: &Map<String, Value>) -> bool {
    let is_one_of = |name: &str, kinds: &[&str]| {
        claims.get(name).is_some_and(|kind| {
            kinds.iter().any(|known| kind.as_str().is_some_and(|it| it.eq_ignore_ascii_case(known)))
        })
    };
    (!claims.contains_key("token_type") || is_one_of("token_type", &["bearer"]))
        && !is_one_of("token_use", &["refresh_token", "id_token"])
        && !is_one_of("typ", &["refresh", "offline", "id"])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};
    use serde_json::json;

    use super::*;
    use crate::Algorithm;

    fn rules() -> IssuerRules {
        IssuerRules {
            issuer: "https://as.bank.example".to_owned(),
            audiences: vec!["api".to_owned()],
            algorithms: vec![Algorithm::Es256],
            clock_skew_s: 10,
            takes_any_type: false,
        }
    }

    fn judged(answer: &Value) -> Result<AccessToken, TokenError> {
        AccessToken::from_introspection(answer.to_string().as_bytes(), &rules(), 1000)
    }

    fn with(name: &str, value: Value) -> Value {
        let mut answer = json!({ "active": true, "aud": "api", "exp": 1100, "scope": "a b" });
        answer[name] = value;
        answer
    }

    #[test]
    fn an_answer_is_held_to_what_a_token_is_held_to() {
        let token = judged(&with("iss", json!("https://as.bank.example"))).unwrap();
        assert_eq!((token.until, token.scopes), (1109, vec!["a".to_owned(), "b".to_owned()]));
        for (name, value, expected) in [
            ("active", json!(false), "token.inactive"),
            ("active", json!("true"), "token.introspection"),
            ("active", json!(1), "token.introspection"),
            ("active", json!(null), "token.introspection"),
            ("iss", json!("https://as.other.example"), "token.issuer"),
            ("iss", json!(["https://as.bank.example"]), "token.issuer"),
            ("aud", json!("other"), "token.audience"),
            ("aud", json!(null), "token.audience"),
            ("exp", json!(990), "token.expired"),
            ("exp", json!("1100"), "token.introspection"),
            ("nbf", json!(1011), "token.not-yet-valid"),
            ("cnf", json!("x"), "token.introspection"),
            ("token_type", json!("DPoP"), "token.type"),
            ("token_use", json!("refresh_token"), "token.type"),
            ("typ", json!("Refresh"), "token.type"),
        ] {
            assert_eq!(judged(&with(name, value.clone())).unwrap_err().code(), expected, "{name}: {value}");
        }
        for (name, value) in
            [("token_type", json!("bearer")), ("typ", json!("Bearer")), ("token_use", json!("access_token"))]
        {
            assert!(judged(&with(name, value)).is_ok(), "{name}");
        }
        let endless = judged(&json!({ "active": true, "aud": ["api"] })).unwrap();
        assert_eq!(endless.until, i64::MAX);
    }

    proptest! {
        #[test]
        fn no_bytes_make_reading_panic(answer in any::<Vec<u8>>(), number in any::<f64>()) {
            let odd = format!("{{\"active\":true,\"aud\":\"api\",\"exp\":{number:e},\"nbf\":-{number:e}}}");
            for answer in [answer, odd.into_bytes()] {
                let _ = AccessToken::from_introspection(&answer, &rules(), i64::MAX);
            }
        }
    }

    #[test]
    fn what_is_no_answer_says_nothing() {
        for answer in [json!({}), json!([]), json!("active"), json!({ "aud": "api" })] {
            assert_eq!(judged(&answer).unwrap_err().code(), "token.introspection", "{answer}");
        }
        let twice = br#"{"active":false,"active":true,"aud":"api"}"#;
        let error = AccessToken::from_introspection(twice, &rules(), 0).unwrap_err();
        assert_eq!(error.code(), "token.introspection");
    }
}
