//! The time that is measured, and what it cost both sides.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::time::{ClockId, clock_gettime};

use crate::server_use::{ServerUse, ServerUsed};

/// Wait before each reading of the server's CPU time, in which it ends what it was doing: closing, freeing, the tickets of the
/// last handshake. A hundred times what any of these takes.
const SETTLE: Duration = Duration::from_millis(100);

/// A measurement under way.
#[derive(Debug)]
pub(crate) struct Interval {
    server: Option<ServerUse>,
    client: Duration,
    start: Instant,
}

/// What a measurement found, besides the tally.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    /// From the first operation's start to the last one's end.
    pub(crate) elapsed: Duration,
    /// CPU time of this program.
    pub(crate) client: Duration,
    /// What the server used, if its process was named.
    pub(crate) server: Option<ServerUsed>,
}

impl Interval {
    /// Lets the server settle, and begins.
    pub(crate) fn begin(server_pids: &[u32]) -> Result<Self> {
        std::thread::sleep(SETTLE);
        let server = match server_pids {
            [] => None,
            pids => Some(ServerUse::begin(pids)?),
        };
        Ok(Self { server, client: process_cpu()?, start: Instant::now() })
    }

    /// When it began.
    pub(crate) fn start(&self) -> Instant {
        self.start
    }

    /// The last operation has ended. Lets the server settle before its CPU time is read.
    pub(crate) fn end(self, ended: Instant) -> Result<Measured> {
        let elapsed = ended.saturating_duration_since(self.start);
        let client = process_cpu()?.saturating_sub(self.client);
        std::thread::sleep(SETTLE);
        let server = self.server.map(ServerUse::end).transpose()?;
        Ok(Measured { elapsed, client, server })
    }
}

fn process_cpu() -> Result<Duration> {
    let now = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).context("process CPU clock")?;
    Ok(now.into())
}
