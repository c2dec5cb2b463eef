//! Metric handles, access records and the log of refusals.
//!
//! Names and labels of metrics are public interface. Handles are registered once per shard, with the label `shard`,
//! so that no two shards write the same atomic; look-ups by name stay off the hot path.

#![forbid(unsafe_code)]

mod access;
mod metrics;
mod refusal;

pub use access::{AccessLog, AccessRecord, AccessSink, access_log};
pub use metrics::{
    BUCKETS_SECONDS, HandshakeKind, ListenerMetrics, RequestMetrics, RouteMetrics, ShardMetrics, ShedReason,
    TlsVersion, UpstreamMetrics, describe,
};
pub use refusal::{RefusalLog, Refused};
