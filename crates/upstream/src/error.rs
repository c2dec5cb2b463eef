//! Why a request got no answer from its upstream.

use std::io;

use http::StatusCode;
use thiserror::Error;

/// What went wrong, whose fault it was, and what the client is told.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum UpstreamError {
    /// No server accepted a connection. Upstream's fault.
    #[error("no server of the upstream accepts a connection")]
    Unreachable(#[source] io::Error),
    /// No server accepted a connection in time. Upstream's fault.
    #[error("no server of the upstream accepted a connection in time")]
    ConnectTimeout,
    /// All connections that the upstream may have are in use.
    #[error("all {connections_max} connections of this shard to the upstream are in use")]
    Saturated {
        /// The bound.
        connections_max: usize,
    },
    /// The head of the answer did not come in time, or the request was not taken in time. Upstream's fault.
    #[error("the upstream did not answer in time")]
    Timeout,
    /// The connection ended before an answer. Upstream's fault.
    #[error("the upstream closed the connection before it answered")]
    Closed(#[source] io::Error),
    /// What came is no answer that can be read in one way only. Upstream's fault.
    #[error("the answer of the upstream is malformed: {0}")]
    Malformed(&'static str),
    /// The rest of the answer failed to come. Upstream's fault; the client has the head already.
    #[error("the upstream broke its answer off")]
    Truncated,
    /// The request's body ended before its end. Client's fault.
    #[error("the body of the request was broken off")]
    RequestBody(#[source] hyper::Error),
    /// The client stopped sending the body. Client's fault.
    #[error("the body of the request did not come in time")]
    RequestBodyTimeout,
    /// The body is longer than the client's policy allows. Client's fault.
    #[error("the body of the request is longer than you may send")]
    RequestBodyTooLong,
    /// The body is longer or shorter than announced. Client's fault.
    #[error("the body of the request has not the announced length")]
    RequestBodyLength,
    /// Who [looks at](crate::HeldBody) the body first lets it go no further. What it gives says whose fault it was.
    #[error("the body of the request is not passed on")]
    RequestBodyRefused(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl UpstreamError {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "upstream.unreachable",
            Self::ConnectTimeout => "upstream.connect-timeout",
            Self::Saturated { .. } => "upstream.saturated",
            Self::Timeout => "upstream.timeout",
            Self::Closed(_) => "upstream.closed",
            Self::Malformed(_) => "upstream.malformed",
            Self::Truncated => "upstream.truncated",
            Self::RequestBody(_) => "body.aborted",
            Self::RequestBodyTimeout => "body.timeout",
            // What a policy says of a length that is announced has the same code.
            Self::RequestBodyTooLong => "policy.body",
            Self::RequestBodyLength => "body.length",
            Self::RequestBodyRefused(_) => "body.refused",
        }
    }

    /// The status that says it to the client (RFC 9110 15).
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::Unreachable(_) | Self::Closed(_) | Self::Malformed(_) | Self::Truncated => {
                StatusCode::BAD_GATEWAY
            }
            Self::ConnectTimeout | Self::Timeout => StatusCode::GATEWAY_TIMEOUT,
            Self::Saturated { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::RequestBody(_) | Self::RequestBodyLength | Self::RequestBodyRefused(_) => {
                StatusCode::BAD_REQUEST
            }
            Self::RequestBodyTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::RequestBodyTooLong => StatusCode::PAYLOAD_TOO_LARGE,
        }
    }

    /// Whether the connection ended before anything of an answer came.
    pub(crate) const fn is_closed(&self) -> bool {
        matches!(self, Self::Closed(_))
    }
}
