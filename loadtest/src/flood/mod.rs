//! `loadtest flood`: what nobody wishes a server.

mod ending;
mod flood_report;
mod silent;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, ValueEnum};

use crate::arguments::LoadArguments;
use crate::load::result_files::write_json;
use crate::load::{Kind, crew};
use crate::plan;

/// Options of `flood`.
#[derive(Debug, Args)]
pub(crate) struct FloodArguments {
    /// Of what
    #[arg(value_enum)]
    kind: FloodKind,
    #[command(flatten)]
    load: LoadArguments,
    /// Seconds for which a connection that makes no handshake lasts, if the server bears it
    #[arg(long, default_value_t = 5.0)]
    hold_s: f64,
}

/// What comes in a flood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FloodKind {
    /// Handshakes, each with a certificate of its own that the client has made for itself
    Certificates,
    /// Connections on which nothing is said
    HalfOpen,
    /// Connections on which a handshake is begun, five bytes in a second, and never comes to its first message's end
    Slow,
    /// Connections on which something is said that is no TLS
    Garbage,
}

/// Makes a flood.
pub(crate) fn run(arguments: &FloodArguments) -> Result<ExitCode> {
    match arguments.kind {
        FloodKind::Certificates => {
            let report = crew::run(Kind::Crowd, &arguments.load, &[])?;
            crate::print(&report, arguments.load.session.format)
        }
        kind => {
            let hold = plan::seconds("--hold-s", arguments.hold_s)?;
            let report = silent::run(kind, &arguments.load, hold)?;
            if let Some(file) = &arguments.load.out {
                write_json(file, &report)?;
            }
            crate::print(&report, arguments.load.session.format)
        }
    }
}
