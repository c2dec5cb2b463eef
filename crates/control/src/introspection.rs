//! Issuers that are asked about tokens (RFC 7662), for the shards.

use std::{sync::Arc, time::Duration};

use metrics::counter;
use portcullis_gateway::plan::{AccessToken, Introspection, IssuerRules, Question, TokenError};
use tokio::task::JoinSet;

use crate::{
    clock::now_unix_s,
    configuration::IntrospectionSource,
    error::chain,
    fetch::{Access, FetchError, FetchLimits, Fetcher},
};

/// Questions to one issuer at a time. Each has a connection of its own; those beyond wait for one of them.
const AT_ONCE_MAX: usize = 32;
/// How long a question waits for its turn: whoever asked does not wait longer.
const AGE_MAX: Duration = Duration::from_secs(2);
/// An answer has some hundred bytes. As long as a request waits, it may take.
const LIMITS: FetchLimits = FetchLimits {
    bytes_max: 64 << 10,
    total_timeout: Duration::from_secs(2),
    connect_timeout: Duration::from_secs(1),
    stall_timeout: Duration::from_secs(1),
    redirects_max: 0,
};
/// For how long a token that does not hold is not asked about again. It may have been asked about just before it was issued.
const REFUSED_S: i64 = 5;
/// The same where nobody could say: so that those who wait for one question have one answer.
const UNAVAILABLE_S: i64 = 1;

/// Who asks one issuer.
#[derive(Debug)]
struct Inquirer {
    name: String,
    rules: Arc<IssuerRules>,
    source: IntrospectionSource,
    fetcher: Fetcher,
    introspection: Arc<Introspection>,
}

/// Asks what shards ask, until the task is ended.
pub(crate) async fn inquire(
    name: String,
    rules: Arc<IssuerRules>,
    source: IntrospectionSource,
    introspection: Arc<Introspection>,
) {
    let fetcher = match Fetcher::new(Access::Https, LIMITS, &source.roots) {
        Ok(fetcher) => fetcher,
        Err(error) => {
            tracing::error!(issuer = name, error = chain(&error), "an issuer cannot be asked about tokens");
            loop {
                let question = introspection.next().await;
                introspection.answer(&question, Err(TokenError::Unavailable), now_unix_s() + UNAVAILABLE_S);
            }
        }
    };
    let inquirer = Arc::new(Inquirer { name, rules, source, fetcher, introspection });
    let mut under_way = JoinSet::new();
    loop {
        while under_way.try_join_next().is_some() {}
        if under_way.len() >= AT_ONCE_MAX {
            under_way.join_next().await;
        }
        let question = inquirer.introspection.next().await;
        let inquirer = Arc::clone(&inquirer);
        under_way.spawn(async move { inquirer.settle(&question).await });
    }
}

impl Inquirer {
    /// Asks, and says what was answered.
    async fn settle(&self, question: &Question) {
        let (told, result) = if question.age() > AGE_MAX {
            (Err(TokenError::Unavailable), "too-late")
        } else {
            self.ask(question.token()).await
        };
        counter!("portcullis_introspections_total", "issuer" => self.name.clone(), "result" => result)
            .increment(1);
        let lasts_s = match &told {
            Ok(_) => i64::try_from(self.source.age_max.as_secs()).unwrap_or(i64::MAX),
            Err(error) if error.is_of_the_moment() => UNAVAILABLE_S,
            Err(_) => REFUSED_S,
        };
        self.introspection.answer(question, told, now_unix_s().saturating_add(lasts_s));
    }

    /// What is to be said of a token, and how that is counted.
    async fn ask(&self, token: &str) -> (Result<AccessToken, TokenError>, &'static str) {
        let form = [("token", token), ("token_type_hint", "access_token")];
        let credentials = (&*self.source.client_id, self.source.client_secret.as_str());
        let answer = match self.fetcher.post_form(&self.source.url, credentials, &form).await {
            Ok(answer) => answer,
            Err(error) => return (Err(TokenError::Unavailable), self.tell(&error)),
        };
        let told = AccessToken::from_introspection(&answer, &self.rules, now_unix_s());
        if let Err(error @ TokenError::Introspection(_)) = &told {
            tracing::warn!(issuer = self.name, code = error.code(), %error, "an issuer said nothing of a token");
        }
        let result = told.as_ref().map_or_else(TokenError::code, |_| "active");
        (told, result)
    }

    fn tell(&self, error: &FetchError) -> &'static str {
        let code = error.code();
        tracing::warn!(
            issuer = self.name,
            code,
            error = chain(error),
            "an issuer was not asked about a token"
        );
        code
    }
}
