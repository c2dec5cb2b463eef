//! HTTP/1.1 connections.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

use hyper::{
    rt::Write,
    server::conn::http1::{Builder, Connection, Parts},
};
use portcullis_handshake::TlsStream;
use portcullis_http1::HeadLimits;

use crate::{
    http::{guard::Guard, service::RequestService},
    session::{Closed, News, Session},
};

/// How often a connection in use looks whether a deadline has passed, and how long it must be quiet to be taken out of
/// hyper. Short, so that of a crowd only those who speak at one time hold buffers, which the allocator then uses again
/// for the next.
const TICK: Duration = Duration::from_millis(50);

/// The same while a request is under way, when there are deadlines alone to look for.
const TICK_AT_WORK: Duration = Duration::from_millis(200);

/// Serves a connection to its end.
///
/// hyper holds two buffers of 8 kB for as long as it lives, so it lives only while something moves: a connection
/// that was quiet for a tick is taken out of it and waits with its TLS session alone.
pub(crate) async fn serve(mut stream: Box<TlsStream>, session: Rc<Session>) -> Closed {
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
    // Who does not take what it is sent gets no more of it, and an answer that broke off must not look as if it had ended.
    if !matches!(closed, Closed::Stalled | Closed::Failed) {
        stream.close().await;
    }
    closed
}

/// Waits for something to read, for the idle deadline or for news.
async fn wait(stream: &mut TlsStream, session: &Session) -> Result<(), Closed> {
    let shard = &session.shard;
    let in_time = |time: Duration| shard.deadlines.at(shard.now() + time);
    let mut deadline = in_time(session.quiet_for());
    poll_fn(|cx| {
        match session.poll_news(cx) {
            Some(News::Drain) => return Poll::Ready(Err(Closed::Drained)),
            Some(News::Finish(closed) | News::Close(closed)) => return Poll::Ready(Err(closed)),
            Some(News::Rules) => deadline = in_time(session.quiet_for()),
            None => {}
        }
        match stream.poll_readable(cx) {
            Poll::Ready(Ok(())) => return Poll::Ready(Ok(())),
            Poll::Ready(Err(_)) => return Poll::Ready(Err(Closed::Failed)),
            Poll::Pending => {}
        }
        while deadline.poll(shard.now(), cx).is_ready() {
            if let Some(closed) = session.overdue(false) {
                return Poll::Ready(Err(closed));
            }
            deadline = in_time(session.quiet_for().max(TICK));
        }
        Poll::Pending
    })
    .await
}

enum Outcome {
    Quiet,
    Closed(Closed),
}

type HyperConnection = Connection<Guard<Box<TlsStream>>, RequestService>;

/// Serves requests until the connection ends or is quiet.
async fn serve_busy(stream: Box<TlsStream>, session: &Rc<Session>) -> (Box<TlsStream>, Outcome) {
    let _busy = session.shard.begin_busy();
    let heads = session.head_limits();
    let service = RequestService(Rc::clone(session));
    let mut connection = builder(heads).serve_connection(Guard::new(stream, heads), service);
    let mut tick = pin!(monoio::time::sleep(TICK));
    let mut requests = session.activity.requests();
    let outcome = poll_fn(|cx| {
        // News first: no request is answered by rules that are known to be old.
        if let Some(News::Close(closed)) = session.poll_news(cx) {
            return Poll::Ready(Outcome::Closed(closed));
        }
        if let Poll::Ready(result) = connection.poll_without_shutdown(cx) {
            let closed = match result {
                Ok(()) => Closed::Finished,
                Err(error) if error.is_parse() => Closed::Refused,
                Err(_) => Closed::Failed,
            };
            return Poll::Ready(Outcome::Closed(closed));
        }
        if let Some(outcome) = drain(&mut connection, session, cx) {
            return Poll::Ready(outcome);
        }
        while tick.as_mut().poll(cx).is_ready() {
            if let Some(closed) = session.overdue(false) {
                return Poll::Ready(Outcome::Closed(closed));
            }
            let is_quiet = session.is_quiet();
            let before = std::mem::replace(&mut requests, session.activity.requests());
            if is_quiet && requests == before {
                return Poll::Ready(Outcome::Quiet);
            }
            tick.set(monoio::time::sleep(if is_quiet { TICK } else { TICK_AT_WORK }));
        }
        Poll::Pending
    })
    .await;
    take_apart(connection, outcome, session).await
}

/// The stream back out of hyper, and how the connection goes on.
async fn take_apart(
    connection: HyperConnection,
    outcome: Outcome,
    session: &Session,
) -> (Box<TlsStream>, Outcome) {
    let Parts { io: mut guard, read_buf, .. } = connection.into_parts();
    if let Some(refusal) = guard.take_refusal() {
        let (mut stream, _) = guard.into_parts();
        let answer = session.refuse_head(refusal);
        // Where an answer is under way this one would land in its middle, and a body belongs to a request that has its
        // answer already: then the connection just ends.
        if !matches!(outcome, Outcome::Closed(Closed::Finished)) || refusal.is_of_body() {
            return (stream, Outcome::Closed(Closed::Refused));
        }
        // The stream is closed next, which sends what is written; a socket that fails meanwhile is past caring.
        let _ = poll_fn(|cx| Pin::new(&mut stream).poll_write(cx, &answer)).await;
        return (stream, Outcome::Closed(Closed::Refused));
    }
    if matches!(outcome, Outcome::Quiet) && !guard.is_between_requests() {
        // The rest of a body that nobody waits for: where the next request begins cannot be told.
        return (guard.into_parts().0, Outcome::Closed(Closed::Stalled));
    }
    let (mut stream, unread) = guard.into_parts();
    stream.put_back(&unread);
    stream.put_back(&read_buf);
    (stream, outcome)
}

/// Ends what is idle now, and what is busy after its answer. A request that has begun to come is still answered: the
/// guard holds its head back, so hyper alone would take the connection for idle.
fn drain(connection: &mut HyperConnection, session: &Session, cx: &mut Context<'_>) -> Option<Outcome> {
    if !session.shard.is_draining() || session.is_reading_head() {
        return None;
    }
    let mut connection = Pin::new(connection);
    connection.as_mut().graceful_shutdown();
    match connection.poll_without_shutdown(cx) {
        Poll::Ready(_) => Some(Outcome::Closed(Closed::Drained)),
        Poll::Pending => None,
    }
}

fn builder(limits: HeadLimits) -> Builder {
    /// hyper parses this many fields without allocating; told a number, even this one, it allocates.
    const FIELDS_BY_DEFAULT: usize = 100;
    let mut builder = Builder::new();
    // The end of what can be read is no reason to keep an answer back: it may be the guard's refusal.
    builder.max_buf_size(limits.bytes_max).half_close(true);
    if limits.fields_max > FIELDS_BY_DEFAULT {
        builder.max_headers(limits.fields_max);
    }
    builder
}
