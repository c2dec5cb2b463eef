//! A TLS stream over completion I/O.

use std::{
    future::poll_fn,
    io::{self, BufRead, Write},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

use hyper::rt::ReadBufCursor;
use portcullis_socket::Socket;
use rustls::{Error as TlsError, ProtocolVersion, ServerConnection};
use rustls_pki_types::CertificateDer;

use crate::{Activity, farewell::Linger, hello::Ciphertext};

/// Plaintext that rustls holds at most before it takes more ciphertext, in bytes: its own limit for a stream whose
/// owner reads slowly.
const PLAINTEXT_WAITING_MAX: usize = 16 * 1024;

/// A TLS stream on which the handshake has finished, for hyper or for raw bytes.
///
/// Writes are encrypted as they come and sent on flush, or when 64 kB have gathered: what was written between two
/// flushes is one write to the socket. While nothing moves it holds one read buffer of 1 kB and what rustls holds.
#[derive(Debug)]
pub struct TlsStream {
    tls: ServerConnection,
    socket: Socket,
    ciphertext: Ciphertext,
    /// Plaintext that an owner took and gave back.
    put_back: Vec<u8>,
    activity: Rc<Activity>,
    /// All that is queued are session tickets, which go with the first plaintext.
    holds_tickets: bool,
    end: End,
    failure: Option<Box<Failure>>,
}

/// How far the stream is from its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Open,
    /// `close_notify` is queued or sent.
    Notified,
    /// The FIN is queued or sent.
    Finished,
    /// The socket failed, or the peer has had its time for the last words: there is nobody to say anything to.
    Over,
}

/// What the peer sent after the handshake is not TLS. The alert that says so is the stream's last word, and its owner
/// hears of the failure only when the peer has had its time for it: an owner such as hyper drops a stream that failed.
#[derive(Debug)]
struct Failure {
    error: TlsError,
    linger: Linger,
}

impl TlsStream {
    pub(crate) fn new(
        tls: ServerConnection,
        socket: Socket,
        ciphertext: Ciphertext,
        activity: Rc<Activity>,
    ) -> Self {
        Self {
            tls,
            socket,
            ciphertext,
            put_back: Vec::new(),
            activity,
            holds_tickets: false,
            end: End::Open,
            failure: None,
        }
    }

    pub(crate) fn tls(&self) -> &ServerConnection {
        &self.tls
    }

    pub(crate) fn is_handshaking(&self) -> bool {
        self.tls.is_handshaking()
    }

    /// The handshake is over: what comes is usually less.
    pub(crate) fn expect_requests(&mut self) {
        self.socket.expect_requests();
    }

    /// Keeps tickets back until there is something to say besides, where the handshake has finished as TLS 1.3: nobody waits for them, and
    /// a write to the socket of their own would cost as much as that of the answer. A client of TLS 1.2 waits for what comes last.
    pub(crate) fn hold_tickets(&mut self) {
        let is_tls13 = self.tls.protocol_version() == Some(ProtocolVersion::TLSv1_3);
        self.holds_tickets = is_tls13 && !self.tls.is_handshaking();
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
            if let Some(failure) = self.failure.take() {
                return self.poll_failed(failure, cx).map(Err);
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
    /// and dropped for a moment, so that the last words reach it. Errors no longer matter. After an error of the socket
    /// it does nothing at all.
    pub async fn close(mut self: Box<Self>) {
        if self.end == End::Over {
            return;
        }
        let mut linger = Linger::begin();
        poll_fn(|cx| self.poll_farewell(&mut linger, cx)).await;
    }

    /// Takes more ciphertext in and processes it.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // At the end of the stream rustls is told as well, and its reader then says whether it was a clean one.
        ready!(self.poll_ciphertext(cx))?;
        if let Err(error) = self.process() {
            let failure = Failure { error, linger: Linger::begin() };
            return self.poll_failed(Box::new(failure), cx).map(Err);
        }
        // What came may want an answer of TLS itself: a key update.
        if self.tls.wants_write() {
            let _ = self.poll_send(cx)?;
        }
        Poll::Ready(Ok(()))
    }

    /// Ready with the error when the peer has had its time for the alert.
    fn poll_failed(&mut self, mut failure: Box<Failure>, cx: &mut Context<'_>) -> Poll<io::Error> {
        let farewell = self.poll_farewell(&mut failure.linger, cx);
        let error = failure.error.clone();
        self.failure = Some(failure);
        farewell.map(|()| io::Error::new(io::ErrorKind::InvalidData, error))
    }

    /// Ready when everything is said and the peer has closed, or has had its time.
    fn poll_farewell(&mut self, linger: &mut Linger, cx: &mut Context<'_>) -> Poll<()> {
        if self.end != End::Over && linger.poll_time(cx).is_pending() {
            let last_words = ready!(self.poll_end(cx));
            if last_words.is_ok() {
                ready!(linger.poll_drained(&mut self.socket, cx));
            }
        }
        self.end = End::Over;
        Poll::Ready(())
    }

    /// Waits until there is ciphertext to process. False at the end of the stream, of which rustls is told.
    pub(crate) fn poll_ciphertext(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        if !self.ciphertext.is_empty() {
            return Poll::Ready(Ok(true));
        }
        self.socket.give_back(std::mem::take(&mut self.ciphertext).buffer);
        let buffer = ready!(self.socket.poll_read(cx)).inspect_err(|_| self.end = End::Over)?;
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

    /// Sends what rustls has queued, but for tickets that are held; ready when all of it is with the kernel.
    pub(crate) fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            if self.end == End::Over {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
            if self.socket.is_writing() {
                ready!(self.poll_written(cx))?;
                self.activity.output_taken();
            }
            // Taken even where nothing follows, so that no buffer outlives its write.
            let mut bytes = self.socket.take_written();
            if self.holds_tickets || !self.tls.wants_write() {
                self.activity.output_done();
                return Poll::Ready(Ok(()));
            }
            bytes.clear();
            self.tls.write_tls(&mut bytes)?;
            self.activity.output_queued();
            self.socket.write(bytes);
        }
    }

    /// Ready when everything, `close_notify` and FIN included, is with the kernel.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.end {
            End::Open => {
                self.tls.send_close_notify();
                self.holds_tickets = false;
                self.end = End::Notified;
            }
            End::Notified | End::Finished => {}
            End::Over => return Poll::Ready(Ok(())),
        }
        ready!(self.poll_send(cx))?;
        if self.end == End::Notified {
            self.socket.finish();
            self.end = End::Finished;
        }
        self.poll_written(cx)
    }

    fn poll_written(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.poll_written(cx).map(|written| written.inspect_err(|_| self.end = End::Over))
    }

    /// Encrypts by `write`; sends first where too much has gathered.
    fn poll_encrypt(
        &mut self,
        cx: &mut Context<'_>,
        len: usize,
        write: impl Fn(&mut rustls::Writer<'_>) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        // Behind the alert nothing can be said. An error would have the owner drop the stream before the alert is heard.
        if len == 0 || self.failure.is_some() {
            return Poll::Ready(Ok(len));
        }
        loop {
            let written = write(&mut self.tls.writer())?;
            if written > 0 {
                self.holds_tickets = false;
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
        self.poll_encrypt(cx, bytes.len(), |writer| writer.write(bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let len = slices.iter().map(|slice| slice.len()).sum();
        self.poll_encrypt(cx, len, |writer| writer.write_vectored(slices))
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

#[cfg(test)]
mod tests {
    use std::{
        cell::Cell,
        io::{Read as _, Write as _},
        net::{TcpListener, TcpStream},
        sync::Arc,
        time::Instant,
    };

    use rustls::{
        ServerConfig,
        crypto::aws_lc_rs,
        server::{ClientHello, ResolvesServerCert},
        sign::CertifiedKey,
    };

    use super::*;

    #[derive(Debug)]
    struct NoCertificate;

    impl ResolvesServerCert for NoCertificate {
        fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
            None
        }
    }

    /// A session that waits for its ClientHello: it can say goodbye as well as any.
    fn session() -> ServerConnection {
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let config = config.with_safe_default_protocol_versions().unwrap();
        let config = config.with_no_client_auth().with_cert_resolver(Arc::new(NoCertificate));
        ServerConnection::new(Arc::new(config)).unwrap()
    }

    /// The two ends of a connection of which the peer was sent something that it has not read.
    fn connection() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut own, _) = listener.accept().unwrap();
        own.write_all(b"unread").unwrap();
        own.set_nonblocking(true).unwrap();
        (own, peer)
    }

    fn stream(own: TcpStream) -> TlsStream {
        let socket = Socket::new(monoio::net::TcpStream::from_std(own).unwrap());
        let activity = Rc::new(Activity::new(Rc::new(Cell::new(Instant::now()))));
        TlsStream::new(session(), socket, Ciphertext::default(), activity)
    }

    fn block_on(test: impl Future<Output = ()>) {
        let builder = monoio::RuntimeBuilder::<monoio::LegacyDriver>::new().enable_timer();
        builder.build().unwrap().block_on(test);
    }

    #[test]
    fn after_a_reset_nothing_is_said() {
        block_on(async {
            let (own, peer) = connection();
            let mut stream = stream(own);
            // Closed with unread input, so that the kernel resets the connection.
            drop(peer);
            let error = poll_fn(|cx| stream.poll_readable(cx)).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
            let mut linger = Linger::begin();
            poll_fn(|cx| stream.poll_farewell(&mut linger, cx)).await;
            poll_fn(|cx| stream.poll_end(cx)).await.unwrap();
            // Not even for the kernel to refuse.
            assert_eq!((stream.end, stream.socket.is_writing()), (End::Over, false));
            stream.tls.send_close_notify();
            assert!(stream.tls.wants_write(), "close_notify was queued before");
        });
    }

    #[test]
    fn what_is_held_goes_with_what_is_said_next_or_last() {
        for is_last in [false, true] {
            block_on(async {
                let (own, mut peer) = connection();
                let mut stream = stream(own);
                // Anything that rustls has queued of its own: a session ticket takes a handshake.
                stream.tls.send_close_notify();
                stream.holds_tickets = true;
                poll_fn(|cx| stream.poll_send(cx)).await.unwrap();
                assert!(stream.tls.wants_write() && !stream.socket.is_writing(), "held");
                if is_last {
                    poll_fn(|cx| stream.poll_end(cx)).await.unwrap();
                } else {
                    assert_eq!(poll_fn(|cx| stream.poll_encrypt(cx, 1, |_| Ok(1))).await.unwrap(), 1);
                    poll_fn(|cx| stream.poll_send(cx)).await.unwrap();
                }
                let (mut received, unread) = ([0; 32], b"unread".len());
                let length = peer.read(&mut received).unwrap();
                let length = if length == unread {
                    unread + peer.read(&mut received[unread..]).unwrap()
                } else {
                    length
                };
                assert_eq!(received[unread..length], [21, 3, 3, 0, 2, 1, 0], "the alert in a record");
            });
        }
    }

    #[test]
    fn what_is_no_tls_is_answered_before_the_owner_hears_of_it() {
        block_on(async {
            let (own, mut peer) = connection();
            let mut stream = stream(own);
            peer.write_all(&[0xff; 64]).unwrap();
            poll_fn(|cx| {
                assert!(stream.poll_readable(cx).is_pending(), "the peer has not closed");
                if stream.failure.is_some() { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
            drop(peer);
            let error = poll_fn(|cx| stream.poll_readable(cx)).await.unwrap_err();
            assert_eq!((error.kind(), stream.end), (io::ErrorKind::InvalidData, End::Over));
        });
    }
}
