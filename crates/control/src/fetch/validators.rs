//! What a server knows a version of a document by.

use reqwest::header::{
    ETAG, HeaderMap, HeaderName, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED,
};
use serde::{Deserialize, Serialize};

/// Bytes of a validator that is remembered; entity tags are a hash or a few numbers. A longer one is forgotten, and the document is
/// fetched whole the next time.
const VALIDATOR_BYTES_MAX: usize = 256;

/// The validators of a version (RFC 9110, 8.8), as the server wrote them. They are sent back and never interpreted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Validators {
    /// The entity tag, with its quotes and `W/`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) etag: Option<String>,
    /// The date.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) last_modified: Option<String>,
}

impl Validators {
    /// Takes them from the head of an answer. One that is too long or not plain text counts as not sent.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let text = |name: HeaderName| {
            let value = headers.get(name)?.to_str().ok()?;
            is_bounded(value).then(|| value.to_owned())
        };
        Self { etag: text(ETAG), last_modified: text(LAST_MODIFIED) }
    }

    /// The fields of a request for another version than this one (RFC 9110, 13.1.2 and 13.1.3); none where nothing is known.
    pub(super) fn conditions(&self) -> HeaderMap {
        let known = [(IF_NONE_MATCH, &self.etag), (IF_MODIFIED_SINCE, &self.last_modified)];
        let fields = known.into_iter().filter_map(|(name, value)| {
            let value = value.as_deref().filter(|value| is_bounded(value))?;
            Some((name, HeaderValue::from_str(value).ok()?))
        });
        fields.collect()
    }
}

fn is_bounded(value: &str) -> bool {
    (1..=VALIDATOR_BYTES_MAX).contains(&value.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(etag: &[u8]) -> Option<String> {
        let value = HeaderValue::from_bytes(etag).unwrap();
        Validators::of(&[(ETAG, value)].into_iter().collect()).etag
    }

    #[test]
    fn long_and_binary_validators_are_forgotten() {
        assert_eq!(of(b"W/\"1\"").as_deref(), Some("W/\"1\""));
        assert_eq!(of(&[b'a'; VALIDATOR_BYTES_MAX]).unwrap().len(), VALIDATOR_BYTES_MAX);
        assert_eq!(of(&[b'a'; VALIDATOR_BYTES_MAX + 1]), None);
        assert_eq!(of(b"\"\xff\""), None);
        assert_eq!(of(b""), None);
    }

    #[test]
    fn what_cannot_stand_in_a_head_is_not_sent() {
        let conditions = |etag: &str| {
            let last_modified = Some("Tue, 24 Nov 2026 12:00:00 GMT".to_owned());
            Validators { etag: Some(etag.to_owned()), last_modified }.conditions().len()
        };
        assert_eq!(conditions("\"1\""), 2);
        assert_eq!(conditions("1\r\nhost: b"), 1);
        assert_eq!(conditions(&"1".repeat(VALIDATOR_BYTES_MAX + 1)), 1);
        assert_eq!(Validators::default().conditions().len(), 0);
    }
}
