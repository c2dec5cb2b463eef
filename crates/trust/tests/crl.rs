//! CRLs: which are believed, what they say, and what is wrong with the others.
#![allow(clippy::unwrap_used, reason = "clippy knows tests by their attribute, not their helpers")]

use std::collections::BTreeSet;
use std::io::Read;
use std::time::{SystemTime, UNIX_EPOCH};

use portcullis_identity::{Identity, TbsCertificate};
use portcullis_test_pki::revocation::RevocationList;
use portcullis_test_pki::{Authority, Credential, TppCertificate};
use portcullis_trust::{CertificateStatus, Crl, CrlError, Issuer, RevocationReason};

const BYTES_MAX: u64 = 64 << 20;
const POINT: &str = "http://crl.qtsp.test/1.crl";

struct World {
    qtsp: Authority,
    foreign: Authority,
    tpp: Credential,
    issuer: Issuer,
}

impl World {
    fn new() -> Self {
        let (qtsp, foreign) = (Authority::qtsp().unwrap(), Authority::foreign().unwrap());
        let tpp = TppCertificate::new("Lindenblatt Kontodienst GmbH").issue(&qtsp).unwrap();
        let issuer = Issuer::of_certificate(&TbsCertificate::from_der(qtsp.issuing_der()).unwrap()).unwrap();
        Self { qtsp, foreign, tpp, issuer }
    }

    fn list(&self) -> RevocationList<'_> {
        RevocationList::of(&self.qtsp)
    }

    fn read(&self, list: &RevocationList<'_>) -> Result<Crl, CrlError> {
        self.read_der(&list.der().unwrap())
    }

    fn read_der(&self, der: &[u8]) -> Result<Crl, CrlError> {
        Crl::read(der, &self.issuer, BYTES_MAX)
    }

    fn status(&self, crl: &Crl) -> CertificateStatus {
        crl.status_of(Identity::from_der(self.tpp.leaf_der()).unwrap().serial_number.as_octets())
    }
}

fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

#[test]
fn who_is_on_it_is_revoked_and_nobody_else() {
    let world = World::new();
    let other = TppCertificate::new("Other").issue(&world.qtsp).unwrap();
    let crl = world.read(&world.list().revoked(other.leaf_der(), None)).unwrap();
    assert_eq!((world.status(&crl), crl.len()), (CertificateStatus::Good, 1));
    let crl = world
        .read(&world.list().revoked(other.leaf_der(), None).revoked(world.tpp.leaf_der(), Some(4)))
        .unwrap();
    let CertificateStatus::Revoked(revocation) = world.status(&crl) else { panic!() };
    assert_eq!(revocation.reason, Some(RevocationReason::Superseded));
    assert!((now() - 65..=now() - 59).contains(&revocation.at));
    let empty = world.read(&world.list()).unwrap();
    assert!(empty.is_empty() && world.status(&empty) == CertificateStatus::Good);
}

#[test]
fn a_hundred_thousand_are_found_in_any_order_and_by_any_reader() {
    let world = World::new();
    // A walk over all numbers below a prime, so that they come in no order.
    let numbers: Vec<u32> = (0..100_000_u64).map(|at| u32::try_from(at * 7919 % 100_003).unwrap()).collect();
    let mut list = world.list();
    for number in &numbers {
        list = list.entry(&[&[0x40], &number.to_be_bytes()[..]].concat(), &[]);
    }
    let (der, listed) = (list.der().unwrap(), BTreeSet::from_iter(numbers.iter().copied()));
    /// Gives a few bytes at a time.
    struct Trickle<'a>(&'a [u8]);
    impl Read for Trickle<'_> {
        fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
            let count = out.len().min(self.0.len()).min(1 + self.0.len() % 7);
            out[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }
    for crl in [world.read_der(&der).unwrap(), Crl::read(Trickle(&der), &world.issuer, BYTES_MAX).unwrap()] {
        assert_eq!(crl.len(), numbers.len());
        for number in 0..100_003_u32 {
            let found = crl.status_of(&[&[0x40], &number.to_be_bytes()[..]].concat());
            assert_eq!(found != CertificateStatus::Good, listed.contains(&number), "{number}");
        }
        // Five octets of a serial number, five of a time, one of a reason.
        assert!(crl.memory_bytes() <= numbers.len() * 11 + 4096, "{}", crl.memory_bytes());
    }
    assert!(matches!(Crl::read(&der[..], &world.issuer, 100_000), Err(CrlError::TooLarge { .. })));
}

#[test]
fn each_fault_has_its_code() {
    let world = World::new();
    let null = [5, 0];
    let code = |list: RevocationList<'_>| world.read(&list).map_or_else(|error| error.code(), |_| "believed");
    let reason = |value: u8| {
        // SEQUENCE { OID 2.5.29.21, OCTET STRING { ENUMERATED value } }
        [0x30, 0x0a, 6, 3, 0x55, 0x1d, 21, 4, 3, 0x0a, 1, value]
    };
    let issuer = [0x30, 0x0c, 6, 3, 0x55, 0x1d, 29, 1, 1, 0xff, 4, 2, 0x30, 0];
    let idp = |field: &[u8]| [&[0x30, u8::try_from(field.len()).unwrap()], field].concat();
    for (list, expected) in [
        (world.list(), "believed"),
        (world.list().signed_by(&world.foreign), "crl.signature"),
        (RevocationList::of(&world.foreign), "crl.issuer"),
        (RevocationList::of(&world.foreign).signed_by(&world.qtsp), "crl.issuer"),
        (world.list().times(-60, None), "crl.no-next-update"),
        (world.list().extension("2.5.29.27", true, &[2, 1, 1]), "crl.delta"),
        (world.list().entry(&[1], &reason(8)), "crl.delta"),
        (world.list().entry(&[1], &reason(1)), "believed"),
        (world.list().entry(&[1], &issuer), "crl.indirect"),
        (world.list().extension("2.5.29.28", true, &idp(&[0x84, 1, 0xff])), "crl.indirect"),
        (world.list().extension("2.5.29.28", true, &idp(&[0x83, 2, 0, 0x80])), "crl.some-reasons"),
        (world.list().extension("2.5.29.28", true, &idp(&[0x86, 1, 0])), "crl.malformed"),
        (world.list().extension("1.2.3.4", true, &null), "crl.critical-extension"),
        (world.list().extension("1.2.3.4", false, &null), "believed"),
        (world.list().entry(&[1; 22], &[]), "crl.malformed"),
        (world.list().entry(&[], &[]), "crl.malformed"),
    ] {
        assert_eq!(code(list), expected);
    }
    let mut ca = rcgen::CertificateParams::default();
    ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    ca.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign];
    let ca = ca.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
    let no_signer = Issuer::of_certificate(&TbsCertificate::from_der(ca.der()).unwrap()).unwrap();
    assert_eq!(Crl::read(&[][..], &no_signer, BYTES_MAX).unwrap_err().code(), "crl.signer-usage");
}

#[test]
fn its_time_is_asked_of_it() {
    let world = World::new();
    let at = |from, until| world.read(&world.list().times(from, Some(until))).unwrap().check_time(now());
    assert!(at(-60, 60).is_ok() && at(200, 600).is_ok());
    assert_eq!(at(-60, -1).unwrap_err().code(), "crl.stale");
    assert_eq!(at(600, 1200).unwrap_err().code(), "crl.not-yet");
    let number = |number| world.read(&world.list().number(number)).unwrap();
    assert!(number(2).number() > number(1).number());
}

#[test]
fn a_partition_is_for_its_own_certificates() {
    let world = World::new();
    let (point, other) = ([POINT.to_owned()], ["http://crl.qtsp.test/2.crl".to_owned()]);
    let whole = world.read(&world.list()).unwrap();
    assert!(whole.covers(&point) && whole.covers(&[]));
    let part = world.read(&world.list().for_point(POINT)).unwrap();
    assert!(part.covers(&point) && !part.covers(&other) && !part.covers(&[]));
    // onlyContainsCACerts
    let cas = world.read(&world.list().extension("2.5.29.28", true, &[0x30, 3, 0x82, 1, 0xff])).unwrap();
    assert!(!cas.covers(&point));
}

#[test]
fn nothing_that_was_changed_is_believed() {
    let world = World::new();
    let list = world.list().revoked(world.tpp.leaf_der(), Some(1)).for_point(POINT);
    let good = list.der().unwrap();
    for length in 0..good.len() {
        assert!(world.read_der(&good[..length]).is_err(), "cut at {length}");
    }
    assert!(world.read_der(&[&good[..], &[0]].concat()).is_err());
    for position in 0..good.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut changed = good.clone();
            changed[position] ^= flip;
            assert!(world.read_der(&changed).is_err(), "changed at {position}");
        }
    }
}
