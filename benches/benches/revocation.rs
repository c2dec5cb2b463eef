//! What revocation costs: to read a CRL of ten million serial numbers, to look one up in it, and to write an answer down among many.
//!
//! `cargo bench -p portcullis-benches --bench revocation` prints the memory of the index first. Under `--test` the list is short.
#![allow(missing_docs, reason = "criterion's macros make an undocumented function")]
#![allow(clippy::unwrap_used, reason = "a benchmark's own input")]
#![allow(clippy::print_stdout, reason = "it tells what it measured")]

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use portcullis_identity::{TbsCertificate, Thumbprint};
use portcullis_test_pki::Authority;
use portcullis_test_pki::revocation::RevocationList;
use portcullis_trust::{
    CertificateStatus, Crl, Followed, Issuer, KnownStatus, StatusAnswer, StatusBook, StatusQuestion,
};

const MANY: u64 = 10_000_000;
const FEW: u64 = 10_000;

/// A serial number of 16 octets, positive, in no order.
fn serial_number(number: u64) -> [u8; 16] {
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut octets = [0; 16];
    octets[..8].copy_from_slice(&(mixed >> 1 | 1 << 62).to_be_bytes());
    octets[8..].copy_from_slice(&mixed.rotate_left(31).to_be_bytes());
    octets
}

fn crl(criterion: &mut Criterion) {
    let is_test = std::env::args().any(|argument| argument == "--test");
    let count = if is_test { FEW } else { MANY };
    let qtsp = Authority::qtsp().unwrap();
    let issuer = Issuer::of_certificate(&TbsCertificate::from_der(qtsp.issuing_der()).unwrap()).unwrap();
    let der =
        (0..count).fold(RevocationList::of(&qtsp), |list, number| list.entry(&serial_number(number), &[]));
    let der = der.der().unwrap();
    let read = || Crl::read(black_box(&der[..]), &issuer, u64::MAX).unwrap();
    let crl = read();
    let per_serial = crl.memory_bytes() as f64 / crl.len() as f64;
    println!("{} serial numbers, {} bytes of DER, {per_serial:.1} bytes each", crl.len(), der.len());
    let mut group = criterion.benchmark_group("crl");
    group.bench_function("hit", |bencher| {
        let mut number = 0;
        bencher.iter(|| {
            number = (number + 7919) % count;
            assert_ne!(crl.status_of(&serial_number(number)), CertificateStatus::Good);
        });
    });
    group.bench_function("miss", |bencher| {
        let mut number = count;
        bencher.iter(|| {
            number += 7919;
            crl.status_of(&serial_number(black_box(number)))
        });
    });
    group
        .sample_size(10)
        .warm_up_time(Duration::from_millis(1))
        .bench_function("read", |bencher| bencher.iter(read));
    group.finish();
}

fn thumbprint(number: u64) -> Thumbprint {
    Thumbprint::of(&number.to_be_bytes())
}

fn book(criterion: &mut Criterion) {
    let qtsp = Authority::qtsp().unwrap();
    let issuer = Issuer::of_certificate(&TbsCertificate::from_der(qtsp.issuing_der()).unwrap()).unwrap();
    let answer = StatusAnswer { status: CertificateStatus::Good, this_update: 0, next_update: i64::MAX };
    let followed = Followed { answer: Some(answer), remind_at: i64::MAX };
    let mut book = StatusBook::default();
    let thumbprints: Vec<_> = (0..100_000).map(thumbprint).collect();
    thumbprints.iter().for_each(|thumbprint| book.follow(*thumbprint, followed));
    let mut group = criterion.benchmark_group("status_book");
    let mut next = thumbprints.iter().cycle();
    group.bench_function("look_up", |bencher| {
        bencher.iter(|| {
            let thumbprint = next.next().unwrap();
            let asked = StatusQuestion { thumbprint, issuer: &issuer, serial_number: &[1], crl_urls: &[] };
            assert!(matches!(book.look_up(black_box(&asked), 1), KnownStatus::Good { .. }));
        });
    });
    // As the control plane does it: the version before is still in the hands of shards.
    group.bench_function("follow_100_and_publish", |bencher| {
        bencher.iter(|| {
            let before = book.clone();
            for _ in 0..100 {
                book.follow(*next.next().unwrap(), followed);
            }
            before
        });
    });
    group.finish();
}

criterion_group!(benches, crl, book);
criterion_main!(benches);
