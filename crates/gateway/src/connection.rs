//! The corridor: the one way that a connection walks.

use std::{
    future::{Future, poll_fn},
    net::SocketAddr,
    pin::pin,
    rc::Rc,
    task::Poll,
    time::Instant,
};

use monoio::net::TcpStream;
use portcullis_handshake::{Activity, ClientHello, HandshakeFailure, Handshaken};
use portcullis_socket::Socket;
use portcullis_telemetry::Refused;

use crate::{
    http,
    judge::{ConnectionJudge, Judged, Standing},
    session::Session,
    shard::Shard,
    slots::{ConnectionSlot, HandshakeSlot},
};

/// Walks a connection from the accepted socket to its end.
pub(crate) async fn run(
    shard: Rc<Shard>,
    listener: usize,
    socket: TcpStream,
    peer: SocketAddr,
    (_connection, handshake): (ConnectionSlot, HandshakeSlot),
) {
    let started = Instant::now();
    let arrival = Arrival { shard: Rc::clone(&shard), listener, peer, started };
    // Boxed, like each later stage: a connection that idles does not keep room for the stages behind it.
    let shaken = Box::pin(arrival.shake_hands(Socket::new(socket))).await;
    drop(handshake);
    let metrics = &shard.listeners[listener].metrics;
    let Some((handshaken, session)) = shaken else { return };
    metrics.handshake_finished(handshaken.version, handshaken.kind, started.elapsed());
    session.await_status().await;
    let closed = match handshaken.is_h2 {
        true => Box::pin(http::serve_h2(handshaken.stream, session)).await,
        false => http::serve_h1(handshaken.stream, session).await,
    };
    metrics.closed(closed.reason());
}

/// A connection on its way to a session.
struct Arrival {
    shard: Rc<Shard>,
    listener: usize,
    peer: SocketAddr,
    started: Instant,
}

impl Arrival {
    /// ClientHello, trust domain, handshake, verdict, within the deadline. `None` if it failed, which is then told.
    async fn shake_hands(self, socket: Socket) -> Option<(Handshaken, Rc<Session>)> {
        let timeout = self.shard.view().plan.listeners[self.listener].limits.handshake_timeout;
        let deadline = self.shard.deadlines.at(self.started + timeout);
        let mut judging = None;
        let outcome = {
            let mut within_deadline = pin!(async {
                let hello = ClientHello::read(socket).await?;
                // As it is now: who says nothing for long must not be judged by rules, or known by keys, of when it came.
                let view = self.shard.view();
                let Some(domain) = view.select(self.listener, hello.server_name().as_deref()) else {
                    return Err(hello.refuse_name().await);
                };
                let connection = (Rc::clone(&self.shard), self.listener);
                let judge = ConnectionJudge::new(connection, Rc::clone(&view), domain.id);
                judging = Some((Rc::clone(&judge), Rc::clone(&view), domain.id));
                let activity = Rc::new(Activity::new(Rc::clone(&self.shard.clock)));
                let handshaken =
                    hello.finish(domain.tls.clone(), judge.clone(), Rc::clone(&activity)).await?;
                let judged = judge.outcome(&handshaken)?;
                Ok((handshaken, activity, judged))
            });
            poll_fn(|cx| match within_deadline.as_mut().poll(cx) {
                Poll::Pending => deadline.poll(self.shard.now(), cx).map(|()| Err(HandshakeFailure::Timeout)),
                ended => ended,
            })
            .await
        };
        let Some((judge, view, domain)) = judging else {
            return self.failed(outcome.err().as_ref().unwrap_or(&HandshakeFailure::Unjudged), None);
        };
        let judged = match &outcome {
            Ok((.., judged)) => judged.clone(),
            Err(_) => judge.proved(),
        };
        if let Some(judged) = &judged {
            self.shard.judged((self.listener, self.peer), &view, view.plan.policy.domain(domain).0, judged);
        }
        match outcome {
            Err(failure) => self.failed(&failure, judged.as_deref()),
            Ok((handshaken, activity, judged)) => {
                let place = (Rc::clone(&self.shard), self.listener, self.peer);
                let session = Session::new(place, (view, domain), judged, activity)?;
                Some((handshaken, session))
            }
        }
    }

    /// Counts and tells a handshake that failed. The client is named only if it proved who it is.
    fn failed<T>(&self, failure: &HandshakeFailure, judged: Option<&Judged>) -> Option<T> {
        let listener = &self.shard.listeners[self.listener];
        listener.metrics.handshake_failed(failure.reason());
        match judged {
            Some(Judged { standing: standing @ Standing::Refused { denial, .. }, .. }) => {
                let who = standing.refused(&listener.name, self.peer);
                self.shard.refused(denial.code(), &who, || denial.to_string());
            }
            _ => {
                let who = Refused::unknown(&listener.name, self.peer);
                self.shard.refused(failure.reason(), &who, || failure.to_string());
            }
        }
        None
    }
}
