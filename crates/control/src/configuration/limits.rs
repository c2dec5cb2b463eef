//! `[listener.limits]`.

use std::time::Duration;

use portcullis_gateway::plan::Limits;

use super::section::Section;

pub(crate) const KEYS: &[&str] = &[
    "handshake_timeout",
    "handshakes_max",
    "handshakes_per_source_max",
    "connections_max",
    "head_timeout",
    "idle_timeout",
    "stall_timeout",
    "head_bytes_max",
    "head_fields_max",
    "streams_max",
];

/// The HTTP parser does not work with a smaller buffer than this.
const HEAD_BYTES_LEAST: u64 = 8 << 10;
/// A shard holds one head for each connection that sends one: a larger bound would bound nothing.
const HEAD_BYTES_MOST: u64 = 1 << 20;
/// More fields than the HTTP parser can index.
const HEAD_FIELDS_MOST: u64 = 1000;
/// No process may have more descriptors than this by default (`fs.nr_open`).
const CONNECTIONS_MOST: u64 = 1 << 20;
/// Streams of one connection; each may hold a body's worth of buffers.
const STREAMS_MOST: u64 = 10_000;
/// A millisecond is the resolution of the shards' timers.
const TIMEOUT_LEAST: Duration = Duration::from_millis(1);
/// Deadlines of work that a peer owes us; longer ones are none.
const DEADLINE_MOST: Duration = Duration::from_secs(10 * 60);
/// An idle connection costs memory only.
const IDLE_MOST: Duration = Duration::from_secs(24 * 60 * 60);

/// Reads the limits of a listener over the defaults.
pub(crate) fn read(listener: &Section<'_>) -> Limits {
    let default = Limits::default();
    let Some(section) = listener.section("limits", KEYS) else { return default };
    let deadline = |key, default| section.duration(key, TIMEOUT_LEAST..=DEADLINE_MOST).or(default);
    let count = |key, least, most, default| section.count(key, least..=most).or_usize(default);
    let head_bytes = section.size("head_bytes_max", HEAD_BYTES_LEAST..=HEAD_BYTES_MOST);
    let streams = count("streams_max", 1, STREAMS_MOST, default.streams_max as usize);
    let source = "handshakes_per_source_max";
    Limits {
        handshake_timeout: deadline("handshake_timeout", default.handshake_timeout),
        handshakes_max: count("handshakes_max", 1, CONNECTIONS_MOST, default.handshakes_max),
        handshakes_per_source_max: count(source, 0, CONNECTIONS_MOST, default.handshakes_per_source_max),
        connections_max: count("connections_max", 1, CONNECTIONS_MOST, default.connections_max),
        head_timeout: deadline("head_timeout", default.head_timeout),
        idle_timeout: section.duration("idle_timeout", TIMEOUT_LEAST..=IDLE_MOST).or(default.idle_timeout),
        stall_timeout: deadline("stall_timeout", default.stall_timeout),
        head_bytes_max: head_bytes.or_usize(default.head_bytes_max),
        head_fields_max: count("head_fields_max", 1, HEAD_FIELDS_MOST, default.head_fields_max),
        streams_max: u32::try_from(streams).unwrap_or(default.streams_max),
    }
}
