//! What a verdict costs: reading, rules, and the path that they are measured against.
//!
//! `PORTCULLIS_CORPUS=DIR cargo bench -p portcullis-benches --bench verdict` judges the real PSD2 QWAC of the corpus beside one
//! of the test PKI; without the variable only the latter. `parse_and_rules` stands beside `path` in one run: the ratio is
//! what counts.
#![allow(missing_docs, reason = "criterion's macros make an undocumented function")]
#![allow(clippy::unwrap_used, reason = "a benchmark's own input")]

#[path = "../../crates/identity/src/test_der.rs"]
mod test_der;

use std::hint::black_box;
use std::path::PathBuf;
use std::time::Duration;

use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use portcullis_identity::Identity;
use portcullis_policy::{Evidence, Profile, Rules, Verdict, decide};
use portcullis_test_pki::{Authority, Role, TppCertificate};
use portcullis_trust::{Anchors, EkuRule};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, UnixTime};

/// A certificate and a time at which it is admitted.
fn certificates() -> Vec<(&'static str, CertificateDer<'static>, i64)> {
    let made = credential(&Authority::qtsp().unwrap());
    let now = i64::try_from(UnixTime::now().as_secs()).unwrap();
    let mut certificates = vec![("made", made[0].clone(), now)];
    if let Some(corpus) = std::env::var_os("PORTCULLIS_CORPUS") {
        // A relative path is meant from the root of the repository, while benchmarks run in their package.
        let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        let path = root.join(corpus).join("certificates/forgerock/multicert-psd2-eidas.cer");
        // In its time, 2020-06-01.
        certificates.push(("multicert", CertificateDer::from_pem_file(path).unwrap(), 1_590_969_600));
    }
    certificates
}

fn credential(qtsp: &Authority) -> Vec<CertificateDer<'static>> {
    TppCertificate::new("Lindenblatt Kontodienst GmbH")
        .roles([Role::PspAi, Role::PspPi])
        .issue(qtsp)
        .unwrap()
        .chain()
}

fn judge(rules: &Rules, identity: Identity, now: i64) -> Verdict {
    decide(rules, Ok(identity), Evidence::none(now))
}

fn alone(criterion: &mut Criterion) {
    let rules = Rules::of(Profile::Psd2);
    let mut group = criterion.benchmark_group("verdict");
    for (name, der, now) in certificates() {
        let identity = Identity::from_der(&der).unwrap();
        assert!(matches!(judge(&rules, identity.clone(), now), Verdict::Admitted(_)), "{name}");
        group.bench_with_input(BenchmarkId::new("rules", name), &identity, |bencher, identity| {
            let take = || identity.clone();
            bencher.iter_batched(take, |identity| judge(&rules, identity, now), BatchSize::SmallInput);
        });
        group.bench_with_input(BenchmarkId::new("parse_and_rules", name), &der, |bencher, der| {
            bencher.iter(|| judge(&rules, Identity::from_der(black_box(der)).unwrap(), now));
        });
    }
    group.finish();
}

/// Two P-256 signatures: of the leaf by the issuing CA, and of that by the root, which is the anchor.
fn with_path(criterion: &mut Criterion) {
    let qtsp = Authority::qtsp().unwrap();
    let chain = credential(&qtsp);
    let anchors = Anchors::from_pem(qtsp.root_pem().as_bytes()).unwrap();
    let rules = Rules::of(Profile::Psd2);
    let now = UnixTime::now();
    let seconds = i64::try_from(now.as_secs()).unwrap();
    let verify = || anchors.verify_path(&chain[0], &chain[1..], EkuRule::ClientAuth, now);
    let mut group = criterion.benchmark_group("verdict");
    group.bench_function("path_of_two_signatures", |bencher| bencher.iter(|| verify().unwrap()));
    group.bench_function("whole_with_path", |bencher| {
        bencher.iter(|| {
            let evidence = Evidence { path: Some(verify()), ..Evidence::none(seconds) };
            decide(&rules, Identity::from_der(black_box(&chain[0])), evidence)
        });
    });
    group.finish();
}

/// Certificates of garbage nested as deep as their size allows, in three sizes: the time should double with the size, and stay
/// below 1 ms for the largest that is read.
fn hostile(criterion: &mut Criterion) {
    let rules = Rules::of(Profile::Psd2);
    let mut group = criterion.benchmark_group("hostile_nested");
    for kilobytes in [15, 30, 60] {
        let mut nested = Vec::new();
        while nested.len() < kilobytes * 1024 {
            nested = test_der::tlv(0x30, &nested);
        }
        let extensions =
            ["1.3.6.1.5.5.7.1.3", "2.5.29.17"].map(|id| test_der::extension(id, &nested[nested.len() / 2..]));
        let der = test_der::Certificate { extensions: extensions.to_vec(), ..test_der::with_psd2() }.to_der();
        group.bench_with_input(BenchmarkId::from_parameter(kilobytes), &der, |bencher, der| {
            bencher.iter(|| judge(&rules, Identity::from_der(black_box(der)).unwrap(), 0));
        });
    }
    group.finish();
}

fn short() -> Criterion {
    Criterion::default().measurement_time(Duration::from_secs(3))
}

criterion_group! { name = benches; config = short(); targets = alone, with_path, hostile }
criterion_main!(benches);
