//! All certificates, judged in rounds by threads at the same time.

use std::collections::BTreeMap;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use crate::driver;
use crate::floor::{median, thread_cpu};

use super::VerifyArguments;

/// Judges certificates.
pub(super) trait Judges {
    /// Judges each certificate of its set once.
    fn judge_all(&self, answers: &mut Answers);
}

/// What came of certificates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Answers {
    pub(super) admitted: u64,
    /// By the code of the refusal.
    pub(super) refused: BTreeMap<&'static str, u64>,
    /// Of all these, how many were remembered.
    pub(super) found: u64,
}

/// What was done, and what it cost.
#[derive(Debug)]
pub(super) struct Figures {
    /// Over all rounds and threads.
    pub(super) answers: Answers,
    /// CPU time of a certificate: median of the rounds.
    pub(super) cpu_us: f64,
    /// Certificates in a second, of all threads together: median of the rounds.
    pub(super) per_second: f64,
}

/// What a round took a thread.
#[derive(Clone, Copy)]
struct Round {
    cpu: Duration,
    wall: Duration,
}

impl Answers {
    /// Counts one that was judged, refused for this reason or admitted.
    pub(super) fn count(&mut self, refused: Option<&'static str>) {
        match refused {
            None => self.admitted += 1,
            Some(code) => *self.refused.entry(code).or_default() += 1,
        }
    }

    /// Counts one of which the verdict was remembered.
    pub(super) fn count_found(&mut self, refused: Option<&'static str>) {
        self.found += 1;
        self.count(refused);
    }

    /// How many were refused.
    pub(super) fn refusals(&self) -> u64 {
        self.refused.values().sum()
    }

    /// How many there were.
    pub(super) fn judged(&self) -> u64 {
        self.admitted + self.refusals()
    }

    fn add(&mut self, other: &Self) {
        self.admitted += other.admitted;
        self.found += other.found;
        for (code, count) in &other.refused {
            *self.refused.entry(code).or_default() += count;
        }
    }
}

/// Has each of the threads judge in as many rounds as were asked for, with a judge of its own. One round before them is not counted.
pub(super) fn measure<J: Judges>(
    arguments: &VerifyArguments,
    threads: u16,
    judge: impl Fn() -> Result<J> + Sync,
) -> Result<Figures> {
    driver::pin(&arguments.cpus)?;
    let barrier = Barrier::new(usize::from(threads));
    let work = || work(arguments.rounds, &barrier, judge());
    let done = thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let join = |thread: thread::ScopedJoinHandle<'_, _>| {
            thread.join().unwrap_or_else(|_| Err(anyhow!("a thread of the measurement ended early")))
        };
        threads.into_iter().map(join).collect::<Result<Vec<_>>>()
    })?;
    Ok(figures(arguments.rounds, &done))
}

/// A judge that cannot be made can be made in no thread, so that nobody waits for this one.
fn work<J: Judges>(rounds: u16, barrier: &Barrier, judge: Result<J>) -> Result<(Answers, Vec<Round>)> {
    let judge = judge?;
    judge.judge_all(&mut Answers::default());
    let (mut answers, mut taken) = (Answers::default(), Vec::new());
    for _ in 0..rounds {
        barrier.wait();
        let (begun, cpu) = (Instant::now(), thread_cpu()?);
        judge.judge_all(&mut answers);
        let wall = begun.elapsed();
        taken.push(Round { cpu: thread_cpu()?.saturating_sub(cpu), wall });
    }
    Ok((answers, taken))
}

fn figures(rounds: u16, done: &[(Answers, Vec<Round>)]) -> Figures {
    let mut answers = Answers::default();
    done.iter().for_each(|(of_thread, _)| answers.add(of_thread));
    let rounds = usize::from(rounds);
    // Each thread judges the same in each round.
    let of_round = answers.judged() as f64 / (done.len() * rounds) as f64;
    let in_round = |round: usize| done.iter().filter_map(move |(_, taken)| taken.get(round));
    let cpu_us = (0..rounds).map(|round| {
        let cpu: f64 = in_round(round).map(|round| round.cpu.as_secs_f64()).sum();
        cpu * 1e6 / (of_round * done.len() as f64)
    });
    let per_second =
        (0..rounds).map(|round| in_round(round).map(|round| of_round / round.wall.as_secs_f64()).sum());
    Figures { cpu_us: median(cpu_us.collect()), per_second: median(per_second.collect()), answers }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_add_up_and_one_slow_round_moves_no_median() {
        let mut answers = Answers::default();
        (0..3).for_each(|_| answers.count(None));
        answers.count_found(Some("path.expired"));
        let round = |ms| Round { cpu: Duration::from_millis(ms), wall: Duration::from_millis(2 * ms) };
        // Two certificates in each of two rounds, of which the second was disturbed.
        let done = vec![(answers.clone(), vec![round(4), round(4)]), (answers, vec![round(4), round(4)])];
        let figures = figures(2, &done);
        assert_eq!((figures.answers.judged(), figures.answers.refusals(), figures.answers.found), (8, 2, 2));
        assert!((figures.cpu_us - 2000.0).abs() < 1e-6, "{figures:?}");
        assert!((figures.per_second - 500.0).abs() < 1e-6, "{figures:?}");
    }
}
