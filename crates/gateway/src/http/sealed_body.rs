//! The body of a sealed request: held until it is known to be the one that was sealed, or passed on but for its end.

use std::{
    cell::Cell,
    future::poll_fn,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use hyper::body::{Body, Incoming};
use portcullis_upstream::{BodyFraming, BodySource, HeldBody, UpstreamError};

use crate::{
    http::{forward::framing_of, seal::SealedBody, seal_refusal::SealRefusal},
    plan::Delivery,
    spool::{Spool, SpoolError, SpoolFile, SpoolReader},
};

/// A body that is longer than what is held in memory goes to the spool in pieces of that size.
const SPOOL_PIECE_BYTES: usize = 64 * 1024;

/// Within what bounds a body is read.
#[derive(Debug, Clone)]
pub(crate) struct Bounds {
    /// How long the client may keep still in the middle of it.
    pub(crate) stall_timeout: Duration,
    /// Bytes that the client's policy allows.
    pub(crate) policy_bytes_max: u64,
    /// Bytes that came, for whoever counts them.
    pub(crate) received: Rc<Cell<u64>>,
}

/// What is done with a body that is the one that was sealed.
#[derive(Debug)]
enum Keep<'s> {
    /// It is passed on.
    For(&'s Arc<Spool>),
    /// Nobody wants it.
    Nothing,
}

/// A body that is there as a whole: of a request the one that was sealed, or of an answer that is to be.
#[derive(Debug)]
pub(crate) struct WholeBody {
    length: u64,
    source: Source,
}

#[derive(Debug)]
enum Source {
    Memory(Bytes),
    Spool(SpoolReader),
}

/// Where a body gathers.
#[derive(Default)]
pub(crate) struct Gathering {
    memory: Vec<u8>,
    file: Option<SpoolFile>,
}

/// A body that is not passed on, and what of it was not read.
pub(crate) type Refused = (SealRefusal, Incoming);

/// The body as an upstream gets it, framed; `None` where there is none.
///
/// # Errors
/// It is not the one that was sealed, or did not come, or is too long.
pub(crate) async fn pass_on(
    mut body: Incoming,
    sealed: SealedBody,
    bounds: Bounds,
    spool: &Arc<Spool>,
) -> Result<Option<(BodyFraming, BodySource)>, Refused> {
    let framing = framing_of(&body);
    if let (Delivery::Streaming, Some(framing)) = (sealed.delivery, framing) {
        let streamed = StreamedBody::new(body, sealed, bounds)?;
        return Ok(Some((framing, BodySource::Held(Box::new(streamed)))));
    }
    match receive(&mut body, sealed, &bounds, Keep::For(spool)).await {
        Ok(whole) => Ok(framing.map(|_| {
            let framing = BodyFraming::Length(whole.length);
            (framing, BodySource::Held(Box::new(whole) as Box<dyn HeldBody>))
        })),
        Err(refusal) => Err((refusal, body)),
    }
}

/// Reads a body that nobody wants.
///
/// # Errors
/// As [`pass_on`].
pub(crate) async fn verify(mut body: Incoming, sealed: SealedBody, bounds: &Bounds) -> Result<(), Refused> {
    receive(&mut body, sealed, bounds, Keep::Nothing).await.map(drop).map_err(|refusal| (refusal, body))
}

/// Reads all of a body, and says whether it is the one that was sealed. What was not read after an error is still in `incoming`.
async fn receive(
    incoming: &mut Incoming,
    sealed: SealedBody,
    bounds: &Bounds,
    keep: Keep<'_>,
) -> Result<WholeBody, SealRefusal> {
    let metrics = Rc::clone(&sealed.metrics);
    let received = gather(incoming, sealed, bounds, keep).await;
    metrics.seal(received.as_ref().map_or_else(SealRefusal::code, |_| "verified"));
    received
}

async fn gather(
    incoming: &mut Incoming,
    sealed: SealedBody,
    bounds: &Bounds,
    keep: Keep<'_>,
) -> Result<WholeBody, SealRefusal> {
    let SealedBody { mut digest, memory_bytes_max, bytes_max, .. } = sealed;
    bounds.admit(incoming.size_hint().lower(), bytes_max)?;
    let mut gathering = Gathering::default();
    while let Some(data) = bounds.next(incoming).await? {
        bounds.count(&data, bytes_max)?;
        digest.update(&data);
        if let Keep::For(spool) = keep {
            gathering.push(&data, memory_bytes_max, spool).await?;
        }
    }
    digest.finish()?;
    Ok(gathering.end(bounds.received.get()).await?)
}

impl Bounds {
    /// Whether a body may have that length.
    fn admit(&self, length: u64, bytes_max: u64) -> Result<(), SealRefusal> {
        if length > self.policy_bytes_max {
            return Err(UpstreamError::RequestBodyTooLong.into());
        }
        if length > bytes_max {
            return Err(SealRefusal::TooLong { bytes_max });
        }
        Ok(())
    }

    fn count(&self, data: &Bytes, bytes_max: u64) -> Result<(), SealRefusal> {
        let received = self.received.get().saturating_add(data.len() as u64);
        self.received.set(received);
        self.admit(received, bytes_max)
    }

    async fn next(&self, incoming: &mut Incoming) -> Result<Option<Bytes>, UpstreamError> {
        let data = poll_fn(|cx| poll_data(incoming, cx));
        match monoio::time::timeout(self.stall_timeout, data).await {
            Ok(data) => data,
            Err(_) => Err(UpstreamError::RequestBodyTimeout),
        }
    }
}

/// The next bytes of a body; `None` at its end. Trailer fields were not sealed, and end here.
fn poll_data(incoming: &mut Incoming, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, UpstreamError>> {
    while let Some(frame) = ready!(Pin::new(&mut *incoming).poll_frame(cx)) {
        if let Ok(data) = frame.map_err(UpstreamError::RequestBody)?.into_data() {
            return Poll::Ready(Ok(Some(data)));
        }
    }
    Poll::Ready(Ok(None))
}

impl Gathering {
    /// Takes the next bytes. They are copied, since what comes in one frame may be a small part of a large buffer.
    pub(crate) async fn push(
        &mut self,
        data: &[u8],
        memory_max: usize,
        spool: &Arc<Spool>,
    ) -> Result<(), SpoolError> {
        let held_max = if self.file.is_some() { memory_max.min(SPOOL_PIECE_BYTES) } else { memory_max };
        if self.memory.len() + data.len() > held_max && !self.memory.is_empty() {
            self.spill(spool).await?;
        }
        self.memory.extend_from_slice(data);
        if self.memory.len() > held_max {
            self.spill(spool).await?;
        }
        Ok(())
    }

    async fn spill(&mut self, spool: &Arc<Spool>) -> Result<(), SpoolError> {
        let mut file = match self.file.take() {
            Some(file) => file,
            None => spool.file()?,
        };
        self.memory = file.append(std::mem::take(&mut self.memory)).await?;
        self.file = Some(file);
        Ok(())
    }

    /// What has come, which is of that length.
    pub(crate) async fn end(self, length: u64) -> Result<WholeBody, SpoolError> {
        let source = match self.file {
            None => Source::Memory(self.memory.into()),
            Some(mut file) => {
                file.append(self.memory).await?;
                Source::Spool(file.read())
            }
        };
        Ok(WholeBody { length, source })
    }
}

impl WholeBody {
    /// Bytes that it has in all.
    pub(crate) const fn length(&self) -> u64 {
        self.length
    }
}

impl HeldBody for WholeBody {
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, UpstreamError>>> {
        match &mut self.source {
            Source::Memory(bytes) if bytes.is_empty() => Poll::Ready(None),
            Source::Memory(bytes) => Poll::Ready(Some(Ok(std::mem::take(bytes)))),
            Source::Spool(reader) => {
                let refuse = |error| SealRefusal::Spool(error).into_upstream();
                reader.poll_next(cx).map(|next| next.map(|next| next.map_err(refuse)))
            }
        }
    }

    fn into_unread(self: Box<Self>) -> Option<Incoming> {
        None
    }
}

/// A body that is passed on as it comes, but for the last of it, which waits until all is known to be what was sealed.
#[derive(Debug)]
struct StreamedBody {
    incoming: Incoming,
    bounds: Bounds,
    sealed: SealedBody,
    /// What came last.
    last: Option<Bytes>,
    stage: Stage,
}

#[derive(Debug, Clone, Copy)]
enum Stage {
    Coming,
    /// All has come, and is what was sealed.
    Whole,
    /// It goes no further, whoever asks again.
    Refused,
}

impl StreamedBody {
    /// Of a body that has not ended.
    ///
    /// # Errors
    /// It is too long by what it announces.
    fn new(incoming: Incoming, sealed: SealedBody, bounds: Bounds) -> Result<Self, Refused> {
        match bounds.admit(incoming.size_hint().lower(), sealed.bytes_max) {
            Ok(()) => Ok(Self { incoming, bounds, sealed, last: None, stage: Stage::Coming }),
            Err(refusal) => {
                sealed.metrics.seal(refusal.code());
                Err((refusal, incoming))
            }
        }
    }

    /// Bytes to pass on; `None` at the end.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, SealRefusal>> {
        while let Stage::Coming = self.stage {
            match ready!(poll_data(&mut self.incoming, cx))? {
                Some(data) if data.is_empty() => {}
                Some(data) => {
                    self.bounds.count(&data, self.sealed.bytes_max)?;
                    self.sealed.digest.update(&data);
                    if let Some(before) = self.last.replace(data) {
                        return Poll::Ready(Ok(Some(before)));
                    }
                }
                None => {
                    self.sealed.digest.clone().finish()?;
                    self.stage = Stage::Whole;
                    self.sealed.metrics.seal("verified");
                }
            }
        }
        Poll::Ready(Ok(self.last.take()))
    }
}

impl HeldBody for StreamedBody {
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, UpstreamError>>> {
        if let Stage::Refused = self.stage {
            return Poll::Ready(Some(Err(UpstreamError::RequestBodyLength)));
        }
        let next = ready!(self.poll_next(cx)).map_err(|refusal| {
            self.stage = Stage::Refused;
            self.sealed.metrics.seal(refusal.code());
            refusal.into_upstream()
        });
        Poll::Ready(next.transpose())
    }

    fn into_unread(self: Box<Self>) -> Option<Incoming> {
        Some(self.incoming)
    }
}
