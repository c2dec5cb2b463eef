//! Audit records: one a verdict on a client certificate, and one for what becomes of a key.

use std::{net::SocketAddr, sync::Arc};

use serde::Serialize;

/// One line of the audit log. `event` says which.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub enum AuditRecord {
    /// A client certificate was judged.
    Verdict(VerdictRecord),
    /// A key was made, changed or forgotten.
    Key(KeyEvent),
}

/// What is recorded of a key.
#[derive(Debug, Serialize)]
pub struct KeyEvent {
    /// Seconds since the epoch.
    pub time_unix_s: f64,
    /// What the key is called.
    pub key: String,
    /// Whose it is.
    pub identity: String,
    /// Its state from now on, or its last.
    pub state: &'static str,
    /// What was done: `enrol`, `certificate` for one that joined, `import`, `delete`, or what an operator changed; `expires` where the
    /// last of its certificates is about to end.
    pub action: &'static str,
    /// Who did it; none for what followed from a connection.
    pub by: Option<String>,
    /// SHA-256 of the certificate that led to it, in hex.
    pub thumbprint_sha256: Option<String>,
    /// The end of a certificate that is about to end, in Unix seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_after_unix_s: Option<i64>,
}

/// What is recorded of a verdict. Only of a client that proved to hold the certificate's key.
#[derive(Debug, Serialize)]
pub struct VerdictRecord {
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
    /// The certificates that were presented, the client's first, in base64 of their DER: told once for each verdict that was made, and not
    /// again while it is remembered.
    pub chain: Option<Vec<String>>,
}
