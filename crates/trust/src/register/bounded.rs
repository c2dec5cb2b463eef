//! A JSON document of which neither the whole nor a single text can grow without end.

use std::io::{self, BufReader, Read};

use memchr::memchr2;

use super::RegisterError;

/// Bytes of one text, escapes included. The longest seen is an address of some hundred.
const TEXT_BYTES_MAX: usize = 64 << 10;
/// Bytes that are read at once.
const BUFFER_BYTES: usize = 64 << 10;

/// Reads JSON, and ends it with an error where a bound is passed. It looks at nothing but quotes and backslashes: what
/// stands between them, the parser judges.
pub(super) struct BoundedJson<R> {
    inner: R,
    left: u64,
    bytes_max: u64,
    /// Bytes of the text that is being read; `None` between texts.
    text: Option<usize>,
    is_escaped: bool,
}

impl<R: Read> BoundedJson<R> {
    pub(super) fn new(inner: R, bytes_max: u64) -> BufReader<Self> {
        let bounded = Self { inner, left: bytes_max, bytes_max, text: None, is_escaped: false };
        BufReader::with_capacity(BUFFER_BYTES, bounded)
    }

    /// Follows texts through some bytes. False where one is too long.
    fn follow(&mut self, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() {
            if std::mem::take(&mut self.is_escaped) {
                bytes = &bytes[1..];
                continue;
            }
            let stop = memchr2(b'"', b'\\', bytes);
            let passed = stop.unwrap_or(bytes.len());
            if let Some(length) = &mut self.text {
                *length += passed + 1;
                if *length > TEXT_BYTES_MAX {
                    return false;
                }
            }
            let Some(stop) = stop else { break };
            if bytes[stop] == b'\\' {
                self.is_escaped = self.text.is_some();
            } else {
                self.text = if self.text.is_some() { None } else { Some(0) };
            }
            bytes = &bytes[stop + 1..];
        }
        true
    }
}

impl<R: Read> Read for BoundedJson<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        let refused = |error: RegisterError| Err(io::Error::other(error));
        match self.left.checked_sub(read as u64) {
            Some(left) => self.left = left,
            None => return refused(RegisterError::TooLarge { bytes_max: self.bytes_max }),
        }
        if !self.follow(&buffer[..read]) {
            return refused(RegisterError::TextTooLong { bytes_max: TEXT_BYTES_MAX });
        }
        Ok(read)
    }
}

/// What a parser complains of, or what ended its document.
pub(super) fn cause(error: serde_json::Error) -> RegisterError {
    if !error.is_io() {
        return RegisterError::Malformed { detail: error.to_string() };
    }
    let error = io::Error::from(error);
    match error.downcast::<RegisterError>() {
        Ok(refused) => refused,
        Err(error) => RegisterError::Read(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(document: &[u8], bytes_max: u64) -> Result<serde_json::Value, RegisterError> {
        serde_json::from_reader(BoundedJson::new(document, bytes_max)).map_err(cause)
    }

    #[test]
    fn documents_within_the_bounds_are_as_they_were() {
        let text = "a".repeat(TEXT_BYTES_MAX - 10);
        let document = format!(r#"[["\\", "\"", "{text}"], {{"{text}\"": "\\\""}}]"#);
        let length = u64::try_from(document.len()).unwrap();
        let expected: serde_json::Value = serde_json::from_str(&document).unwrap();
        assert_eq!(read(document.as_bytes(), length).unwrap(), expected);
        let short = read(document.as_bytes(), length - 1).unwrap_err();
        assert_eq!(short.code(), "register.too-large");
    }

    #[test]
    fn a_text_without_end_is_cut_off() {
        for escaped in ["a", r#"\""#, r"\\", r"\u0000"] {
            let text = escaped.repeat(TEXT_BYTES_MAX);
            let error = read(format!(r#"["{text}"]"#).as_bytes(), u64::MAX).unwrap_err();
            assert_eq!(error.code(), "register.text-too-long", "{escaped}");
        }
        // Between texts nothing is kept, so nothing is counted.
        let gap = " ".repeat(3 * TEXT_BYTES_MAX);
        assert!(read(format!(r#"["a",{gap}"b"]"#).as_bytes(), u64::MAX).is_ok());
    }

    #[test]
    fn what_is_wrong_is_told() {
        assert_eq!(read(b"[1,", u64::MAX).unwrap_err().code(), "register.malformed");
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
        }
        let error = serde_json::from_reader::<_, u8>(BoundedJson::new(Broken, 9)).map_err(cause).unwrap_err();
        assert_eq!(error.code(), "register.read");
    }
}
