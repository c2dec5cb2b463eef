//! A TLS connection to the server, driven by hand: rustls has the protocol, monoio moves owned buffers.

use std::io::{self, BufRead};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::Instant;

use monoio::io::{AsyncReadRent, AsyncWriteRentExt};
use monoio::net::TcpStream;
use nix::libc::linger;
use nix::sys::socket::{Shutdown, setsockopt, shutdown, sockopt};
use rustls::{CipherSuite, ClientConnection, HandshakeKind, NamedGroup, ProtocolVersion};

use crate::answer::{Answer, AnswerReader};
use crate::clients::Client;
use crate::deadline::Deadline;
use crate::failure::{Failure, Stage};
use crate::plan::{Exchange, Plan};
use crate::tickets;

/// Bytes read at once: one TLS record of the largest size and its header.
const INBOX_BYTES: usize = 16 * 1024 + 256;
/// Bytes read at once on a connection that is held: enough for the tickets and alerts that may come.
const HELD_INBOX_BYTES: usize = 512;

/// What bodies are made of, and how much of it is written at once.
static BODY_CHUNK: [u8; 64 * 1024] = [b'x'; 64 * 1024];

/// Buffers of a worker, which outlive its connections.
#[derive(Debug)]
pub(crate) struct Buffers {
    inbox: Vec<u8>,
    outbox: Vec<u8>,
    answer: AnswerReader,
}

/// What the two sides agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Negotiated {
    pub(crate) version: ProtocolVersion,
    pub(crate) suite: CipherSuite,
    pub(crate) key_exchange: NamedGroup,
}

/// A connection whose handshake is complete.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    tls: ClientConnection,
    offered: bool,
}

impl Buffers {
    /// Buffers for one worker.
    pub(crate) fn new() -> Self {
        Self { inbox: Vec::with_capacity(INBOX_BYTES), outbox: Vec::new(), answer: AnswerReader::default() }
    }
}

impl Connection {
    /// Connects and shakes hands as this client; with `resumes`, offers a session to resume if it has one. The client's last flight has been sent; in TLS 1.3 the
    /// server may still refuse it.
    pub(crate) async fn open(
        plan: &Plan,
        (client, resumes): (&Client, bool),
        until: Instant,
        deadline: &Deadline,
        buffers: &mut Buffers,
    ) -> Result<Self, Failure> {
        let left = until.saturating_duration_since(Instant::now());
        let stream = monoio::time::timeout(left, TcpStream::connect_addr(plan.target))
            .await
            .map_err(|_| Failure::Timeout(Stage::Connect))?
            .map_err(Failure::Connect)?;
        stream.set_nodelay(true).map_err(Failure::Connect)?;
        // Closing sends RST, so that no port waits in TIME_WAIT for the next connection to collide with.
        let reset = linger { l_onoff: 1, l_linger: 0 };
        setsockopt(stream.as_raw_fd(), sockopt::Linger, &reset)
            .map_err(|errno| Failure::Connect(errno.into()))?;
        let hello = || ClientConnection::new(Arc::clone(&client.config), plan.server_name.clone());
        let (tls, offered) = tickets::begin(resumes, hello);
        let mut connection = Self { stream, tls: tls.map_err(Failure::Tls)?, offered };
        // Whoever writes flushes after each part.
        connection.tls.set_buffer_limit(None);
        deadline.arm(connection.stream.as_raw_fd(), until);
        let result = connection.handshake(buffers).await;
        conclude(result, deadline, Stage::Handshake)?;
        Ok(connection)
    }

    /// Sends the request and reads the answer to its end.
    pub(crate) async fn get(
        &mut self,
        exchange: &Exchange,
        until: Instant,
        deadline: &Deadline,
        buffers: &mut Buffers,
    ) -> Result<Answer, Failure> {
        deadline.arm(self.stream.as_raw_fd(), until);
        let result = self.exchange(exchange, buffers).await;
        conclude(result, deadline, Stage::Answer)
    }

    /// True when the client offered to resume an earlier session.
    pub(crate) fn offered(&self) -> bool {
        self.offered
    }

    /// True when the server let the client resume an earlier session.
    pub(crate) fn resumed(&self) -> bool {
        self.tls.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// Tickets of TLS 1.3 that the server has sent so far.
    pub(crate) fn tickets_received(&self) -> u64 {
        self.tls.tls13_tickets_received().into()
    }

    /// What was agreed on.
    pub(crate) fn negotiated(&self) -> Option<Negotiated> {
        Some(Negotiated {
            version: self.tls.protocol_version()?,
            suite: self.tls.negotiated_cipher_suite()?.suite(),
            key_exchange: self.tls.negotiated_key_exchange_group()?.name(),
        })
    }

    /// The socket and the session.
    pub(crate) fn into_parts(self) -> (TcpStream, ClientConnection) {
        (self.stream, self.tls)
    }

    /// The descriptor, with which [`release`] ends [`Connection::hold`].
    pub(crate) fn descriptor(&self) -> i32 {
        self.stream.as_raw_fd()
    }

    /// Says nothing until the connection ends, and tells how it ended.
    pub(crate) async fn hold(mut self) -> Failure {
        let mut inbox = Vec::with_capacity(HELD_INBOX_BYTES);
        loop {
            let (result, filled) = self.stream.read(inbox).await;
            inbox = filled;
            match result {
                Err(source) => return Failure::Read { stage: Stage::Answer, source },
                Ok(0) => return Failure::Eof(Stage::Answer),
                Ok(_) => match self.feed(&inbox, None) {
                    Err(failure) => return failure,
                    Ok(Fed { ended: true, .. }) => return Failure::Eof(Stage::Answer),
                    Ok(_) => {}
                },
            }
        }
    }

    async fn handshake(&mut self, buffers: &mut Buffers) -> Result<(), Failure> {
        loop {
            self.flush(Stage::Handshake, buffers).await?;
            if !self.tls.is_handshaking() {
                return Ok(());
            }
            self.receive(Stage::Handshake, buffers, false).await?;
        }
    }

    async fn exchange(&mut self, exchange: &Exchange, buffers: &mut Buffers) -> Result<Answer, Failure> {
        buffers.answer.reset();
        let stage = Stage::Answer;
        self.write(&exchange.http1)?;
        let mut left = exchange.body_bytes;
        while left > 0 {
            let length = usize::try_from(left).unwrap_or(usize::MAX).min(BODY_CHUNK.len());
            self.write(&BODY_CHUNK[..length])?;
            self.flush(stage, buffers).await?;
            left -= length as u64;
        }
        self.flush(stage, buffers).await?;
        loop {
            if let Some(answer) = self.receive(stage, buffers, true).await? {
                return Ok(answer);
            }
        }
    }

    /// Gives plaintext to rustls, which keeps it until it is flushed.
    fn write(&mut self, plaintext: &[u8]) -> Result<(), Failure> {
        io::Write::write_all(&mut self.tls.writer(), plaintext)
            .map_err(|source| Failure::Write { stage: Stage::Answer, source })
    }

    /// Writes all that rustls has to say, in one go. If the server has closed, what it said before that is the better
    /// cause, so it is read first.
    async fn flush(&mut self, stage: Stage, buffers: &mut Buffers) -> Result<(), Failure> {
        buffers.outbox.clear();
        while self.tls.wants_write() {
            self.tls.write_tls(&mut buffers.outbox).map_err(|source| Failure::Write { stage, source })?;
        }
        if buffers.outbox.is_empty() {
            return Ok(());
        }
        let (result, outbox) = self.stream.write_all(std::mem::take(&mut buffers.outbox)).await;
        buffers.outbox = outbox;
        let Err(source) = result else { return Ok(()) };
        loop {
            match self.receive(stage, buffers, false).await {
                Ok(_) => {}
                Err(alert @ Failure::Alert(_)) => return Err(alert),
                Err(_) => return Err(Failure::Write { stage, source }),
            }
        }
    }

    /// Reads once. Returns the answer if it ended there.
    async fn receive(
        &mut self,
        stage: Stage,
        buffers: &mut Buffers,
        answering: bool,
    ) -> Result<Option<Answer>, Failure> {
        let (result, inbox) = self.stream.read(std::mem::take(&mut buffers.inbox)).await;
        buffers.inbox = inbox;
        if result.map_err(|source| Failure::Read { stage, source })? == 0 {
            return Err(Failure::Eof(stage));
        }
        let fed = self.feed(&buffers.inbox, answering.then_some(&mut buffers.answer));
        if let Err(Failure::Tls(_)) = &fed {
            self.complain(buffers).await;
        }
        match fed? {
            Fed { answer: None, ended: true } => match buffers.answer.end() {
                Some(answer) if answering => Ok(Some(answer)),
                _ => Err(Failure::Eof(stage)),
            },
            Fed { answer, .. } => Ok(answer),
        }
    }

    /// Tells the server why the client gives up. The failure is known by then, so an error here adds nothing.
    async fn complain(&mut self, buffers: &mut Buffers) {
        buffers.outbox.clear();
        if self.tls.write_tls(&mut buffers.outbox).is_ok() {
            let (_, outbox) = self.stream.write_all(std::mem::take(&mut buffers.outbox)).await;
            buffers.outbox = outbox;
        }
    }

    /// Gives ciphertext to rustls, and the plaintext it makes of it to `reader`.
    fn feed(&mut self, mut ciphertext: &[u8], mut reader: Option<&mut AnswerReader>) -> Result<Fed, Failure> {
        let mut fed = Fed::default();
        while !ciphertext.is_empty() && !fed.ended {
            let tls_error = |error: io::Error| Failure::Tls(rustls::Error::General(error.to_string()));
            self.tls.read_tls(&mut ciphertext).map_err(tls_error)?;
            fed.ended = self.tls.process_new_packets().map_err(Failure::from_tls)?.peer_has_closed();
            let Some(reader) = &mut reader else { continue };
            let mut plaintext = self.tls.reader();
            // An error is WouldBlock: rustls has made no more plaintext of what it was given.
            while let Ok(bytes) = plaintext.fill_buf() {
                let length = bytes.len();
                if length == 0 {
                    break;
                }
                if let Some(answer) = reader.take(bytes)? {
                    fed.answer = Some(answer);
                }
                plaintext.consume(length);
            }
        }
        Ok(fed)
    }
}

/// What came of some ciphertext.
#[derive(Debug, Default)]
struct Fed {
    answer: Option<Answer>,
    /// The server has sent `close_notify`.
    ended: bool,
}

/// Ends [`Connection::hold`] from outside, or whatever else is under way.
pub(crate) fn release(descriptor: i32) {
    // An error means that the server closed it first, which has ended it too.
    let _ = shutdown(descriptor, Shutdown::Both);
}

/// A failure after the deadline is the deadline's doing.
fn conclude<T>(result: Result<T, Failure>, deadline: &Deadline, stage: Stage) -> Result<T, Failure> {
    let expired = deadline.disarm();
    match result {
        Err(_) if expired => Err(Failure::Timeout(stage)),
        result => result,
    }
}
