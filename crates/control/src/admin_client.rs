//! Asks the admin listener of a gate that runs.

use std::time::Duration;

use http::{Method, StatusCode, header};
use serde_json::Value;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::{Configuration, admin_token::read_token};

/// For a whole answer. A store on a slow disk takes a second.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// Speaks to the admin listener that a configuration names.
#[derive(Debug)]
pub struct AdminClient {
    base: String,
    token: Option<Zeroizing<String>>,
}

/// Why there is no answer, or none that was hoped for.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AdminClientError {
    /// The configuration names none.
    #[error("the configuration has no [admin], where a gate that runs could be asked")]
    NoListener,
    /// The file of the token cannot be used.
    #[error("the token of [admin]")]
    Token(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The runtime cannot be made.
    #[error("cannot ask")]
    Runtime(#[source] std::io::Error),
    /// It cannot be asked.
    #[error("the gate at {base} cannot be asked")]
    Ask {
        /// Where.
        base: String,
        /// Why not.
        source: reqwest::Error,
    },
    /// It will not.
    #[error("{detail} ({code})")]
    Refused {
        /// The status of the answer.
        status: StatusCode,
        /// The stable code.
        code: String,
        /// Why not.
        detail: String,
    },
}

impl AdminClient {
    /// A client for the gate that runs with `configuration`.
    ///
    /// # Errors
    /// [`AdminClientError::NoListener`].
    pub fn new(configuration: &Configuration) -> Result<Self, AdminClientError> {
        let admin = configuration.admin.as_ref().ok_or(AdminClientError::NoListener)?;
        let mut address = admin.address;
        // Whoever listens everywhere listens here.
        if address.ip().is_unspecified() {
            address.set_ip(if address.is_ipv4() {
                [127, 0, 0, 1].into()
            } else {
                std::net::Ipv6Addr::LOCALHOST.into()
            });
        }
        let token = admin.token_file.as_deref().map(read_token).transpose();
        let token = token.map_err(|error| AdminClientError::Token(error.into()))?;
        Ok(Self { base: format!("http://{address}"), token })
    }

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// [`AdminClientError`].
    pub fn ask(&self, method: &str, path: &str) -> Result<Value, AdminClientError> {
        self.send(method, path, None)
    }

    /// Sends records, one on each line, and waits for the answer.
    ///
    /// # Errors
    /// [`AdminClientError`].
    pub fn send_lines(&self, path: &str, lines: String) -> Result<Value, AdminClientError> {
        self.send("POST", path, Some(lines))
    }

    fn send(&self, method: &str, path: &str, lines: Option<String>) -> Result<Value, AdminClientError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let failed = |source| AdminClientError::Ask { base: self.base.clone(), source };
        runtime.map_err(AdminClientError::Runtime)?.block_on(async {
            let client = reqwest::Client::builder().no_proxy().timeout(ANSWER_TIMEOUT).build();
            let method = Method::from_bytes(method.as_bytes()).unwrap_or(Method::GET);
            let mut request = client.map_err(failed)?.request(method, format!("{}{path}", self.base));
            if let Some(token) = &self.token {
                request = request.bearer_auth(token.as_str());
            }
            if let Some(lines) = lines {
                request = request.header(header::CONTENT_TYPE, "application/jsonl").body(lines);
            }
            let response = request.send().await.map_err(failed)?;
            let status = response.status();
            let answer = response.bytes().await.map_err(failed)?;
            let answer: Value = serde_json::from_slice(&answer).unwrap_or_default();
            if status.is_success() {
                return Ok(answer);
            }
            let text = |field: &str| answer[field].as_str().map(str::to_owned);
            let code = text("code").unwrap_or_else(|| status.to_string());
            let detail = text("detail").unwrap_or_else(|| "no answer of a gate".to_owned());
            Err(AdminClientError::Refused { status, code, detail })
        })
    }
}
