//! A server that never comes to accept.

use std::net::{SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::time::Duration;

use rustix::net::{AddressFamily, SocketType, bind, listen, socket};

/// A listening socket whose queue is full: who connects now gets neither an answer nor a refusal.
#[derive(Debug)]
pub struct FullListener {
    listener: TcpListener,
    _waiting: Vec<TcpStream>,
}

impl FullListener {
    /// Listens and fills the queue.
    ///
    /// # Panics
    ///
    /// When the loopback address cannot be listened on.
    #[must_use]
    #[allow(clippy::new_without_default, reason = "a socket is no default of anything")]
    pub fn new() -> Self {
        const ATTEMPTS: usize = 8;
        let socket = socket(AddressFamily::INET, SocketType::STREAM, None).expect("there are descriptors");
        let any: SocketAddrV4 = "127.0.0.1:0".parse().expect("an address");
        bind(&socket, &any).expect("a port is free");
        listen(&socket, 0).expect("it is bound");
        let listener = TcpListener::from(socket);
        let address = listener.local_addr().expect("it is bound");
        // The queue is full once a peer waits in vain.
        let connect = |_| TcpStream::connect_timeout(&address, Duration::from_millis(100)).ok();
        let waiting: Vec<_> = (0..ATTEMPTS).map_while(connect).collect();
        assert!(waiting.len() < ATTEMPTS, "the queue does not get full");
        Self { listener, _waiting: waiting }
    }

    /// Where it listens.
    ///
    /// # Panics
    ///
    /// Never: it is bound.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.listener.local_addr().expect("it is bound")
    }
}
