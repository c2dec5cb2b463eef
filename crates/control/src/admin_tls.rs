//! TLS of the admin listener, and whom a client's certificate names.

use std::{fmt, io, sync::Arc, time::Duration};

use portcullis_identity::{Identity, IdentityError};
use portcullis_trust::Anchors;
use rustls::{
    AlertDescription, RootCertStore, ServerConfig, crypto::aws_lc_rs, server::NoServerSessionStorage,
    server::WebPkiClientVerifier,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use thiserror::Error;
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

/// From accept to the end of the handshake. Operators are near, and their certificates few; whoever says nothing holds one of the
/// listener's places for so long and is cut off.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// What a name of subjectAltName is written with.
const DNS: &str = "dns:";

/// How the admin listener speaks TLS, and whom it asks for a certificate.
pub(crate) struct AdminTls {
    acceptor: TlsAcceptor,
    demand: Demand,
}

/// Whose certificate is demanded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Demand {
    /// Nobody's.
    Nothing,
    /// Everybody's, of which the anchors say that it is genuine; those of whoever uses the API must be so named, if there are
    /// names.
    Certificate(Vec<ClientName>),
}

/// A name by which a client may use the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ClientName {
    /// The subject, as RFC 4514 writes it.
    Subject(String),
    /// A dNSName of subjectAltName, in lower case.
    Dns(String),
}

/// What the certificate of a client says, once its path was built to an anchor and possession of its key was proved. Only
/// [`AdminTls::accept`] makes one.
#[derive(Debug, Clone)]
pub(crate) struct VerifiedClient {
    subject: String,
    dns: Vec<String>,
    /// For a certificate that names nobody.
    thumbprint: String,
}

/// Why there is no session: the client's fault, or that of the way to it.
#[derive(Debug, Error)]
pub(crate) enum AdminHandshakeError {
    /// It took too long.
    #[error("no handshake within {} s", HANDSHAKE_TIMEOUT.as_secs())]
    Timeout,
    /// It failed, or the connection did.
    #[error("the handshake failed")]
    Failed(#[from] io::Error),
    /// The certificate is genuine and cannot be read all the same.
    #[error("the client's certificate cannot be read")]
    Unreadable(#[from] IdentityError),
}

impl AdminTls {
    /// TLS 1.2 and 1.3 with a chain and its key; clients must have a certificate that leads to one of `anchors`, where there are
    /// any. No session is resumed, so that everybody is verified each time.
    ///
    /// # Errors
    /// The key is not the certificate's, or the anchors cannot serve.
    pub(crate) fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        clients: Option<(&Anchors, Vec<ClientName>)>,
    ) -> Result<Self, rustls::Error> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?;
        let (builder, demand) = match clients {
            None => (builder.with_no_client_auth(), Demand::Nothing),
            Some((anchors, names)) => {
                let roots = RootCertStore { roots: anchors.trust_anchors().to_vec() };
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                let verifier = verifier.build().map_err(|error| rustls::Error::General(error.to_string()))?;
                (builder.with_client_cert_verifier(verifier), Demand::Certificate(names))
            }
        };
        let mut config = builder.with_single_cert(chain, key)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), demand })
    }

    /// Whose certificate is demanded.
    pub(crate) const fn demand(&self) -> &Demand {
        &self.demand
    }

    /// Finishes the handshake. A client is there where a certificate is demanded.
    ///
    /// # Errors
    /// [`AdminHandshakeError`]; then the client has been told by an alert, if it was still there.
    pub(crate) async fn accept(
        &self,
        stream: TcpStream,
    ) -> Result<(TlsStream<TcpStream>, Option<VerifiedClient>), AdminHandshakeError> {
        let accepted = timeout(HANDSHAKE_TIMEOUT, self.acceptor.accept(stream)).await;
        let stream = accepted.map_err(|_| AdminHandshakeError::Timeout)??;
        let leaf = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
        let client = leaf.map(VerifiedClient::read).transpose()?;
        Ok((stream, client))
    }
}

impl fmt::Debug for AdminTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminTls").field("demand", &self.demand).finish_non_exhaustive()
    }
}

impl Demand {
    /// Whether that client may use the API.
    pub(crate) fn allows(&self, client: &VerifiedClient) -> bool {
        match self {
            Self::Nothing => true,
            Self::Certificate(names) => names.is_empty() || names.iter().any(|name| client.is(name)),
        }
    }
}

impl ClientName {
    /// Reads a name as it is configured. `None` for what stands in no certificate.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let is_dns = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.*".contains(&byte);
        match text.strip_prefix(DNS) {
            Some(name) if !name.is_empty() && name.bytes().all(is_dns) => {
                Some(Self::Dns(name.to_ascii_lowercase()))
            }
            Some(_) => None,
            None => text.contains('=').then(|| Self::Subject(text.to_owned())),
        }
    }
}

impl fmt::Display for ClientName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Subject(subject) => f.write_str(subject),
            Self::Dns(name) => write!(f, "{DNS}{name}"),
        }
    }
}

impl VerifiedClient {
    fn read(leaf: &CertificateDer<'_>) -> Result<Self, IdentityError> {
        let identity = Identity::from_der(leaf)?;
        let dns = identity.subject_alt_name.map(|names| names.dns).unwrap_or_default();
        Ok(Self {
            subject: identity.subject.distinguished_name,
            dns: dns.into_iter().map(|name| name.to_ascii_lowercase()).collect(),
            thumbprint: identity.thumbprint.to_string(),
        })
    }

    /// A name is compared as a whole: one with a wildcard stands for itself.
    fn is(&self, name: &ClientName) -> bool {
        match name {
            ClientName::Subject(subject) => self.subject == *subject,
            ClientName::Dns(name) => self.dns.contains(name),
        }
    }
}

impl fmt::Display for VerifiedClient {
    /// The subject; of a certificate without one the first name, and without names its thumbprint.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.subject.as_str(), self.dns.first()) {
            ("", Some(name)) => write!(f, "{DNS}{name}"),
            ("", None) => write!(f, "certificate {}", self.thumbprint),
            (subject, _) => f.write_str(subject),
        }
    }
}

impl AdminHandshakeError {
    /// A word for metrics.
    pub(crate) fn reason(&self) -> &'static str {
        let rustls = match self {
            Self::Timeout => return "timeout",
            Self::Unreadable(_) => return "client_cert",
            Self::Failed(error) => error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()),
        };
        match rustls {
            Some(rustls::Error::NoCertificatesPresented) => "no_cert",
            Some(rustls::Error::InvalidCertificate(_)) => "client_cert",
            Some(rustls::Error::AlertReceived(AlertDescription::CloseNotify)) | None => "closed",
            Some(rustls::Error::AlertReceived(_)) => "server_refused",
            Some(_) => "protocol",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(subject: &str, dns: &[&str]) -> VerifiedClient {
        let dns = dns.iter().map(|name| (*name).to_owned()).collect();
        VerifiedClient { subject: subject.to_owned(), dns, thumbprint: "3b1f".to_owned() }
    }

    fn names(names: &[&str]) -> Demand {
        Demand::Certificate(names.iter().map(|name| ClientName::parse(name).unwrap()).collect())
    }

    #[test]
    fn a_client_is_one_of_those_named_by_its_whole_name() {
        let ada = client("CN=ada,O=Musterbank AG,C=DE", &["ada.bank.example"]);
        for allowed in [
            &[][..],
            &["CN=ada,O=Musterbank AG,C=DE"],
            &["CN=bob,O=Musterbank AG,C=DE", "dns:Ada.bank.example"],
        ] {
            assert!(names(allowed).allows(&ada), "{allowed:?}");
        }
        for other in [
            "CN=ada",
            "cn=ada,O=Musterbank AG,C=DE",
            "CN=ada,O=Musterbank AG,C=DE,",
            "C=DE,O=Musterbank AG,CN=ada",
            "dns:bank.example",
            "dns:*.bank.example",
            "dns:da.bank.example",
        ] {
            assert!(!names(&[other]).allows(&ada), "{other}");
        }
    }

    #[test]
    fn a_name_says_what_kind_it_is() {
        for odd in ["", "ada", "dns:", "dns:a b", "dns:a/b", "ada.bank.example", "DNS:ada.bank.example"] {
            assert_eq!(ClientName::parse(odd), None, "{odd}");
        }
        assert_eq!(ClientName::parse("CN=dns:ada").map(|it| it.to_string()).as_deref(), Some("CN=dns:ada"));
        assert_eq!(ClientName::parse("dns:ADA").map(|it| it.to_string()).as_deref(), Some("dns:ada"));
    }

    #[test]
    fn whoever_comes_has_a_name_in_records() {
        assert_eq!(client("CN=ada", &["a.example"]).to_string(), "CN=ada");
        assert_eq!(client("", &["a.example"]).to_string(), "dns:a.example");
        assert_eq!(client("", &[]).to_string(), "certificate 3b1f");
    }
}
