//! A server under comparison: its configuration, its start, its end.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::signal::Signal;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use super::certificates::Certificates;
use super::configuration::Configuration;
use super::interrupt::Interrupt;
use super::measure::Setup;
use super::probe::Probe;
use super::process::{Launch, Process};
use crate::peers::{Found, Peer};

/// Longest wait for a server to answer its first request.
const START_TIMEOUT: Duration = Duration::from_secs(20);

/// Longest wait for a server to have a new certificate.
const RELOAD_TIMEOUT: Duration = Duration::from_secs(5);

/// What all servers of a comparison are given.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    /// A directory for their files.
    pub(crate) work: &'a Path,
    /// The certificates.
    pub(crate) certificates: &'a Certificates,
    /// A client with the load's certificate.
    pub(crate) probe: &'a Probe,
    /// The port of the backend.
    pub(crate) backend_port: u16,
    /// Their cores; each setup takes as many as it needs from the front.
    pub(crate) cpus: &'a [usize],
}

/// A server that serves until it is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    process: Process,
    address: SocketAddr,
    renewal: Option<Renewal>,
}

/// How a server that reloads comes by another certificate.
#[derive(Debug)]
struct Renewal {
    signal: Signal,
    /// The path of its files, but for their extensions.
    stem: PathBuf,
    /// How often it has been told.
    turn: u32,
}

impl Server {
    /// Writes the configuration, starts the server and waits until it answers.
    pub(crate) fn start(
        peer: Peer,
        found: &Found,
        setup: Setup,
        place: &Place<'_>,
        interrupt: &Interrupt,
    ) -> Result<Self> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let name = format!("{peer}-{}", address.port());
        let directory = place.work.join(&name);
        fs::create_dir(&directory).with_context(|| directory.display().to_string())?;
        let configuration = Configuration { peer, found, setup, place, port: address.port(), directory };
        let mut renewal = None;
        if let (true, Some(signal)) = (setup.reloads, reload_signal(peer)) {
            let renewal = renewal.insert(Renewal { signal, stem: configuration.server_files(), turn: 0 });
            place.certificates.renew(&renewal.stem, renewal.turn)?;
        }
        let mut environment = found.environment();
        let arguments = configuration.write(&mut environment)?;
        let launch = Launch {
            name: &name,
            program: &found.program,
            arguments,
            environment,
            cpus: &place.cpus[..setup.cores],
            directory: &configuration.directory,
        };
        let mut process = Process::start(&launch)?;
        let mut why = String::new();
        let serves = interrupt.wait_until(START_TIMEOUT, || {
            if let Some(status) = process.ended()? {
                bail!("{peer} has ended: {status}\n{}", process.last_words());
            }
            let answer = place.probe.get(address, "/direct", "");
            why = answer.as_ref().err().map_or_else(String::new, |error| format!("{error:#}"));
            Ok(answer.is_ok())
        })?;
        if !serves {
            bail!("{peer} does not serve: {why}\n{}", process.last_words());
        }
        Ok(Self { process, address, renewal })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Puts another certificate in the place of its own and tells it to reload. An error if it is not there any more.
    pub(crate) fn reload(&mut self, certificates: &Certificates) -> Result<()> {
        let renewal = self.renewal.as_mut().context("it was not started to be reloaded")?;
        if let Some(status) = self.process.ended()? {
            bail!("it has ended: {status}\n{}", self.process.last_words());
        }
        renewal.turn += 1;
        certificates.renew(&renewal.stem, renewal.turn)?;
        self.process.signal(renewal.signal)
    }

    /// How often it was told to reload, or why that says nothing: it does not have the certificate that its last reload was for.
    pub(crate) fn reloads(&self, probe: &Probe, interrupt: &Interrupt) -> Result<Result<u32, String>> {
        let renewal = self.renewal.as_ref().context("it was not started to be reloaded")?;
        let file = renewal.stem.with_extension("pem");
        let expected = CertificateDer::from_pem_file(&file).with_context(|| file.display().to_string())?;
        let has_it =
            || Ok(probe.server_certificate(self.address).is_ok_and(|certificate| certificate == expected));
        if interrupt.wait_until(RELOAD_TIMEOUT, has_it)? {
            return Ok(Ok(renewal.turn));
        }
        Ok(Err(format!("after {} reloads it has an older certificate", renewal.turn)))
    }
}

/// The signal at which a server reads its configuration again. Envoy has none: it is told over its own protocol.
pub(crate) fn reload_signal(peer: Peer) -> Option<Signal> {
    match peer {
        Peer::Nginx | Peer::PortcullisUring | Peer::PortcullisEpoll => Some(Signal::SIGHUP),
        Peer::Haproxy => Some(Signal::SIGUSR2),
        Peer::Caddy => Some(Signal::SIGUSR1),
        Peer::Envoy => None,
    }
}

/// A port that nobody listens on at this moment.
pub(crate) fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("a free port")?;
    Ok(listener.local_addr()?.port())
}
