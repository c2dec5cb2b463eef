//! What bears on a verdict: when a list is issued anew, whose remembered verdicts still hold, and until when.
#![allow(clippy::unwrap_used, reason = "clippy knows tests by their attribute, not their helpers")]

use portcullis_test_pki::trusted_list::{ListSigner, State, TrustedList};
use portcullis_test_pki::{Authority, Credential, TppCertificate};
use portcullis_trust::list::SignedList;
use portcullis_trust::{Anchors, Bearing, ListedService};

/// 2026-06-01T00:00:00Z, within the validity of nothing that matters here.
const NOW: i64 = 1_780_272_000;
const DAY: i64 = 24 * 60 * 60;

struct World {
    own: Authority,
    other: Authority,
    credential: Credential,
    signer: ListSigner,
}

impl World {
    fn new() -> Self {
        let own = Authority::qtsp().unwrap();
        let credential = TppCertificate::new("TPP").issue(&own).unwrap();
        let signer = ListSigner::new("Scheme operator", 2020..2030).unwrap();
        Self { own, other: Authority::foreign().unwrap(), credential, signer }
    }

    /// A list that says this of the own CA and that of another's, and serves so many seconds beyond its next update.
    fn anchors(&self, sequence: u64, own: &[State], other: &[State], max_staleness: i64) -> Anchors {
        let list = TrustedList::new("ES", sequence)
            .service(self.own.issuing_der(), own.to_vec())
            .service(self.other.issuing_der(), other.to_vec());
        let signed = list.sign(&self.signer).unwrap();
        let list = SignedList::verify(signed.as_bytes(), &[self.signer.certificate().clone()]).unwrap();
        let (anchors, passed_over) =
            Anchors::from_services(ListedService::all_of(list.into_list(), max_staleness));
        assert!(passed_over.is_empty());
        anchors
    }

    fn bearing(&self, anchors: &Anchors, now: i64) -> Bearing {
        let chain = self.credential.chain();
        anchors.bearing(&chain[0], &chain[1..], now)
    }
}

fn granted() -> [State; 1] {
    [State::for_web("granted", "2018-01-01T00:00:00Z")]
}

fn withdrawn() -> [State; 2] {
    [State::for_web("withdrawn", "2026-05-01T00:00:00Z"), State::for_web("granted", "2018-01-01T00:00:00Z")]
}

#[test]
fn a_list_that_says_the_same_of_a_ca_bears_alike() {
    let world = World::new();
    let before = world.bearing(&world.anchors(1, &granted(), &granted(), 900 * DAY), NOW);
    let with = |sequence, own: &[State], other: &[State]| {
        world.bearing(&world.anchors(sequence, own, other, 900 * DAY), NOW).anchors
    };
    assert_eq!(with(2, &granted(), &granted()), before.anchors);
    assert_eq!(with(2, &granted(), &withdrawn()), before.anchors);
    assert_ne!(with(2, &withdrawn(), &granted()), before.anchors);
    assert_ne!(world.bearing(&Anchors::default(), NOW).anchors, before.anchors);
}

#[test]
fn a_ca_that_the_operator_answers_for_bears_otherwise() {
    let world = World::new();
    let mut anchors = world.anchors(1, &granted(), &granted(), 900 * DAY);
    let before = world.bearing(&anchors, NOW).anchors;
    anchors.extend(Anchors::from_pem(world.other.issuing_pem().as_bytes()).unwrap());
    assert_eq!(world.bearing(&anchors, NOW).anchors, before);
    anchors.extend(Anchors::from_pem(world.own.issuing_pem().as_bytes()).unwrap());
    assert_ne!(world.bearing(&anchors, NOW).anchors, before);
}

#[test]
fn a_list_that_is_over_bears_otherwise() {
    let world = World::new();
    let served = |max_staleness| world.anchors(1, &granted(), &granted(), max_staleness);
    let list_ends = |anchors: &Anchors| {
        anchors.iter().flat_map(|anchor| &anchor.services).find_map(|listed| listed.serves_until).unwrap()
    };
    let (short, long) = (served(0), served(DAY));
    let end = list_ends(&short);
    let (before, after) = (world.bearing(&short, end), world.bearing(&short, end + 1));
    assert_ne!(before.anchors, after.anchors);
    assert!(before.until <= end);
    // For how long it serves is not what it says.
    assert_eq!(world.bearing(&long, end).anchors, before.anchors);
    assert_ne!(world.bearing(&long, end + 1).anchors, after.anchors);
}

#[test]
fn time_may_change_it_when_a_validity_or_a_state_begins_or_ends() {
    let world = World::new();
    let from = |since: &'static str| [State::for_web("withdrawn", since), granted()[0].clone()];
    let announced = world.anchors(1, &from("2026-06-03T00:00:00Z"), &from("2026-06-02T00:00:00Z"), 900 * DAY);
    let validity = portcullis_identity::Validity::of_certificate(&world.credential.chain()[0]).unwrap();
    let begins = validity.not_before - 1;
    let expected = if begins >= NOW { begins.min(NOW + 2 * DAY - 1) } else { NOW + 2 * DAY - 1 };
    // What is said of another CA does not count.
    assert_eq!(world.bearing(&announced, NOW).until, expected);
    let quiet = world.anchors(1, &granted(), &granted(), 9000 * DAY);
    let ends = world.bearing(&quiet, validity.not_before).until;
    assert!(ends <= validity.not_after && ends > validity.not_before, "{ends}");
    assert_eq!(world.bearing(&quiet, validity.not_before - 1).until, validity.not_before - 1);
}
