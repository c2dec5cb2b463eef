//! Issuers of access tokens: their key sets are fetched again and again, and at once where a shard meets a key that is not there; those
//! that have none are asked.

use std::{
    hash::{BuildHasher as _, Hasher as _, RandomState},
    sync::Arc,
    time::Duration,
};

use metrics::{counter, gauge};
use portcullis_gateway::plan::{IssuerKeys, IssuerPlan, IssuerRules, KeySet, KeySetError, Vouching};
use thiserror::Error;
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};

use crate::{
    clock::now_unix_s,
    configuration::IssuerSource,
    error::chain,
    fetch::{Access, Backoff, FetchError, FetchLimits, Fetched, Fetcher, Validators},
    introspection::inquire,
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

/// All issuers whose keys are fetched, or that are asked.
#[derive(Debug, Default)]
pub(crate) struct Issuers {
    followed: Vec<Followed>,
    /// Those that are asked, until no shard has a plan that asks them.
    leaving: Vec<Followed>,
}

/// One of them.
#[derive(Debug)]
struct Followed {
    name: String,
    rules: Arc<IssuerRules>,
    source: IssuerSource,
    vouching: Vouching,
    task: JoinHandle<()>,
}

impl Issuers {
    /// Goes on with the issuers of a plan. One that publishes its keys where it did keeps those that are known of it,
    /// and one that is asked as before what it answered.
    pub(crate) fn configure(&mut self, issuers: &mut [IssuerPlan], sources: Vec<IssuerSource>) {
        let mut before = std::mem::take(&mut self.followed);
        for (issuer, source) in issuers.iter_mut().zip(sources) {
            if matches!(source, IssuerSource::File(_)) {
                continue;
            }
            let known = before.iter().position(|it| it.is_followed_by(issuer, &source));
            let known = known.map(|known| before.swap_remove(known));
            if let Some(known) = &known {
                issuer.vouching = known.vouching.clone();
            }
            let same = known.filter(|known| known.source == source);
            self.followed.push(same.unwrap_or_else(|| Followed::begin(issuer, source)));
        }
        self.leaving.extend(before.into_iter().filter(Followed::is_asked));
    }

    /// Ends what no plan asks any more.
    pub(crate) fn let_go(&mut self) {
        self.leaving.retain(Followed::is_asked);
    }

    /// Tells how many requests wait for what issuers say of their tokens.
    pub(crate) fn record_waiting(&self) {
        for Followed { name, vouching, .. } in &self.followed {
            if let Vouching::Introspection(introspection) = vouching {
                record_waiting(name, introspection.waiting());
            }
        }
    }
}

impl Followed {
    fn begin(issuer: &IssuerPlan, source: IssuerSource) -> Self {
        let IssuerPlan { name, rules, vouching } = issuer.clone();
        let task = match (&vouching, source.clone()) {
            (Vouching::Introspection(introspection), IssuerSource::Introspection(source)) => {
                tokio::spawn(inquire(name.clone(), Arc::clone(&rules), source, Arc::clone(introspection)))
            }
            (Vouching::Keys(keys), source) => tokio::spawn(follow(name.clone(), source, Arc::clone(keys))),
            (Vouching::Introspection(_), _) => tokio::spawn(async {}),
        };
        Self { name, rules, source, vouching, task }
    }

    /// Whether a plan, or a request that waits, asks it.
    fn is_asked(&self) -> bool {
        /// This and its task.
        const OURS: usize = 2;
        matches!(&self.vouching, Vouching::Introspection(asked) if Arc::strong_count(asked) > OURS)
    }

    /// Whether what is known of it is true of an issuer of the next plan. What was answered was judged by its rules.
    fn is_followed_by(&self, issuer: &IssuerPlan, source: &IssuerSource) -> bool {
        let is_asked_alike = matches!(source, IssuerSource::Introspection(_))
            && self.source == *source
            && self.rules == issuer.rules;
        self.name == issuer.name && (self.source.is_at(source) || is_asked_alike)
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        self.task.abort();
        // Who still waits need not wait for nobody.
        match &self.vouching {
            Vouching::Keys(keys) => keys.answer(),
            Vouching::Introspection(introspection) => {
                introspection.close();
                record_waiting(&self.name, 0);
            }
        }
    }
}

fn record_waiting(issuer: &str, requests: usize) {
    #[allow(clippy::cast_precision_loss, reason = "a thousand at most")]
    gauge!("portcullis_introspections_waiting", "issuer" => issuer.to_owned()).set(requests as f64);
}

/// Fetches the keys of an issuer until the task is ended.
async fn follow(name: String, source: IssuerSource, keys: Arc<IssuerKeys>) {
    let IssuerSource::Https { url, roots, refresh_interval } = source else { return };
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

#[cfg(test)]
mod tests {
    use portcullis_gateway::plan::Introspection;
    use zeroize::Zeroizing;

    use super::*;
    use crate::configuration::IntrospectionSource;

    fn issuer() -> (IssuerPlan, IssuerSource) {
        let rules = IssuerRules {
            issuer: "https://as.bank.example".to_owned(),
            audiences: vec!["api".to_owned()],
            algorithms: Vec::new(),
            clock_skew_s: 10,
            takes_any_type: false,
        };
        let source = IntrospectionSource {
            url: "https://as.bank.example/introspect".to_owned(),
            roots: Vec::new(),
            client_id: "gate".to_owned(),
            client_secret: Zeroizing::new("secret".to_owned()),
            age_max: Duration::from_secs(60),
        };
        let vouching = Vouching::Introspection(Arc::new(Introspection::default()));
        let plan = IssuerPlan { name: "bank".to_owned(), rules: Arc::new(rules), vouching };
        (plan, IssuerSource::Introspection(source))
    }

    #[tokio::test]
    async fn an_issuer_is_asked_until_no_plan_asks_it() {
        let (mut issuers, (plan, source)) = (Issuers::default(), issuer());
        let mut plan = [plan];
        issuers.configure(&mut plan, vec![source]);
        issuers.configure(&mut [], Vec::new());
        issuers.let_go();
        assert_eq!((issuers.followed.len(), issuers.leaving.len()), (0, 1));
        drop(plan);
        issuers.let_go();
        assert!(issuers.leaving.is_empty());
    }
}
