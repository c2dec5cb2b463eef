//! One document over https.

use std::time::Duration;

use reqwest::{
    Certificate, Client, Response, StatusCode, Url,
    header::{CONTENT_ENCODING, HeaderMap},
    redirect::Policy,
    retry,
};
use rustls_pki_types::CertificateDer;
use tokio::time::timeout;

use super::{
    FetchError, FetchLimits, RedirectRefusal, ShownUrl, Validators, Wait, redirect::redirect, url::https_url,
};

/// What servers see of us.
const USER_AGENT: &str = concat!("portcullis/", env!("CARGO_PKG_VERSION"));

/// A client for https and nothing else, which keeps no cookies and no connections, and decompresses nothing.
///
/// It connects directly: a proxy that the environment names is not used, since a gate does what its configuration says.
#[derive(Debug, Clone)]
pub(crate) struct Fetcher {
    client: Client,
    limits: FetchLimits,
}

/// What a server answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fetched {
    /// The version that is known is the newest. Says the server: nothing of it is signed.
    Unchanged,
    /// A version that may be new.
    New {
        /// The document. Hostile until its signature is verified.
        bytes: Vec<u8>,
        /// What to ask for the next version with.
        validators: Validators,
    },
}

impl Fetcher {
    /// Servers are believed by the system's root certificates and by `extra_roots`; one of the two may be empty. Reads the
    /// system's from files, which takes milliseconds.
    ///
    /// # Errors
    /// [`FetchError::Client`].
    pub(crate) fn new(limits: FetchLimits, extra_roots: &[CertificateDer<'_>]) -> Result<Self, FetchError> {
        let roots: Result<Vec<_>, _> = extra_roots.iter().map(|root| Certificate::from_der(root)).collect();
        let client = Client::builder()
            .tls_certs_merge(roots.map_err(FetchError::Client)?)
            .https_only(true)
            .no_proxy()
            // Redirects are followed here, where each is told, and each hop is asked with the conditions.
            .redirect(Policy::none())
            .retry(retry::never())
            .connect_timeout(limits.connect_timeout)
            // Fetches are minutes apart at least: a connection that is kept is one that was closed when it is needed.
            .pool_max_idle_per_host(0)
            .user_agent(USER_AGENT)
            .build();
        Ok(Self { client: client.map_err(FetchError::Client)?, limits })
    }

    /// Fetches the document at `url`, unless the server says that it is still the version that `known` stands for; give that
    /// only where the version is at hand.
    ///
    /// # Errors
    /// Every [`FetchError`] but [`FetchError::Client`].
    pub(crate) async fn get(&self, url: &str, known: Option<&Validators>) -> Result<Fetched, FetchError> {
        let url = https_url(url)?;
        let conditions = known.map(Validators::conditions).unwrap_or_default();
        let limit = self.limits.total_timeout;
        let fetched = timeout(limit, self.follow(&url, &conditions)).await;
        fetched.unwrap_or_else(|_| Err(FetchError::timeout(&url, Wait::Whole, limit)))
    }

    async fn follow(&self, first: &Url, conditions: &HeaderMap) -> Result<Fetched, FetchError> {
        let redirects_max = self.limits.redirects_max;
        let mut url = first.clone();
        for _ in 0..=redirects_max {
            let response = self.ask(&url, conditions).await?;
            let Some(next) = redirect(&url, &response)? else {
                return self.take(&url, response, conditions).await;
            };
            url = next;
        }
        Err(FetchError::redirect(first, RedirectRefusal::TooMany { redirects_max }))
    }

    async fn ask(&self, url: &Url, conditions: &HeaderMap) -> Result<Response, FetchError> {
        let FetchLimits { connect_timeout, stall_timeout, .. } = self.limits;
        let limit: Duration = connect_timeout.saturating_add(stall_timeout);
        let request = self.client.get(url.clone()).headers(conditions.clone()).send();
        let response = timeout(limit, request).await;
        let response = response.map_err(|_| FetchError::timeout(url, Wait::Answer, limit))?;
        response.map_err(|error| FetchError::unanswered(url, connect_timeout, error))
    }

    async fn take(&self, url: &Url, answer: Response, asked: &HeaderMap) -> Result<Fetched, FetchError> {
        match answer.status() {
            StatusCode::OK => {}
            StatusCode::NOT_MODIFIED if !asked.is_empty() => return Ok(Fetched::Unchanged),
            status => {
                return Err(FetchError::Status { url: ShownUrl::new(url), status: status.as_u16() });
            }
        }
        if is_encoded(answer.headers()) {
            return Err(FetchError::Encoding { url: ShownUrl::new(url) });
        }
        let validators = Validators::of(answer.headers());
        let bytes = self.read(url, answer).await?;
        Ok(Fetched::New { bytes, validators })
    }

    async fn read(&self, url: &Url, mut answer: Response) -> Result<Vec<u8>, FetchError> {
        let FetchLimits { bytes_max, stall_timeout, .. } = self.limits;
        let too_large = |bytes| FetchError::TooLarge { url: ShownUrl::new(url), bytes, bytes_max };
        if let Some(announced) = answer.content_length().filter(|&announced| exceeds(announced, bytes_max)) {
            return Err(too_large(announced));
        }
        let mut bytes = Vec::new();
        loop {
            let received = bytes.len();
            let piece = timeout(stall_timeout, answer.chunk()).await;
            let piece =
                piece.map_err(|_| FetchError::timeout(url, Wait::Body { received }, stall_timeout))?;
            let piece = piece.map_err(|error| FetchError::broken_off(url, received, error))?;
            let Some(piece) = piece else { return Ok(bytes) };
            if piece.len() > bytes_max - received {
                return Err(too_large(received.saturating_add(piece.len()) as u64));
            }
            bytes.extend_from_slice(&piece);
        }
    }
}

fn is_encoded(headers: &HeaderMap) -> bool {
    headers.get_all(CONTENT_ENCODING).iter().any(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity"))
}

fn exceeds(announced: u64, bytes_max: usize) -> bool {
    usize::try_from(announced).map_or(true, |announced| announced > bytes_max)
}
