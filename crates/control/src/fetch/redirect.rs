//! Where a server sends us instead.

use reqwest::{Response, StatusCode, Url, header::LOCATION};
use thiserror::Error;

use super::{
    Access, FetchError, ShownUrl,
    url::{has_user_info, shown_scheme},
};

/// Why a redirect is not followed. The server's fault, or that of somebody on the way to it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub(crate) enum RedirectRefusal {
    /// More than are followed; a loop ends so too.
    #[error("more than {redirects_max} redirects")]
    TooMany {
        /// The limit.
        redirects_max: usize,
    },
    /// To http, or to a scheme that is not fetched at all.
    #[error("to {scheme}, where only https is followed")]
    Scheme {
        /// The scheme.
        scheme: String,
    },
    /// To a URL with a user name or a password.
    #[error("to {to} with a user name or a password in the URL")]
    UserInfo {
        /// Where to, without them.
        to: ShownUrl,
    },
    /// There is no Location, or none that is a URL.
    #[error("its Location is missing or no URL")]
    Location,
}

/// The URL to ask next, or none where the answer is no redirect (RFC 9110, 15.4).
///
/// # Errors
/// [`FetchError::Redirect`].
pub(super) fn redirect(from: &Url, response: &Response, access: &Access) -> Result<Option<Url>, FetchError> {
    let status = response.status();
    if !is_redirect(status) {
        return Ok(None);
    }
    let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
    let next = location.and_then(|location| from.join(location).ok()).ok_or(RedirectRefusal::Location);
    let next = next
        .and_then(|next| follow(from, next, access))
        .map_err(|refusal| FetchError::redirect(from, refusal))?;
    Ok(Some(next))
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::SEE_OTHER
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT
    )
}

fn follow(from: &Url, next: Url, access: &Access) -> Result<Url, RedirectRefusal> {
    let is_weaker = from.scheme() == "https" && next.scheme() != "https";
    if is_weaker || !access.takes_scheme(next.scheme()) {
        return Err(RedirectRefusal::Scheme { scheme: shown_scheme(&next) });
    }
    if has_user_info(&next) {
        return Err(RedirectRefusal::UserInfo { to: ShownUrl::new(&next) });
    }
    Ok(next)
}
