//! HTTP/1.1 connections.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

use hyper::server::conn::http1::{Builder, Connection};
use portcullis_handshake::TlsStream;

use crate::{
    http::service::RequestService,
    plan::Limits,
    session::{Closed, News, Session},
};

/// How often a connection in use looks whether a deadline has passed.
const TICK: Duration = Duration::from_secs(1);

/// Serves a connection to its end.
///
/// hyper holds two buffers of 8 kB for as long as it lives, so it lives only while something moves: a connection
/// that was quiet for a tick is taken out of it and waits with its TLS session alone.
pub(crate) async fn serve(mut stream: TlsStream, session: Rc<Session>) -> Closed {
    let closed = loop {
        if let Err(closed) = wait(&mut stream, &session).await {
            break closed;
        }
        let (returned, outcome) = Box::pin(serve_busy(stream, &session)).await;
        stream = returned;
        if let Outcome::Closed(closed) = outcome {
            break closed;
        }
    };
    // Who does not take what it is sent gets no more of it. After a protocol error hyper's answer is still to be sent.
    if closed != Closed::Stalled {
        Box::pin(stream.close()).await;
    }
    closed
}

/// Waits for something to read, for the idle deadline or for news.
async fn wait(stream: &mut TlsStream, session: &Session) -> Result<(), Closed> {
    let limits = session.limits();
    let mut deadline = pin!(monoio::time::sleep(session.quiet_for(&limits)));
    poll_fn(|cx| {
        match session.poll_news(cx) {
            Some(News::Drain) => return Poll::Ready(Err(Closed::Drained)),
            Some(News::Close(closed)) => return Poll::Ready(Err(closed)),
            None => {}
        }
        match stream.poll_readable(cx) {
            Poll::Ready(Ok(())) => return Poll::Ready(Ok(())),
            Poll::Ready(Err(_)) => return Poll::Ready(Err(Closed::Failed)),
            Poll::Pending => {}
        }
        while deadline.as_mut().poll(cx).is_ready() {
            if let Some(closed) = session.overdue(&limits, false) {
                return Poll::Ready(Err(closed));
            }
            // The coarse clock may be a moment behind the timer.
            deadline.set(monoio::time::sleep(session.quiet_for(&limits).max(TICK)));
        }
        Poll::Pending
    })
    .await
}

enum Outcome {
    Quiet,
    Closed(Closed),
}

type HyperConnection = Connection<TlsStream, RequestService>;

/// Serves requests until the connection ends or is quiet.
async fn serve_busy(stream: TlsStream, session: &Rc<Session>) -> (TlsStream, Outcome) {
    let limits = session.limits();
    let mut connection = builder(&limits).serve_connection(stream, RequestService(Rc::clone(session)));
    let mut tick = pin!(monoio::time::sleep(TICK));
    let outcome = poll_fn(|cx| {
        if let Poll::Ready(result) = connection.poll_without_shutdown(cx) {
            let closed = if result.is_ok() { Closed::Finished } else { Closed::Failed };
            return Poll::Ready(Outcome::Closed(closed));
        }
        if let Some(outcome) = take_news(&mut connection, session, cx) {
            return Poll::Ready(outcome);
        }
        while tick.as_mut().poll(cx).is_ready() {
            if let Some(closed) = session.overdue(&limits, false) {
                return Poll::Ready(Outcome::Closed(closed));
            }
            if session.is_quiet_for(TICK) {
                return Poll::Ready(Outcome::Quiet);
            }
            tick.set(monoio::time::sleep(TICK));
        }
        Poll::Pending
    })
    .await;
    let parts = connection.into_parts();
    let mut stream = parts.io;
    stream.put_back(&parts.read_buf);
    (stream, outcome)
}

fn take_news(connection: &mut HyperConnection, session: &Session, cx: &mut Context<'_>) -> Option<Outcome> {
    match session.poll_news(cx)? {
        News::Close(closed) => Some(Outcome::Closed(closed)),
        News::Drain => {
            let mut connection = Pin::new(connection);
            connection.as_mut().graceful_shutdown();
            // An idle connection ends here and now, a busy one after its answer.
            match connection.poll_without_shutdown(cx) {
                Poll::Ready(_) => Some(Outcome::Closed(Closed::Drained)),
                Poll::Pending => None,
            }
        }
    }
}

fn builder(limits: &Limits) -> Builder {
    /// hyper parses this many fields without allocating; told a number, even this one, it allocates.
    const FIELDS_BY_DEFAULT: usize = 100;
    let mut builder = Builder::new();
    builder.max_buf_size(limits.head_bytes_max).half_close(false);
    if limits.head_fields_max != FIELDS_BY_DEFAULT {
        builder.max_headers(limits.head_fields_max);
    }
    builder
}
