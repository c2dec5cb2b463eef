//! Tokens that their issuer is asked about (RFC 7662), and what it answered.

use std::{
    collections::{HashSet, VecDeque},
    fmt,
    future::poll_fn,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Poll, Waker},
    time::{Duration, Instant},
};

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use portcullis_token::{AccessToken, TokenCache, TokenError};

use crate::issuer::Waiting;

/// How often a request that waits for an answer looks whether it is there.
const LOOK_INTERVAL: Duration = Duration::from_millis(10);
/// Bytes of tokens that hold: some four thousand of the usual length, as each shard remembers.
const ACTIVE_BYTES: usize = 16 << 20;
/// Bytes of those that do not, apart from the others: anybody with a certificate can make some up, and pushes out only others' like them.
const REFUSED_BYTES: usize = 1 << 20;
/// Questions without an answer: as many as there may be requests that wait. Who comes with one more is told that nobody can be asked.
const QUESTIONS_MAX: usize = 1000;

/// What one issuer is asked, and what it answered. Shards ask and look, the control plane answers; plans that ask the same server by the
/// same rules share it. A shard comes here only with a token that it does not remember itself.
#[derive(Debug)]
pub struct Introspection {
    desk: Mutex<Desk>,
    /// How many requests wait.
    waiting: AtomicUsize,
}

struct Desk {
    /// Questions that nobody took up yet.
    open: VecDeque<Question>,
    /// Those that are not answered, by the digests of their tokens: one for each.
    unanswered: HashSet<String>,
    active: TokenCache<Arc<AccessToken>>,
    refused: TokenCache<TokenError>,
    /// Who answers.
    waker: Option<Waker>,
}

/// A token to be asked about.
pub struct Question {
    token: Box<str>,
    digest: String,
    since: Instant,
}

/// A token that its issuer is to be asked about, or was.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) introspection: Arc<Introspection>,
    digest: String,
    token: Token,
}

#[derive(Clone)]
struct Token(Box<str>);

impl Default for Introspection {
    fn default() -> Self {
        let desk = Desk {
            open: VecDeque::new(),
            unanswered: HashSet::new(),
            active: TokenCache::new(ACTIVE_BYTES),
            refused: TokenCache::new(REFUSED_BYTES),
            waker: None,
        };
        Self { desk: Mutex::new(desk), waiting: AtomicUsize::new(0) }
    }
}

impl Introspection {
    /// The next question, when there is one. For one caller at a time.
    pub async fn next(&self) -> Question {
        poll_fn(|context| {
            let mut desk = self.desk();
            match desk.open.pop_front() {
                Some(question) => Poll::Ready(question),
                None => {
                    desk.waker = Some(context.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }

    /// What is to be said of the token of a question until a second, in Unix seconds.
    pub fn answer(&self, question: &Question, told: Result<AccessToken, TokenError>, until: i64) {
        let mut desk = self.desk();
        desk.unanswered.remove(&question.digest);
        match told {
            Ok(token) => {
                let (bytes, until) = (token.bytes(), until.min(token.until));
                desk.active.insert(&question.digest, Arc::new(AccessToken { until, ..token }), bytes, until);
            }
            Err(error) => desk.refused.insert(&question.digest, error, size_of::<TokenError>(), until),
        }
    }

    /// Nobody answers any more. Who waits need not.
    pub fn close(&self) {
        let mut desk = self.desk();
        desk.open.clear();
        desk.unanswered.clear();
    }

    /// How many requests wait for an answer.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        // What is in it is whole between any two steps.
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Question {
    /// The token.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// How long ago it was asked.
    pub fn age(&self) -> Duration {
        self.since.elapsed()
    }
}

impl Asked {
    pub(crate) fn new(introspection: &Arc<Introspection>, token: &str) -> Self {
        let digest = URL_SAFE_NO_PAD.encode(digest(&SHA256, token.as_bytes()));
        Self { introspection: Arc::clone(introspection), digest, token: Token(token.into()) }
    }

    /// What is known of the token at `now`, in Unix seconds; `None` where its issuer has not answered yet.
    ///
    /// # Errors
    /// [`TokenError`], as the issuer said or since it did not.
    pub(crate) fn look(&self, now: i64) -> Option<Result<Arc<AccessToken>, TokenError>> {
        let desk = self.introspection.desk();
        if let Some(token) = desk.active.get(&self.digest, now) {
            return Some(Ok(Arc::clone(token)));
        }
        desk.refused.get(&self.digest, now).map(|error| Err(error.clone()))
    }

    /// Asks, unless somebody does, and waits until there is an answer or `wait` is over; not where too many wait already.
    pub(crate) async fn ask(self, wait: Duration) {
        let introspection = &self.introspection;
        let Some(_waiting) = Waiting::begin(&introspection.waiting) else { return };
        if !introspection.put(&self.digest, &self.token.0) {
            return;
        }
        let answered = async {
            while introspection.desk().unanswered.contains(&self.digest) {
                monoio::time::sleep(LOOK_INTERVAL).await;
            }
        };
        // Whether it was answered or not, the desk says it.
        let _ = monoio::time::timeout(wait, answered).await;
    }
}

impl Introspection {
    /// Puts a question, unless it is put already. Returns whether there will be an answer.
    fn put(&self, digest: &str, token: &str) -> bool {
        let waker = {
            let mut desk = self.desk();
            if desk.unanswered.contains(digest) {
                return true;
            }
            if desk.unanswered.len() >= QUESTIONS_MAX {
                return false;
            }
            desk.unanswered.insert(digest.to_owned());
            let (token, digest, since) = (token.into(), digest.to_owned(), Instant::now());
            desk.open.push_back(Question { token, digest, since });
            desk.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        true
    }
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk")
            .field("open", &self.open.len())
            .field("unanswered", &self.unanswered.len())
            .finish_non_exhaustive()
    }
}

/// Without the token, which opens something.
impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Question").field("digest", &self.digest).finish_non_exhaustive()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

#[cfg(test)]
impl Introspection {
    /// Answers about a token as its issuer does.
    pub(crate) fn tell(self: &Arc<Self>, token: &str, answer: &[u8], rules: &portcullis_token::IssuerRules) {
        let digest = Asked::new(self, token).digest;
        let question = Question { token: token.into(), digest, since: Instant::now() };
        self.answer(&question, AccessToken::from_introspection(answer, rules, 0), i64::MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_asked_about_once_and_refusals_push_no_answer_out() {
        let introspection = Arc::new(Introspection::default());
        let asked = Asked::new(&introspection, "opaque");
        assert!(introspection.put(&asked.digest, "opaque") && introspection.put(&asked.digest, "opaque"));
        let question = introspection.desk().open.pop_front().unwrap();
        assert!(introspection.desk().open.is_empty() && asked.look(7).is_none());
        assert!(!format!("{question:?} {asked:?}").contains("opaque"));
        let token = AccessToken {
            client_id: None,
            subject: None,
            scopes: Vec::new(),
            certificate: None,
            until: 50,
            claims: serde_json::Map::new(),
        };
        introspection.answer(&question, Ok(token), 100);
        assert!(matches!(asked.look(50), Some(Ok(_))) && asked.look(51).is_none(), "it ends as it says");
        for number in 0..20_000 {
            let token = number.to_string();
            let digest = Asked::new(&introspection, &token).digest;
            let question = Question { token: token.into(), digest, since: Instant::now() };
            introspection.answer(&question, Err(TokenError::Inactive), 60);
        }
        assert!(matches!(asked.look(50), Some(Ok(_))));
    }

    #[test]
    fn so_many_questions_are_open_and_nobody_waits_for_nobody() {
        let introspection = Introspection::default();
        for number in 0..QUESTIONS_MAX {
            assert!(introspection.put(&number.to_string(), ""));
        }
        assert!(!introspection.put("one more", ""));
        introspection.close();
        assert!(introspection.desk().unanswered.is_empty() && introspection.put("one more", ""));
    }
}
