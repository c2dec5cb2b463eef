//! A whole tree of lists from files.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use clap::Args;
use portcullis_trust::list::{
    AuthenticatedBy, ListError, ListKind, Lotl, SignedList, TrustedList, Usages, inspect_list,
};
use serde::Serialize;
use time::OffsetDateTime;

use super::report::ListReport;
use super::{Verified, files_of, is_xml, read_certificates, read_list};
use crate::inspect::{Format, parse_time};

/// The parts of a tree.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The list of lists
    #[arg(long, value_name = "FILE")]
    lotl: PathBuf,
    /// Its pivots, in any order
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pivot: Vec<PathBuf>,
    /// A folder of the certificates of the Official Journal, PEM or DER
    #[arg(long, value_name = "DIR")]
    signers: PathBuf,
    /// A folder of the national lists; lists of lists in it are passed over
    #[arg(long, value_name = "DIR")]
    lists: PathBuf,
    /// The time for which they are judged, as in 2026-11-24T08:00:00Z [default: now]
    #[arg(long, value_name = "RFC3339", value_parser = parse_time)]
    at: Option<OffsetDateTime>,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// A tree, as it is printed.
#[derive(Debug, Serialize)]
struct TreeReport {
    lists: Vec<Entry>,
    anchors: Anchors,
}

#[derive(Debug, Serialize)]
struct Entry {
    file: String,
    #[serde(flatten)]
    list: ListReport,
    /// What says who may sign it, such as `pivot 300`; null if it is not valid.
    authenticated_by: Option<String>,
    /// SHA-256 of the signer's certificate; null if it is not valid.
    signer_sha256: Option<String>,
}

/// CA certificates of services that are granted, by what for.
#[derive(Debug, Default, Serialize)]
struct Anchors {
    web: usize,
    seal: usize,
}

impl Verify {
    pub(super) fn run(&self) -> anyhow::Result<Verified> {
        let at = self.at.unwrap_or_else(|| SystemTime::now().into());
        let journal = read_certificates(&files_of(&self.signers)?)?;
        let lotl = read_list(&self.lotl)?;
        let pivots = self.pivots()?;
        let bytes: Vec<_> = pivots.iter().map(|(_, bytes)| bytes.as_slice()).collect();
        let mut lists = Vec::new();
        let tree = match Lotl::authenticate(&lotl, &bytes, &journal) {
            Ok(tree) => tree,
            Err(error) => {
                // Nothing below is believed, so nothing is read.
                let (list, signature) = inspect_list(&lotl, &[]);
                let cause = signature.err().unwrap_or(ListError::NoSignature);
                let mut report = ListReport::new(list.as_ref(), Some(&cause), at);
                report.refuse(&error);
                lists.push(Entry::refused(&self.lotl, report));
                return self.print(&TreeReport { lists, anchors: Anchors::default() }, false);
            }
        };
        let mut by = AuthenticatedBy::Journal;
        for ((file, _), pivot) in pivots.iter().zip(tree.pivots()) {
            lists.push(Entry::valid(file, pivot, &by, at));
            by = AuthenticatedBy::Pivot(pivot.list().sequence);
        }
        lists.push(Entry::valid(&self.lotl, tree.signed(), tree.authenticated_by(), at));
        let mut is_valid = true;
        let mut trusted = Vec::new();
        for file in files_of(&self.lists)? {
            let Some((entry, list)) = national(&tree, &file, at)? else { continue };
            is_valid &= list.is_some();
            trusted.extend(list);
            lists.push(entry);
        }
        let anchors = Anchors {
            web: count_anchors(&trusted, at, |usages| usages.web),
            seal: count_anchors(&trusted, at, |usages| usages.seals),
        };
        self.print(&TreeReport { lists, anchors }, is_valid)
    }

    /// The pivots with their files, by sequence number. One that cannot be read comes first, and breaks the chain there.
    fn pivots(&self) -> anyhow::Result<Vec<(PathBuf, Vec<u8>)>> {
        let mut pivots = Vec::new();
        for file in &self.pivot {
            let bytes = read_list(file)?;
            let sequence = inspect_list(&bytes, &[]).0.map(|list| list.sequence);
            pivots.push((sequence, file.clone(), bytes));
        }
        pivots.sort_by_key(|(sequence, ..)| *sequence);
        Ok(pivots.into_iter().map(|(_, file, bytes)| (file, bytes)).collect())
    }

    fn print(&self, report: &TreeReport, is_valid: bool) -> anyhow::Result<Verified> {
        let printed = match self.format {
            Format::Json => serde_json::to_string_pretty(report)?,
            Format::Text => {
                let mut lines: Vec<_> = report.lists.iter().map(|entry| entry.list.line()).collect();
                lines.push(format!("anchors: web {}, seal {}", report.anchors.web, report.anchors.seal));
                lines.join("\n")
            }
        };
        Ok(Verified { report: printed, is_valid })
    }
}

impl Entry {
    fn valid(file: &Path, signed: &SignedList, by: &AuthenticatedBy, at: OffsetDateTime) -> Self {
        Self {
            file: name_of(file),
            list: ListReport::new(Some(signed.list()), None, at),
            authenticated_by: Some(by.to_string()),
            signer_sha256: Some(signed.signature().signer.to_string()),
        }
    }

    fn refused(file: &Path, list: ListReport) -> Self {
        Self { file: name_of(file), list, authenticated_by: None, signer_sha256: None }
    }
}

/// A file of the folder of national lists; `None` for a list of lists, and for what does not call itself XML.
fn national(
    tree: &Lotl,
    file: &Path,
    at: OffsetDateTime,
) -> anyhow::Result<Option<(Entry, Option<TrustedList>)>> {
    if !is_xml(file) {
        return Ok(None);
    }
    let bytes = read_list(file)?;
    let by = AuthenticatedBy::ListOfLists(tree.list().sequence);
    let (list, error) = inspect_list(&bytes, &[]);
    let Some(list) = list else {
        return Ok(Some((Entry::refused(file, ListReport::new(None, error.as_ref().err(), at)), None)));
    };
    if list.kind == ListKind::ListOfLists {
        return Ok(None);
    }
    Ok(Some(match tree.national_list(&list.territory, &bytes) {
        Ok(signed) => (Entry::valid(file, &signed, &by, at), Some(signed.into_list())),
        Err(error) => (Entry::refused(file, ListReport::new(Some(&list), Some(&error), at)), None),
    }))
}

fn count_anchors(lists: &[TrustedList], at: OffsetDateTime, wanted: impl Fn(Usages) -> bool) -> usize {
    let now = at.unix_timestamp();
    let services = lists.iter().flat_map(|list| &list.services);
    let granted = services.filter(|service| {
        service.is_granted_at(now) && service.state_at(now).is_some_and(|state| wanted(state.usages))
    });
    granted.flat_map(|service| &service.certificates).collect::<HashSet<_>>().len()
}

fn name_of(file: &Path) -> String {
    file.file_name().unwrap_or(file.as_os_str()).to_string_lossy().into_owned()
}
