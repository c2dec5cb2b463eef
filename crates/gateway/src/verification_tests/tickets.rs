//! Session tickets, held against a model that makes none: it has written down what each says, and judges whoever shows one anew.

use std::{collections::BTreeMap, time::Duration};

use portcullis_handshake::{DomainKeys, KeyRing, Origin, TicketRefusal, Tickets};
use portcullis_policy::{DomainDigest, DomainId};

use super::*;
use crate::judge::passage;

const MAX_AGE: Duration = Duration::from_secs(6 * 3600);
/// Tickets that clients keep; one more takes the place of any.
const KEPT_MAX: usize = 40;

/// A ticket, and what it says.
struct Kept {
    ticket: Vec<u8>,
    domain: DomainDigest,
    chain: Rc<PeerChain>,
    proved_at: i64,
    sealed_by: Generation,
}

/// Which ring it is, and how often it was rotated.
#[derive(Clone, Copy)]
struct Generation {
    ring: u32,
    rotations: u32,
}

/// A gate with its keys, its clients with their tickets, and the world in which both are.
struct Scene {
    world: World,
    verifications: Verifications,
    ring: KeyRing,
    generation: Generation,
    kept: Vec<Kept>,
    /// How often a ticket was taken, and how often not and why.
    outcomes: BTreeMap<&'static str, u32>,
}

/// A session as rustls writes one, as far as it matters: the chain is in it as it was on the wire.
fn session(chain: &PeerChain) -> Vec<u8> {
    let vector =
        |content: &[u8]| [&u32::try_from(content.len()).unwrap().to_be_bytes()[1..], content].concat();
    let certificates = iter::once(&chain.leaf).chain(&chain.intermediates);
    let certificates: Vec<u8> = certificates.flat_map(|certificate| vector(certificate)).collect();
    [b"before", &vector(&certificates)[..], b"behind"].concat()
}

impl Scene {
    fn new(seed: u64) -> Self {
        let plan = CachePlan { capacity: 30, max_age: MAX_AGE };
        Self {
            world: World::new(seed),
            verifications: Verifications::new(plan),
            ring: KeyRing::random().unwrap(),
            generation: Generation { ring: 0, rotations: 0 },
            kept: Vec::new(),
            outcomes: BTreeMap::new(),
        }
    }

    fn turn(&mut self) {
        self.world.turn();
        match self.world.random.below(300) {
            0..2 => {
                self.ring = self.ring.rotated().unwrap();
                self.generation.rotations += 1;
            }
            // As a restart has it.
            2 => {
                self.ring = KeyRing::random().unwrap();
                self.generation = Generation { ring: self.generation.ring + 1, rotations: 0 };
            }
            3..9 => self.revoke_a_holder(),
            _ => {}
        }
    }

    /// Somebody who has a ticket is revoked. The world's next answer may say otherwise.
    fn revoke_a_holder(&mut self) {
        if self.kept.is_empty() {
            return;
        }
        let leaf = Thumbprint::of(&self.world.random.pick(&self.kept).chain.leaf);
        let revoked = CertificateStatus::Revoked(Revocation { at: self.world.now, reason: None });
        self.world.follow(leaf, Some((revoked, self.world.now + HOUR)));
    }

    fn now(&self) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(self.world.now).unwrap()))
    }

    fn domain(&mut self) -> DomainId {
        let ids: Vec<_> = self.world.policy.domains().map(|(id, _)| id).collect();
        *self.world.random.pick(&ids)
    }

    fn keys(&self, domain: DomainId) -> DomainKeys {
        let domain = *self.world.policy.digest(domain).as_bytes();
        Tickets { ring: &self.ring, domain, max_age: MAX_AGE }.keys()
    }

    /// The verdict of whoever remembers nothing.
    fn anew(&self, domain: DomainId, chain: &Rc<PeerChain>) -> Judged {
        judge(self.world.policy.domain(domain).0, &self.world.ledger, Rc::clone(chain), self.now())
    }

    /// A client proves a key, and is given a ticket if it may pass.
    fn prove(&mut self) {
        let (domain, chain) = (self.domain(), Rc::new(self.world.presented()));
        let leaf = Thumbprint::of(&chain.leaf);
        let presented = (leaf, Rc::clone(&chain));
        let (policy, ledger) = (&self.world.policy, &self.world.ledger);
        let verified = self.verifications.verify((policy, domain), ledger, presented, self.now());
        let judged = self.verifications.remember(verified, self.world.now);
        if matches!(judged.standing, Standing::Admitted(_)) {
            let proved_at = u64::try_from(self.world.now).unwrap();
            self.seal(domain, Origin { leaf: *leaf.as_bytes(), proved_at }, chain);
        }
    }

    fn seal(&mut self, domain: DomainId, origin: Origin, chain: Rc<PeerChain>) {
        let ticket = self.keys(domain).seal(origin, &chain, &session(&chain)).unwrap();
        let kept = Kept {
            ticket,
            domain: self.world.policy.digest(domain),
            chain,
            proved_at: i64::try_from(origin.proved_at).unwrap(),
            sealed_by: self.generation,
        };
        if self.kept.len() == KEPT_MAX {
            let place = self.world.random.below(KEPT_MAX);
            self.kept.swap_remove(place);
        }
        self.kept.push(kept);
    }

    /// What must become of a ticket in this domain.
    fn expected(&self, kept: &Kept, domain: DomainId, anew: &Judged) -> Result<(), TicketRefusal> {
        let (made, now) = (kept.sealed_by, self.generation);
        if made.ring != now.ring || now.rotations - made.rotations > 1 {
            Err(TicketRefusal::KeyUnknown)
        } else if kept.domain != self.world.policy.digest(domain) {
            Err(TicketRefusal::OtherDomain)
        } else if self.world.now - kept.proved_at >= i64::try_from(MAX_AGE.as_secs()).unwrap() {
            Err(TicketRefusal::TooOld)
        } else if matches!(anew.standing, Standing::Admitted(_)) {
            Ok(())
        } else {
            Err(TicketRefusal::Refused)
        }
    }

    /// A client shows a ticket, here or where it is not meant for. If it is taken, the client may be given the next.
    fn show(&mut self) {
        if self.kept.is_empty() {
            return;
        }
        let place = self.world.random.below(self.kept.len());
        let is_meant = |id: &DomainId| self.world.policy.digest(*id) == self.kept[place].domain;
        let meant = self.world.policy.domains().map(|(id, _)| id).find(is_meant);
        let elsewhere = self.domain();
        let (domain, now) = (meant.filter(|_| !self.world.random.one_in(4)).unwrap_or(elsewhere), self.now());
        let kept = &self.kept[place];
        let mut verified = None;
        let judge = |leaf: &[u8; 32], chain: PeerChain| {
            let leaf = Thumbprint::from(*leaf);
            let (policy, ledger) = (&self.world.policy, &self.world.ledger);
            let found = self.verifications.verify((policy, domain), ledger, (leaf, Rc::new(chain)), now);
            let passage = passage(&found.judged, leaf);
            verified = Some(found);
            passage
        };
        let taken = self.keys(domain).take(&kept.ticket, now, judge);
        let anew = self.anew(domain, &kept.chain);
        let expected = self.expected(kept, domain, &anew);
        assert_eq!(taken.as_ref().map(|_| ()).map_err(|refusal| *refusal), expected);
        *self.outcomes.entry(expected.map_or_else(TicketRefusal::as_str, |()| "opened")).or_default() += 1;
        if let Some(verified) = &verified {
            assert_eq!(said(&verified.judged), said(&anew));
        }
        if matches!(expected, Err(TicketRefusal::KeyUnknown | TicketRefusal::TooOld)) {
            // It is of no use any more.
            self.kept.swap_remove(place);
            return;
        }
        let Ok(taken) = taken else { return };
        let origin = Origin {
            leaf: *Thumbprint::of(&kept.chain.leaf).as_bytes(),
            proved_at: u64::try_from(kept.proved_at).unwrap(),
        };
        assert_eq!((taken.origin, &*taken.chain), (origin, &*kept.chain));
        if !self.world.random.one_in(4) {
            self.verifications.remember(verified.unwrap(), self.world.now);
            self.seal(domain, taken.origin, taken.chain);
        }
    }

    /// Somebody alters a ticket. Nobody is judged for it.
    fn forge(&mut self) {
        let Some(kept) = self.kept.last() else { return };
        let mut ticket = kept.ticket.clone();
        let bit = self.world.random.below(8 * ticket.len());
        ticket[bit / 8] ^= 1 << (bit % 8);
        let domain = self.domain();
        let taken = self.keys(domain).take(&ticket, self.now(), |_, _| unreachable!("it does not open"));
        assert!(taken.is_err(), "bit {bit}");
    }
}

#[test]
fn a_ticket_opens_where_its_client_would_be_let_in_anew() {
    let mut outcomes = BTreeMap::<_, u32>::new();
    for seed in 0..3 {
        let mut scene = Scene::new(seed);
        for _ in 0..1500 {
            scene.turn();
            match scene.world.random.below(8) {
                0..3 => scene.prove(),
                3 => scene.forge(),
                _ => scene.show(),
            }
        }
        for (outcome, count) in scene.outcomes {
            *outcomes.entry(outcome).or_default() += count;
        }
    }
    for outcome in ["opened", "key_unknown", "other_domain", "too_old", "refused"] {
        assert!(outcomes.get(outcome).is_some_and(|count| *count > 20), "{outcome}: {outcomes:?}");
    }
}
