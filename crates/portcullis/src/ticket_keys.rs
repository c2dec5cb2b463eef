//! `portcullis ticket-keys`: the file of keys that gates share.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Subcommand;
use portcullis_control::{create_key_file, rotate_key_file};

/// What to do with the file.
#[derive(Debug, Subcommand)]
pub(crate) enum TicketKeys {
    /// Make it, with fresh keys; a file that is there stays as it is
    New {
        /// The file
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Move its keys up: the current one becomes the previous one, the next one the current one, and a fresh one the next
    Rotate {
        /// The file
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

impl TicketKeys {
    /// Prints nothing, so that a scheduler that mails what is printed mails what went wrong.
    ///
    /// # Errors
    /// The file cannot be made, or rotated, and is as it was.
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        match self {
            Self::New { file } => create_key_file(file).with_context(|| file.display().to_string()),
            Self::Rotate { file } => rotate_key_file(file).with_context(|| file.display().to_string()),
        }
    }
}
