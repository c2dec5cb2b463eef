//! `loadtest handshake`: every operation is a connection of its own.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Instant;

use crate::failure::Failure;

use super::join;
use super::schedule::Schedule;
use super::worker::Worker;

/// Full handshakes with one GET each by these clients, so that there are sessions to resume.
pub(super) async fn prime(
    workers: Vec<Worker>,
    clients: impl Iterator<Item = usize> + 'static,
) -> Vec<Worker> {
    let clients = Rc::new(RefCell::new(clients));
    let prime = |mut worker: Worker| {
        let clients = Rc::clone(&clients);
        async move {
            loop {
                let Some(client) = clients.borrow_mut().next() else { return worker };
                let start = Instant::now();
                let opened = worker.open_full(client, worker.until(start)).await;
                exchange(&mut worker, opened, start).await;
            }
        }
    };
    join(workers.into_iter().map(|worker| monoio::spawn(prime(worker))).collect()).await
}

/// Lets the workers do what is scheduled, and returns them.
pub(super) async fn spend(workers: Vec<Worker>, schedule: &Schedule) -> Vec<Worker> {
    let tasks = workers.into_iter().map(|worker| monoio::spawn(work(worker, schedule.clone())));
    join(tasks.collect()).await
}

async fn work(mut worker: Worker, schedule: Schedule) -> Worker {
    while let Some(start) = schedule.next().await {
        if worker.begins(start) {
            let until = worker.until(start);
            let opened = worker.open(until).await;
            exchange(&mut worker, opened, start).await;
        }
    }
    worker
}

/// The GET on a connection, if there is one, and the end of both.
async fn exchange(
    worker: &mut Worker,
    opened: Result<crate::connection::Connection, Failure>,
    start: Instant,
) {
    let (result, connection) = match opened {
        Ok(mut connection) => {
            let until = worker.until(start);
            (worker.get(&mut connection, until).await, Some(connection))
        }
        Err(failure) => (Err(failure), None),
    };
    worker.count(&result, start);
    drop(connection);
}
