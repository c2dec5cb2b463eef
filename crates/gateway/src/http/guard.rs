//! Between the TLS stream and hyper: hyper reads only what [`scan`] has accepted.

use std::{
    io,
    mem::MaybeUninit,
    pin::Pin,
    task::{Context, Poll, ready},
};

use hyper::rt::{Read, ReadBuf, ReadBufCursor, Write};
use portcullis_http1::{Chunk, ChunkStep, Framing, HeadEnd, HeadLimits, HeadRefusal, scan, scan_trailers};

/// What is read at once, in bytes: the plaintext of one TLS record (RFC 8446 5.1). It lies on the stack, without
/// being initialised.
const READ_BYTES: usize = 16 * 1024;

/// A stream of which only complete, accepted heads and their bodies can be read. Writes pass through.
///
/// From a refusal on it reads as ended: what came before can still be answered by the reader, and the owner then
/// says why nothing else will. A reader that gives up its answer at the end of the stream loses it; hyper does so
/// with `half_close(false)` while a service is at work.
#[derive(Debug)]
pub(crate) struct Guard<S> {
    inner: S,
    state: State,
    limits: HeadLimits,
    /// Bytes that were read and not handed on. Holds no memory while it is empty, and less than a head and one read
    /// otherwise.
    buffer: Vec<u8>,
    /// How many bytes at the start of `buffer` may be handed on. What follows them is a part of a head, or refused.
    accepted: usize,
}

/// What the next byte belongs to.
#[derive(Debug)]
enum State {
    Head(HeadEnd),
    /// A body of which so many bytes, at least one, are to come.
    Length(u64),
    Chunked(Chunk),
    /// A trailer section, which ends like a head.
    Trailers(HeadEnd),
    /// Nothing more is accepted. The reason is there until it is taken.
    Refused(Option<HeadRefusal>),
}

impl<S> Guard<S> {
    /// A guard of `inner`, of which nothing or whole requests were read.
    pub(crate) const fn new(inner: S, limits: HeadLimits) -> Self {
        Self { inner, state: State::Head(HeadEnd::new()), limits, buffer: Vec::new(), accepted: 0 }
    }

    /// Why nothing more can be read. `None` when there was no refusal, or it was taken.
    pub(crate) const fn take_refusal(&mut self) -> Option<HeadRefusal> {
        match &mut self.state {
            State::Refused(refusal) => refusal.take(),
            _ => None,
        }
    }

    /// Whether the body of the last head has been accepted to its end. Only then may the bytes of
    /// [`Self::into_parts`] go through another guard, which takes what comes first for a head.
    pub(crate) const fn is_between_requests(&self) -> bool {
        matches!(self.state, State::Head(_))
    }

    /// The stream, and the bytes that were read from it and not handed on.
    pub(crate) fn into_parts(self) -> (S, Vec<u8>) {
        (self.inner, self.buffer)
    }

    /// Hands on what is accepted and fits. False if nothing is accepted.
    fn hand_on(&mut self, cursor: &mut ReadBufCursor<'_>) -> bool {
        let len = self.accepted.min(cursor.remaining());
        cursor.put_slice(&self.buffer[..len]);
        self.accepted -= len;
        if len == self.buffer.len() {
            self.buffer = Vec::new();
        } else {
            self.buffer.drain(..len);
        }
        len > 0
    }

    /// Judges `bytes`, the next of the stream, of which there are no more than fit in `cursor`. True if some were
    /// handed on.
    fn take_in(&mut self, bytes: &[u8], cursor: &mut ReadBufCursor<'_>) -> bool {
        if self.buffer.is_empty() {
            let accepted = self.state.accept(bytes, &self.limits);
            cursor.put_slice(&bytes[..accepted]);
            self.buffer.extend_from_slice(&bytes[accepted..]);
            return accepted > 0;
        }
        self.buffer.extend_from_slice(bytes);
        self.accepted = self.state.accept(&self.buffer, &self.limits);
        self.hand_on(cursor)
    }
}

impl State {
    /// How many of `bytes` are accepted, and moves behind them. `bytes` begin behind what was accepted before; those
    /// not accepted come again, followed by more.
    fn accept(&mut self, bytes: &[u8], limits: &HeadLimits) -> usize {
        let mut accepted = 0;
        while accepted < bytes.len() {
            match self.step(&bytes[accepted..], limits) {
                Ok(0) => break,
                Ok(len) => accepted += len,
                Err((len, refusal)) => {
                    *self = Self::Refused(Some(refusal));
                    return accepted + len;
                }
            }
        }
        accepted
    }

    /// Accepts one head, or what is there of one body. The error has what is accepted before what is refused.
    fn step(&mut self, bytes: &[u8], limits: &HeadLimits) -> Result<usize, (usize, HeadRefusal)> {
        match self {
            Self::Head(end) => {
                let Some(len) = end.find(bytes, limits.bytes_max).map_err(|refusal| (0, refusal))? else {
                    return Ok(0);
                };
                *self = Self::after(scan(&bytes[..len], limits).map_err(|refusal| (0, refusal))?);
                Ok(len)
            }
            Self::Length(left) => {
                let len = fitting(bytes, *left);
                *left -= len as u64;
                if *left == 0 {
                    *self = Self::HEAD;
                }
                Ok(len)
            }
            Self::Chunked(chunk) => {
                let mut len = 0;
                while len < bytes.len() {
                    let (taken, step) = chunk.step(&bytes[len..]).map_err(|refusal| (len, refusal))?;
                    len += taken;
                    *chunk = match step {
                        ChunkStep::Next(next) => next,
                        ChunkStep::End => {
                            *self = Self::HEAD;
                            break;
                        }
                        ChunkStep::Trailers if limits.trailers => {
                            *self = Self::Trailers(HeadEnd::new());
                            break;
                        }
                        ChunkStep::Trailers => return Err((len, HeadRefusal::Trailer)),
                    };
                }
                // A trailer section is looked at at once, if nothing came before it.
                if len == 0 { self.step(bytes, limits) } else { Ok(len) }
            }
            Self::Trailers(end) => {
                let Some(len) = end.find(bytes, limits.bytes_max).map_err(|refusal| (0, refusal))? else {
                    return Ok(0);
                };
                scan_trailers(&bytes[..len], limits).map_err(|refusal| (0, refusal))?;
                *self = Self::HEAD;
                Ok(len)
            }
            Self::Refused(_) => Ok(0),
        }
    }

    const HEAD: Self = Self::Head(HeadEnd::new());

    const fn after(framing: Framing) -> Self {
        match framing {
            Framing::None | Framing::Length(0) => Self::HEAD,
            Framing::Length(length) => Self::Length(length),
            Framing::Chunked => Self::Chunked(Chunk::START),
        }
    }
}

/// How many of `bytes` belong to a body of which `left` bytes are to come.
fn fitting(bytes: &[u8], left: u64) -> usize {
    usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()))
}

impl<S: Read + Unpin> Read for Guard<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut cursor: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if cursor.remaining() == 0 || this.hand_on(&mut cursor) {
            return Poll::Ready(Ok(()));
        }
        // Each turn reads at least one byte of a head, of which there are `bytes_max`.
        while !matches!(this.state, State::Refused(_)) {
            let mut scratch = [MaybeUninit::uninit(); READ_BYTES];
            // No more than fits: what is accepted then goes from here to the reader without a third copy.
            let mut read = ReadBuf::uninit(&mut scratch[..READ_BYTES.min(cursor.remaining())]);
            ready!(Pin::new(&mut this.inner).poll_read(cx, read.unfilled()))?;
            if read.filled().is_empty() || this.take_in(read.filled(), &mut cursor) {
                break;
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: Write + Unpin> Write for Guard<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
#[path = "guard_tests.rs"]
mod tests;
