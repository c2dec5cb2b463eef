//! A server on loopback that answers what a test tells it to, byte for byte.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::Full;
use hyper_util::rt::{TokioExecutor, TokioIo};
use portcullis_test_pki::{Authority, Credential, ServerCertificate};
use rustls::{ServerConfig, crypto::aws_lc_rs::default_provider};
use rustls_pki_types::CertificateDer;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

/// What the server does after it has read a request.
#[derive(Debug, Clone)]
pub(super) enum Act {
    Send(Vec<u8>),
    /// Sends this again and again until the client is gone.
    Repeat(&'static [u8]),
    /// A byte of this, and a pause much shorter than any limit, until the client is gone.
    Drip,
    /// Silence, until the client is gone.
    Wait,
    /// Ends TLS as it should be ended.
    End,
    /// Ends TCP in the middle of it.
    Cut,
}

pub(super) fn text(text: impl AsRef<str>) -> Act {
    Act::Send(text.as_ref().as_bytes().to_owned())
}

/// An answer with this body and its length.
pub(super) fn ok(body: &str) -> Vec<Act> {
    vec![text(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()))]
}

/// What is answered to a request, told by its head.
type Script = dyn Fn(&str) -> Vec<Act> + Send + Sync;

pub(super) struct Server {
    address: SocketAddr,
    authority: Authority,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Every connection is asked once and answered by the script.
    pub(super) async fn start(script: impl Fn(&str) -> Vec<Act> + Send + Sync + 'static) -> Self {
        Self::start_as(&["127.0.0.1"], script).await
    }

    /// Its certificate is for these names.
    pub(super) async fn start_as(
        names: &[&str],
        script: impl Fn(&str) -> Vec<Act> + Send + Sync + 'static,
    ) -> Self {
        let (authority, acceptor) = certified(names, &[]);
        let (listener, address) = listen().await;
        let heads = Arc::<Mutex<Vec<String>>>::default();
        let (script, asked): (Arc<Script>, _) = (Arc::new(script), Arc::clone(&heads));
        tokio::spawn(async move {
            loop {
                let (tcp, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(tcp, acceptor.clone(), Arc::clone(&script), Arc::clone(&asked)));
            }
        });
        Self { address, authority, heads }
    }

    /// It speaks HTTP/2, and answers each request by its path.
    pub(super) async fn start_h2() -> Self {
        let (authority, acceptor) = certified(&["127.0.0.1"], &[b"h2"]);
        let (listener, address) = listen().await;
        tokio::spawn(async move {
            loop {
                let (tcp, _) = listener.accept().await.unwrap();
                let Ok(tls) = acceptor.accept(tcp).await else { continue };
                let service = hyper::service::service_fn(|request: http::Request<_>| async move {
                    let _: hyper::body::Incoming = request.into_body();
                    Ok::<_, hyper::Error>(http::Response::new(Full::new(Bytes::from_static(b"over h2"))))
                });
                let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                tokio::spawn(connection.serve_connection(TokioIo::new(tls), service));
            }
        });
        Self { address, authority, heads: Arc::default() }
    }

    pub(super) fn root(&self) -> CertificateDer<'static> {
        self.authority.root_der().clone()
    }

    pub(super) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.address)
    }

    /// The heads of the requests so far.
    pub(super) fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

fn certified(names: &[&str], protocols: &[&[u8]]) -> (Authority, TlsAcceptor) {
    let authority = Authority::bank().unwrap();
    let certificate: Credential = ServerCertificate::new(names.iter().copied()).issue(&authority).unwrap();
    let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let mut config = builder.with_single_cert(certificate.chain(), certificate.key()).unwrap();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    (authority, TlsAcceptor::from(Arc::new(config)))
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

async fn serve(
    tcp: TcpStream,
    acceptor: TlsAcceptor,
    script: Arc<Script>,
    heads: Arc<Mutex<Vec<String>>>,
) -> std::io::Result<()> {
    let mut tls = acceptor.accept(tcp).await?;
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        head.push(tls.read_u8().await?.into());
    }
    let acts = script(&head);
    heads.lock().unwrap().push(head);
    for act in acts {
        perform(&mut tls, act).await?;
    }
    tls.shutdown().await
}

/// Fails to end the connection, without another word.
async fn perform(tls: &mut TlsStream<TcpStream>, act: Act) -> std::io::Result<()> {
    match act {
        Act::Send(bytes) => {
            tls.write_all(&bytes).await?;
            tls.flush().await
        }
        Act::Repeat(bytes) => loop {
            tls.write_all(bytes).await?;
        },
        Act::Drip => loop {
            tls.write_all(b"a").await?;
            tls.flush().await?;
            tokio::time::sleep(Duration::from_millis(5)).await;
        },
        Act::Wait => loop {
            tls.read_u8().await?;
        },
        Act::End => tls.shutdown().await,
        Act::Cut => Err(std::io::ErrorKind::ConnectionAborted.into()),
    }
}
