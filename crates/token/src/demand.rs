//! What a route asks of a token.

use portcullis_identity::Thumbprint;
use serde_json::Value;

use crate::{AccessToken, TokenError, access_token::texts};

/// Whether a token must be bound to the client's certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binding {
    /// It must (RFC 8705 3).
    Bound,
    /// It need not; one that is bound is held to it.
    Required,
}

/// What a route asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenDemand {
    /// Whether a token must be bound.
    pub binding: Binding,
    /// What it must have been issued for: all of these.
    pub scopes: Vec<String>,
    /// Claims, and what each must be: one of these texts. Of a list, an item must be.
    pub claims: Vec<(String, Vec<String>)>,
    /// The claim that must be the identity of the client's key, so that neither the certificate nor the token alone opens the route.
    pub key_claim: Option<String>,
}

impl TokenDemand {
    /// Whether a token is what is asked for, from a client with that certificate and that identity.
    ///
    /// Thumbprints are public, so that nothing is told by how long the comparison takes.
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn meet(
        &self,
        token: &AccessToken,
        certificate: Option<&Thumbprint>,
        identity: Option<&str>,
    ) -> Result<(), TokenError> {
        match (&token.certificate, self.binding) {
            (Some(bound), _) if Some(bound) != certificate => return Err(TokenError::Binding),
            (None, Binding::Bound) => return Err(TokenError::Unbound),
            _ => {}
        }
        if !self.scopes.iter().all(|scope| token.scopes.contains(scope)) {
            return Err(TokenError::Scope { needed: self.scopes.join(" ") });
        }
        let refuse = |claim: &String| Err(TokenError::Claim { claim: claim.clone() });
        for (claim, wanted) in &self.claims {
            let is_wanted = |text: &str| wanted.iter().any(|wanted| wanted == text);
            if !token.claims.get(claim).is_some_and(|value| any(value, is_wanted)) {
                return refuse(claim);
            }
        }
        match &self.key_claim {
            Some(claim)
                if identity.is_none() || token.claims.get(claim).and_then(Value::as_str) != identity =>
            {
                refuse(claim)
            }
            _ => Ok(()),
        }
    }
}

/// Whether a claim, or an item of it, is what is wanted. Numbers and truths are taken by how JSON writes them.
fn any(value: &Value, is_wanted: impl Fn(&str) -> bool) -> bool {
    match value {
        Value::Bool(_) | Value::Number(_) => is_wanted(&value.to_string()),
        _ => texts(value).into_iter().any(is_wanted),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn token(claims: &Value, certificate: Option<[u8; 32]>) -> AccessToken {
        AccessToken {
            client_id: None,
            subject: None,
            scopes: vec!["accounts".to_owned(), "openid".to_owned()],
            certificate: certificate.map(Thumbprint::from),
            until: 0,
            claims: claims.as_object().cloned().unwrap_or_default(),
        }
    }

    #[test]
    fn a_token_is_held_to_certificate_scope_claims_and_key() {
        let demand =
            |binding| TokenDemand { binding, scopes: Vec::new(), claims: Vec::new(), key_claim: None };
        let (bound, required) = (demand(Binding::Bound), demand(Binding::Required));
        let (own, other) = (Thumbprint::from([1; 32]), Thumbprint::from([2; 32]));
        let plain = json!({});
        let (free, tied) = (token(&plain, None), token(&plain, Some([1; 32])));
        for (demand, token, certificate, expected) in [
            (&bound, &tied, Some(&own), Ok(())),
            (&bound, &tied, Some(&other), Err(TokenError::Binding)),
            (&bound, &tied, None, Err(TokenError::Binding)),
            (&bound, &free, Some(&own), Err(TokenError::Unbound)),
            (&required, &free, Some(&own), Ok(())),
            (&required, &free, None, Ok(())),
            (&required, &tied, Some(&other), Err(TokenError::Binding)),
        ] {
            assert_eq!(demand.meet(token, certificate, None), expected);
        }
        let scoped = |scopes: &[&str]| TokenDemand {
            scopes: scopes.iter().map(|&scope| scope.to_owned()).collect(),
            ..demand(Binding::Required)
        };
        assert_eq!(scoped(&["accounts"]).meet(&free, None, None), Ok(()));
        let error = scoped(&["accounts", "payments"]).meet(&free, None, None).unwrap_err();
        assert_eq!(
            error.challenge().unwrap(),
            "Bearer realm=\"portcullis\", error=\"insufficient_scope\", error_description=\"the access token has not the scope \
             that the route asks for\", scope=\"accounts payments\""
        );
        let claims =
            json!({ "acr": "sca", "amr": ["pwd", "otp"], "level": 2, "ok": true, "org": "psd2:PSDES-BE-1" });
        let said = token(&claims, None);
        let claim = |name: &str, wanted: &[&str]| TokenDemand {
            claims: vec![(name.to_owned(), wanted.iter().map(|&it| it.to_owned()).collect())],
            ..demand(Binding::Required)
        };
        for (name, wanted) in [("acr", "sca"), ("amr", "otp"), ("level", "2"), ("ok", "true")] {
            assert_eq!(claim(name, &["other", wanted]).meet(&said, None, None), Ok(()), "{name}");
            let refused = Err(TokenError::Claim { claim: name.to_owned() });
            assert_eq!(claim(name, &["other"]).meet(&said, None, None), refused, "{name}");
        }
        assert!(claim("none", &["null", ""]).meet(&said, None, None).is_err());
        let of_key = TokenDemand { key_claim: Some("org".to_owned()), ..demand(Binding::Required) };
        assert_eq!(of_key.meet(&said, None, Some("psd2:PSDES-BE-1")), Ok(()));
        for identity in [None, Some("psd2:PSDES-BE-2"), Some("")] {
            assert!(of_key.meet(&said, None, identity).is_err(), "{identity:?}");
        }
        assert!(of_key.meet(&free, None, None).is_err(), "nobody is not nobody");
    }
}
