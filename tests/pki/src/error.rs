//! What can go wrong while certificates are made or written.

use std::path::PathBuf;

/// A certificate could not be made, read or written. The caller asked for something impossible (a name that no certificate
/// can hold), or the machine failed it; nothing here comes from a peer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A key pair or a certificate could not be made.
    #[error("cannot make the certificate or its key")]
    Issue(#[from] rcgen::Error),
    /// An Ed25519 key could not be generated or encoded.
    #[error("cannot generate an Ed25519 key")]
    Generate(#[from] aws_lc_rs::error::Unspecified),
    /// A trusted list could not be signed.
    #[error("cannot sign the trusted list")]
    Sign(#[from] bergshamra::Error),
    /// A file could not be read or written.
    #[error("cannot access {path}")]
    File {
        /// The file concerned.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A CA that was read cannot issue what it is asked for.
    #[error("the issuing CA is of no use: {0}")]
    Issuer(String),
    /// A PEM text holds no certificate whose validity can be read.
    #[error("no readable certificate in the PEM text: {0}")]
    Unreadable(String),
}
