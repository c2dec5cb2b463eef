//! One connection to a server, in use or waiting.

use std::{
    cell::Cell,
    io,
    rc::Rc,
    task::{Context, Waker},
    time::{Duration, Instant},
};

use monoio::net::TcpStream;
use portcullis_socket::Socket;
use portcullis_telemetry::UpstreamMetrics;

use crate::alarm::Alarm;

/// A place among the connections that an upstream may have.
#[derive(Debug)]
pub(crate) struct Place {
    taken: Rc<Cell<usize>>,
    metrics: Rc<UpstreamMetrics>,
}

impl Place {
    /// A place, if there are fewer than `max`.
    pub(crate) fn take(taken: &Rc<Cell<usize>>, max: usize, metrics: &Rc<UpstreamMetrics>) -> Option<Self> {
        if taken.get() >= max {
            return None;
        }
        taken.set(taken.get() + 1);
        metrics.connections.increment(1);
        Some(Self { taken: Rc::clone(taken), metrics: Rc::clone(metrics) })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.taken.set(self.taken.get() - 1);
        self.metrics.connections.decrement(1);
    }
}

/// An HTTP/1.1 connection on which no exchange is under way, or one that its holder carries on.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) socket: Socket,
    pub(crate) alarm: Alarm,
    /// Which of the upstream's servers it leads to.
    pub(crate) server: usize,
    /// Whether an exchange went over it before. Then the server may have closed it while the next request was under way.
    pub(crate) is_reused: bool,
    /// When it came back to the pool.
    idle_since: Instant,
    _place: Place,
}

impl Connection {
    /// Connects within `timeout`.
    pub(crate) async fn open(
        (server, address): (usize, std::net::SocketAddr),
        timeout: Duration,
        place: Place,
    ) -> io::Result<Self> {
        let stream = monoio::time::timeout(timeout, TcpStream::connect_addr(address)).await;
        let stream = stream.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        stream.set_nodelay(true)?;
        place.metrics.connections_opened.increment(1);
        let now = Instant::now();
        let alarm = Alarm::new(now);
        Ok(Self {
            socket: Socket::new(stream),
            alarm,
            server,
            is_reused: false,
            idle_since: now,
            _place: place,
        })
    }

    /// Makes it wait for its next use. A read stays in flight meanwhile, so that the server's end shows. `None` if it
    /// has shown already.
    pub(crate) fn rest(mut self) -> Option<Self> {
        self.is_reused = true;
        self.idle_since = Instant::now();
        self.is_fresh().then_some(self)
    }

    /// Whether the server has neither closed it nor said something that nobody asked for.
    pub(crate) fn is_fresh(&mut self) -> bool {
        self.socket.poll_read(&mut Context::from_waker(Waker::noop())).is_pending()
    }

    pub(crate) fn has_rested_for(&self, time: Duration, now: Instant) -> bool {
        now.saturating_duration_since(self.idle_since) >= time
    }
}
