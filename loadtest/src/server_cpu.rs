//! CPU time that a server used between two readings.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::process::{self, ProcessError};

/// Nanoseconds in a tick of `/proc/PID/stat`: `USER_HZ` is 100 on every architecture that Linux runs this program on.
const TICK_NS: u64 = 10_000_000;
/// Ticks by which the two accounts of a process may differ: user and system time are each rounded, at both readings.
const TICKS_SLACK: u64 = 4;

/// Where a figure comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum CpuSource {
    /// Run time of each thread, exact to the microsecond
    Schedstat,
    /// Time of the process, exact to some ticks of 10 ms: a thread ended in between, or the kernel keeps no run times
    Stat,
}

/// CPU time used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CpuUsed {
    pub(crate) ns: u64,
    pub(crate) source: CpuSource,
}

/// CPU time of a server's processes at one instant.
#[derive(Debug)]
pub(crate) struct CpuReading {
    processes: BTreeMap<u32, ProcessReading>,
}

#[derive(Clone, Debug, Default)]
struct ProcessReading {
    start_ticks: u64,
    cpu_ticks: u64,
    task_run_ns: Option<BTreeMap<u32, u64>>,
}

impl CpuReading {
    /// Reads the processes named and their descendants.
    pub(crate) fn take(roots: &[u32]) -> Result<Self, ProcessError> {
        let mut processes = BTreeMap::new();
        for pid in process::family(roots)? {
            let stat = process::stat(pid)?;
            let reading = ProcessReading {
                start_ticks: stat.start_ticks,
                cpu_ticks: stat.cpu_ticks,
                task_run_ns: process::task_run_ns(pid)?,
            };
            processes.insert(pid, reading);
        }
        Ok(Self { processes })
    }

    /// CPU time used since `before`. A process that has gone since took its time with it: that is an error.
    pub(crate) fn since(&self, before: &Self) -> Result<CpuUsed, ProcessError> {
        let mut used = CpuUsed { ns: 0, source: CpuSource::Schedstat };
        for (pid, then) in &before.processes {
            if self.processes.get(pid).is_none_or(|now| now.start_ticks != then.start_ticks) {
                return Err(ProcessError::Gone(*pid));
            }
        }
        let unborn = ProcessReading { task_run_ns: Some(BTreeMap::new()), ..ProcessReading::default() };
        for (pid, now) in &self.processes {
            let process = now.since(before.processes.get(pid).unwrap_or(&unborn));
            used.ns += process.ns;
            if process.source == CpuSource::Stat {
                used.source = CpuSource::Stat;
            }
        }
        Ok(used)
    }
}

impl ProcessReading {
    fn since(&self, before: &Self) -> CpuUsed {
        let by_stat = (self.cpu_ticks - before.cpu_ticks) * TICK_NS;
        let stat = CpuUsed { ns: by_stat, source: CpuSource::Stat };
        let (Some(now), Some(then)) = (&self.task_run_ns, &before.task_run_ns) else { return stat };
        let by_tasks: u64 =
            now.iter().map(|(tid, ns)| ns.saturating_sub(then.get(tid).copied().unwrap_or_default())).sum();
        // A thread that ended is in the process's time only; one that began and ended in between shows nowhere else.
        let ended = then.keys().any(|tid| !now.contains_key(tid));
        if ended || by_stat > by_tasks + TICKS_SLACK * TICK_NS {
            return stat;
        }
        CpuUsed { ns: by_tasks, source: CpuSource::Schedstat }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(cpu_ticks: u64, tasks: &[(u32, u64)]) -> ProcessReading {
        ProcessReading { start_ticks: 1, cpu_ticks, task_run_ns: Some(tasks.iter().copied().collect()) }
    }

    fn used(ns: u64, source: CpuSource) -> CpuUsed {
        CpuUsed { ns, source }
    }

    #[test]
    fn threads_are_summed_and_new_ones_count_whole() {
        let before = reading(10, &[(1, 100), (2, 200)]);
        let after = reading(10, &[(1, 150), (2, 200), (3, 7)]);
        assert_eq!(after.since(&before), used(57, CpuSource::Schedstat));
    }

    #[test]
    fn a_thread_that_ended_is_found_in_the_process() {
        let before = reading(10, &[(1, 100), (2, 200)]);
        assert_eq!(reading(13, &[(1, 150)]).since(&before), used(3 * TICK_NS, CpuSource::Stat));
        let unseen = reading(20, &[(1, 150), (2, 200)]);
        assert_eq!(unseen.since(&before), used(10 * TICK_NS, CpuSource::Stat));
    }

    #[test]
    fn processes_are_summed_and_a_lost_one_is_an_error() {
        let one = CpuReading { processes: BTreeMap::from([(1, reading(0, &[(1, 5)]))]) };
        let two = CpuReading {
            processes: BTreeMap::from([(1, reading(0, &[(1, 6)])), (2, reading(0, &[(2, 8)]))]),
        };
        assert_eq!(two.since(&one).unwrap(), used(9, CpuSource::Schedstat));
        assert!(one.since(&two).is_err());
        let mut reborn = CpuReading { processes: one.processes.clone() };
        reborn.processes.entry(1).or_default().start_ticks = 2;
        assert!(reborn.since(&one).is_err());
    }
}
