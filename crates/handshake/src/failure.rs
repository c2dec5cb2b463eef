//! How a handshake fails.

use std::io;

use rustls::{AlertDescription, CertificateError, Error as TlsError, PeerIncompatible};
use thiserror::Error;

/// Why a handshake did not finish.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum HandshakeFailure {
    /// The deadline passed.
    #[error("the handshake did not finish in time")]
    Timeout,
    /// The peer closed the connection.
    #[error("the peer closed the connection during the handshake")]
    Closed,
    /// The socket failed.
    #[error("the socket failed during the handshake: {0}")]
    Io(#[source] io::Error),
    /// The server name is none of ours (RFC 6066 3).
    #[error("no certificate serves the server name {0:?}")]
    UnknownServerName(String),
    /// The handshake ended well, but the certificate that it ended with was not judged, or the one that was judged is
    /// not there. Ours to mend: no peer should be able to bring it about.
    #[error("the handshake's certificate and its verdict do not belong together")]
    Unjudged,
    /// TLS failed; the peer was told by an alert where there is one.
    #[error("{0}")]
    Tls(#[source] TlsError),
}

impl HandshakeFailure {
    /// The label of this failure in metrics and logs: a constant of the program.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Closed => "closed",
            Self::Io(_) => "io",
            Self::UnknownServerName(_) => "unrecognized_name",
            Self::Unjudged => "unjudged",
            Self::Tls(error) => tls_reason(error),
        }
    }
}

fn tls_reason(error: &TlsError) -> &'static str {
    match error {
        TlsError::NoCertificatesPresented => "no_cert",
        TlsError::InvalidCertificate(error) => certificate_reason(error),
        TlsError::NoApplicationProtocol => "no_common_protocol",
        TlsError::PeerIncompatible(
            PeerIncompatible::NoCipherSuitesInCommon | PeerIncompatible::NoKxGroupsInCommon,
        ) => "no_common_cipher",
        TlsError::PeerIncompatible(PeerIncompatible::NoSignatureSchemesInCommon) => "no_common_signature",
        TlsError::PeerIncompatible(_) => "peer_incompatible",
        TlsError::AlertReceived(AlertDescription::CloseNotify | AlertDescription::UserCanceled) => "closed",
        TlsError::AlertReceived(_) => "peer_alert",
        TlsError::DecryptError => "decrypt_error",
        TlsError::InvalidMessage(_) | TlsError::InappropriateMessage { .. } => "not_tls",
        TlsError::InappropriateHandshakeMessage { .. } | TlsError::PeerMisbehaved(_) => "peer_misbehaved",
        _ => "other",
    }
}

fn certificate_reason(error: &CertificateError) -> &'static str {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "not_yet_valid",
        CertificateError::Revoked => "revoked",
        CertificateError::UnknownIssuer => "untrusted",
        CertificateError::BadSignature => "bad_signature",
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => "unusable_eku",
        CertificateError::ApplicationVerificationFailure => "denied",
        _ => "bad_certificate",
    }
}
