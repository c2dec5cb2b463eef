//! `loadtest handshake`: every operation is a connection of its own.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Instant;

use anyhow::Result;

use crate::arguments::LoadArguments;
use crate::deadline::Watchdog;
use crate::driver::{self, Driver};
use crate::plan::Plan;
use crate::tally::Tally;

use super::interval::Interval;
use super::load_report::LoadReport;
use super::worker::Worker;
use super::{Budget, SharedTally, join};

/// Runs to the end of the count.
pub(crate) fn run(arguments: &LoadArguments) -> Result<LoadReport> {
    let plan = Rc::new(Plan::prepare(&arguments.session, arguments.connections)?);
    driver::run(arguments.session.io, |driver| measure(arguments, plan, driver))
}

async fn measure(arguments: &LoadArguments, plan: Rc<Plan>, driver: Driver) -> Result<LoadReport> {
    let watchdog = Watchdog::start();
    let draw = Rc::new(RefCell::new(plan.clients.draw(0)));
    let warmup = Rc::new(RefCell::new(Tally::new(plan.expect_status)?));
    let tally = Rc::new(RefCell::new(Tally::new(plan.expect_status)?));
    let mut workers: Vec<_> =
        (0..arguments.connections).map(|_| Worker::new(&plan, &watchdog, &draw, &warmup)).collect();
    workers = spend(workers, arguments.warmup).await;
    for worker in &mut workers {
        worker.tally = SharedTally::clone(&tally);
    }
    let interval = Interval::begin(&arguments.session.server_pid).await?;
    drop(spend(workers, arguments.count).await);
    let measured = interval.end().await?;
    let tallies = [&*warmup.borrow(), &*tally.borrow()];
    Ok(LoadReport::new("handshake", arguments, &plan, driver, measured, tallies))
}

/// Lets the workers do `count` operations, and returns them.
async fn spend(workers: Vec<Worker>, count: u64) -> Vec<Worker> {
    let budget = Budget::new(count);
    let tasks = workers.into_iter().map(|worker| monoio::spawn(work(worker, budget.clone()))).collect();
    join(tasks).await
}

async fn work(mut worker: Worker, budget: Budget) -> Worker {
    while budget.take() {
        let start = Instant::now();
        let until = worker.until(start);
        let (result, connection) = match worker.open(until).await {
            Ok(mut connection) => (worker.get(&mut connection, until).await, Some(connection)),
            Err(failure) => (Err(failure), None),
        };
        worker.count(&result, start);
        drop(connection);
    }
    worker
}
