//! One of the clients that make the load: it does one thing at a time.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Instant;

use crate::answer::Answer;
use crate::connection::{Buffers, Connection};
use crate::deadline::{Deadline, Watchdog};
use crate::failure::Failure;
use crate::plan::Plan;
use crate::tickets::Share;

use super::SharedTally;

/// A client with its buffers, which outlive its connections.
#[derive(Debug)]
pub(crate) struct Worker {
    plan: Rc<Plan>,
    deadline: Rc<Deadline>,
    buffers: Buffers,
    resumption: Rc<Cell<Share>>,
    /// Where it counts.
    pub(crate) tally: SharedTally,
}

impl Worker {
    /// A client without a connection.
    pub(crate) fn new(
        plan: &Rc<Plan>,
        watchdog: &Watchdog,
        resumption: &Rc<Cell<Share>>,
        tally: &SharedTally,
    ) -> Self {
        Self {
            plan: Rc::clone(plan),
            deadline: watchdog.deadline(),
            buffers: Buffers::new(),
            resumption: Rc::clone(resumption),
            tally: Rc::clone(tally),
        }
    }

    /// The instant at which an operation that starts at `start` has failed.
    pub(crate) fn until(&self, start: Instant) -> Instant {
        start + self.plan.timeout
    }

    /// Whether there is time left for an operation that was meant to begin at `start`. One that is not begun has failed.
    pub(crate) fn begins(&self, start: Instant) -> bool {
        let (late, mut tally) = (start.elapsed(), self.tally.borrow_mut());
        tally.lateness.record(late);
        if late >= self.plan.timeout {
            tally.failed(&Failure::NotStarted, 1);
        }
        late < self.plan.timeout
    }

    /// Connects, shakes hands, and counts the handshake. The share of those that shall resume a session offer one.
    pub(crate) async fn open(&mut self, until: Instant) -> Result<Connection, Failure> {
        let mut share = self.resumption.get();
        let resumes = share.next();
        self.resumption.set(share);
        self.shake_hands(until, resumes).await
    }

    /// As [`open`](Self::open), with a full handshake.
    pub(crate) async fn open_full(&mut self, until: Instant) -> Result<Connection, Failure> {
        self.shake_hands(until, false).await
    }

    async fn shake_hands(&mut self, until: Instant, resumes: bool) -> Result<Connection, Failure> {
        let connection =
            Connection::open(&self.plan, resumes, until, &self.deadline, &mut self.buffers).await?;
        self.tally.borrow_mut().handshaken(&connection, resumes);
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
