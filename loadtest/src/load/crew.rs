//! The threads of a run, and what they came to together.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, bail};

use crate::arguments::{ArrivalTimes, LoadArguments};
use crate::driver::Driver;
use crate::plan::{self, Needs, Plan};
use crate::scenario::Step;
use crate::tally::Tally;

use super::Kind;
use super::interval::Interval;
use super::live::Live;
use super::load_report::{LoadReport, Ran};
use super::result_files::{write_hlog, write_json};
use super::seconds::Seconds;
use super::thread::{Counted, Length, News, Part};

/// A thread of the load that was started.
struct Started {
    thread: JoinHandle<Result<Counted>>,
    start: Sender<Instant>,
}

/// Runs a load to its end.
pub(crate) fn run(kind: Kind, arguments: &LoadArguments, steps: &[Step]) -> Result<LoadReport> {
    if kind != Kind::Handshake && arguments.resume_ratio > 0.0 {
        bail!("--resume-ratio is of handshakes: `loadtest handshake` has it");
    }
    if kind != Kind::Request && arguments.http2 {
        bail!("--http2 is of requests: `loadtest request` has it");
    }
    let parts = parts(kind, arguments)?;
    let needs = Needs {
        connections: arguments.connections,
        keeps_sessions: arguments.resume_ratio > 0.0,
        http2: arguments.http2,
        body_bytes: arguments.body_bytes,
        crowd: kind == Kind::Crowd,
    };
    let plan = Plan::prepare(&arguments.session, needs, steps)?;
    let (sender, news) = channel();
    let started: Vec<Started> =
        parts.iter().map(|part| begin(part.clone(), plan.clone(), sender.clone())).collect::<Result<_>>()?;
    drop(sender);
    let Some(driver) = await_warm(&news, started.len()) else {
        // Why, the thread says that has ended.
        collect(started, plan.expect_status)?;
        bail!("the load ended before it began");
    };
    let began = SystemTime::now();
    let interval = Interval::begin(&arguments.session.server_pid, arguments.floor_core)?;
    for thread in &started {
        // One that has ended says why at the end.
        let _ = thread.start.send(interval.start());
    }
    let seconds = follow(&news, started.len(), interval.start())?;
    let (warmup, tally, ended) = collect(started, plan.expect_status)?;
    let measured = interval.end(ended)?;
    if let Some(file) = &arguments.hlog {
        write_hlog(file, began, &seconds)?;
    }
    let ran = Ran { kind, driver, measured, warmup: &warmup, tally: &tally, seconds: &seconds };
    let report = LoadReport::new(arguments, &plan, parts.len(), &ran);
    if let Some(file) = &arguments.out {
        write_json(file, &report)?;
    }
    Ok(report)
}

/// Waits until all threads are warm, and tells what carries them; nothing if one has ended.
fn await_warm(news: &Receiver<News>, threads: usize) -> Option<Driver> {
    let mut driver = None;
    for _ in 0..threads {
        match news.recv().ok()? {
            News::Warm(used) => driver = Some(used),
            News::Second(..) | News::Ended => return None,
        }
    }
    driver
}

/// Each thread's part, so that together they are the whole.
fn parts(kind: Kind, arguments: &LoadArguments) -> Result<Vec<Part>> {
    let cores = arguments.session.cores();
    let threads = arguments.threads.map_or(cores.len().max(1), |threads| threads as usize);
    if arguments.connections < u32::try_from(threads).unwrap_or(u32::MAX) {
        bail!("--connections {} is less than the threads, which are {threads}", arguments.connections);
    }
    let length = match (&arguments.duration, arguments.count) {
        (Some(duration), _) => Length::Time(plan::duration("--duration", duration)?),
        (None, Some(count)) => Length::Count(count),
        (None, None) => bail!("one of --count and --duration must be given"),
    };
    let rate = arguments.rate.map(|rate| rate / threads as f64);
    let share = |whole: u64, nth: usize| {
        let (threads, nth) = (threads as u64, nth as u64);
        whole / threads + u64::from(nth < whole % threads)
    };
    let part = |nth: usize| Part {
        kind,
        number: nth,
        threads,
        core: (!cores.is_empty()).then(|| cores[nth % cores.len()]),
        io: arguments.session.io,
        connections: u32::try_from(share(arguments.connections.into(), nth)).unwrap_or(u32::MAX),
        connections_all: arguments.connections,
        streams: arguments.http2.then_some(arguments.streams),
        warmup: share(arguments.warmup, nth),
        length: match length {
            Length::Count(count) => Length::Count(share(count, nth)),
            Length::Time(time) => Length::Time(time),
        },
        rate,
        // Those of several threads fall between each other's.
        offset: rate
            .map_or(Duration::ZERO, |rate| Duration::from_secs_f64(nth as f64 / threads as f64 / rate)),
        seed: (arguments.arrivals == ArrivalTimes::Poisson)
            .then(|| arguments.session.clients.seed.wrapping_add(nth as u64)),
        resume_ratio: arguments.resume_ratio,
    };
    Ok((0..threads).map(part).collect())
}

fn begin(part: Part, plan: Plan, news: Sender<News>) -> Result<Started> {
    let (start, started) = channel();
    let run = move || {
        let counted = part.run(&plan, &news, &started);
        // Nobody listens where another thread has given up.
        let _ = news.send(News::Ended);
        counted
    };
    let thread = std::thread::Builder::new().name("load".to_owned()).spawn(run).context("a thread")?;
    Ok(Started { thread, start })
}

/// Takes what the threads tell, until all have ended. Their senders outlive them in what a runtime leaves behind.
fn follow(news: &Receiver<News>, threads: usize, start: Instant) -> Result<Seconds> {
    let (mut seconds, mut live, mut ended) = (Seconds::default(), Live::new(start)?, 0);
    while ended < threads {
        match news.recv().context("the load ended without a word")? {
            News::Second(nth, second) => {
                live.take(start, &second)?;
                seconds.add(nth, &second)?;
            }
            News::Ended => ended += 1,
            News::Warm(_) => {}
        }
    }
    live.end();
    Ok(seconds)
}

/// What the threads came to together: in their warm-up, in the measurement, and when the last of them ended.
fn collect(started: Vec<Started>, expect_status: u16) -> Result<(Tally, Tally, Instant)> {
    let (mut warmup, mut tally) = (Tally::new(expect_status)?, Tally::new(expect_status)?);
    let mut last = None;
    for Started { thread, start } in started {
        // A thread that waits for a start which does not come ends.
        drop(start);
        let Ok(counted) = thread.join() else { bail!("a thread of the load panicked") };
        let counted = counted?;
        warmup.add(&counted.warmup)?;
        tally.add(&counted.tally)?;
        last = last.max(Some(counted.ended));
    }
    Ok((warmup, tally, last.context("there was no thread")?))
}
