//! Where access and audit records are written.

mod rotation;

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

use crate::{ControlError, Rotation};
use rotation::RotatedFile;

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

    /// Counts rotations that failed.
    pub(crate) fn rotate_errors(self) -> Counter {
        match self {
            Self::Access => counter!("portcullis_access_rotate_errors_total"),
            Self::Audit => counter!("portcullis_audit_rotate_errors_total"),
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
    /// Opens the file, which may be rotated, or standard output for `None`, and starts the thread. It ends when all sinks are gone.
    ///
    /// # Errors
    /// [`ControlError::RecordFile`], [`ControlError::Thread`].
    pub(crate) fn start<T: Serialize + Send + 'static>(
        kind: RecordKind,
        path: Option<&Path>,
        rotation: Option<Rotation>,
    ) -> Result<(RecordSink<T>, Self), ControlError> {
        let (sink, log) = record_log();
        let reopen = Arc::new(AtomicBool::new(false));
        let mut file = RecordFile::open(kind, path, rotation, Arc::clone(&reopen))?;
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
    /// How it is rotated, where it is.
    rotated: Option<RotatedFile>,
    writes: Failures,
    rotations: Failures,
}

/// Failures of one kind: counted, and logged where they begin and end.
struct Failures {
    counter: Counter,
    are_on: bool,
}

impl RecordFile {
    fn open(
        kind: RecordKind,
        path: Option<&Path>,
        rotation: Option<Rotation>,
        reopen: Arc<AtomicBool>,
    ) -> Result<Self, ControlError> {
        let (out, rotated): (Box<dyn Write + Send>, _) = match path {
            Some(path) => {
                let (file, rotated) = open_rotated(path, rotation).map_err(|source| {
                    let (log, path) = (kind.name(), path.to_owned());
                    ControlError::RecordFile { log, path, source }
                })?;
                (Box::new(file), rotated)
            }
            None => (Box::new(io::stdout()), None),
        };
        let path = path.map(Path::to_owned);
        let (writes, rotations) = (Failures::of(kind.write_errors()), Failures::of(kind.rotate_errors()));
        Ok(Self { kind, path, out, pending: Vec::new(), reopen, rotated, writes, rotations })
    }

    fn send(&mut self) {
        self.reopen_if_asked();
        self.rotate_if_full();
        let result = self.out.write_all(&self.pending).and_then(|()| self.out.flush());
        if let (Some(rotated), Ok(())) = (&mut self.rotated, &result) {
            rotated.grew(self.pending.len());
        }
        self.pending.clear();
        self.writes.note(result, "written", self.kind);
    }

    /// What is pending are whole lines, so no line is in two files.
    fn rotate_if_full(&mut self) {
        let Some(rotated) = self.rotated.as_mut().filter(|file| file.is_full_with(self.pending.len())) else {
            return;
        };
        let result = rotated.rotate(append_to).and_then(|file| {
            self.out = Box::new(file);
            rotated.remove_surplus()
        });
        self.rotations.note(result, "rotated", self.kind);
    }

    fn reopen_if_asked(&mut self) {
        let Some(path) = &self.path else { return };
        if !self.reopen.swap(false, Ordering::Relaxed) {
            return;
        }
        let rotation = self.rotated.as_ref().map(RotatedFile::rotation);
        match open_rotated(path, rotation) {
            Ok((file, rotated)) => (self.out, self.rotated) = (Box::new(file), rotated),
            Err(error) => {
                tracing::error!(%error, path = %path.display(), "cannot open the {} anew", self.kind.name());
            }
        }
    }
}

impl Failures {
    const fn of(counter: Counter) -> Self {
        Self { counter, are_on: false }
    }

    /// Notes what came of something to be `done` to a file.
    fn note(&mut self, result: io::Result<()>, done: &str, kind: RecordKind) {
        let (failed, name) = (result.is_err(), kind.name());
        match result {
            Ok(()) if self.are_on => tracing::info!("the {name} is {done} again"),
            Err(error) if !self.are_on => tracing::error!(%error, "the {name} cannot be {done}"),
            _ => {}
        }
        self.counter.increment(u64::from(failed));
        self.are_on = failed;
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

fn open_rotated(path: &Path, rotation: Option<Rotation>) -> io::Result<(File, Option<RotatedFile>)> {
    let file = append_to(path)?;
    let rotated = rotation.map(|rotation| RotatedFile::new(path, &file, rotation)).transpose()?;
    Ok((file, rotated))
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
        let mut file = RecordFile::open(RecordKind::Access, None, None, Arc::default()).unwrap();
        file.out = Box::new(Disk(Arc::clone(&full), Arc::clone(&written)));
        let line = [b'a'; 99].into_iter().chain(*b"\n").collect::<Vec<u8>>();
        for _ in 0..2000 {
            file.write_all(&line).unwrap();
        }
        file.flush().unwrap();
        assert!(file.writes.are_on);
        full.store(false, Ordering::Relaxed);
        file.write_all(b"b\n").unwrap();
        file.flush().unwrap();
        assert!(!file.writes.are_on);
        assert_eq!(*written.lock().unwrap(), b"b\n");
    }

    #[test]
    fn a_file_that_was_moved_away_is_opened_anew_when_asked() {
        let directory = std::env::temp_dir().join(format!("portcullis-access-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let (path, moved) = (directory.join("access.log"), directory.join("access.log.1"));
        let reopen = Arc::new(AtomicBool::new(false));
        let mut file = RecordFile::open(RecordKind::Access, Some(&path), None, Arc::clone(&reopen)).unwrap();
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
    #[test]
    fn no_record_is_lost_and_none_is_in_two_files() {
        let directory = std::env::temp_dir().join(format!("portcullis-rotated-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let (path, reopen) = (directory.join("audit.jsonl"), Arc::new(AtomicBool::new(false)));
        let rotation = Rotation { bytes: 1000, keep: 100 };
        let mut file =
            RecordFile::open(RecordKind::Audit, Some(&path), Some(rotation), Arc::clone(&reopen)).unwrap();
        for number in 0..2000 {
            // In pieces, as a record is written.
            for piece in ["{\"n\":", &number.to_string(), "}", "\n"] {
                file.write_all(piece.as_bytes()).unwrap();
            }
            if number % 7 == 0 {
                file.flush().unwrap();
            }
            // A reload in between changes nothing.
            reopen.store(number % 100 == 0, Ordering::Relaxed);
        }
        file.flush().unwrap();
        let aside = |number: u32| directory.join(format!("audit.jsonl.{number}"));
        let count = (1..).take_while(|number| aside(*number).exists()).last().unwrap();
        assert!(count > 20, "{count}");
        let files: Vec<String> = (1..=count)
            .rev()
            .map(aside)
            .chain([path])
            .map(|path| std::fs::read_to_string(path).unwrap())
            .collect();
        assert!(files.iter().all(|text| text.ends_with("}\n") && text.len() <= 1000));
        let numbers: String = (0..2000).map(|number| format!("{{\"n\":{number}}}\n")).collect();
        assert_eq!(files.concat(), numbers);
        assert!(!file.rotations.are_on);
        std::fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn under_load_too_a_file_ends_with_a_line() {
        let directory = std::env::temp_dir().join(format!("portcullis-loaded-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let path = directory.join("audit.jsonl");
        let rotation = Rotation { bytes: 1000, keep: 100 };
        let mut file =
            RecordFile::open(RecordKind::Audit, Some(&path), Some(rotation), Arc::default()).unwrap();
        for _ in 0..5 * PENDING_BYTES / 100 {
            file.write_all(&[b'a'; 99]).unwrap();
            file.write_all(b"\n").unwrap();
        }
        file.flush().unwrap();
        let files: Vec<_> = std::fs::read_dir(&directory)
            .unwrap()
            .map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap())
            .collect();
        assert!(files.len() >= 5, "{}", files.len());
        assert!(files.iter().flat_map(|text| text.lines()).all(|line| line.len() == 99));
        assert_eq!(files.iter().map(String::len).sum::<usize>(), 5 * PENDING_BYTES / 100 * 100);
        std::fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn where_it_cannot_be_rotated_it_is_written_on() {
        let directory = std::env::temp_dir().join(format!("portcullis-stuck-{}", std::process::id()));
        std::fs::create_dir_all(directory.join("access.log.1")).unwrap();
        let path = directory.join("access.log");
        let rotation = Rotation { bytes: 10, keep: 1 };
        let mut file =
            RecordFile::open(RecordKind::Access, Some(&path), Some(rotation), Arc::default()).unwrap();
        for line in ["12345678\n", "2\n", "3\n"] {
            file.write_all(line.as_bytes()).unwrap();
            file.flush().unwrap();
        }
        assert!(file.rotations.are_on && !file.writes.are_on);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "12345678\n2\n3\n");
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
