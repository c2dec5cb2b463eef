//! An OCSP request over HTTP (RFC 6960 appendix A), by POST, or one for what was counted.

use der::{Decode as _, Encode as _};
use httparse::{EMPTY_HEADER, Status};
use x509_ocsp::OcspRequest;

/// Largest request that is taken, head and body.
const REQUEST_BYTES_MAX: usize = 64 * 1024;
/// Most header fields that are taken.
const FIELDS_MAX: usize = 64;

/// What is asked.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// How some certificates stand.
    About(Vec<Certificate>),
    /// What was counted.
    Stats,
}

/// A certificate that is asked about.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Certificate {
    /// Its `CertID` in DER.
    pub(super) id: Vec<u8>,
    /// The content octets of its serial number.
    pub(super) serial_number: Vec<u8>,
}

/// Why a request is refused. The connection ends with the refusal.
#[derive(Debug, thiserror::Error)]
pub(super) enum QuestionError {
    /// httparse refused the head.
    #[error("{0}")]
    Head(#[from] httparse::Error),
    /// It exceeds [`REQUEST_BYTES_MAX`].
    #[error("request too large")]
    TooLarge,
    /// It is neither a POST nor a GET of `/stats`.
    #[error("neither a POST nor a GET of /stats")]
    Method,
    /// It has no length, or one that is no number.
    #[error("no length")]
    Length,
    /// Its body is no `OCSPRequest`.
    #[error("no OCSP request: {0}")]
    Request(#[from] der::Error),
}

impl QuestionError {
    /// The status that says so.
    pub(super) fn status(&self) -> &'static str {
        match self {
            Self::Head(_) | Self::Request(_) => "400 Bad Request",
            Self::Method => "405 Method Not Allowed",
            Self::Length => "411 Length Required",
            Self::TooLarge => "413 Content Too Large",
        }
    }
}

/// Reads the request that `bytes` begin with, and tells how many of them it has. None while it is not complete.
pub(super) fn parse(bytes: &[u8]) -> Result<Option<(Asked, usize)>, QuestionError> {
    let mut headers = [EMPTY_HEADER; FIELDS_MAX];
    let mut head = httparse::Request::new(&mut headers);
    let Status::Complete(start) = head.parse(bytes)? else {
        return if bytes.len() > REQUEST_BYTES_MAX { Err(QuestionError::TooLarge) } else { Ok(None) };
    };
    match (head.method, head.path) {
        (Some("POST"), _) => {}
        (Some("GET"), Some("/stats")) => return Ok(Some((Asked::Stats, start))),
        _ => return Err(QuestionError::Method),
    }
    let length = head.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let length = length.and_then(|header| std::str::from_utf8(header.value).ok()?.parse::<usize>().ok());
    let end = start.saturating_add(length.ok_or(QuestionError::Length)?);
    if end > REQUEST_BYTES_MAX {
        return Err(QuestionError::TooLarge);
    }
    match bytes.get(start..end) {
        Some(body) => Ok(Some((Asked::About(certificates(body)?), end))),
        None => Ok(None),
    }
}

fn certificates(body: &[u8]) -> Result<Vec<Certificate>, der::Error> {
    let request = OcspRequest::from_der(body)?;
    let certificate = |asked: &x509_ocsp::Request| {
        let serial_number = asked.req_cert.serial_number.as_bytes().to_vec();
        Ok(Certificate { id: asked.req_cert.to_der()?, serial_number })
    };
    request.tbs_request.request_list.iter().map(certificate).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// About one certificate, its issuer named by SHA-1.
    fn request() -> Vec<u8> {
        let id = [
            &[0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00][..],
            &[4, 1, 7, 4, 1, 8, 2, 1, 9],
        ];
        let wrap = |inner: Vec<u8>| [&[0x30, u8::try_from(inner.len()).unwrap()][..], &inner].concat();
        wrap(wrap(wrap(wrap(wrap(id.concat())))))
    }

    #[test]
    fn a_question_may_come_in_pieces_and_another_follow_it() {
        let body = request();
        let head = format!("POST /x HTTP/1.1\r\ncontent-length: {}\r\n\r\n", body.len());
        let whole = [head.as_bytes(), &body].concat();
        for cut in 0..whole.len() {
            assert!(matches!(parse(&whole[..cut]), Ok(None)), "{cut}");
        }
        let (asked, length) = parse(&[&whole[..], b"POST"].concat()).unwrap().unwrap();
        let Asked::About(certificates) = asked else { panic!("{asked:?}") };
        assert_eq!(length, whole.len());
        assert_eq!(certificates[0].serial_number, [9]);
        assert_eq!(certificates[0].id, body[8..]);
    }

    #[test]
    fn what_is_no_question_is_refused() {
        let status = |text: &str| parse(text.as_bytes()).unwrap_err().status()[..3].to_owned();
        assert_eq!(status("GET / HTTP/1.1\r\n\r\n"), "405");
        assert_eq!(status("POST / HTTP/1.1\r\n\r\n"), "411");
        assert_eq!(status("POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"), "400");
        assert_eq!(status("POST / HTTP/1.1\r\nContent-Length: 18446744073709551615\r\n\r\n"), "413");
        assert_eq!(status(&format!("POST / HTTP/1.1\r\nX: {}", "x".repeat(REQUEST_BYTES_MAX))), "413");
        assert!(matches!(parse(b"GET /stats HTTP/1.1\r\n\r\n"), Ok(Some((Asked::Stats, 23)))));
    }
}
