//! An HTTP/2 server on a thread of the test, by the h2 crate over tokio.

#![allow(clippy::unwrap_used, reason = "these functions belong to tests, whose failure a panic is")]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use std::{fs, thread};

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::{Request, Response};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::server::{self, Outcome};

/// What the server does with each request.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Does {
    /// Reads it, waits a moment, and answers; a path `/bytes/N` with so many.
    Answer,
    /// Answers so many on each connection, and announces that it takes no more.
    AnswerThenGo(u64),
    /// Answers before it has read the body, which it then refuses.
    AnswerEarly,
    /// Ends the stream.
    Reset,
    /// Never answers.
    Nothing,
}

/// What the server counts.
#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) connections: AtomicU64,
    pub(crate) requests: AtomicU64,
    pub(crate) body_bytes: AtomicU64,
    /// Most requests at one time on one connection.
    pub(crate) streams_max: AtomicU64,
}

/// A server until the test ends.
pub(crate) struct Http2Server {
    pub(crate) address: SocketAddr,
    pub(crate) directory: PathBuf,
    pub(crate) counts: Arc<Counts>,
}

impl Http2Server {
    pub(crate) fn start(does: Does) -> Self {
        let directory = server::new_directory();
        let identity = server::certificates(&directory);
        let verifier = identity.path_verifier();
        let mut config = identity.config(verifier);
        config.alpn_protocols = vec![b"h2".to_vec()];
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (acceptor, counts) = (TlsAcceptor::from(Arc::new(config)), Arc::<Counts>::default());
        let counted = Arc::clone(&counts);
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).unwrap();
                while let Ok((stream, _)) = listener.accept().await {
                    counted.connections.fetch_add(1, Ordering::SeqCst);
                    tokio::spawn(serve(stream, acceptor.clone(), does, Arc::clone(&counted)));
                }
            });
        });
        Self { address, directory, counts }
    }

    pub(crate) fn load(&self, options: &[&str]) -> Outcome {
        let [root, cert, key] = ["root.pem", "client.pem", "client.key"]
            .map(|name| self.directory.join(name).to_str().unwrap().to_owned());
        let all = ["--ca", &root, "--cert", &cert, "--key", &key, "--http2"];
        server::run("request", self.address, &[&all[..], options].concat())
    }

    pub(crate) fn count(&self, count: impl Fn(&Counts) -> &AtomicU64) -> u64 {
        count(&self.counts).load(Ordering::SeqCst)
    }
}

impl Drop for Http2Server {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.directory).unwrap();
    }
}

async fn serve(stream: TcpStream, acceptor: TlsAcceptor, does: Does, counts: Arc<Counts>) {
    stream.set_nodelay(true).unwrap();
    // The peer may go at any time, which ends the task.
    let Ok(tls) = acceptor.accept(stream).await else { return };
    let Ok(mut connection) = h2::server::handshake(tls).await else { return };
    let (mut taken, streams) = (0, Arc::new(AtomicU64::new(0)));
    while let Some(Ok((request, respond))) = connection.accept().await {
        taken += 1;
        counts.requests.fetch_add(1, Ordering::SeqCst);
        let now = streams.fetch_add(1, Ordering::SeqCst) + 1;
        counts.streams_max.fetch_max(now, Ordering::SeqCst);
        let (streams, counts) = (Arc::clone(&streams), Arc::clone(&counts));
        tokio::spawn(async move {
            let _ = answer(request, respond, does, &counts).await;
            streams.fetch_sub(1, Ordering::SeqCst);
        });
        if does == Does::AnswerThenGo(taken) {
            connection.graceful_shutdown();
        }
    }
}

async fn answer(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    does: Does,
    counts: &Counts,
) -> Result<(), h2::Error> {
    let bytes = request.uri().path().strip_prefix("/bytes/").map_or(3, |bytes| bytes.parse().unwrap());
    let mut body = request.into_body();
    match does {
        Does::Reset => {
            respond.send_reset(Reason::REFUSED_STREAM);
            return Ok(());
        }
        Does::Nothing => {
            tokio::time::sleep(Duration::from_secs(60)).await;
            return Ok(());
        }
        Does::AnswerEarly => {
            // Behind it h2 resets the stream with NO_ERROR, since the body was not read.
            respond.send_response(Response::new(()), true)?;
            return Ok(());
        }
        Does::Answer | Does::AnswerThenGo(_) => {}
    }
    while let Some(chunk) = body.data().await {
        let length = chunk?.len();
        counts.body_bytes.fetch_add(length as u64, Ordering::SeqCst);
        body.flow_control().release_capacity(length)?;
    }
    tokio::time::sleep(Duration::from_millis(3)).await;
    let mut out = respond.send_response(Response::new(()), false)?;
    out.send_data(Bytes::from(vec![b'y'; bytes]), true)
}
