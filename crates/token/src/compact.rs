//! Tokens as they are written: three parts of base64url (RFC 7515 7.1).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::{Map, Value};

use crate::TokenError;

/// Bytes of a token. Those with a dozen of claims have two thousand; a head of a request has not much more room.
pub const TOKEN_BYTES_MAX: usize = 16 << 10;

/// A token that nobody has vouched for yet.
#[derive(Debug)]
pub struct UnverifiedToken<'a> {
    /// What is signed: header and claims, with the full stop between them.
    pub(crate) signed: &'a str,
    pub(crate) signature: &'a str,
    pub(crate) header: Map<String, Value>,
    pub(crate) claims: Map<String, Value>,
}

impl<'a> UnverifiedToken<'a> {
    /// Takes a token apart. Hostile.
    ///
    /// # Errors
    /// [`TokenError::TooLarge`], [`TokenError::Malformed`].
    pub fn read(token: &'a str) -> Result<Self, TokenError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::TooLarge { bytes_max: TOKEN_BYTES_MAX });
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed("one part"))?;
        let (header, claims) = signed.split_once('.').ok_or(TokenError::Malformed("two parts"))?;
        if claims.contains('.') {
            return Err(TokenError::Malformed("more than three parts"));
        }
        if signature.is_empty() {
            return Err(TokenError::Malformed("no signature"));
        }
        Ok(Self { signed, signature, header: object(header)?, claims: object(claims)? })
    }

    /// Who says that the token is its own. To be believed only as far as a signature holds.
    pub fn issuer(&self) -> Option<&str> {
        self.claims.get("iss")?.as_str()
    }

    pub(crate) fn header_text(&self, name: &str) -> Option<&str> {
        self.header.get(name)?.as_str()
    }
}

/// A part that is a JSON object, no member of it twice (RFC 7515 4).
fn object(part: &str) -> Result<Map<String, Value>, TokenError> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Malformed("no base64url"))?;
    let Members(members) = serde_json::from_slice(&bytes)
        .map_err(|_| TokenError::Malformed("no JSON object whose members have names of their own"))?;
    Ok(members)
}

/// An object with each member once.
pub(crate) struct Members(pub(crate) Map<String, Value>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Once;
        impl<'de> Visitor<'de> for Once {
            type Value = Members;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Members, A::Error> {
                let mut members = Map::new();
                while let Some((name, value)) = access.next_entry::<String, Value>()? {
                    if members.insert(name, value).is_some() {
                        return Err(A::Error::custom("a member stands there twice"));
                    }
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Once)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(header: &str, claims: &str) -> Result<(), TokenError> {
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        UnverifiedToken::read(&format!("{}.{}.c2ln", part(header), part(claims))).map(drop)
    }

    #[test]
    fn three_parts_of_objects_with_each_member_once() {
        assert_eq!(read("{}", "{\"iss\":\"x\"}"), Ok(()));
        for (header, claims) in [
            ("{\"alg\":\"ES256\",\"alg\":\"none\"}", "{}"),
            ("{}", "{\"exp\":1,\"exp\":2}"),
            ("[]", "{}"),
            ("{}", "7"),
            ("{}{}", "{}"),
            ("", "{}"),
        ] {
            assert!(matches!(read(header, claims), Err(TokenError::Malformed(_))), "{header} {claims}");
        }
        for token in
            ["", ".", "..", "e30.e30", "e30.e30.", "e30.e30.x.y", "e30.e30.x.y.z", "e30=.e30.x", "e3 0.e30.x"]
        {
            assert!(matches!(UnverifiedToken::read(token), Err(TokenError::Malformed(_))), "{token}");
        }
        // The deepest nesting of a token of that size ends in an error and not in the end of the stack.
        let deep = format!("{{\"a\":{}", "[".repeat(12_000));
        assert!(matches!(read("{}", &deep), Err(TokenError::Malformed(_))));
        let large = "e30.".to_owned() + &"a".repeat(1 << 20);
        assert!(matches!(UnverifiedToken::read(&large), Err(TokenError::TooLarge { .. })));
    }

    proptest! {
        #[test]
        fn no_bytes_make_reading_panic(token in "[a-zA-Z0-9_.=-]{0,200}", text in "\\PC{0,100}") {
            let _ = UnverifiedToken::read(&token);
            let _ = read(&text, &text);
        }
    }
}
