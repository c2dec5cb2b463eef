//! From a request to its answer.

use std::{
    future::poll_fn,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
    time::Instant,
};

use bytes::Bytes;
use http::Response;
use hyper::body::{Body, Frame, SizeHint};

use crate::{OutgoingRequest, RequestBody, Upstream, UpstreamError, relay::Relay, response::Head};

impl Upstream {
    /// Sends `request` to one of the servers and waits for the head of its answer.
    ///
    /// A connection of the pool may have been closed while the request was on its way. If nothing of an answer came, a
    /// request that may be repeated and has no body is sent once more, over a new connection.
    ///
    /// # Errors
    /// [`UpstreamError`]; what of the request's body was not read is then still in `request`.
    pub async fn exchange(
        self: &Rc<Self>,
        request: &mut OutgoingRequest,
    ) -> Result<Response<ResponseBody>, UpstreamError> {
        let started = Instant::now();
        // Only what may be sent again has to be kept, and only a connection of the pool can call for it.
        let mut spare = None;
        let mut outcome = self.attempt(request, true, &mut spare).await;
        if let (Err(error), Some(head)) = (&outcome, spare)
            && error.is_closed()
        {
            self.metrics.retries.increment(1);
            request.head = head;
            outcome = self.attempt(request, false, &mut None).await;
        }
        match &outcome {
            Ok(_) => self.metrics.answered(started.elapsed()),
            Err(error) => self.metrics.failed(error.code()),
        }
        outcome
    }

    /// One try, over a connection of the pool if that is allowed. In `spare` stays the head of a request that may be sent
    /// again.
    async fn attempt(
        self: &Rc<Self>,
        request: &mut OutgoingRequest,
        reuse_allowed: bool,
        spare: &mut Option<Vec<u8>>,
    ) -> Result<Response<ResponseBody>, UpstreamError> {
        let connection = self.connect(reuse_allowed).await?;
        let head = std::mem::take(&mut request.head);
        let body = request.body.take();
        if connection.is_reused && request.is_idempotent && body.is_none() {
            *spare = Some(head.clone());
        }
        let mut relay = Relay::start(Rc::clone(self), connection, head, body, request.is_head);
        match poll_fn(|cx| relay.poll_head(cx)).await {
            Ok(head) => Ok(respond(head, relay)),
            Err(error) => {
                request.body = relay.finish();
                Err(error)
            }
        }
    }
}

fn respond(head: Head, mut relay: Relay) -> Response<ResponseBody> {
    let state = match relay.is_sent().then(|| relay.take_whole_body()).flatten() {
        Some(body) => {
            relay.finish();
            State::Whole(body)
        }
        None => State::Relaying(Box::new(relay)),
    };
    let mut response = Response::new(ResponseBody { state });
    *response.status_mut() = head.status;
    *response.headers_mut() = head.headers;
    response
}

/// The body of an answer as it comes, while the rest of the request goes out.
#[derive(Debug)]
pub struct ResponseBody {
    state: State,
}

#[derive(Debug)]
enum State {
    /// All of it is there, and the connection is back in the pool.
    Whole(Bytes),
    Relaying(Box<Relay>),
    /// It has ended. What the client has still to send, if the answer did not wait for it; or why it cannot.
    Ended(Option<RequestBody>, Option<UpstreamError>),
}

impl ResponseBody {
    /// Whether the answer ended before the request's body did.
    pub const fn has_unread(&self) -> bool {
        matches!(self.state, State::Ended(Some(_), _))
    }

    /// Why the request's body came to no end, if that turned out while the answer came: the answer goes on all the same. Told once, for
    /// whoever holds the answer and may still give another.
    pub fn take_request_fault(&mut self) -> Option<UpstreamError> {
        match &mut self.state {
            State::Relaying(relay) => relay.take_fault(),
            State::Ended(_, fault) => fault.take(),
            State::Whole(_) => None,
        }
    }

    /// What of the request's body was not read when the answer ended.
    pub fn take_unread(&mut self) -> Option<RequestBody> {
        match std::mem::replace(&mut self.state, State::Ended(None, None)) {
            State::Ended(unread, _) => unread,
            State::Relaying(relay) => relay.finish(),
            State::Whole(_) => None,
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = UpstreamError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, UpstreamError>>> {
        match &mut self.state {
            State::Whole(body) if body.is_empty() => Poll::Ready(None),
            State::Whole(body) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(body))))),
            State::Relaying(relay) => {
                let frame = ready!(relay.poll_frame(cx));
                if let Some(Err(error)) = &frame {
                    relay.failed(error);
                }
                let is_last = relay.is_done() || !matches!(frame, Some(Ok(_)));
                if is_last
                    && let State::Relaying(mut relay) =
                        std::mem::replace(&mut self.state, State::Ended(None, None))
                {
                    let fault = relay.take_fault();
                    self.state = State::Ended(relay.finish(), fault);
                }
                Poll::Ready(frame)
            }
            State::Ended(..) => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.state {
            State::Whole(body) => body.is_empty(),
            State::Relaying(relay) => relay.is_done(),
            State::Ended(..) => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.state {
            State::Whole(body) => SizeHint::with_exact(body.len() as u64),
            State::Relaying(relay) => relay.left().map_or_else(SizeHint::new, SizeHint::with_exact),
            State::Ended(..) => SizeHint::with_exact(0),
        }
    }
}
