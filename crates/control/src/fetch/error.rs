//! Why a document was not fetched.

use std::{error::Error as StdError, fmt, io, time::Duration};

use reqwest::Url;
use thiserror::Error;

use super::{RedirectRefusal, ShownUrl, access::NotPublic};

/// What went wrong. The first four are for the operator to mend, or for who published the URL; the rest is the server's doing
/// or the network's, and may be over at the next try.
#[derive(Debug, Error)]
#[non_exhaustive]
pub(crate) enum FetchError {
    /// There are no root certificates, or one of the operator's is none.
    #[error("cannot make a client for https")]
    Client(#[source] reqwest::Error),
    /// The URL is none. It is not shown: it could be anything.
    #[error("the URL cannot be read")]
    Url(#[source] <Url as std::str::FromStr>::Err),
    /// The URL has a user name or a password.
    #[error("{url} has a user name or a password in its URL, which are not sent")]
    UserInfo {
        /// The URL, without them.
        url: ShownUrl,
    },
    /// The URL is of a scheme that is not fetched.
    #[error("the URL is {scheme}, which is not fetched here")]
    Scheme {
        /// What it is.
        scheme: String,
    },
    /// The server is not at a public address, and was not allowed to be elsewhere.
    #[error(transparent)]
    NotPublic(NotPublic),
    /// The document cannot be kept.
    #[error("the document cannot be kept")]
    Keep(#[source] io::Error),
    /// The server sends us where we do not go.
    #[error("{url} redirects {refusal}")]
    Redirect {
        /// Who said so.
        url: ShownUrl,
        /// Where to, and why not.
        refusal: RedirectRefusal,
    },
    /// The server is too slow.
    #[error("{url}: {wait} within {limit:?}")]
    Timeout {
        /// Which document.
        url: ShownUrl,
        /// What did not come.
        wait: Wait,
        /// How long it was waited for.
        limit: Duration,
    },
    /// The server is not the one that it should be, or does not speak TLS as we do.
    #[error("{url}: TLS failed")]
    Tls {
        /// Which document.
        url: ShownUrl,
        /// Why.
        source: rustls::Error,
    },
    /// No connection, be it that the name cannot be looked up.
    #[error("{url}: cannot connect")]
    Connect {
        /// Which document.
        url: ShownUrl,
        /// Why.
        source: reqwest::Error,
    },
    /// The answer is no HTTP.
    #[error("{url}: the answer is not HTTP")]
    Protocol {
        /// Which document.
        url: ShownUrl,
        /// What is wrong with it.
        source: reqwest::Error,
    },
    /// The server has no document for us.
    #[error("{url}: the server answers {status}, not 200")]
    Status {
        /// Which document.
        url: ShownUrl,
        /// The status code.
        status: u16,
    },
    /// The document is compressed, which nobody asked for.
    #[error("{url}: the document comes in a content coding, where none was asked for")]
    Encoding {
        /// Which document.
        url: ShownUrl,
    },
    /// The document is of another media type than was asked for.
    #[error("{url}: the answer is no JSON by its media type")]
    MediaType {
        /// Which document.
        url: ShownUrl,
    },
    /// The document is longer than is taken.
    #[error("{url}: the document has {bytes} bytes or more, at most {bytes_max} are taken")]
    TooLarge {
        /// Which document.
        url: ShownUrl,
        /// Its length as announced, or as far as it came.
        bytes: u64,
        /// The limit.
        bytes_max: usize,
    },
    /// The connection ended before the document.
    #[error("{url}: the answer broke off after {received} bytes of the document")]
    Truncated {
        /// Which document.
        url: ShownUrl,
        /// What had come; it is thrown away.
        received: usize,
        /// How it ended.
        source: reqwest::Error,
    },
}

/// What a server was too slow for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    /// Name look-up, TCP and TLS.
    Connection,
    /// The head of the answer.
    Answer,
    /// The next piece of the body, after so many bytes.
    Body {
        /// What had come; it is thrown away.
        received: usize,
    },
    /// All of it.
    Whole,
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connection => f.write_str("no connection"),
            Self::Answer => f.write_str("no answer"),
            Self::Body { received } => write!(f, "nothing more after {received} bytes"),
            Self::Whole => f.write_str("not fetched"),
        }
    }
}

impl FetchError {
    /// The stable code, for logs and metrics.
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::Client(_) => "fetch.client",
            Self::Url(_) | Self::UserInfo { .. } => "fetch.url",
            Self::Scheme { .. } => "fetch.scheme",
            Self::NotPublic(_) => "fetch.not-public",
            Self::Keep(_) => "fetch.keep",
            Self::Redirect { .. } => "fetch.redirect",
            Self::Timeout { .. } => "fetch.timeout",
            Self::Tls { .. } => "fetch.tls",
            Self::Connect { .. } => "fetch.connect",
            Self::Protocol { .. } => "fetch.protocol",
            Self::Status { .. } => "fetch.status",
            Self::Encoding { .. } => "fetch.encoding",
            Self::MediaType { .. } => "fetch.media-type",
            Self::TooLarge { .. } => "fetch.too-large",
            Self::Truncated { .. } => "fetch.truncated",
        }
    }

    pub(super) fn redirect(from: &Url, refusal: RedirectRefusal) -> Self {
        Self::Redirect { url: ShownUrl::new(from), refusal }
    }

    pub(super) fn timeout(url: &Url, wait: Wait, limit: Duration) -> Self {
        Self::Timeout { url: ShownUrl::new(url), wait, limit }
    }

    /// A request that got no answer.
    pub(super) fn unanswered(url: &Url, connect_timeout: Duration, error: reqwest::Error) -> Self {
        if error.is_connect() && error.is_timeout() {
            return Self::timeout(url, Wait::Connection, connect_timeout);
        }
        if let Some(source) = tls_error(&error) {
            return Self::Tls { url: ShownUrl::new(url), source };
        }
        if let Some(NotPublic { host }) = causes(&error).find_map(|cause| cause.downcast_ref()) {
            return Self::NotPublic(NotPublic { host: host.clone() });
        }
        // The URL in it is shown already, and whole there.
        let (url, source) = (ShownUrl::new(url), error.without_url());
        if source.is_connect() {
            Self::Connect { url, source }
        } else if is_malformed(&source) {
            Self::Protocol { url, source }
        } else {
            Self::Truncated { url, received: 0, source }
        }
    }

    /// A body that ended before its end.
    pub(super) fn broken_off(url: &Url, received: usize, error: reqwest::Error) -> Self {
        let source = tls_error(&error);
        let url = ShownUrl::new(url);
        match source {
            Some(source) => Self::Tls { url, source },
            None => Self::Truncated { url, received, source: error.without_url() },
        }
    }
}

fn tls_error(error: &reqwest::Error) -> Option<rustls::Error> {
    causes(error).find_map(|cause| cause.downcast_ref()).cloned()
}

fn is_malformed(error: &reqwest::Error) -> bool {
    causes(error).filter_map(|cause| cause.downcast_ref::<hyper::Error>()).any(hyper::Error::is_parse)
}

/// What is under an error, however deep. An [`io::Error`] is opened for it, since its source is that of what it wraps.
fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(error.source(), |&error| match error.downcast_ref().and_then(io::Error::get_ref) {
        Some(wrapped) => Some(wrapped as &(dyn StdError + 'static)),
        None => error.source(),
    })
}
