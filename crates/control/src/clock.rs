//! The wall clock, as certificates, answers and lists count time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The present, in Unix seconds.
pub(crate) fn now_unix_s() -> i64 {
    unix_s(SystemTime::now())
}

/// A time in Unix seconds. Those before 1970 count as then.
pub(crate) fn unix_s(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
