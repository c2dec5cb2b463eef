//! The admin listener: metrics, health, readiness, and the API of operators.

mod api;

use std::{
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
use portcullis_gateway::Heartbeats;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    time::{sleep, timeout},
};

use crate::{ControlError, recorder::Recorder};
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
struct Sources {
    recorder: Recorder,
    phase: watch::Receiver<Phase>,
    lists_missing: watch::Receiver<Option<String>>,
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
    pub(crate) async fn serve(
        self,
        recorder: Recorder,
        phase: watch::Receiver<Phase>,
        lists_missing: watch::Receiver<Option<String>>,
        api: Api,
    ) {
        let router = router(Sources { recorder, phase, lists_missing }).merge(api.router());
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        // The semaphore is never closed, so there is always a place to wait for.
        while let Ok(place) = Arc::clone(&places).acquire_owned().await {
            match self.socket.accept().await {
                Ok((stream, peer)) => {
                    let router = router.clone().layer(Extension(peer));
                    tokio::spawn(async move {
                        serve_connection(stream, router).await;
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

/// How a connection ends is its client's affair: there is nobody to tell.
async fn serve_connection(stream: TcpStream, router: Router) {
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    builder.max_buf_size(HEAD_BYTES_MAX).max_headers(HEAD_FIELDS_MAX);
    let mut connection =
        pin!(builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router)));
    if timeout(CONNECTION_AGE_MAX, connection.as_mut()).await.is_err() {
        connection.as_mut().graceful_shutdown();
        drop(timeout(LAST_ANSWER_TIMEOUT, connection).await);
    }
}

#[cfg(test)]
mod tests;
