//! By what a certificate is judged besides itself: whom to believe, and what is known of its status.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use portcullis_identity::Identity;
use portcullis_policy::{Assessment, Evidence, Purpose, Rules, Verdict, decide};
use portcullis_trust::{Anchors, EkuRule, PathError, TrustedPath};
use rustls_pki_types::UnixTime;
use time::OffsetDateTime;

use super::evidence::StatusFiles;
use super::input::{self, Presented};
use crate::trust::read_store;

/// Files that say whom to believe, and what is known of the certificate.
#[derive(Debug, Args)]
pub(crate) struct Sources {
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
}

impl Sources {
    /// Whether anybody was named whom to believe.
    pub(crate) fn names_anybody(&self) -> bool {
        self.trust.is_some() || !self.anchors.is_empty()
    }

    /// Judges a certificate as of a time.
    ///
    /// # Errors
    /// A file that was named cannot be read, or is not believed.
    pub(crate) fn judge(
        &self,
        mut presented: Presented,
        rules: &Rules,
        at: OffsetDateTime,
    ) -> anyhow::Result<Verdict> {
        if let Some(chain) = &self.chain {
            presented.chain.extend(input::certificates(chain)?);
        }
        let identity = Identity::from_der(&presented.leaf);
        let path = self.anchors()?.map(|anchors| verify_path(&presented, &anchors, rules.purpose, at));
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
        Ok(decide(rules, identity, evidence))
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
}

/// What a verdict was reached by.
///
/// # Errors
/// There is none, since the certificate cannot be read.
pub(crate) fn assessment(verdict: Verdict) -> anyhow::Result<Assessment> {
    match verdict {
        Verdict::Admitted(permit) => {
            permit.assessment().cloned().context("a certificate that was judged has an assessment")
        }
        Verdict::Refused { assessment: Some(assessment), .. } => Ok(*assessment),
        Verdict::Refused { denial, assessment: None } => Err(anyhow::anyhow!("{}: {denial}", denial.code())),
    }
}

fn verify_path(
    presented: &Presented,
    anchors: &Anchors,
    purpose: Purpose,
    at: OffsetDateTime,
) -> Result<TrustedPath, PathError> {
    let usage = match purpose {
        Purpose::Qwac => EkuRule::ClientAuth,
        Purpose::Qsealc => EkuRule::Any,
    };
    let seconds = u64::try_from(at.unix_timestamp()).unwrap_or(0);
    let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
    anchors.verify_path(&presented.leaf, &presented.chain, usage, now)
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
