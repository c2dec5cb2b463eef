//! Asks the admin listener of a gate that runs.

mod known_server;

use std::{path::PathBuf, sync::Arc, time::Duration};

use http::{Method, StatusCode, header};
use rustls::{ClientConfig, crypto::aws_lc_rs};
use serde_json::Value;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::{
    Configuration,
    admin_tls::Demand,
    admin_token::read_token,
    configuration::{AdminTlsSettings, ClientFiles, FileError, read_chain, read_own_key},
};
use known_server::KnownServer;

/// For a whole answer. A store on a slow disk takes a second.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// Speaks to the admin listener that a configuration names.
#[derive(Debug)]
pub struct AdminClient {
    base: String,
    token: Option<Zeroizing<String>>,
    tls: Option<ClientConfig>,
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
    /// The gate will not speak to whoever has none.
    #[error("the gate demands a certificate, and the configuration has no [admin.tls.client]")]
    NoCertificate,
    /// A file of the command's own certificate cannot be used.
    #[error("the certificate of [admin.tls.client]: {file}")]
    Certificate {
        /// Which.
        file: PathBuf,
        /// Why not.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The certificate and its key cannot serve.
    #[error("TLS with [admin.tls.client]")]
    Tls(#[source] rustls::Error),
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
    /// A client for the gate that runs with `configuration`. It reads the token, and the certificate of `[admin.tls.client]`.
    ///
    /// # Errors
    /// [`AdminClientError::NoListener`], or what is wrong with those.
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
        let tls = admin.tls.as_ref().map(client_config).transpose()?;
        let scheme = if tls.is_some() { "https" } else { "http" };
        Ok(Self { base: format!("{scheme}://{address}"), token, tls })
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
            let mut client = reqwest::Client::builder().no_proxy().timeout(ANSWER_TIMEOUT);
            if let Some(tls) = &self.tls {
                client = client.tls_backend_preconfigured(tls.clone());
            }
            let client = client.build();
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

/// Believes the certificate of the configuration, and presents the client's, if there is one.
fn client_config(settings: &AdminTlsSettings) -> Result<ClientConfig, AdminClientError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = KnownServer::new(settings.leaf.clone(), provider.signature_verification_algorithms);
    let builder = ClientConfig::builder_with_provider(provider);
    let builder = builder.with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12]);
    let builder = builder.map_err(AdminClientError::Tls)?;
    let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
    let Some(ClientFiles { chain, key }) = &settings.client else {
        return match settings.tls.demand() {
            Demand::Nothing => Ok(builder.with_no_client_auth()),
            Demand::Certificate(_) => Err(AdminClientError::NoCertificate),
        };
    };
    let unusable = |file: &PathBuf| {
        let file = file.clone();
        |error: FileError| AdminClientError::Certificate { file, source: error.into() }
    };
    let chain = read_chain(chain).map_err(unusable(chain))?;
    let key = read_own_key(key).map_err(unusable(key))?;
    builder.with_client_auth_cert(chain, key).map_err(AdminClientError::Tls)
}
