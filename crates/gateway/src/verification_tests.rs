//! What is remembered, held against a model that never remembers: in a world where everything changes, the verdicts agree always.

#[path = "verification_tests/tickets.rs"]
mod tickets;

use std::{iter, sync::Arc};

use portcullis_policy::{
    AccountServicing, ClientAuth, ContentRule, HostName, KnownRegister, Lists, Mode, Profile, Refusals,
    RegisterRules, RevocationRules, RouteTable, Rules, Severity, resolve_authority,
};
use portcullis_test_pki::{Authority, Role, Subject, TppCertificate, Validity};
use portcullis_trust::{
    Anchors, CertificateStatus, Followed, ListedService, RegisterBuilder, Revocation, StatusAnswer,
    TableForm,
    list::{Service, ServiceState, ServiceStatus, Usages},
};
use rustls_pki_types::CertificateDer;

use super::*;
use crate::judge::Status;

const HOUR: i64 = 60 * 60;
const DAY: i64 = 24 * HOUR;

/// A linear congruential generator (Knuth's MMIX), so that a failure can be had again by its seed.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }

    fn one_in(&mut self, of: usize) -> bool {
        self.below(of) == 0
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

/// Everything that a verdict may rest on, and may be changed.
struct World {
    random: Random,
    now: i64,
    authorities: Vec<Authority>,
    chains: Vec<PeerChain>,
    /// Whose services are granted, since when at present, and how long the list serves.
    granted: Vec<(bool, i64)>,
    serves_until: i64,
    policy: Snapshot,
    strict: bool,
    ledger: Ledger,
}

impl World {
    fn new(seed: u64) -> Self {
        let authority = |name: &str| Authority::named(&Subject::new(name)).unwrap();
        let authorities: Vec<_> =
            ["Albatros Vertrauen AG", "Bussard Vertrauen AG", "Condor Vertrauen AG"].map(authority).into();
        let mut chains = Vec::new();
        for authority in &authorities {
            for number in 0..6 {
                let ends = [2 * DAY, 20 * DAY, 300 * DAY][number % 3];
                let certificate = TppCertificate::new("Lindenblatt Kontodienst GmbH")
                    .roles([if number < 3 { Role::PspAi } else { Role::PspPi }])
                    .organization_identifier(&format!("PSDDE-BAFIN-{number}"))
                    .validity(Validity::around_now(if number == 5 { 5 * HOUR } else { -DAY }, ends));
                let chain = certificate.issue(authority).unwrap().chain();
                chains.push(PeerChain { leaf: chain[0].clone(), intermediates: chain[1..].to_vec() });
            }
        }
        let mut world = Self {
            random: Random(seed),
            now: time::OffsetDateTime::now_utc().unix_timestamp(),
            granted: vec![(true, 0); authorities.len()],
            authorities,
            chains,
            serves_until: 0,
            policy: Snapshot::default(),
            strict: false,
            ledger: Ledger::default(),
        };
        world.serves_until = world.now + 10 * DAY;
        world.configure();
        world.refresh_lists();
        world
    }

    /// Two domains: one believes lists, asks about revocation and the register, the other believes one authority.
    fn configure(&mut self) {
        let by_hand = Anchors::from_pem(self.authorities[0].root_pem().as_bytes()).unwrap();
        let mut rules = Rules::of(Profile::Psd2);
        if self.strict {
            rules.severities.set(ContentRule::RevocationUnknown.into(), Severity::Deny);
        } else {
            rules.severities.set(ContentRule::RevocationUnknown.into(), Severity::Warn);
        }
        let auth = |by_hand, lists| {
            ClientAuth::new(Mode::Required, rules, Refusals::Handshake, Arc::new(by_hand), lists)
        };
        let register = RegisterRules {
            is_enforced: true,
            country: None,
            account_servicing: AccountServicing::Certificate,
        };
        let listed = ClientAuth {
            revocation: Some(RevocationRules::default()),
            register: Some(register),
            ..auth(Anchors::default(), Lists::Enforced)
        };
        let domain = |name: &str, client_auth| TrustDomain {
            name: format!("tpp/{name}"),
            hosts: vec![HostName::new(name)],
            client_auth,
        };
        let domains =
            vec![domain("listed.example", listed), domain("by-hand.example", auth(by_hand, Lists::Observed))];
        self.policy = Snapshot::after(&self.policy, domains, RouteTable::default());
    }

    fn refresh_lists(&mut self) {
        let services =
            self.authorities.iter().zip(&self.granted).enumerate().map(|(index, (authority, granted))| {
                let state = |since, status| ServiceState {
                    since,
                    is_ca_qc: true,
                    status,
                    usages: Usages { web: true, ..Usages::default() },
                    qualifications: Vec::new(),
                };
                let (is_granted, since) = *granted;
                let present = if is_granted { ServiceStatus::Granted } else { ServiceStatus::Withdrawn };
                // The last names its issuing CA, of which no intermediate is needed.
                let named = if index == 2 { authority.issuing_der() } else { authority.root_der() };
                Arc::new(ListedService {
                    service: Service {
                        provider: "Provider".to_owned(),
                        name: "CA".to_owned(),
                        certificates: vec![named.clone()],
                        states: vec![state(since, present), state(0, ServiceStatus::Granted)],
                    },
                    territory: "DE".to_owned(),
                    sequence: 1,
                    serves_until: Some(self.serves_until),
                })
            });
        let (anchors, passed_over) = Anchors::from_services(services.collect::<Vec<_>>());
        assert!(passed_over.is_empty());
        self.policy = self.policy.with_lists(Some(&Arc::new(anchors)));
    }

    fn rewrite_register(&mut self) {
        let mut table = "authority,number,authorised,withdrawn,roles,countries\n".to_owned();
        for number in 0..6 {
            match self.random.below(4) {
                0 => {}
                1 => table += &format!("DE-BAFIN,{number},2018-07-02,2020-01-01,PSP_AI PSP_PI,\n"),
                _ => table += &format!("DE-BAFIN,{number},2018-07-02,,PSP_AI,\n"),
            }
        }
        table += "DE-BAFIN,99,2018-07-02,,PSP_AI,\n";
        let until = self.now + (1 + i64::try_from(self.random.below(5)).unwrap()) * DAY;
        self.take_register(&table, until);
    }

    fn take_register(&mut self, table: &str, until: i64) {
        let mut builder = RegisterBuilder::new(resolve_authority);
        builder.read_table(table.as_bytes(), TableForm::Csv, 1 << 20).unwrap();
        self.ledger.register = Some(KnownRegister { register: Arc::new(builder.build()), until });
        self.ledger.edition += 1;
    }

    fn answer(&mut self) {
        let leaf = Thumbprint::of(&self.random.pick(&self.chains).leaf);
        let status = match self.random.below(6) {
            0 => CertificateStatus::Revoked(Revocation { at: self.now, reason: None }),
            _ => CertificateStatus::Good,
        };
        let next_update = self.now + (1 + i64::try_from(self.random.below(30)).unwrap()) * HOUR;
        let is_known = !self.random.one_in(5);
        self.follow(leaf, is_known.then_some((status, next_update)));
    }

    /// Something is said of a certificate until a time, or nothing.
    fn follow(&mut self, leaf: Thumbprint, said: Option<(CertificateStatus, i64)>) {
        let this_update = self.now;
        let answer = said.map(|(status, next_update)| StatusAnswer { status, this_update, next_update });
        self.ledger.status.follow(leaf, Followed { answer, remind_at: i64::MAX });
        self.ledger.edition += 1;
    }

    /// Something happens.
    fn turn(&mut self) {
        match self.random.below(160) {
            0..2 => {
                let index = self.random.below(self.granted.len());
                // Now, or announced for later.
                let since = self.now + [-HOUR, 0, 3 * HOUR][self.random.below(3)];
                self.granted[index] = (!self.granted[index].0, since);
                self.refresh_lists();
            }
            2 => {
                self.serves_until =
                    self.now + [-HOUR, HOUR, DAY, 10 * DAY, 20 * DAY, 20 * DAY][self.random.below(6)];
                self.refresh_lists();
            }
            3..8 => self.refresh_lists(),
            8 => {
                self.strict = !self.strict;
                self.configure();
                self.refresh_lists();
            }
            9 => self.rewrite_register(),
            10..24 => self.answer(),
            24..60 => self.now += i64::try_from(self.random.below(600)).unwrap(),
            60..62 => self.now += i64::try_from(self.random.below(8)).unwrap() * HOUR,
            _ => {}
        }
    }

    /// What a client may present: its chain, without or with too many intermediates, in any order, or those of another.
    fn presented(&mut self) -> PeerChain {
        let PeerChain { leaf, mut intermediates } = self.random.pick(&self.chains).clone();
        let other = self.random.pick(&self.authorities).issuing_der().clone();
        match self.random.below(24) {
            0 => intermediates.clear(),
            1 => intermediates.push(other),
            2 => intermediates.insert(0, other),
            3 => intermediates = vec![other],
            4 => intermediates.extend(iter::repeat_n(CertificateDer::from(vec![0x30, 0x00]), 2)),
            _ => {}
        }
        PeerChain { leaf, intermediates }
    }
}

/// What must agree.
fn said(judged: &Judged) -> (&'static str, Vec<&'static str>, Option<String>, Status, bool) {
    let assessment = judged.standing.assessment();
    let codes = assessment.map(|assessment| assessment.codes().collect()).unwrap_or_default();
    let roles = assessment.map(|assessment| format!("{:?}", assessment.roles));
    (judged.standing.result(), codes, roles, judged.status.get(), judged.would_be_refused.is_some())
}

#[test]
fn what_is_remembered_is_what_would_be_said_anew() {
    let (mut hits, mut admitted) = (0, 0);
    for seed in 0..3 {
        let mut world = World::new(seed);
        // Fewer than there are certificates and domains, so that some are forgotten.
        let plan = CachePlan { capacity: 30, max_age: std::time::Duration::from_secs(6 * 3600) };
        let verifications = Verifications::new(plan);
        for turn in 0..1000 {
            world.turn();
            let chain = Rc::new(world.presented());
            let ids: Vec<_> = world.policy.domains().map(|(id, _)| id).collect();
            let id = *world.random.pick(&ids);
            let now =
                UnixTime::since_unix_epoch(std::time::Duration::from_secs(u64::try_from(world.now).unwrap()));
            let leaf = Thumbprint::of(&chain.leaf);
            let verified =
                verifications.verify((&world.policy, id), &world.ledger, (leaf, Rc::clone(&chain)), now);
            hits += u32::from(verified.is_remembered());
            let (domain, _) = world.policy.domain(id);
            let anew = judge(domain, &world.ledger, chain, now);
            assert_eq!(said(&verified.judged), said(&anew), "seed {seed}, turn {turn}");
            admitted += u32::from(matches!(anew.standing, Standing::Admitted(_)));
            // A session that was offered and not resumed leaves nothing behind.
            if !world.random.one_in(10) {
                verifications.remember(verified, world.now);
            }
        }
    }
    // Most of what happens makes a verdict another.
    assert!(hits > 150 && admitted > 300, "{hits} hits, {admitted} admitted");
}

#[test]
fn an_answer_that_says_the_same_again_costs_no_verdict() {
    let mut world = World::new(0);
    let (listed, _) = world.policy.domains().next().unwrap();
    let chain = Rc::new(world.chains[1].clone());
    let leaf = Thumbprint::of(&chain.leaf);
    world.strict = true;
    world.configure();
    world.refresh_lists();
    let table = "authority,number,authorised,withdrawn,roles,countries\nDE-BAFIN,1,2018-07-02,,PSP_AI,\n";
    world.take_register(table, i64::MAX);
    let verifications =
        Verifications::new(CachePlan { capacity: 30, max_age: std::time::Duration::from_secs(6 * 3600) });
    let good_until = |world: &mut World, until| world.follow(leaf, Some((CertificateStatus::Good, until)));
    let verify = |world: &World, at: i64| {
        let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(u64::try_from(at).unwrap()));
        verifications.verify((&world.policy, listed), &world.ledger, (leaf, Rc::clone(&chain)), now)
    };
    let start = world.now;

    good_until(&mut world, start + HOUR);
    let first = verifications.remember(verify(&world, start), start);
    assert!(matches!(first.standing, Standing::Admitted(_)), "{:?}", first.standing);

    // Renewed: the verdict stands, and for as long as the new answer says.
    good_until(&mut world, start + 2 * HOUR);
    let again = verify(&world, start + 1);
    assert!(again.is_remembered());
    assert_eq!(again.judged.status.get().until(), start + 2 * HOUR);

    // Nothing came in time.
    let late = verify(&world, start + 2 * HOUR + 1);
    assert!(!late.is_remembered());
    assert_eq!(late.judged.standing.result(), "revocation.unknown");
}
