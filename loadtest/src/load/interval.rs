//! The time that is measured, and what it cost both sides.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::time::{ClockId, clock_gettime};

use crate::floor::FloorWatch;
use crate::server_use::{ServerUse, ServerUsed};

/// Wait before each reading of the server's CPU time, in which it ends what it was doing: closing, freeing, the tickets of the
/// last handshake. A hundred times what any of these takes.
const SETTLE: Duration = Duration::from_millis(100);

/// A measurement under way.
#[derive(Debug)]
pub(crate) struct Interval {
    server: Option<ServerUse>,
    floor: Option<FloorWatch>,
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
    /// CPU µs of the floor meanwhile, if a core was named to look at it.
    pub(crate) floor_us: Option<f64>,
}

impl Interval {
    /// Lets the server settle, and begins. The floor is looked at on `floor_core`.
    pub(crate) fn begin(server_pids: &[u32], floor_core: Option<usize>) -> Result<Self> {
        std::thread::sleep(SETTLE);
        let server = match server_pids {
            [] => None,
            pids => Some(ServerUse::begin(pids)?),
        };
        let client = process_cpu()?;
        let floor = floor_core.map(FloorWatch::start).transpose()?;
        Ok(Self { server, floor, client, start: Instant::now() })
    }

    /// When it began.
    pub(crate) fn start(&self) -> Instant {
        self.start
    }

    /// The last operation has ended. Lets the server settle before its CPU time is read.
    pub(crate) fn end(self, ended: Instant) -> Result<Measured> {
        let elapsed = ended.saturating_duration_since(self.start);
        let floor = self.floor.map(FloorWatch::end).transpose()?;
        let not_load = floor.map_or(Duration::ZERO, |floor| floor.cpu);
        let client = process_cpu()?.saturating_sub(self.client + not_load);
        std::thread::sleep(SETTLE);
        let server = self.server.map(ServerUse::end).transpose()?;
        Ok(Measured { elapsed, client, server, floor_us: floor.map(|floor| floor.floor_us) })
    }
}

fn process_cpu() -> Result<Duration> {
    let now = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).context("process CPU clock")?;
    Ok(now.into())
}
