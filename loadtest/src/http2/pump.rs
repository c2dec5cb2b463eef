//! The two tasks that move a connection's ciphertext: one reads, one writes. They end with the connection.

use std::cell::UnsafeCell;
use std::future::poll_fn;
use std::io::{self, BufRead as _};
use std::os::fd::{AsRawFd as _, RawFd};
use std::rc::Rc;
use std::task::Poll;

use monoio::io::{AsyncReadRent as _, AsyncWriteRentExt as _, OwnedReadHalf, OwnedWriteHalf, Splitable as _};
use monoio::net::TcpStream;

use crate::connection;

use super::plain_stream::{End, Shared};

/// Bytes read at once: some TLS records of the largest size.
const INBOX_BYTES: usize = 64 * 1024;

/// A share in the socket, while which its descriptor is not closed.
#[derive(Debug)]
pub(super) struct Socket {
    descriptor: RawFd,
    _open: Rc<UnsafeCell<TcpStream>>,
}

impl Socket {
    pub(super) fn descriptor(&self) -> RawFd {
        self.descriptor
    }
}

/// Starts both.
pub(super) fn start(stream: TcpStream, shared: &Rc<Shared>) -> Socket {
    let descriptor = stream.as_raw_fd();
    let (reads, writes) = stream.into_split();
    let socket = Socket { descriptor, _open: Rc::clone(&reads.0) };
    monoio::spawn(read(reads, Rc::clone(shared)));
    monoio::spawn(write(writes, descriptor, Rc::clone(shared)));
    socket
}

async fn read(mut socket: OwnedReadHalf<TcpStream>, shared: Rc<Shared>) {
    let mut inbox = Vec::with_capacity(INBOX_BYTES);
    while !shared.has_ended() {
        let (result, filled) = socket.read(inbox).await;
        inbox = filled;
        match result {
            Err(error) => shared.ended(End::Read(error.kind())),
            Ok(0) => shared.ended(End::Eof),
            Ok(_) => {
                if let Err(end) = feed(&inbox, &shared) {
                    shared.ended(end);
                }
            }
        }
        shared.protocol_reads.wake();
        shared.socket_writes.wake();
        all_read(&shared).await;
    }
}

/// Waits until the protocol has read what came, so that a server cannot fill the memory.
async fn all_read(shared: &Shared) {
    poll_fn(|cx| {
        if shared.received.borrow().is_empty() || shared.has_ended() {
            return Poll::Ready(());
        }
        shared.socket_reads.wait(cx);
        Poll::Pending
    })
    .await;
}

/// Gives ciphertext to rustls, and keeps the plaintext that it makes of it.
fn feed(mut ciphertext: &[u8], shared: &Shared) -> Result<(), End> {
    let (mut tls, mut received) = (shared.tls.borrow_mut(), shared.received.borrow_mut());
    while !ciphertext.is_empty() {
        let tls_error = |error: io::Error| End::Tls(rustls::Error::General(error.to_string()));
        tls.read_tls(&mut ciphertext).map_err(tls_error)?;
        let state = tls.process_new_packets().map_err(|error| match error {
            rustls::Error::AlertReceived(description) => End::Alert(description),
            error => End::Tls(error),
        })?;
        let mut plaintext = tls.reader();
        // An error is WouldBlock: rustls has made no more plaintext of what it was given.
        while let Ok(bytes) = plaintext.fill_buf() {
            let length = bytes.len();
            if length == 0 {
                break;
            }
            received.extend_from_slice(bytes);
            plaintext.consume(length);
        }
        if state.peer_has_closed() {
            return Err(End::Eof);
        }
    }
    Ok(())
}

async fn write(mut socket: OwnedWriteHalf<TcpStream>, descriptor: RawFd, shared: Rc<Shared>) {
    let mut outbox = Vec::new();
    while something_to_send(&shared).await {
        outbox.clear();
        // Into memory, where nothing fails.
        while shared.tls.borrow().wants_write() && shared.tls.borrow_mut().write_tls(&mut outbox).is_ok() {}
        shared.unsent.set(0);
        shared.protocol_writes.wake();
        let (result, sent) = socket.write_all(outbox).await;
        outbox = sent;
        if result.is_err() {
            // What the server said before it went is the better cause, and the other task finds it.
            connection::release(descriptor);
            return;
        }
    }
}

/// Waits for it. False when the connection has ended.
async fn something_to_send(shared: &Shared) -> bool {
    poll_fn(|cx| {
        if shared.tls.borrow().wants_write() && !shared.has_ended() {
            return Poll::Ready(true);
        }
        if shared.has_ended() {
            return Poll::Ready(false);
        }
        shared.socket_writes.wait(cx);
        Poll::Pending
    })
    .await
}
