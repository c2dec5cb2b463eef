//! Judging a client: path, identity, rules.

use std::{cell::RefCell, net::SocketAddr, rc::Rc};

use portcullis_handshake::{ClientJudge, PeerChain};
use portcullis_identity::Identity;
use portcullis_policy::{Denial, DomainId, Permit, Refusals, TrustDomain, Verdict, decide};
use portcullis_telemetry::Refused;
use portcullis_trust::{PathError, TrustedPath};
use rustls::CertificateError;
use rustls_pki_types::UnixTime;

use crate::view::View;

/// How a client stands with the gate.
#[derive(Debug)]
pub(crate) enum Standing {
    /// It may pass.
    Admitted(Permit),
    /// It may not; every request is answered with the reason.
    Refused {
        denial: Denial,
        /// Who it is, for records.
        identity: Option<Box<Identity>>,
    },
}

/// A verdict with what it rests on.
#[derive(Debug)]
pub(crate) struct Judged {
    pub(crate) standing: Standing,
    /// When the first certificate of the path ends, in seconds since the epoch; the end of time without a path.
    pub(crate) valid_until: i64,
    /// What was judged, to be judged again when the rules change.
    pub(crate) chain: PeerChain,
}

impl Standing {
    /// Who the client is, as far as it proved it.
    pub(crate) fn identity(&self) -> Option<&Identity> {
        match self {
            Self::Admitted(permit) => permit.identity(),
            Self::Refused { identity, .. } => identity.as_deref(),
        }
    }

    /// Who this is, for the log of refusals.
    pub(crate) fn refused<'a>(&'a self, listener: &'a str, peer: SocketAddr) -> Refused<'a> {
        let Some(identity) = self.identity() else { return Refused::unknown(listener, peer) };
        Refused {
            listener,
            peer,
            organization_identifier: identity.subject.organization_identifier.as_deref(),
            thumbprint_sha256: Some(&identity.thumbprint),
        }
    }

    /// The result label of the verdict: `admitted`, or the code of the denial.
    pub(crate) fn result(&self) -> &'static str {
        match self {
            Self::Admitted(_) => "admitted",
            Self::Refused { denial, .. } => denial.code(),
        }
    }
}

/// Judges `chain`, whose leaf's key the client holds, by the rules of `domain` at the time `now`.
pub(crate) fn judge(domain: &TrustDomain, chain: PeerChain, now: UnixTime) -> Judged {
    let rules = &domain.client_auth;
    let path = rules.anchors.verify_path(&chain.leaf, &chain.intermediates, rules.extended_key_usage, now);
    let valid_until = path.as_ref().map_or(i64::MAX, TrustedPath::not_after);
    let standing = match decide(domain, path, Identity::from_der(&chain.leaf)) {
        Verdict::Admitted(permit) => Standing::Admitted(permit),
        Verdict::Refused { denial, identity } => Standing::Refused { denial, identity },
    };
    Judged { standing, valid_until, chain }
}

/// The judge of one connection's handshake.
#[derive(Debug)]
pub(crate) struct ConnectionJudge {
    view: Rc<View>,
    domain: DomainId,
    judged: RefCell<Option<Judged>>,
}

impl ConnectionJudge {
    pub(crate) fn new(view: Rc<View>, domain: DomainId) -> Rc<Self> {
        Rc::new(Self { view, domain, judged: RefCell::default() })
    }

    /// What was judged in the handshake, if the client presented a certificate and proved it.
    pub(crate) fn take(&self) -> Option<Judged> {
        self.judged.take()
    }
}

impl ClientJudge for ConnectionJudge {
    fn judge(&self, chain: PeerChain, now: UnixTime) -> Result<(), CertificateError> {
        let (domain, _) = self.view.plan.policy.domain(self.domain);
        let judged = judge(domain, chain, now);
        let told = match &judged.standing {
            Standing::Refused { denial, .. } if told_by_alert(denial, domain.client_auth.refusals) => {
                Err(alert_for(denial))
            }
            _ => Ok(()),
        };
        self.judged.replace(Some(judged));
        told
    }
}

/// A certificate that leads nowhere never gets past the handshake; what a profile misses may be told by HTTP.
pub(crate) fn told_by_alert(denial: &Denial, refusals: Refusals) -> bool {
    refusals == Refusals::Handshake || matches!(denial, Denial::Path(_) | Denial::Unreadable(_))
}

/// The error for which rustls sends the alert that names the cause (RFC 8446 6.2).
fn alert_for(denial: &Denial) -> CertificateError {
    match denial {
        Denial::Path(PathError::Expired { .. }) => CertificateError::Expired,
        Denial::Path(PathError::NotYetValid { .. }) => CertificateError::NotValidYet,
        Denial::Path(PathError::UnknownIssuer { .. }) => CertificateError::UnknownIssuer,
        Denial::Path(PathError::UnusableEku { .. }) => CertificateError::InvalidPurpose,
        Denial::Path(_) | Denial::Unreadable(_) => CertificateError::BadEncoding,
        _ => CertificateError::ApplicationVerificationFailure,
    }
}
