//! h2 connections.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    rc::Rc,
    task::Poll,
    time::Duration,
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

/// Runs hyper's tasks on the shard.
#[derive(Debug, Clone, Copy)]
struct LocalExecutor;

impl<F: Future<Output = ()> + 'static> Executor<F> for LocalExecutor {
    fn execute(&self, task: F) {
        drop(monoio::spawn(task));
    }
}

/// Serves a connection to its end.
pub(crate) async fn serve(stream: TlsStream, session: Rc<Session>) -> Closed {
    let _busy = session.shard.begin_busy();
    let limits = session.limits();
    let mut connection = pin!(builder(&limits).serve_connection(stream, RequestService(Rc::clone(&session))));
    let mut tick = pin!(monoio::time::sleep(TICK));
    let mut ending = None;
    poll_fn(|cx| {
        if let Poll::Ready(result) = connection.as_mut().poll(cx) {
            let closed = if result.is_ok() { Closed::Finished } else { Closed::Failed };
            return Poll::Ready(ending.unwrap_or(closed));
        }
        let mut end = match session.poll_news(cx) {
            Some(News::Close(closed)) => return Poll::Ready(closed),
            Some(News::Drain) => Some(Closed::Drained),
            None => None,
        };
        while tick.as_mut().poll(cx).is_ready() {
            match session.overdue(&limits, true) {
                // Streams that are open may end, in the time that a stalled one is given.
                Some(Closed::Idle) if !session.is_quiet_for(limits.idle_timeout + limits.stall_timeout) => {
                    end = Some(Closed::Idle);
                }
                Some(closed) => return Poll::Ready(closed),
                None => {}
            }
            tick.set(monoio::time::sleep(TICK));
        }
        if let Some(closed) = end.filter(|_| ending.is_none()) {
            ending = Some(closed);
            connection.as_mut().graceful_shutdown();
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    })
    .await
}

fn builder(limits: &Limits) -> Builder<LocalExecutor> {
    let mut builder = Builder::new(LocalExecutor);
    builder
        .max_concurrent_streams(limits.streams_max)
        .max_header_list_size(u32::try_from(limits.head_bytes_max).unwrap_or(u32::MAX));
    builder
}
