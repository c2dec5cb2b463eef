//! The key sets of issuers of access tokens: fetched again and again, and at once where a shard meets a key that is not there.

use std::{
    hash::{BuildHasher as _, Hasher as _, RandomState},
    sync::Arc,
    time::Duration,
};

use metrics::{counter, gauge};
use portcullis_gateway::plan::{IssuerKeys, IssuerPlan, KeySet, KeySetError};
use thiserror::Error;
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};

use crate::{
    clock::now_unix_s,
    configuration::KeySetSource,
    error::chain,
    fetch::{Access, Backoff, FetchError, FetchLimits, Fetched, Fetcher, Validators},
};

/// How often it is looked whether a shard asks.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);
/// Between two fetches that shards asked for: anybody with a certificate can name a key that is not there.
const ASKED_INTERVAL: Duration = Duration::from_secs(10);
/// A key set has some kilobytes.
const LIMITS: FetchLimits = FetchLimits {
    bytes_max: 1 << 20,
    total_timeout: Duration::from_secs(10),
    connect_timeout: Duration::from_secs(5),
    stall_timeout: Duration::from_secs(5),
    redirects_max: 3,
};

/// Why a key set was not taken up. The last good one serves on.
#[derive(Debug, Error)]
enum IssuerFault {
    /// It cannot be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// It is none.
    #[error("what the issuer publishes cannot be used")]
    KeySet(#[from] KeySetError),
}

impl IssuerFault {
    /// The stable code, for metrics and logs.
    const fn code(&self) -> &'static str {
        match self {
            Self::Fetch(error) => error.code(),
            Self::KeySet(_) => "key-set",
        }
    }
}

/// All issuers whose keys are fetched.
#[derive(Debug, Default)]
pub(crate) struct Issuers(Vec<Followed>);

/// One of them.
#[derive(Debug)]
struct Followed {
    name: String,
    source: KeySetSource,
    keys: Arc<IssuerKeys>,
    task: JoinHandle<()>,
}

impl Issuers {
    /// Goes on with the issuers of a plan. One that publishes its keys where it did keeps those that are known of it.
    pub(crate) fn configure(&mut self, issuers: &mut [IssuerPlan], sources: Vec<KeySetSource>) {
        let mut before = std::mem::take(&mut self.0);
        for (issuer, source) in issuers.iter_mut().zip(sources) {
            if matches!(source, KeySetSource::File(_)) {
                continue;
            }
            let known = before.iter().position(|it| it.name == issuer.name && it.source.is_at(&source));
            let known = known.map(|known| before.swap_remove(known));
            if let Some(known) = &known {
                issuer.keys = Arc::clone(&known.keys);
            }
            let same = known.filter(|known| known.source == source);
            self.0.push(same.unwrap_or_else(|| Followed::begin(issuer, source)));
        }
    }
}

impl Followed {
    fn begin(issuer: &IssuerPlan, source: KeySetSource) -> Self {
        let (name, keys) = (issuer.name.clone(), Arc::clone(&issuer.keys));
        let task = tokio::spawn(follow(name.clone(), source.clone(), Arc::clone(&keys)));
        Self { name, source, keys, task }
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        self.task.abort();
        // Who still waits for the keys need not wait for nobody.
        self.keys.answer();
    }
}

/// Fetches the keys of an issuer until the task is ended.
async fn follow(name: String, source: KeySetSource, keys: Arc<IssuerKeys>) {
    let KeySetSource::Https { url, roots, refresh_interval } = source else { return };
    let backoff = Backoff::new(refresh_interval);
    let (mut known, mut failures) = (None, 0);
    loop {
        let fetched = fetch(&url, &roots, known.as_ref()).await;
        let result = fetched.as_ref().err().map_or("success", IssuerFault::code);
        counter!("portcullis_issuer_key_fetches_total", "issuer" => name.clone(), "result" => result)
            .increment(1);
        match fetched {
            Ok(fetched) => {
                failures = 0;
                if let Some((set, validators)) = fetched {
                    tell(&name, &set);
                    keys.publish(set);
                    known = Some(validators);
                }
                #[allow(clippy::cast_precision_loss, reason = "exact for millions of years")]
                gauge!("portcullis_issuer_keys_fetched_timestamp_seconds", "issuer" => name.clone())
                    .set(now_unix_s() as f64);
            }
            Err(error) => {
                failures += 1;
                let (code, error) = (error.code(), chain(&error));
                tracing::warn!(issuer = name, code, error, "the keys of an issuer were not fetched");
            }
        }
        keys.answer();
        let random = RandomState::new().build_hasher().finish();
        wait(&keys, backoff.delay(failures, random)).await;
    }
}

/// Returns when keys are to be fetched again: after that time, or when a shard asks and the last fetch is a while ago. Who asks before
/// that is told that there is nothing new.
async fn wait(keys: &IssuerKeys, delay: Duration) {
    let begin = Instant::now();
    while begin.elapsed() < delay {
        sleep(LOOK_INTERVAL.min(delay)).await;
        if keys.is_asked() {
            if begin.elapsed() >= ASKED_INTERVAL {
                return;
            }
            keys.answer();
        }
    }
}

/// The key set, unless it is the one that is known.
async fn fetch(
    url: &str,
    roots: &[rustls_pki_types::CertificateDer<'static>],
    known: Option<&Validators>,
) -> Result<Option<(KeySet, Validators)>, IssuerFault> {
    match Fetcher::new(Access::Https, LIMITS, roots)?.get(url, known).await? {
        Fetched::Unchanged => Ok(None),
        Fetched::New { bytes, validators } => Ok(Some((KeySet::from_json(&bytes)?, validators))),
    }
}

fn tell(name: &str, set: &KeySet) {
    #[allow(clippy::cast_precision_loss, reason = "a hundred at most")]
    gauge!("portcullis_issuer_keys", "issuer" => name.to_owned()).set(set.len() as f64);
    tracing::info!(issuer = name, keys = set.len(), left_out = ?set.left_out(), "keys of an issuer read");
}
