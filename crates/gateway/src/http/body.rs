//! The bodies of answers, and what is left of the bodies of requests.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use portcullis_upstream::{ResponseBody, UpstreamError};

use crate::session::InFlight;

/// How much of a body that nobody waits for is read, in bytes, so that its connection can be used again and the answer
/// is not lost to a reset. Beyond it the connection ends with the answer.
const DISCARD_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The body of an answer.
#[derive(Debug)]
pub(crate) enum OutgoingBody {
    /// The gate's own.
    Own(Bytes),
    /// An upstream's.
    Relayed {
        body: ResponseBody,
        /// Taken by the rest of the request's body, if it outlives the answer.
        in_flight: Option<InFlight>,
        stall_timeout: Duration,
    },
}

impl Body for OutgoingBody {
    type Data = Bytes;
    type Error = UpstreamError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, UpstreamError>>> {
        match &mut *self {
            Self::Own(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Own(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Relayed { body, .. } => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Own(bytes) => bytes.is_empty(),
            Self::Relayed { body, .. } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Own(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Relayed { body, .. } => body.size_hint(),
        }
    }
}

impl Drop for OutgoingBody {
    fn drop(&mut self) {
        if let Self::Relayed { body, in_flight, stall_timeout } = self
            && let (Some(unread), Some(in_flight)) = (body.take_unread(), in_flight.take())
        {
            discard(unread.incoming, *stall_timeout, in_flight);
        }
    }
}

/// Reads on what is left of a request's body and drops it, within bounds. The request counts as in flight meanwhile.
pub(crate) fn discard(mut body: Incoming, time: Duration, in_flight: InFlight) {
    if body.is_end_stream() {
        return;
    }
    let mut discarded = 0;
    let rest = poll_fn(move |cx| {
        while let Some(Ok(frame)) = ready!(Pin::new(&mut body).poll_frame(cx)) {
            discarded += frame.data_ref().map_or(0, Bytes::len);
            if discarded > DISCARD_BYTES_MAX {
                break;
            }
        }
        Poll::Ready(())
    });
    drop(monoio::spawn(async move {
        let _ = monoio::time::timeout(time, rest).await;
        drop(in_flight);
    }));
}
