//! One of the clients that make the load: it does one thing at a time.

use std::rc::Rc;
use std::time::Instant;

use crate::answer::Answer;
use crate::clients::Verdict;
use crate::connection::{Buffers, Connection};
use crate::deadline::{Deadline, Watchdog};
use crate::failure::Failure;
use crate::plan::Plan;

use super::{SharedDraw, SharedTally};

/// A client with its buffers, which outlive its connections.
#[derive(Debug)]
pub(crate) struct Worker {
    plan: Rc<Plan>,
    deadline: Rc<Deadline>,
    buffers: Buffers,
    draw: SharedDraw,
    /// The client of the last connection, by its number.
    client: usize,
    /// Where it counts.
    pub(crate) tally: SharedTally,
}

impl Worker {
    /// A client without a connection.
    pub(crate) fn new(plan: &Rc<Plan>, watchdog: &Watchdog, draw: &SharedDraw, tally: &SharedTally) -> Self {
        Self {
            plan: Rc::clone(plan),
            deadline: watchdog.deadline(),
            buffers: Buffers::new(),
            draw: Rc::clone(draw),
            client: 0,
            tally: Rc::clone(tally),
        }
    }

    /// The instant at which an operation that starts at `start` has failed.
    pub(crate) fn until(&self, start: Instant) -> Instant {
        start + self.plan.timeout
    }

    /// Connects as the next client, shakes hands, and counts the handshake.
    pub(crate) async fn open(&mut self, until: Instant) -> Result<Connection, Failure> {
        let client = self.plan.clients.choose(&mut self.draw.borrow_mut());
        self.client = client.number;
        let connection =
            Connection::open(&self.plan, client, until, &self.deadline, &mut self.buffers).await?;
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

    /// Counts how an operation that began at `start` ended. Returns true when it ended with an answer, or with a refusal that was
    /// expected of the client.
    pub(crate) fn count(&self, result: &Result<Answer, Failure>, start: Instant) -> bool {
        let elapsed = start.elapsed();
        let client = self.plan.clients.client(self.client);
        let verdict = client.expectation.judge(result, self.plan.expect_status);
        self.tally.borrow_mut().concluded(client.kind, verdict, result, elapsed);
        result.is_ok() || verdict == Verdict::Refused
    }
}
