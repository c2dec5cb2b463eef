//! What operators send.

use axum::body::{Body, to_bytes};
use http::{HeaderMap, header};
use serde::de::DeserializeOwned;

use super::problem::Problem;

/// Bytes of a body: a record with all its certificates has some 40 kB.
const BODY_BYTES_MAX: usize = 64 << 10;

/// A body that is JSON, says so and is not too large.
pub(super) async fn read_body<T: DeserializeOwned>(headers: &HeaderMap, body: Body) -> Result<T, Problem> {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = content_type.and_then(|value| value.split(';').next()).unwrap_or_default();
    if !media_type.trim().eq_ignore_ascii_case("application/json") {
        return Err(Problem::media_type());
    }
    let bytes = to_bytes(body, BODY_BYTES_MAX).await.map_err(|_| Problem::too_large(BODY_BYTES_MAX))?;
    serde_json::from_slice(&bytes).map_err(|error| Problem::malformed(&error))
}
