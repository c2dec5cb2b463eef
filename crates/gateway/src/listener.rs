//! Listening sockets and the tasks that accept from them.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    rc::Rc,
    thread,
    time::{Duration, Instant},
};

use monoio::io::{CancelHandle, Canceller};
use socket2::{Domain, Protocol, Socket, Type};

use crate::{connection, shard::Shard};

/// Connections that may wait to be accepted, per shard. The kernel cuts it to `net.core.somaxconn`, 4,096 by default.
const BACKLOG: i32 = 4096;

/// How long to wait after an accept that failed for want of something: descriptors, memory. The connection waits in
/// the backlog meanwhile, and the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long an address may be taken before it counts as another process's. The kernel takes an `io_uring` down after
/// the process that had it has exited, and until then an accept in flight keeps its listening socket: tens of
/// milliseconds as a rule, longer where a processor is short. A service manager starts the next gate within that time.
const RELEASE_MAX: Duration = Duration::from_secs(1);

/// How often to look meanwhile.
const RELEASE_PAUSE: Duration = Duration::from_millis(20);

/// Whether some other process listens on `address` already. It must be asked before the first socket of ours is
/// bound, since `SO_REUSEPORT` would let us share the port with it without a word; a socket that a gate has left
/// behind would even take connections that nobody accepts. So an address that is taken is asked for again until
/// [`RELEASE_MAX`] has passed. It blocks: for the start alone, before there is a shard.
pub(crate) fn probe(address: SocketAddr) -> io::Result<()> {
    let begin = Instant::now();
    loop {
        match bind_alone(address) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && begin.elapsed() < RELEASE_MAX => {
                thread::sleep(RELEASE_PAUSE);
            }
            outcome => return outcome,
        }
    }
}

fn bind_alone(address: SocketAddr) -> io::Result<()> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())
}

/// A listening socket of one shard.
pub(crate) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    // Accepted sockets inherit it, which saves a system call each.
    socket.set_tcp_nodelay(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// A task that accepts, and the means to end it.
pub(crate) struct Acceptor(Canceller);

impl Acceptor {
    /// Accepts no more. A connection that the kernel has already handed over is still served.
    pub(crate) fn stop(self) {
        self.0.cancel();
    }
}

/// Starts to accept from `socket`.
pub(crate) fn accept(shard: Rc<Shard>, listener: usize, socket: TcpListener) -> io::Result<Acceptor> {
    let socket = monoio::net::TcpListener::from_std(socket)?;
    let canceller = Canceller::new();
    let task = accept_all(shard, listener, socket, canceller.handle());
    drop(monoio::spawn(task));
    Ok(Acceptor(canceller))
}

/// The only place that accepts from `socket`. An accept in flight is never dropped: it is cancelled and its outcome
/// awaited, since the kernel may have taken a connection meanwhile.
async fn accept_all(
    shard: Rc<Shard>,
    listener: usize,
    socket: monoio::net::TcpListener,
    cancel: CancelHandle,
) {
    let metrics = Rc::clone(&shard.listeners[listener].metrics);
    loop {
        match socket.cancelable_accept(cancel.clone()).await {
            Ok((stream, peer)) => enter(&shard, listener, stream, peer),
            Err(_) if shard.is_draining() => return,
            Err(error) => {
                metrics.accept_errors.increment(1);
                // At most ten lines a second, by the pause.
                tracing::error!(listener = &*shard.listeners[listener].name, %error, "accept failed");
                monoio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn enter(shard: &Rc<Shard>, listener: usize, stream: monoio::net::TcpStream, peer: SocketAddr) {
    let view = shard.view();
    let limits = &view.plan.listeners[listener].limits;
    match shard.listeners[listener].slots.enter(peer, limits) {
        Ok(slots) => drop(monoio::spawn(connection::run(Rc::clone(shard), listener, stream, peer, slots))),
        Err(reason) => shard.listeners[listener].metrics.shed(reason),
    }
}
