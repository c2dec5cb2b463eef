//! Judging a client: path, identity, rules.

use std::{cell::RefCell, net::SocketAddr, rc::Rc, sync::Arc};

use portcullis_handshake::{ClientJudge, PeerChain};
use portcullis_identity::Identity;
use portcullis_policy::{
    Assessment, ContentRule, Denial, DomainId, Evidence, Permit, Refusals, Registration, Rule, TrustDomain,
    Verdict, decide,
};
use portcullis_telemetry::{AuditRecord, Refused, now_unix_s};
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
        /// Who it is and what was found, for records and explanations.
        assessment: Option<Box<Assessment>>,
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
        self.assessment().map(|assessment| &assessment.identity)
    }

    /// What was found out about its certificate, if it has one that could be read.
    pub(crate) fn assessment(&self) -> Option<&Assessment> {
        match self {
            Self::Admitted(permit) => permit.assessment(),
            Self::Refused { assessment, .. } => assessment.as_deref(),
        }
    }

    /// The record of this verdict.
    pub(crate) fn audit(&self, listener: &Arc<str>, domain: &str, peer: SocketAddr) -> AuditRecord {
        let assessment = self.assessment();
        let identity = self.identity();
        let codes = match (assessment, self) {
            (Some(assessment), _) => assessment.codes().collect(),
            (None, Self::Refused { denial, .. }) => vec![denial.code()],
            (None, Self::Admitted(_)) => Vec::new(),
        };
        AuditRecord {
            time_unix_s: now_unix_s(),
            listener: Arc::clone(listener),
            domain: domain.to_owned(),
            peer,
            thumbprint_sha256: identity.map(|identity| identity.thumbprint.to_string()),
            organization: identity.and_then(|identity| identity.subject.organization.clone()),
            organization_identifier: identity
                .and_then(|identity| identity.subject.organization_identifier.clone()),
            verdict: match self {
                Self::Admitted(_) => "admit",
                Self::Refused { .. } => "refuse",
            },
            codes,
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
    let (rules, anchors) = (&domain.client_auth.rules, &domain.client_auth.anchors);
    let path = anchors.verify_path(&chain.leaf, &chain.intermediates, rules.extended_key_usage, now);
    let valid_until = path.as_ref().map_or(i64::MAX, TrustedPath::not_after);
    let evidence = Evidence {
        path: Some(path),
        registration: Registration::Unknown,
        now: i64::try_from(now.as_secs()).unwrap_or(i64::MAX),
    };
    let standing = match decide(rules, Identity::from_der(&chain.leaf), evidence) {
        Verdict::Admitted(permit) => Standing::Admitted(permit),
        Verdict::Refused { denial, assessment } => Standing::Refused { denial, assessment },
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
        Denial::Rule { finding, .. } if is_about_purpose(finding.rule) => CertificateError::InvalidPurpose,
        _ => CertificateError::ApplicationVerificationFailure,
    }
}

/// Whether the certificate is one for another use, which TLS has an alert for.
const fn is_about_purpose(rule: Rule) -> bool {
    matches!(
        rule,
        Rule::Content(
            ContentRule::TlsBinding
                | ContentRule::ExtendedKeyUsageUnusable
                | ContentRule::KeyUsageSignature
                | ContentRule::CertificateAuthority
                | ContentRule::QcTypeMissing
                | ContentRule::QcTypeSeal
                | ContentRule::QcTypeSignature
                | ContentRule::QcTypeSeveral
                | ContentRule::QcTypeUnknown
        )
    )
}
