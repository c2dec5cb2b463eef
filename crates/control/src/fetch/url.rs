//! The URLs that are fetched.

use std::fmt;

use reqwest::Url;

use super::{Access, FetchError};

/// Characters of a URL in a message: enough for any that a list was published at; a redirect could bring a longer one.
const SHOWN_CHARS_MAX: usize = 200;

/// A URL as messages tell it: scheme, host, port and path. A user name, password or query could be a secret, and is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ShownUrl(String);

impl ShownUrl {
    pub(super) fn new(url: &Url) -> Self {
        let mut url = url.clone();
        // Neither can be set on a URL without a host, which has neither.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        url.set_query(None);
        url.set_fragment(None);
        Self(shorten(url.as_str(), SHOWN_CHARS_MAX))
    }
}

impl fmt::Display for ShownUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Reads a URL that the operator wrote, or that stands in what is believed.
///
/// # Errors
/// [`FetchError::Url`], [`FetchError::Scheme`], [`FetchError::UserInfo`].
pub(super) fn fetched_url(text: &str, access: &Access) -> Result<Url, FetchError> {
    let url = Url::parse(text).map_err(FetchError::Url)?;
    if !access.takes_scheme(url.scheme()) {
        return Err(FetchError::Scheme { scheme: shown_scheme(&url) });
    }
    if has_user_info(&url) {
        return Err(FetchError::UserInfo { url: ShownUrl::new(&url) });
    }
    Ok(url)
}

pub(super) fn has_user_info(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

/// The scheme for a message; what follows it in a URL that is not fetched may be anything.
pub(super) fn shown_scheme(url: &Url) -> String {
    shorten(url.scheme(), 32)
}

fn shorten(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_show_no_secret_and_no_endless_url() {
        let shown = |text: &str| ShownUrl::new(&Url::parse(text).unwrap()).to_string();
        assert_eq!(shown("https://me:pw@a.example:8443/l.xml?token=1#x"), "https://a.example:8443/l.xml");
        assert_eq!(shown(&format!("https://a.example/{}", "a".repeat(9000))).chars().count(), 201);
    }

    #[test]
    fn only_https_without_user_info_is_fetched() {
        let code =
            |text| fetched_url(text, &Access::Https).map_err(|error| (error.code(), error.to_string()));
        assert!(code("https://a.example/tl.xml").is_ok());
        for text in ["", "tl.xml", "//a.example/", "https://", "https://a.example:99999/"] {
            assert_eq!(code(text).unwrap_err().0, "fetch.url", "{text}");
        }
        for text in ["http://a.example/", "file:///etc/passwd", "ftp://a.example/", "data:,a"] {
            assert_eq!(code(text).unwrap_err().0, "fetch.scheme", "{text}");
        }
        for text in ["https://me:pw@a.example/", "https://me@a.example/", "https://:pw@a.example/"] {
            let (code, message) = code(text).unwrap_err();
            assert_eq!(code, "fetch.url");
            assert!(!message.contains("pw") && !message.contains("me@"), "{message}");
        }
    }
}
