//! What a route asks of the token that comes with a request.

use std::{
    cell::RefCell,
    rc::Rc,
    sync::{Arc, Weak},
    time::Duration,
};

use http::{HeaderMap, HeaderValue, header};
use portcullis_identity::Thumbprint;
use portcullis_token::{AccessToken, IssuerRules, KeySet, TokenCache, TokenError, UnverifiedToken, bearer};

use crate::{
    introspection::Asked,
    issuer::IssuerKeys,
    plan::{Introspection, IssuerPlan, Plan, TokenPlan, Vouching},
};

/// Bytes that a shard remembers of tokens: some four thousand of the usual length.
const CACHE_BYTES: usize = 16 << 20;

/// The tokens that one shard has verified.
#[derive(Debug)]
pub(crate) struct Tokens(RefCell<TokenCache<Rc<Verified>>>);

/// A token, and what its verification rests on.
#[derive(Debug)]
struct Verified {
    token: Arc<AccessToken>,
    basis: Basis,
}

#[derive(Debug)]
enum Basis {
    Keys {
        rules: Arc<IssuerRules>,
        keys: Arc<KeySet>,
    },
    /// Whom it was asked of. What else was answered there is not kept for it.
    Introspection(Weak<Introspection>),
}

/// A token that does not open a route.
#[derive(Debug)]
pub(crate) struct TokenRefusal {
    pub(crate) error: TokenError,
    /// What might help.
    pub(crate) awaited: Option<Awaited>,
}

/// What a token may be judged by when it is there.
#[derive(Debug)]
pub(crate) enum Awaited {
    /// A newer key set.
    Keys(Arc<IssuerKeys>),
    /// What its issuer answers.
    Answer(Asked),
}

impl Awaited {
    /// Asks for it, and returns when it is there, cannot be had, or `wait` is over.
    pub(crate) async fn ask(self, wait: Duration) {
        match self {
            Self::Keys(keys) => keys.ask(wait).await,
            Self::Answer(asked) => asked.ask(wait).await,
        }
    }
}

/// Who presents a token.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Presenter<'a> {
    /// SHA-256 of the client's certificate.
    pub(crate) certificate: Option<Thumbprint>,
    /// The identity of its key.
    pub(crate) identity: Option<&'a str>,
}

impl Default for Tokens {
    fn default() -> Self {
        Self(RefCell::new(TokenCache::new(CACHE_BYTES)))
    }
}

impl Tokens {
    /// Whether the token of a request opens a route at `now`, in Unix seconds.
    ///
    /// # Errors
    /// [`TokenRefusal`].
    pub(crate) fn check(
        &self,
        (plan, asked): (&Plan, &TokenPlan),
        fields: &HeaderMap,
        presenter: Presenter<'_>,
        now: i64,
    ) -> Result<(), TokenRefusal> {
        let values = fields.get_all(header::AUTHORIZATION).iter().map(HeaderValue::as_bytes);
        let text = bearer(values)?;
        let issuers = || asked.issuers.iter().map(|index| &plan.issuers[*index]);
        let known =
            self.0.borrow().get(text, now).filter(|known| issuers().any(|it| known.holds(it))).cloned();
        let verified = match known {
            Some(known) => known,
            None => self.verify(text, issuers(), now)?,
        };
        let Presenter { certificate, identity } = presenter;
        Ok(asked.demand.meet(&verified.token, certificate.as_ref(), identity)?)
    }

    fn verify<'p>(
        &self,
        text: &str,
        mut issuers: impl Iterator<Item = &'p IssuerPlan> + Clone,
        now: i64,
    ) -> Result<Rc<Verified>, TokenRefusal> {
        let read = UnverifiedToken::read(text);
        let verified = match read.as_ref().ok().and_then(UnverifiedToken::issuer) {
            Some(named) => {
                let issuer = issuers.find(|issuer| *issuer.rules.issuer == *named);
                let issuer = issuer.ok_or(TokenError::Issuer)?;
                match &issuer.vouching {
                    Vouching::Keys(keys) => verify_signed(read?, issuer, keys, now)?,
                    Vouching::Introspection(introspection) => look_up(text, introspection, now)?,
                }
            }
            // It says nobody's name: whoever is asked about such tokens on this route is one at most.
            None => {
                let asked = issuers.find_map(|issuer| match &issuer.vouching {
                    Vouching::Keys(_) => None,
                    Vouching::Introspection(introspection) => Some(introspection),
                });
                match (asked, read) {
                    // What a token may take is what waits and is sent for it.
                    (Some(_), Err(error @ TokenError::TooLarge { .. })) => return Err(error.into()),
                    (Some(introspection), _) => look_up(text, introspection, now)?,
                    (None, Err(error)) => return Err(error.into()),
                    (None, Ok(_)) => return Err(TokenError::Issuer.into()),
                }
            }
        };
        let (bytes, until) = (size_of::<Verified>() + verified.token.bytes(), verified.token.until);
        let verified = Rc::new(verified);
        self.0.borrow_mut().insert(text, Rc::clone(&verified), bytes, until);
        Ok(verified)
    }
}

fn verify_signed(
    token: UnverifiedToken<'_>,
    issuer: &IssuerPlan,
    keys: &Arc<IssuerKeys>,
    now: i64,
) -> Result<Verified, TokenRefusal> {
    let (rules, present) = (Arc::clone(&issuer.rules), keys.present());
    let token = AccessToken::verify(token, &rules, &present, now).map_err(|error| {
        let might_help =
            keys.are_fetched() && matches!(error, TokenError::KeyUnknown | TokenError::Unavailable);
        TokenRefusal { awaited: might_help.then(|| Awaited::Keys(Arc::clone(keys))), error }
    })?;
    Ok(Verified { token: Arc::new(token), basis: Basis::Keys { rules, keys: present } })
}

fn look_up(text: &str, introspection: &Arc<Introspection>, now: i64) -> Result<Verified, TokenRefusal> {
    let asked = Asked::new(introspection, text);
    match asked.look(now) {
        Some(told) => {
            Ok(Verified { token: told?, basis: Basis::Introspection(Arc::downgrade(introspection)) })
        }
        None => Err(TokenRefusal { error: TokenError::Unavailable, awaited: Some(Awaited::Answer(asked)) }),
    }
}

impl Verified {
    /// Whether it was verified by what is published of the issuer at present.
    fn holds(&self, issuer: &IssuerPlan) -> bool {
        match (&self.basis, &issuer.vouching) {
            (Basis::Keys { rules, keys }, Vouching::Keys(present)) => {
                Arc::ptr_eq(rules, &issuer.rules) && present.are(keys)
            }
            (Basis::Introspection(asked), Vouching::Introspection(present)) => {
                std::ptr::eq(asked.as_ptr(), Arc::as_ptr(present))
            }
            _ => false,
        }
    }
}

impl From<TokenError> for TokenRefusal {
    fn from(error: TokenError) -> Self {
        Self { error, awaited: None }
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    use portcullis_token::Algorithm;

    use super::*;

    /// An issuer with one key, or whose keys are still to come.
    fn issuer(keys: IssuerKeys) -> IssuerPlan {
        let rules = IssuerRules {
            issuer: "https://as.bank.example".to_owned(),
            audiences: vec!["api".to_owned()],
            algorithms: vec![Algorithm::Es256],
            clock_skew_s: 10,
            takes_any_type: false,
        };
        IssuerPlan {
            name: "bank".to_owned(),
            rules: Arc::new(rules),
            vouching: Vouching::Keys(Arc::new(keys)),
        }
    }

    fn key_set() -> KeySet {
        // The EC key of RFC 7517 A.1.
        let json = r#"{"keys":[{"kty":"EC","crv":"P-256","kid":"1",
            "x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}"#;
        KeySet::from_json(json.as_bytes()).unwrap()
    }

    #[test]
    fn only_keys_that_are_fetched_are_waited_for() {
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let header = part(r#"{"alg":"ES256","typ":"at+jwt","kid":"2"}"#);
        let token = format!("{header}.{}.c2ln", part(r#"{"iss":"https://as.bank.example"}"#));
        let refusal = |keys| Tokens::default().verify(&token, [&issuer(keys)].into_iter(), 0).unwrap_err();
        let (fixed, fetched) = (refusal(IssuerKeys::fixed(key_set())), refusal(IssuerKeys::fetched()));
        assert_eq!((fixed.error, fixed.awaited.is_some()), (TokenError::KeyUnknown, false));
        assert_eq!((fetched.error, fetched.awaited.is_some()), (TokenError::Unavailable, true));
    }

    #[test]
    fn a_desk_goes_with_its_plan_whatever_is_remembered_of_its_answers() {
        let introspection = Arc::new(Introspection::default());
        let asked = IssuerPlan {
            vouching: Vouching::Introspection(Arc::clone(&introspection)),
            ..issuer(IssuerKeys::fetched())
        };
        let (tokens, text) = (Tokens::default(), "opaque");
        introspection.tell(text, br#"{"active":true,"aud":"api"}"#, &asked.rules);
        let verified = tokens.verify(text, [&asked].into_iter(), 0).unwrap();
        assert!(verified.holds(&asked));
        drop(asked);
        assert_eq!(Arc::strong_count(&introspection), 1);
    }

    #[test]
    fn nobody_is_asked_about_what_is_larger_than_a_token() {
        let asked =
            IssuerPlan { vouching: Vouching::Introspection(Arc::default()), ..issuer(IssuerKeys::fetched()) };
        let refusal =
            |length| Tokens::default().verify(&"x".repeat(length), [&asked].into_iter(), 0).unwrap_err();
        assert!(refusal(16 << 10).awaited.is_some());
        let larger = refusal((16 << 10) + 1);
        assert_eq!((larger.error.code(), larger.awaited.is_some()), ("token.too-large", false));
    }
}
