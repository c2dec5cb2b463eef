//! The head of an upstream's answer.
//!
//! An upstream is not hostile, but what an attacker can make it say may be: an answer that two readers could delimit
//! differently is refused, not repaired.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use portcullis_http1::{is_hop_by_hop, may_trail, parse_length};

use crate::UpstreamError;

/// The most bytes of an answer's head, from its status line to its empty line.
pub(crate) const HEAD_BYTES_MAX: usize = 64 * 1024;

/// The most fields of an answer's head. Field lines are parsed into room on the stack.
pub(crate) const HEAD_FIELDS_MAX: usize = 128;

/// An answer's head.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) status: StatusCode,
    /// Without those of the connection.
    pub(crate) headers: HeaderMap,
    pub(crate) framing: Framing,
    /// Whether the connection can be used again behind the body.
    pub(crate) keep_alive: bool,
}

/// How the body of an answer is delimited (RFC 9112 6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    Length(u64),
    Chunked,
    /// By the end of the connection.
    Close,
}

/// Reads a head that ends with its empty line. `is_head` tells that the request was a HEAD, `trailers` that `Trailer` passes. The values of the fields share
/// `head`.
///
/// # Errors
/// [`UpstreamError::Malformed`]
pub(crate) fn parse(head: &Bytes, is_head: bool, trailers: bool) -> Result<Head, UpstreamError> {
    let mut fields = [httparse::EMPTY_HEADER; HEAD_FIELDS_MAX];
    let mut response = httparse::Response::new(&mut fields);
    match response.parse(head) {
        Ok(httparse::Status::Complete(len)) if len == head.len() => {}
        Err(httparse::Error::TooManyHeaders) => return Err(UpstreamError::Malformed("too many fields")),
        _ => return Err(UpstreamError::Malformed("a head that is none")),
    }
    let status = response.code.and_then(|code| StatusCode::from_u16(code).ok());
    let status = status.ok_or(UpstreamError::Malformed("a status that is none"))?;
    let is_http11 = response.version == Some(1);
    let mut connection = Connection::default();
    for field in response.headers.iter().filter(|field| field.name.eq_ignore_ascii_case("connection")) {
        connection.read(field.value);
    }
    let mut framing = Framing::Close;
    let mut headers = HeaderMap::with_capacity(response.headers.len());
    for field in response.headers.iter() {
        if field.name.eq_ignore_ascii_case("transfer-encoding") {
            if framing != Framing::Close || !is_http11 || !field.value.eq_ignore_ascii_case(b"chunked") {
                return Err(UpstreamError::Malformed("a transfer coding other than chunked alone"));
            }
            framing = Framing::Chunked;
        } else if field.name.eq_ignore_ascii_case("content-length") {
            let length = parse_length(field.value).ok().filter(|_| framing == Framing::Close);
            framing =
                Framing::Length(length.ok_or(UpstreamError::Malformed("more or less than one length"))?);
        }
        let (name, value) = convert(field, head)?;
        let passes = !is_hop_by_hop(name.as_str()) || trailers && name == header::TRAILER;
        if passes && !connection.names(name.as_str()) {
            headers.append(name, value);
        }
    }
    // A server that sends the body of an answer that has none would have it read as the next answer.
    let is_doubtful = match status {
        StatusCode::NO_CONTENT => !matches!(framing, Framing::Close | Framing::Length(0)),
        StatusCode::NOT_MODIFIED => framing == Framing::Chunked,
        _ => is_head,
    };
    if is_head || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
        framing = Framing::Length(0);
    }
    if status == StatusCode::NO_CONTENT {
        headers.remove(header::CONTENT_LENGTH);
    }
    let keep_alive = is_http11 && !connection.closes && framing != Framing::Close && !is_doubtful;
    Ok(Head { status, headers, framing, keep_alive })
}

/// Reads a trailer section (RFC 9112 7.1.2), which ends with its empty line, and leaves out what may not stand there.
///
/// # Errors
/// [`UpstreamError::Malformed`]
pub(crate) fn parse_trailers(section: &Bytes) -> Result<HeaderMap, UpstreamError> {
    let mut fields = [httparse::EMPTY_HEADER; HEAD_FIELDS_MAX];
    let Ok(httparse::Status::Complete((_, fields))) = httparse::parse_headers(section, &mut fields) else {
        return Err(UpstreamError::Malformed("trailer fields that are none"));
    };
    fields
        .iter()
        .filter(|field| may_trail(field.name.as_bytes()))
        .map(|field| convert(field, section))
        .collect()
}

/// A field as httparse found it in `source`, which its value goes on sharing.
fn convert(field: &httparse::Header<'_>, source: &Bytes) -> Result<(HeaderName, HeaderValue), UpstreamError> {
    let name = HeaderName::from_bytes(field.name.as_bytes());
    let value = HeaderValue::from_maybe_shared(source.slice_ref(field.value));
    match (name, value) {
        (Ok(name), Ok(value)) => Ok((name, value)),
        _ => Err(UpstreamError::Malformed("a field that is none")),
    }
}

/// The fields that would pass from this head, if it is one. For the fuzz target, which sees nothing else of the crate.
#[doc(hidden)]
pub fn read_answer_fields(head: &Bytes) -> Option<HeaderMap> {
    parse(head, false, false).ok().map(|head| head.headers)
}

/// What `Connection` says (RFC 9110 7.6.1).
#[derive(Debug, Default)]
struct Connection {
    closes: bool,
    named: Vec<String>,
}

impl Connection {
    fn read(&mut self, value: &[u8]) {
        for option in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
            match option {
                b"" => {}
                _ if option.eq_ignore_ascii_case(b"close") => self.closes = true,
                _ if option.eq_ignore_ascii_case(b"keep-alive") => {}
                _ => self.named.push(String::from_utf8_lossy(option).to_ascii_lowercase()),
            }
        }
    }

    /// A length belongs to the message, whatever is said of it.
    fn names(&self, name: &str) -> bool {
        name != "content-length" && self.named.iter().any(|named| named == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(head: &str) -> Result<Head, UpstreamError> {
        parse(&Bytes::copy_from_slice(head.as_bytes()), false, false)
    }

    #[test]
    fn framing_and_reuse_follow_the_head() {
        let cases = [
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", Framing::Length(5), true),
            ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\nConnection: Close\r\n\r\n", Framing::Length(5), false),
            ("HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n", Framing::Chunked, true),
            ("HTTP/1.1 200 OK\r\n\r\n", Framing::Close, false),
            ("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", Framing::Length(5), false),
            ("HTTP/1.1 204 No Content\r\n\r\n", Framing::Length(0), true),
            ("HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\n", Framing::Length(0), false),
            ("HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n", Framing::Length(0), false),
            ("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", Framing::Length(0), true),
        ];
        for (head, framing, keep_alive) in cases {
            let read = read(head).unwrap();
            assert_eq!((read.framing, read.keep_alive), (framing, keep_alive), "{head:?}");
        }
        let head = Bytes::from_static(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
        let head = parse(&head, true, false).unwrap();
        assert!(!head.keep_alive, "who knows whether its body comes after all");
        assert_eq!(
            (head.framing, &head.headers[header::CONTENT_LENGTH]),
            (Framing::Length(0), &"5".parse().unwrap())
        );
    }

    #[test]
    fn fields_of_the_connection_end_here() {
        let head = read(
            "HTTP/1.1 200 OK\r\nConnection: x-hop, keep-alive, content-length\r\nKeep-Alive: timeout=5\r\nX-Hop: 1\r\n\
             Upgrade: h2c\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nContent-Length: 1\r\n\r\n",
        );
        let headers = head.unwrap().headers;
        let names: Vec<_> = headers.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["set-cookie", "set-cookie", "content-length"]);
    }

    #[test]
    fn doubt_is_refused() {
        for fields in [
            "Content-Length: 1\r\nContent-Length: 1\r\n",
            "Content-Length: 1, 1\r\n",
            "Content-Length: +1\r\n",
            "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n",
            "Transfer-Encoding: gzip, chunked\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: identity\r\n",
            "X : 1\r\n",
            "X: a\r\n b\r\n",
            "X: \0\r\n",
            "no colon\r\n",
        ] {
            let head = read(&format!("HTTP/1.1 200 OK\r\n{fields}\r\n"));
            assert!(matches!(head, Err(UpstreamError::Malformed(_))), "{fields:?}: {head:?}");
        }
        for line in ["HTTP/1.1 20 OK", "HTTP/2 200 OK", "200 OK", "HTTP/1.1 099 X", "SSH-2.0-OpenSSH_9"] {
            let head = read(&format!("{line}\r\nContent-Length: 0\r\n\r\n"));
            assert!(head.is_err(), "{line:?}: {head:?}");
        }
        let many = "X: 1\r\n".repeat(HEAD_FIELDS_MAX + 1);
        assert!(read(&format!("HTTP/1.1 200 OK\r\n{many}\r\n")).is_err());
    }
}
