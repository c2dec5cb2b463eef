//! A certificate that was met, for whoever keeps keys.

use std::sync::Arc;

use portcullis_identity::{SpkiHash, Thumbprint};

use crate::KeyIdentity;

/// A certificate that a client has proved to hold and that passes, but for what its key says.
#[derive(Clone, Debug)]
pub struct Sighted {
    /// Whose it is.
    pub identity: KeyIdentity,
    /// SHA-256 of the certificate.
    pub thumbprint: Thumbprint,
    /// SHA-256 of its key.
    pub spki_sha256: SpkiHash,
    /// Its notBefore and notAfter, in Unix seconds.
    pub validity: (i64, i64),
    /// The organizationName of its subject, or what else names the holder to a reader.
    pub holder: Option<String>,
    /// Who issued it: the provider that a trusted list names, or the issuer's name.
    pub issuer: Arc<str>,
    /// Whether a key that is made for it must wait for an operator.
    pub needs_approval: bool,
}
