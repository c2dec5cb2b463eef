//! What is going on on a connection, for the one who keeps its deadlines.

use std::{cell::Cell, rc::Rc, time::Instant};

/// Shared by a [`TlsStream`](crate::TlsStream), which notes what moves, the service that takes requests, and the
/// connection, which decides by it whether a deadline has passed. Times are read off a coarse clock that the shard
/// turns, so that noting something costs two stores.
#[derive(Debug)]
pub struct Activity {
    clock: Rc<Cell<Instant>>,
    /// Since when plaintext has come in that no request was made of; `None` while there is none.
    input_since: Cell<Option<Instant>>,
    /// Since when output has waited for the peer to take it; `None` while all is with the kernel.
    output_since: Cell<Option<Instant>>,
    /// When a request was last taken.
    last_request: Cell<Instant>,
    /// How often one was taken, or ended.
    requests: Cell<u64>,
}

impl Activity {
    /// Nothing has happened yet. `clock` shows the present time to the precision that deadlines need.
    pub fn new(clock: Rc<Cell<Instant>>) -> Self {
        let last_request = Cell::new(clock.get());
        Self {
            clock,
            input_since: Cell::new(None),
            output_since: Cell::new(None),
            last_request,
            requests: Cell::new(0),
        }
    }

    /// Plaintext was handed up.
    pub fn input(&self) {
        if self.input_since.get().is_none() {
            self.input_since.set(Some(self.clock.get()));
        }
    }

    /// A request was made of what came in.
    pub fn request(&self) {
        self.input_since.set(None);
        self.last_request.set(self.clock.get());
        self.requests.set(self.requests.get() + 1);
    }

    /// Output was queued. The peer's time to take it counts from the first of it.
    pub fn output_queued(&self) {
        if self.output_since.get().is_none() {
            self.output_since.set(Some(self.clock.get()));
        }
    }

    /// Some of it is with the kernel, and more may be waiting.
    pub fn output_taken(&self) {
        self.output_since.set(Some(self.clock.get()));
    }

    /// All output is with the kernel.
    pub fn output_done(&self) {
        self.output_since.set(None);
    }

    /// Since when an unfinished request has been coming in.
    pub fn input_since(&self) -> Option<Instant> {
        self.input_since.get()
    }

    /// Since when output has not moved.
    pub fn output_since(&self) -> Option<Instant> {
        self.output_since.get()
    }

    /// When a request was last taken.
    pub fn last_request(&self) -> Instant {
        self.last_request.get()
    }

    /// Changes with each request that is taken, and with each that ends.
    pub fn requests(&self) -> u64 {
        self.requests.get()
    }

    /// Whether nothing is under way in either direction.
    pub fn is_quiet(&self) -> bool {
        self.input_since.get().is_none() && self.output_since.get().is_none()
    }
}
