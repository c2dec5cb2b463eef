//! What is inside of TLS, as a stream that can be polled.

use std::cell::{Cell, RefCell};
use std::io::{self, Write as _};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use rustls::ClientConnection;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::failure::{Failure, Stage};

/// Plaintext that may wait for the socket: some records. Who writes more waits.
const UNSENT_BYTES_MAX: usize = 256 * 1024;

/// What the protocol and the two tasks of the socket share. It is never borrowed across an await.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) tls: RefCell<ClientConnection>,
    /// Plaintext that came and has not been read, and how much of it has.
    pub(super) received: RefCell<Vec<u8>>,
    pub(super) read: Cell<usize>,
    /// Plaintext since the socket was written to last.
    pub(super) unsent: Cell<usize>,
    end: RefCell<Option<End>>,
    tickets_told: Cell<u32>,
    /// Wakes who waits for plaintext to read.
    pub(super) protocol_reads: Waiting,
    /// Wakes who waits for room to write.
    pub(super) protocol_writes: Waiting,
    /// Wakes the task that reads from the socket: all plaintext was read.
    pub(super) socket_reads: Waiting,
    /// Wakes the task that writes to the socket: there is something to send.
    pub(super) socket_writes: Waiting,
}

/// Why the connection has ended.
#[derive(Clone, Debug)]
pub(super) enum End {
    Eof,
    Alert(rustls::AlertDescription),
    Tls(rustls::Error),
    Read(io::ErrorKind),
}

/// One who waits.
#[derive(Debug, Default)]
pub(super) struct Waiting(RefCell<Option<Waker>>);

impl Waiting {
    pub(super) fn wait(&self, cx: &Context<'_>) {
        *self.0.borrow_mut() = Some(cx.waker().clone());
    }

    pub(super) fn wake(&self) {
        if let Some(waker) = self.0.borrow_mut().take() {
            waker.wake();
        }
    }
}

impl Shared {
    pub(super) fn new(tls: ClientConnection) -> Self {
        let tickets = tls.tls13_tickets_received();
        Self {
            tls: RefCell::new(tls),
            received: RefCell::default(),
            read: Cell::new(0),
            unsent: Cell::new(0),
            end: RefCell::new(None),
            tickets_told: Cell::new(tickets),
            protocol_reads: Waiting::default(),
            protocol_writes: Waiting::default(),
            socket_reads: Waiting::default(),
            socket_writes: Waiting::default(),
        }
    }

    /// Notes why the connection ended.
    pub(super) fn ended(&self, end: End) {
        *self.end.borrow_mut() = Some(end);
        for waiting in [&self.protocol_reads, &self.protocol_writes, &self.socket_reads, &self.socket_writes]
        {
            waiting.wake();
        }
    }

    pub(super) fn has_ended(&self) -> bool {
        self.end.borrow().is_some()
    }

    /// Why the connection has ended, if it has.
    pub(super) fn end(&self) -> Option<Failure> {
        let stage = Stage::Answer;
        self.end.borrow().clone().map(|end| match end {
            End::Eof => Failure::Eof(stage),
            End::Alert(alert) => Failure::Alert(alert),
            End::Tls(error) => Failure::Tls(error),
            End::Read(kind) => Failure::Read { stage, source: kind.into() },
        })
    }

    pub(super) fn new_tickets(&self) -> u64 {
        let received = self.tls.borrow().tls13_tickets_received();
        u64::from(received - self.tickets_told.replace(received))
    }
}

/// The plaintext of a connection, as the protocol sees it.
#[derive(Debug)]
pub(super) struct PlainStream(Rc<Shared>);

impl PlainStream {
    pub(super) fn new(shared: &Rc<Shared>) -> Self {
        Self(Rc::clone(shared))
    }
}

impl AsyncRead for PlainStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let shared = &self.0;
        let mut received = shared.received.borrow_mut();
        let unread = &received[shared.read.get()..];
        if unread.is_empty() {
            if shared.has_ended() {
                return Poll::Ready(Ok(()));
            }
            shared.protocol_reads.wait(cx);
            return Poll::Pending;
        }
        let length = unread.len().min(into.remaining());
        into.put_slice(&unread[..length]);
        shared.read.set(shared.read.get() + length);
        if shared.read.get() == received.len() {
            received.clear();
            shared.read.set(0);
            shared.socket_reads.wake();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for PlainStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let shared = &self.0;
        if shared.has_ended() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if shared.unsent.get() >= UNSENT_BYTES_MAX {
            shared.protocol_writes.wait(cx);
            return Poll::Pending;
        }
        let written = shared.tls.borrow_mut().writer().write(bytes)?;
        shared.unsent.set(shared.unsent.get() + written);
        shared.socket_writes.wake();
        Poll::Ready(Ok(written))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // What was written is on its way.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The connection ends with its handle.
        Poll::Ready(Ok(()))
    }
}
