//! `loadtest request --http2`: operations on several streams of each connection.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Instant;

use crate::answer::Answer;
use crate::failure::Failure;
use crate::http2::{Ended, Http2Connection, Lane};

use super::join;
use super::schedule::Schedule;
use super::worker::Worker;

/// A client with a connection, on which it does several things at one time.
pub(super) struct Group {
    worker: Rc<Worker>,
    /// Streams that are used at one time. One on which an operation failed is not used again.
    streams: u32,
    /// None once the server takes no more requests on it; the next request opens another.
    connection: Option<Http2Connection>,
}

/// What is to be done, for all streams of a connection.
struct Source {
    schedule: Schedule,
    /// Operations that have begun and were not taken by a connection that closes.
    carried: RefCell<Vec<Instant>>,
}

/// Why a stream does nothing more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StreamEnd {
    /// There is nothing left to do.
    Over,
    /// The connection takes no more requests.
    Closing,
    /// An operation failed.
    Failed,
}

/// Opens a connection for each worker and does one request, after which the server has nothing of the handshake left to do.
pub(super) async fn open(workers: Vec<Worker>, streams: u32) -> Vec<Group> {
    let open = |worker: Worker| async move {
        let mut group = Group { worker: Rc::new(worker), streams, connection: None };
        group.request_first(Instant::now()).await.then_some(group)
    };
    let opened = join(workers.into_iter().map(|worker| monoio::spawn(open(worker))).collect()).await;
    opened.into_iter().flatten().collect()
}

/// Lets the groups do what is scheduled, and returns those that can go on.
pub(super) async fn spend(groups: Vec<Group>, schedule: &Schedule) -> Vec<Group> {
    let tasks = groups.into_iter().map(|group| monoio::spawn(group.work(schedule.clone())));
    join(tasks.collect()).await.into_iter().flatten().collect()
}

impl Group {
    /// The worker, while nothing is under way.
    pub(super) fn worker(&mut self) -> &mut Worker {
        Rc::get_mut(&mut self.worker).expect("streams give their share in the worker back when they end")
    }

    async fn work(mut self, schedule: Schedule) -> Option<Self> {
        let source = Rc::new(Source { schedule, carried: RefCell::default() });
        loop {
            let Some(connection) = &self.connection else {
                let Some(start) = source.next(&self.worker).await else { return Some(self) };
                if !self.request_first(start).await {
                    return None;
                }
                continue;
            };
            let streams = (0..self.streams).map(|_| {
                monoio::spawn(work_on(Rc::clone(&self.worker), connection.lane(), Rc::clone(&source)))
            });
            let ends = join(streams.collect()).await;
            self.worker.tally.borrow_mut().tickets_received += connection.new_tickets();
            let count = |wanted| ends.iter().filter(|end| **end == wanted).count();
            self.streams -= u32::try_from(count(StreamEnd::Failed)).unwrap_or(u32::MAX);
            if self.streams == 0 {
                return None;
            }
            if count(StreamEnd::Closing) == 0 {
                return Some(self);
            }
            self.connection = None;
        }
    }

    /// Connects and does one request, counted. False when it failed, which a refusal that was expected has not.
    async fn request_first(&mut self, start: Instant) -> bool {
        let result = self.connect(start).await;
        if result.is_err() {
            self.connection = None;
        }
        self.worker.count(&result, start)
    }

    async fn connect(&mut self, start: Instant) -> Result<Answer, Failure> {
        self.worker.tally.borrow_mut().reconnects += 1;
        let until = self.worker.until(start);
        let connection = self.worker().open(until).await?;
        let connection = self.connection.insert(Http2Connection::begin(connection, self.streams).await?);
        let answer = self.worker.exchange(&mut connection.lane(), start).await;
        self.worker.tally.borrow_mut().tickets_received += connection.new_tickets();
        answer.map_err(|ended| match ended {
            // One that takes no request at all is not tried again.
            Ended::Closing => Failure::Closes,
            Ended::Failed(failure) => failure,
        })
    }
}

/// Does one operation after the other on a stream.
async fn work_on(worker: Rc<Worker>, mut lane: Lane, source: Rc<Source>) -> StreamEnd {
    while let Some(start) = source.next(&worker).await {
        let result = match worker.exchange(&mut lane, start).await {
            Err(Ended::Closing) => {
                source.carried.borrow_mut().push(start);
                return StreamEnd::Closing;
            }
            Err(Ended::Failed(failure)) => Err(failure),
            Ok(answer) => Ok(answer),
        };
        match (worker.count(&result, start), result) {
            (true, Ok(_)) => {}
            // Refused as expected, by an alert that has ended the connection.
            (true, Err(_)) => return StreamEnd::Closing,
            (false, _) => return StreamEnd::Failed,
        }
    }
    StreamEnd::Over
}

impl Source {
    /// Waits for the next operation whose time is not over, and tells when it was meant to begin; nothing when there is no other.
    async fn next(&self, worker: &Worker) -> Option<Instant> {
        let carried = self.carried.borrow_mut().pop();
        if carried.is_some() {
            return carried;
        }
        loop {
            let start = self.schedule.next().await?;
            if worker.begins(start) {
                return Some(start);
            }
        }
    }
}
