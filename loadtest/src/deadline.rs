//! Deadlines of operations, kept without dropping a read or a write.
//!
//! monoio loses track of the buffer of a future that is dropped. So nothing is dropped: when a deadline passes, the socket is
//! shut down, and the read or write that is under way ends by itself. One task looks at all deadlines.

use std::cell::{Cell, RefCell};
use std::os::fd::RawFd;
use std::rc::Rc;
use std::time::{Duration, Instant};

use nix::sys::socket::{Shutdown, shutdown};

/// Time between two looks at the deadlines: an operation ends at most this long after its deadline. Deadlines are seconds,
/// and 50 looks a second are below what can be measured of the client's CPU time.
const LOOK_MS: u64 = 20;

/// The deadline of whatever one worker has under way.
#[derive(Debug, Default)]
pub(crate) struct Deadline {
    state: Cell<State>,
}

#[derive(Clone, Copy, Debug, Default)]
enum State {
    #[default]
    Idle,
    Armed {
        fd: RawFd,
        at: Instant,
    },
    Expired,
}

impl Deadline {
    /// From now on `fd` is shut down at `at`. The caller disarms before it closes the descriptor.
    pub(crate) fn arm(&self, fd: RawFd, at: Instant) {
        self.state.set(State::Armed { fd, at });
    }

    /// The operation is over. Returns true when its deadline had passed.
    pub(crate) fn disarm(&self) -> bool {
        matches!(self.state.replace(State::Idle), State::Expired)
    }

    fn look(&self, now: Instant) {
        if let State::Armed { fd, at } = self.state.get()
            && at <= now
        {
            self.state.set(State::Expired);
            // An error means that the peer has closed already, which ends the operation as well.
            let _ = shutdown(fd, Shutdown::Both);
        }
    }
}

/// All deadlines of a runtime.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watchdog {
    deadlines: Rc<RefCell<Vec<Rc<Deadline>>>>,
}

impl Watchdog {
    /// A watchdog whose task runs until the runtime ends.
    pub(crate) fn start() -> Self {
        let watchdog = Self::default();
        let watched = watchdog.clone();
        monoio::spawn(async move {
            loop {
                monoio::time::sleep(Duration::from_millis(LOOK_MS)).await;
                let now = Instant::now();
                watched.deadlines.borrow().iter().for_each(|deadline| deadline.look(now));
            }
        });
        watchdog
    }

    /// A deadline for one more worker.
    pub(crate) fn deadline(&self) -> Rc<Deadline> {
        let deadline = Rc::new(Deadline::default());
        self.deadlines.borrow_mut().push(Rc::clone(&deadline));
        deadline
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsRawFd;

    #[test]
    fn a_passed_deadline_ends_the_read_and_says_so_once() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let deadline = Deadline::default();
        let at = Instant::now();
        deadline.arm(stream.as_raw_fd(), at + Duration::from_secs(1));
        deadline.look(at);
        assert!(!deadline.disarm());
        deadline.arm(stream.as_raw_fd(), at);
        deadline.look(at);
        assert_eq!(stream.read(&mut [0; 1]).unwrap(), 0);
        assert!(deadline.disarm());
        assert!(!deadline.disarm());
    }
}
