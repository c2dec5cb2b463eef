//! Access records: one JSON line a request, off the hot path.

use std::{
    io::Write,
    net::SocketAddr,
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::Serialize;

/// Records that may wait for the writer, all shards together. At about 0.5 kB each this is 4 MB; a disk that stalls
/// for longer than this lasts costs records, which are counted, and no request.
const RECORDS_WAITING_MAX: usize = 8192;

/// What is recorded of a request.
#[derive(Debug, Serialize)]
pub struct AccessRecord {
    /// Seconds since the epoch at which the answer was ready.
    pub time_unix_s: f64,
    /// The listener's name.
    pub listener: Arc<str>,
    /// The client's address.
    pub peer: SocketAddr,
    /// SHA-256 of the client certificate, in hex; none without one.
    pub thumbprint_sha256: Option<String>,
    /// The organizationIdentifier of the client certificate.
    pub organization_identifier: Option<String>,
    /// Request method.
    pub method: String,
    /// Request path as judged, without the query.
    pub path: String,
    /// Status of the answer.
    pub status: u16,
    /// The stable code of the refusal, where it was one.
    pub code: Option<&'static str>,
    /// From the end of the request head to the answer, in microseconds.
    pub duration_us: u64,
}

impl AccessRecord {
    /// The present time in the form of [`AccessRecord::time_unix_s`].
    pub fn now_unix_s() -> f64 {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs_f64()
    }
}

/// Where shards put their records. Clones share one queue.
#[derive(Debug, Clone)]
pub struct AccessSink {
    queue: SyncSender<AccessRecord>,
}

/// The other end of an [`AccessSink`], for the one thread that writes.
#[derive(Debug)]
pub struct AccessLog {
    queue: Receiver<AccessRecord>,
}

/// A bounded queue of access records.
pub fn access_log() -> (AccessSink, AccessLog) {
    let (sender, receiver) = sync_channel(RECORDS_WAITING_MAX);
    (AccessSink { queue: sender }, AccessLog { queue: receiver })
}

impl AccessSink {
    /// Hands a record over; never waits. Returns false where the queue was full and the record is lost, which the
    /// caller counts.
    #[must_use]
    pub fn put(&self, record: AccessRecord) -> bool {
        match self.queue.try_send(record) {
            Ok(()) => true,
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => false,
        }
    }
}

impl AccessLog {
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

fn write_line(out: &mut impl Write, record: &AccessRecord) -> std::io::Result<()> {
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
        let (sink, log) = access_log();
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
        let (sink, _log) = access_log();
        let taken = (0..RECORDS_WAITING_MAX + 5).filter(|_| sink.put(record("/"))).count();
        assert_eq!(taken, RECORDS_WAITING_MAX);
    }
}
