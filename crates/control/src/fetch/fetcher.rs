//! One document over https.

use std::{io, sync::Arc, time::Duration};

use reqwest::{
    Certificate, Client, RequestBuilder, Response, StatusCode, Url,
    header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap},
    redirect::Policy,
    retry,
};
use rustls_pki_types::CertificateDer;
use tokio::time::timeout;

use super::{
    Access, FetchError, FetchLimits, RedirectRefusal, ShownUrl, Validators, Wait, access::PublicOnly,
    redirect::redirect, url::fetched_url,
};

/// What an authorisation server answers in.
const JSON: &str = "application/json";

/// What servers see of us.
const USER_AGENT: &str = concat!("portcullis/", env!("CARGO_PKG_VERSION"));

/// A client for documents, which keeps no cookies and no connections, and decompresses nothing.
///
/// It connects directly: a proxy that the environment names is not used, since a gate does what its configuration says.
#[derive(Debug, Clone)]
pub(crate) struct Fetcher {
    /// For hosts that may be at any address.
    trusting: Client,
    /// For the others.
    guarded: Client,
    access: Access,
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
    pub(crate) fn new(
        access: Access,
        limits: FetchLimits,
        extra_roots: &[CertificateDer<'_>],
    ) -> Result<Self, FetchError> {
        let roots: Result<Vec<_>, _> = extra_roots.iter().map(|root| Certificate::from_der(root)).collect();
        let roots = roots.map_err(FetchError::Client)?;
        let builder = || {
            Client::builder()
                .tls_certs_merge(roots.clone())
                .https_only(access == Access::Https)
                .no_proxy()
                // Redirects are followed here, where each is told, and each hop is asked with the conditions.
                .redirect(Policy::none())
                .retry(retry::never())
                .connect_timeout(limits.connect_timeout)
                // Fetches are minutes apart at least: a connection that is kept is one that was closed when it is needed.
                .pool_max_idle_per_host(0)
                .user_agent(USER_AGENT)
        };
        let trusting = builder().build().map_err(FetchError::Client)?;
        let guarded = match access {
            Access::Https => trusting.clone(),
            Access::Public { .. } => {
                builder().dns_resolver(Arc::new(PublicOnly)).build().map_err(FetchError::Client)?
            }
        };
        Ok(Self { trusting, guarded, access, limits })
    }

    /// Fetches the document at `url`, unless the server says that it is still the version that `known` stands for; give that
    /// only where the version is at hand.
    ///
    /// # Errors
    /// Every [`FetchError`] but [`FetchError::Client`].
    pub(crate) async fn get(&self, url: &str, known: Option<&Validators>) -> Result<Fetched, FetchError> {
        let mut bytes = Vec::new();
        let fetched = self.get_into(url, known, &mut bytes).await?;
        Ok(fetched.map_or(Fetched::Unchanged, |validators| Fetched::New { bytes, validators }))
    }

    /// As [`get`](Self::get), for a document too long for memory: it is written to `out` as it comes. Returns what to ask for the
    /// next version with, or nothing where the one that is known is the newest.
    ///
    /// # Errors
    /// Every [`FetchError`] but [`FetchError::Client`]; what is in `out` is of no use then.
    pub(crate) async fn get_into(
        &self,
        url: &str,
        known: Option<&Validators>,
        out: &mut impl io::Write,
    ) -> Result<Option<Validators>, FetchError> {
        let url = fetched_url(url, &self.access)?;
        let conditions = known.map(Validators::conditions).unwrap_or_default();
        let limit = self.limits.total_timeout;
        let fetched = timeout(limit, self.follow(&url, &conditions, out)).await;
        fetched.unwrap_or_else(|_| Err(FetchError::timeout(&url, Wait::Whole, limit)))
    }

    /// Sends a question and takes the answer. Redirects are not followed: they would send the question to somebody else.
    ///
    /// # Errors
    /// Every [`FetchError`] but [`FetchError::Client`].
    pub(crate) async fn post(
        &self,
        url: &str,
        content_type: &'static str,
        question: Vec<u8>,
    ) -> Result<Vec<u8>, FetchError> {
        let put = |request: RequestBuilder| request.header(CONTENT_TYPE, content_type).body(question);
        self.ask(url, put, None).await
    }

    /// Sends a form as a client of OAuth (RFC 6749 2.3.1), by its name and secret, and takes JSON for an answer.
    ///
    /// # Errors
    /// Every [`FetchError`] but [`FetchError::Client`].
    pub(crate) async fn post_form(
        &self,
        url: &str,
        (client_id, client_secret): (&str, &str),
        form: &[(&str, &str)],
    ) -> Result<Vec<u8>, FetchError> {
        let pairs: Vec<_> =
            form.iter().map(|(name, value)| format!("{name}={}", form_encoded(value))).collect();
        let put = |request: RequestBuilder| {
            request
                .basic_auth(form_encoded(client_id), Some(form_encoded(client_secret)))
                .header(ACCEPT, JSON)
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(pairs.join("&"))
        };
        self.ask(url, put, Some(JSON)).await
    }

    async fn ask(
        &self,
        url: &str,
        put: impl FnOnce(RequestBuilder) -> RequestBuilder,
        media_type: Option<&str>,
    ) -> Result<Vec<u8>, FetchError> {
        let url = fetched_url(url, &self.access)?;
        let limit = self.limits.total_timeout;
        let asked = async {
            self.access.check_literal(&url).map_err(FetchError::NotPublic)?;
            let response = self.send(&url, put(self.client(&url).post(url.clone()))).await?;
            let is_wanted = response.status() != StatusCode::OK
                || media_type.is_none_or(|it| is_of(response.headers(), it));
            if !is_wanted {
                return Err(FetchError::MediaType { url: ShownUrl::new(&url) });
            }
            let mut bytes = Vec::new();
            self.take(&url, response, &HeaderMap::new(), &mut bytes).await?;
            Ok(bytes)
        };
        let answered = timeout(limit, asked).await;
        answered.unwrap_or_else(|_| Err(FetchError::timeout(&url, Wait::Whole, limit)))
    }

    async fn follow(
        &self,
        first: &Url,
        conditions: &HeaderMap,
        out: &mut impl io::Write,
    ) -> Result<Option<Validators>, FetchError> {
        let redirects_max = self.limits.redirects_max;
        let mut url = first.clone();
        for _ in 0..=redirects_max {
            self.access.check_literal(&url).map_err(FetchError::NotPublic)?;
            let request = self.client(&url).get(url.clone()).headers(conditions.clone());
            let response = self.send(&url, request).await?;
            let Some(next) = redirect(&url, &response, &self.access)? else {
                return self.take(&url, response, conditions, out).await;
            };
            url = next;
        }
        Err(FetchError::redirect(first, RedirectRefusal::TooMany { redirects_max }))
    }

    fn client(&self, url: &Url) -> &Client {
        if self.access.trusts(url) { &self.trusting } else { &self.guarded }
    }

    async fn send(&self, url: &Url, request: RequestBuilder) -> Result<Response, FetchError> {
        let FetchLimits { connect_timeout, stall_timeout, .. } = self.limits;
        let limit: Duration = connect_timeout.saturating_add(stall_timeout);
        let response = timeout(limit, request.send()).await;
        let response = response.map_err(|_| FetchError::timeout(url, Wait::Answer, limit))?;
        response.map_err(|error| FetchError::unanswered(url, connect_timeout, error))
    }

    async fn take(
        &self,
        url: &Url,
        answer: Response,
        asked: &HeaderMap,
        out: &mut impl io::Write,
    ) -> Result<Option<Validators>, FetchError> {
        match answer.status() {
            StatusCode::OK => {}
            StatusCode::NOT_MODIFIED if !asked.is_empty() => return Ok(None),
            status => {
                return Err(FetchError::Status { url: ShownUrl::new(url), status: status.as_u16() });
            }
        }
        if is_encoded(answer.headers()) {
            return Err(FetchError::Encoding { url: ShownUrl::new(url) });
        }
        let validators = Validators::of(answer.headers());
        self.read(url, answer, out).await?;
        Ok(Some(validators))
    }

    async fn read(
        &self,
        url: &Url,
        mut answer: Response,
        out: &mut impl io::Write,
    ) -> Result<(), FetchError> {
        let FetchLimits { bytes_max, stall_timeout, .. } = self.limits;
        let too_large = |bytes| FetchError::TooLarge { url: ShownUrl::new(url), bytes, bytes_max };
        if let Some(announced) = answer.content_length().filter(|&announced| exceeds(announced, bytes_max)) {
            return Err(too_large(announced));
        }
        let mut received = 0;
        loop {
            let piece = timeout(stall_timeout, answer.chunk()).await;
            let piece =
                piece.map_err(|_| FetchError::timeout(url, Wait::Body { received }, stall_timeout))?;
            let piece = piece.map_err(|error| FetchError::broken_off(url, received, error))?;
            let Some(piece) = piece else { return Ok(()) };
            if piece.len() > bytes_max - received {
                return Err(too_large(received.saturating_add(piece.len()) as u64));
            }
            received += piece.len();
            out.write_all(&piece).map_err(FetchError::Keep)?;
        }
    }
}

/// Whether an answer is of a media type, whatever its parameters (RFC 9110 8.3.1).
fn is_of(headers: &HeaderMap, media_type: &str) -> bool {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return false };
    let essence = value.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
    essence.trim_ascii().eq_ignore_ascii_case(media_type.as_bytes())
}

/// A text in a form (RFC 6749 B).
fn form_encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'*' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

fn is_encoded(headers: &HeaderMap) -> bool {
    headers.get_all(CONTENT_ENCODING).iter().any(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity"))
}

fn exceeds(announced: u64, bytes_max: usize) -> bool {
    usize::try_from(announced).map_or(true, |announced| announced > bytes_max)
}
