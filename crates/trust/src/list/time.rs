//! Times of lists: `xs:dateTime`.

use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, PrimitiveDateTime};

/// Seconds of Unix time. TS 119 612 clause 5.1.4 asks for UTC and `Z`; other offsets are reckoned with, and none is UTC.
pub(super) fn unix_seconds(text: &str) -> Option<i64> {
    let with_offset = OffsetDateTime::parse(text, &Rfc3339).ok();
    let time = with_offset.or_else(|| {
        let format = time::format_description::well_known::Iso8601::DEFAULT;
        Some(PrimitiveDateTime::parse(text, &format).ok()?.assume_utc())
    })?;
    Some(time.unix_timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_they_come() {
        assert_eq!(unix_seconds("1970-01-02T00:00:00Z"), Some(86_400));
        assert_eq!(unix_seconds("1970-01-02T01:00:00+01:00"), Some(86_400));
        assert_eq!(unix_seconds("1970-01-02T00:00:00.75Z"), Some(86_400));
        assert_eq!(unix_seconds("1970-01-02T00:00:00"), Some(86_400));
        for nonsense in ["", "1970-01-02", "now", "99999-01-01T00:00:00Z", "1970-13-01T00:00:00Z"] {
            assert_eq!(unix_seconds(nonsense), None, "{nonsense}");
        }
    }
}
