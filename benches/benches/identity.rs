//! What it costs to read a certificate's identity, as each full handshake does, and what of it is the hash.
//!
//! `PORTCULLIS_CORPUS=DIR cargo bench -p portcullis-benches --bench identity` measures the QWAC of the corpus beside
//! the one written here; without the variable only the latter.
#![allow(missing_docs, reason = "criterion's macros make an undocumented function")]
#![allow(clippy::unwrap_used, reason = "a benchmark's own input")]

#[path = "../../crates/identity/src/test_der.rs"]
mod test_der;

use std::hint::black_box;
use std::path::PathBuf;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use portcullis_identity::{Identity, MAX_CERTIFICATE_BYTES, Thumbprint};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

fn certificates() -> Vec<(&'static str, Vec<u8>)> {
    let mut certificates = vec![("written", test_der::with_psd2().to_der())];
    if let Some(corpus) = std::env::var_os("PORTCULLIS_CORPUS") {
        // A relative path is meant from the root of the repository, while benchmarks run in their package.
        let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        let path = root.join(corpus).join("certificates/forgerock/multicert-psd2-eidas.cer");
        certificates.push(("multicert", CertificateDer::from_pem_file(path).unwrap().to_vec()));
    }
    certificates
}

fn read(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("identity");
    for (name, der) in certificates() {
        group.throughput(Throughput::Bytes(der.len() as u64));
        group.bench_with_input(BenchmarkId::new("from_der", name), &der, |bencher, der| {
            bencher.iter(|| Identity::from_der(black_box(der)).unwrap());
        });
        group.bench_with_input(BenchmarkId::new("thumbprint", name), &der, |bencher, der| {
            bencher.iter(|| Thumbprint::of(black_box(der)));
        });
    }
    group.finish();
}

/// Inputs of nearly 64 KiB, as a peer may send them, shaped to cost the most that was found: as many extensions as
/// are read with nested elements in the QCStatements, and as long a name as is read with every octet to be escaped.
fn hostile(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("hostile_64_kib");
    let mut nested = Vec::new();
    while nested.len() < 50_000 {
        nested = test_der::tlv(0x30, &nested);
    }
    let statements = test_der::extension("1.3.6.1.5.5.7.1.3", &nested);
    let extensions = (0..63).map(|last| test_der::extension(&format!("1.2.{last}"), &[])).chain([statements]);
    let organization = test_der::rdn("2.5.4.10", &test_der::utf8(&"\u{1}".repeat(8000)));
    let certificate = test_der::Certificate {
        subject: vec![organization],
        extensions: extensions.collect(),
        ..test_der::with_psd2()
    };
    let der = certificate.to_der();
    assert!(der.len() < MAX_CERTIFICATE_BYTES && Identity::from_der(&der).is_ok());
    group.bench_with_input(BenchmarkId::new("from_der", "name_and_extensions"), &der, |bencher, der| {
        bencher.iter(|| Identity::from_der(black_box(der)).is_ok());
    });
    group.finish();
}

criterion_group!(benches, read, hostile);
criterion_main!(benches);
