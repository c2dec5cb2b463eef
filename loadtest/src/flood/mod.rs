//! `loadtest flood`: what nobody wishes a server.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, ValueEnum};

use crate::arguments::LoadArguments;
use crate::load::{Kind, crew};

/// Options of `flood`.
#[derive(Debug, Args)]
pub(crate) struct FloodArguments {
    /// Of what
    #[arg(value_enum)]
    kind: FloodKind,
    #[command(flatten)]
    load: LoadArguments,
}

/// What comes in a flood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FloodKind {
    /// Handshakes, each with a certificate of its own that the client has made for itself
    Certificates,
}

/// Makes a flood.
pub(crate) fn run(arguments: &FloodArguments) -> Result<ExitCode> {
    match arguments.kind {
        FloodKind::Certificates => {
            let report = crew::run(Kind::Crowd, &arguments.load)?;
            crate::print(&report, arguments.load.session.format)
        }
    }
}
