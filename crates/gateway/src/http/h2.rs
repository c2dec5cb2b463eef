//! h2 connections.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    rc::Rc,
    task::Poll,
    time::{Duration, Instant},
};

use hyper::{rt::Executor, server::conn::http2::Builder};
use portcullis_handshake::TlsStream;

use crate::{
    http::service::RequestService,
    plan::Limits,
    session::{Closed, News, Session},
};

/// How often a connection looks whether a deadline has passed.
const TICK: Duration = Duration::from_secs(1);

/// What a connection whose client is no longer admitted is given to hear of it (GOAWAY, RFC 9113 6.8). What it asks meanwhile is
/// refused.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// What a client may send ahead on all streams together, in bytes, and on one: uploads over a long way still go at
/// 10 MB/s, and a connection whose upstreams do not read holds no more than this.
const CONNECTION_WINDOW_BYTES: u32 = 1024 * 1024;
const STREAM_WINDOW_BYTES: u32 = 256 * 1024;

/// What of an answer waits on one stream for the client's window, in bytes.
const SEND_BYTES_MAX: usize = 64 * 1024;

/// Runs hyper's tasks on the shard.
#[derive(Debug, Clone, Copy)]
struct LocalExecutor;

impl<F: Future<Output = ()> + 'static> Executor<F> for LocalExecutor {
    fn execute(&self, task: F) {
        drop(monoio::spawn(task));
    }
}

/// Serves a connection to its end.
///
/// Frames that make no request are ordinary on h2, so only requests count against the idle deadline. A connection that
/// is to end may finish its streams, in the time that a stalled one is given and not a moment longer, whatever it sends.
pub(crate) async fn serve(stream: Box<TlsStream>, session: Rc<Session>) -> Closed {
    let _busy = session.shard.begin_busy();
    let builder = session.with_limits(builder);
    let mut connection = pin!(builder.serve_connection(stream, RequestService(Rc::clone(&session))));
    let mut tick = pin!(monoio::time::sleep(TICK.min(session.holds_for())));
    // Why it ends, and when at the latest.
    let mut ending: Option<(Closed, Instant)> = None;
    poll_fn(|cx| {
        let stall_timeout = session.with_limits(|limits| limits.stall_timeout);
        // News first: no request is answered by rules that are known to be old.
        let mut end = match session.poll_news(cx) {
            Some(News::Close(closed)) => Some((closed, LAST_WORDS)),
            Some(News::Finish(closed)) => Some((closed, stall_timeout)),
            Some(News::Drain) => Some((Closed::Drained, stall_timeout)),
            Some(News::Rules) | None => None,
        };
        while tick.as_mut().poll(cx).is_ready() {
            match session.overdue(true) {
                Some(Closed::Idle) => end = Some((Closed::Idle, stall_timeout)),
                Some(closed @ (Closed::Expired | Closed::NoLongerAdmitted)) => {
                    end = Some((closed, LAST_WORDS));
                }
                Some(closed) => return Poll::Ready(closed),
                None => end = session.ending().map(|closed| (closed, stall_timeout)).or(end),
            }
            tick.set(monoio::time::sleep(TICK.min(session.holds_for()).max(LAST_WORDS)));
        }
        if let Some((closed, time)) = end {
            let by = Instant::now() + time;
            if ending.is_none() {
                connection.as_mut().graceful_shutdown();
            }
            if ending.is_none_or(|(_, known)| by < known) {
                ending = Some((closed, by));
                tick.set(monoio::time::sleep(TICK.min(time)));
                let _ = tick.as_mut().poll(cx);
            }
        }
        if let Some((closed, by)) = ending
            && Instant::now() >= by
        {
            return Poll::Ready(closed);
        }
        connection.as_mut().poll(cx).map(|result| match (ending, result) {
            (Some((closed, _)), _) => closed,
            (None, Ok(())) => Closed::Finished,
            (None, Err(_)) => Closed::Failed,
        })
    })
    .await
}

fn builder(limits: &Limits) -> Builder<LocalExecutor> {
    let mut builder = Builder::new(LocalExecutor);
    builder
        .max_concurrent_streams(limits.streams_max)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .max_send_buf_size(SEND_BYTES_MAX)
        .max_header_list_size(u32::try_from(limits.head_bytes_max).unwrap_or(u32::MAX));
    builder
}
