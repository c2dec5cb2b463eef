//! What keys cost: to find one among a million, to write one down, and to hold a request against a policy.
//!
//! `cargo bench -p portcullis-benches --bench keys` prints the memory of a million keys first. Under `--test` there are few.
#![allow(missing_docs, reason = "criterion's macros make an undocumented function")]
#![allow(clippy::unwrap_used, reason = "a benchmark's own input")]
#![allow(clippy::print_stdout, reason = "it tells what it measured")]

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use portcullis_identity::{SpkiHash, Thumbprint};
use portcullis_keys::{
    Asked, IdentityDigest, KeyBook, KeyId, KeyIdentity, KeyRecord, KeyUse, Policy, Rate, Sighted,
};

const MANY: u32 = 1_000_000;
const FEW: u32 = 1_000;

fn record(number: u32) -> KeyRecord {
    let sighted = Sighted {
        identity: KeyIdentity::new(format!("psd2:PSDES-BE-{number}")),
        thumbprint: Thumbprint::of(&number.to_be_bytes()),
        spki_sha256: SpkiHash::of(&number.to_le_bytes()),
        validity: (0, 1),
        holder: Some("Lindenblatt Kontodienst GmbH".to_owned()),
        issuer: Arc::from("QTSP"),
        needs_approval: false,
    };
    KeyRecord::enrol(KeyId::new(u64::from(number)), &sighted, 0)
}

fn digest(number: u32) -> IdentityDigest {
    KeyIdentity::new(format!("psd2:PSDES-BE-{number}")).digest()
}

/// Resident memory of the process, in bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().split(' ').next()?.parse::<u64>().ok()).unwrap_or(0) * 1024
}

fn book(criterion: &mut Criterion) {
    let is_test = std::env::args().any(|argument| argument == "--test");
    let many = if is_test { FEW } else { MANY };
    let before = resident();
    let mut books = [1, many].map(|count| {
        let mut book = KeyBook::default();
        (0..count).for_each(|number| book.put(&record(number)));
        (count, book)
    });
    println!("{many} keys, {} bytes each", resident().saturating_sub(before) / u64::from(many));
    for (count, book) in &books {
        // What is asked for is made before, as a verdict that is remembered has it.
        let asked: Vec<IdentityDigest> = (0..4096).map(|at| digest(at * 7919 % count)).collect();
        let mut at = 0;
        criterion.bench_function(&format!("key found among {count}"), |bencher| {
            bencher.iter(|| {
                at = (at + 1) % asked.len();
                book.get(black_box(&asked[at])).unwrap().state
            });
        });
    }
    let (_, book) = &mut books[1];
    let record = record(7);
    criterion.bench_function(&format!("key written among {many}"), |bencher| {
        // A shard still has the one before.
        bencher.iter(|| {
            let before = book.clone();
            book.put(black_box(&record));
            before
        });
    });
}

fn policy(criterion: &mut Criterion) {
    let asked = |now_ns| Asked {
        method: "GET",
        path: "/v1/accounts/7",
        body_bytes: 0,
        peer: "192.0.2.7".parse().ok(),
        unix_now: 1_790_596_800,
        now_ns,
    };
    let rate = Rate { requests: 1_000_000, period_s: 1, burst: 1_000_000 };
    let counting =
        Policy { rate: Some(rate), requests_max: Some(16), daily_quota: Some(u64::MAX), ..Policy::default() };
    let mut all = counting.clone();
    all.networks = ["198.51.100.0/24", "192.0.2.0/24"].map(|text| text.parse().unwrap()).into();
    all.methods = ["POST".into(), "GET".into()].into();
    all.paths = ["/v1/payments".into(), "/v1/accounts".into()].into();
    for (name, policy) in [("that counts", counting), ("of every kind", all)] {
        let (usage, mut now_ns) = (Arc::new(KeyUse::default()), 0);
        criterion.bench_function(&format!("policy {name}"), |bencher| {
            bencher.iter(|| {
                now_ns += 1_000_000;
                policy.admit(&usage, &asked(black_box(now_ns))).unwrap()
            });
        });
    }
}

criterion_group!(benches, book, policy);
criterion_main!(benches);
