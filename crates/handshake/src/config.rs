//! rustls server configurations.

use std::{sync::Arc, time::Duration};

use rustls::{
    ServerConfig, SupportedCipherSuite,
    crypto::{
        CryptoProvider, SupportedKxGroup,
        aws_lc_rs::{self, cipher_suite as suite},
    },
    server::NoServerSessionStorage,
    sign::{CertifiedKey, SingleCertAndKey},
    version::{TLS12, TLS13},
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use thiserror::Error;

use crate::{
    KeyRing, judge::PossessionFirst, key_schedule::cipher_suites, ticket::DomainKeys, ticketer::Ticketer,
};

/// Cipher suites in our order, whatever the client's. SHA-256 before SHA-384: processors compute the one in hardware
/// and most not the other, and the key schedule of a handshake hashes enough for that to be a tenth of its cost,
/// while P-256 and X25519 give no more than the 128 bits that AES-128 has.
pub(crate) const CIPHER_SUITES: [SupportedCipherSuite; 9] = [
    suite::TLS13_AES_128_GCM_SHA256,
    suite::TLS13_AES_256_GCM_SHA384,
    suite::TLS13_CHACHA20_POLY1305_SHA256,
    suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
];

/// Whether a server asks its clients for a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientCertificates {
    /// It does not ask.
    NotAsked,
    /// It asks; a client may have none.
    Asked,
    /// No certificate, no handshake.
    Required,
}

/// TLS parameters of a listener, each in the order of preference.
#[derive(Debug, Clone)]
pub struct TlsParameters {
    /// Whether TLS 1.2 is spoken beside 1.3.
    pub tls12: bool,
    /// Key exchange groups of [`rustls::crypto::aws_lc_rs::kx_group`].
    pub key_exchange: Vec<&'static dyn SupportedKxGroup>,
    /// Application protocols as on the wire.
    pub alpn: Vec<Vec<u8>>,
}

/// A server certificate chain, leaf first, and the leaf's key.
#[derive(Debug)]
pub struct ServerIdentity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

/// What the tickets of a trust domain are made with.
#[derive(Debug, Clone, Copy)]
pub struct Tickets<'a> {
    /// The secrets.
    pub ring: &'a KeyRing,
    /// A digest of what was configured of the trust domain. Its tickets are opened where this is the same, and nowhere else.
    pub domain: [u8; 32],
    /// How long a session may be resumed, from its full handshake on.
    pub max_age: Duration,
}

/// Why a configuration cannot be made.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The key is none that can sign, or not the certificate's.
    #[error("the private key cannot serve this certificate")]
    Key(#[source] rustls::Error),
    /// Versions and groups leave no cipher suite.
    #[error("these TLS parameters leave nothing to negotiate")]
    Parameters(#[source] rustls::Error),
}

impl Tickets<'_> {
    /// The keys that they are sealed with and opened.
    pub fn keys(&self) -> DomainKeys {
        DomainKeys::derive(self.ring, &self.domain, self.max_age.as_secs())
    }
}

impl ServerIdentity {
    /// Takes copies of a chain and its key.
    pub fn new(chain: &[CertificateDer<'static>], key: &PrivateKeyDer<'static>) -> Self {
        Self { chain: chain.to_vec(), key: key.clone_key() }
    }
}

/// Makes the configuration of one trust domain.
///
/// Sessions are resumed by `tickets` alone, one a handshake, and only those of clients that presented a certificate: rustls'
/// store of sessions is off, since through it a client would resume past them. Early data is off.
///
/// # Errors
/// [`ConfigError`], where the key is not the certificate's or the parameters leave nothing.
pub fn server_config(
    parameters: &TlsParameters,
    identity: ServerIdentity,
    certificates: ClientCertificates,
    tickets: Option<Tickets<'_>>,
) -> Result<Arc<ServerConfig>, ConfigError> {
    let provider = CryptoProvider {
        cipher_suites: cipher_suites(),
        kx_groups: parameters.key_exchange.clone(),
        ..aws_lc_rs::default_provider()
    };
    let key = CertifiedKey::from_der(identity.chain, identity.key, &provider).map_err(ConfigError::Key)?;
    let algorithms = provider.signature_verification_algorithms;
    let versions: &[_] = if parameters.tls12 { &[&TLS13, &TLS12] } else { &[&TLS13] };
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(versions)
        .map_err(ConfigError::Parameters)?
        .with_client_cert_verifier(PossessionFirst::shared(certificates, algorithms))
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(key)));
    config.ignore_client_order = true;
    config.alpn_protocols.clone_from(&parameters.alpn);
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    if let Some(tickets) = tickets.filter(|_| certificates != ClientCertificates::NotAsked) {
        config.ticketer = Arc::new(Ticketer { keys: tickets.keys() });
        config.send_tls13_tickets = 1;
    }
    Ok(Arc::new(config))
}

/// Whether `key` is the key of the first certificate of `chain`.
///
/// # Errors
/// [`ConfigError::Key`], with the reason.
pub fn key_matches(
    chain: &[CertificateDer<'static>],
    key: &PrivateKeyDer<'static>,
) -> Result<(), ConfigError> {
    CertifiedKey::from_der(chain.to_vec(), key.clone_key(), &aws_lc_rs::default_provider())
        .map(drop)
        .map_err(ConfigError::Key)
}
