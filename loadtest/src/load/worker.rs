//! One of the clients that make the load: it does one thing at a time.

use std::rc::Rc;
use std::time::Instant;

use crate::answer::Answer;
use crate::connection::{Buffers, Connection};
use crate::deadline::{Deadline, Watchdog};
use crate::failure::Failure;
use crate::plan::Plan;

use super::SharedTally;

/// A client with its buffers, which outlive its connections.
#[derive(Debug)]
pub(crate) struct Worker {
    plan: Rc<Plan>,
    deadline: Rc<Deadline>,
    buffers: Buffers,
    /// Where it counts.
    pub(crate) tally: SharedTally,
}

impl Worker {
    /// A client without a connection.
    pub(crate) fn new(plan: &Rc<Plan>, watchdog: &Watchdog, tally: &SharedTally) -> Self {
        Self {
            plan: Rc::clone(plan),
            deadline: watchdog.deadline(),
            buffers: Buffers::new(),
            tally: Rc::clone(tally),
        }
    }

    /// The instant at which an operation that starts at `start` has failed.
    pub(crate) fn until(&self, start: Instant) -> Instant {
        start + self.plan.timeout
    }

    /// Connects, shakes hands, and counts the handshake.
    pub(crate) async fn open(&mut self, until: Instant) -> Result<Connection, Failure> {
        let connection = Connection::open(&self.plan, until, &self.deadline, &mut self.buffers).await?;
        self.tally.borrow_mut().handshaken(&connection);
        Ok(connection)
    }

    /// One GET and its answer. Tickets that came with it are counted.
    pub(crate) async fn get(
        &mut self,
        connection: &mut Connection,
        until: Instant,
    ) -> Result<Answer, Failure> {
        let before = connection.tickets_received();
        let result = connection.get(&self.plan, until, &self.deadline, &mut self.buffers).await;
        self.tally.borrow_mut().tickets_received += connection.tickets_received() - before;
        result
    }

    /// Counts how an operation that began at `start` ended. Returns true when it ended with an answer.
    pub(crate) fn count(&self, result: &Result<Answer, Failure>, start: Instant) -> bool {
        let mut tally = self.tally.borrow_mut();
        match result {
            Ok(answer) => tally.answered(*answer, start.elapsed()),
            Err(failure) => tally.failed(failure, 1),
        }
        result.is_ok()
    }
}
