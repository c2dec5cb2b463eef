//! What a seal costs a request of 1 KiB, beside its bare signature and digest. The verdict on the seal's certificate is
//! remembered by a shard and is not part of it, nor is what hyper does.
//!
//! `cargo bench -p portcullis-benches --bench seals`
#![allow(missing_docs, reason = "criterion's macros make an undocumented function")]
#![allow(clippy::unwrap_used, reason = "a benchmark's own input")]

use std::hint::black_box;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, UnparsedPublicKey,
};
use criterion::{Criterion, criterion_group, criterion_main};
use portcullis_seal::{
    Algorithm, Field, Profile, ReplayWindow, RequestHead, Seal, SealError, SealRules, Sealer,
};
use portcullis_test_pki::{Authority, ServerCertificate};

/// The present, and the `Date` of the request.
const NOW: i64 = 1_618_884_475;
const DATE: &str = "Tue, 20 Apr 2021 02:07:55 GMT";
const BODY_BYTES: usize = 1024;
/// Octets of a point of P-256 that is not compressed, which is what a `SubjectPublicKeyInfo` ends with.
const POINT_BYTES: usize = 65;
const FIELDS: [(&str, &str); 6] = [
    ("host", "api.bank.example"),
    ("date", DATE),
    ("x-request-id", "99391c7e-ad88-49ec-a2ad-99ddcb1f7721"),
    ("psu-id", "anna"),
    ("content-type", "application/json"),
    ("accept", "application/json"),
];

fn head<'a>(fields: &'a [(&'a str, &'a [u8])]) -> RequestHead<'a> {
    RequestHead {
        method: "POST",
        scheme: "https",
        authority: "api.bank.example",
        path: "/v1/payments/sepa-credit-transfers",
        query: None,
        fields,
    }
}

fn sealed(sealer: &Sealer, profile: Profile, body: &[u8]) -> Vec<Field> {
    let fields = FIELDS.map(|(name, value)| (name, value.as_bytes()));
    match profile {
        Profile::BerlinGroup => sealer.berlin_group(&head(&fields), body).unwrap(),
        _ => sealer.message_signature(&head(&fields), body, NOW).unwrap(),
    }
}

/// Everything that is asked of the seal of a request. `window` knows it from the second time on, and says so.
fn judge(head: &RequestHead<'_>, body: &[u8], rules: &SealRules, window: &ReplayWindow) {
    let parsed = Seal::parse(head, rules).unwrap();
    let spki = parsed.subject_public_key_info().to_vec();
    let sealed = parsed.verify_signature(&spki, NOW).unwrap();
    assert!(matches!(
        window.admit("PSDDE-BAFIN-123456", &sealed, NOW),
        Ok(()) | Err(SealError::Replayed { .. })
    ));
    let mut digest = sealed.digest.begin();
    digest.update(body);
    digest.finish().unwrap();
}

fn seals(criterion: &mut Criterion) {
    let bank = Authority::bank().unwrap();
    let credential = ServerCertificate::new(["tpp.example"]).issue(&bank).unwrap();
    let key = credential.key();
    let sealer =
        Sealer::from_pkcs8(key.secret_der(), credential.leaf_der(), Algorithm::EcdsaP256Sha256).unwrap();
    let signing = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key.secret_der()).unwrap();
    let body = vec![b'x'; BODY_BYTES];
    let rules = SealRules::default();
    for profile in Profile::ALL {
        let added = sealed(&sealer, profile, &body);
        let added = added.iter().map(|(name, value)| (*name, value.as_bytes()));
        let fields: Vec<_> =
            FIELDS.iter().map(|(name, value)| (*name, value.as_bytes())).chain(added).collect();
        let head = head(&fields);
        let window = ReplayWindow::new(&rules, 1024);
        criterion.bench_function(&format!("seal judged, {}", profile.as_str()), |bencher| {
            bencher.iter(|| judge(black_box(&head), black_box(&body), &rules, &window));
        });
        let parsed = Seal::parse(&head, &rules).unwrap();
        let signature = signing.sign(&SystemRandom::new(), parsed.signed()).unwrap();
        let spki = parsed.subject_public_key_info();
        let point = &spki[spki.len() - POINT_BYTES..];
        let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
        criterion.bench_function(
            &format!("its signature and digest alone, {}", profile.as_str()),
            |bencher| {
                bencher.iter(|| {
                    public.verify(black_box(parsed.signed()), signature.as_ref()).unwrap();
                    digest(&SHA256, black_box(&body))
                });
            },
        );
        criterion.bench_function(&format!("its head read, {}", profile.as_str()), |bencher| {
            bencher.iter(|| Seal::parse(black_box(&head), &rules).unwrap());
        });
    }
}

criterion_group!(benches, seals);
criterion_main!(benches);
