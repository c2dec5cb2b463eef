//! The kinds of load.

pub(crate) mod crew;
pub(crate) mod idle;
pub(crate) mod interval;
pub(crate) mod pacer;
pub(crate) mod result_files;
pub(crate) mod schedule;

mod handshake;
mod live;
mod load_report;
pub(crate) mod mixed;
mod multiplexed;
mod request;
mod seconds;
pub(crate) mod thread;
mod turns;
mod worker;

use std::cell::RefCell;
use std::rc::Rc;

use monoio::task::JoinHandle;

use crate::tally::Tally;

/// A tally that the workers of one thread share. It is never borrowed across an await.
type SharedTally = Rc<RefCell<Tally>>;

/// What an operation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A connection of its own, with a handshake and one GET.
    Handshake,
    /// A GET on a connection that is kept.
    Request,
    /// What a scenario says.
    Mixed,
    /// As a handshake, with a certificate that nobody has seen.
    Crowd,
}

impl Kind {
    /// The name of the command.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Handshake => "handshake",
            Self::Request => "request",
            Self::Mixed => "mixed",
            Self::Crowd => "flood",
        }
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
