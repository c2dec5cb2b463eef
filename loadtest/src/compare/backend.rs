//! The backend behind the servers, and what its counts prove of them.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::hand_off::FIELD;
use super::interrupt::Interrupt;
use super::probe;
use super::process::{Launch, Process};

/// Longest wait for the backend to listen.
const START_TIMEOUT: Duration = Duration::from_secs(10);

/// `loadtest backend`, until it is dropped.
#[derive(Debug)]
pub(crate) struct Backend {
    _process: Process,
    address: SocketAddr,
}

/// What the backend has counted.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(crate) struct Stats {
    connections: u64,
    requests: u64,
    lacking: u64,
    refused: u64,
}

impl Backend {
    /// Starts this program as the backend, on a core of the load.
    pub(crate) fn start(
        own: &Path,
        port: u16,
        core: usize,
        directory: &Path,
        interrupt: &Interrupt,
    ) -> Result<Self> {
        let listen = format!("127.0.0.1:{port}");
        let core = core.to_string();
        let words = ["backend", "--listen", &listen, "--core", &core, "--require-field", FIELD];
        let launch = Launch {
            name: "backend",
            program: own,
            arguments: words.map(str::to_owned).to_vec(),
            environment: Vec::new(),
            cpus: &[],
            directory,
        };
        let mut process = Process::start(&launch)?;
        let mut address = None;
        interrupt.wait_until(START_TIMEOUT, || {
            if process.ended()?.is_some() {
                bail!("the backend has ended: {}", process.last_words());
            }
            let said = fs::read_to_string(directory.join("backend.out")).unwrap_or_default();
            address = said.strip_prefix("listening on ").and_then(|said| said.trim().parse().ok());
            Ok(address.is_some())
        })?;
        let address = address.context("the backend does not listen")?;
        Ok(Self { _process: process, address })
    }

    /// Its port.
    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// What it has counted so far.
    pub(crate) fn stats(&self) -> Result<Stats> {
        serde_json::from_str(&probe::get_plain(self.address, "/stats")?).context("the counts of the backend")
    }
}

impl Stats {
    /// An error unless each of `made` requests came since `before`, once, with the certificate, over connections that were
    /// kept. One new connection in a hundred requests is let pass, and two for each request that the load had in flight at a
    /// time, since the first may find none that is idle.
    pub(crate) fn prove_reuse(self, before: Self, made: u64, in_flight: u64) -> Result<()> {
        let connections = self.connections - before.connections;
        let requests = self.requests - before.requests;
        let (lacking, refused) = (self.lacking - before.lacking, self.refused - before.refused);
        if (requests, lacking, refused) != (made, 0, 0) {
            bail!(
                "{made} requests were made; {requests} came to the backend, {lacking} lacked the certificate, {refused} \
                 were refused"
            );
        }
        if connections > 2 * in_flight + made / 100 {
            bail!("{connections} new connections to the backend for {made} requests: it does not keep them");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_must_come_once_each_over_kept_connections() {
        let before = Stats { connections: 3, requests: 100, lacking: 0, refused: 1 };
        let after = Stats { connections: 21, requests: 300, lacking: 0, refused: 1 };
        assert!(after.prove_reuse(before, 200, 8).is_ok());
        assert!(after.prove_reuse(before, 199, 8).is_err());
        assert!(Stats { connections: 22, ..after }.prove_reuse(before, 200, 8).is_err());
        assert!(Stats { lacking: 1, ..after }.prove_reuse(before, 200, 8).is_err());
        assert!(Stats { refused: 2, ..after }.prove_reuse(before, 200, 8).is_err());
    }
}
