//! Bodies that are too long to be held in memory, in files without names.

use std::{
    fmt, fs, io,
    os::unix::fs::OpenOptionsExt,
    path::PathBuf,
    pin::Pin,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use monoio::{buf::IoBuf as _, fs::File};
use rustix::fs::OFlags;
use thiserror::Error;

/// Bytes that are written or read at once. With epoll the thread waits for them, which are in the page cache: some ten
/// microseconds. With `io_uring` it does not.
const PIECE_BYTES: usize = 64 * 1024;

/// Where files are made, and how much they may hold. All shards share it.
#[derive(Debug)]
pub(crate) struct Spool {
    directory: PathBuf,
    bytes: AtomicU64,
    bytes_max: u64,
}

/// Why a body is not spooled. Ours, or the operator's.
#[derive(Debug, Error)]
pub(crate) enum SpoolError {
    /// So much is there already.
    #[error("the spool has {bytes_max} bytes, and all are taken")]
    Full {
        /// The bound.
        bytes_max: u64,
    },
    /// The file cannot be made, written or read.
    #[error("the spool cannot be used")]
    Io(#[from] io::Error),
}

/// A file that has no name: it is gone when it is closed, whatever ends the process.
pub(crate) struct SpoolFile {
    file: File,
    length: u64,
    spool: Arc<Spool>,
}

impl Spool {
    pub(crate) const fn new(directory: PathBuf, bytes_max: u64) -> Self {
        Self { directory, bytes: AtomicU64::new(0), bytes_max }
    }

    /// An empty file.
    ///
    /// # Errors
    /// The directory is not there or may not be written to, or its file system has no files without names (Linux
    /// `O_TMPFILE`).
    pub(crate) fn file(self: &Arc<Self>) -> Result<SpoolFile, SpoolError> {
        let flags = (OFlags::TMPFILE | OFlags::EXCL).bits().cast_signed();
        let mut options = fs::OpenOptions::new();
        let file = options.read(true).write(true).mode(0o600).custom_flags(flags).open(&self.directory)?;
        Ok(SpoolFile { file: File::from_std(file)?, length: 0, spool: Arc::clone(self) })
    }

    /// Bytes that are taken.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    fn take(&self, bytes: u64) -> Result<(), SpoolError> {
        let more = |taken: u64| taken.checked_add(bytes).filter(|taken| *taken <= self.bytes_max);
        let taken = self.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        taken.map(drop).map_err(|_| SpoolError::Full { bytes_max: self.bytes_max })
    }
}

impl SpoolFile {
    /// Appends what is in `buffer`, which comes back empty.
    ///
    /// # Errors
    /// The spool is full, or the disk.
    pub(crate) async fn append(&mut self, mut buffer: Vec<u8>) -> Result<Vec<u8>, SpoolError> {
        self.spool.take(buffer.len() as u64)?;
        let (start, mut written) = (self.length, 0);
        // Counted before it is written, so that it is given back whatever becomes of it.
        self.length += buffer.len() as u64;
        while written < buffer.len() {
            let end = buffer.len().min(written + PIECE_BYTES);
            let (outcome, piece) =
                self.file.write_all_at(buffer.slice(written..end), start + written as u64).await;
            outcome?;
            buffer = piece.into_inner();
            written = end;
        }
        buffer.clear();
        Ok(buffer)
    }

    /// Reads it from its beginning.
    pub(crate) fn read(self) -> SpoolReader {
        SpoolReader { file: Rc::new(self), position: 0, reading: None }
    }
}

impl Drop for SpoolFile {
    fn drop(&mut self) {
        self.spool.bytes.fetch_sub(self.length, Ordering::Relaxed);
    }
}

/// A file that is read from its beginning to its end.
pub(crate) struct SpoolReader {
    file: Rc<SpoolFile>,
    position: u64,
    reading: Option<Reading>,
}

type Reading = Pin<Box<dyn Future<Output = (io::Result<usize>, Vec<u8>)>>>;

impl SpoolReader {
    /// The next bytes; `None` at the end.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, SpoolError>>> {
        let left = self.file.length - self.position;
        if left == 0 {
            return Poll::Ready(None);
        }
        let (file, position) = (&self.file, self.position);
        let reading = self.reading.get_or_insert_with(|| {
            let piece = usize::try_from(left).map_or(PIECE_BYTES, |left| left.min(PIECE_BYTES));
            let file = Rc::clone(file);
            Box::pin(async move { file.file.read_at(Vec::with_capacity(piece), position).await })
        });
        let (outcome, bytes) = ready!(reading.as_mut().poll(cx));
        self.reading = None;
        Poll::Ready(Some(match outcome {
            Ok(0) => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            Ok(read) => {
                self.position += read as u64;
                Ok(bytes.into())
            }
            Err(error) => Err(error.into()),
        }))
    }
}

impl fmt::Debug for SpoolReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, position, .. } = self;
        f.debug_struct("SpoolReader").field("length", &file.length).field("position", position).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    fn run(test: impl AsyncFnOnce()) {
        let builder = monoio::RuntimeBuilder::<monoio::LegacyDriver>::new();
        builder.enable_timer().build().unwrap().block_on(test());
    }

    #[test]
    fn what_is_written_is_read_and_given_back() {
        run(async || {
            let spool = Arc::new(Spool::new(std::env::temp_dir(), 300_000));
            let mut file = spool.file().unwrap();
            let bytes: Vec<u8> = (0..200_000_u32).map(|number| number.to_be_bytes()[3]).collect();
            assert!(file.append(bytes.clone()).await.unwrap().is_empty());
            file.append(vec![7; 10]).await.unwrap();
            assert!(matches!(
                file.append(vec![0; 99_991]).await,
                Err(SpoolError::Full { bytes_max: 300_000 })
            ));
            let mut reader = file.read();
            let mut read = Vec::new();
            while let Some(piece) = poll_fn(|cx| reader.poll_next(cx)).await {
                read.extend_from_slice(&piece.unwrap());
            }
            assert_eq!((&read[..200_000], &read[200_000..]), (&bytes[..], &[7; 10][..]));
            assert_eq!(spool.bytes.load(Ordering::Relaxed), 200_010);
            drop(reader);
            assert_eq!(spool.bytes.load(Ordering::Relaxed), 0);
        });
    }

    #[test]
    fn a_directory_that_is_not_there_is_told() {
        let spool = Arc::new(Spool::new("/nowhere/at/all".into(), 1));
        assert!(matches!(spool.file(), Err(SpoolError::Io(_))));
    }
}
