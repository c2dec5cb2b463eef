//! `portcullis inspect`: what a certificate says, which rules it breaks, and whether the gate would admit it.

mod evidence;
mod input;
mod sources;
mod text;

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};
use portcullis_policy::{Assessment, Profile, Purpose, Rules};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

pub(crate) use input::{Presented, certificates, read};
pub(crate) use sources::{Sources, assessment};
pub(crate) use text::{INDENT, LABEL, Report, Safe, rfc3339};

/// What to inspect, and by which rules.
#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// The certificate, PEM or DER; what follows the first certificate of a PEM file counts as its chain
    /// [default: -, standard input, unless that is a terminal]
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// By which rules it is judged
    #[arg(long, value_enum, default_value_t = ProfileName::Psd2)]
    profile: ProfileName,
    /// The time for which it is judged, as in 2026-11-24T08:00:00Z [default: now]
    #[arg(long, value_name = "RFC3339", value_parser = parse_time)]
    at: Option<OffsetDateTime>,
    #[command(flatten)]
    sources: Sources,
    /// What the certificate is used for: a connection, or the seal of a message
    #[arg(long = "as", value_enum, default_value_t = PurposeName::Qwac)]
    purpose: PurposeName,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ProfileName {
    /// Qualified in the EU, with a PSD2 statement
    Psd2,
    /// Of Open Banking in the United Kingdom
    Obie,
    /// Any for TLS clients
    X509,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum PurposeName {
    /// A connection
    Qwac,
    /// The seal of a message
    Qsealc,
}

/// How to print.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Text,
    /// For programs
    Json,
}

/// What came of an inspection.
pub(crate) struct Inspected {
    /// What to print.
    pub(crate) report: String,
    /// Whether the gate would admit the certificate.
    pub(crate) is_admitted: bool,
}

impl Inspect {
    /// Reads and judges.
    ///
    /// # Errors
    /// A file cannot be read, or holds no certificate.
    pub(crate) fn run(&self) -> anyhow::Result<Inspected> {
        let file = self.file()?;
        let presented = Presented::read(file)?;
        let at = self.at.unwrap_or_else(|| SystemTime::now().into());
        let verdict = self.sources.judge(presented, &self.rules(), at)?;
        let assessment = assessment(verdict).with_context(|| file.display().to_string())?;
        Ok(Inspected { is_admitted: assessment.is_admitted(), report: self.report(&assessment, at)? })
    }

    /// The file, or standard input. Nobody types a certificate: who names no file at a terminal has forgotten it, or has
    /// put it behind `--anchors`, which takes all that follow.
    fn file(&self) -> anyhow::Result<&Path> {
        match &self.file {
            Some(file) => Ok(file),
            None if io::stdin().is_terminal() => bail!("name the FILE first, or - for standard input"),
            None => Ok(Path::new(input::STANDARD_INPUT)),
        }
    }

    fn rules(&self) -> Rules {
        let profile = match self.profile {
            ProfileName::Psd2 => Profile::Psd2,
            ProfileName::Obie => Profile::Obie,
            ProfileName::X509 => Profile::X509,
        };
        let purpose = match self.purpose {
            PurposeName::Qwac => Purpose::Qwac,
            PurposeName::Qsealc => Purpose::Qsealc,
        };
        Rules { purpose, ..Rules::of(profile) }
    }

    fn report(&self, assessment: &Assessment, at: OffsetDateTime) -> anyhow::Result<String> {
        match self.format {
            Format::Json => Ok(serde_json::to_string_pretty(assessment)?),
            Format::Text => {
                let mut report = String::new();
                let profile = self.rules().profile.as_str();
                write!(report, "{}", Report { assessment, profile, at })?;
                Ok(report)
            }
        }
    }
}

/// Reads a time of the command line.
pub(crate) fn parse_time(text: &str) -> Result<OffsetDateTime, String> {
    OffsetDateTime::parse(text, &Rfc3339)
        .map_err(|error| format!("{error}; write it as 2026-11-24T08:00:00Z"))
}
