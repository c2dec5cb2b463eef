//! Why a token does not open a route.

use thiserror::Error;

/// What is wrong with a token, or that there is none. The client's fault, but for [`Unavailable`](Self::Unavailable) and
/// [`Introspection`](Self::Introspection). Nothing of what the client wrote is repeated.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TokenError {
    /// None was presented.
    #[error("the route asks for an access token: Authorization: Bearer …")]
    Missing,
    /// It is not one token in one place (RFC 6750 2.1).
    #[error("one access token is to be presented, in one Authorization field, as Bearer and a token")]
    Form,
    /// It is larger than any token need be.
    #[error("the access token has more than {bytes_max} bytes")]
    TooLarge {
        /// The bound.
        bytes_max: usize,
    },
    /// It is no signed JSON web token (RFC 7515 7.1).
    #[error("the access token is no JSON web token in compact form: {0}")]
    Malformed(&'static str),
    /// It is a token for something else (RFC 9068 2.1).
    #[error("the token is no access token: its typ is not at+jwt")]
    Type,
    /// It demands what is not understood (RFC 7515 4.1.11).
    #[error("the access token has critical header parameters")]
    Critical,
    /// Its algorithm is none that its issuer signs with.
    #[error("the access token is signed with an algorithm that is not taken from its issuer")]
    Algorithm,
    /// Its issuer is none that is believed.
    #[error("the issuer of the access token is not believed on this route")]
    Issuer,
    /// Its issuer has no key of that name.
    #[error("the issuer of the access token has no key of that id")]
    KeyUnknown,
    /// The key that it names is of another type.
    #[error("the key of the access token is not for its algorithm")]
    KeyType,
    /// The signature does not hold.
    #[error("the signature of the access token does not hold")]
    Signature,
    /// It is over.
    #[error("the access token ended {ago_s} s ago")]
    Expired {
        /// Since when, with the skew that is allowed already taken off.
        ago_s: i64,
    },
    /// It does not hold yet.
    #[error("the access token holds in {in_s} s")]
    NotYetValid {
        /// In how many seconds.
        in_s: i64,
    },
    /// It is for somebody else.
    #[error("the access token is for another audience")]
    Audience,
    /// It names no certificate, and the route wants one that does (RFC 8705 3.1).
    #[error("the access token is not bound to a certificate (cnf.x5t#S256)")]
    Unbound,
    /// It is bound to another certificate.
    #[error("the access token is bound to another certificate than that of this connection")]
    Binding,
    /// It was not issued for what is asked.
    #[error("the access token has not the scope that the route asks for")]
    Scope {
        /// All that is needed, separated by spaces.
        needed: String,
    },
    /// A claim is not what the route asks for.
    #[error("the claim {claim} of the access token is not what the route asks for")]
    Claim {
        /// Which, as configured.
        claim: String,
    },
    /// Its issuer says that it does not hold, and not why (RFC 7662 2.2).
    #[error("the issuer of the access token says that it is not active")]
    Inactive,
    /// It is not known whether it holds. Our fault, or the issuer's.
    #[error("the issuer of the access token cannot be asked at present; try again later")]
    Unavailable,
    /// Its issuer was asked and said nothing that can be understood (RFC 7662 2.2). The issuer's fault.
    #[error("what the issuer answers of the access token cannot be used: {0}")]
    Introspection(&'static str),
}

impl TokenError {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Missing => "token.missing",
            Self::Form => "token.form",
            Self::TooLarge { .. } => "token.too-large",
            Self::Malformed(_) => "token.malformed",
            Self::Type => "token.type",
            Self::Critical => "token.critical",
            Self::Algorithm => "token.algorithm",
            Self::Issuer => "token.issuer",
            Self::KeyUnknown => "token.key-unknown",
            Self::KeyType => "token.key-type",
            Self::Signature => "token.signature",
            Self::Expired { .. } => "token.expired",
            Self::NotYetValid { .. } => "token.not-yet-valid",
            Self::Audience => "token.audience",
            Self::Unbound => "token.unbound",
            Self::Binding => "token.binding",
            Self::Scope { .. } => "token.scope",
            Self::Claim { .. } => "token.claim",
            Self::Inactive => "token.inactive",
            Self::Unavailable => "token.unavailable",
            Self::Introspection(_) => "token.introspection",
        }
    }

    /// The status of the answer (RFC 6750 3.1).
    pub const fn status(&self) -> u16 {
        match self {
            Self::Form => 400,
            Self::Scope { .. } | Self::Claim { .. } => 403,
            Self::Unavailable | Self::Introspection(_) => 503,
            _ => 401,
        }
    }

    /// Whether the same token may open the route at another time, whatever becomes of it: nobody has judged it.
    pub const fn is_of_the_moment(&self) -> bool {
        matches!(self, Self::Unavailable | Self::Introspection(_))
    }

    /// The value of `WWW-Authenticate` (RFC 6750 3); `None` where it would not help the client. Who presented nothing is told no error.
    pub fn challenge(&self) -> Option<String> {
        let error = match self {
            Self::Unavailable | Self::Introspection(_) => return None,
            Self::Missing => return Some("Bearer realm=\"portcullis\"".to_owned()),
            Self::Form => "invalid_request",
            Self::Scope { .. } | Self::Claim { .. } => "insufficient_scope",
            _ => "invalid_token",
        };
        let scope = match self {
            Self::Scope { needed } => format!(", scope=\"{needed}\""),
            _ => String::new(),
        };
        // An operator may call a claim anything; a description has no quote, no backslash and nothing beyond ASCII.
        let is_plain = |sign: char| matches!(sign, ' '..='~') && !matches!(sign, '"' | '\\');
        let described = self.to_string().replace(|sign| !is_plain(sign), "?");
        Some(format!(
            "Bearer realm=\"portcullis\", error=\"{error}\", error_description=\"{described}\"{scope}"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_stays_one_challenge_whatever_a_claim_is_called() {
        for claim in ["a\", scope=\"all", "a\\", "\r\nx: y", "\u{e4}"] {
            let challenge = TokenError::Claim { claim: claim.to_owned() }.challenge().unwrap();
            // RFC 6750 3: what may stand in a description.
            let is_plain = |byte: u8| matches!(byte, 0x20..=0x7e);
            assert!(challenge.bytes().all(is_plain) && !challenge.contains('\\'), "{challenge}");
            assert_eq!(challenge.matches('"').count(), 6, "{challenge}");
        }
    }
}
