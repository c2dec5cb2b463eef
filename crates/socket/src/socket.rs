//! A TCP socket whose completion I/O can be polled.
//!
//! The kernel owns a buffer from the submission of an operation to its completion, so an operation must outlive the
//! future that asked for it: dropping one loses its bytes. Each direction is therefore a coroutine, made once a
//! connection and polled inline, that takes a buffer through a cell and gives it back through another. At most one
//! read and one write are in flight, and no timeout ever drops one.

use std::{
    cell::Cell,
    future::{Future, poll_fn},
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker, ready},
};

use monoio::{
    io::{AsyncReadRent, AsyncWriteRent, OwnedReadHalf, OwnedWriteHalf, Splitable},
    net::TcpStream,
};

/// The buffer that the first read waits with, in bytes, and each read of a handshake: the usual flight of a client with its
/// certificates fits.
const READ_BYTES_FIRST: usize = 4 * 1024;
/// The smallest buffer that a read waits with, in bytes. It is all that an idle connection holds, and the usual API
/// request fits.
const READ_BYTES_MIN: usize = 1024;
/// The largest, in bytes: four full TLS records, where a bulk upload no longer gains from fewer system calls.
const READ_BYTES_MAX: usize = 64 * 1024;

/// A connected socket.
#[derive(Debug)]
pub struct Socket {
    reader: Reader,
    writer: Writer,
}

impl Socket {
    /// Takes a connected stream.
    pub fn new(stream: TcpStream) -> Self {
        let (read_half, write_half) = stream.into_split();
        Self { reader: Reader::new(read_half), writer: Writer::new(write_half) }
    }

    /// Reads some bytes; `Ok` with an empty buffer at the end of the stream. The buffer comes back by
    /// [`Socket::give_back`] once it is used up.
    pub fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Vec<u8>>> {
        self.reader.poll_read(cx)
    }

    /// Returns a buffer that [`Socket::poll_read`] gave, to be filled again.
    pub fn give_back(&mut self, buffer: Vec<u8>) {
        self.reader.spare = buffer;
    }

    /// From now on no read waits with less than the flight of a handshake takes, however little comes. One that came in two reads
    /// would cost another turn, and rustls would hold 8 kB for it from then on in place of 4.
    pub fn expect_flights(&mut self) {
        self.reader.least_len = READ_BYTES_FIRST;
    }

    /// From now on reads wait with as little as what comes needs: the handshake is over.
    pub fn expect_requests(&mut self) {
        self.reader.least_len = READ_BYTES_MIN;
        self.reader.next_len = READ_BYTES_MIN;
    }

    /// Whether a write is in flight.
    pub fn is_writing(&self) -> bool {
        self.writer.in_flight
    }

    /// The buffer of the last write, to be filled again or dropped: the socket keeps it until then.
    pub fn take_written(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.writer.written)
    }

    /// Begins to write `bytes`, at least one. Only while no write is in flight; [`Socket::poll_written`] drives it.
    pub fn write(&mut self, bytes: Vec<u8>) {
        debug_assert!(!self.writer.in_flight, "one write at a time");
        self.writer.cell.command.set(Some(WriteCommand::Write(bytes)));
        self.writer.in_flight = true;
    }

    /// Drives the write in flight, if any, until all of it is with the kernel.
    pub fn poll_written(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writer.poll_written(cx)
    }

    /// Ends our direction (FIN). Only while no write is in flight.
    pub fn finish(&mut self) {
        debug_assert!(!self.writer.in_flight, "a write would be cut");
        self.writer.cell.command.set(Some(WriteCommand::Finish));
        self.writer.in_flight = true;
    }
}

impl Drop for Socket {
    /// monoio shuts a socket down where its writing half is dropped, one system call more before the one that closes it; halves that are
    /// put together again are not.
    fn drop(&mut self) {
        if let Some(read_half) = self.reader.end()
            && let Some(write_half) = self.writer.end()
        {
            drop(read_half.reunite(write_half));
        }
    }
}

/// Does what it is told until it is told to end, and then returns its half of the socket.
type Coroutine<Half> = Pin<Box<dyn Future<Output = Half>>>;

struct Reader {
    coroutine: Coroutine<OwnedReadHalf<TcpStream>>,
    cell: Rc<ReadCell>,
    in_flight: bool,
    /// The size of the next buffer: grows while reads fill it, shrinks while they do not.
    next_len: usize,
    least_len: usize,
    spare: Vec<u8>,
}

enum ReadCommand {
    Read(Vec<u8>),
    End,
}

#[derive(Default)]
struct ReadCell {
    command: Cell<Option<ReadCommand>>,
    outcome: Cell<Option<(io::Result<usize>, Vec<u8>)>>,
}

impl Reader {
    fn new(mut half: OwnedReadHalf<TcpStream>) -> Self {
        let cell = Rc::new(ReadCell::default());
        let shared = Rc::clone(&cell);
        let coroutine = Box::pin(async move {
            loop {
                match poll_fn(|_| shared.command.take().map_or(Poll::Pending, Poll::Ready)).await {
                    ReadCommand::Read(buffer) => shared.outcome.set(Some(half.read(buffer).await)),
                    ReadCommand::End => return half,
                }
            }
        });
        let (next_len, least_len) = (READ_BYTES_FIRST, READ_BYTES_MIN);
        Self { coroutine, cell, in_flight: false, next_len, least_len, spare: Vec::new() }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Vec<u8>>> {
        if !self.in_flight {
            let mut buffer = std::mem::take(&mut self.spare);
            buffer.clear();
            if buffer.capacity() > 2 * self.next_len {
                buffer = Vec::new();
            }
            buffer.reserve_exact(self.next_len);
            self.cell.command.set(Some(ReadCommand::Read(buffer)));
            self.in_flight = true;
        }
        let _ = self.coroutine.as_mut().poll(cx);
        let Some((result, buffer)) = self.cell.outcome.take() else { return Poll::Pending };
        self.in_flight = false;
        let read = result?;
        if read >= buffer.capacity() {
            self.next_len = (self.next_len * 4).min(READ_BYTES_MAX);
        } else if read < self.next_len / 2 {
            self.next_len = (self.next_len / 2).max(self.least_len);
        }
        Poll::Ready(Ok(buffer))
    }

    /// Ends it; `None` while a read is in flight.
    fn end(&mut self) -> Option<OwnedReadHalf<TcpStream>> {
        if self.in_flight {
            return None;
        }
        self.cell.command.set(Some(ReadCommand::End));
        ended(&mut self.coroutine)
    }
}

fn ended<Half>(coroutine: &mut Coroutine<Half>) -> Option<Half> {
    match coroutine.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(half) => Some(half),
        Poll::Pending => None,
    }
}

enum WriteCommand {
    Write(Vec<u8>),
    Finish,
    End,
}

struct Writer {
    coroutine: Coroutine<OwnedWriteHalf<TcpStream>>,
    cell: Rc<WriteCell>,
    in_flight: bool,
    written: Vec<u8>,
}

#[derive(Default)]
struct WriteCell {
    command: Cell<Option<WriteCommand>>,
    outcome: Cell<Option<(io::Result<()>, Vec<u8>)>>,
}

impl Writer {
    fn new(mut half: OwnedWriteHalf<TcpStream>) -> Self {
        let cell = Rc::new(WriteCell::default());
        let shared = Rc::clone(&cell);
        let coroutine = Box::pin(async move {
            loop {
                let outcome =
                    match poll_fn(|_| shared.command.take().map_or(Poll::Pending, Poll::Ready)).await {
                        WriteCommand::Write(bytes) => write_all(&mut half, bytes).await,
                        WriteCommand::Finish => (half.shutdown().await, Vec::new()),
                        WriteCommand::End => return half,
                    };
                shared.outcome.set(Some(outcome));
            }
        });
        Self { coroutine, cell, in_flight: false, written: Vec::new() }
    }

    fn poll_written(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.in_flight {
            return Poll::Ready(Ok(()));
        }
        let _ = self.coroutine.as_mut().poll(cx);
        let (outcome, written) = ready!(self.cell.outcome.take().map_or(Poll::Pending, Poll::Ready));
        self.in_flight = false;
        self.written = written;
        Poll::Ready(outcome)
    }

    /// Ends it; `None` while a write is in flight.
    fn end(&mut self) -> Option<OwnedWriteHalf<TcpStream>> {
        if self.in_flight {
            return None;
        }
        self.cell.command.set(Some(WriteCommand::End));
        ended(&mut self.coroutine)
    }
}

async fn write_all(half: &mut OwnedWriteHalf<TcpStream>, bytes: Vec<u8>) -> (io::Result<()>, Vec<u8>) {
    use monoio::buf::{IoBuf, Slice};

    let len = bytes.len();
    let (mut result, mut bytes) = half.write(bytes).await;
    let mut written = 0;
    loop {
        written += match result {
            Ok(0) => return (Err(io::ErrorKind::WriteZero.into()), bytes),
            Ok(more) => more,
            Err(error) => return (Err(error), bytes),
        };
        if written >= len {
            return (Ok(()), bytes);
        }
        let rest: Slice<Vec<u8>>;
        (result, rest) = half.write(bytes.slice(written..)).await;
        bytes = rest.into_inner();
    }
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("in_flight", &self.in_flight).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").field("in_flight", &self.in_flight).finish_non_exhaustive()
    }
}
