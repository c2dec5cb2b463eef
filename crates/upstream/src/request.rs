//! A request on its way to an upstream.

use std::{
    cell::Cell,
    fmt::Debug,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

use hyper::body::{Body, Bytes, Frame, Incoming};

use crate::UpstreamError;

/// A request as it is sent.
#[derive(Debug)]
pub struct OutgoingRequest {
    /// Request line and fields with the empty line behind them, as HTTP/1.1 (RFC 9112). It frames the body as `body` says.
    pub head: Vec<u8>,
    /// Whether it is a HEAD, whose answer has no body whatever it announces (RFC 9112 6.3).
    pub is_head: bool,
    /// Whether the request may be sent again if it is not known to have been acted on (RFC 9110 9.2.2).
    pub is_idempotent: bool,
    /// The body. It is still here after an error if some of it was not read.
    pub body: Option<RequestBody>,
}

/// The body of a request.
#[derive(Debug)]
pub struct RequestBody {
    /// Where it comes from.
    pub source: BodySource,
    /// How it is sent.
    pub framing: BodyFraming,
    /// Bytes that came, for whoever counts them.
    pub received: Rc<Cell<u64>>,
    /// Bytes that it may have.
    pub bytes_max: u64,
    /// How long the client may keep still in the middle of it.
    pub stall_timeout: Duration,
    /// Which trailer fields pass; none without a rule.
    pub trailers: Option<Rc<dyn TrailerRule>>,
}

/// Where the bytes of a body come from.
#[derive(Debug)]
pub enum BodySource {
    /// From the client, as they come: hostile.
    Client(Incoming),
    /// From whoever reads them first, or has read them. There are no trailer fields.
    Held(Box<dyn HeldBody>),
}

/// A body that is looked at before an upstream gets it.
pub trait HeldBody: Debug {
    /// The next bytes; `None` at its end. An error ends the exchange, so that the upstream never has the whole request.
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, UpstreamError>>>;

    /// What the client has still to send, if anything.
    fn into_unread(self: Box<Self>) -> Option<Incoming>;
}

impl BodySource {
    pub(crate) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, UpstreamError>>> {
        match self {
            Self::Client(body) => Pin::new(body)
                .poll_frame(cx)
                .map(|frame| frame.map(|frame| frame.map_err(UpstreamError::RequestBody))),
            Self::Held(body) => body.poll_data(cx).map(|data| data.map(|data| data.map(Frame::data))),
        }
    }

    /// What the client has still to send, if anything.
    pub fn into_unread(self) -> Option<Incoming> {
        match self {
            Self::Client(body) => Some(body),
            Self::Held(body) => body.into_unread(),
        }
    }
}

/// Says which trailer fields of a client pass to an upstream.
pub trait TrailerRule: Debug {
    /// Whether `name`, in lower case and hostile, passes.
    fn passes(&self, name: &str) -> bool;
}

/// How a body is delimited (RFC 9112 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyFraming {
    /// So many bytes are to come.
    Length(u64),
    /// Chunks.
    Chunked,
}

/// Appends one field line (RFC 9112 5). Neither part may have a control byte.
pub fn push_field(name: &str, value: &[u8], head: &mut Vec<u8>) {
    head.extend_from_slice(name.as_bytes());
    head.extend_from_slice(b": ");
    head.extend_from_slice(value);
    head.extend_from_slice(b"\r\n");
}
