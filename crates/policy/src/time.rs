//! Times as people and JSON read them.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A time in Unix seconds as RFC 3339 writes it; `None` beyond the year 9999.
pub(crate) fn rfc3339(unix_seconds: i64) -> Option<String> {
    OffsetDateTime::from_unix_timestamp(unix_seconds).ok()?.format(&Rfc3339).ok()
}
