//! An HTTP/1 answer, read to its last byte (RFC 9112, section 6). The server is not trusted to frame it rightly: an answer
//! whose end is a guess is a failure.

use httparse::{EMPTY_HEADER, Response, Status};

use crate::chunked::ChunkedBody;

/// Largest head that is taken. Servers answer with hundreds of bytes; past this the answer is refused.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Most header fields that are taken; past this the answer is refused.
const HEADERS_MAX: usize = 64;

/// Why an answer could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AnswerError {
    /// httparse refused the head.
    #[error("{0}")]
    Head(httparse::Error),
    /// The head exceeds [`HEAD_BYTES_MAX`].
    #[error("head too large")]
    HeadTooLarge,
    /// Content-Length is not one number.
    #[error("bad content-length")]
    BadContentLength,
    /// Transfer-Encoding is not "chunked", or stands beside Content-Length.
    #[error("bad transfer-encoding")]
    BadTransferEncoding,
    /// A chunk is not framed as one.
    #[error("bad chunk")]
    BadChunk,
    /// Bytes came after the end of the answer, though only one request had been sent.
    #[error("surplus bytes")]
    Surplus,
    /// The server wants to speak another protocol.
    #[error("switching protocols")]
    Switching,
}

/// What an answer said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Status code.
    pub(crate) status: u16,
    /// The server will close the connection after this answer.
    pub(crate) closes: bool,
    /// Plaintext bytes, head and body.
    pub(crate) bytes: u64,
}

/// Follows one answer. It keeps an unfinished head, never the body.
#[derive(Debug, Default)]
pub(crate) struct AnswerReader {
    head: Vec<u8>,
    bytes: u64,
    part: Part,
}

#[derive(Debug, Default)]
enum Part {
    #[default]
    Head,
    Body(Head, Body),
    Done(Head),
}

#[derive(Clone, Copy, Debug)]
struct Head {
    status: u16,
    closes: bool,
}

#[derive(Debug)]
enum Body {
    Sized { left: u64 },
    Chunked(ChunkedBody),
    UntilClose,
}

impl AnswerReader {
    /// Forgets the last answer and keeps its buffer.
    pub(crate) fn reset(&mut self) {
        self.head.clear();
        self.bytes = 0;
        self.part = Part::Head;
    }

    /// Takes the next bytes. Returns the answer when its end is among them.
    pub(crate) fn take(&mut self, mut bytes: &[u8]) -> Result<Option<Answer>, AnswerError> {
        self.bytes += bytes.len() as u64;
        while matches!(self.part, Part::Head) {
            if !self.take_head(&mut bytes)? {
                return Ok(None);
            }
        }
        if let Part::Body(head, body) = &mut self.part
            && body.take(&mut bytes)?
        {
            self.part = Part::Done(*head);
        }
        match &self.part {
            Part::Done(_) if !bytes.is_empty() => Err(AnswerError::Surplus),
            Part::Done(head) => Ok(Some(self.answer(*head))),
            _ => Ok(None),
        }
    }

    /// The server has ended the stream in good order. Returns the answer if this was how it marks the end of it.
    pub(crate) fn end(&self) -> Option<Answer> {
        match &self.part {
            Part::Body(head, Body::UntilClose) => Some(self.answer(*head)),
            _ => None,
        }
    }

    fn answer(&self, head: Head) -> Answer {
        Answer { status: head.status, closes: head.closes, bytes: self.bytes }
    }

    /// Takes a head from the front of `bytes`. Returns false when it is not complete yet.
    fn take_head(&mut self, bytes: &mut &[u8]) -> Result<bool, AnswerError> {
        let buffered = self.head.len();
        if buffered > 0 {
            self.head.extend_from_slice(bytes);
        }
        let seen: &[u8] = if buffered > 0 { &self.head } else { bytes };
        let Some((length, part)) = parse_head(seen)? else {
            if seen.len() > HEAD_BYTES_MAX {
                return Err(AnswerError::HeadTooLarge);
            }
            if buffered == 0 {
                self.head.extend_from_slice(bytes);
            }
            return Ok(false);
        };
        // A partial head was not complete, so its end lies in the new bytes.
        *bytes = &bytes[length - buffered..];
        self.head.clear();
        self.part = part;
        Ok(true)
    }
}

impl Body {
    /// Takes bytes of the body. Returns true when it has ended.
    fn take(&mut self, bytes: &mut &[u8]) -> Result<bool, AnswerError> {
        match self {
            Self::Sized { left } => {
                let step = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                *bytes = &bytes[step..];
                *left -= step as u64;
                Ok(*left == 0)
            }
            Self::Chunked(body) => body.take(bytes),
            Self::UntilClose => {
                *bytes = &[];
                Ok(false)
            }
        }
    }
}

/// Reads a head: its length and what comes next. An interim answer (1xx) is followed by another head.
fn parse_head(bytes: &[u8]) -> Result<Option<(usize, Part)>, AnswerError> {
    let mut headers = [EMPTY_HEADER; HEADERS_MAX];
    let mut response = Response::new(&mut headers);
    let Status::Complete(length) = response.parse(bytes).map_err(AnswerError::Head)? else { return Ok(None) };
    let status = response.code.unwrap_or_default();
    if status == 101 {
        return Err(AnswerError::Switching);
    }
    if status < 200 {
        return Ok(Some((length, Part::Head)));
    }
    let fields = Fields::read(response.headers)?;
    // HTTP/1.0 closes unless it says otherwise; this client does not ask it to.
    let closes = fields.closes || response.version != Some(1);
    let head = Head { status, closes };
    let part = match (status, fields.chunked, fields.length) {
        (_, true, Some(_)) => return Err(AnswerError::BadTransferEncoding),
        (204 | 304, ..) | (_, false, Some(0)) => Part::Done(head),
        (_, true, None) => Part::Body(head, Body::Chunked(ChunkedBody::default())),
        (_, false, Some(left)) => Part::Body(head, Body::Sized { left }),
        (_, false, None) => Part::Body(Head { closes: true, ..head }, Body::UntilClose),
    };
    Ok(Some((length, part)))
}

/// The fields that say where an answer and its connection end.
#[derive(Debug, Default)]
struct Fields {
    length: Option<u64>,
    chunked: bool,
    closes: bool,
}

impl Fields {
    fn read(headers: &[httparse::Header<'_>]) -> Result<Self, AnswerError> {
        let mut fields = Self::default();
        for header in headers {
            if header.name.eq_ignore_ascii_case("content-length") {
                let length = parse_length(header.value).ok_or(AnswerError::BadContentLength)?;
                if fields.length.replace(length).is_some_and(|before| before != length) {
                    return Err(AnswerError::BadContentLength);
                }
            } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
                if !header.value.trim_ascii().eq_ignore_ascii_case(b"chunked") {
                    return Err(AnswerError::BadTransferEncoding);
                }
                fields.chunked = true;
            } else if header.name.eq_ignore_ascii_case("connection") {
                let mut options = header.value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
                fields.closes |= options.any(|option| option.eq_ignore_ascii_case(b"close"));
            }
        }
        Ok(fields)
    }
}

fn parse_length(value: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(value.trim_ascii()).ok()?;
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Option<Answer>, AnswerError> {
        AnswerReader::default().take(bytes)
    }

    fn answer(status: u16, closes: bool, bytes: &[u8]) -> Option<Answer> {
        Some(Answer { status, closes, bytes: bytes.len() as u64 })
    }

    const SIZED: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nok\n";
    const CHUNKED: &[u8] =
        b"HTTP/1.1 404 N\r\nTransfer-Encoding: chunked\r\nConnection: x, Close\r\n\r\n2\r\nab\r\n0\r\n\r\n";
    const INTERIM: &[u8] = b"HTTP/1.1 103 Early\r\nlink: x\r\n\r\nHTTP/1.1 204 None\r\n\r\n";

    #[test]
    fn answers_are_read_wherever_they_are_cut() {
        for (bytes, expected) in [
            (SIZED, answer(200, false, SIZED)),
            (CHUNKED, answer(404, true, CHUNKED)),
            (INTERIM, answer(204, false, INTERIM)),
        ] {
            assert_eq!(read(bytes), Ok(expected));
            for cut in 0..bytes.len() {
                let mut reader = AnswerReader::default();
                assert_eq!(reader.take(&bytes[..cut]), Ok(None), "cut at {cut}");
                assert_eq!(reader.take(&bytes[cut..]), Ok(expected), "cut at {cut}");
            }
        }
    }

    #[test]
    fn an_answer_without_a_length_ends_with_the_stream() {
        let mut reader = AnswerReader::default();
        let bytes = b"HTTP/1.0 200 OK\r\n\r\nbody";
        assert_eq!(reader.end(), None);
        assert_eq!(reader.take(bytes), Ok(None));
        assert_eq!(reader.end(), answer(200, true, bytes));
        reader.reset();
        assert_eq!(reader.take(&SIZED[..SIZED.len() - 1]), Ok(None));
        assert_eq!(reader.end(), None, "a short body is no answer");
    }

    #[test]
    fn answers_that_cannot_be_delimited_are_refused() {
        for (head, error) in [
            ("Content-Length: 3\r\nContent-Length: 4", AnswerError::BadContentLength),
            ("Content-Length: +3", AnswerError::BadContentLength),
            ("Content-Length:", AnswerError::BadContentLength),
            ("Content-Length: 3\r\nTransfer-Encoding: chunked", AnswerError::BadTransferEncoding),
            ("Transfer-Encoding: gzip", AnswerError::BadTransferEncoding),
        ] {
            assert_eq!(read(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n").as_bytes()), Err(error), "{head}");
        }
        assert_eq!(read(b"HTTP/1.1 101 S\r\n\r\n"), Err(AnswerError::Switching));
        assert_eq!(read(&[SIZED, b"x"].concat()), Err(AnswerError::Surplus));
        assert!(matches!(read(b"SSH-2.0-OpenSSH_9.2\r\n"), Err(AnswerError::Head(_))));
        let endless = [b"HTTP/1.1 200 OK\r\nx: ", &vec![b'x'; HEAD_BYTES_MAX][..]].concat();
        assert_eq!(read(&endless), Err(AnswerError::HeadTooLarge));
    }
}
