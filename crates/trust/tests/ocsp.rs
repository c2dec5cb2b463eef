//! Answers of OCSP responders: which are believed, and what is wrong with the others.
#![allow(clippy::unwrap_used, reason = "clippy knows tests by their attribute, not their helpers")]

use std::time::{SystemTime, UNIX_EPOCH};

use portcullis_identity::{Identity, TbsCertificate};
use portcullis_test_pki::revocation::{OcspAnswer, OcspResponder};
use portcullis_test_pki::{Authority, Credential, TppCertificate};
use portcullis_trust::{
    CertIdHash, CertificateStatus, Issuer, OCSP_RESPONSE_BYTES_MAX, OcspError, OcspQuestion,
    RevocationReason, StatusAnswer,
};

struct World {
    qtsp: Authority,
    foreign: Authority,
    tpp: Credential,
    issuer: Issuer,
    serial_number: Vec<u8>,
}

impl World {
    fn new() -> Self {
        let (qtsp, foreign) = (Authority::qtsp().unwrap(), Authority::foreign().unwrap());
        let tpp = TppCertificate::new("Lindenblatt Kontodienst GmbH").issue(&qtsp).unwrap();
        let issuer = Issuer::of_certificate(&TbsCertificate::from_der(qtsp.issuing_der()).unwrap()).unwrap();
        let serial_number = Identity::from_der(tpp.leaf_der()).unwrap().serial_number.as_octets().to_vec();
        Self { qtsp, foreign, tpp, issuer, serial_number }
    }

    fn answer(&self) -> OcspAnswer<'_> {
        OcspAnswer::about(self.tpp.leaf_der(), &self.qtsp)
    }

    fn question(&self) -> OcspQuestion<'_> {
        OcspQuestion { issuer: &self.issuer, serial: &self.serial_number }
    }

    fn read(&self, response: &[u8]) -> Result<StatusAnswer, OcspError> {
        self.question().read(response, None, now(), &|_| false)
    }

    fn status(&self, answer: &OcspAnswer<'_>) -> CertificateStatus {
        self.read(&answer.der().unwrap()).unwrap().status
    }

    fn code(&self, answer: &OcspAnswer<'_>) -> &'static str {
        self.read(&answer.der().unwrap()).map_or_else(|error| error.code(), |_| "believed")
    }
}

fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

#[test]
fn the_ca_and_who_has_its_leave_are_believed() {
    let world = World::new();
    let responder = OcspResponder::of(&world.qtsp).unwrap();
    for answer in [
        world.answer(),
        world.answer().by_key(),
        world.answer().sha256(),
        world.answer().by(&responder),
        world.answer().by(&responder).by_key().sha256(),
        world.answer().times(-60, None),
        world.answer().times(240, Some(3600)),
    ] {
        assert_eq!(world.status(&answer), CertificateStatus::Good, "{answer:?}");
    }
    let CertificateStatus::Revoked(revocation) = world.status(&world.answer().revoked()) else { panic!() };
    assert_eq!(revocation.reason, Some(RevocationReason::KeyCompromise));
    assert!((now() - 65..=now() - 59).contains(&revocation.at));
}

#[test]
fn an_answer_without_end_serves_for_an_hour() {
    let world = World::new();
    let answer = world.read(&world.answer().times(-60, None).der().unwrap()).unwrap();
    assert_eq!(answer.next_update - answer.this_update, 3600);
    assert_eq!(world.code(&world.answer().times(-3700, None)), "ocsp.stale");
}

#[test]
fn each_lie_has_its_code() {
    let world = World::new();
    let responder = OcspResponder::of(&world.foreign).unwrap();
    let (expired, other_use, unchecked) = (
        OcspResponder::expired(&world.qtsp).unwrap(),
        OcspResponder::without_right(&world.qtsp).unwrap(),
        OcspResponder::without_nocheck(&world.qtsp).unwrap(),
    );
    let other = TppCertificate::new("Other").issue(&world.qtsp).unwrap();
    for (answer, code) in [
        (world.answer().unknown(), "ocsp.unknown"),
        (OcspAnswer::about(other.leaf_der(), &world.qtsp), "ocsp.other-certificate"),
        (world.answer().serial_number(&[1]), "ocsp.other-certificate"),
        (
            OcspAnswer::about(world.tpp.leaf_der(), &world.foreign).by_authority(&world.qtsp),
            "ocsp.other-certificate",
        ),
        (OcspAnswer::about(world.tpp.leaf_der(), &world.foreign), "ocsp.signer"),
        (world.answer().by_authority(&world.foreign), "ocsp.signer"),
        (world.answer().by(&responder), "ocsp.responder"),
        (world.answer().by(&expired), "ocsp.responder"),
        (world.answer().by(&other_use), "ocsp.responder"),
        (world.answer().by(&unchecked), "ocsp.responder-unchecked"),
        (world.answer().times(-3600, Some(-1)), "ocsp.stale"),
        (world.answer().times(600, Some(3600)), "ocsp.not-yet"),
        (world.answer().times(-60, Some(-120)), "ocsp.malformed"),
        (world.answer().nonce(b"12345678"), "ocsp.nonce"),
    ] {
        assert_eq!(world.code(&answer), code, "{answer:?}");
    }
}

#[test]
fn a_responder_may_be_checked_and_a_nonce_given_back() {
    let world = World::new();
    let unchecked = OcspResponder::without_nocheck(&world.qtsp).unwrap();
    let response = world.answer().by(&unchecked).der().unwrap();
    assert!(world.question().read(&response, None, now(), &|_| true).is_ok());
    let response = world.answer().nonce(b"12345678").der().unwrap();
    let read = |nonce: &[u8]| world.question().read(&response, Some(nonce), now(), &|_| false);
    assert!(read(b"12345678").is_ok());
    assert_eq!(read(b"87654321").unwrap_err().code(), "ocsp.nonce");
    let without = world.answer().der().unwrap();
    assert!(world.question().read(&without, Some(b"12345678"), now(), &|_| false).is_ok());
}

#[test]
fn refusals_of_the_responder_are_told() {
    let world = World::new();
    for (status, name) in [(1, "malformedRequest"), (3, "tryLater"), (6, "unauthorized")] {
        let error = world.read(&[0x30, 3, 0x0a, 1, status]).unwrap_err();
        assert_eq!((error.code(), error), ("ocsp.status", OcspError::Status(name)));
    }
    assert_eq!(world.read(&[0x30, 3, 0x0a, 1, 4]).unwrap_err().code(), "ocsp.malformed");
    assert_eq!(world.read(&[0x30, 3, 0x0a, 1, 0]).unwrap_err().code(), "ocsp.malformed");
    assert_eq!(world.read(&vec![0x30; OCSP_RESPONSE_BYTES_MAX + 1]).unwrap_err().code(), "ocsp.too-large");
}

#[test]
fn nothing_that_was_changed_is_believed() {
    let world = World::new();
    let responder = OcspResponder::of(&world.qtsp).unwrap();
    for good in [world.answer().der().unwrap(), world.answer().by(&responder).der().unwrap()] {
        for length in 0..good.len() {
            assert!(world.read(&good[..length]).is_err(), "cut at {length}");
        }
        assert!(world.read(&[&good[..], &[0]].concat()).is_err());
        for position in 0..good.len() {
            for flip in [0x01, 0x80, 0xff] {
                let mut changed = good.clone();
                changed[position] ^= flip;
                let read = world.read(&changed);
                // Beside the signed part stand certificates whose own signature is looked at, and nothing else that matters.
                assert!(
                    read.as_ref().is_ok_and(|answer| answer.status == CertificateStatus::Good)
                        || read.is_err()
                );
                if let Ok(answer) = read {
                    assert_eq!(answer, world.read(&good).unwrap(), "changed at {position}");
                }
            }
        }
    }
}

#[test]
fn a_request_names_the_certificate() {
    let world = World::new();
    let (sha1, sha256) = (
        world.question().request(CertIdHash::Sha1, None),
        world.question().request(CertIdHash::Sha256, Some(b"12345678")),
    );
    for request in [&sha1, &sha256] {
        assert!(request.windows(world.serial_number.len()).any(|octets| octets == world.serial_number));
    }
    assert!(sha256.windows(8).any(|octets| octets == b"12345678"));
    assert!(sha1.len() < sha256.len());
}
