//! What trusted lists cost: to read a whole tree of them, and to find a client's path among their anchors.
//!
//! `PORTCULLIS_CORPUS=DIR cargo bench -p portcullis-benches --bench trusted_lists` reads the real tree of the corpus; without the
//! variable only paths are measured. `path/3000` stands beside `path/1` in one run: the ratio is what counts.
#![allow(missing_docs, reason = "criterion's macros make an undocumented function")]
#![allow(clippy::unwrap_used, reason = "a benchmark's own input")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use portcullis_identity::Identity;
use portcullis_policy::{Evidence, Profile, Rules, Verdict, decide};
use portcullis_test_pki::trusted_list::{ListSigner, State, TrustedList};
use portcullis_test_pki::{Authority, Role, TppCertificate};
use portcullis_trust::list::SignedList;
use portcullis_trust::{Anchors, EkuRule, ListedService, Selection, TrustStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, UnixTime};

fn files(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// The whole of it: every list parsed, its signature verified, its services made anchors.
fn build(criterion: &mut Criterion) {
    let Some(corpus) = std::env::var_os("PORTCULLIS_CORPUS") else { return };
    let corpus = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).join(corpus);
    let journal = files(&corpus.join("lotl-signers/c-276-1-2019"));
    let journal = journal.iter().map(|file| CertificateDer::from_pem_file(file).unwrap()).collect();
    let selection = Selection { journal, max_staleness_s: i64::MAX, ..Selection::default() };
    let lists = files(&corpus.join("trusted-lists-2023")).into_iter();
    let lists = lists.filter(|file| file.extension().is_some_and(|extension| extension == "xml"));
    let documents: Vec<_> = lists.map(|file| std::fs::read(file).unwrap()).collect();
    let build = || TrustStore::build(documents.iter().map(Vec::as_slice), &selection, None).unwrap();
    assert_eq!(build().lists.values().filter(|state| state.serving.is_some()).count(), 30);
    criterion.bench_function("trusted_lists/build", |bencher| bencher.iter(build));
}

/// Anchors of a list that names so many CAs, one of them `qtsp`.
fn anchors(qtsp: &Authority, count: usize) -> Anchors {
    let granted = || [State::for_web("granted", "2018-01-01T00:00:00Z")];
    let mut list = TrustedList::new("ES", 1).service(qtsp.issuing_der(), granted());
    for _ in 1..count {
        list = list.service(Authority::foreign().unwrap().issuing_der(), granted());
    }
    let signer = ListSigner::new("Scheme operator", 2020..2030).unwrap();
    let signed = SignedList::verify(list.sign(&signer).unwrap().as_bytes(), &[signer.certificate().clone()]);
    Anchors::from_services(ListedService::all_of(signed.unwrap().into_list(), i64::MAX)).0
}

fn paths(criterion: &mut Criterion) {
    let qtsp = Authority::qtsp().unwrap();
    let tpp = TppCertificate::new("Lindenblatt Kontodienst GmbH").roles([Role::PspAi]);
    let chain = tpp.issue(&qtsp).unwrap().chain();
    let (now, rules) = (UnixTime::now(), Rules::of(Profile::Psd2));
    let mut group = criterion.benchmark_group("trusted_lists/verdict");
    for count in [1, 3000] {
        let anchors = anchors(&qtsp, count);
        let judge = || {
            let path = anchors.verify_path(&chain[0], &chain[1..], EkuRule::ClientAuth, now);
            let now = i64::try_from(now.as_secs()).unwrap();
            let evidence = Evidence { path: Some(path), ..Evidence::none(now) };
            decide(&rules, Identity::from_der(&chain[0]), evidence)
        };
        assert!(matches!(judge(), Verdict::Admitted(_)));
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| bencher.iter(judge));
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().measurement_time(Duration::from_secs(4)).sample_size(50);
    targets = build, paths
}
criterion_main!(benches);
