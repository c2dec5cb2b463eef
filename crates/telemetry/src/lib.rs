//! Metric handles, access and audit records, and the log of refusals.
//!
//! Names and labels of metrics are public interface. Handles are registered once per shard, with the label `shard`,
//! so that no two shards write the same atomic; look-ups by name stay off the hot path.

#![forbid(unsafe_code)]

mod access;
mod audit;
mod metrics;
mod record_log;
mod refusal;

pub use access::AccessRecord;
pub use audit::{AuditRecord, KeyEvent, VerdictRecord};
pub use metrics::{
    BUCKETS_SECONDS, HandshakeKind, ListenerMetrics, RequestMetrics, RouteMetrics, ShardMetrics, ShedReason,
    TlsVersion, UpstreamMetrics, describe,
};
pub use record_log::{RecordLog, RecordSink, RecordSinks, now_unix_s, record_log};
pub use refusal::{RefusalLog, Refused};
