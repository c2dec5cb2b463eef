//! The path of a request, in the one form in which it is judged and sent on.

use std::borrow::Cow;

use thiserror::Error;

/// Longest path that is looked at, in bytes. Real API paths stay below 1 KiB; a longer one than this is answered
/// 414, so that the cost of a look-up has a bound that does not depend on the head limit.
pub const PATH_BYTES_MAX: usize = 8 * 1024;

/// A request path that means one thing to everybody who reads it.
///
/// Made by [`RequestPath::parse`] only. `canonical` has unreserved characters decoded and the remaining
/// percent-encodings in upper case (RFC 3986 6.2.2); it holds no dot segment, no empty segment but a trailing one,
/// no backslash and no control byte, plain or encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestPath<'a> {
    canonical: Cow<'a, str>,
    /// What a lenient reader could make of `canonical`; `None` where the two are the same.
    folded: Option<String>,
}

/// Why a path was not taken. The request is answered 400 (414 for [`PathRefusal::TooLong`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PathRefusal {
    /// The target is not in origin form (`*`, an authority).
    #[error("the path does not begin with a slash")]
    NotRooted,
    /// Longer than [`PATH_BYTES_MAX`].
    #[error("the path is longer than {PATH_BYTES_MAX} bytes")]
    TooLong,
    /// A control byte, plain or percent-encoded; NUL is one.
    #[error("the path has a control byte")]
    ControlByte,
    /// A byte that RFC 3986 3.3 does not allow in a path.
    #[error("the path has a character that must be percent-encoded")]
    IllegalByte,
    /// A backslash, plain or percent-encoded: a separator to some readers.
    #[error("the path has a backslash")]
    Backslash,
    /// A percent sign without two hex digits, or octets that are no UTF-8.
    #[error("the path has a broken percent-encoding")]
    BadEncoding,
    /// `%2F`: a separator to whoever decodes before splitting.
    #[error("the path has an encoded slash")]
    EncodedSlash,
    /// `%2E`: hides a dot segment from whoever decodes after splitting.
    #[error("the path has an encoded dot")]
    EncodedDot,
    /// `%25`: means something else to whoever decodes twice.
    #[error("the path has an encoded percent sign")]
    EncodedPercent,
    /// `.` or `..`, with or without parameters (`..;x`).
    #[error("the path has a dot segment")]
    DotSegment,
    /// Two slashes in a row.
    #[error("the path has an empty segment")]
    EmptySegment,
}

impl PathRefusal {
    /// The stable code of this refusal.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotRooted => "path.not-rooted",
            Self::TooLong => "path.too-long",
            Self::ControlByte => "path.control-byte",
            Self::IllegalByte => "path.illegal-byte",
            Self::Backslash => "path.backslash",
            Self::BadEncoding => "path.bad-encoding",
            Self::EncodedSlash => "path.encoded-slash",
            Self::EncodedDot => "path.encoded-dot",
            Self::EncodedPercent => "path.encoded-percent",
            Self::DotSegment => "path.dot-segment",
            Self::EmptySegment => "path.empty-segment",
        }
    }
}

impl<'a> RequestPath<'a> {
    /// Reads the path of a request target, without its query. `raw` is hostile.
    ///
    /// # Errors
    /// A [`PathRefusal`] for whatever two readers could understand differently.
    pub fn parse(raw: &'a str) -> Result<Self, PathRefusal> {
        if raw.len() > PATH_BYTES_MAX {
            return Err(PathRefusal::TooLong);
        }
        if !raw.starts_with('/') {
            return Err(PathRefusal::NotRooted);
        }
        let canonical = canonicalise(raw)?;
        check_segments(&canonical)?;
        let folded = fold(&canonical)?;
        Ok(Self { canonical, folded })
    }

    /// The path as it is matched and forwarded.
    pub fn as_str(&self) -> &str {
        &self.canonical
    }

    /// The path as the most lenient reader could take it: case folded, path parameters and trailing dots and
    /// spaces of each segment cut. Routes are looked up by this form and must then agree with the canonical one.
    pub(crate) fn folded(&self) -> &str {
        self.folded.as_deref().unwrap_or(&self.canonical)
    }
}

fn canonicalise(raw: &str) -> Result<Cow<'_, str>, PathRefusal> {
    let bytes = raw.as_bytes();
    let Some(first) = bytes.iter().position(|b| *b == b'%') else {
        bytes.iter().try_for_each(|b| check_plain(*b))?;
        return Ok(Cow::Borrowed(raw));
    };
    bytes[..first].iter().try_for_each(|b| check_plain(*b))?;
    let mut out = String::with_capacity(raw.len());
    out.push_str(&raw[..first]);
    let mut rest = &bytes[first..];
    while let Some((&byte, tail)) = rest.split_first() {
        if byte != b'%' {
            check_plain(byte)?;
            out.push(char::from(byte));
            rest = tail;
            continue;
        }
        let octet = match tail {
            [high, low, ..] => hex(*high).zip(hex(*low)).map(|(h, l)| h << 4 | l),
            _ => None,
        }
        .ok_or(PathRefusal::BadEncoding)?;
        push_octet(&mut out, octet)?;
        rest = &tail[2..];
    }
    Ok(Cow::Owned(out))
}

fn check_plain(byte: u8) -> Result<(), PathRefusal> {
    match byte {
        b'/' | b'.' | b':' | b'@' | b';' => Ok(()),
        b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b'=' => Ok(()),
        _ if is_unreserved(byte) => Ok(()),
        b'\\' => Err(PathRefusal::Backslash),
        0..=0x1f | 0x7f => Err(PathRefusal::ControlByte),
        _ => Err(PathRefusal::IllegalByte),
    }
}

fn push_octet(out: &mut String, octet: u8) -> Result<(), PathRefusal> {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    match octet {
        b'/' => Err(PathRefusal::EncodedSlash),
        b'\\' => Err(PathRefusal::Backslash),
        b'.' => Err(PathRefusal::EncodedDot),
        b'%' => Err(PathRefusal::EncodedPercent),
        0..=0x1f | 0x7f => Err(PathRefusal::ControlByte),
        _ if is_unreserved(octet) => {
            out.push(char::from(octet));
            Ok(())
        }
        _ => {
            out.push('%');
            out.push(char::from(DIGITS[usize::from(octet >> 4)]));
            out.push(char::from(DIGITS[usize::from(octet & 15)]));
            Ok(())
        }
    }
}

/// Unreserved characters of RFC 3986 2.3 save the dot, which is never decoded.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'~')
}

fn hex(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

fn check_segments(canonical: &str) -> Result<(), PathRefusal> {
    let mut segments = canonical[1..].split('/').peekable();
    while let Some(segment) = segments.next() {
        match segment {
            "" if segments.peek().is_some() => return Err(PathRefusal::EmptySegment),
            "." | ".." => return Err(PathRefusal::DotSegment),
            _ => {}
        }
    }
    Ok(())
}

fn fold(canonical: &str) -> Result<Option<String>, PathRefusal> {
    let suspicious = |b: u8| b.is_ascii_uppercase() || matches!(b, b'%' | b';' | b'.');
    if !canonical.bytes().any(suspicious) {
        return Ok(None);
    }
    let mut out = String::with_capacity(canonical.len());
    for segment in canonical[1..].split('/') {
        let decoded = decode(segment)?;
        let cut = decoded.split([';', '?', '#']).next().unwrap_or_default();
        let cut = cut.trim_end_matches(['.', ' ']);
        if cut.is_empty() && !segment.is_empty() {
            return Err(PathRefusal::DotSegment);
        }
        out.push('/');
        // Upper case first: it also folds characters such as the long s and the Kelvin sign, whose lower case is
        // not an ASCII letter but whose upper case is.
        out.extend(cut.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase));
    }
    Ok(if out == canonical { None } else { Some(out) })
}

fn decode(segment: &str) -> Result<Cow<'_, str>, PathRefusal> {
    if !segment.contains('%') {
        return Ok(Cow::Borrowed(segment));
    }
    let mut octets = Vec::with_capacity(segment.len());
    let mut bytes = segment.bytes();
    while let Some(byte) = bytes.next() {
        let octet = match byte {
            b'%' => bytes.next().and_then(hex).zip(bytes.next().and_then(hex)).map(|(h, l)| h << 4 | l),
            plain => Some(plain),
        };
        octets.push(octet.ok_or(PathRefusal::BadEncoding)?);
    }
    String::from_utf8(octets).map(Cow::Owned).map_err(|_| PathRefusal::BadEncoding)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(raw: &str) -> String {
        RequestPath::parse(raw).unwrap().as_str().to_owned()
    }

    #[test]
    fn decodes_unreserved_and_keeps_the_rest_encoded() {
        assert_eq!(canonical("/v1/p%61yments"), "/v1/payments");
        assert_eq!(canonical("/a%7eb%2Dc"), "/a~b-c");
        assert_eq!(canonical("/a%c3%a9%20b"), "/a%C3%A9%20b");
        assert_eq!(canonical("/a%3bb"), "/a%3Bb");
        assert_eq!(canonical("/"), "/");
        assert_eq!(canonical("/a/"), "/a/");
    }

    #[test]
    fn a_plain_path_is_borrowed_and_not_folded() {
        let path = RequestPath::parse("/v1/accounts/42").unwrap();
        assert!(matches!(path.canonical, Cow::Borrowed(_)));
        assert_eq!(path.folded, None);
    }

    #[test]
    fn refuses_what_two_readers_could_take_differently() {
        let cases = [
            ("", PathRefusal::NotRooted),
            ("*", PathRefusal::NotRooted),
            ("a/b", PathRefusal::NotRooted),
            ("//a", PathRefusal::EmptySegment),
            ("/a//b", PathRefusal::EmptySegment),
            ("/a//", PathRefusal::EmptySegment),
            ("/a/./b", PathRefusal::DotSegment),
            ("/a/..", PathRefusal::DotSegment),
            ("/a/..;x/b", PathRefusal::DotSegment),
            ("/a/;/b", PathRefusal::DotSegment),
            ("/a/.../b", PathRefusal::DotSegment),
            ("/a/%2e%2e/b", PathRefusal::EncodedDot),
            ("/a%2fb", PathRefusal::EncodedSlash),
            ("/a%2Fb", PathRefusal::EncodedSlash),
            ("/a%5cb", PathRefusal::Backslash),
            ("/a\\b", PathRefusal::Backslash),
            ("/a%00", PathRefusal::ControlByte),
            ("/a%0d%0a", PathRefusal::ControlByte),
            ("/a\tb", PathRefusal::ControlByte),
            ("/a%252f", PathRefusal::EncodedPercent),
            ("/a%2", PathRefusal::BadEncoding),
            ("/a%", PathRefusal::BadEncoding),
            ("/a%zz", PathRefusal::BadEncoding),
            ("/a%+1", PathRefusal::BadEncoding),
            ("/a%c0%af", PathRefusal::BadEncoding),
            ("/a b", PathRefusal::IllegalByte),
            ("/a|b", PathRefusal::IllegalByte),
            ("/\u{e9}", PathRefusal::IllegalByte),
        ];
        for (raw, expected) in cases {
            assert_eq!(RequestPath::parse(raw), Err(expected), "{raw:?}");
        }
        let long = format!("/{}", "a".repeat(PATH_BYTES_MAX));
        assert_eq!(RequestPath::parse(&long), Err(PathRefusal::TooLong));
    }

    #[test]
    fn folds_case_parameters_and_trailing_dots() {
        for raw in
            ["/V1/Payments", "/v1/payments;a=b", "/v1;x/payments.", "/v1/payment%C5%BF", "/v1/payments%20"]
        {
            assert_eq!(RequestPath::parse(raw).unwrap().folded(), "/v1/payments", "{raw}");
        }
    }

    proptest::proptest! {
        /// Reading the canonical form again changes nothing, whatever came in.
        #[test]
        fn canonical_form_is_stable(raw in "/[ -~]{0,40}") {
            if let Ok(path) = RequestPath::parse(&raw) {
                let again = RequestPath::parse(path.as_str()).unwrap();
                proptest::prop_assert_eq!(again.as_str(), path.as_str());
                proptest::prop_assert_eq!(again.folded(), path.folded());
            }
        }
    }
}
