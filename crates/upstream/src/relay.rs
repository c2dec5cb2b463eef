//! One exchange on one connection: the request goes out and the answer comes in at the same time.

use std::{
    io,
    rc::Rc,
    task::{Context, Poll, ready},
    time::Instant,
};

use bytes::{Buf, Bytes};
use http::StatusCode;
use hyper::body::Frame;
use portcullis_http1::{Chunk, ChunkStep, HeadEnd, HeadRefusal};

use crate::{
    Upstream, UpstreamError,
    connection::Connection,
    request::RequestBody,
    response::{self, Framing, Head},
    upload::Upload,
};

/// How many interim answers (1xx) may precede the answer: a server has use for one or two.
const INTERIM_ANSWERS_MAX: usize = 8;

/// An exchange under way.
#[derive(Debug)]
pub(crate) struct Relay {
    upstream: Rc<Upstream>,
    connection: Connection,
    upload: Upload,
    is_head: bool,
    keep_alive: bool,
    /// Whether the last poll ended in a wait, whose time counts from then.
    is_waiting: bool,
    /// What came and was not used.
    received: Bytes,
    body: AnswerBody,
}

/// What the next byte of the answer belongs to.
#[derive(Debug)]
enum AnswerBody {
    /// A head. The room for what there is of it, and how many interim ones came.
    Head {
        end: HeadEnd,
        partial: Vec<u8>,
        interim: usize,
    },
    Length(u64),
    Chunked(Chunk),
    Trailers {
        end: HeadEnd,
        partial: Vec<u8>,
    },
    Close,
    /// The answer has ended.
    Done,
}

impl Relay {
    /// Sends `head` over `connection`, and then `body`.
    pub(crate) fn start(
        upstream: Rc<Upstream>,
        mut connection: Connection,
        head: Vec<u8>,
        body: Option<RequestBody>,
        is_head: bool,
    ) -> Self {
        connection.socket.write(head);
        connection.alarm.set(Instant::now() + upstream.config().response_timeout);
        Self {
            upstream,
            connection,
            upload: body.map_or(Upload::Written, Upload::Body),
            is_head,
            keep_alive: false,
            is_waiting: true,
            received: Bytes::new(),
            body: AnswerBody::Head { end: HeadEnd::new(), partial: Vec::new(), interim: 0 },
        }
    }

    /// Goes on with the request and waits for the head of the answer.
    pub(crate) fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<Head, UpstreamError>> {
        let moved = self.upload.drive(&mut self.connection.socket, cx)?;
        let answer = self.poll_answer_head(cx);
        if answer.is_pending() {
            return self.poll_alarm(moved, cx).map(Err);
        }
        // Until the client asks for the body nobody waits for the server.
        self.is_waiting = false;
        answer
    }

    /// Goes on with the request and waits for more of the answer's body; `None` at its end.
    pub(crate) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, UpstreamError>>> {
        // The answer goes on whatever became of the request's body: its end is the server's to judge.
        let mut moved = self.upload.drive(&mut self.connection.socket, cx).unwrap_or_else(|fault| {
            self.upload = Upload::Abandoned(Some(fault));
            true
        });
        loop {
            if let Some(frame) = self.decode().transpose() {
                // Until the client has taken it nobody waits for the server.
                self.is_waiting = false;
                return Poll::Ready(Some(frame));
            }
            if matches!(self.body, AnswerBody::Done) {
                return Poll::Ready(None);
            }
            match self.connection.socket.poll_read(cx) {
                Poll::Ready(Ok(bytes)) if bytes.is_empty() => {
                    let is_whole = matches!(self.body, AnswerBody::Close);
                    self.body = AnswerBody::Done;
                    return Poll::Ready((!is_whole).then_some(Err(UpstreamError::Truncated)));
                }
                Poll::Ready(Ok(bytes)) => {
                    self.received = bytes.into();
                    moved = true;
                }
                Poll::Ready(Err(_)) => return Poll::Ready(Some(Err(UpstreamError::Truncated))),
                Poll::Pending => {
                    return self.poll_alarm(moved, cx).map(|timeout| Some(Err(timeout)));
                }
            }
        }
    }

    /// Whether the answer has ended.
    pub(crate) const fn is_done(&self) -> bool {
        matches!(self.body, AnswerBody::Done)
    }

    /// How many bytes of the answer's body are still to come, where that is known.
    pub(crate) const fn left(&self) -> Option<u64> {
        match &self.body {
            AnswerBody::Length(left) => Some(*left),
            AnswerBody::Done => Some(0),
            _ => None,
        }
    }

    /// Whether nothing but the request's own end is missing: its body has been sent.
    pub(crate) const fn is_sent(&self) -> bool {
        matches!(self.upload, Upload::Sent)
    }

    /// Why the request's body came to no end while the answer came. Told once.
    pub(crate) fn take_fault(&mut self) -> Option<UpstreamError> {
        self.upload.take_fault()
    }

    /// Counts an answer that broke off behind its head.
    pub(crate) fn failed(&self, error: &UpstreamError) {
        self.upstream.metrics.failed(error.code());
    }

    /// Ends the exchange. Behind a whole one the connection goes back to the pool; what the client has still to send
    /// comes back otherwise.
    pub(crate) fn finish(self) -> Option<RequestBody> {
        let is_whole = self.is_done() && self.is_sent() && self.received.is_empty();
        if is_whole && self.keep_alive {
            self.upstream.give_back(self.connection);
            return None;
        }
        self.upload.into_body()
    }

    /// What of the body is there already, if that is all of it.
    pub(crate) fn take_whole_body(&mut self) -> Option<Bytes> {
        let AnswerBody::Length(left) = self.body else {
            return matches!(self.body, AnswerBody::Done).then(Bytes::new);
        };
        let len = usize::try_from(left).ok().filter(|len| *len <= self.received.len())?;
        self.body = AnswerBody::Done;
        Some(self.received.split_to(len))
    }

    fn poll_answer_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<Head, UpstreamError>> {
        loop {
            if let Some(head) = self.parse_head()? {
                return Poll::Ready(Ok(head));
            }
            let AnswerBody::Head { partial, interim, .. } = &mut self.body else {
                return Poll::Ready(Err(UpstreamError::Malformed("two heads")));
            };
            let is_silent = partial.is_empty() && *interim == 0;
            let bytes = match ready!(self.connection.socket.poll_read(cx)) {
                Ok(bytes) => bytes,
                Err(error) if is_silent => return Poll::Ready(Err(UpstreamError::Closed(error))),
                Err(_) => Vec::new(),
            };
            if bytes.is_empty() {
                return Poll::Ready(Err(match (is_silent, &mut self.upload) {
                    (false, _) => UpstreamError::Malformed("a head that breaks off"),
                    (true, Upload::Broken(error, _)) => {
                        UpstreamError::Closed(std::mem::replace(error, io::ErrorKind::BrokenPipe.into()))
                    }
                    (true, _) => UpstreamError::Closed(io::ErrorKind::UnexpectedEof.into()),
                }));
            }
            if partial.is_empty() {
                *partial = bytes;
            } else {
                partial.extend_from_slice(&bytes);
                self.connection.socket.give_back(bytes);
            }
        }
    }

    /// Parses the head once it is all there, passing over interim ones.
    fn parse_head(&mut self) -> Result<Option<Head>, UpstreamError> {
        loop {
            let AnswerBody::Head { end, partial, interim } = &mut self.body else { return Ok(None) };
            let Some(len) = end.find(partial, response::HEAD_BYTES_MAX).map_err(malformed)? else {
                return Ok(None);
            };
            let mut all = Bytes::from(std::mem::take(partial));
            let head = response::parse(&all.split_to(len), self.is_head, self.upstream.config().trailers)?;
            if head.status.is_informational() {
                if head.status == StatusCode::SWITCHING_PROTOCOLS || *interim == INTERIM_ANSWERS_MAX {
                    return Err(UpstreamError::Malformed("an interim answer that nobody asked for"));
                }
                *interim += 1;
                *partial = all.into();
                *end = HeadEnd::new();
                continue;
            }
            self.received = all;
            self.keep_alive = head.keep_alive;
            self.body = match head.framing {
                Framing::Length(0) => AnswerBody::Done,
                Framing::Length(length) => AnswerBody::Length(length),
                Framing::Chunked => AnswerBody::Chunked(Chunk::START),
                Framing::Close => AnswerBody::Close,
            };
            return Ok(Some(head));
        }
    }

    /// The next frame of what was received; `None` if that is used up, or the body has ended.
    fn decode(&mut self) -> Result<Option<Frame<Bytes>>, UpstreamError> {
        while !self.received.is_empty() {
            match &mut self.body {
                AnswerBody::Close => return Ok(Some(Frame::data(std::mem::take(&mut self.received)))),
                AnswerBody::Length(left) => {
                    let len = usize::try_from(*left)
                        .map_or(self.received.len(), |left| left.min(self.received.len()));
                    *left -= len as u64;
                    if *left == 0 {
                        self.body = AnswerBody::Done;
                    }
                    return Ok(Some(Frame::data(self.received.split_to(len))));
                }
                AnswerBody::Chunked(chunk) => {
                    let is_data = matches!(chunk, Chunk::Data { .. });
                    let (len, step) = chunk.step(&self.received).map_err(malformed)?;
                    match step {
                        ChunkStep::Next(next) => *chunk = next,
                        ChunkStep::End => self.body = AnswerBody::Done,
                        ChunkStep::Trailers => {
                            self.body = AnswerBody::Trailers { end: HeadEnd::new(), partial: Vec::new() };
                        }
                    }
                    if is_data {
                        return Ok(Some(Frame::data(self.received.split_to(len))));
                    }
                    self.received.advance(len);
                }
                AnswerBody::Trailers { end, partial } => {
                    let before = partial.len();
                    partial.extend_from_slice(&self.received);
                    let Some(len) = end.find(partial, response::HEAD_BYTES_MAX).map_err(malformed)? else {
                        self.received.clear();
                        return Ok(None);
                    };
                    self.received.advance(len - before);
                    let trailers = self.upstream.config().trailers.then(|| {
                        response::parse_trailers(&Bytes::from(std::mem::take(partial)).split_to(len))
                    });
                    self.body = AnswerBody::Done;
                    return trailers.transpose().map(|trailers| trailers.map(Frame::trailers));
                }
                AnswerBody::Head { .. } | AnswerBody::Done => return Ok(None),
            }
        }
        Ok(None)
    }

    /// Ready when nothing has moved for too long. A wait begins anew whenever something `moved`.
    fn poll_alarm(&mut self, moved: bool, cx: &mut Context<'_>) -> Poll<UpstreamError> {
        let (timeout, error) = match self.upload.owed_by_client(&self.connection.socket) {
            Some(body) => (body.stall_timeout, UpstreamError::RequestBodyTimeout),
            None => (self.upstream.config().response_timeout, UpstreamError::Timeout),
        };
        if moved || !std::mem::replace(&mut self.is_waiting, true) {
            self.connection.alarm.set(Instant::now() + timeout);
        }
        self.connection.alarm.poll(cx).map(|()| error)
    }
}

fn malformed(refusal: HeadRefusal) -> UpstreamError {
    UpstreamError::Malformed(match refusal {
        HeadRefusal::TooLarge { .. } => "a head that is too large",
        HeadRefusal::BareCr | HeadRefusal::BareLf => "a line that does not end with CRLF",
        _ => "chunks that are none",
    })
}
