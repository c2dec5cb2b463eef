//! A request on its way to an upstream.

use std::{cell::Cell, fmt::Debug, rc::Rc, time::Duration};

use hyper::body::Incoming;

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

/// The body of a request, as it comes from the client.
#[derive(Debug)]
pub struct RequestBody {
    /// From the client: hostile.
    pub incoming: Incoming,
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
