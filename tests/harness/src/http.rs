//! Answers of HTTP/1.1, read from any stream.

use std::io::{self, Read};

use serde_json::Value;

/// An answer.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Header fields in order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, without its framing.
    pub body: Vec<u8>,
}

impl Response {
    /// Reads one answer. `ahead` holds bytes that were read but not used, before and after.
    ///
    /// # Errors
    ///
    /// What the stream says, or [`io::ErrorKind::InvalidData`] for what is no answer.
    pub fn read(stream: &mut impl Read, ahead: &mut Vec<u8>) -> io::Result<Self> {
        let mut response = Self::read_head(stream, ahead)?;
        response.body = match response.header("transfer-encoding") {
            Some("chunked") => read_chunks(stream, ahead)?,
            _ => {
                let length =
                    response.header("content-length").map(str::parse).transpose().map_err(invalid)?;
                read_exactly(stream, ahead, length.unwrap_or(0))?
            }
        };
        Ok(response)
    }

    /// Reads the head of an answer and nothing of its body.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn read_head(stream: &mut impl Read, ahead: &mut Vec<u8>) -> io::Result<Self> {
        let head_end = loop {
            if let Some(at) = find(ahead, b"\r\n\r\n") {
                break at + 4;
            }
            more(stream, ahead)?;
        };
        let head: Vec<u8> = ahead.drain(..head_end).collect();
        Self::parse_head(&head)
    }

    /// The first field of this name (in lower case).
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    ///
    /// When it is not.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    fn parse_head(head: &[u8]) -> io::Result<Self> {
        let text = str::from_utf8(head).map_err(invalid)?;
        let mut lines = text.split("\r\n").filter(|line| !line.is_empty());
        // A client of HTTP/1.0 is answered in kind.
        let status = lines.next().and_then(|line| {
            let rest = line.strip_prefix("HTTP/1.1 ").or_else(|| line.strip_prefix("HTTP/1.0 "))?;
            rest.get(..3)?.parse().ok()
        });
        let status = status.ok_or_else(|| invalid(format!("no status line: {text:?}")))?;
        let field = |line: &str| {
            let (name, value) = line.split_once(':')?;
            Some((name.to_ascii_lowercase(), value.trim().to_owned()))
        };
        let headers = lines.map(field).collect::<Option<_>>();
        Ok(Self { status, headers: headers.ok_or_else(|| invalid("no field"))?, body: Vec::new() })
    }
}

fn read_chunks(stream: &mut impl Read, ahead: &mut Vec<u8>) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line_end = loop {
            if let Some(at) = find(ahead, b"\r\n") {
                break at + 2;
            }
            more(stream, ahead)?;
        };
        let line: Vec<u8> = ahead.drain(..line_end).collect();
        let size = str::from_utf8(&line).ok().and_then(|line| usize::from_str_radix(line.trim(), 16).ok());
        let size = size.ok_or_else(|| invalid("no chunk size"))?;
        let mut chunk = read_exactly(stream, ahead, size + 2)?;
        chunk.truncate(size);
        body.append(&mut chunk);
        if size == 0 {
            return Ok(body);
        }
    }
}

pub(crate) fn read_exactly(
    stream: &mut impl Read,
    ahead: &mut Vec<u8>,
    length: usize,
) -> io::Result<Vec<u8>> {
    while ahead.len() < length {
        more(stream, ahead)?;
    }
    Ok(ahead.drain(..length).collect())
}

pub(crate) fn more(stream: &mut impl Read, ahead: &mut Vec<u8>) -> io::Result<()> {
    let mut buffer = [0; 16 * 1024];
    match stream.read(&mut buffer)? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        count => {
            ahead.extend_from_slice(&buffer[..count]);
            Ok(())
        }
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
