//! CRLs as files: fetched beside the one that serves, and put in its place once it is known to be better.

use std::{
    collections::HashSet,
    ffi::OsStr,
    fs::{self, File},
    io::{self, BufReader},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use aws_lc_rs::digest::{Context, SHA256};
use portcullis_trust::Crl;
use thiserror::Error;
use tokio::{
    sync::Semaphore,
    task::{JoinError, spawn_blocking},
};

use super::crl_memory::{CrlMemory, Share};
use crate::{
    CrlSource,
    clock::now_unix_s,
    fetch::{FetchError, FetchLimits, Fetcher, Validators},
};

/// What the names of files end with.
const KEPT: &str = "crl";
const UNFINISHED: &str = "unfinished";
/// What they begin with: a SHA-256 in hexadecimal.
const NAME_DIGITS: usize = 64;
/// CRLs that are read at once. The index of one takes two thirds of its size before its signature is known to hold.
static READERS: Semaphore = Semaphore::const_new(2);

/// A CRL that is believed.
#[derive(Clone, Debug)]
pub(super) struct CrlFile {
    pub(super) crl: Arc<Crl>,
    /// What it takes of the memory for CRLs.
    share: Arc<Share>,
    /// What to ask for the next version with; nothing for one that was kept over a restart.
    validators: Option<Validators>,
}

/// Why a CRL was not taken up.
#[derive(Debug, Error)]
pub(super) enum CrlFault {
    /// It cannot be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// It is not believed.
    #[error("not believed")]
    Crl(#[from] portcullis_trust::CrlError),
    /// It is about other certificates than the one that is there: that of another place, given out here.
    #[error("it is about other certificates than the one before")]
    Scope,
    /// The server says that there is none newer than one whose time is over.
    #[error("there is none newer than the one before, whose time is over")]
    Stale,
    /// It is older than the one that is there.
    #[error("it is older than the one before")]
    Rollback,
    /// With it, CRLs would take more memory than they may.
    #[error("it takes {bytes} bytes of memory, with which all CRLs would take more than {bytes_max}")]
    Memory {
        /// How many bytes its index takes.
        bytes: u64,
        /// How many all may take.
        bytes_max: u64,
    },
    /// It cannot be kept.
    #[error("it cannot be kept")]
    Keep(#[from] io::Error),
    /// The task that read it ended by itself.
    #[error("it was not read to the end")]
    Task(#[from] JoinError),
}

impl CrlFault {
    /// The stable code, for metrics and logs.
    pub(super) const fn code(&self) -> &'static str {
        match self {
            Self::Fetch(error) => error.code(),
            Self::Crl(error) => error.code(),
            Self::Scope => "crl.scope",
            Self::Stale => "crl.stale",
            Self::Rollback => "crl.rollback",
            Self::Memory { .. } => "crl.memory",
            Self::Keep(_) => "crl.keep",
            Self::Task(_) => "crl.task",
        }
    }
}

/// Bounds of a CRL that is fetched: one of 64 MiB may come at 2 Mbit/s.
pub(super) fn crl_limits(bytes_max: u64) -> FetchLimits {
    FetchLimits {
        bytes_max: usize::try_from(bytes_max).unwrap_or(usize::MAX),
        total_timeout: Duration::from_secs(5 * 60),
        ..FetchLimits::default()
    }
}

/// Bounds of the CRLs of a gate.
#[derive(Clone, Debug)]
pub(super) struct CrlBounds {
    /// Bytes of one.
    pub(super) bytes_max: u64,
    /// Bytes of memory that all take together at most.
    pub(super) memory_bytes_max: u64,
    /// What they take.
    pub(super) memory: CrlMemory,
}

impl CrlBounds {
    /// Takes the memory of a CRL that is to stand in the place of `before`.
    fn take(&self, crl: &Crl, before: Option<&CrlFile>) -> Result<Arc<Share>, CrlFault> {
        let (bytes, bytes_max) =
            (u64::try_from(crl.memory_bytes()).unwrap_or(u64::MAX), self.memory_bytes_max);
        let share = self.memory.take(bytes, before.map(|before| &*before.share), bytes_max);
        share.map(Arc::new).ok_or(CrlFault::Memory { bytes, bytes_max })
    }
}

/// The CRL that was kept, if one was. Blocks on the disk.
pub(super) fn recall(
    folder: &Path,
    source: &CrlSource,
    bounds: &CrlBounds,
) -> Result<Option<CrlFile>, CrlFault> {
    let file = match File::open(path(folder, source)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let crl = Crl::read(BufReader::new(file), &source.issuer, bounds.bytes_max)?;
    let share = bounds.take(&crl, None)?;
    Ok(Some(CrlFile { crl: Arc::new(crl), share, validators: None }))
}

/// Fetches a CRL, unless the server says that there is none newer than `before`.
pub(super) async fn fetch(
    fetcher: &Fetcher,
    folder: &Path,
    source: &CrlSource,
    before: Option<CrlFile>,
    bounds: &CrlBounds,
) -> Result<Option<CrlFile>, CrlFault> {
    let place = path(folder, source);
    let unfinished = place.with_extension(UNFINISHED);
    let mut out = File::create(&unfinished)?;
    let known = before.as_ref().and_then(|before| before.validators.as_ref());
    let fetched = fetcher.get_into(&source.url, known, &mut out).await;
    let taken = match fetched {
        Ok(None) if before.as_ref().is_some_and(|before| before.crl.check_time(now_unix_s()).is_err()) => {
            Err(CrlFault::Stale)
        }
        Ok(None) => Ok(None),
        Ok(Some(validators)) => {
            let (source, unfinished, bounds) = (source.clone(), unfinished.clone(), bounds.clone());
            let read = move || take_up(&out, (&unfinished, &place), &source, before.as_ref(), &bounds);
            // Whoever is on the way may make lists of all sources long at once.
            let _reader = READERS.acquire().await;
            let read = spawn_blocking(read).await.map_err(CrlFault::from).and_then(|read| read);
            read.map(|(crl, share)| Some(CrlFile { crl: Arc::new(crl), share, validators: Some(validators) }))
        }
        Err(error) => Err(error.into()),
    };
    // It is gone if it was taken up. What stays after a crash is removed at the next start.
    let _ = fs::remove_file(&unfinished);
    taken
}

/// Judges what was fetched, and puts it in the place of the one before.
fn take_up(
    out: &File,
    (unfinished, place): (&Path, &Path),
    source: &CrlSource,
    before: Option<&CrlFile>,
    bounds: &CrlBounds,
) -> Result<(Crl, Arc<Share>), CrlFault> {
    let crl = Crl::read(BufReader::new(File::open(unfinished)?), &source.issuer, bounds.bytes_max)?;
    crl.check_time(now_unix_s())?;
    if let Some(before) = before.map(|before| &before.crl) {
        let is_older = crl.this_update() < before.this_update()
            || matches!((crl.number(), before.number()), (Some(new), Some(old)) if new < old);
        if !crl.has_scope_of(before) {
            return Err(CrlFault::Scope);
        }
        if is_older {
            return Err(CrlFault::Rollback);
        }
    }
    let share = bounds.take(&crl, before)?;
    out.sync_all()?;
    fs::rename(unfinished, place)?;
    Ok((crl, share))
}

/// Whether a CRL of a source was kept.
pub(super) fn is_kept(folder: &Path, source: &CrlSource) -> bool {
    path(folder, source).is_file()
}

/// Throws away the CRL of a source that nobody needs any more.
pub(super) fn remove(folder: &Path, source: &CrlSource) {
    // A file that stays is overwritten or overlooked.
    let _ = fs::remove_file(path(folder, source));
}

/// Removes the files of a folder that are of none of these sources, whose certificates were forgotten while no gate ran, and those
/// that a crash left unfinished. Files of other names are somebody else's. Blocks on the disk.
pub(super) fn remove_others<'s>(
    folder: &Path,
    sources: impl Iterator<Item = &'s CrlSource>,
) -> io::Result<usize> {
    let known: HashSet<PathBuf> = sources.map(|source| path(folder, source)).collect();
    let mut removed = 0;
    for entry in fs::read_dir(folder)? {
        let file = entry?.path();
        let extension = file.extension().and_then(OsStr::to_str);
        let name = file.file_stem().map(OsStr::as_encoded_bytes).unwrap_or_default();
        let is_ours = name.len() == NAME_DIGITS && name.iter().all(u8::is_ascii_hexdigit);
        if is_ours && (extension == Some(UNFINISHED) || extension == Some(KEPT)) && !known.contains(&file) {
            fs::remove_file(&file)?;
            removed += 1;
        }
    }
    Ok(removed)
}

/// Where the CRL of a source is kept.
pub(super) fn path(folder: &Path, source: &CrlSource) -> PathBuf {
    let mut name = Context::new(&SHA256);
    for part in [source.url.as_bytes(), source.issuer.name(), source.issuer.public_key_info()] {
        name.update(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        name.update(part);
    }
    let name: String = name.finish().as_ref().iter().map(|octet| format!("{octet:02x}")).collect();
    folder.join(name).with_extension(KEPT)
}
