//! `loadtest request`: operations over connections that are kept open.

use std::time::Instant;

use crate::answer::Answer;
use crate::connection::Connection;
use crate::failure::Failure;

use super::join;
use super::schedule::Schedule;
use super::worker::Worker;

/// A client and the connection it keeps.
pub(super) struct Client {
    pub(super) worker: Worker,
    /// None once the server has ended it with an answer that said so, or has refused a client as expected; the next request opens
    /// another.
    connection: Option<Box<Connection>>,
}

/// Opens a connection for each worker and does one GET, after which the server has nothing of the handshake left to do.
pub(super) async fn open(workers: Vec<Worker>) -> Vec<Client> {
    let open = async |worker: Worker| {
        let mut client = Client { worker, connection: None };
        client.request(Instant::now()).await.then_some(client)
    };
    let opened = join(workers.into_iter().map(|worker| monoio::spawn(open(worker))).collect()).await;
    opened.into_iter().flatten().collect()
}

/// Lets the clients do what is scheduled, and returns those whose connection did not break.
pub(super) async fn spend(clients: Vec<Client>, schedule: &Schedule) -> Vec<Client> {
    let tasks = clients.into_iter().map(|client| monoio::spawn(work(client, schedule.clone())));
    join(tasks.collect()).await.into_iter().flatten().collect()
}

async fn work(mut client: Client, schedule: Schedule) -> Option<Client> {
    while let Some(start) = schedule.next().await {
        if client.worker.begins(start) && !client.request(start).await {
            return None;
        }
    }
    Some(client)
}

impl Client {
    /// One request, counted. Returns false when it failed, after which the connection is of no use. One that was refused as
    /// expected ends its connection, and the next is that of another client.
    async fn request(&mut self, start: Instant) -> bool {
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
