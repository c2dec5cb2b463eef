//! Judging a client: path, identity, rules.

use std::{
    cell::{Cell, RefCell},
    net::SocketAddr,
    rc::Rc,
    sync::Arc,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use portcullis_handshake::{ClientJudge, HandshakeFailure, Handshaken, Passage, PeerChain, TicketEvent};
use portcullis_identity::{Identity, TbsCertificate, Thumbprint};
use portcullis_keys::{IdentityDigest, KeyIdentity};
use portcullis_policy::{
    Assessment, ContentRule, Denial, DomainId, Evidence, KeyCheck, Ledger, Permit, Refusals, Registration,
    RevocationCheck, Rule, TrustDomain, Verdict, decide,
};
use portcullis_telemetry::{AuditRecord, HandshakeKind, Refused, VerdictRecord, now_unix_s};
use portcullis_trust::{Anchors, PathError, TrustedPath};
use rustls::CertificateError;
use rustls_pki_types::{CertificateDer, SubjectPublicKeyInfoDer, UnixTime};

use crate::{plan::HandOffFields, shard::Shard, verification::Verified, view::View};

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

/// A verdict with what it rests on. Connections of one client share it.
#[derive(Debug)]
pub(crate) struct Judged {
    pub(crate) standing: Standing,
    /// When the first certificate of the path ends, in seconds since the epoch; the end of time without a path.
    pub(crate) valid_until: i64,
    /// The last second at which the verdict holds unless there is news. Then it must be asked for again.
    pub(crate) holds_until: Cell<i64>,
    /// What was known of the client's status when it was last looked up. The verdict follows from it, but for how long.
    pub(crate) status: Cell<Status>,
    /// Whose key it has; `None` where keys are not asked for, and for a certificate that does not say.
    pub(crate) key_identity: Option<KeyIdentity>,
    /// Why trusted lists or a register that are only observed would refuse the client, who is admitted.
    pub(crate) would_be_refused: Option<Observed>,
    /// What was judged, to be judged again when the rules change; `None` for a client that presented nothing.
    pub(crate) chain: Option<Rc<PeerChain>>,
    /// Whether the chain is in a record already.
    pub(crate) is_chain_recorded: Cell<bool>,
    /// What upstreams are told of the client, for each choice of fields. Few upstreams make a choice of their own.
    pub(crate) identity_lines: RefCell<Vec<(HandOffFields, Rc<[u8]>)>>,
}

/// A refusal that does not count.
#[derive(Debug)]
pub(crate) struct Observed {
    pub(crate) code: &'static str,
    pub(crate) detail: String,
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

/// What a ledger says of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Status {
    pub(crate) revocation: RevocationCheck,
    pub(crate) registration: Registration,
    pub(crate) key: KeyCheck,
}

/// Of whom a ledger is asked.
#[derive(Debug, Clone, Copy)]
struct Holder<'a> {
    identity: &'a Identity,
    key_identity: Option<IdentityDigest>,
}

impl Status {
    /// What `ledger` says under the rules of `domain`. Nobody looks for who has no trusted path.
    fn look_up(domain: &TrustDomain, ledger: &Ledger, of: Holder<'_>, path: &TrustedPath, now: i64) -> Self {
        let Holder { identity, key_identity } = of;
        let auth = &domain.client_auth;
        let revocation = auth.revocation.as_ref().map(|rules| rules.check(ledger, identity, path, now));
        let registration = auth.register.as_ref().map(|rules| rules.check(ledger, identity, now));
        let key = auth.keys.map(|rules| rules.check(ledger, key_identity));
        Self {
            revocation: revocation.unwrap_or_default(),
            registration: registration.unwrap_or_default(),
            key: key.unwrap_or_default(),
        }
    }

    /// Until when it stands, in seconds since the epoch, unless there is news.
    pub(crate) fn until(self) -> i64 {
        self.revocation.until().min(self.registration.until())
    }

    /// Whether the same follows from both, but for how long.
    pub(crate) fn is_like(self, other: Self) -> bool {
        self.revocation.is_like(other.revocation)
            && self.registration.is_like(other.registration)
            && self.key == other.key
    }
}

impl Judged {
    /// Whether the client would pass if more were known of its status.
    pub(crate) fn is_status_unknown(&self) -> bool {
        matches!(&self.standing, Standing::Refused { denial, .. } if is_unknown(denial))
    }

    /// The verdict on a client that presented no certificate and needs none.
    pub(crate) const fn anonymous(permit: Permit) -> Self {
        Self {
            standing: Standing::Admitted(permit),
            valid_until: i64::MAX,
            holds_until: Cell::new(i64::MAX),
            status: Cell::new(Status {
                revocation: RevocationCheck::NotAsked,
                registration: Registration::NotAsked,
                key: KeyCheck::NotAsked,
            }),
            key_identity: None,
            would_be_refused: None,
            chain: None,
            is_chain_recorded: Cell::new(false),
            identity_lines: RefCell::new(Vec::new()),
        }
    }

    /// SHA-256 of the certificate, if one was presented that could be read.
    pub(crate) fn thumbprint(&self) -> Option<Thumbprint> {
        self.standing.identity().map(|identity| identity.thumbprint)
    }

    /// The record of this verdict.
    pub(crate) fn audit(&self, listener: &Arc<str>, domain: &str, peer: SocketAddr) -> AuditRecord {
        let (standing, assessment) = (&self.standing, self.standing.assessment());
        let identity = standing.identity();
        let codes = match (assessment, standing) {
            (Some(assessment), _) => distinct(assessment.codes()),
            (None, Standing::Refused { denial, .. }) => vec![denial.code()],
            (None, Standing::Admitted(_)) => Vec::new(),
        };
        let chain = self.chain.as_ref().filter(|_| !self.is_chain_recorded.replace(true));
        AuditRecord::Verdict(VerdictRecord {
            time_unix_s: now_unix_s(),
            listener: Arc::clone(listener),
            domain: domain.to_owned(),
            peer,
            thumbprint_sha256: identity.map(|identity| identity.thumbprint.to_string()),
            organization: identity.and_then(|identity| identity.subject.organization.clone()),
            organization_identifier: identity
                .and_then(|identity| identity.subject.organization_identifier.clone()),
            verdict: match standing {
                Standing::Admitted(_) => "admit",
                Standing::Refused { .. } => "refuse",
            },
            codes,
            chain: chain.map(|chain| {
                let certificates = std::iter::once(&chain.leaf).chain(&chain.intermediates);
                certificates.map(|certificate| STANDARD.encode(certificate)).collect()
            }),
        })
    }

    /// What `ledger` says at `now` of the client's status.
    pub(crate) fn status_at(&self, domain: &TrustDomain, ledger: &Ledger, now: i64) -> Status {
        let assessment = self.standing.assessment();
        assessment
            .and_then(|assessment| {
                let path = assessment.path.as_ref()?.as_ref().ok()?;
                let key_identity = self.key_identity.as_ref().map(KeyIdentity::digest);
                let of = Holder { identity: &assessment.identity, key_identity };
                Some(Status::look_up(domain, ledger, of, path, now))
            })
            .unwrap_or_default()
    }
}

/// Judges `chain`, whose leaf's key the client holds, by the rules of `domain` at the time `now`.
pub(crate) fn judge(domain: &TrustDomain, ledger: &Ledger, chain: Rc<PeerChain>, now: UnixTime) -> Judged {
    let (rules, anchors) = (&domain.client_auth.rules, &domain.client_auth.anchors);
    let path_under = |anchors: &Anchors| {
        anchors.verify_path(&chain.leaf, &chain.intermediates, rules.extended_key_usage, now)
    };
    let path = path_under(anchors);
    let valid_until = path.as_ref().map_or(i64::MAX, TrustedPath::not_after);
    let (identity, now) = (Identity::from_der(&chain.leaf), i64::try_from(now.as_secs()).unwrap_or(i64::MAX));
    let key_identity = match (&identity, domain.client_auth.keys) {
        (Ok(identity), Some(keys)) => keys.identity_of(rules.profile, identity),
        _ => None,
    };
    let status = match (&identity, &path) {
        (Ok(identity), Ok(path)) => {
            let of = Holder { identity, key_identity: key_identity.as_ref().map(KeyIdentity::digest) };
            Status::look_up(domain, ledger, of, path, now)
        }
        _ => Status::default(),
    };
    let evidence = Evidence {
        path: Some(path),
        revocation: status.revocation,
        registration: status.registration,
        is_register_enforced: domain.client_auth.register.is_none_or(|register| register.is_enforced),
        key: status.key,
        now,
    };
    let standing = match decide(rules, identity, evidence) {
        Verdict::Admitted(permit) => Standing::Admitted(permit),
        Verdict::Refused { denial, assessment } => Standing::Refused { denial, assessment },
    };
    let would_be_refused = match &standing {
        Standing::Admitted(permit) => observe(domain, permit, path_under),
        Standing::Refused { .. } => None,
    };
    let holds_until = Cell::new(valid_until);
    Judged {
        standing,
        valid_until,
        holds_until,
        status: Cell::new(status),
        key_identity,
        would_be_refused,
        chain: Some(chain),
        is_chain_recorded: Cell::default(),
        identity_lines: RefCell::default(),
    }
}

/// Why somebody who is admitted would be refused by what is only observed.
fn observe(
    domain: &TrustDomain,
    permit: &Permit,
    path_under: impl Fn(&Anchors) -> Result<TrustedPath, PathError>,
) -> Option<Observed> {
    let auth = &domain.client_auth;
    let by_lists = auth.observed.as_ref().and_then(|anchors| path_under(anchors).err());
    let by_lists = by_lists.map(|error| Observed { code: error.code(), detail: error.to_string() });
    by_lists.or_else(|| {
        let found = permit.assessment()?.observed_denial(&auth.rules)?;
        Some(Observed { code: found.rule.code(), detail: found.message.to_string() })
    })
}

/// The judge of one connection's handshake.
#[derive(Debug)]
pub(crate) struct ConnectionJudge {
    shard: Rc<Shard>,
    view: Rc<View>,
    listener: usize,
    domain: DomainId,
    /// Of the certificate whose key the client proved.
    proved: RefCell<Option<Rc<Judged>>>,
    /// Of the session that it offered last.
    offered: RefCell<Option<Verified>>,
}

impl ConnectionJudge {
    pub(crate) fn new((shard, listener): (Rc<Shard>, usize), view: Rc<View>, domain: DomainId) -> Rc<Self> {
        let (proved, offered) = (RefCell::default(), RefCell::default());
        Rc::new(Self { shard, view, listener, domain, proved, offered })
    }

    /// What was judged in a handshake that failed, if the client proved a key.
    pub(crate) fn proved(&self) -> Option<Rc<Judged>> {
        self.proved.borrow().clone()
    }

    /// The verdict on the client of a finished handshake: on what it proved, or on the session that it resumed. `None` if it
    /// presented nothing.
    ///
    /// # Errors
    /// The session carries another chain than was judged.
    pub(crate) fn outcome(&self, handshaken: &Handshaken) -> Result<Option<Rc<Judged>>, HandshakeFailure> {
        let carried = handshaken.stream.peer_certificates();
        let (proved, offered) = (self.proved.take(), self.offered.take());
        let judged = match handshaken.kind {
            HandshakeKind::Full => proved,
            // Proof of the session came after the verdict: only now is it remembered.
            HandshakeKind::Resumed => offered.map(|verified| self.shard.remember(verified)),
        };
        let is_of_session = match (judged.as_deref(), carried) {
            (None, None) => handshaken.kind == HandshakeKind::Full,
            (Some(Judged { chain: Some(chain), .. }), Some(carried)) => chain.is(carried),
            _ => false,
        };
        if is_of_session { Ok(judged) } else { Err(HandshakeFailure::Unjudged) }
    }
}

impl ClientJudge for ConnectionJudge {
    fn key_of<'c>(&self, leaf: &'c CertificateDer<'_>) -> Option<SubjectPublicKeyInfoDer<'c>> {
        let tbs = TbsCertificate::from_der(leaf).ok()?;
        Some(tbs.subject_public_key_info.into())
    }

    fn judge(&self, chain: PeerChain, now: UnixTime) -> Result<Passage, CertificateError> {
        let leaf = Thumbprint::of(&chain.leaf);
        let verified = self.shard.verify(&self.view, self.domain, (leaf, Rc::new(chain)), now);
        let judged = self.shard.remember(verified);
        let (domain, _) = self.view.plan.policy.domain(self.domain);
        let told = match &judged.standing {
            Standing::Refused { denial, .. } if told_by_alert(denial, domain) => Err(alert_for(denial)),
            _ => Ok(passage(&judged, leaf)),
        };
        self.proved.replace(Some(judged));
        told
    }

    fn judge_offered(&self, leaf: &[u8; 32], chain: PeerChain, now: UnixTime) -> Passage {
        let leaf = Thumbprint::from(*leaf);
        let verified = self.shard.verify(&self.view, self.domain, (leaf, Rc::new(chain)), now);
        let passage = passage(&verified.judged, leaf);
        self.offered.replace(Some(verified));
        passage
    }

    fn ticket(&self, event: TicketEvent) {
        self.shard.listeners[self.listener].metrics.ticket(event.as_str());
    }
}

/// Whether the client's session may be resumed: only while the client may pass.
pub(crate) fn passage(judged: &Judged, leaf: Thumbprint) -> Passage {
    match (&judged.standing, &judged.chain) {
        (Standing::Admitted(_), Some(chain)) => {
            Passage::Granted { leaf: *leaf.as_bytes(), chain: Rc::clone(chain) }
        }
        _ => Passage::Denied,
    }
}

/// A certificate that leads nowhere never gets past the handshake; what a profile misses may be told by HTTP.
pub(crate) fn told_by_alert(denial: &Denial, domain: &TrustDomain) -> bool {
    let auth = &domain.client_auth;
    match denial {
        Denial::Path(_) | Denial::Unreadable(_) => true,
        denial if auth.waits_for_status() && is_unknown(denial) => false,
        // There is nothing wrong with the certificate, and no alert says what is to be done.
        Denial::Rule { finding, .. } if finding.rule.is_about_enrolment() => false,
        _ => auth.refusals == Refusals::Handshake,
    }
}

/// Whether nothing is wrong but that the status is not known yet: it is told last of all.
fn is_unknown(denial: &Denial) -> bool {
    matches!(denial, Denial::Rule { finding, others: 0 } if finding.rule == ContentRule::RevocationUnknown.into())
}

/// The error for which rustls sends the alert that names the cause (RFC 8446 6.2).
fn alert_for(denial: &Denial) -> CertificateError {
    match denial {
        Denial::Path(PathError::Expired { .. }) => CertificateError::Expired,
        Denial::Path(PathError::NotYetValid { .. }) => CertificateError::NotValidYet,
        Denial::Path(PathError::UnknownIssuer { .. }) => CertificateError::UnknownIssuer,
        Denial::Path(PathError::UnusableEku { .. }) => CertificateError::InvalidPurpose,
        // The certificate is in order; who issued it is not believed for it.
        Denial::Path(PathError::Unwanted(_)) => CertificateError::ApplicationVerificationFailure,
        Denial::Path(_) | Denial::Unreadable(_) => CertificateError::BadEncoding,
        Denial::Rule { finding, .. } => alert_for_rule(finding.rule),
        _ => CertificateError::ApplicationVerificationFailure,
    }
}

/// TLS has alerts for a certificate that is over, and for one that is for another use; for the rest there is `access_denied`.
fn alert_for_rule(rule: Rule) -> CertificateError {
    /// Whatever it is that an operator has made such a rule deny: the certificate is for another use.
    const ABOUT_USE: [&str; 2] = ["eku.", "qc.type-"];
    match rule {
        Rule::Content(ContentRule::Expired) => CertificateError::Expired,
        Rule::Content(ContentRule::NotYetValid) => CertificateError::NotValidYet,
        Rule::Content(ContentRule::Revoked) => CertificateError::Revoked,
        Rule::Content(ContentRule::KeyUsageSignature | ContentRule::CertificateAuthority) => {
            CertificateError::InvalidPurpose
        }
        rule if ABOUT_USE.iter().any(|family| rule.code().starts_with(family)) => {
            CertificateError::InvalidPurpose
        }
        _ => CertificateError::ApplicationVerificationFailure,
    }
}

/// Each code once, in the order of the first: an odd certificate breaks one rule in dozens of places.
pub(crate) fn distinct(codes: impl Iterator<Item = &'static str>) -> Vec<&'static str> {
    let mut distinct = Vec::new();
    for code in codes {
        if !distinct.contains(&code) {
            distinct.push(code);
        }
    }
    distinct
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alert_names_what_tls_has_a_name_for() {
        let alert = |code: &str| alert_for_rule(Rule::from_code(code).unwrap());
        let about_use = [
            "eku.tls-binding",
            "eku.unusable",
            "eku.missing",
            "eku.no-server-auth",
            "eku.malformed",
            "qc.type-seal",
            "qc.type-signature",
            "qc.type-missing",
            "qc.type-malformed",
            "key-usage.no-digital-signature",
            "certificate.authority",
        ];
        for code in about_use {
            assert_eq!(alert(code), CertificateError::InvalidPurpose, "{code}");
        }
        assert_eq!(alert("validity.expired"), CertificateError::Expired);
        assert_eq!(alert("revocation.revoked"), CertificateError::Revoked);
        assert_eq!(alert("validity.not-yet-valid"), CertificateError::NotValidYet);
        for code in
            ["qc.not-qualified", "qc.missing", "psd2.missing", "psd2.flattened-roles", "revocation.unknown"]
        {
            assert_eq!(alert(code), CertificateError::ApplicationVerificationFailure, "{code}");
        }
    }

    #[test]
    fn a_code_is_recorded_once() {
        assert_eq!(distinct(["b", "a", "b", "c", "a"].into_iter()), ["b", "a", "c"]);
    }
}
