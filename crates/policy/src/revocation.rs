//! What is known of a certificate's revocation when it is judged.

use std::sync::Arc;
use std::time::Duration;

use portcullis_identity::Identity;
use portcullis_trust::{Issuer, KnownStatus, StatusQuestion, TrustedPath};

use crate::Ledger;

/// What is known of a certificate's revocation when it is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RevocationCheck {
    /// Nobody asked.
    #[default]
    NotAsked,
    /// Its issuer tells nothing of revocation, as the certificate or the operator says.
    Exempt,
    /// This.
    Known(KnownStatus),
}

/// How a trust domain asks about revocation. What follows from an unknown status says the severity of
/// [`RevocationUnknown`](crate::ContentRule::RevocationUnknown).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RevocationRules {
    /// CAs about whose certificates nobody is asked.
    pub exempt: Arc<[Issuer]>,
    /// How long a connection is held after its handshake for an answer that nobody has asked for before; zero for not at all.
    pub wait: Duration,
    /// How long a request in flight may go on once the client's certificate is revoked; zero for not at all.
    pub grace: Duration,
}

impl RevocationRules {
    /// What the ledger knows at `now`, in Unix seconds, of a certificate whose path is trusted.
    pub fn check(
        &self,
        ledger: &Ledger,
        identity: &Identity,
        path: &TrustedPath,
        now: i64,
    ) -> RevocationCheck {
        if self.is_exempt(identity, path.issuer()) {
            return RevocationCheck::Exempt;
        }
        let asked = StatusQuestion {
            thumbprint: &identity.thumbprint,
            issuer: path.issuer(),
            serial_number: identity.serial_number.as_octets(),
            crl_urls: identity.crl_urls.as_deref().unwrap_or_default(),
        };
        RevocationCheck::Known(ledger.status.look_up(&asked, now))
    }

    /// Whether nobody is asked about a certificate.
    pub fn is_exempt(&self, identity: &Identity, issuer: &Issuer) -> bool {
        identity.revocation_exempt || self.exempt.contains(issuer)
    }
}

impl RevocationCheck {
    /// Until when it stands, in Unix seconds, unless there is news.
    pub const fn until(self) -> i64 {
        match self {
            Self::Known(KnownStatus::Good { until }) => until,
            _ => i64::MAX,
        }
    }

    /// Whether the same follows from both, but for how long.
    pub fn is_like(self, other: Self) -> bool {
        let is_good = |check| matches!(check, Self::Known(KnownStatus::Good { .. }));
        self == other || (is_good(self) && is_good(other))
    }
}
