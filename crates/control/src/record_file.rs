//! Where access and audit records are written.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
};

use metrics::{Counter, counter};
use portcullis_telemetry::{RecordLog, RecordSink, record_log};
use serde::Serialize;

use crate::ControlError;

/// Records say who asked for what: nobody else's business.
const FILE_MODE: u32 = 0o640;
/// Bytes that are written in one go under load. A line, bounded as its request head is, may come on top.
const PENDING_BYTES: usize = 64 << 10;

/// Which records a file takes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum RecordKind {
    /// One a request.
    Access,
    /// One a verdict.
    Audit,
}

impl RecordKind {
    const fn name(self) -> &'static str {
        match self {
            Self::Access => "access log",
            Self::Audit => "audit log",
        }
    }

    const fn thread(self) -> &'static str {
        match self {
            Self::Access => "access-log",
            Self::Audit => "audit-log",
        }
    }

    /// Counts writes that failed.
    pub(crate) fn write_errors(self) -> Counter {
        match self {
            Self::Access => counter!("portcullis_access_write_errors_total"),
            Self::Audit => counter!("portcullis_audit_write_errors_total"),
        }
    }
}

/// The thread that writes records of one kind.
#[derive(Debug)]
pub(crate) struct RecordWriter {
    reopen: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl RecordWriter {
    /// Opens the file, or standard output for `None`, and starts the thread. It ends when all sinks are gone.
    ///
    /// # Errors
    /// [`ControlError::RecordFile`], [`ControlError::Thread`].
    pub(crate) fn start<T: Serialize + Send + 'static>(
        kind: RecordKind,
        path: Option<&Path>,
    ) -> Result<(RecordSink<T>, Self), ControlError> {
        let (sink, log) = record_log();
        let reopen = Arc::new(AtomicBool::new(false));
        let mut file = RecordFile::open(kind, path, Arc::clone(&reopen))?;
        let body = move || write_all(log, kind, &mut file);
        let thread = std::thread::Builder::new().name(kind.thread().to_owned()).spawn(body);
        Ok((sink, Self { reopen, thread: thread.map_err(ControlError::Thread)? }))
    }

    /// Has the file opened anew before the next record, as is done after it was moved away.
    pub(crate) fn reopen(&self) {
        self.reopen.store(true, Ordering::Relaxed);
    }

    /// Whether the thread has ended, which it does once all sinks are gone and their records written.
    pub(crate) fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }
}

fn write_all(log: RecordLog<impl Serialize>, kind: RecordKind, file: &mut RecordFile) {
    if let Err(error) = log.write_to(file) {
        tracing::error!(%error, "the {} ended", kind.name());
    }
}

/// A writer that outlives the troubles of its file: records that cannot be written are lost and the failure is counted, and
/// the next ones are tried again.
struct RecordFile {
    kind: RecordKind,
    /// Standard output has none and is never opened anew.
    path: Option<PathBuf>,
    out: Box<dyn Write + Send>,
    /// Whole lines but for the one that is being added.
    pending: Vec<u8>,
    reopen: Arc<AtomicBool>,
    errors: Counter,
    failing: bool,
}

impl RecordFile {
    fn open(kind: RecordKind, path: Option<&Path>, reopen: Arc<AtomicBool>) -> Result<Self, ControlError> {
        let out: Box<dyn Write + Send> = match path {
            Some(path) => Box::new(append_to(path).map_err(|source| {
                let (log, path) = (kind.name(), path.to_owned());
                ControlError::RecordFile { log, path, source }
            })?),
            None => Box::new(io::stdout()),
        };
        let (path, errors) = (path.map(Path::to_owned), kind.write_errors());
        Ok(Self { kind, path, out, pending: Vec::new(), reopen, errors, failing: false })
    }

    fn send(&mut self) {
        self.reopen_if_asked();
        let result = self.out.write_all(&self.pending).and_then(|()| self.out.flush());
        self.pending.clear();
        self.note(result);
    }

    fn reopen_if_asked(&mut self) {
        let Some(path) = &self.path else { return };
        if !self.reopen.swap(false, Ordering::Relaxed) {
            return;
        }
        match append_to(path) {
            Ok(file) => self.out = Box::new(file),
            Err(error) => {
                tracing::error!(%error, path = %path.display(), "cannot open the {} anew", self.kind.name());
            }
        }
    }

    /// Counts a failure, and logs where it begins and ends.
    fn note(&mut self, result: io::Result<()>) {
        let failed = result.is_err();
        match result {
            Ok(()) if self.failing => tracing::info!("the {} is written again", self.kind.name()),
            Err(error) if !self.failing => tracing::error!(%error, "cannot write the {}", self.kind.name()),
            _ => {}
        }
        self.errors.increment(u64::from(failed));
        self.failing = failed;
    }
}

impl Write for RecordFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.pending.extend_from_slice(bytes);
        if self.pending.len() >= PENDING_BYTES && bytes.ends_with(b"\n") {
            self.send();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.send();
        Ok(())
    }
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(FILE_MODE).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A disk that is full until it is not.
    struct Disk(Arc<AtomicBool>, Arc<std::sync::Mutex<Vec<u8>>>);

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            match self.0.load(Ordering::Relaxed) {
                true => Err(io::ErrorKind::StorageFull.into()),
                false => self.1.lock().unwrap().write(bytes),
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_full_disk_costs_whole_records_and_no_more() {
        let (full, written) = (Arc::new(AtomicBool::new(true)), Arc::default());
        let mut file = RecordFile::open(RecordKind::Access, None, Arc::default()).unwrap();
        file.out = Box::new(Disk(Arc::clone(&full), Arc::clone(&written)));
        let line = [b'a'; 99].into_iter().chain(*b"\n").collect::<Vec<u8>>();
        for _ in 0..2000 {
            file.write_all(&line).unwrap();
        }
        file.flush().unwrap();
        assert!(file.failing);
        full.store(false, Ordering::Relaxed);
        file.write_all(b"b\n").unwrap();
        file.flush().unwrap();
        assert!(!file.failing);
        assert_eq!(*written.lock().unwrap(), b"b\n");
    }

    #[test]
    fn a_file_that_was_moved_away_is_opened_anew_when_asked() {
        let directory = std::env::temp_dir().join(format!("portcullis-access-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let (path, moved) = (directory.join("access.log"), directory.join("access.log.1"));
        let reopen = Arc::new(AtomicBool::new(false));
        let mut file = RecordFile::open(RecordKind::Access, Some(&path), Arc::clone(&reopen)).unwrap();
        file.write_all(b"1\n").unwrap();
        file.flush().unwrap();
        std::fs::rename(&path, &moved).unwrap();
        file.write_all(b"2\n").unwrap();
        file.flush().unwrap();
        reopen.store(true, Ordering::Relaxed);
        file.write_all(b"3\n").unwrap();
        file.flush().unwrap();
        assert_eq!(std::fs::read_to_string(&moved).unwrap(), "1\n2\n");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "3\n");
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
