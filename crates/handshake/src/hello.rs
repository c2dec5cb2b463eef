//! From an accepted socket to a finished handshake.

use std::{
    future::poll_fn,
    io,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, ready},
};

use portcullis_socket::Socket;
use portcullis_telemetry::{HandshakeKind, TlsVersion};
use rustls::{
    ProtocolVersion, ServerConfig,
    server::{Accepted, AcceptedAlert, Acceptor},
};

use crate::{
    Activity, ClientJudge, HandshakeFailure, TlsStream, farewell::send_last, judge::HandshakeContext,
};

/// A fatal `unrecognized_name` alert as a plaintext record (RFC 8446 5.1, 6; RFC 6066 3). No keys exist yet, and
/// rustls has no way to send this one.
const UNRECOGNIZED_NAME: [u8; 7] = [21, 3, 3, 0, 2, 2, 112];

/// A connection whose ClientHello was read, whole, and nothing was answered.
#[derive(Debug)]
pub struct ClientHello {
    accepted: Accepted,
    socket: Socket,
    rest: Ciphertext,
}

/// Ciphertext that was read and not yet taken by rustls.
#[derive(Debug, Default)]
pub(crate) struct Ciphertext {
    pub(crate) buffer: Vec<u8>,
    pub(crate) taken: usize,
}

impl Ciphertext {
    pub(crate) fn is_empty(&self) -> bool {
        self.taken == self.buffer.len()
    }

    /// Hands as much as it takes to `reader`, such as `read_tls`. What is behind a `close_notify` rustls never takes
    /// (RFC 8446 6.1 has it ignored): it is dropped here, or whoever feeds until all is taken would never end.
    pub(crate) fn feed(
        &mut self,
        reader: impl FnOnce(&mut dyn io::Read) -> io::Result<usize>,
    ) -> io::Result<()> {
        match reader(&mut &self.buffer[self.taken..])? {
            0 => self.taken = self.buffer.len(),
            taken => self.taken += taken,
        }
        Ok(())
    }
}

/// A finished handshake.
#[derive(Debug)]
pub struct Handshaken {
    /// The stream, ready for application data. The client's certificates are with it.
    pub stream: Box<TlsStream>,
    /// The protocol version.
    pub version: TlsVersion,
    /// Whether the client's key was proved now or in an earlier handshake.
    pub kind: HandshakeKind,
    /// Whether ALPN chose `h2`.
    pub is_h2: bool,
}

impl ClientHello {
    /// Reads the ClientHello, however it is cut into records and segments. The caller keeps the deadline.
    ///
    /// # Errors
    /// [`HandshakeFailure`]; the peer was sent the alert that rustls has for it.
    pub async fn read(mut socket: Socket) -> Result<Self, HandshakeFailure> {
        socket.expect_flights();
        let mut acceptor = Acceptor::default();
        let mut ciphertext = Ciphertext::default();
        loop {
            if ciphertext.is_empty() {
                socket.give_back(ciphertext.buffer);
                let buffer = poll_fn(|cx| socket.poll_read(cx)).await.map_err(HandshakeFailure::Io)?;
                if buffer.is_empty() {
                    return Err(HandshakeFailure::Closed);
                }
                ciphertext = Ciphertext { buffer, taken: 0 };
            }
            ciphertext.feed(|bytes| acceptor.read_tls(bytes)).map_err(HandshakeFailure::Io)?;
            let refused = match acceptor.accept() {
                Ok(None) => continue,
                Ok(Some(accepted)) => return Ok(Self { accepted, socket, rest: ciphertext }),
                Err(refused) => refused,
            };
            return Err(refuse(socket, refused).await);
        }
    }

    /// The server name that the client asked for (RFC 6066 3), as it wrote it.
    pub fn server_name(&self) -> Option<String> {
        self.accepted.client_hello().server_name().map(str::to_owned)
    }

    /// Ends the handshake for a name that is none of ours.
    pub fn refuse_name(self) -> impl Future<Output = HandshakeFailure> {
        let name = self.server_name().unwrap_or_default();
        let last_words = send_last(self.socket, UNRECOGNIZED_NAME.to_vec());
        async {
            last_words.await;
            HandshakeFailure::UnknownServerName(name)
        }
    }

    /// Does the handshake with `config`; `judge` is asked for this client and no other. What the ClientHello asks for is done at
    /// once, and the future does the rest. The caller keeps the deadline.
    ///
    /// # Errors
    /// [`HandshakeFailure`]; the peer was sent the alert that rustls has for it.
    pub fn finish(
        self,
        config: Arc<ServerConfig>,
        judge: Rc<dyn ClientJudge>,
        activity: Rc<Activity>,
    ) -> impl Future<Output = Result<Handshaken, HandshakeFailure>> {
        let Self { accepted, socket, rest } = self;
        let mut context = Some(HandshakeContext::new(judge));
        // A ClientHello may offer sessions. What it was is used up here, so that nothing of it is kept while the client works.
        let begun = match HandshakeContext::during(&mut context, || accepted.into_connection(config)) {
            Ok(tls) => Ok(Box::new(TlsStream::new(tls, socket, rest, activity))),
            Err(refused) => Err(refuse(socket, refused)),
        };
        async move {
            let mut stream = match begun {
                Ok(stream) => stream,
                Err(refused) => return Err(refused.await),
            };
            match poll_fn(|cx| poll_handshake(&mut stream, &mut context, cx)).await {
                Ok(()) => Ok(Handshaken::of(stream)),
                Err(failure) => {
                    stream.close().await;
                    Err(failure)
                }
            }
        }
    }
}

/// Sends the alert that rustls has for a ClientHello.
fn refuse(
    socket: Socket,
    (error, mut alert): (rustls::Error, AcceptedAlert),
) -> impl Future<Output = HandshakeFailure> {
    let mut bytes = Vec::new();
    let written = alert.write_all(&mut bytes);
    let last_words = send_last(socket, bytes);
    async {
        match written {
            Ok(()) => {
                last_words.await;
                HandshakeFailure::Tls(error)
            }
            Err(error) => HandshakeFailure::Io(error),
        }
    }
}

fn poll_handshake(
    stream: &mut TlsStream,
    context: &mut Option<HandshakeContext>,
    cx: &mut Context<'_>,
) -> Poll<Result<(), HandshakeFailure>> {
    loop {
        // Output is begun but not waited for: the read behind it goes to the kernel in the same submission.
        if let Poll::Ready(Err(error)) = stream.poll_send(cx) {
            return Poll::Ready(Err(HandshakeFailure::Io(error)));
        }
        if !stream.is_handshaking() {
            return Poll::Ready(Ok(()));
        }
        if !ready!(stream.poll_ciphertext(cx)).map_err(HandshakeFailure::Io)? {
            return Poll::Ready(Err(HandshakeFailure::Closed));
        }
        HandshakeContext::during(context, || stream.process()).map_err(HandshakeFailure::Tls)?;
        stream.hold_tickets();
    }
}

impl Handshaken {
    fn of(mut stream: Box<TlsStream>) -> Self {
        stream.expect_requests();
        let tls = stream.tls();
        let version = match tls.protocol_version() {
            Some(ProtocolVersion::TLSv1_2) => TlsVersion::Tls12,
            _ => TlsVersion::Tls13,
        };
        let kind = match tls.handshake_kind() {
            Some(rustls::HandshakeKind::Resumed) => HandshakeKind::Resumed,
            _ => HandshakeKind::Full,
        };
        let is_h2 = tls.alpn_protocol() == Some(b"h2");
        Self { version, kind, is_h2, stream }
    }
}
