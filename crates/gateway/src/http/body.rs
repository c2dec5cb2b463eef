//! The bodies of answers, and what is left of the bodies of requests.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::StatusCode;
use http_body_util::Full;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use monoio::time::{Sleep, sleep};
use portcullis_upstream::{HeldBody as _, ResponseBody, UpstreamError};

use crate::{
    http::sealed_body::WholeBody,
    session::{InFlight, Turn},
};

/// The body of an answer, and what is left of its request. The request is in flight as long as this lives.
///
/// The rest of a request's body that nobody waits for is read and dropped, within bounds, so that an HTTP/1.1
/// connection can be used again and no answer is lost to a reset. On h2 the end of the answer waits for it: a server
/// may end the stream instead (RFC 9113 8.1), but there are clients, older versions of curl among them, that then report
/// a failure or wait forever. The end of an error is held back for a moment only, since it makes a client stop.
#[derive(Debug)]
pub(crate) struct OutgoingBody {
    source: Source,
    remainder: Option<Remainder>,
}

#[derive(Debug)]
enum Source {
    /// The gate's own.
    Own(Full<Bytes>),
    /// An upstream's.
    Relayed(ResponseBody),
    /// One that was held until all of it was there, and how much of it is left.
    Held(Box<WholeBody>, u64),
}

impl OutgoingBody {
    /// A body of the gate's own.
    pub(crate) fn own(bytes: Bytes) -> Self {
        Self { source: Source::Own(Full::new(bytes)), remainder: None }
    }

    /// An upstream's.
    pub(crate) const fn relayed(body: ResponseBody) -> Self {
        Self { source: Source::Relayed(body), remainder: None }
    }

    /// One that is there as a whole.
    pub(crate) fn held(body: WholeBody) -> Self {
        let length = body.length();
        Self { source: Source::Held(Box::new(body), length), remainder: None }
    }

    /// The next bytes, for who holds them; trailer fields are dropped. An error also where the body of the request turns out to be none:
    /// who holds an answer can still give another.
    pub(crate) async fn next_data(&mut self) -> Option<Result<Bytes, UpstreamError>> {
        poll_fn(|cx| {
            loop {
                let frame = self.source.poll_frame(cx);
                if let Source::Relayed(body) = &mut self.source
                    && let Some(fault) = body.take_request_fault()
                {
                    return Poll::Ready(Some(Err(fault)));
                }
                match ready!(frame).map(|frame| frame.map(Frame::into_data)) {
                    Some(Ok(Err(_))) => {}
                    Some(Ok(Ok(data))) => return Poll::Ready(Some(Ok(data))),
                    Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                    None => return Poll::Ready(None),
                }
            }
        })
        .await
    }

    /// What the upstream left unread of the request's body when its answer ended.
    pub(crate) fn take_unread(&mut self) -> Option<Incoming> {
        match &mut self.source {
            Source::Relayed(body) => body.take_unread()?.source.into_unread(),
            Source::Own(_) | Source::Held(..) => None,
        }
    }

    /// Has this body care for the rest of the request whose answer has `status`.
    pub(crate) fn with_remainder(mut self, mut remainder: Remainder, status: StatusCode) -> Self {
        if remainder.is_h2 && status.as_u16() >= 400 {
            remainder.timeout = Remainder::ERROR_HOLD;
        }
        remainder.in_flight.set_turn(Turn::Clients);
        self.remainder = Some(remainder);
        self
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, UpstreamError>>> {
        let frame = ready!(self.source.poll_frame(cx));
        if frame.is_none()
            && let Some(remainder) = self.hold()
        {
            ready!(remainder.poll_discard(cx));
            remainder.body = None;
        }
        Poll::Ready(frame)
    }

    /// What delays the end: an unread body on h2.
    fn hold(&mut self) -> Option<&mut Remainder> {
        let remainder = self.remainder.as_mut().filter(|remainder| remainder.is_h2)?;
        if let Source::Relayed(body) = &mut self.source
            && body.is_end_stream()
            && let Some(unread) = body.take_unread()
        {
            remainder.body = unread.source.into_unread();
        }
        remainder.body.is_some().then_some(remainder)
    }
}

impl Source {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, UpstreamError>>> {
        match self {
            Self::Own(body) => Pin::new(body)
                .poll_frame(cx)
                .map(|frame| frame.map(|frame| frame.map_err(|never| match never {}))),
            Self::Relayed(body) => Pin::new(body).poll_frame(cx),
            Self::Held(body, left) => {
                let data = ready!(body.poll_data(cx));
                if let Some(Ok(data)) = &data {
                    *left = left.saturating_sub(data.len() as u64);
                }
                Poll::Ready(data.map(|data| data.map(Frame::data)))
            }
        }
    }
}

impl Body for OutgoingBody {
    type Data = Bytes;
    type Error = UpstreamError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, UpstreamError>>> {
        let frame = self.poll_next(cx);
        if let Some(remainder) = &mut self.remainder {
            remainder.in_flight.set_turn(if frame.is_pending() { Turn::Ours } else { Turn::Clients });
            if let Poll::Ready(Some(Ok(frame))) = &frame {
                remainder.in_flight.count_sent(frame.data_ref().map_or(0, Bytes::len) as u64);
            }
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        let is_held = |unread| {
            self.remainder.as_ref().is_some_and(|rest| rest.is_h2 && (unread || rest.body.is_some()))
        };
        match &self.source {
            Source::Own(body) => body.is_end_stream() && !is_held(false),
            Source::Relayed(body) => body.is_end_stream() && !is_held(body.has_unread()),
            Source::Held(_, left) => *left == 0 && !is_held(false),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Own(body) => body.size_hint(),
            Source::Relayed(body) => body.size_hint(),
            Source::Held(_, left) => SizeHint::with_exact(*left),
        }
    }
}

impl Drop for OutgoingBody {
    fn drop(&mut self) {
        let Some(mut remainder) = self.remainder.take().filter(|rest| !rest.is_h2) else {
            return;
        };
        if let Some(unread) = self.take_unread() {
            remainder.body = Some(unread);
        }
        if remainder.body.is_some() {
            drop(monoio::spawn(async move { poll_fn(|cx| remainder.poll_discard(cx)).await }));
        }
    }
}

/// What is left of a request.
#[derive(Debug)]
pub(crate) struct Remainder {
    in_flight: InFlight,
    is_h2: bool,
    /// What of the body nobody reads.
    body: Option<Incoming>,
    /// How long the client may take to send it.
    timeout: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    discarded: usize,
}

impl Remainder {
    /// How much is read, in bytes. Beyond it the connection, or on h2 the stream, ends with the answer.
    const BYTES_MAX: usize = 16 * 1024 * 1024;

    /// How long the end of an error waits on h2: what is on its way arrives, and a client reads the error before its
    /// stream is ended.
    const ERROR_HOLD: Duration = Duration::from_millis(500);

    /// Of a request that is under way.
    pub(crate) const fn new(in_flight: InFlight, is_h2: bool, timeout: Duration) -> Self {
        Self { in_flight, is_h2, body: None, timeout, timer: None, discarded: 0 }
    }

    /// With a body that nobody reads.
    pub(crate) fn of(mut self, body: Incoming) -> Self {
        self.body = Some(body).filter(|body| !body.is_end_stream());
        self
    }

    /// Ready when the body has ended, or a bound is reached.
    fn poll_discard(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(body) = &mut self.body else { return Poll::Ready(()) };
        while let Poll::Ready(frame) = Pin::new(&mut *body).poll_frame(cx) {
            let Some(Ok(frame)) = frame else { return Poll::Ready(()) };
            self.discarded += frame.data_ref().map_or(0, Bytes::len);
            if self.discarded > Self::BYTES_MAX {
                return Poll::Ready(());
            }
        }
        self.timer.get_or_insert_with(|| Box::pin(sleep(self.timeout))).as_mut().poll(cx)
    }
}
