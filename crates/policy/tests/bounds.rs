//! What a hostile certificate costs to judge: no panic, and memory in proportion to its size.
//!
//! One test, since it counts what the process allocates.
#![allow(clippy::unwrap_used, reason = "clippy knows tests by their attribute, not their helpers")]

#[path = "../../identity/src/test_der.rs"]
mod test_der;

use std::alloc::System;

use portcullis_identity::{Identity, MAX_CERTIFICATE_BYTES};
use portcullis_policy::{Evidence, Profile, Purpose, Rules, decide};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use test_der::{Certificate, extension, oid, rdn, sequence, tlv, utf8};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// What judging may allocate, over all: a name's string form may need four bytes for one, and is grown by doubling;
/// findings, of which there are at most some hundred, take the constant part.
const BYTES_PER_BYTE: usize = 16;
const BYTES_CONSTANT: usize = 64 << 10;

fn judge(der: &[u8]) {
    let region = Region::new(ALLOCATOR);
    for profile in [Profile::Psd2, Profile::Obie, Profile::X509] {
        for purpose in [Purpose::Qwac, Purpose::Qsealc] {
            let rules = Rules { purpose, ..Rules::of(profile) };
            let evidence = Evidence::none(1_790_000_000);
            drop(decide(&rules, Identity::from_der(der), evidence));
        }
    }
    let allocated = region.change().bytes_allocated / 6;
    let bound = der.len() * BYTES_PER_BYTE + BYTES_CONSTANT;
    assert!(allocated <= bound, "{allocated} bytes for {} bytes of certificate", der.len());
}

fn mutated() -> impl Strategy<Value = Vec<u8>> {
    vec((any::<Index>(), any::<u8>(), 0..3u8), 1..8).prop_map(|edits| {
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

/// Certificates as large as they may be, each with one part blown up.
fn largest() -> Vec<Vec<u8>> {
    let room = MAX_CERTIFICATE_BYTES - 2000;
    let with = |extensions: Vec<Vec<u8>>| Certificate { extensions, ..test_der::with_psd2() }.to_der();
    let list = |entry: Vec<u8>| sequence(&vec![entry.clone(); room / entry.len()]);
    let nested = |tag: u8| {
        let mut nested = Vec::new();
        while nested.len() < room {
            nested = tlv(tag, &nested);
        }
        nested
    };
    let name = vec![rdn("2.5.4.10", &utf8(&"\u{1}".repeat(8000)))];
    let mut certificates = vec![
        vec![0; MAX_CERTIFICATE_BYTES],
        nested(0x30),
        with(vec![extension("2.5.29.17", &list(tlv(0x82, b"a.example")))]),
        with(vec![extension("2.5.29.32", &list(sequence(&[oid("1.2.3")])))]),
        with(vec![extension("2.5.29.37", &list(oid("1.2.3")))]),
        with(vec![extension("1.3.6.1.5.5.7.1.3", &list(sequence(&[oid("0.4.0.1862.1.1")])))]),
        with((0..64).map(|_| extension("2.5.29.17", &tlv(0x30, &[0; 900]))).collect()),
        Certificate { subject: name, ..test_der::with_psd2() }.to_der(),
    ];
    for id in ["1.3.6.1.5.5.7.1.3", "2.5.29.17", "2.5.29.31", "1.3.6.1.5.5.7.1.1"] {
        for tag in [0x30, 0xa0] {
            certificates.push(with(vec![extension(id, &nested(tag))]));
        }
    }
    certificates
}

#[test]
fn judging_costs_memory_in_proportion() {
    let mut runner = TestRunner::new(Config::with_cases(2000));
    runner
        .run(&mutated(), |der| {
            judge(&der);
            Ok(())
        })
        .unwrap();
    runner
        .run(&vec(any::<u8>(), 0..4096), |der| {
            judge(&der);
            Ok(())
        })
        .unwrap();
    for der in largest() {
        assert!(der.len() <= MAX_CERTIFICATE_BYTES);
        judge(&der);
    }
}
