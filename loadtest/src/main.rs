//! `loadtest`: a load generator for TLS servers.
//!
//! It measures full and resumed handshakes, requests over HTTP/1.1 and HTTP/2 and idle connections of any TLS server, and reads from `/proc` what
//! they cost that server. It imports none of the server's crates: what it says about the gate, a stranger could say. `verify` alone
//! drives the libraries that judge certificates, which open nothing.

#![forbid(unsafe_code)]

mod answer;
mod arguments;
mod backend;
mod bare;
mod chunked;
mod client_config;
mod clients;
mod compare;
mod connection;
mod deadline;
mod driver;
mod failure;
mod flood;
mod floor;
mod http2;
mod latency;
mod load;
mod outcomes;
mod page;
mod path_verifier;
mod peers;
mod plan;
mod process;
mod report;
mod responder;
mod scenario;
mod server_cpu;
mod server_use;
mod serving;
mod step_figures;
mod tally;
mod tickets;
mod verify;
mod watch;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

use crate::arguments::{Arguments, Command, Format};
use crate::load::Kind;
use crate::report::Report;

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("loadtest: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<ExitCode> {
    match arguments.command {
        Command::Verify(verify) => print(&verify::run(&verify)?, verify.format),
        Command::Floor(floor) => print(&floor::measure(&floor)?, floor.format),
        Command::Handshake(load) => {
            print(&load::crew::run(Kind::Handshake, &load, &[])?, load.session.format)
        }
        Command::Request(load) => print(&load::crew::run(Kind::Request, &load, &[])?, load.session.format),
        Command::Mixed(mixed) => {
            let format = mixed.load.session.format;
            print(&load::mixed::run(mixed)?, format)
        }
        Command::Flood(flood) => flood::run(&flood),
        Command::Idle(idle) => print(&load::idle::run(&idle)?, idle.session.format),
        Command::Backend(arguments) => backend::run(&arguments).map(|()| ExitCode::SUCCESS),
        Command::Bare(arguments) => bare::run(&arguments).map(|()| ExitCode::SUCCESS),
        Command::Responder(arguments) => responder::run(&arguments).map(|()| ExitCode::SUCCESS),
        Command::Page(arguments) => page::run(&arguments),
        Command::Peers(arguments) => peers::run(&arguments),
        Command::Compare(arguments) => compare::run(&arguments),
    }
}

/// Prints a report, its complaint first and on stderr. A run with a complaint ends with status 1.
fn print(report: &impl Report, format: Format) -> Result<ExitCode> {
    let complaint = report.complaint();
    if let Some(complaint) = &complaint {
        eprintln!("loadtest: {complaint}");
    }
    report::write(report, format)?;
    Ok(if complaint.is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
