//! Records on their way to a file, as JSON lines, off the hot path.

use std::{
    io::Write,
    sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::Serialize;

use crate::{AccessRecord, AuditRecord};

/// Records that may wait for a writer, all shards together. At about 0.5 kB each this is 4 MB; a disk that stalls
/// for longer than this lasts costs records, which are counted, and no request.
const RECORDS_WAITING_MAX: usize = 8192;

/// The present time in the form of a record's `time_unix_s`.
pub fn now_unix_s() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs_f64()
}

/// Where a shard puts its records of each kind.
#[derive(Debug, Clone)]
pub struct RecordSinks {
    /// One a request.
    pub access: RecordSink<AccessRecord>,
    /// One a verdict on a client certificate.
    pub audit: RecordSink<AuditRecord>,
}

/// Where shards put their records. Clones share one queue.
#[derive(Debug)]
pub struct RecordSink<T> {
    queue: SyncSender<T>,
}

impl<T> Clone for RecordSink<T> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone() }
    }
}

/// The other end of an [`RecordSink`], for the one thread that writes.
#[derive(Debug)]
pub struct RecordLog<T> {
    queue: Receiver<T>,
}

/// A bounded queue of records.
pub fn record_log<T>() -> (RecordSink<T>, RecordLog<T>) {
    let (sender, receiver) = sync_channel(RECORDS_WAITING_MAX);
    (RecordSink { queue: sender }, RecordLog { queue: receiver })
}

impl<T> RecordSink<T> {
    /// Hands a record over; never waits. Returns false where the queue was full and the record is lost, which the
    /// caller counts.
    #[must_use]
    pub fn put(&self, record: T) -> bool {
        match self.queue.try_send(record) {
            Ok(()) => true,
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => false,
        }
    }
}

impl<T: Serialize> RecordLog<T> {
    /// Writes records as JSON lines to `out` until every sink is gone. Blocking; flushes whenever it has caught up.
    ///
    /// # Errors
    /// The first write that fails, after which records are lost and counted by the sinks.
    pub fn write_to(self, out: &mut impl Write) -> std::io::Result<()> {
        while let Ok(record) = self.queue.recv() {
            write_line(out, &record)?;
            while let Ok(record) = self.queue.try_recv() {
                write_line(out, &record)?;
            }
            out.flush()?;
        }
        Ok(())
    }
}

fn write_line(out: &mut impl Write, record: &impl Serialize) -> std::io::Result<()> {
    serde_json::to_writer(&mut *out, record)?;
    out.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(path: &str) -> AccessRecord {
        AccessRecord {
            time_unix_s: 1.5,
            listener: "tpp".into(),
            peer: "127.0.0.1:1".parse().unwrap(),
            thumbprint_sha256: None,
            organization_identifier: Some("PSDDE-BAFIN-1".into()),
            method: "GET".into(),
            path: path.into(),
            status: 200,
            code: None,
            duration_us: 7,
        }
    }

    #[test]
    fn writes_a_line_a_record_and_escapes_what_clients_send() {
        let (sink, log) = record_log();
        assert!(sink.put(record("/a\"\n")));
        assert!(sink.put(record("/b")));
        drop(sink);
        let mut out = Vec::new();
        log.write_to(&mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0]["path"], "/a\"\n");
        assert_eq!(lines[1]["organization_identifier"], "PSDDE-BAFIN-1");
    }

    #[test]
    fn a_full_queue_refuses_and_does_not_wait() {
        let (sink, _log) = record_log();
        let taken = (0..RECORDS_WAITING_MAX + 5).filter(|_| sink.put(record("/"))).count();
        assert_eq!(taken, RECORDS_WAITING_MAX);
    }
}
