//! The request's way to the upstream.

use std::{
    io::Write,
    task::{Context, Poll},
};

use http::HeaderMap;
use hyper::body::{Bytes, Frame};
use portcullis_http1::may_trail;
use portcullis_socket::Socket;

use crate::{
    UpstreamError,
    request::{BodyFraming, RequestBody, TrailerRule, push_field},
};

/// How far the request is.
#[derive(Debug)]
pub(crate) enum Upload {
    /// The body follows the head.
    Body(RequestBody),
    /// All is written, and may be in flight.
    Written,
    /// All is with the kernel.
    Sent,
    /// The upstream takes no more of it. It may have answered already. What the client still sends stands here.
    Broken(std::io::Error, Option<RequestBody>),
    /// It was broken off, or let go no further, while the answer came.
    Abandoned(Option<UpstreamError>),
}

impl Upload {
    /// Sends what can be sent. Whether something moved.
    ///
    /// # Errors
    /// The client broke the body off, or sent another length than it announced. A server that takes no more is no error
    /// here: its answer may be there to read.
    pub(crate) fn drive(&mut self, socket: &mut Socket, cx: &mut Context<'_>) -> Result<bool, UpstreamError> {
        let mut moved = false;
        while !matches!(self, Self::Sent | Self::Broken(..) | Self::Abandoned(_)) {
            if socket.is_writing() {
                let Poll::Ready(written) = socket.poll_written(cx) else { break };
                moved = true;
                if let Err(error) = written {
                    *self = Self::Broken(error, std::mem::replace(self, Self::Sent).into_body());
                    continue;
                }
            }
            let Self::Body(body) = self else {
                *self = Self::Sent;
                moved = true;
                socket.take_written();
                continue;
            };
            let Poll::Ready(frame) = body.source.poll_frame(cx) else { break };
            let frame = frame.transpose()?;
            moved = true;
            let mut out = socket.take_written();
            out.clear();
            if encode(frame, body, &mut out)? {
                *self = Self::Written;
            }
            if !out.is_empty() {
                socket.write(out);
            }
        }
        Ok(moved)
    }

    /// The body of which the client owes more, if that is what is waited for, and not the server.
    pub(crate) fn owed_by_client(&self, socket: &Socket) -> Option<&RequestBody> {
        match self {
            Self::Body(body) if !socket.is_writing() => Some(body),
            _ => None,
        }
    }

    /// Why the body came to no end while the answer came. Told once.
    pub(crate) fn take_fault(&mut self) -> Option<UpstreamError> {
        match self {
            Self::Abandoned(fault) => fault.take(),
            _ => None,
        }
    }

    /// What the client has not sent yet.
    pub(crate) fn into_body(self) -> Option<RequestBody> {
        match self {
            Self::Body(body) => Some(body),
            Self::Broken(_, body) => body,
            Self::Written | Self::Sent | Self::Abandoned(_) => None,
        }
    }
}

/// Appends what is sent for a frame, or for the end of the body. True if that was all.
fn encode(
    frame: Option<Frame<Bytes>>,
    body: &mut RequestBody,
    out: &mut Vec<u8>,
) -> Result<bool, UpstreamError> {
    let frame = frame.map(Frame::into_data);
    if let Some(Ok(data)) = &frame {
        let received = body.received.get().saturating_add(data.len() as u64);
        body.received.set(received);
        if received > body.bytes_max {
            return Err(UpstreamError::RequestBodyTooLong);
        }
    }
    match (frame, &mut body.framing) {
        (Some(Ok(data)), BodyFraming::Length(left)) => {
            *left = left.checked_sub(data.len() as u64).ok_or(UpstreamError::RequestBodyLength)?;
            out.extend_from_slice(&data);
            Ok(*left == 0)
        }
        (Some(Ok(data)), BodyFraming::Chunked) => {
            if !data.is_empty() {
                // Writing to memory does not fail.
                let _ = write!(out, "{:x}\r\n", data.len());
                out.extend_from_slice(&data);
                out.extend_from_slice(b"\r\n");
            }
            Ok(false)
        }
        (Some(Err(frame)), BodyFraming::Chunked) => {
            out.extend_from_slice(b"0\r\n");
            if let (Some(rule), Ok(fields)) = (&body.trailers, frame.into_trailers()) {
                append_fields(&fields, &**rule, out);
            }
            out.extend_from_slice(b"\r\n");
            Ok(true)
        }
        (None, BodyFraming::Chunked) => {
            out.extend_from_slice(b"0\r\n\r\n");
            Ok(true)
        }
        // Trailers of a body with a length have no place in HTTP/1.1.
        (Some(Err(_)) | None, BodyFraming::Length(left)) => match left {
            0 => Ok(true),
            _ => Err(UpstreamError::RequestBodyLength),
        },
    }
}

fn append_fields(fields: &HeaderMap, rule: &dyn TrailerRule, out: &mut Vec<u8>) {
    for (name, value) in fields {
        if may_trail(name.as_str().as_bytes()) && rule.passes(name.as_str()) {
            push_field(name.as_str(), value.as_bytes(), out);
        }
    }
}
