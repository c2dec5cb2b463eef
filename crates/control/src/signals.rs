//! The signals of the operator.

use std::io;

use tokio::signal::unix::{self, SignalKind, signal};

/// What the operator wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// SIGHUP: reread the configuration.
    Reload,
    /// SIGTERM or SIGINT: end.
    Stop,
}

/// The signals that were not dealt with yet. Several of a kind that come before their turn count as one.
#[derive(Debug)]
pub(crate) struct Signals {
    hangup: unix::Signal,
    terminate: unix::Signal,
    interrupt: unix::Signal,
}

impl Signals {
    /// Takes the signals from their default actions.
    ///
    /// # Errors
    /// If the kernel does not let us.
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// The next one. Nothing is lost if the future is dropped.
    pub(crate) async fn next(&mut self) -> Signal {
        // An end goes before a reload that came with it.
        tokio::select! {
            biased;
            _ = self.terminate.recv() => Signal::Stop,
            _ = self.interrupt.recv() => Signal::Stop,
            _ = self.hangup.recv() => Signal::Reload,
        }
    }
}
