//! What the operator says of an upstream.

use std::{net::SocketAddr, time::Duration};

/// An upstream as configured. All counts are per shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamConfig {
    /// The name in metrics and logs.
    pub name: String,
    /// At least one; requests go round them.
    pub servers: Vec<SocketAddr>,
    /// How long one server may take to accept a connection.
    pub connect_timeout: Duration,
    /// How long an upstream may take for the head of its answer after the whole request, and how long it may keep
    /// still while it owes more of the answer or does not take the request.
    pub response_timeout: Duration,
    /// How long a connection may wait in the pool.
    pub idle_timeout: Duration,
    /// Connections, those in use included; a request that would need one more is refused (503).
    pub connections_max: usize,
    /// Whether trailer fields pass, either way. Otherwise those of a client are refused, those of the upstream dropped.
    pub trailers: bool,
}

impl UpstreamConfig {
    /// The documented defaults: deadlines that most backends stay far below, and as many connections as one core can
    /// keep busy at the latency of a slow one.
    pub fn new(name: String, servers: Vec<SocketAddr>) -> Self {
        Self {
            name,
            servers,
            connect_timeout: Duration::from_secs(2),
            response_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(50),
            connections_max: 1024,
            trailers: false,
        }
    }
}
