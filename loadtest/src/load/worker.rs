//! One of the clients that make the load: it does one thing at a time.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::answer::Answer;
use crate::clients::{Draw, Kind, Verdict};
use crate::connection::{Buffers, Connection};
use crate::deadline::{Deadline, Watchdog};
use crate::failure::{Failure, Stage};
use crate::http2::{Ended, Lane};
use crate::plan::{Exchange, Plan, PlannedStep};
use crate::tickets::Share;

use super::SharedTally;

/// What is next, for all workers of a thread.
#[derive(Clone, Debug)]
pub(crate) struct Choices {
    /// Which client. Never borrowed across an await.
    pub(crate) draw: Rc<RefCell<Draw>>,
    /// Whether a handshake resumes a session.
    pub(crate) resumption: Rc<Cell<Share>>,
}

/// A client with its buffers, which outlive its connections.
#[derive(Debug)]
pub(crate) struct Worker {
    plan: Rc<Plan>,
    deadline: Rc<Deadline>,
    buffers: Buffers,
    choices: Choices,
    /// The client of the last connection, by its number.
    client: usize,
    /// Where it counts.
    pub(crate) tally: SharedTally,
}

impl Worker {
    /// A client without a connection.
    pub(crate) fn new(plan: &Rc<Plan>, watchdog: &Watchdog, choices: &Choices, tally: &SharedTally) -> Self {
        Self {
            plan: Rc::clone(plan),
            deadline: watchdog.deadline(),
            buffers: Buffers::new(),
            choices: choices.clone(),
            client: 0,
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

    /// Connects as the next client, shakes hands, and counts the handshake. The share of those that shall resume a session offer one;
    /// a client who has none lets another resume in its place. Who is to be refused has no part in the share.
    pub(crate) async fn open(&mut self, until: Instant) -> Result<Connection, Failure> {
        let client = self.plan.clients.choose(&mut self.choices.draw.borrow_mut());
        self.client = client.number;
        let resumes = client.kind == Kind::Good && self.change_share(Share::next);
        let connection = self.shake_hands(until, resumes).await?;
        if resumes && !connection.offered() {
            self.change_share(Share::put_back);
        }
        Ok(connection)
    }

    /// As [`open`](Self::open), with a full handshake of a client of this kind.
    pub(crate) async fn open_kind(&mut self, kind: Kind, until: Instant) -> Result<Connection, Failure> {
        let client = self.plan.clients.choose_of(kind, &mut self.choices.draw.borrow_mut()).number;
        self.open_full(client, until).await
    }

    /// The client of the last connection, by its number.
    pub(crate) fn client(&self) -> usize {
        self.client
    }

    /// What follows is of this client.
    pub(crate) fn act_as(&mut self, client: usize) {
        self.client = client;
    }

    /// A step of the scenario.
    pub(crate) fn step(&self, index: usize) -> Arc<PlannedStep> {
        Arc::clone(&self.plan.steps[index])
    }

    /// As [`open`](Self::open), with a full handshake of this client.
    pub(crate) async fn open_full(&mut self, client: usize, until: Instant) -> Result<Connection, Failure> {
        self.client = client;
        self.shake_hands(until, false).await
    }

    async fn shake_hands(&mut self, until: Instant, resumes: bool) -> Result<Connection, Failure> {
        let how = (self.plan.clients.client(self.client), resumes);
        let connection = Connection::open(&self.plan, how, until, &self.deadline, &mut self.buffers).await?;
        self.tally.borrow_mut().handshaken(&connection);
        Ok(connection)
    }

    fn change_share<T>(&self, change: impl FnOnce(&mut Share) -> T) -> T {
        let mut share = self.choices.resumption.get();
        let result = change(&mut share);
        self.choices.resumption.set(share);
        result
    }

    /// One request and its answer. Tickets that came with it are counted.
    pub(crate) async fn get(
        &mut self,
        connection: &mut Connection,
        until: Instant,
    ) -> Result<Answer, Failure> {
        let plan = Rc::clone(&self.plan);
        self.send(connection, &plan.exchange, until).await
    }

    /// As [`get`](Self::get), with another request.
    pub(crate) async fn send(
        &mut self,
        connection: &mut Connection,
        exchange: &Exchange,
        until: Instant,
    ) -> Result<Answer, Failure> {
        let before = connection.tickets_received();
        let result = connection.get(exchange, until, &self.deadline, &mut self.buffers).await;
        self.tally.borrow_mut().tickets_received += connection.tickets_received() - before;
        result
    }

    /// One request on a stream of HTTP/2, which has failed when its time is over.
    pub(crate) async fn exchange(&self, lane: &mut Lane, start: Instant) -> Result<Answer, Ended> {
        let left = self.until(start).saturating_duration_since(Instant::now());
        match monoio::time::timeout(left, lane.exchange(&self.plan.exchange)).await {
            Ok(result) => result,
            Err(_) => Err(Ended::Failed(Failure::Timeout(Stage::Answer))),
        }
    }

    /// Counts how an operation that began at `start` ended. Returns true when it ended with an answer, or with a refusal that was
    /// expected of the client.
    pub(crate) fn count(&self, result: &Result<Answer, Failure>, start: Instant) -> bool {
        let verdict = self.conclude(result, self.plan.expect_status, start.elapsed());
        result.is_ok() || verdict == Verdict::Refused
    }

    /// Counts how an operation of a step ended.
    pub(crate) fn count_step(&self, index: usize, result: &Result<Answer, Failure>, start: Instant) {
        let elapsed = start.elapsed();
        let verdict = self.conclude(result, self.plan.steps[index].expect_status, elapsed);
        self.tally.borrow_mut().steps[index].count(verdict, result, elapsed);
    }

    fn conclude(&self, result: &Result<Answer, Failure>, pass_status: u16, elapsed: Duration) -> Verdict {
        let client = self.plan.clients.client(self.client);
        let verdict = client.expectation.judge(result, pass_status);
        self.tally.borrow_mut().concluded(client.kind, verdict, result, elapsed);
        verdict
    }
}
