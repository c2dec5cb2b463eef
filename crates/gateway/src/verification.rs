//! Verdicts that a shard remembers, and whether they still hold.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use portcullis_cache::{CacheKey, Keep, Outcome, VerificationCache};
use portcullis_handshake::PeerChain;
use portcullis_identity::Thumbprint;
use portcullis_policy::{DomainId, Generation, Ledger, Snapshot, TrustDomain};
use rustls_pki_types::UnixTime;

use crate::{
    judge::{Judged, Standing, judge},
    plan::CachePlan,
};

/// How long a refusal is remembered at most. It spares the work of refusing the same certificate again, which a client in a loop
/// would ask for many times a second; what is refused for its path alone is told no slower.
const REFUSED_MAX_AGE_S: i64 = 60;

/// What an entry takes beside the chain: what was read out of a leaf of a TPP, and what was found. A gate that remembered 8,000 more of
/// them took 5,504 bytes more for each, of which 1,692 were the chain.
const ENTRY_BYTES: usize = 4096;

/// What each name and each finding takes beside its text, which is in the chain too. A certificate that was made to be odd has hundreds.
const NAME_BYTES: usize = 64;
const FINDING_BYTES: usize = 256;

/// The verdicts that one shard remembers.
#[derive(Debug)]
pub(crate) struct Verifications {
    cache: RefCell<VerificationCache<Remembered>>,
    plan: Cell<CachePlan>,
}

/// A verdict, and what it rested on when it was last held against the rules.
#[derive(Debug)]
struct Remembered {
    judged: Rc<Judged>,
    /// Since when the rules are as they were.
    since: Cell<Generation>,
    /// The ledger in which the status was last looked up.
    edition: Cell<u64>,
    basis: Basis,
}

/// What a verdict rests on that may change while the configuration does not: the anchors that bear on the chain, and those that
/// are only observed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Basis([Option<[u8; 32]>; 2]);

/// A verdict that holds at present.
#[derive(Debug)]
pub(crate) struct Verified {
    pub(crate) judged: Rc<Judged>,
    /// How to remember it; `None` for one that is remembered.
    new: Option<(CacheKey, Remembered)>,
}

impl Verified {
    /// Whether it was remembered.
    pub(crate) const fn is_remembered(&self) -> bool {
        self.new.is_none()
    }
}

impl Verifications {
    pub(crate) fn new(plan: CachePlan) -> Self {
        Self { cache: RefCell::new(VerificationCache::new(plan.capacity)), plan: Cell::new(plan) }
    }

    /// Takes other bounds up. Nothing is remembered across a change of them.
    pub(crate) fn take_up(&self, plan: CachePlan) {
        if self.plan.replace(plan) != plan {
            self.cache.replace(VerificationCache::new(plan.capacity));
        }
    }

    /// How many verdicts are remembered that admit, and that refuse.
    pub(crate) fn len(&self) -> (usize, usize) {
        self.cache.borrow().len()
    }

    /// The verdict on `chain`, whose leaf has the hash `leaf`: the one that is remembered where it holds, or else a new one.
    pub(crate) fn verify(
        &self,
        (policy, id): (&Snapshot, DomainId),
        ledger: &Ledger,
        (leaf, chain): (Thumbprint, Rc<PeerChain>),
        now: UnixTime,
    ) -> Verified {
        let (domain, since) = policy.domain(id);
        let key = CacheKey { domain: *policy.digest(id).as_bytes(), leaf: *leaf.as_bytes() };
        let seconds = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        if let Some(known) = self.cache.borrow().get(&key, seconds)
            && known.holds((domain, since), ledger, &chain, seconds)
        {
            return Verified { judged: Rc::clone(&known.judged), new: None };
        }
        let (basis, until) = Basis::of(domain, &chain, seconds);
        let judged = Rc::new(judge(domain, ledger, chain, now));
        judged.holds_until.set(until.min(judged.valid_until));
        let remembered = Remembered {
            judged: Rc::clone(&judged),
            since: Cell::new(since),
            edition: Cell::new(ledger.edition),
            basis,
        };
        Verified { judged, new: Some((key, remembered)) }
    }

    /// Remembers a verdict until `now` and its age. The client has proved the key of the certificate, in this handshake or in the
    /// one that it resumes.
    pub(crate) fn remember(&self, verified: Verified, now: i64) -> Rc<Judged> {
        let Verified { judged, new } = verified;
        if let Some((key, remembered)) = new {
            let max_age = i64::try_from(self.plan.get().max_age.as_secs()).unwrap_or(i64::MAX);
            let (outcome, max_age) = match judged.standing {
                Standing::Admitted(_) => (Outcome::Admitted, max_age),
                Standing::Refused { .. } => (Outcome::Refused, max_age.min(REFUSED_MAX_AGE_S)),
            };
            let until = judged.holds_until.get().min(now.saturating_add(max_age));
            let keep = Keep { outcome, from: now, until, bytes: held_bytes(&judged) };
            self.cache.borrow_mut().insert(key, remembered, keep);
        }
        judged
    }
}

/// What a verdict holds, in bytes, or a little more.
fn held_bytes(judged: &Judged) -> usize {
    let chain = judged.chain.as_deref().map_or(0, PeerChain::bytes);
    let found = judged.standing.assessment().map_or(0, |assessment| {
        let identity = &assessment.identity;
        let alternative = identity.subject_alt_name.as_ref();
        let alternative = alternative
            .map_or(0, |names| names.dns.len() + names.ip.len() + names.email.len() + names.uri.len());
        let information = identity.authority_information.as_ref();
        let information = information.map_or(0, |urls| urls.ocsp.len() + urls.ca_issuers.len());
        let names = alternative + information + identity.crl_urls.as_ref().map_or(0, Vec::len);
        names * NAME_BYTES + assessment.findings.len() * FINDING_BYTES
    });
    ENTRY_BYTES + chain + found
}

impl Remembered {
    /// Whether the verdict on `chain`, which has the same leaf, would be the same now. What changes from minute to minute is looked
    /// up, once in each edition of the ledger; where it only serves for longer, or less long, that is noted.
    fn holds(&self, rules: (&TrustDomain, Generation), ledger: &Ledger, chain: &PeerChain, now: i64) -> bool {
        let judged = &self.judged;
        // Another chain may lead elsewhere, or nowhere.
        let is_of_chain =
            judged.chain.as_ref().is_some_and(|known| known.intermediates == chain.intermediates);
        if !is_of_chain || now > judged.holds_until.get() {
            return false;
        }
        let is_looked_up = (self.edition.get(), self.since.get()) == (ledger.edition, rules.1);
        if is_looked_up && now <= judged.status.get().until() {
            return true;
        }
        let status = judged.status_at(rules.0, ledger, now);
        let holds = status.is_like(judged.status.get()) && self.rests_on(rules, chain, now);
        // Not what somebody found who began under older rules.
        if holds && self.since.get() == rules.1 {
            judged.status.set(status);
            self.edition.set(ledger.edition);
        }
        holds
    }

    /// Whether nothing has changed that it rests on. Where lists were refreshed, that is what they say of the CAs of this chain.
    fn rests_on(&self, (domain, since): (&TrustDomain, Generation), chain: &PeerChain, now: i64) -> bool {
        if self.since.get() == since {
            return true;
        }
        let (basis, until) = Basis::of(domain, chain, now);
        let is_same = basis == self.basis;
        // One who began under older rules changes nothing for those under newer ones.
        if is_same && since > self.since.get() {
            self.since.set(since);
            self.judged.holds_until.set(until.min(self.judged.valid_until));
        }
        is_same
    }
}

impl Basis {
    /// With the last second at which it is what it is.
    fn of(domain: &TrustDomain, chain: &PeerChain, now: i64) -> (Self, i64) {
        let auth = &domain.client_auth;
        let bearing = [Some(&auth.anchors), auth.observed.as_ref()]
            .map(|anchors| Some(anchors?.bearing(&chain.leaf, &chain.intermediates, now)));
        let until = bearing.iter().flatten().map(|bearing| bearing.until).min();
        (Self(bearing.map(|bearing| Some(bearing?.anchors))), until.unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
#[path = "verification_tests.rs"]
mod tests;
