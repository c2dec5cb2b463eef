//! The end of a connection, so that the peer hears the last words.

use std::{
    future::{Future, poll_fn},
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use monoio::time::Sleep;
use portcullis_socket::Socket;

/// How long a closed connection is still read from, and how much. A socket that is closed with unread input resets
/// the connection, and the reset overtakes the alert or answer that said why.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES_MAX: usize = 256 * 1024;

/// What a peer has left of its time to take the last words.
pub(crate) struct Linger {
    deadline: Pin<Box<Sleep>>,
    drained: usize,
}

impl Linger {
    /// The time begins.
    pub(crate) fn begin() -> Self {
        Self { deadline: Box::pin(monoio::time::sleep(LINGER)), drained: 0 }
    }

    /// Ready when it has passed.
    pub(crate) fn poll_time(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.deadline.as_mut().poll(cx)
    }

    /// Reads and drops what comes. Ready at the end of the stream, at its failure, or at a bound.
    pub(crate) fn poll_drained(&mut self, socket: &mut Socket, cx: &mut Context<'_>) -> Poll<()> {
        poll_drained(socket, &mut self.drained, cx)
    }
}

impl std::fmt::Debug for Linger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Linger").field("drained", &self.drained).finish_non_exhaustive()
    }
}

/// Sends `bytes` as the last words on a socket that has no TLS yet. Errors no longer matter.
///
/// Boxed: it seldom comes to this, and a handshake does not keep room for it.
pub(crate) fn send_last(mut socket: Socket, bytes: Vec<u8>) -> Pin<Box<dyn Future<Output = ()>>> {
    Box::pin(async move {
        let last_words = async {
            if !bytes.is_empty() {
                socket.write(bytes);
                poll_fn(|cx| socket.poll_written(cx)).await?;
            }
            socket.finish();
            poll_fn(|cx| socket.poll_written(cx)).await?;
            let mut drained = 0;
            poll_fn(|cx| poll_drained(&mut socket, &mut drained, cx)).await;
            io::Result::Ok(())
        };
        let _ = monoio::time::timeout(LINGER, last_words).await;
    })
}

fn poll_drained(socket: &mut Socket, drained: &mut usize, cx: &mut Context<'_>) -> Poll<()> {
    while *drained < LINGER_BYTES_MAX {
        match ready!(socket.poll_read(cx)) {
            Ok(buffer) if !buffer.is_empty() => {
                *drained += buffer.len();
                socket.give_back(buffer);
            }
            _ => break,
        }
    }
    Poll::Ready(())
}
