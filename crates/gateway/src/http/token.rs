//! What a route asks of the token that comes with a request.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use http::{HeaderMap, HeaderValue, header};
use portcullis_identity::Thumbprint;
use portcullis_token::{AccessToken, IssuerRules, KeySet, TokenCache, TokenError, UnverifiedToken, bearer};

use crate::{
    issuer::IssuerKeys,
    plan::{IssuerPlan, Plan, TokenPlan},
};

/// Bytes that a shard remembers of tokens: some four thousand of the usual length.
const CACHE_BYTES: usize = 16 << 20;

/// The tokens that one shard has verified.
#[derive(Debug)]
pub(crate) struct Tokens(RefCell<TokenCache<Rc<Verified>>>);

/// A token, and what its verification rests on.
#[derive(Debug)]
struct Verified {
    token: AccessToken,
    rules: Arc<IssuerRules>,
    keys: Arc<KeySet>,
}

/// A token that does not open a route.
#[derive(Debug)]
pub(crate) struct TokenRefusal {
    pub(crate) error: TokenError,
    /// Of whom a newer key set might help.
    pub(crate) keys: Option<Arc<IssuerKeys>>,
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
        mut issuers: impl Iterator<Item = &'p IssuerPlan>,
        now: i64,
    ) -> Result<Rc<Verified>, TokenRefusal> {
        let token = UnverifiedToken::read(text)?;
        let issuer = issuers.find(|issuer| token.issuer() == Some(&*issuer.rules.issuer));
        let issuer = issuer.ok_or(TokenError::Issuer)?;
        let (rules, keys) = (Arc::clone(&issuer.rules), issuer.keys.present());
        let token = AccessToken::verify(token, &rules, &keys, now).map_err(|error| {
            let might_help = matches!(error, TokenError::KeyUnknown | TokenError::Unavailable);
            TokenRefusal { keys: might_help.then(|| Arc::clone(&issuer.keys)), error }
        })?;
        let (bytes, until) = (size_of::<Verified>() + token.bytes(), token.until);
        let verified = Rc::new(Verified { token, rules, keys });
        self.0.borrow_mut().insert(text, Rc::clone(&verified), bytes, until);
        Ok(verified)
    }
}

impl Verified {
    /// Whether it was verified by what is published of the issuer at present.
    fn holds(&self, issuer: &IssuerPlan) -> bool {
        Arc::ptr_eq(&self.rules, &issuer.rules) && issuer.keys.are(&self.keys)
    }
}

impl From<TokenError> for TokenRefusal {
    fn from(error: TokenError) -> Self {
        Self { error, keys: None }
    }
}
