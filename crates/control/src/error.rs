//! Why the gate does not start, or did not end well.

use std::{io, net::SocketAddr, path::PathBuf};

use metrics_exporter_prometheus::BuildError;
use portcullis_gateway::StartError;
use thiserror::Error;
use tracing_subscriber::util::TryInitError;

use crate::Mistakes;

/// What went wrong. [`Configuration`](Self::Configuration) is for the operator to mend; so are taken addresses and files
/// that cannot be written; the rest is the machine's doing or ours.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ControlError {
    /// The configuration has mistakes; its `Display` has one line for each.
    #[error(transparent)]
    Configuration(#[from] Mistakes),
    /// The admin listener's address cannot be bound.
    #[error("cannot listen on {address} for the admin listener")]
    Admin {
        /// Where.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// A file of records cannot be opened.
    #[error("cannot open the {log} {path}")]
    RecordFile {
        /// Which log: access or audit.
        log: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The data plane did not start.
    #[error("the data plane did not start")]
    Start(#[from] StartError),
    /// The process has a metrics recorder already.
    #[error("cannot keep metrics")]
    Metrics(#[source] BuildError),
    /// The process has a log already.
    #[error("cannot start the log")]
    Log(#[source] TryInitError),
    /// A thread cannot be made.
    #[error("cannot start a thread")]
    Thread(#[source] io::Error),
    /// Trusted lists cannot be fetched or read.
    #[error("trusted lists")]
    TrustedLists(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Nobody can be asked about revocation.
    #[error("revocation")]
    Revocation(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Keys cannot be kept.
    #[error("keys")]
    Keys(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A register cannot be read.
    #[error("the register")]
    Register(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The runtime of the control plane, or its signal handlers, cannot be made.
    #[error("cannot start the control plane")]
    Runtime(#[source] io::Error),
    /// A shard ended though nobody asked it to.
    #[error("the data plane ended by itself")]
    DataPlaneEnded,
    /// Shards were still busy when the drain should long have been over.
    #[error("shards did not end within the drain timeout")]
    DrainOverrun,
    /// A second signal to stop came before the drain was over.
    #[error("asked again to stop: connections were cut")]
    Interrupted,
}

/// An error with its causes, in one line. A cause that its effect tells already is not told twice.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let told = error.to_string();
        if !text.contains(&told) {
            text = format!("{text}: {told}");
        }
        cause = error.source();
    }
    text
}
