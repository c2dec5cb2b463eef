//! Access records: one a request.

use std::{net::SocketAddr, sync::Arc};

use serde::Serialize;

/// What is recorded of a request.
#[derive(Debug, Serialize)]
pub struct AccessRecord {
    /// Seconds since the epoch at which the answer was ready.
    pub time_unix_s: f64,
    /// The listener's name.
    pub listener: Arc<str>,
    /// The client's address.
    pub peer: SocketAddr,
    /// SHA-256 of the client certificate, in hex; none without one.
    pub thumbprint_sha256: Option<String>,
    /// The organizationIdentifier of the client certificate.
    pub organization_identifier: Option<String>,
    /// Request method.
    pub method: String,
    /// Request path as judged, without the query.
    pub path: String,
    /// Status of the answer.
    pub status: u16,
    /// The stable code of the refusal, where it was one.
    pub code: Option<&'static str>,
    /// From the end of the request head to the answer, in microseconds.
    pub duration_us: u64,
}
