//! The host that a request is for.

use std::{net::Ipv6Addr, ops::Range};

use http::{HeaderMap, Uri, header::HOST};

/// The longest DNS name in text (RFC 1035 2.3.4).
const HOST_BYTES_MAX: usize = 253;

/// The host of a request in lower case; address literals of IPv6 in their shortest form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RequestHost {
    /// As a `Host` field has it: with brackets, and the port if there is one.
    authority: String,
    /// Where the host stands in it, without brackets.
    host: Range<usize>,
}

/// Why no single host can be read from a request. Answered 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HostRefusal {
    /// Neither a `Host` field nor an authority (RFC 9110 7.2, RFC 9112 3.2).
    Missing,
    /// Several `Host` fields, or one that differs from the authority of the target (RFC 9112 3.2.2, RFC 9113 8.3.1).
    Ambiguous,
    /// Not a host with an optional port (RFC 3986 3.2).
    Malformed,
}

impl HostRefusal {
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Missing => "host.missing",
            Self::Ambiguous => "host.ambiguous",
            Self::Malformed => "host.malformed",
        }
    }

    pub(crate) const fn sentence(self) -> &'static str {
        match self {
            Self::Missing => "the request names no host",
            Self::Ambiguous => "the request names more than one host",
            Self::Malformed => "the request's host cannot be read",
        }
    }
}

impl RequestHost {
    /// Reads the host from a request's target and fields, which must agree.
    ///
    /// # Errors
    /// [`HostRefusal`]
    pub(crate) fn of(uri: &Uri, headers: &HeaderMap) -> Result<Self, HostRefusal> {
        let mut fields = headers.get_all(HOST).iter();
        let field =
            fields.next().map(|value| value.to_str().map_err(|_| HostRefusal::Malformed)).transpose()?;
        if fields.next().is_some() {
            return Err(HostRefusal::Ambiguous);
        }
        let target = uri.authority().map(http::uri::Authority::as_str);
        match (target, field) {
            (Some(target), Some(field)) if !target.eq_ignore_ascii_case(field) => Err(HostRefusal::Ambiguous),
            (Some(host), _) | (None, Some(host)) => Self::parse(host),
            (None, None) => Err(HostRefusal::Missing),
        }
    }

    fn parse(raw: &str) -> Result<Self, HostRefusal> {
        let (mut authority, host, port) = match raw.strip_prefix('[') {
            Some(literal) => {
                let (address, rest) = literal.split_once(']').ok_or(HostRefusal::Malformed)?;
                let address: Ipv6Addr = address.parse().map_err(|_| HostRefusal::Malformed)?;
                let port = if rest.is_empty() { Some("") } else { rest.strip_prefix(':') };
                let authority = format!("[{address}]");
                let host = 1..authority.len() - 1;
                (authority, host, port.ok_or(HostRefusal::Malformed)?)
            }
            None => {
                let (host, port) = raw.split_once(':').unwrap_or((raw, ""));
                let name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
                if host.is_empty() || host.len() > HOST_BYTES_MAX || !host.bytes().all(name) {
                    return Err(HostRefusal::Malformed);
                }
                (host.to_ascii_lowercase(), 0..host.len(), port)
            }
        };
        if !port.is_empty() {
            // The parser of numbers would take a sign.
            let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
            let port: u16 = Some(port)
                .filter(|_| is_number)
                .and_then(|port| port.parse().ok())
                .ok_or(HostRefusal::Malformed)?;
            authority.push_str(&format!(":{port}"));
        }
        Ok(Self { authority, host })
    }

    /// The host alone.
    pub(crate) fn as_str(&self) -> &str {
        &self.authority[self.host.clone()]
    }

    /// Host and port as they are sent on.
    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn host(target: &str, fields: &[&str]) -> Result<String, HostRefusal> {
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(HOST, HeaderValue::from_str(field).unwrap());
        }
        RequestHost::of(&target.parse().unwrap(), &headers).map(|host| host.as_str().to_owned())
    }

    #[test]
    fn one_host_is_read_and_normalised() {
        assert_eq!(host("/", &["Api.Bank.Example:8443"]).unwrap(), "api.bank.example");
        assert_eq!(host("https://a.example/x", &[]).unwrap(), "a.example");
        assert_eq!(host("https://A.example:1/x", &["a.example:1"]).unwrap(), "a.example");
        assert_eq!(host("/", &["127.0.0.1:8443"]).unwrap(), "127.0.0.1");
        assert_eq!(host("/", &["[::1]:8443"]).unwrap(), "::1");
        assert_eq!(host("/", &["[0:0::1]"]).unwrap(), "::1");
        assert_eq!(host("/", &["a.example:"]).unwrap(), "a.example");
    }

    #[test]
    fn the_authority_is_sent_on_as_judged() {
        for (sent, judged) in
            [("A.Example:0443", "a.example:443"), ("a:", "a"), ("[0:0::1]:8443", "[::1]:8443")]
        {
            assert_eq!(RequestHost::parse(sent).unwrap().authority(), judged);
        }
    }

    #[test]
    fn doubt_is_refused() {
        assert_eq!(host("/", &[]), Err(HostRefusal::Missing));
        assert_eq!(host("/", &["a", "a"]), Err(HostRefusal::Ambiguous));
        assert_eq!(host("https://a/x", &["b"]), Err(HostRefusal::Ambiguous));
        assert_eq!(host("https://a/x", &["a:443"]), Err(HostRefusal::Ambiguous));
        for bad in [
            "", ":1", "a:b", "a:123456", "a:65536", "a:99999", "a:+1", "a/b", "a@b", "a b", "[::1", "[::1]x",
            "[a]", "a,b", "a%2eb",
        ] {
            assert_eq!(host("/", &[bad]), Err(HostRefusal::Malformed), "{bad:?}");
        }
    }
}
