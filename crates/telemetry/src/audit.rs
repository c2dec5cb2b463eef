//! Audit records: one a verdict on a client certificate.

use std::{net::SocketAddr, sync::Arc};

use serde::Serialize;

/// What is recorded of a verdict. Only of a client that proved to hold the certificate's key.
#[derive(Debug, Serialize)]
pub struct AuditRecord {
    /// Seconds since the epoch at which the verdict was given.
    pub time_unix_s: f64,
    /// The listener's name.
    pub listener: Arc<str>,
    /// The trust domain by whose rules it was given.
    pub domain: String,
    /// The client's address.
    pub peer: SocketAddr,
    /// SHA-256 of the certificate, in hex; none if it cannot be read.
    pub thumbprint_sha256: Option<String>,
    /// The organizationName of its subject.
    pub organization: Option<String>,
    /// The organizationIdentifier of its subject.
    pub organization_identifier: Option<String>,
    /// `admit` or `refuse`.
    pub verdict: &'static str,
    /// The stable codes of what refuses it or warns of it.
    pub codes: Vec<&'static str>,
}
