//! What a verdict that is remembered costs to find among a million, and what is looked up beside it in each edition of the ledger: the status of the
//! certificate and the key of its holder, of which there are as many. Once where all of the million come, so that little of it is in
//! the processor's caches, and once where a thousand regulars do.
//!
//! To compare the chain and what was known before with what is known now is not in it. Under `--test` there are few.
#![allow(missing_docs, reason = "criterion's macros make an undocumented function")]
#![allow(clippy::unwrap_used, reason = "a benchmark's own input")]

use std::hint::black_box;
use std::rc::Rc;

use criterion::{Criterion, criterion_group, criterion_main};
use portcullis_cache::{CacheKey, Keep, Outcome, VerificationCache};
use portcullis_identity::{SpkiHash, TbsCertificate, Thumbprint};
use portcullis_keys::{IdentityDigest, KeyBook, KeyId, KeyIdentity, KeyRecord, Sighted};
use portcullis_test_pki::Authority;
use portcullis_trust::{
    CertificateStatus, Followed, Issuer, KnownStatus, StatusAnswer, StatusBook, StatusQuestion,
};

const MANY: u64 = 1_000_000;
const REGULARS: usize = 1_000;
const FEW: u64 = 2_000;

/// A client that is known everywhere.
struct Client {
    key: CacheKey,
    thumbprint: Thumbprint,
    identity: IdentityDigest,
}

/// All that is known of a million clients.
struct Known {
    cache: VerificationCache<Rc<Thumbprint>>,
    status: StatusBook,
    keys: KeyBook,
    clients: Vec<Client>,
}

impl Known {
    fn of(count: u64) -> Self {
        // A table that is exactly full has turned some away.
        let room = usize::try_from(count * 2).unwrap();
        let mut known = Self {
            cache: VerificationCache::new(room),
            status: StatusBook::default(),
            keys: KeyBook::default(),
            clients: Vec::new(),
        };
        (0..count).for_each(|number| known.meet(number));
        known
    }

    fn meet(&mut self, number: u64) {
        let thumbprint = Thumbprint::of(&number.to_be_bytes());
        let key = CacheKey { domain: [7; 32], leaf: *thumbprint.as_bytes() };
        let keep = Keep { outcome: Outcome::Admitted, from: 0, until: i64::MAX, bytes: 5500 };
        self.cache.insert(key, Rc::new(thumbprint), keep);
        let answer = StatusAnswer { status: CertificateStatus::Good, this_update: 0, next_update: i64::MAX };
        self.status.follow(thumbprint, Followed { answer: Some(answer), remind_at: i64::MAX });
        let identity = KeyIdentity::new(format!("psd2:PSDDE-BAFIN-{number}"));
        let digest = identity.digest();
        let sighted = Sighted {
            identity,
            thumbprint,
            spki_sha256: SpkiHash::of(&number.to_be_bytes()),
            validity: (0, i64::MAX),
            holder: None,
            issuer: "Albatros Vertrauen AG".into(),
            needs_approval: false,
        };
        self.keys.put(&KeyRecord::enrol(KeyId::new(number), &sighted, 0));
        self.clients.push(Client { key, thumbprint, identity: digest });
    }
}

fn remembered(criterion: &mut Criterion) {
    let is_test = std::env::args().any(|argument| argument == "--test");
    let known = Known::of(if is_test { FEW } else { MANY });
    measure(criterion, "remembered, all come", &known, known.clients.len());
    measure(criterion, "remembered, regulars come", &known, REGULARS);
}

/// Looks up the first `coming` of those that are known, in no order; to read who comes costs some, too.
fn measure(criterion: &mut Criterion, name: &str, known: &Known, coming: usize) {
    let qtsp = Authority::qtsp().unwrap();
    let issuer = Issuer::of_certificate(&TbsCertificate::from_der(qtsp.issuing_der()).unwrap()).unwrap();
    let mut place = 0;
    let mut next = || {
        place = (place + 618_033) % coming;
        &known.clients[place]
    };
    let status = |client: &Client| {
        let thumbprint = &client.thumbprint;
        let asked = StatusQuestion { thumbprint, issuer: &issuer, serial_number: &[1], crl_urls: &[] };
        assert!(matches!(known.status.look_up(black_box(&asked), 1), KnownStatus::Good { .. }));
    };
    let verdict = |client: &Client| assert!(known.cache.get(black_box(&client.key), 1).is_some());
    let key = |client: &Client| assert!(known.keys.get(black_box(&client.identity)).is_some());
    let mut group = criterion.benchmark_group(name);
    group.bench_function("verdict", |bencher| bencher.iter(|| verdict(next())));
    group.bench_function("status", |bencher| bencher.iter(|| status(next())));
    group.bench_function("key", |bencher| bencher.iter(|| key(next())));
    group.bench_function("verdict_status_and_key", |bencher| {
        bencher.iter(|| {
            let client = next();
            verdict(client);
            status(client);
            key(client);
        });
    });
    group.finish();
}

criterion_group!(benches, remembered);
criterion_main!(benches);
