//! `portcullis trust`: whom a gate believes, from files, verified and shown.

mod configured;
mod report;
mod tree;

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use portcullis_trust::list::{LIST_BYTES_MAX, TrustedList, inspect_list};
use portcullis_trust::{Selection, TrustStore};
use rustls_pki_types::CertificateDer;
use time::OffsetDateTime;

use crate::inspect::{Format, certificates, parse_time};
use configured::Configured;
use report::ListReport;

/// What to do with trusted lists.
#[derive(Debug, Subcommand)]
pub(crate) enum Trust {
    /// Tell which lists and which register a gate with this configuration would serve under, and what it knows of revocation, from
    /// what is in their folders
    Show(Configured),
    /// Fetch the lists of a configuration into their folder, and tell the same; not while a gate runs on it
    Refresh(Configured),
    /// Tell whether one list is signed by one who may
    VerifyList(VerifyList),
    /// Tell whether a whole tree of lists holds: the list of lists from the Official Journal on, and every national list
    Verify(tree::Verify),
}

/// One list, and who may have signed it.
#[derive(Debug, Args)]
pub(crate) struct VerifyList {
    /// The list
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Certificates of those who may have signed it, PEM or DER
    #[arg(long, value_name = "CERT", num_args = 1.., required = true)]
    signer: Vec<PathBuf>,
    /// The time for which it is judged, as in 2026-11-24T08:00:00Z [default: now]
    #[arg(long, value_name = "RFC3339", value_parser = parse_time)]
    at: Option<OffsetDateTime>,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// What came of it.
pub(crate) struct Verified {
    /// What to print.
    pub(crate) report: String,
    /// Whether all is valid.
    pub(crate) is_valid: bool,
}

impl Trust {
    /// # Errors
    /// A file that is named cannot be read, or holds no certificate; the configuration has mistakes, or no lists.
    pub(crate) fn run(&self) -> anyhow::Result<Verified> {
        match self {
            Self::Show(configured) => configured.show(),
            Self::Refresh(configured) => configured.refresh(),
            Self::VerifyList(list) => list.run(),
            Self::Verify(tree) => tree.run(),
        }
    }
}

impl VerifyList {
    fn run(&self) -> anyhow::Result<Verified> {
        let at = self.at.unwrap_or_else(|| SystemTime::now().into());
        let signers = read_certificates(&self.signer)?;
        let (list, signature) = inspect_list(&read_list(&self.file)?, &signers);
        let report = ListReport::new(list.as_ref(), signature.as_ref().err(), at);
        Ok(Verified { is_valid: signature.is_ok(), report: report.print(self.format)? })
    }
}

/// A list; of one that is too long, enough to see that it is.
fn read_list(file: &Path) -> anyhow::Result<Vec<u8>> {
    let cannot = || format!("{}: cannot be read", file.display());
    let mut bytes = Vec::new();
    let file = File::open(file).with_context(cannot)?;
    file.take(LIST_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).with_context(cannot)?;
    Ok(bytes)
}

/// The store of a folder of lists. Lists that are past their next update still serve here: their age is told apart.
pub(crate) fn read_store(folder: &Path, signers: Option<&Path>) -> anyhow::Result<TrustStore> {
    let mut selection = Selection { max_staleness_s: i64::MAX, ..Selection::default() };
    if let Some(signers) = signers {
        selection.journal = read_certificates(&files_of(signers)?)?;
    }
    let files = files_of(folder)?.into_iter().filter(|file| is_xml(file));
    let documents = files.map(|file| read_list(&file)).collect::<anyhow::Result<Vec<_>>>()?;
    TrustStore::build(documents.iter().map(Vec::as_slice), &selection, None)
        .with_context(|| format!("{}: no trusted lists", folder.display()))
}

/// Whether a file calls itself XML.
fn is_xml(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("xml"))
}

fn read_certificates(files: &[PathBuf]) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let mut all = Vec::new();
    for file in files {
        all.extend(certificates(file)?);
    }
    Ok(all)
}

/// The regular files of a folder, by name.
fn files_of(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let cannot = || format!("{}: cannot be read", folder.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(cannot)? {
        let path = entry.with_context(cannot)?.path();
        if path.is_file() {
            files.push(path);
        }
    }
    if files.is_empty() {
        bail!("{}: no files", folder.display());
    }
    files.sort();
    Ok(files)
}

/// Services of a list that are CA/QC and granted at a time.
fn granted(
    list: &TrustedList,
    at: OffsetDateTime,
) -> impl Iterator<Item = &portcullis_trust::list::ServiceState> {
    list.services.iter().filter_map(move |service| {
        let state = service.state_at(at.unix_timestamp())?;
        service.is_granted_at(at.unix_timestamp()).then_some(state)
    })
}
