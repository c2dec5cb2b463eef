//! One thread of the load: its workers, their warm-up, and what they are measured at.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::arguments::Io;
use crate::deadline::Watchdog;
use crate::driver::{self, Driver};
use crate::failure::Failure;
use crate::outcomes::Outcomes;
use crate::plan::Plan;
use crate::tally::Tally;
use crate::tickets::Share;

use super::mixed::{self, Visitor};
use super::multiplexed::{self, Group};
use super::pacer::{Pacer, Times};
use super::request::Client;
use super::schedule::{Arrivals, End, Schedule};
use super::worker::{Choices, Worker};
use super::{Kind, SharedTally, handshake, request};

/// Handshakes before the warm-up, one for each client apart: some ten seconds of them with a server of one core.
const PRIMINGS_MAX: usize = 50_000;

/// What one thread does of the whole.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) kind: Kind,
    /// Which of the threads it is.
    pub(super) number: usize,
    pub(super) threads: usize,
    pub(super) core: Option<usize>,
    pub(super) io: Io,
    pub(super) connections: u32,
    /// Those of all threads.
    pub(super) connections_all: u32,
    /// Streams of each connection at one time, where HTTP/2 is spoken.
    pub(super) streams: Option<u32>,
    pub(super) warmup: u64,
    pub(super) length: Length,
    /// Operations that begin in a second; nothing in a closed loop.
    pub(super) rate: Option<f64>,
    /// When the first of them begins, after the start.
    pub(super) offset: Duration,
    /// What times at random are drawn from.
    pub(super) seed: Option<u64>,
    pub(super) resume_ratio: f64,
}

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Length {
    Count(u64),
    Time(Duration),
}

/// What a thread tells while it runs.
#[derive(Debug)]
pub(super) enum News {
    /// It is warm, and waits for the start.
    Warm(Driver),
    /// A second of the measurement is over, the first being 0.
    Second(usize, Outcomes),
    /// It has come to its end, well or not.
    Ended,
}

/// What came of a thread.
#[derive(Debug)]
pub(super) struct Counted {
    pub(super) warmup: Tally,
    pub(super) tally: Tally,
    /// When its last operation ended.
    pub(super) ended: Instant,
}

impl Part {
    /// Runs on this thread, to its end. `start` says when the measurement begins.
    pub(super) fn run(self, plan: &Plan, news: &Sender<News>, start: &Receiver<Instant>) -> Result<Counted> {
        driver::pin(self.core.as_slice())?;
        driver::run(self.io, |driver| self.measure(plan.clone(), driver, news.clone(), start))
    }

    async fn measure(
        self,
        plan: Plan,
        driver: Driver,
        news: Sender<News>,
        start: &Receiver<Instant>,
    ) -> Result<Counted> {
        let (plan, watchdog) = (Rc::new(plan), Watchdog::start());
        let steps = plan.steps.len();
        let new_tally = || -> Result<SharedTally> {
            Ok(Rc::new(RefCell::new(Tally::new(plan.expect_status)?.with_steps(steps)?)))
        };
        let (warmup, tally) = (new_tally()?, new_tally()?);
        let resumption = Rc::new(Cell::new(Share::new(self.resume_ratio)));
        let draw = Rc::new(RefCell::new(plan.clients.draw(self.number as u64)));
        let choices = Choices { draw, resumption };
        let workers = (0..self.connections).map(|_| Worker::new(&plan, &watchdog, &choices, &warmup));
        let mut crew = self.warm_up(workers.collect(), &plan).await;
        crew.set_tally(&tally);
        news.send(News::Warm(driver)).context("the measurement was given up")?;
        // Nothing is under way on this thread, so that it may stand still.
        let start = start.recv().context("the measurement was given up")?;
        choices.resumption.set(Share::new(self.resume_ratio));
        let seconds = monoio::spawn(tell_seconds(SharedTally::clone(&tally), start, news.clone()));
        let left = self.spend(crew, start, &tally).await?;
        let ended = Instant::now();
        drop(seconds);
        tally.borrow_mut().failed(&Failure::NoConnectionLeft, left);
        tally.borrow_mut().short_of_sessions(choices.resumption.get().short());
        let nth = usize::try_from(ended.saturating_duration_since(start).as_secs()).unwrap_or(usize::MAX);
        let last = tally.borrow_mut().end_second()?;
        news.send(News::Second(nth, last)).context("the measurement was given up")?;
        warmup.borrow_mut().end_second()?;
        let taken =
            |shared: &SharedTally| Ok::<_, anyhow::Error>(shared.replace(Tally::new(plan.expect_status)?));
        Ok(Counted { warmup: taken(&warmup)?, tally: taken(&tally)?, ended })
    }

    async fn warm_up(&self, workers: Vec<Worker>, plan: &Plan) -> Crew {
        let schedule = Schedule::closed(End::Count(self.warmup));
        match self.kind {
            Kind::Handshake | Kind::Crowd => {
                let primed = match self.resume_ratio {
                    0.0 => workers,
                    _ => handshake::prime(workers, self.primings(plan.clients.good())).await,
                };
                Crew::Workers(handshake::spend(primed, &schedule).await)
            }
            Kind::Mixed => {
                let visitors = mixed::visitors(workers, plan.steps.iter().map(|step| step.weight));
                Crew::Visitors(mixed::spend(visitors, &schedule).await)
            }
            Kind::Request => match self.streams {
                None => Crew::Clients(request::spend(request::open(workers).await, &schedule).await),
                Some(streams) => {
                    let groups = multiplexed::open(workers, streams).await;
                    Crew::Groups(multiplexed::spend(groups, &schedule).await)
                }
            },
        }
    }

    /// The clients that shake hands first, by their numbers: each as often as it may want to resume sessions at one time, since a
    /// ticket of TLS 1.3 serves once, unless they are too many for that. The threads share them out.
    fn primings(&self, clients: usize) -> impl Iterator<Item = usize> + 'static {
        let times = (self.connections_all as usize).min(PRIMINGS_MAX / clients.max(1)).max(1);
        let (number, threads) = (self.number, self.threads);
        (0..times).flat_map(move |_| (number..clients).step_by(threads))
    }

    /// Does what is to be measured, and returns how many operations nobody was left to do.
    async fn spend(&self, crew: Crew, start: Instant, tally: &SharedTally) -> Result<u64> {
        let end = match self.length {
            Length::Count(count) => End::Count(count),
            Length::Time(time) => End::At(start + time),
        };
        let Some(rate) = self.rate else {
            let schedule = Schedule::closed(end);
            crew.spend(&schedule).await;
            return Ok(schedule.left());
        };
        let arrivals = Rc::new(Arrivals::default());
        let pacer = Pacer::start(start + self.offset, Times::new(rate, self.seed), end)?;
        let told = monoio::spawn(pacer.run(Rc::clone(&arrivals)));
        let schedule = Schedule::Open(arrivals);
        crew.spend(&schedule).await;
        let lost = told.await?;
        tally.borrow_mut().failed(&Failure::NotStarted, lost);
        Ok(schedule.left())
    }
}

/// Those who do it.
enum Crew {
    Workers(Vec<Worker>),
    Clients(Vec<Client>),
    Groups(Vec<Group>),
    Visitors(Vec<Visitor>),
}

impl Crew {
    fn set_tally(&mut self, tally: &SharedTally) {
        let workers: Box<dyn Iterator<Item = &mut Worker>> = match self {
            Self::Workers(workers) => Box::new(workers.iter_mut()),
            Self::Clients(clients) => Box::new(clients.iter_mut().map(|client| &mut client.worker)),
            Self::Groups(groups) => Box::new(groups.iter_mut().map(Group::worker)),
            Self::Visitors(visitors) => Box::new(visitors.iter_mut().map(|visitor| &mut visitor.worker)),
        };
        workers.for_each(|worker| worker.tally = SharedTally::clone(tally));
    }

    async fn spend(self, schedule: &Schedule) {
        match self {
            Self::Workers(workers) => drop(handshake::spend(workers, schedule).await),
            Self::Clients(clients) => drop(request::spend(clients, schedule).await),
            Self::Groups(groups) => drop(multiplexed::spend(groups, schedule).await),
            Self::Visitors(visitors) => drop(mixed::spend(visitors, schedule).await),
        }
    }
}

/// Gives each second out as it ends, for as long as somebody takes them.
async fn tell_seconds(tally: SharedTally, start: Instant, news: Sender<News>) -> Result<()> {
    for nth in 0.. {
        let end = start + Duration::from_secs(nth as u64 + 1);
        monoio::time::sleep_until(end.into()).await;
        let second = tally.borrow_mut().end_second()?;
        if news.send(News::Second(nth, second)).is_err() {
            bail!("nobody listens");
        }
    }
    Ok(())
}
