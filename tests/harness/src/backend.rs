//! A server behind the gate: it does what its script says, and remembers every byte that came.

use std::collections::BTreeMap;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::net::sockopt::set_socket_linger;

use crate::exchange::Exchange;
use crate::{DEADLINE, Received};

/// What becomes of a connection after an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The next request is waited for.
    Stay,
    /// It is closed in order.
    Close,
    /// It is reset: the peer loses even what it has not read yet.
    Reset,
}

type Script = dyn Fn(&mut Exchange<'_>) -> io::Result<Next> + Send + Sync;

/// A server on a port of the kernel's choice, with a thread for each connection. Dropping it ends connections and threads.
#[derive(Debug)]
pub struct Backend {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

pub(crate) struct Shared {
    script: Box<Script>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    stopping: bool,
    received: Vec<Received>,
    faults: Vec<String>,
    open: BTreeMap<usize, TcpStream>,
    accepted: usize,
    workers: Vec<JoinHandle<()>>,
}

impl Backend {
    /// Runs `script` for every request, from the moment that its head is there. An error of the script ends the connection.
    ///
    /// # Panics
    ///
    /// When the loopback address cannot be listened on.
    #[must_use]
    pub fn start(script: impl Fn(&mut Exchange<'_>) -> io::Result<Next> + Send + Sync + 'static) -> Self {
        Self::start_at("127.0.0.1:0".parse().expect("an address"), script)
    }

    /// As [`start`](Self::start), at an address where another has been.
    ///
    /// # Panics
    ///
    /// When it cannot be listened on.
    #[must_use]
    pub fn start_at(
        address: SocketAddr,
        script: impl Fn(&mut Exchange<'_>) -> io::Result<Next> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).expect("the address is free");
        let address = listener.local_addr().expect("it is bound");
        let shared = Shared { script: Box::new(script), state: Mutex::default(), changed: Condvar::new() };
        let shared = Arc::new(shared);
        let acceptor = thread::spawn({
            let shared = Arc::clone(&shared);
            move || accept(&listener, &shared)
        });
        Self { address, shared, acceptor: Some(acceptor) }
    }

    /// Reads each request to its end and answers 200 with this text.
    #[must_use]
    pub fn answering(text: &str) -> Self {
        let text = text.to_owned();
        Self::start(move |exchange| {
            exchange.read_body()?;
            exchange.answer(200, text.as_bytes())?;
            Ok(Next::Stay)
        })
    }

    /// Reads each request to its end and answers 200 with its body.
    #[must_use]
    pub fn echoing() -> Self {
        Self::start(|exchange| {
            let body = exchange.read_body()?;
            exchange.answer(200, &body)?;
            Ok(Next::Stay)
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// All requests so far, in the order of their heads. Bytes that came without ever making a head are one too.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        self.shared.lock().received.clone()
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.shared.lock().received.len()
    }

    /// The one request that came since this was last asked.
    ///
    /// # Panics
    ///
    /// When there was none or there were several.
    #[must_use]
    pub fn take_one(&self) -> Received {
        let mut received = std::mem::take(&mut self.shared.lock().received);
        assert_eq!(received.len(), 1, "{received:#?}");
        received.remove(0)
    }

    /// Forgets what was received. Nothing may be under way.
    pub fn forget(&self) {
        self.shared.lock().received.clear();
    }

    /// What was wrong with the framing of requests.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        self.shared.lock().faults.clone()
    }

    /// How many connections were accepted so far.
    #[must_use]
    pub fn accepted(&self) -> usize {
        self.shared.lock().accepted
    }

    /// How many connections are open.
    #[must_use]
    pub fn open(&self) -> usize {
        self.shared.lock().open.len()
    }

    /// Whether the connection of this number is open.
    #[must_use]
    pub fn is_open(&self, connection: usize) -> bool {
        self.shared.lock().open.contains_key(&connection)
    }

    /// Ends all connections and lets nobody connect any more. What was received stays.
    ///
    /// # Panics
    ///
    /// When a script panicked.
    pub fn stop(&mut self) {
        let Some(acceptor) = self.acceptor.take() else { return };
        self.shared.lock().stopping = true;
        self.shared.changed.notify_all();
        // Wakes the acceptor.
        let _ = TcpStream::connect_timeout(&self.address, DEADLINE);
        let accepted = acceptor.join();
        let workers = {
            let mut state = self.shared.lock();
            for stream in state.open.values() {
                let _ = stream.shutdown(Shutdown::Both);
            }
            std::mem::take(&mut state.workers)
        };
        let ended: Vec<_> = workers.into_iter().map(JoinHandle::join).collect();
        if !thread::panicking() {
            accepted.expect("the acceptor does not panic");
            assert!(ended.iter().all(Result::is_ok), "a script panicked");
        }
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder panics")
    }

    pub(crate) fn push(&self, received: Received) {
        self.lock().received.push(received);
    }

    /// Changes what was received, unless it was forgotten meanwhile.
    pub(crate) fn update(&self, id: u64, change: impl FnOnce(&mut Received)) {
        // It is among the last.
        if let Some(received) = self.lock().received.iter_mut().rev().find(|received| received.id == id) {
            change(received);
        }
    }

    pub(crate) fn fault(&self, fault: String) {
        self.lock().faults.push(fault);
    }

    /// Waits so long, or until the backend is to stop; false then.
    pub(crate) fn pause(&self, time: Duration) -> bool {
        let begin = Instant::now();
        let mut state = self.lock();
        while !state.stopping {
            let Some(left) = time.checked_sub(begin.elapsed()) else { return true };
            state = self.changed.wait_timeout(state, left).expect("no holder panics").0;
        }
        false
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("state", &self.state).finish_non_exhaustive()
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        let mut state = shared.lock();
        if state.stopping {
            return;
        }
        let Ok(stream) = stream else { continue };
        let connection = state.accepted;
        state.accepted += 1;
        state.open.insert(connection, stream.try_clone().expect("there are descriptors"));
        let shared = Arc::clone(shared);
        state.workers.push(thread::spawn(move || serve(stream, connection, &shared)));
    }
}

fn serve(mut stream: TcpStream, connection: usize, shared: &Shared) {
    let _ = stream.set_nodelay(true);
    let mut ahead = Vec::new();
    let mut count = 0;
    let next = loop {
        count += 1;
        let Ok(Some(mut exchange)) = Exchange::begin(&mut stream, &mut ahead, (connection, count), shared)
        else {
            break Next::Close;
        };
        match (shared.script)(&mut exchange) {
            Ok(Next::Stay) => {}
            Ok(next) => break next,
            Err(error) => {
                if error.kind() == io::ErrorKind::InvalidData {
                    shared.fault(error.to_string());
                }
                break Next::Close;
            }
        }
    };
    if next == Next::Reset {
        let _ = set_socket_linger(&stream, Some(Duration::ZERO));
    }
    // The last of the two descriptors sends the end or the reset.
    shared.lock().open.remove(&connection);
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;

    fn say(backend: &Backend, bytes: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(backend.address()).unwrap();
        stream.write_all(bytes).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        // A reset is an end too.
        let _ = stream.read_to_end(&mut answer);
        answer
    }

    #[test]
    fn requests_are_recorded_as_they_came() {
        let mut backend = Backend::answering("ok");
        let first = b"POST /a HTTP/1.1\r\nX-A:  b \r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nT: u\r\n\r\n";
        let second = b"PUT /b HTTP/1.1\r\nContent-Length: 2\r\n\r\nxy";
        let answers = say(&backend, &[&first[..], second].concat());
        assert_eq!(answers.windows(4).filter(|window| window == b"HTTP").count(), 2);
        backend.stop();
        let [first, second] = &backend.received()[..] else { panic!("{:?}", backend.received()) };
        assert_eq!((first.target().as_str(), first.body.as_slice()), ("/a", &b"abc"[..]));
        assert_eq!(first.trailers, [("t".to_owned(), b"u".to_vec())]);
        assert_eq!(first.wire, b"3\r\nabc\r\n0\r\nT: u\r\n\r\n");
        assert_eq!(first.value("x-a").as_deref(), Some("b"));
        assert_eq!((second.method().as_str(), second.wire.as_slice()), ("PUT", &b"xy"[..]));
        assert!(first.complete && second.complete && backend.faults().is_empty());
    }

    #[test]
    fn what_is_no_request_is_on_record_too() {
        let mut backend = Backend::answering("ok");
        say(&backend, b"smuggled");
        say(&backend, b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n+3\r\nabc\r\n0\r\n\r\n");
        backend.stop();
        assert_eq!(backend.received()[0].head, b"smuggled");
        assert_eq!((backend.count(), backend.faults().len(), backend.open()), (2, 1, 0));
    }

    #[test]
    fn a_reset_reaches_the_peer() {
        let backend = Backend::start(|_| Ok(Next::Reset));
        let mut stream = TcpStream::connect(backend.address()).unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        let error = stream.read(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    }

    #[test]
    fn a_pause_ends_with_the_backend() {
        let mut backend = Backend::start(|exchange| exchange.pause(DEADLINE * 100).map(|()| Next::Close));
        let mut stream = TcpStream::connect(backend.address()).unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        while backend.count() == 0 {
            thread::yield_now();
        }
        backend.stop();
        assert_eq!((stream.read(&mut [0]).unwrap(), backend.open()), (0, 0));
    }
}
