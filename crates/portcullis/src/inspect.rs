//! `portcullis inspect`: what a certificate says, which rules it breaks, and whether the gate would admit it.

mod evidence;
mod input;
mod text;

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};
use portcullis_identity::Identity;
use portcullis_policy::{Assessment, Denial, Evidence, Profile, Purpose, Rules, Verdict, decide};
use portcullis_trust::{Anchors, EkuRule, PathError, TrustedPath};
use rustls_pki_types::UnixTime;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::trust::read_store;
use evidence::StatusFiles;
use input::Presented;
pub(crate) use input::certificates;
pub(crate) use text::Safe;

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
    /// Trust anchors, PEM; without any the path is not judged
    #[arg(long, value_name = "FILE", num_args = 1..)]
    anchors: Vec<PathBuf>,
    /// A folder of trusted lists: the list of lists, its pivots and national lists, whose services are believed
    #[arg(long, value_name = "DIR")]
    trust: Option<PathBuf>,
    /// A folder of the certificates of those who may sign the list of lists, PEM or DER [default: those of the Official
    /// Journal C/2026/1944]
    #[arg(long, value_name = "DIR", requires = "trust")]
    trust_signers: Option<PathBuf>,
    /// Intermediate certificates, PEM or DER
    #[arg(long, value_name = "FILE")]
    chain: Option<PathBuf>,
    #[command(flatten)]
    status: StatusFiles,
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
        let presented = Presented::read(file, self.chain.as_deref())?;
        let at = self.at.unwrap_or_else(|| SystemTime::now().into());
        let identity = Identity::from_der(&presented.leaf);
        let anchors = self.anchors()?;
        let path = anchors.map(|anchors| self.verify_path(&presented, &anchors, at));
        let now = at.unix_timestamp();
        let evidence = match &identity {
            Ok(identity) => {
                let trusted = path.as_ref().and_then(|path| path.as_ref().ok());
                let revocation = self.status.revocation(identity, (&presented, trusted), now)?;
                let registration = self.status.registration(identity, now)?;
                Evidence { path, revocation, registration, ..Evidence::none(now) }
            }
            Err(_) => Evidence { path, ..Evidence::none(now) },
        };
        let assessment = match decide(&self.rules(), identity, evidence) {
            Verdict::Admitted(permit) => permit.assessment().cloned(),
            Verdict::Refused { assessment: Some(assessment), .. } => Some(*assessment),
            Verdict::Refused { denial, assessment: None } => return Err(unreadable(file, &denial)),
        };
        let assessment = assessment.context("a certificate that was judged has an assessment")?;
        Ok(Inspected { is_admitted: assessment.is_admitted(), report: self.report(&assessment, at)? })
    }

    /// Those whom to believe; `None` if nobody was named.
    fn anchors(&self) -> anyhow::Result<Option<Anchors>> {
        let mut anchors = match &self.trust {
            Some(folder) => Anchors::clone(&read_store(folder, self.trust_signers.as_deref())?.anchors),
            None if self.anchors.is_empty() => return Ok(None),
            None => Anchors::default(),
        };
        anchors.extend(read_anchors(&self.anchors)?);
        Ok(Some(anchors))
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

    fn verify_path(
        &self,
        presented: &Presented,
        anchors: &Anchors,
        at: OffsetDateTime,
    ) -> Result<TrustedPath, PathError> {
        let usage = match self.purpose {
            PurposeName::Qwac => EkuRule::ClientAuth,
            PurposeName::Qsealc => EkuRule::Any,
        };
        let seconds = u64::try_from(at.unix_timestamp()).unwrap_or(0);
        let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
        anchors.verify_path(&presented.leaf, &presented.chain, usage, now)
    }

    fn report(&self, assessment: &Assessment, at: OffsetDateTime) -> anyhow::Result<String> {
        match self.format {
            Format::Json => Ok(serde_json::to_string_pretty(assessment)?),
            Format::Text => {
                let mut report = String::new();
                let profile = self.rules().profile.as_str();
                write!(report, "{}", text::Report { assessment, profile, at })?;
                Ok(report)
            }
        }
    }
}

fn read_anchors(files: &[PathBuf]) -> anyhow::Result<Anchors> {
    let mut anchors = Anchors::default();
    for file in files {
        let bytes = input::read(file, input::FILE_BYTES_MAX)?;
        anchors.extend(
            Anchors::from_pem(&bytes).with_context(|| format!("{}: no trust anchors", file.display()))?,
        );
    }
    Ok(anchors)
}

fn unreadable(file: &Path, denial: &Denial) -> anyhow::Error {
    anyhow::anyhow!("{}: {}: {denial}", file.display(), denial.code())
}

/// Reads a time of the command line.
pub(crate) fn parse_time(text: &str) -> Result<OffsetDateTime, String> {
    OffsetDateTime::parse(text, &Rfc3339)
        .map_err(|error| format!("{error}; write it as 2026-11-24T08:00:00Z"))
}
