//! Portcullis, the mutual-TLS gate for open banking.

#![forbid(unsafe_code)]

mod command_line;
mod inspect;
mod keys;
mod quickstart;
mod replay;
mod seal_request;
mod ticket_keys;
mod trust;
mod verify_request;

use std::{
    fmt::Display,
    io::{self, Write},
    path::Path,
    process::ExitCode,
};

use anyhow::Context as _;
use clap::Parser as _;
use command_line::{Command, CommandLine};
use portcullis_control::{Configuration, ControlError};
use replay::Replay;
use seal_request::SealRequest;

/// The configuration has mistakes. Also what clap exits with where the command line has some.
const EXIT_MISTAKES: u8 = 2;
/// Anything else went wrong, `inspect` would refuse the certificate, or `verify-request` the request.
const EXIT_FAILURE: u8 = 1;

fn main() -> ExitCode {
    let result = match CommandLine::parse().command {
        Command::Run { config, test: false } => run(&config, || ()),
        Command::Run { config, test: true } | Command::Check { config } => check(&config),
        Command::Inspect(inspect) => return judged(inspect.run().map(|it| (it.report, it.is_admitted))),
        Command::VerifyRequest(request) => {
            return judged(request.run().map(|it| (it.report, it.is_verified)));
        }
        Command::SealRequest(request) => return sealed(&request),
        Command::Trust(trust) => return judged(trust.run().map(|it| (it.report, it.is_valid))),
        Command::Replay(replay) => return self::replay(&replay),
        Command::Keys(keys) => keys.run().map(|report| tell(io::stdout(), report)),
        Command::TicketKeys(ticket_keys) => ticket_keys.run(),
        Command::Quickstart { dir, port } => quickstart(&dir, port),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => complain(&error),
    }
}

fn run(config: &Path, on_ready: impl FnOnce()) -> anyhow::Result<()> {
    Ok(portcullis_control::run(config, on_ready)?)
}

fn check(config: &Path) -> anyhow::Result<()> {
    let configuration = Configuration::check(config).map_err(ControlError::from)?;
    for warning in &configuration.warnings {
        tell(io::stderr(), format_args!("warning: {}", warning.in_file(config)));
    }
    // Standard output that is closed early, as by `head`, is no mistake of the configuration.
    tell(io::stdout(), format_args!("{configuration}{}: ok", config.display()));
    Ok(())
}

/// Prints what was found out, and says whether it is good: status 0 if it is, 1 if it is not, 2 if there is nothing to be judged, or
/// something that was named cannot be read.
fn judged(outcome: anyhow::Result<(String, bool)>) -> ExitCode {
    match outcome {
        Ok((report, is_good)) => {
            tell(io::stdout(), report);
            if is_good { ExitCode::SUCCESS } else { EXIT_FAILURE.into() }
        }
        Err(error) => {
            tell(io::stderr(), format_args!("portcullis: {error:#}"));
            EXIT_MISTAKES.into()
        }
    }
}

/// Status 0 if it was sealed, 2 if there is nothing to be sealed, or something that was named cannot be read.
fn sealed(request: &SealRequest) -> ExitCode {
    match request.run() {
        Ok(fields) => {
            // Nobody is left to be told of a stream that is closed.
            drop(io::stdout().write_all(&fields));
            ExitCode::SUCCESS
        }
        Err(error) => {
            complain(&error);
            EXIT_MISTAKES.into()
        }
    }
}

/// Status 0 if nobody who was admitted would be refused, 1 if somebody would, 2 if something that was named cannot be read.
fn replay(replay: &Replay) -> ExitCode {
    match replay.run() {
        Ok(replayed) => {
            tell(io::stdout(), replayed.report);
            if replayed.is_nobody_refused { ExitCode::SUCCESS } else { EXIT_FAILURE.into() }
        }
        Err(error) => {
            complain(&error);
            EXIT_MISTAKES.into()
        }
    }
}

fn quickstart(directory: &Path, port: u16) -> anyhow::Result<()> {
    let prepared = quickstart::prepare(directory, port).context("cannot prepare the quickstart")?;
    let whose = if prepared.reused { "from an earlier run" } else { "made just now" };
    tell(io::stdout(), format_args!("# certificates in {}: {whose}", directory.display()));
    quickstart::start_bank(([127, 0, 0, 1], prepared.bank_port).into())?;
    let lines = quickstart::curl_lines(&prepared);
    run(&prepared.configuration(), || tell(io::stdout(), lines))
}

/// One line a mistake, so that editors and scripts can read it; otherwise the error with its causes.
fn complain(error: &anyhow::Error) -> ExitCode {
    match error.downcast_ref() {
        Some(ControlError::Configuration(mistakes)) => {
            tell(io::stderr(), mistakes);
            EXIT_MISTAKES.into()
        }
        _ => {
            tell(io::stderr(), format_args!("portcullis: {error:#}"));
            EXIT_FAILURE.into()
        }
    }
}

/// Nobody is left to be told of a stream that is closed.
fn tell(mut stream: impl Write, what: impl Display) {
    drop(writeln!(stream, "{what}"));
}
