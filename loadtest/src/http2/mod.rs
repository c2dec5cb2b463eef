//! HTTP/2 (RFC 9113) on a connection whose handshake is complete. The h2 crate has the protocol; two tasks move what it says and hears
//! between TLS and the socket.

mod plain_stream;
mod pump;

use std::future::poll_fn;
use std::rc::Rc;

use bytes::Bytes;
use h2::client::{self, ResponseFuture, SendRequest};
use h2::{Reason, RecvStream, SendStream};
use http::{Method, Request, Uri, Version};

use crate::answer::Answer;
use crate::connection::{self, Connection};
use crate::failure::Failure;
use crate::plan::Exchange;

use self::plain_stream::{PlainStream, Shared};
use self::pump::Socket;

/// Bytes that the server may send on a stream before it hears of their being read. A browser's is six times as much.
const STREAM_WINDOW_BYTES: u32 = 1 << 20;
/// The same of a connection.
const CONNECTION_WINDOW_BYTES: u32 = 16 << 20;
/// Bytes of a body that are given to a stream at once.
const BODY_CHUNK_BYTES: usize = 64 * 1024;

/// A connection that speaks HTTP/2. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Http2Connection {
    shared: Rc<Shared>,
    /// Keeps the descriptor from being closed before it is shut down.
    socket: Socket,
    requests: SendRequest<Bytes>,
}

/// One of the streams of a connection at a time: it sends one request after the other.
#[derive(Debug)]
pub(crate) struct Lane {
    shared: Rc<Shared>,
    requests: SendRequest<Bytes>,
}

/// Why an exchange did not come to an answer.
#[derive(Debug)]
pub(crate) enum Ended {
    /// The server takes no more requests on this connection, and this one was not processed.
    Closing,
    /// It failed.
    Failed(Failure),
}

impl Http2Connection {
    /// Begins to speak HTTP/2. The server must have chosen it in the handshake.
    pub(crate) async fn begin(connection: Connection, streams: u32) -> Result<Self, Failure> {
        let (stream, tls) = connection.into_parts();
        if tls.alpn_protocol() != Some(b"h2") {
            return Err(Failure::NotHttp2);
        }
        let shared = Rc::new(Shared::new(tls));
        let socket = pump::start(stream, &shared);
        let mut builder = client::Builder::new();
        builder
            .enable_push(false)
            .initial_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .initial_max_send_streams(streams as usize);
        let begun = builder.handshake(PlainStream::new(&shared)).await;
        let (requests, protocol) = begun.map_err(|error| failure(&shared, &error))?;
        // Its end shows in the requests.
        monoio::spawn(async move { drop(protocol.await) });
        Ok(Self { shared, socket, requests })
    }

    /// One more that sends requests.
    pub(crate) fn lane(&self) -> Lane {
        Lane { shared: Rc::clone(&self.shared), requests: self.requests.clone() }
    }

    /// Tickets of TLS 1.3 that came since this was asked last.
    pub(crate) fn new_tickets(&self) -> u64 {
        self.shared.new_tickets()
    }
}

impl Drop for Http2Connection {
    fn drop(&mut self) {
        connection::release(self.socket.descriptor());
    }
}

impl Lane {
    /// Sends a request, with its body if it has one, and reads the answer to its end.
    pub(crate) async fn exchange(&mut self, exchange: &Exchange) -> Result<Answer, Ended> {
        poll_fn(|cx| self.requests.poll_ready(cx)).await.map_err(|error| self.failed(&error))?;
        let sent = self.requests.send_request(exchange.http2.clone(), exchange.body_bytes == 0);
        let (response, body) = sent.map_err(|error| self.failed(&error))?;
        if exchange.body_bytes > 0 {
            // A server that answers before it has read the body may stop the body there; what it answered counts.
            let _ = send(body, exchange.body_bytes).await;
        }
        receive(response, exchange.body_bytes > 0).await.map_err(|error| self.failed(&error))
    }

    /// A request that comes after the last one that a server takes was not processed (RFC 9113, section 6.8).
    fn failed(&self, error: &h2::Error) -> Ended {
        match error.reason() {
            Some(Reason::NO_ERROR) if error.is_go_away() && error.is_remote() => Ended::Closing,
            _ => Ended::Failed(failure(&self.shared, error)),
        }
    }
}

/// What the server says of it, or how the connection ended.
fn failure(shared: &Shared, error: &h2::Error) -> Failure {
    match (error.reason(), shared.end()) {
        (Some(reason), _) if error.is_reset() && error.is_remote() => Failure::Reset(reason),
        (Some(reason), _) if error.is_go_away() && error.is_remote() => Failure::GoAway(reason),
        (_, Some(end)) => end,
        _ => Failure::Http2(error.to_string()),
    }
}

/// Sends a body as the server lets it.
async fn send(mut body: SendStream<Bytes>, bytes: u64) -> Result<(), h2::Error> {
    let (chunk, mut left) = (Bytes::from(vec![b'x'; BODY_CHUNK_BYTES]), bytes);
    while left > 0 {
        let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(BODY_CHUNK_BYTES);
        body.reserve_capacity(wanted);
        let Some(granted) = poll_fn(|cx| body.poll_capacity(cx)).await else { return Ok(()) };
        let granted = granted?.min(wanted);
        left -= granted as u64;
        body.send_data(chunk.slice(..granted), left == 0)?;
    }
    Ok(())
}

/// Reads an answer to its end. Behind a whole answer the server may stop a body that it does not want (RFC 9113, section 8.1).
async fn receive(response: ResponseFuture, uploads: bool) -> Result<Answer, h2::Error> {
    let was_stopped =
        |error: &h2::Error| uploads && error.is_remote() && error.reason() == Some(Reason::NO_ERROR);
    let response = response.await?;
    let status = response.status().as_u16();
    let mut body: RecvStream = response.into_body();
    let mut bytes = 0;
    while let Some(chunk) = body.data().await {
        match chunk {
            Ok(chunk) => {
                bytes += chunk.len() as u64;
                body.flow_control().release_capacity(chunk.len())?;
            }
            Err(error) if was_stopped(&error) => break,
            Err(error) => return Err(error),
        }
    }
    Ok(Answer { status, closes: false, bytes })
}

/// The head of a request, which is sent again and again.
pub(crate) fn request(method: &Method, host: &str, path: &str) -> Result<Request<()>, http::Error> {
    let uri = Uri::builder().scheme("https").authority(host).path_and_query(path).build()?;
    Request::builder()
        .method(method)
        .uri(uri)
        .version(Version::HTTP_2)
        .header("user-agent", "loadtest")
        .body(())
}
