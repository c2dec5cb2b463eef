//! What a server used between two readings: CPU time, turns of its threads, memory.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::process::{self, Switches};
use crate::report::{Row, row};
use crate::server_cpu::{CpuReading, CpuSource, CpuUsed};
use crate::watch::Watch;

/// Time between two looks at the server's memory. One takes less than a millisecond.
const MEMORY_LOOK: Duration = Duration::from_secs(1);

/// A measurement of a server under way.
#[derive(Debug)]
pub(crate) struct ServerUse {
    pids: Vec<u32>,
    pss_before_bytes: u64,
    cpu: CpuReading,
    switches: BTreeMap<u32, Switches>,
    memory: Watch<u64>,
}

/// What a server used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ServerUsed {
    cpu: CpuUsed,
    switches: Switches,
    pss_before_bytes: u64,
    pss_max_bytes: u64,
    pss_after_bytes: u64,
}

/// What a report says of it. Absent where no process was named.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct ServerFigures {
    pub(crate) server_cpu_us_per_op: Option<f64>,
    pub(crate) server_cpu_source: Option<CpuSource>,
    pub(crate) server_voluntary_switches_per_op: Option<f64>,
    pub(crate) server_involuntary_switches_per_op: Option<f64>,
    pub(crate) server_pss_before_bytes: Option<u64>,
    pub(crate) server_pss_max_bytes: Option<u64>,
    pub(crate) server_pss_after_bytes: Option<u64>,
}

impl ServerUse {
    /// Begins to measure the processes named and their descendants.
    pub(crate) fn begin(pids: &[u32]) -> Result<Self> {
        let named = || "--server-pid".to_owned();
        let pss_before_bytes = process::family_pss_bytes(pids).with_context(named)?;
        let memory = watch_memory(pids.to_vec(), pss_before_bytes)?;
        let switches = process::family_switches(pids).with_context(named)?;
        let cpu = CpuReading::take(pids).with_context(named)?;
        Ok(Self { pids: pids.to_vec(), pss_before_bytes, cpu, switches, memory })
    }

    /// Ends it.
    pub(crate) fn end(self) -> Result<ServerUsed> {
        let named = || "--server-pid".to_owned();
        let cpu =
            CpuReading::take(&self.pids).and_then(|after| after.since(&self.cpu)).with_context(named)?;
        let mut switches = Switches::default();
        for (task, now) in process::family_switches(&self.pids).with_context(named)? {
            switches += now - self.switches.get(&task).copied().unwrap_or_default();
        }
        let pss_after_bytes = process::family_pss_bytes(&self.pids).with_context(named)?;
        let pss_max_bytes = self.memory.end()?.max(pss_after_bytes);
        Ok(ServerUsed {
            cpu,
            switches,
            pss_before_bytes: self.pss_before_bytes,
            pss_max_bytes,
            pss_after_bytes,
        })
    }
}

impl ServerUsed {
    /// The figures of a report on so many operations.
    pub(crate) fn figures(self, operations: f64) -> ServerFigures {
        ServerFigures {
            server_cpu_us_per_op: Some(self.cpu.ns as f64 / 1000.0 / operations),
            server_cpu_source: Some(self.cpu.source),
            server_voluntary_switches_per_op: Some(self.switches.voluntary as f64 / operations),
            server_involuntary_switches_per_op: Some(self.switches.involuntary as f64 / operations),
            server_pss_before_bytes: Some(self.pss_before_bytes),
            server_pss_max_bytes: Some(self.pss_max_bytes),
            server_pss_after_bytes: Some(self.pss_after_bytes),
        }
    }
}

impl ServerFigures {
    /// Lines of the text format, besides that of the CPU time.
    pub(crate) fn rows(&self) -> Vec<Row> {
        let (Some(voluntary), Some(involuntary), Some(before), Some(max), Some(after)) = (
            self.server_voluntary_switches_per_op,
            self.server_involuntary_switches_per_op,
            self.server_pss_before_bytes,
            self.server_pss_max_bytes,
            self.server_pss_after_bytes,
        ) else {
            return Vec::new();
        };
        let kib = |bytes: u64| bytes as f64 / 1024.0;
        let switches = format!("{voluntary:.3} voluntary, {involuntary:.3} involuntary");
        let memory =
            format!("{:.0} KiB before, {:.0} at most, {:.0} after", kib(before), kib(max), kib(after));
        let mut rows = vec![row("server switches per operation", switches), row("server PSS", memory)];
        if self.server_cpu_source == Some(CpuSource::Stat) {
            rows.push(row("note", "server CPU is exact to ticks of 10 ms only"));
        }
        rows
    }
}

/// Looks at the memory of the processes again and again, and keeps the greatest.
fn watch_memory(pids: Vec<u32>, first_bytes: u64) -> Result<Watch<u64>> {
    Watch::start("memory", move |watching| {
        let mut greatest = first_bytes;
        while watching.wait(MEMORY_LOOK) {
            // A process that is gone is told of at the end.
            greatest = greatest.max(process::family_pss_bytes(&pids).unwrap_or_default());
        }
        greatest
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn what_a_process_used_is_read() {
        let mut child =
            Command::new("sh").args(["-c", "read x; sleep 30"]).stdin(Stdio::piped()).spawn().unwrap();
        let measured = ServerUse::begin(&[child.id()]).unwrap();
        let used = measured.end().unwrap();
        assert!(used.pss_before_bytes > 0 && used.pss_max_bytes >= used.pss_after_bytes);
        assert!(used.figures(2.0).server_voluntary_switches_per_op.is_some());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(ServerUse::begin(&[child.id()]).is_err());
    }
}
