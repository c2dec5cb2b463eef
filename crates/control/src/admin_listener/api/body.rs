//! What operators send.

use axum::body::{Body, Bytes, to_bytes};
use http::{HeaderMap, header};
use serde::de::DeserializeOwned;

use super::problem::Problem;

/// Bytes of a body: a record with all its certificates has some 40 kB.
const BODY_BYTES_MAX: usize = 64 << 10;
/// Bytes of a body of many records: a thousand of them with some certificates each.
const LINES_BYTES_MAX: usize = 4 << 20;

/// A body that is JSON, says so and is not too large.
pub(super) async fn read_body<T: DeserializeOwned>(headers: &HeaderMap, body: Body) -> Result<T, Problem> {
    let bytes = read(headers, body, ("application/json", BODY_BYTES_MAX)).await?;
    serde_json::from_slice(&bytes).map_err(|error| Problem::malformed(&error))
}

/// A body of JSON lines that says so and is not too large.
pub(super) async fn read_lines(headers: &HeaderMap, body: Body) -> Result<Bytes, Problem> {
    read(headers, body, ("application/jsonl", LINES_BYTES_MAX)).await
}

async fn read(
    headers: &HeaderMap,
    body: Body,
    (expected, bytes_max): (&str, usize),
) -> Result<Bytes, Problem> {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = content_type.and_then(|value| value.split(';').next()).unwrap_or_default();
    if !media_type.trim().eq_ignore_ascii_case(expected) {
        return Err(Problem::media_type(expected));
    }
    to_bytes(body, bytes_max).await.map_err(|_| Problem::too_large(bytes_max))
}
