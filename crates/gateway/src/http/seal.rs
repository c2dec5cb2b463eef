//! What a route asks of the seal of a request: what can be said of it before its body comes.

use std::{rc::Rc, sync::Arc, time::Duration};

use http::Request;
use hyper::body::Incoming;
use portcullis_handshake::PeerChain;
use portcullis_identity::{Identity, TbsCertificate, Thumbprint};
use portcullis_policy::{Denial, DomainId, Finding, RevocationCheck, TrustDomain};
use portcullis_seal::{BodyDigest, ReplayWindow, RequestHead, Seal, SealError, Sealed};
use portcullis_telemetry::ListenerMetrics;
use portcullis_trust::KnownStatus;
use rustls_pki_types::{CertificateDer, UnixTime};

use crate::{
    http::{seal_refusal::SealRefusal, sealed_answer::AnswerSeal},
    judge::{Judged, Standing},
    plan::{CachePlan, Delivery, Plan, SealPlan},
    session::Session,
    shard::{Shard, unix_now},
    spool::Spool,
    verification::{Verifications, Verified},
};

/// Findings about a seal's certificate that a refusal lists.
const FINDINGS_MAX: usize = 32;

/// Requests that are remembered so that none comes twice, by all shards together: 160 MB when all are taken, which they are where
/// 2,900 come in each second under the default rules. At the bound sealed requests are refused.
pub(crate) const REPLAY_ENTRIES_MAX: usize = 1 << 20;

/// What a shard knows of seals. The window and the spool are those of all shards.
#[derive(Debug)]
pub(crate) struct Seals {
    verifications: Verifications,
    replay: Arc<ReplayWindow>,
    pub(crate) spool: Arc<Spool>,
}

/// A request whose head was sealed by who sent it, and whose body is still to be looked at.
#[derive(Debug)]
pub(crate) struct SealedHead {
    pub(crate) body: SealedBody,
    /// What its upstream is told.
    pub(crate) line: Vec<u8>,
}

/// Why a request is not taken as sealed, or not yet.
#[derive(Debug)]
pub(crate) enum Unsealed {
    /// It is not.
    Refused(SealRefusal),
    /// Nothing is known yet of its certificate's status, and its domain waits for that.
    Awaits(AwaitedStatus),
}

/// A certificate of whose status nothing is known yet.
#[derive(Debug)]
pub(crate) struct AwaitedStatus {
    shard: Rc<Shard>,
    plan: Arc<Plan>,
    domain: DomainId,
    judged: Rc<Judged>,
}

/// What the body of a sealed request must be, and how it is passed on.
#[derive(Debug)]
pub(crate) struct SealedBody {
    pub(crate) digest: BodyDigest,
    pub(crate) delivery: Delivery,
    pub(crate) memory_bytes_max: usize,
    pub(crate) bytes_max: u64,
    pub(crate) metrics: Rc<ListenerMetrics>,
    pub(crate) tells_tpp: bool,
    /// How its answer is sealed, if it is.
    pub(crate) answer: Option<AnswerSeal>,
}

impl Seals {
    pub(crate) fn new(cache: CachePlan, replay: Arc<ReplayWindow>, spool: Arc<Spool>) -> Self {
        Self { verifications: Verifications::new(cache), replay, spool }
    }

    /// Takes the bounds and the rules of a plan up, before a request is judged by it.
    pub(crate) fn take_up(&self, plan: &Plan) {
        self.verifications.take_up(plan.cache);
        plan.seals.iter().for_each(|seal| self.replay.widen(&seal.rules));
    }
}

impl AwaitedStatus {
    /// Returns when it is known, or the domain's wait is over.
    pub(crate) async fn come(self) {
        let (domain, _) = self.plan.seal_policy.domain(self.domain);
        let wait = domain.client_auth.revocation.as_ref().map_or(Duration::ZERO, |rules| rules.wait);
        let is_known = || {
            let now = self.shard.unix_now();
            let status = self.shard.with_ledger(|ledger| self.judged.status_at(domain, ledger, now));
            !matches!(status.revocation, RevocationCheck::Known(KnownStatus::Unknown { .. }))
        };
        self.shard.ledger_bell.until(wait, is_known).await;
    }
}

impl<E: Into<SealRefusal>> From<E> for Unsealed {
    fn from(error: E) -> Self {
        Self::Refused(error.into())
    }
}

/// Whether a request looks as if it were sealed. One that does is held to it, also where nobody asked for a seal.
pub(crate) fn is_sealed(request: &Request<Incoming>, seal: &SealPlan) -> bool {
    let fields = request.headers();
    ["signature", "signature-input", &*seal.rules.certificate_field]
        .iter()
        .any(|name| fields.contains_key(*name))
}

impl Session {
    /// Judges the head of a sealed request, which came from `client` for `authority`. It is told whether it may wait.
    ///
    /// The certificate is judged before the signature is verified with its key, and told of and remembered only behind it: nobody
    /// asks about certificates whose keys were not proved.
    ///
    /// # Errors
    /// [`Unsealed`].
    pub(crate) fn judge_seal(
        &self,
        (plan, seal): (&Arc<Plan>, &SealPlan),
        (request, authority): (&Request<Incoming>, &str),
        (client, may_wait): (Option<&Identity>, bool),
    ) -> Result<SealedHead, Unsealed> {
        let fields: Vec<_> =
            request.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        let head = RequestHead {
            method: request.method().as_str(),
            scheme: "https",
            authority,
            path: request.uri().path(),
            query: request.uri().query(),
            fields: &fields,
        };
        let parsed = Seal::parse(&head, &seal.rules)?;
        let leaf = CertificateDer::from(parsed.certificate().to_vec());
        let chain = Rc::new(PeerChain { leaf, intermediates: Vec::new() });
        let (domain, _) = plan.seal_policy.domain(seal.domain);
        let verified = self.verify_seal((plan, seal), &chain);
        let tbs = TbsCertificate::from_der(&chain.leaf).map_err(|error| SealError::CertificateMalformed {
            field: seal.rules.certificate_field.clone(),
            reason: error.to_string().into(),
        })?;
        let now = self.shard.unix_now();
        let sealed = parsed.verify_signature(tbs.subject_public_key_info, now)?;
        let judged = self.remember_seal((plan, domain), verified);
        if may_wait && domain.client_auth.waits_for_status() && judged.is_status_unknown() {
            let (shard, plan) = (Rc::clone(&self.shard), Arc::clone(plan));
            return Err(Unsealed::Awaits(AwaitedStatus { shard, plan, domain: seal.domain, judged }));
        }
        let organisation = organisation_of(&judged, client)?;
        self.shard.seals.replay.admit(organisation, &sealed, now)?;
        Ok(SealedHead {
            line: line(&judged, &sealed),
            body: SealedBody {
                digest: sealed.digest.begin(),
                delivery: seal.delivery,
                memory_bytes_max: seal.memory_bytes_max,
                bytes_max: seal.body_bytes_max,
                metrics: Rc::clone(&self.shard.listeners[self.listener].metrics),
                tells_tpp: seal.tells_tpp(),
                answer: seal.answers.as_ref().map(|sealer| AnswerSeal {
                    sealer: Arc::clone(sealer),
                    request_id: request.headers().get("x-request-id").cloned(),
                    memory_bytes_max: seal.memory_bytes_max,
                    bytes_max: seal.body_bytes_max,
                }),
            },
        })
    }

    fn verify_seal(&self, (plan, seal): (&Plan, &SealPlan), chain: &Rc<PeerChain>) -> Verified {
        let of = (Thumbprint::of(&chain.leaf), Rc::clone(chain));
        let by = (&plan.seal_policy, seal.domain);
        let verifications = &self.shard.seals.verifications;
        self.shard.with_ledger(|ledger| verifications.verify(by, ledger, of, UnixTime::now()))
    }

    /// Remembers a verdict on a certificate whose key was proved, and records it where it is new.
    fn remember_seal(&self, (plan, domain): (&Plan, &TrustDomain), verified: Verified) -> Rc<Judged> {
        let is_new = !verified.is_remembered();
        let judged = self.shard.seals.verifications.remember(verified, unix_now());
        if is_new && plan.audit_log {
            self.shard.audit(judged.audit(self.listener_name(), &domain.name, self.peer));
        }
        self.shard.report_sighting(domain, &judged);
        judged
    }
}

/// The organisation that sealed, if its certificate is believed, and it is that of the client.
fn organisation_of<'j>(judged: &'j Judged, client: Option<&Identity>) -> Result<&'j str, SealRefusal> {
    let identity = match &judged.standing {
        Standing::Admitted(permit) => permit.identity(),
        Standing::Refused { denial, assessment } => {
            let findings = assessment.as_ref().map_or(&[][..], |assessment| &assessment.findings);
            return Err(certificate_refused(denial, findings));
        }
    };
    match (identity.and_then(organisation), client.and_then(organisation)) {
        (Some(sealed), Some(connected)) if sealed == connected => Ok(sealed),
        (sealed, connected) => {
            let name =
                |found: Option<&str>| found.unwrap_or("nobody who has an organizationIdentifier").into();
            Err(SealRefusal::Organisation { sealed: name(sealed), connected: name(connected) })
        }
    }
}

fn organisation(identity: &Identity) -> Option<&str> {
    identity.subject.organization_identifier.as_deref()
}

fn certificate_refused(denial: &Denial, findings: &[Finding]) -> SealRefusal {
    let findings = findings.iter().take(FINDINGS_MAX).cloned().collect();
    SealRefusal::Certificate { code: denial.code(), reason: denial.to_string().into(), findings }
}

/// `Portcullis-Seal`: SHA-256 of the certificate, and how and when it sealed (an item of RFC 8941).
fn line(judged: &Judged, sealed: &Sealed) -> Vec<u8> {
    let thumbprint = judged.thumbprint().map(|thumbprint| thumbprint.to_string()).unwrap_or_default();
    let sealed_at = sealed.sealed_at_s.map(|at| format!(";sealed-at={at}")).unwrap_or_default();
    format!("portcullis-seal: \"{thumbprint}\";profile={}{sealed_at}\r\n", sealed.profile.as_str())
        .into_bytes()
}
