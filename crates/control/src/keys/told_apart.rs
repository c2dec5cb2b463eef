//! Keys that have series of their own among the metrics.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use metrics::{Unit, counter, describe_counter, describe_gauge, gauge};
use portcullis_keys::{IdentityDigest, KeyEntry, KeyId, KnownCertificate, Tally};
use portcullis_policy::Ledger;

/// The label of all keys that have none of their own.
const OVERFLOW: &str = "_overflow";

/// The keys that came first since the start, as many as may be told apart. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct ToldApart {
    keys: Arc<Mutex<Vec<Told>>>,
    ledger: Arc<ArcSwap<Ledger>>,
}

#[derive(Debug)]
struct Told {
    id: KeyId,
    identity: IdentityDigest,
    tally: Arc<Tally>,
}

impl ToldApart {
    pub(crate) fn new(ledger: Arc<ArcSwap<Ledger>>) -> Self {
        Self { keys: Arc::default(), ledger }
    }

    /// Tells a key apart from now on, where fewer than `most` are.
    pub(super) fn add(&self, identity: IdentityDigest, key: &KeyEntry, most: usize) {
        let mut keys = self.keys();
        if keys.len() < most && keys.iter().all(|told| told.id != key.id) {
            keys.push(Told { id: key.id, identity, tally: key.usage.tell_apart() });
        }
    }

    /// A key is no more.
    pub(super) fn remove(&self, identity: &IdentityDigest) {
        self.keys().retain(|told| told.identity != *identity);
    }

    /// Records all series with the recorder at hand.
    #[allow(clippy::cast_precision_loss, reason = "exact up to 2^53, which no clock reaches")]
    pub(crate) fn record(&self) {
        describe();
        let ledger = self.ledger.load();
        for Told { id, identity, tally } in self.keys().iter() {
            record_tally(&id.to_string(), tally);
            let Some(key) = ledger.keys.get(identity) else { continue };
            let gauge = |name: &'static str, value: Option<i64>| {
                gauge!(name, "key" => id.to_string()).set(value.unwrap_or(0) as f64);
            };
            let certificates = || key.certificates.iter();
            let last_seen = certificates().map(KnownCertificate::last_seen).max();
            gauge("portcullis_key_last_seen_timestamp_seconds", last_seen);
            let not_after = certificates().map(|certificate| certificate.not_after).max();
            gauge("portcullis_key_certificate_not_after_timestamp_seconds", not_after);
        }
        record_tally(OVERFLOW, Tally::overflow());
    }

    fn keys(&self) -> MutexGuard<'_, Vec<Told>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn record_tally(key: &str, tally: &Tally) {
    for (class, count) in tally.answers() {
        counter!("portcullis_key_requests_total", "key" => key.to_owned(), "code_class" => class)
            .absolute(count);
    }
    for (code, count) in tally.refusals() {
        counter!("portcullis_key_refusals_total", "key" => key.to_owned(), "code" => code).absolute(count);
    }
    let (received, sent) = tally.bytes();
    counter!("portcullis_key_received_bytes_total", "key" => key.to_owned()).absolute(received);
    counter!("portcullis_key_sent_bytes_total", "key" => key.to_owned()).absolute(sent);
    gauge!("portcullis_key_answer_time_seconds", "key" => key.to_owned()).set(tally.took().as_secs_f64());
}

fn describe() {
    describe_counter!("portcullis_key_requests_total", "Answers to the holder of a key, by class of status.");
    describe_counter!("portcullis_key_refusals_total", "Refused requests of the holder of a key, by code.");
    describe_counter!(
        "portcullis_key_received_bytes_total",
        Unit::Bytes,
        "Bytes of the bodies of a holder's requests that went on to an upstream."
    );
    describe_counter!(
        "portcullis_key_sent_bytes_total",
        Unit::Bytes,
        "Bytes of the bodies of answers to the holder of a key."
    );
    describe_gauge!(
        "portcullis_key_answer_time_seconds",
        Unit::Seconds,
        "What the answers to the holder of a key took until their heads were there, all together."
    );
    describe_gauge!(
        "portcullis_key_last_seen_timestamp_seconds",
        Unit::Seconds,
        "When the holder of a key was last there."
    );
    describe_gauge!(
        "portcullis_key_certificate_not_after_timestamp_seconds",
        Unit::Seconds,
        "The end of validity of the certificate of a key that lasts longest."
    );
}
