//! Arbitrary bytes and certificates with bytes changed never panic, and what is read agrees with x509-parser.
#![allow(clippy::unwrap_used, reason = "clippy knows tests by their attribute, not their helpers")]

#[path = "../src/test_der.rs"]
mod test_der;

use portcullis_identity::{Identity, MAX_CERTIFICATE_BYTES, QcExtension};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// Statements that the fuzz targets start from are those of the tests.
fn qc_statements() -> Vec<u8> {
    test_der::sequence(&[test_der::psd2_statement()])
}

/// What must hold of every input: nothing is half read, and an independent parser agrees on what was read.
fn check(der: &[u8]) {
    let Ok(identity) = Identity::from_der(der) else { return };
    let voided = identity.findings.iter().any(|finding| finding.code.voids_psd2());
    assert!(!(voided && identity.psd2.is_some()));
    let json = serde_json::to_value(&identity).unwrap();
    assert!(json["psd2"].is_null() || json["psd2"]["roles"].is_array());

    // x509-parser is the laxer of the two except in strings, of whose character sets it is the stricter judge.
    let Ok((_, other)) = X509Certificate::from_der(der) else { return };
    assert_eq!(identity.validity.not_before, other.validity().not_before.timestamp());
    assert_eq!(identity.validity.not_after, other.validity().not_after.timestamp());
    if let Some(name) = &identity.subject.common_name {
        let theirs: Vec<_> = other.subject().iter_common_name().collect();
        assert_eq!(theirs.len(), 1);
        assert!(theirs[0].as_str().is_ok_and(|theirs| theirs == name) || theirs[0].as_str().is_err());
    }
}

fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let edits = vec((any::<Index>(), any::<u8>(), 0..3u8), 1..6);
    edits.prop_map(|edits| {
        let mut der = test_der::with_psd2().to_der();
        for (index, byte, kind) in edits {
            let at = index.index(der.len());
            match kind {
                0 => der[at] = byte,
                1 => der.insert(at, byte),
                _ => drop(der.remove(at)),
            }
        }
        der
    })
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..2048)) {
        check(&bytes);
        QcExtension::from_der(&bytes);
    }

    #[test]
    fn changed_certificates_never_panic(der in mutated()) {
        check(&der);
    }

    #[test]
    fn changed_statements_are_whole_or_nothing(at in any::<Index>(), byte in any::<u8>()) {
        let mut der = qc_statements();
        let at = at.index(der.len());
        der[at] = byte;
        let read = QcExtension::from_der(&der);
        // With one statement in the list, no statement read means a finding, unless its identifier was changed.
        prop_assert!(read.psd2.is_some() || !read.findings.is_empty() || (6..=11).contains(&at));
    }

    #[test]
    fn names_survive_in_json_whatever_they_hold(name in "\\PC{0,64}|[\\x00-\\x20]{1,16}") {
        let subject = vec![test_der::rdn("2.5.4.3", &test_der::utf8(&name))];
        let der = test_der::Certificate { subject, ..test_der::with_psd2() }.to_der();
        let identity = Identity::from_der(&der).unwrap();
        prop_assert_eq!(identity.subject.common_name.as_deref(), Some(name.as_str()));
        prop_assert!(!identity.subject.distinguished_name.contains(char::is_control));
        check(&der);
    }
}

/// Nesting as deep as the size allows is refused without descending: the reader has no recursion to exhaust.
#[test]
fn the_deepest_nesting_is_refused() {
    for tag in [0x30, 0x31, 0xa0, 0xa3] {
        let mut nested = Vec::new();
        while nested.len() < MAX_CERTIFICATE_BYTES - 8 {
            nested = test_der::tlv(tag, &nested);
        }
        assert!(Identity::from_der(&nested).is_err());
        QcExtension::from_der(&nested);
        let extensions = vec![test_der::extension("1.3.6.1.5.5.7.1.3", &nested[..60_000])];
        let der = test_der::Certificate { extensions, ..test_der::with_psd2() }.to_der();
        let identity = Identity::from_der(&der).unwrap();
        assert!(identity.psd2.is_none() && !identity.findings.is_empty());
    }
}

/// Writes the inputs that the fuzz targets start from: `cargo test -p portcullis-identity --test hostile --
/// --ignored`.
#[test]
#[ignore = "writes into fuzz/seeds; run when the shape of test certificates changes"]
fn write_fuzz_seeds() {
    let seeds = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds");
    for (target, name, bytes) in [
        ("identity", "psd2.der", test_der::with_psd2().to_der()),
        ("identity", "plain.der", plain().to_der()),
        ("verdict", "psd2.der", test_der::with_psd2().to_der()),
        ("qc_statements", "psd2.der", qc_statements()),
        ("qc_statements", "flattened.der", flattened()),
    ] {
        std::fs::create_dir_all(seeds.join(target)).unwrap();
        std::fs::write(seeds.join(target).join(name), bytes).unwrap();
    }
}

fn plain() -> test_der::Certificate {
    test_der::Certificate { extensions: vec![], ..test_der::with_psd2() }
}

fn flattened() -> Vec<u8> {
    use test_der::{oid, sequence, utf8};
    let roles = sequence(&[oid("0.4.0.19495.1.3"), utf8("PSP_AI"), oid("0.4.0.19495.1.2"), utf8("PSP_PI")]);
    let info = sequence(&[sequence(&[roles]), utf8("Finanssivalvonta"), utf8("FI-FINFSA")]);
    sequence(&[sequence(&[oid("0.4.0.1862.1.1")]), sequence(&[oid("0.4.0.19495.2"), info])])
}
