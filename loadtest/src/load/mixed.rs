//! `loadtest mixed`: operations of several kinds, as a scenario says.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Instant;

use anyhow::{Result, bail};

use crate::answer::Answer;
use crate::arguments::MixedArguments;
use crate::clients::Kind;
use crate::connection::Connection;
use crate::failure::Failure;
use crate::plan::PlannedStep;
use crate::scenario::{self, StepWork};

use super::load_report::LoadReport;
use super::schedule::Schedule;
use super::turns::Turns;
use super::worker::Worker;
use super::{crew, join};

/// Runs a scenario to its end.
pub(crate) fn run(arguments: MixedArguments) -> Result<LoadReport> {
    let MixedArguments { scenario: file, mut load } = arguments;
    if !load.session.clients.bad.is_empty() || load.body_bytes > 0 {
        bail!("--bad and --body-bytes: the scenario says which clients and bodies there are");
    }
    let steps = scenario::read(&file, &load.session.path, load.session.expect_status)?;
    load.session.clients.bad = scenario::shares(&steps);
    crew::run(super::Kind::Mixed, &load, &steps)
}

/// One who does what comes, and keeps a connection for each kind of client.
pub(super) struct Visitor {
    pub(super) worker: Worker,
    kept: [Option<Kept>; Kind::ALL.len()],
    turns: Rc<RefCell<Turns>>,
}

struct Kept {
    /// Whose it is, by number.
    client: usize,
    connection: Box<Connection>,
}

/// Visitors for these workers, who deal the steps among themselves.
pub(super) fn visitors(workers: Vec<Worker>, weights: impl IntoIterator<Item = u32>) -> Vec<Visitor> {
    let turns = Rc::new(RefCell::new(Turns::new(weights)));
    let visitor = |worker| Visitor { worker, kept: Default::default(), turns: Rc::clone(&turns) };
    workers.into_iter().map(visitor).collect()
}

/// Lets them do what is scheduled, and returns them.
pub(super) async fn spend(visitors: Vec<Visitor>, schedule: &Schedule) -> Vec<Visitor> {
    let tasks = visitors.into_iter().map(|visitor| monoio::spawn(work(visitor, schedule.clone())));
    join(tasks.collect()).await
}

async fn work(mut visitor: Visitor, schedule: Schedule) -> Visitor {
    while let Some(start) = schedule.next().await {
        if !visitor.worker.begins(start) {
            continue;
        }
        let index = visitor.turns.borrow_mut().next();
        let step = visitor.worker.step(index);
        let result = visitor.operate(&step, visitor.worker.until(start)).await;
        visitor.worker.count_step(index, &result, start);
        if !step.pause.is_zero() {
            monoio::time::sleep(step.pause).await;
        }
    }
    visitor
}

impl Visitor {
    /// A connection that has failed is not used again; the next operation that wants one opens another.
    async fn operate(&mut self, step: &PlannedStep, until: Instant) -> Result<Answer, Failure> {
        let mut kept = match (step.work, self.kept[step.client as usize].take()) {
            (StepWork::Request | StepWork::Upload, Some(kept)) => {
                self.worker.act_as(kept.client);
                kept
            }
            // A handshake leaves what is kept alone.
            (_, other) => {
                self.kept[step.client as usize] = other;
                let connection = Box::new(self.worker.open_kind(step.client, until).await?);
                Kept { client: self.worker.client(), connection }
            }
        };
        let answer = self.worker.send(&mut kept.connection, &step.exchange, until).await?;
        if step.work != StepWork::Handshake && !answer.closes {
            self.kept[step.client as usize] = Some(kept);
        }
        Ok(answer)
    }
}
