//! What a run leaves in files: the result in JSON, and its latencies as a log of `HdrHistogram`.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};
use serde::Serialize;

use super::seconds::Seconds;

/// Latencies are recorded in nanoseconds, and the log tells its greatest values in milliseconds.
const NS_PER_MS: f64 = 1e6;

/// Writes a result in JSON.
pub(crate) fn write_json(file: &Path, result: &impl Serialize) -> Result<()> {
    let cannot = || format!("{}: cannot be written", file.display());
    let out = BufWriter::new(File::create(file).with_context(cannot)?);
    serde_json::to_writer(out, result).with_context(cannot)
}

/// Writes a log with an interval for each second, in the form that `HdrHistogram`'s tools read.
pub(super) fn write_hlog(file: &Path, started: SystemTime, seconds: &Seconds) -> Result<()> {
    let cannot = || format!("{}: cannot be written", file.display());
    let mut out = BufWriter::new(File::create(file).with_context(cannot)?);
    let mut serializer = V2DeflateSerializer::new();
    let mut log = IntervalLogWriterBuilder::new()
        .add_comment("latencies in nanoseconds")
        .with_start_time(started)
        .with_base_time(started)
        .with_max_value_divisor(NS_PER_MS)
        .begin_log_with(&mut out, &mut serializer)
        .with_context(cannot)?;
    for (nth, latency) in seconds.latencies().enumerate() {
        let at = Duration::from_secs(nth as u64);
        let tag: Option<Tag<'_>> = None;
        log.write_histogram(latency.histogram(), at, Duration::from_secs(1), tag)
            .map_err(|error| anyhow::anyhow!("{}: {error:?}", file.display()))?;
    }
    Ok(())
}
