//! `loadtest request`: operations over connections that are kept open.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Instant;

use anyhow::Result;

use crate::answer::Answer;
use crate::arguments::LoadArguments;
use crate::connection::Connection;
use crate::deadline::Watchdog;
use crate::driver::{self, Driver};
use crate::failure::Failure;
use crate::plan::Plan;
use crate::tally::Tally;

use super::interval::Interval;
use super::load_report::LoadReport;
use super::worker::Worker;
use super::{Budget, SharedTally, join};

/// A client and the connection it keeps.
struct Client {
    worker: Worker,
    /// None once the server has ended it with an answer that said so, or has refused a client as expected; the next request opens
    /// another.
    connection: Option<Box<Connection>>,
}

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
    let openings = (0..arguments.connections)
        .map(|_| monoio::spawn(open(Worker::new(&plan, &watchdog, &draw, &warmup))))
        .collect();
    let opened: Vec<Client> = join(openings).await.into_iter().flatten().collect();
    let mut clients = spend(opened, &Budget::new(arguments.warmup)).await;
    for client in &mut clients {
        client.worker.tally = SharedTally::clone(&tally);
    }
    let interval = Interval::begin(&arguments.session.server_pid).await?;
    let budget = Budget::new(arguments.count);
    let clients = spend(clients, &budget).await;
    let measured = interval.end().await?;
    drop(clients);
    // A client whose connection broke is out. What nobody was left to do has not been done.
    tally.borrow_mut().failed(&Failure::NoConnectionLeft, budget.left());
    let tallies = [&*warmup.borrow(), &*tally.borrow()];
    Ok(LoadReport::new("request", arguments, &plan, driver, measured, tallies))
}

/// Opens a connection and does one GET, after which the server has nothing of the handshake left to do.
async fn open(worker: Worker) -> Option<Client> {
    let mut client = Client { worker, connection: None };
    client.request().await.then_some(client)
}

/// Lets the clients spend the budget, and returns those whose connection did not break.
async fn spend(clients: Vec<Client>, budget: &Budget) -> Vec<Client> {
    let tasks = clients.into_iter().map(|client| monoio::spawn(work(client, budget.clone()))).collect();
    join(tasks).await.into_iter().flatten().collect()
}

async fn work(mut client: Client, budget: Budget) -> Option<Client> {
    while budget.take() {
        if !client.request().await {
            return None;
        }
    }
    Some(client)
}

impl Client {
    /// One request, counted. Returns false when it failed, after which the connection is of no use. One that was refused as
    /// expected ends its connection, and the next is that of another client.
    async fn request(&mut self) -> bool {
        let start = Instant::now();
        let result = self.exchange(self.worker.until(start)).await;
        if result.as_ref().map_or(true, |answer| answer.closes) {
            self.connection = None;
        }
        self.worker.count(&result, start)
    }

    async fn exchange(&mut self, until: Instant) -> Result<Answer, Failure> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => {
                self.worker.tally.borrow_mut().reconnects += 1;
                none.insert(Box::new(self.worker.open(until).await?))
            }
        };
        self.worker.get(connection, until).await
    }
}
