//! The kinds of load.

pub(crate) mod handshake;
pub(crate) mod idle;
pub(crate) mod request;

mod interval;
mod load_report;
mod worker;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use monoio::task::JoinHandle;

use crate::clients::Draw;
use crate::tally::Tally;

/// A tally that the workers of one thread share. It is never borrowed across an await.
type SharedTally = Rc<RefCell<Tally>>;

/// The choices of clients, which the workers of one thread share. It is never borrowed across an await.
type SharedDraw = Rc<RefCell<Draw>>;

/// Operations that are still to be done, shared by the workers of one thread.
#[derive(Clone, Debug)]
struct Budget {
    left: Rc<Cell<u64>>,
}

impl Budget {
    fn new(count: u64) -> Self {
        Self { left: Rc::new(Cell::new(count)) }
    }

    /// Takes one operation, if there is one.
    fn take(&self) -> bool {
        let left = self.left.get();
        self.left.set(left.saturating_sub(1));
        left > 0
    }

    fn left(&self) -> u64 {
        self.left.get()
    }
}

/// Waits for all workers and returns what each returned.
async fn join<T>(workers: Vec<JoinHandle<T>>) -> Vec<T> {
    let mut results = Vec::with_capacity(workers.len());
    for worker in workers {
        results.push(worker.await);
    }
    results
}
