//! The admin listener: metrics, health, readiness, and the API of operators.

mod api;

use std::{
    future::pending,
    net::SocketAddr,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{Extension, Router, extract::State, response::IntoResponse, routing::get};
use http::{StatusCode, header};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use metrics::{Counter, counter};
use portcullis_gateway::Heartbeats;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    select,
    sync::{Semaphore, watch},
    time::{sleep, timeout},
};

use crate::{AdminSettings, ControlError, admin_tls::VerifiedClient, error::chain, recorder::Recorder};
pub(crate) use api::{Api, Backend};

/// Connections at a time. Scrapers and probes need a handful; what comes beyond waits in the kernel's queue until one ends,
/// which [`CONNECTION_AGE_MAX`] sees to.
const CONNECTIONS_MAX: usize = 64;
/// For a request head, and between requests. Longer than the usual scrape interval, so that scrapers keep their connection.
const HEAD_TIMEOUT: Duration = Duration::from_secs(75);
/// Whoever does not read the answer cannot hold a place for longer.
const CONNECTION_AGE_MAX: Duration = Duration::from_secs(10 * 60);
/// For the answer in flight when a connection has reached its age.
const LAST_ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
const HEAD_BYTES_MAX: usize = 16 << 10;
const HEAD_FIELDS_MAX: usize = 64;
/// After an accept that failed, for want of descriptors as a rule: time for some to be freed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How far the process is.
#[derive(Debug, Clone)]
pub(crate) enum Phase {
    /// Not all shards accept yet.
    Starting,
    /// All do.
    Serving(Heartbeats),
    /// No more connections are taken.
    Draining(Heartbeats),
}

impl Phase {
    const fn heartbeats(&self) -> Option<&Heartbeats> {
        match self {
            Self::Starting => None,
            Self::Serving(heartbeats) | Self::Draining(heartbeats) => Some(heartbeats),
        }
    }

    /// What to say of a shard that is stuck.
    fn stuck(&self) -> Option<String> {
        let (shard, silence) = self.heartbeats()?.stuck(Instant::now())?;
        Some(format!("shard {shard} has been stuck for {} s\n", silence.as_secs()))
    }
}

/// The bound socket.
#[derive(Debug)]
pub(crate) struct AdminListener {
    socket: TcpListener,
    address: SocketAddr,
}

/// What the answers are made from.
#[derive(Debug, Clone)]
pub(crate) struct Sources {
    pub(crate) recorder: Recorder,
    pub(crate) phase: watch::Receiver<Phase>,
    pub(crate) lists_missing: watch::Receiver<Option<String>>,
}

/// The settings that are in force, and those that follow them.
pub(crate) type Settings = watch::Receiver<Arc<AdminSettings>>;

/// Who came, and the settings under which they were let in.
#[derive(Debug, Clone)]
struct Arrival {
    peer: SocketAddr,
    /// Where a certificate was demanded.
    client: Option<VerifiedClient>,
    settings: Arc<AdminSettings>,
}

impl AdminListener {
    /// Binds the address.
    ///
    /// # Errors
    /// [`ControlError::Admin`].
    pub(crate) async fn bind(address: SocketAddr) -> Result<Self, ControlError> {
        let refuse = |source| ControlError::Admin { address, source };
        let socket = TcpListener::bind(address).await.map_err(refuse)?;
        let address = socket.local_addr().map_err(refuse)?;
        Ok(Self { socket, address })
    }

    /// Where it listens.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until the runtime ends.
    pub(crate) async fn serve(self, sources: Sources, api: Api, settings: Settings) {
        let router = router(sources).merge(api.router());
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        // The semaphore is never closed, so there is always a place to wait for.
        while let Ok(place) = Arc::clone(&places).acquire_owned().await {
            match self.socket.accept().await {
                Ok((stream, peer)) => {
                    let (router, settings) = (router.clone(), settings.clone());
                    tokio::spawn(async move {
                        receive(stream, peer, router, settings).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "the admin listener cannot accept");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

fn router(sources: Sources) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/health", get(health))
        .route("/ready", get(ready))
        .with_state(sources)
}

async fn metrics(State(sources): State<Sources>) -> impl IntoResponse {
    if let Some(heartbeats) = sources.phase.borrow().heartbeats() {
        sources.recorder.heartbeat_ages(heartbeats.ages(Instant::now()));
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], sources.recorder.render())
}

/// Whether the process can be left alone. That this is read shows that the control plane lives; the shards are asked.
async fn health(State(sources): State<Sources>) -> (StatusCode, String) {
    match sources.phase.borrow().stuck() {
        Some(stuck) => (StatusCode::SERVICE_UNAVAILABLE, stuck),
        None => (StatusCode::OK, "ok\n".to_owned()),
    }
}

/// Whether connections are welcome. Those that the kernel gives to a shard that is stuck would wait for ever.
async fn ready(State(sources): State<Sources>) -> (StatusCode, String) {
    let phase = sources.phase.borrow();
    let unready = match &*phase {
        Phase::Starting => Some("starting\n".to_owned()),
        Phase::Serving(_) => phase.stuck().or_else(|| sources.lists_missing.borrow().clone()),
        Phase::Draining(_) => Some("draining\n".to_owned()),
    };
    match unready {
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, why),
        None => (StatusCode::OK, "ready\n".to_owned()),
    }
}

/// Finishes the handshake, where there is one, and serves whoever came.
async fn receive(stream: TcpStream, peer: SocketAddr, router: Router, mut in_force: Settings) {
    let settings = Arc::clone(&in_force.borrow_and_update());
    let Some(tls) = settings.tls.as_ref().map(|tls| Arc::clone(&tls.tls)) else {
        let router = router.layer(Extension(Arrival { peer, client: None, settings }));
        return serve_connection(stream, router, in_force).await;
    };
    match tls.accept(stream).await {
        Ok((stream, client)) => {
            let router = router.layer(Extension(Arrival { peer, client, settings }));
            serve_connection(stream, router, in_force).await;
        }
        Err(error) => {
            handshake_failures(error.reason()).increment(1);
            tracing::debug!(%peer, error = chain(&error), "no handshake with the admin listener");
        }
    }
}

/// How a connection ends is its client's affair: there is nobody to tell. Where other settings come into force it ends after its
/// answer, so that nobody is served for longer whom they would not let in.
async fn serve_connection(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    router: Router,
    mut in_force: Settings,
) {
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    builder.max_buf_size(HEAD_BYTES_MAX).max_headers(HEAD_FIELDS_MAX);
    let mut connection =
        pin!(builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router)));
    select! {
        _ = connection.as_mut() => return,
        () = sleep(CONNECTION_AGE_MAX) => {}
        () = are_followed(&mut in_force) => {}
    }
    connection.as_mut().graceful_shutdown();
    drop(timeout(LAST_ANSWER_TIMEOUT, connection).await);
}

/// Other settings have come into force. Never, once none can.
async fn are_followed(settings: &mut Settings) {
    if settings.changed().await.is_err() {
        pending::<()>().await;
    }
}

/// Counts handshakes that failed.
pub(crate) fn handshake_failures(reason: &'static str) -> Counter {
    counter!("portcullis_admin_handshake_failures_total", "reason" => reason)
}

#[cfg(test)]
mod tests;
