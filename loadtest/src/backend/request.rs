//! The head of a request (RFC 9112, section 3), and what it asks the backend for. A body is refused, so that no byte of one can be
//! taken for the next request.

use httparse::{EMPTY_HEADER, Status};

/// Largest head that is taken; one that is longer is answered 431. Gates limit heads to less themselves.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Most header fields that are taken; a request with more is answered 400.
const FIELDS_MAX: usize = 128;
/// Most bytes that an answer may be asked to have; a request for more is answered 400. A bound against a slip of the pen, since
/// what is sent is never held.
const BYTES_MAX: u64 = 1 << 30;

/// A request whose head is complete.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Request<'a> {
    /// Bytes of the head.
    pub(crate) length: usize,
    /// What is asked for.
    pub(crate) resource: Resource,
    /// The peer closes the connection after the answer.
    pub(crate) closes: bool,
    /// Values of the field that was looked for, in the order of their lines.
    pub(crate) values: Vec<&'a [u8]>,
}

/// What the backend has. Only the end of a path counts, since a gate may put anything before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resource {
    /// `/stats`, and nothing before it: what was counted. What comes through a gate never names it.
    Stats,
    /// `…/bytes/N`: so many bytes.
    Bytes(u64),
    /// `…/field`: the values of the field that is required.
    Field,
    /// Any other path: a small body.
    Small,
}

/// Why a request is refused. The connection ends with the refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RequestError {
    /// httparse refused the head.
    #[error("{0}")]
    Head(httparse::Error),
    /// The head exceeds [`HEAD_BYTES_MAX`].
    #[error("head too large")]
    HeadTooLarge,
    /// The method is not GET.
    #[error("not a GET")]
    Method,
    /// The request has a body, or says that it may have.
    #[error("request with a body")]
    Body,
    /// N of `…/bytes/N` is not a number, or exceeds [`BYTES_MAX`].
    #[error("not a number of bytes")]
    Bytes,
}

impl RequestError {
    /// The status that says so.
    pub(crate) fn status(self) -> &'static str {
        match self {
            Self::Head(_) | Self::Body | Self::Bytes => "400 Bad Request",
            Self::Method => "405 Method Not Allowed",
            Self::HeadTooLarge => "431 Request Header Fields Too Large",
        }
    }
}

/// Reads the head that `bytes` begin with, and looks for the field `field`. Returns None while the head is not complete.
pub(crate) fn parse<'a>(bytes: &'a [u8], field: Option<&str>) -> Result<Option<Request<'a>>, RequestError> {
    let mut headers = [EMPTY_HEADER; FIELDS_MAX];
    let mut head = httparse::Request::new(&mut headers);
    let (length, complete) = match head.parse(bytes).map_err(RequestError::Head)? {
        Status::Complete(length) => (length, true),
        Status::Partial => (bytes.len(), false),
    };
    if length > HEAD_BYTES_MAX {
        return Err(RequestError::HeadTooLarge);
    }
    if !complete {
        return Ok(None);
    }
    if head.method != Some("GET") {
        return Err(RequestError::Method);
    }
    // HTTP/1.0 closes; nobody who asks to be measured with kept connections speaks it.
    let mut closes = head.version != Some(1);
    let mut values = Vec::new();
    for header in head.headers.iter() {
        if field.is_some_and(|field| header.name.eq_ignore_ascii_case(field)) {
            values.push(header.value);
        }
        if header.name.eq_ignore_ascii_case("connection") {
            let mut options = header.value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
            closes |= options.any(|option| option.eq_ignore_ascii_case(b"close"));
        } else if header.name.eq_ignore_ascii_case("transfer-encoding")
            || (header.name.eq_ignore_ascii_case("content-length") && header.value != b"0")
        {
            return Err(RequestError::Body);
        }
    }
    let resource = Resource::of(head.path.unwrap_or_default())?;
    Ok(Some(Request { length, resource, closes, values }))
}

impl Resource {
    fn of(target: &str) -> Result<Self, RequestError> {
        let path = target.split('?').next().unwrap_or_default();
        if path == "/stats" {
            return Ok(Self::Stats);
        }
        let (before, last) = path.rsplit_once('/').unwrap_or_default();
        if before.ends_with("/bytes") {
            let count = last.parse().ok().filter(|count| *count <= BYTES_MAX);
            return count.map(Self::Bytes).ok_or(RequestError::Bytes);
        }
        Ok(if last == "field" { Self::Field } else { Self::Small })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(path: &str) -> Result<Resource, RequestError> {
        let head = format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
        parse(head.as_bytes(), None).map(|request| request.unwrap().resource)
    }

    #[test]
    fn the_end_of_a_path_says_what_is_asked_for() {
        assert_eq!(resource("/"), Ok(Resource::Small));
        assert_eq!(resource("/v1/accounts?x=/stats"), Ok(Resource::Small));
        assert_eq!(resource("/proxied/bytes/1048576"), Ok(Resource::Bytes(1 << 20)));
        assert_eq!(resource("/bytes/0?x"), Ok(Resource::Bytes(0)));
        assert_eq!(resource("/proxied/field"), Ok(Resource::Field));
        assert_eq!(resource("/stats"), Ok(Resource::Stats));
        assert_eq!(resource("/proxied/stats"), Ok(Resource::Small));
        for path in ["/bytes/", "/bytes/-1", "/bytes/1k", "/bytes/1073741825", "/bytes/99999999999999999999"]
        {
            assert_eq!(resource(path), Err(RequestError::Bytes), "{path}");
        }
    }

    #[test]
    fn a_head_may_come_in_pieces_and_another_follow_it() {
        let bytes = b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /field HTTP/1.1\r\n";
        let length = 27;
        for cut in 0..length {
            assert_eq!(parse(&bytes[..cut], None), Ok(None), "{cut}");
        }
        let request = parse(bytes, None).unwrap().unwrap();
        assert_eq!((request.length, request.resource), (length, Resource::Small));
    }

    #[test]
    fn every_line_of_the_field_is_found() {
        let head = b"GET / HTTP/1.1\r\nclient-CERT: :YQ==:\r\nClient-Certs: x\r\nClient-Cert: \r\n\r\n";
        let request = parse(head, Some("Client-Cert")).unwrap().unwrap();
        assert_eq!(request.values, [&b":YQ==:"[..], b""]);
        assert!(parse(head, None).unwrap().unwrap().values.is_empty());
    }

    #[test]
    fn a_connection_is_kept_unless_the_peer_says_otherwise() {
        let closes = |head: &str| parse(head.as_bytes(), None).unwrap().unwrap().closes;
        assert!(!closes("GET / HTTP/1.1\r\n\r\n"));
        assert!(!closes("GET / HTTP/1.1\r\nConnection: keep-alive\r\n\r\n"));
        assert!(closes("GET / HTTP/1.1\r\nConnection: te, Close\r\n\r\n"));
        assert!(closes("GET / HTTP/1.0\r\n\r\n"));
    }

    #[test]
    fn what_could_hide_a_request_is_refused() {
        let error = |head: &str| parse(head.as_bytes(), None).unwrap_err();
        assert_eq!(error("GET / HTTP/1.1\r\nContent-Length: 5\r\n\r\n"), RequestError::Body);
        assert_eq!(error("GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"), RequestError::Body);
        assert_eq!(error("POST / HTTP/1.1\r\n\r\n"), RequestError::Method);
        assert!(matches!(error("GET / HTTP/1.1\r\nno colon\r\n\r\n"), RequestError::Head(_)));
        assert!(parse(b"GET / HTTP/1.1\r\nContent-Length: 0\r\n\r\n", None).is_ok());
    }

    #[test]
    fn a_head_has_an_end() {
        let mut head = b"GET / HTTP/1.1\r\nX: ".to_vec();
        head.resize(HEAD_BYTES_MAX, b'x');
        assert_eq!(parse(&head, None), Ok(None));
        let whole = [&head[..], b"\r\n\r\n"].concat();
        assert_eq!(parse(&whole, None), Err(RequestError::HeadTooLarge));
        head.push(b'x');
        assert_eq!(parse(&head, None), Err(RequestError::HeadTooLarge));
    }
}
