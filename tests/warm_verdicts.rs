//! A verdict that is remembered is the one that would be found anew. A client may present its certificate with whatever chain it
//! likes, and what becomes of it does not depend on who came before: neither is it let in without an intermediate because the gate
//! has seen it with one, nor refused with a good chain because it came with a bad one first.

use portcullis_test_harness::{Configuration, Gate, Outcome, Refusal, Site, Version, WireClient};
use portcullis_test_pki::{Authority, Credential, Role, TppCertificate};
use rustls_pki_types::CertificateDer;

const PORTCULLIS: &str = env!("CARGO_BIN_EXE_portcullis");

const FULL: Outcome = Outcome::Full(200);

type Chain = Vec<CertificateDer<'static>>;

struct Scene {
    site: Site,
    tpp: Credential,
    chains: Vec<(&'static str, Chain)>,
}

impl Scene {
    fn new() -> Self {
        let site = Site::new();
        let tpp = site.tpp(&[Role::PspAi]);
        let namesake = Authority::qtsp().expect("an authority");
        let foreign = Authority::foreign().expect("an authority");
        let neighbour = site.issue(TppCertificate::new("Hafenkontor Handels GmbH"));
        let own = [tpp.leaf_der(), site.qtsp.issuing_der(), site.qtsp.root_der()].map(Clone::clone);
        let [leaf, issuing, root] = own;
        let other = foreign.issuing_der().clone();
        let of = |certificates: &[&CertificateDer<'static>]| {
            certificates.iter().map(|certificate| (*certificate).clone()).collect::<Chain>()
        };
        let chains = vec![
            ("as it should be", of(&[&leaf, &issuing])),
            ("with the root", of(&[&leaf, &issuing, &root])),
            ("no intermediate", of(&[&leaf])),
            ("the root alone", of(&[&leaf, &root])),
            ("reordered", of(&[&leaf, &root, &issuing])),
            ("twice", of(&[&leaf, &issuing, &issuing])),
            ("another's intermediate", of(&[&leaf, &other])),
            ("another's first", of(&[&leaf, &other, &issuing])),
            ("another's behind", of(&[&leaf, &issuing, &other])),
            ("of the same name and another key", of(&[&leaf, namesake.issuing_der()])),
            ("that one and the right one", of(&[&leaf, namesake.issuing_der(), &issuing])),
            ("a neighbour's leaf in its midst", of(&[&leaf, neighbour.leaf_der(), &issuing])),
            ("a byte that is no certificate", vec![leaf, CertificateDer::from(vec![0])]),
        ];
        Self { site, tpp, chains }
    }

    fn gate(&self) -> Gate {
        Gate::start(PORTCULLIS, &self.site, &Configuration::psd2())
    }

    /// What becomes of a chain: the alert, or let in.
    fn verdict(&self, gate: &Gate, chain: &Chain, version: Version) -> Option<Refusal> {
        let client = WireClient::new(version).credential(&self.tpp).chain(chain);
        match client.outcome(gate.address("tpp")) {
            FULL => None,
            Outcome::Refused(_) => Some(client.refusal(gate.address("tpp"))),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn each_chain_fares_the_same_whatever_came_before() {
    let scene = Scene::new();
    let cold: Vec<_> = scene
        .chains
        .iter()
        // A gate that has seen nothing, for each chain and version.
        .map(|(_, chain)| Version::BOTH.map(|version| scene.verdict(&scene.gate(), chain, version)))
        .collect();
    assert_eq!(cold[0], [None, None], "the good chain is let in");
    assert!(cold[2].iter().all(Option::is_some), "and the leaf alone is not");
    let warm = scene.gate();
    for (before, earlier) in &scene.chains {
        for ((name, chain), cold) in scene.chains.iter().zip(&cold) {
            for (version, cold) in Version::BOTH.into_iter().zip(cold) {
                let _ = scene.verdict(&warm, earlier, version);
                let found = scene.verdict(&warm, chain, version);
                assert_eq!(&found, cold, "{name}, behind {before}, {version:?}");
            }
        }
    }
}

/// A ticket keeps the chain that it was given for, whatever its holder would present.
#[test]
fn a_ticket_stands_for_the_chain_that_was_presented() {
    let scene = Scene::new();
    let gate = scene.gate();
    let address = gate.address("tpp");
    let [(_, good), .., (_, bare)] = &scene.chains[..3] else { panic!("three chains") };
    for version in Version::BOTH {
        let client = WireClient::new(version).credential(&scene.tpp);
        let session = client.clone().chain(good).session(address);
        let with_bare = client.clone().chain(bare);
        assert_eq!(with_bare.showing(&session).outcome(address), Outcome::Resumed(200), "{version:?}");
        assert!(matches!(with_bare.outcome(address), Outcome::Refused(_)), "{version:?}");
        assert_eq!(with_bare.showing(&session).outcome(address), Outcome::Resumed(200), "{version:?}");
    }
}
