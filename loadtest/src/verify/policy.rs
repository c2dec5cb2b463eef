//! The gate's libraries at work, as a shard has them work.

use std::cell::RefCell;
use std::rc::Rc;

use portcullis_cache::{CacheKey, Keep, Outcome, VerificationCache};
use portcullis_identity::{Identity, Thumbprint};
use portcullis_policy::{Assessment, Evidence, RevocationCheck, Verdict, decide};
use rustls_pki_types::CertificateDer;

use super::conditions::Conditions;
use super::rounds::{Answers, Judges};

/// Room for more verdicts than there are certificates: a table that is just full has turned some away.
const ROOM: usize = 4;
/// The trust domain that verdicts are remembered for.
const DOMAIN: [u8; 32] = [7; 32];

/// Nothing is remembered: the certificate is read, its path verified, its status looked up, and it is held against the rules.
pub(super) struct Cold<'a>(pub(super) &'a Conditions<'a>);

/// Verdicts are remembered, and each is found: the certificate is hashed, the verdict looked up, the chain compared, and the status looked
/// up again, as where the ledger is a new edition.
pub(super) struct Cached<'a> {
    conditions: &'a Conditions<'a>,
    cache: RefCell<VerificationCache<Rc<Remembered>>>,
}

struct Remembered {
    intermediates: Vec<CertificateDer<'static>>,
    verdict: Verdict,
    revocation: RevocationCheck,
}

impl Judges for Cold<'_> {
    fn judge_all(&self, answers: &mut Answers) {
        for (leaf, intermediates) in self.0.chains() {
            answers.count(code(&judge(self.0, leaf, intermediates).0));
        }
    }
}

impl<'a> Cached<'a> {
    pub(super) fn new(conditions: &'a Conditions<'a>) -> Self {
        let room = ROOM * conditions.certificates.len();
        // Refusals have an eighth of the room of the others.
        Self { conditions, cache: RefCell::new(VerificationCache::new(8 * room)) }
    }

    fn find(&self, key: &CacheKey, intermediates: &[CertificateDer<'_>], now: i64) -> Option<Rc<Remembered>> {
        let cache = self.cache.borrow();
        let known = cache.get(key, now)?;
        let status = known
            .verdict_assessment()
            .map_or(RevocationCheck::NotAsked, |assessment| status(self.conditions, assessment, now));
        (known.intermediates == intermediates && known.revocation == status).then(|| Rc::clone(known))
    }
}

impl Judges for Cached<'_> {
    fn judge_all(&self, answers: &mut Answers) {
        let now = self.conditions.seconds();
        for (leaf, intermediates) in self.conditions.chains() {
            let key = CacheKey { domain: DOMAIN, leaf: *Thumbprint::of(leaf).as_bytes() };
            if let Some(known) = self.find(&key, intermediates, now) {
                answers.count_found(code(&known.verdict));
                continue;
            }
            let (verdict, revocation) = judge(self.conditions, leaf, intermediates);
            answers.count(code(&verdict));
            let outcome = if code(&verdict).is_none() { Outcome::Admitted } else { Outcome::Refused };
            let keep = Keep { outcome, from: now, until: i64::MAX, bytes: leaf.len() };
            let remembered = Remembered { intermediates: intermediates.to_vec(), verdict, revocation };
            self.cache.borrow_mut().insert(key, Rc::new(remembered), keep);
        }
    }
}

impl Remembered {
    fn verdict_assessment(&self) -> Option<&Assessment> {
        match &self.verdict {
            Verdict::Admitted(permit) => permit.assessment(),
            Verdict::Refused { assessment, .. } => assessment.as_deref(),
        }
    }
}

fn judge(
    conditions: &Conditions<'_>,
    leaf: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
) -> (Verdict, RevocationCheck) {
    let Conditions { rules, anchors, revocation, ledger, now, .. } = conditions;
    let seconds = conditions.seconds();
    let path = anchors.verify_path(leaf, intermediates, rules.extended_key_usage, *now);
    let identity = Identity::from_der(leaf);
    let revocation = match (&identity, &path) {
        (Ok(identity), Ok(path)) => revocation.check(ledger, identity, path, seconds),
        _ => RevocationCheck::NotAsked,
    };
    let evidence = Evidence { path: Some(path), revocation, ..Evidence::none(seconds) };
    (decide(rules, identity, evidence), revocation)
}

fn status(conditions: &Conditions<'_>, assessment: &Assessment, now: i64) -> RevocationCheck {
    match &assessment.path {
        Some(Ok(path)) => conditions.revocation.check(&conditions.ledger, &assessment.identity, path, now),
        _ => RevocationCheck::NotAsked,
    }
}

/// Why a certificate is refused; `None` for one that is admitted.
fn code(verdict: &Verdict) -> Option<&'static str> {
    match verdict {
        Verdict::Admitted(_) => None,
        Verdict::Refused { denial, .. } => Some(denial.code()),
    }
}
