//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::inspect::Inspect;
use crate::keys::Keys;
use crate::replay::Replay;
use crate::seal_request::SealRequest;
use crate::ticket_keys::TicketKeys;
use crate::trust::Trust;
use crate::verify_request::VerifyRequest;

/// The mutual-TLS gate for open banking.
#[derive(Debug, Parser)]
#[command(name = "portcullis", version)]
pub(crate) struct CommandLine {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the gate: SIGHUP rereads the configuration, SIGTERM and SIGINT drain and end it
    Run {
        /// The configuration
        #[arg(short, long, value_name = "FILE")]
        config: PathBuf,
        /// Only check it, as `check` does
        #[arg(short, long)]
        test: bool,
    },
    /// Tell every mistake of a configuration, with its line; open no port
    Check {
        /// The configuration
        #[arg(short, long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Tell what a certificate says, which rules it breaks, and whether the gate would admit it
    Inspect(Inspect),
    /// Tell step by step whether a request that was dumped is sealed, and by whom
    VerifyRequest(VerifyRequest),
    /// Seal a request as a TPP does, and print its fields, such as for `curl -H @-`
    SealRequest(SealRequest),
    /// Verify the trusted lists that say whom to believe
    #[command(subcommand)]
    Trust(Trust),
    /// List, show, approve, suspend, resume or delete keys of a gate that runs
    #[command(subcommand)]
    Keys(Keys),
    /// Tell whom another configuration would refuse, or admit, of those in an audit log
    Replay(Replay),
    /// Make or rotate the file of ticket keys that gates share
    #[command(subcommand)]
    TicketKeys(TicketKeys),
    /// Make test certificates and a configuration, run the gate on 127.0.0.1 and print curl lines to try
    Quickstart {
        /// Where to put them; what an earlier run left there is used again
        #[arg(long, value_name = "DIR", default_value = "./quickstart")]
        dir: PathBuf,
        /// Where to listen; the admin listener is 1000 above
        #[arg(long, value_name = "N", default_value_t = 8443)]
        port: u16,
    },
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn is_well_formed() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn has_the_documented_defaults() {
        let parsed = CommandLine::try_parse_from(["portcullis", "quickstart"]).unwrap();
        let Command::Quickstart { dir, port } = parsed.command else { panic!("{parsed:?}") };
        assert_eq!((dir, port), (PathBuf::from("./quickstart"), 8443));
        let parsed = CommandLine::try_parse_from(["portcullis", "run", "-t", "-c", "a.toml"]).unwrap();
        assert!(matches!(parsed.command, Command::Run { test: true, .. }), "{parsed:?}");
        assert!(
            CommandLine::try_parse_from(["portcullis", "run"]).is_err(),
            "there is no configuration by default"
        );
    }
}
