//! The end of a chunked body (RFC 9112, section 7.1), found without keeping the body.

use crate::answer::AnswerError;

/// Longest chunk-size or trailer line. A server's are tens of bytes; past this the answer is refused, since a line
/// without an end would otherwise grow without one.
const LINE_BYTES_MAX: usize = 4096;

/// Follows a chunked body from its first byte to its last.
#[derive(Debug, Default)]
pub(crate) struct ChunkedBody {
    part: Part,
    line: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Part {
    #[default]
    Size,
    Data {
        left: u64,
    },
    DataEnd,
    Trailer,
}

impl ChunkedBody {
    /// Takes bytes of the body from the front of `bytes`. Returns true when the body has ended; what is left in `bytes`
    /// then comes after it.
    pub(crate) fn take(&mut self, bytes: &mut &[u8]) -> Result<bool, AnswerError> {
        loop {
            if let Part::Data { left } = self.part {
                let step = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                *bytes = &bytes[step..];
                let left = left - step as u64;
                self.part = if left == 0 { Part::DataEnd } else { Part::Data { left } };
                if left > 0 {
                    return Ok(false);
                }
            }
            if !self.take_line(bytes)? {
                return Ok(false);
            }
            let ended = self.end_line()?;
            self.line.clear();
            if ended {
                return Ok(true);
            }
        }
    }

    /// Moves bytes up to and with the next LF into the line. Returns false when there is none yet.
    fn take_line(&mut self, bytes: &mut &[u8]) -> Result<bool, AnswerError> {
        let end = bytes.iter().position(|byte| *byte == b'\n').map(|at| at + 1);
        let (part, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
        *bytes = rest;
        if self.line.len() + part.len() > LINE_BYTES_MAX {
            return Err(AnswerError::BadChunk);
        }
        self.line.extend_from_slice(part);
        Ok(end.is_some())
    }

    /// Acts on a complete line. Returns true when it was the last one of the body.
    fn end_line(&mut self) -> Result<bool, AnswerError> {
        let empty = self.line == b"\r\n";
        self.part = match self.part {
            // httparse reads a line without a digit as zero.
            Part::Size if !self.line.first().is_some_and(u8::is_ascii_hexdigit) => {
                return Err(AnswerError::BadChunk);
            }
            Part::Size => match httparse::parse_chunk_size(&self.line) {
                Ok(httparse::Status::Complete((_, 0))) => Part::Trailer,
                Ok(httparse::Status::Complete((_, left))) => Part::Data { left },
                _ => return Err(AnswerError::BadChunk),
            },
            Part::DataEnd if empty => Part::Size,
            Part::Trailer if empty => return Ok(true),
            Part::Trailer => Part::Trailer,
            Part::DataEnd | Part::Data { .. } => return Err(AnswerError::BadChunk),
        };
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = b"5\r\nhello\r\n1;name=value\r\n!\r\n0\r\nTrailer: x\r\n\r\n";

    #[test]
    fn the_end_is_found_wherever_the_bytes_are_cut() {
        for cut in 0..BODY.len() {
            let mut body = ChunkedBody::default();
            let (mut first, mut second) = BODY.split_at(cut);
            assert!(!body.take(&mut first).unwrap(), "ended early, cut at {cut}");
            assert!(body.take(&mut second).unwrap(), "did not end, cut at {cut}");
            assert!(second.is_empty());
        }
    }

    #[test]
    fn what_follows_is_left_alone() {
        let mut bytes: &[u8] = b"0\r\n\r\nsurplus";
        assert!(ChunkedBody::default().take(&mut bytes).unwrap());
        assert_eq!(bytes, b"surplus");
    }

    #[test]
    fn broken_framing_is_refused() {
        for broken in
            [&b"x\r\n"[..], b"-1\r\n", b"\r\n", b"1\r\nab\r\n", b"fffffffffffffffff\r\n", &[b'0'; 5000]]
        {
            let mut bytes = broken;
            assert!(ChunkedBody::default().take(&mut bytes).is_err(), "{broken:?}");
        }
    }
}
