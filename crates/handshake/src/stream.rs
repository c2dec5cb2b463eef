//! A TLS stream over completion I/O.

use std::{
    future::poll_fn,
    io::{self, BufRead, Write},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
    time::Duration,
};

use hyper::rt::ReadBufCursor;
use portcullis_socket::Socket;
use rustls::{Error as TlsError, ServerConnection};
use rustls_pki_types::CertificateDer;

use crate::{Activity, hello::Ciphertext};

/// Plaintext that rustls holds at most before it takes more ciphertext, in bytes: its own limit for a stream whose
/// owner reads slowly.
const PLAINTEXT_WAITING_MAX: usize = 16 * 1024;

/// How long a closed connection is still read from, and how much. A socket that is closed with unread input resets
/// the connection, and the reset overtakes the alert or answer that said why.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES_MAX: usize = 256 * 1024;

/// A TLS stream on which the handshake has finished, for hyper or for raw bytes.
///
/// Writes are encrypted as they come and sent on flush, or when 64 kB have gathered: what was written between two
/// flushes is one write to the socket. While nothing moves it holds one read buffer of 1 kB and what rustls holds.
#[derive(Debug)]
pub struct TlsStream {
    tls: Box<ServerConnection>,
    socket: Socket,
    ciphertext: Ciphertext,
    /// Plaintext that an owner took and gave back.
    put_back: Vec<u8>,
    activity: Rc<Activity>,
    end: End,
}

/// How far the stream is from its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Open,
    /// `close_notify` is queued or sent.
    Notified,
    /// The FIN is queued or sent.
    Finished,
}

impl TlsStream {
    pub(crate) fn new(
        tls: ServerConnection,
        socket: Socket,
        ciphertext: Ciphertext,
        activity: Rc<Activity>,
    ) -> Self {
        Self { tls: Box::new(tls), socket, ciphertext, put_back: Vec::new(), activity, end: End::Open }
    }

    pub(crate) fn tls(&self) -> &ServerConnection {
        &self.tls
    }

    pub(crate) fn is_handshaking(&self) -> bool {
        self.tls.is_handshaking()
    }

    /// The chain that the client proved possession of, in this handshake or the one that it resumes; leaf first.
    pub fn peer_certificates(&self) -> Option<&[CertificateDer<'static>]> {
        self.tls.peer_certificates()
    }

    /// Gives plaintext back that was read and not used; it is read again first.
    pub fn put_back(&mut self, plaintext: &[u8]) {
        self.put_back.splice(0..0, plaintext.iter().copied());
    }

    /// Waits until there is something to read: plaintext, the end, or an error.
    pub fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Whoever waits here may be the only one to drive what was left in flight.
        if self.socket.is_writing() {
            let _ = self.poll_send(cx)?;
        }
        loop {
            if !self.put_back.is_empty() {
                return Poll::Ready(Ok(()));
            }
            match self.tls.reader().fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => ready!(self.poll_more(cx))?,
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Poll::Ready(Ok(())),
                Err(error) => return Poll::Ready(Err(error)),
                Ok(_) => return Poll::Ready(Ok(())),
            }
        }
    }

    /// Ends the stream: what is queued is sent, then `close_notify` and FIN; then what the peer had under way is read
    /// and dropped for a moment, so that the last words reach it. Errors no longer matter.
    pub async fn close(mut self) {
        let last_words = async {
            poll_fn(|cx| self.poll_end(cx)).await?;
            drain(&mut self.socket).await
        };
        let _ = monoio::time::timeout(LINGER, last_words).await;
    }

    /// Takes more ciphertext in and processes it.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // At the end of the stream rustls is told as well, and its reader then says whether it was a clean one.
        ready!(self.poll_ciphertext(cx))?;
        let processed = self.process();
        // Whatever came of it may have to be said: an alert, a key update.
        if self.tls.wants_write() {
            let _ = self.poll_send(cx)?;
        }
        Poll::Ready(processed.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error)))
    }

    /// Waits until there is ciphertext to process. False at the end of the stream, of which rustls is told.
    pub(crate) fn poll_ciphertext(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        if !self.ciphertext.is_empty() {
            return Poll::Ready(Ok(true));
        }
        self.socket.give_back(std::mem::take(&mut self.ciphertext).buffer);
        let buffer = ready!(self.socket.poll_read(cx))?;
        if buffer.is_empty() {
            self.tls.read_tls(&mut io::empty())?;
            return Poll::Ready(Ok(false));
        }
        self.ciphertext = Ciphertext { buffer, taken: 0 };
        Poll::Ready(Ok(true))
    }

    /// Lets rustls process ciphertext until it is used up or enough plaintext waits.
    pub(crate) fn process(&mut self) -> Result<(), TlsError> {
        loop {
            let tls = &mut self.tls;
            self.ciphertext
                .feed(|bytes| tls.read_tls(bytes))
                .map_err(|error| TlsError::General(error.to_string()))?;
            let state = tls.process_new_packets()?;
            if self.ciphertext.is_empty() || state.plaintext_bytes_to_read() >= PLAINTEXT_WAITING_MAX {
                return Ok(());
            }
        }
    }

    /// Sends what rustls has queued; ready when all of it is with the kernel.
    pub(crate) fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            if self.socket.is_writing() {
                ready!(self.socket.poll_written(cx))?;
                self.activity.output_taken();
            }
            if !self.tls.wants_write() {
                self.activity.output_done();
                return Poll::Ready(Ok(()));
            }
            let mut bytes = Vec::new();
            self.tls.write_tls(&mut bytes)?;
            self.activity.output_queued();
            self.socket.write(bytes);
        }
    }

    /// Ready when everything, `close_notify` and FIN included, is with the kernel.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.end == End::Open {
            self.tls.send_close_notify();
            self.end = End::Notified;
        }
        ready!(self.poll_send(cx))?;
        if self.end == End::Notified {
            self.socket.finish();
            self.end = End::Finished;
        }
        self.socket.poll_written(cx)
    }

    /// Encrypts by `write`; sends first where too much has gathered.
    fn poll_encrypt(
        &mut self,
        cx: &mut Context<'_>,
        write: impl Fn(&mut rustls::Writer<'_>) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            let written = write(&mut self.tls.writer())?;
            if written > 0 {
                self.activity.output_queued();
                return Poll::Ready(Ok(written));
            }
            // rustls takes no more than its buffer limit: make room. A write in flight holds as much again.
            ready!(self.poll_send(cx))?;
        }
    }
}

impl hyper::rt::Read for TlsStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        ready!(this.poll_readable(cx))?;
        if !this.put_back.is_empty() {
            let len = this.put_back.len().min(buffer.remaining());
            buffer.put_slice(&this.put_back[..len]);
            this.put_back.drain(..len);
            this.activity.input();
            return Poll::Ready(Ok(()));
        }
        while buffer.remaining() > 0 {
            let mut reader = this.tls.reader();
            // The end, clean or not, is an empty read: HTTP knows by its own framing whether something is missing.
            let Ok(plaintext) = reader.fill_buf() else { break };
            let len = plaintext.len().min(buffer.remaining());
            if len == 0 {
                break;
            }
            buffer.put_slice(&plaintext[..len]);
            reader.consume(len);
            this.activity.input();
        }
        Poll::Ready(Ok(()))
    }
}

impl hyper::rt::Write for TlsStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        self.poll_encrypt(cx, |writer| writer.write(bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if slices.iter().all(|slice| slice.is_empty()) {
            return Poll::Ready(Ok(0));
        }
        self.poll_encrypt(cx, |writer| writer.write_vectored(slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_send(cx)
    }

    /// Never fails: a peer that is gone already needs no farewell, and its connection did not fail by that.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_end(cx).map(|_| Ok(()))
    }
}

/// Sends `bytes` as the last words on a socket that has no TLS yet. Errors no longer matter.
pub(crate) async fn send_last(mut socket: Socket, bytes: Vec<u8>) {
    let last_words = async {
        if !bytes.is_empty() {
            socket.write(bytes);
            poll_fn(|cx| socket.poll_written(cx)).await?;
        }
        socket.finish();
        poll_fn(|cx| socket.poll_written(cx)).await?;
        drain(&mut socket).await
    };
    let _ = monoio::time::timeout(LINGER, last_words).await;
}

/// Reads and drops what comes, to the end of the stream or a bound.
async fn drain(socket: &mut Socket) -> io::Result<()> {
    let mut drained = 0;
    while drained < LINGER_BYTES_MAX {
        let buffer = poll_fn(|cx| socket.poll_read(cx)).await?;
        if buffer.is_empty() {
            break;
        }
        drained += buffer.len();
        socket.give_back(buffer);
    }
    Ok(())
}
