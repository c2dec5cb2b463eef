//! The heads of messages, as far as a seal is about them.

use std::str;

use crate::error::SealError;

/// The head of a request, borrowed from whoever received it. Hostile in every part.
///
/// The target is as it was received and not decoded: a signature is over octets, and what was normalised for routing
/// may differ.
#[derive(Clone, Copy, Debug)]
pub struct RequestHead<'a> {
    /// The method, as it was received.
    pub method: &'a str,
    /// The scheme: `https`.
    pub scheme: &'a str,
    /// `Host` or `:authority`.
    pub authority: &'a str,
    /// The path, without the query.
    pub path: &'a str,
    /// The query without its question mark; `None` where there is no question mark.
    pub query: Option<&'a str>,
    /// The header fields in their order. Names in any case.
    pub fields: &'a [(&'a str, &'a [u8])],
}

/// The head of an answer.
#[derive(Clone, Copy, Debug)]
pub struct ResponseHead<'a> {
    /// The status code.
    pub status: u16,
    /// The header fields in their order.
    pub fields: &'a [(&'a str, &'a [u8])],
}

/// Either head.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Message<'a> {
    Request(&'a RequestHead<'a>),
    Response(&'a ResponseHead<'a>),
}

/// The fields of a head.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields<'a>(pub(crate) &'a [(&'a str, &'a [u8])]);

impl<'a> RequestHead<'a> {
    pub(crate) fn fields(&self) -> Fields<'a> {
        Fields(self.fields)
    }

    /// Path and query, as in the first line of a request.
    pub(crate) fn target(&self) -> String {
        let path = if self.path.is_empty() { "/" } else { self.path };
        match self.query {
            Some(query) => format!("{path}?{query}"),
            None => path.to_owned(),
        }
    }
}

impl<'a> Message<'a> {
    pub(crate) fn fields(self) -> Fields<'a> {
        match self {
            Self::Request(head) => Fields(head.fields),
            Self::Response(head) => Fields(head.fields),
        }
    }
}

impl<'a> Fields<'a> {
    /// The values under a name in their order, without white space around them.
    pub(crate) fn values(self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        let is_named = move |(other, _): &&(&str, &[u8])| other.eq_ignore_ascii_case(name);
        self.0.iter().filter(is_named).map(|(_, value)| without_space_around(value))
    }

    pub(crate) fn has(self, name: &str) -> bool {
        self.values(name).next().is_some()
    }

    /// All values under a name as one (RFC 9421 section 2.1, draft-cavage-12 section 2.3).
    ///
    /// # Errors
    /// A value would break a line of what is signed.
    pub(crate) fn joined(self, name: &str) -> Result<Option<Vec<u8>>, SealError> {
        let mut joined: Option<Vec<u8>> = None;
        for value in self.values(name) {
            if value.iter().any(|octet| matches!(octet, b'\r' | b'\n' | 0)) {
                return Err(SealError::malformed(name, "it has a line break"));
            }
            match &mut joined {
                None => joined = Some(value.to_vec()),
                Some(so_far) => {
                    so_far.extend(b", ");
                    so_far.extend(value);
                }
            }
        }
        Ok(joined)
    }

    /// The value of a field that may come once.
    ///
    /// # Errors
    /// It comes more often, or is not text.
    pub(crate) fn single(self, name: &str) -> Result<Option<&'a str>, SealError> {
        let mut values = self.values(name);
        let Some(first) = values.next() else { return Ok(None) };
        match values.count() {
            0 => str::from_utf8(first)
                .map(Some)
                .map_err(|_| SealError::malformed(name, "it is not text in UTF-8")),
            more => Err(SealError::DuplicateField { field: name.into(), count: more + 1 }),
        }
    }

    /// As [`single`](Self::single), but the field must be there.
    pub(crate) fn demanded(self, name: &str) -> Result<&'a str, SealError> {
        self.single(name)?.ok_or_else(|| SealError::Missing { field: name.into() })
    }
}

/// A value without the white space that a field has around it (RFC 9110 section 5.5), which a line break is not.
fn without_space_around(value: &[u8]) -> &[u8] {
    let is_space = |octet: &u8| matches!(octet, b' ' | b'\t');
    let begin = value.iter().position(|octet| !is_space(octet)).unwrap_or(value.len());
    let end = value.iter().rposition(|octet| !is_space(octet)).map_or(begin, |last| last + 1);
    &value[begin..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: &[(&str, &[u8])] =
        &[("Cache-Control", b" max-age=60"), ("Date", b"x"), ("cache-control", b"\tmust-revalidate ")];

    #[test]
    fn values_under_a_name_are_one() {
        let joined = Fields(FIELDS).joined("CACHE-control").unwrap().unwrap();
        assert_eq!(joined, b"max-age=60, must-revalidate");
        assert_eq!(Fields(FIELDS).joined("absent").unwrap(), None);
        assert_eq!(Fields(&[("empty", b" ")]).joined("empty").unwrap().unwrap(), b"");
        for broken in [&b"b\r\nc: d"[..], b"\n", b"b\r", b"\0"] {
            assert!(Fields(&[("a", broken)]).joined("a").is_err(), "{broken:?}");
        }
    }

    #[test]
    fn what_may_come_once_comes_once() {
        assert_eq!(Fields(FIELDS).single("date").unwrap(), Some("x"));
        let error = Fields(FIELDS).single("cache-control").unwrap_err();
        assert_eq!(error, SealError::DuplicateField { field: "cache-control".into(), count: 2 });
        assert_eq!(Fields(FIELDS).demanded("Signature").unwrap_err().code(), "seal.missing");
    }
}
