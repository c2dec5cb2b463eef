//! The metric handles of a shard.

use std::{cell::RefCell, collections::HashMap, net::SocketAddr, time::Duration};

use metrics::{
    Counter, Gauge, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge,
    histogram,
};

/// Buckets of every histogram, in seconds: from an answer out of memory (below 0.1 ms) to the longest default
/// deadline of a peer (10 s).
pub const BUCKETS_SECONDS: [f64; 14] =
    [0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0];

/// Whether a handshake proved the client's key anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HandshakeKind {
    /// With certificates and signatures.
    Full,
    /// From a ticket.
    Resumed,
}

/// The protocol version of a finished handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsVersion {
    /// RFC 5246
    Tls12,
    /// RFC 8446
    Tls13,
}

impl TlsVersion {
    /// The name in metrics, records and the identity echo.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tls12 => "1.2",
            Self::Tls13 => "1.3",
        }
    }
}

/// Why a connection was closed before its handshake began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShedReason {
    /// Too many handshakes in flight on the shard.
    Handshakes,
    /// Too many handshakes in flight from one source.
    Source,
    /// Too many connections on the shard.
    Connections,
}

/// Tells the exporter what every family means. Once a process.
pub fn describe() {
    describe_gauge!("portcullis_connections", "Open connections.");
    describe_counter!(
        "portcullis_connections_closed_total",
        "Connections that ended after their handshake, by reason."
    );
    describe_counter!(
        "portcullis_accept_errors_total",
        "Accepts that failed, such as for want of file descriptors."
    );
    describe_counter!(
        "portcullis_tls_handshakes_total",
        "TLS handshakes that ended, by version, kind and result."
    );
    describe_counter!("portcullis_tls_handshake_failures_total", "TLS handshakes that failed, by reason.");
    describe_histogram!(
        "portcullis_tls_handshake_duration_seconds",
        Unit::Seconds,
        "From accept to the end of the handshake."
    );
    describe_gauge!("portcullis_tls_handshakes_in_flight", "Connections whose handshake has not ended.");
    describe_counter!(
        "portcullis_tls_handshakes_shed_total",
        "Connections closed before any cryptography because a bound was reached."
    );
    describe_counter!(
        "portcullis_client_cert_verifications_total",
        "Verdicts on client certificates whose key was proved, by result."
    );
    describe_counter!(
        "portcullis_tickets_total",
        "Session tickets that were issued, opened, or not taken, by result."
    );
    describe_counter!(
        "portcullis_verification_cache_lookups_total",
        "Verdicts that were remembered and still held, and those that had to be made, by result: hit or miss."
    );
    describe_gauge!(
        "portcullis_verification_cache_entries",
        "Verdicts that are remembered, by what they say: admitted or refused."
    );
    describe_counter!(
        "portcullis_client_cert_observed_refusals_total",
        "Clients that were admitted and would be refused by trusted lists or a register that are only observed, by code."
    );
    describe_counter!(
        "portcullis_revocation_unknown_total",
        "Verdicts where nothing was known of revocation, by what follows: deny, allow or wait."
    );
    describe_counter!(
        "portcullis_register_unknown_total",
        "Verdicts where no register was known, or none of late, by what follows: deny or allow."
    );
    describe_counter!(
        "portcullis_authz_decisions_total",
        "Route decisions, by route, needed role and outcome."
    );
    describe_counter!(
        "portcullis_seals_total",
        "Sealed requests, and requests that should be, by what became of the seal: verified, or the code of the refusal."
    );
    describe_counter!("portcullis_requests_total", "Requests answered, by class of status.");
    describe_counter!("portcullis_requests_refused_total", "Requests refused by the gate itself, by code.");
    describe_histogram!(
        "portcullis_request_duration_seconds",
        Unit::Seconds,
        "From the end of the request head to the head of the answer."
    );
    describe_gauge!("portcullis_upstream_connections", "Connections to upstreams, in use or waiting.");
    describe_counter!(
        "portcullis_upstream_connections_opened_total",
        "Connections that an upstream accepted."
    );
    describe_counter!(
        "portcullis_upstream_connect_failures_total",
        "Connections that a server of an upstream did not accept, by server."
    );
    describe_counter!("portcullis_upstream_requests_total", "Requests sent on, by result.");
    describe_counter!(
        "portcullis_upstream_retries_total",
        "Requests sent a second time because a kept connection ended before an answer."
    );
    describe_histogram!(
        "portcullis_upstream_response_seconds",
        Unit::Seconds,
        "From the wish for a connection to the head of the answer."
    );
    describe_counter!("portcullis_access_records_dropped_total", "Access records lost to a full queue.");
    describe_counter!(
        "portcullis_certificate_sightings_dropped_total",
        "Certificates whose status should be asked, lost to a full queue."
    );
    describe_counter!(
        "portcullis_key_sightings_dropped_total",
        "Certificates whose holders should have a key, lost to a full queue."
    );
    describe_counter!("portcullis_audit_records_dropped_total", "Audit records lost to a full queue.");
    describe_counter!(
        "portcullis_client_cert_critical_extensions_total",
        "Client certificates refused for an extension that is critical and not processed, by extension."
    );
    describe_gauge!(
        "portcullis_loop_lag_seconds",
        Unit::Seconds,
        "How late the shard's timer last fired: what a peer waits for a busy shard."
    );
}

/// What a shard counts that belongs to no listener.
#[derive(Debug)]
pub struct ShardMetrics {
    /// Access records lost to a full queue.
    pub access_records_dropped: Counter,
    /// Audit records lost to a full queue.
    pub audit_records_dropped: Counter,
    /// Sightings of certificates lost to a full queue.
    pub sightings_dropped: Counter,
    /// Sightings of holders who should have a key, lost to a full queue.
    pub key_sightings_dropped: Counter,
    /// Verdicts that were remembered, and still held.
    pub verifications_remembered: Counter,
    /// Verdicts that were made anew.
    pub verifications_made: Counter,
    verifications_kept: [Gauge; 2],
    loop_lag_seconds: Gauge,
}

impl ShardMetrics {
    /// Registers the handles of a shard.
    pub fn register(shard: usize) -> Self {
        let shard = shard.to_string();
        let looked_up = |result: &'static str| counter!("portcullis_verification_cache_lookups_total", "result" => result, "shard" => shard.clone());
        let kept = |outcome: &'static str| gauge!("portcullis_verification_cache_entries", "outcome" => outcome, "shard" => shard.clone());
        Self {
            verifications_remembered: looked_up("hit"),
            verifications_made: looked_up("miss"),
            verifications_kept: [kept("admitted"), kept("refused")],
            access_records_dropped: counter!("portcullis_access_records_dropped_total", "shard" => shard.clone()),
            audit_records_dropped: counter!("portcullis_audit_records_dropped_total", "shard" => shard.clone()),
            sightings_dropped: counter!("portcullis_certificate_sightings_dropped_total", "shard" => shard.clone()),
            key_sightings_dropped: counter!("portcullis_key_sightings_dropped_total", "shard" => shard.clone()),
            loop_lag_seconds: gauge!("portcullis_loop_lag_seconds", "shard" => shard),
        }
    }

    /// Sets how many verdicts are remembered that admit, and that refuse.
    pub fn set_verifications_kept(&self, admitted: usize, refused: usize) {
        for (gauge, kept) in self.verifications_kept.iter().zip([admitted, refused]) {
            gauge.set(kept as f64);
        }
    }

    /// Sets how late the shard's timer fired.
    pub fn set_loop_lag(&self, lag: Duration) {
        self.loop_lag_seconds.set(lag.as_secs_f64());
    }
}

/// What a shard counts for one listener. Owned by one shard.
#[derive(Debug)]
pub struct ListenerMetrics {
    /// Connections open.
    pub connections: Gauge,
    /// Handshakes in flight.
    pub handshakes_in_flight: Gauge,
    /// Accepts that failed.
    pub accept_errors: Counter,
    /// Requests and their durations.
    pub requests: RequestMetrics,
    finished: [[Counter; 2]; 2],
    finished_seconds: [Histogram; 2],
    shed: [Counter; 3],
    tickets: ByCode,
    failures: ByCode,
    verifications: ByCode,
    observed_refusals: ByCode,
    revocation_unknown: ByCode,
    register_unknown: ByCode,
    closed: ByCode,
    critical_extensions: ByCode,
    seals: ByCode,
}

impl ListenerMetrics {
    /// Registers the handles of a listener on a shard.
    pub fn register(listener: &str, shard: usize) -> Self {
        let labels = [("listener", listener.to_owned()), ("shard", shard.to_string())];
        let finished = |version: &'static str, kind: &'static str| {
            let more =
                [("version", version.to_owned()), ("kind", kind.to_owned()), ("result", "ok".to_owned())];
            counter!("portcullis_tls_handshakes_total", &with(&labels, &more))
        };
        let seconds = |kind: &'static str| {
            let labels = with(&labels, &[("kind", kind.to_owned())]);
            histogram!("portcullis_tls_handshake_duration_seconds", &labels)
        };
        let shed = |reason: &'static str| {
            let labels = with(&labels, &[("reason", reason.to_owned())]);
            counter!("portcullis_tls_handshakes_shed_total", &labels)
        };
        Self {
            connections: gauge!("portcullis_connections", &labels),
            handshakes_in_flight: gauge!("portcullis_tls_handshakes_in_flight", &labels),
            accept_errors: counter!("portcullis_accept_errors_total", &labels),
            requests: RequestMetrics::register(&labels),
            finished: [
                [finished("1.2", "full"), finished("1.2", "resumed")],
                [finished("1.3", "full"), finished("1.3", "resumed")],
            ],
            finished_seconds: [seconds("full"), seconds("resumed")],
            shed: [shed("handshakes"), shed("source"), shed("connections")],
            tickets: ByCode::new("portcullis_tickets_total", "result", &labels),
            failures: ByCode::new("portcullis_tls_handshake_failures_total", "reason", &labels),
            verifications: ByCode::new("portcullis_client_cert_verifications_total", "result", &labels),
            observed_refusals: ByCode::new("portcullis_client_cert_observed_refusals_total", "code", &labels),
            revocation_unknown: ByCode::new("portcullis_revocation_unknown_total", "policy", &labels),
            register_unknown: ByCode::new("portcullis_register_unknown_total", "policy", &labels),
            closed: ByCode::new("portcullis_connections_closed_total", "reason", &labels),
            seals: ByCode::new("portcullis_seals_total", "result", &labels),
            critical_extensions: ByCode::new(
                "portcullis_client_cert_critical_extensions_total",
                "extension",
                &labels,
            ),
        }
    }

    /// A handshake finished; `took` counts from accept.
    pub fn handshake_finished(&self, version: TlsVersion, kind: HandshakeKind, took: Duration) {
        self.finished[version as usize][kind as usize].increment(1);
        self.finished_seconds[kind as usize].record(took);
    }

    /// A handshake failed; `reason` is a constant of the program.
    pub fn handshake_failed(&self, reason: &'static str) {
        self.failures.increment(reason);
    }

    /// What became of a session ticket; `result` is a constant of the program.
    pub fn ticket(&self, result: &'static str) {
        self.tickets.increment(result);
    }

    /// A connection was closed before its handshake.
    pub fn shed(&self, reason: ShedReason) {
        self.shed[reason as usize].increment(1);
    }

    /// A connection ended after its handshake; `reason` is a constant of the program.
    pub fn closed(&self, reason: &'static str) {
        self.closed.increment(reason);
    }

    /// A chain was refused for a critical extension, dotted, that is not processed.
    pub fn critical_extension(&self, oid: &str) {
        self.critical_extensions.increment(match oid {
            "2.5.29.32" => "certificatePolicies",
            "2.5.29.33" => "policyMappings",
            "2.5.29.36" => "policyConstraints",
            "2.5.29.54" => "inhibitAnyPolicy",
            "1.3.6.1.5.5.7.1.3" => "qcStatements",
            // A client chooses it: a name for each would let it make families without end.
            _ => "other",
        });
    }

    /// What became of the seal of a request: `verified`, or the code of the refusal.
    pub fn seal(&self, result: &'static str) {
        self.seals.increment(result);
    }

    /// A verdict on a certificate whose key was proved: `admitted`, or the code of the denial.
    pub fn verified(&self, result: &'static str) {
        self.verifications.increment(result);
    }

    /// A verdict that rests on nothing being known of a certificate's revocation, by what the operator has decided for that.
    pub fn revocation_unknown(&self, policy: &'static str) {
        self.revocation_unknown.increment(policy);
    }

    /// A verdict that rests on no register being known, by what the operator has decided for that.
    pub fn register_unknown(&self, policy: &'static str) {
        self.register_unknown.increment(policy);
    }

    /// A client that was admitted would be refused by rules that are only observed, for the cause `code`.
    pub fn would_refuse(&self, code: &'static str) {
        self.observed_refusals.increment(code);
    }
}

/// What a shard counts of the requests on one listener.
#[derive(Debug)]
pub struct RequestMetrics {
    /// By hundreds of the status, 1xx to 5xx.
    by_class: [Counter; 5],
    seconds: Histogram,
    refused: ByCode,
}

impl RequestMetrics {
    fn register(labels: &[(&'static str, String)]) -> Self {
        let class = |class: &'static str| {
            counter!("portcullis_requests_total", &with(labels, &[("code_class", class.to_owned())]))
        };
        Self {
            by_class: [class("1xx"), class("2xx"), class("3xx"), class("4xx"), class("5xx")],
            seconds: histogram!("portcullis_request_duration_seconds", labels),
            refused: ByCode::new("portcullis_requests_refused_total", "code", labels),
        }
    }

    /// A request was answered with `status` (100 to 599).
    pub fn answered(&self, status: u16, took: Duration) {
        let class = usize::from(status / 100).clamp(1, self.by_class.len()) - 1;
        self.by_class[class].increment(1);
        self.seconds.record(took);
    }

    /// The gate itself refused a request; `code` is a constant of the program.
    pub fn refused(&self, code: &'static str) {
        self.refused.increment(code);
    }
}

/// What a shard counts for one route.
#[derive(Debug)]
pub struct RouteMetrics {
    /// Peers that may enter.
    pub granted: Counter,
    /// Peers that may not.
    pub denied: Counter,
}

impl RouteMetrics {
    /// Registers the handles of a route. `role` names what the route needs.
    pub fn register(route: &str, role: &str, shard: usize) -> Self {
        let decision = |decision: &'static str| {
            counter!(
                "portcullis_authz_decisions_total",
                "route" => route.to_owned(), "role" => role.to_owned(), "decision" => decision,
                "shard" => shard.to_string(),
            )
        };
        Self { granted: decision("granted"), denied: decision("denied") }
    }
}

/// What a shard counts for one upstream.
#[derive(Debug)]
pub struct UpstreamMetrics {
    /// Connections, in use or waiting.
    pub connections: Gauge,
    /// Connections that a server accepted.
    pub connections_opened: Counter,
    /// Requests sent a second time, over a new connection.
    pub retries: Counter,
    answered: Counter,
    seconds: Histogram,
    failed: ByCode,
    labels: Vec<(&'static str, String)>,
}

impl UpstreamMetrics {
    /// Registers the handles of an upstream on a shard.
    pub fn register(upstream: &str, shard: usize) -> Self {
        let labels = vec![("upstream", upstream.to_owned()), ("shard", shard.to_string())];
        let answered = [("result", "answered".to_owned())];
        Self {
            connections: gauge!("portcullis_upstream_connections", &labels),
            connections_opened: counter!("portcullis_upstream_connections_opened_total", &labels),
            retries: counter!("portcullis_upstream_retries_total", &labels),
            answered: counter!("portcullis_upstream_requests_total", &with(&labels, &answered)),
            seconds: histogram!("portcullis_upstream_response_seconds", &labels),
            failed: ByCode::new("portcullis_upstream_requests_total", "result", &labels),
            labels,
        }
    }

    /// The head of an answer came; `took` counts from the gate's wish for a connection.
    pub fn answered(&self, took: Duration) {
        self.answered.increment(1);
        self.seconds.record(took);
    }

    /// A request got no answer, or a part of one; `code` is a constant of the program.
    pub fn failed(&self, code: &'static str) {
        self.failed.increment(code);
    }

    /// A server, which is one of the configuration, did not accept a connection.
    pub fn connect_failed(&self, server: &SocketAddr) {
        let labels = with(&self.labels, &[("server", server.to_string())]);
        counter!("portcullis_upstream_connect_failures_total", &labels).increment(1);
    }
}

/// A counter family whose one open label takes codes that are constants of the program, so it cannot grow beyond
/// them. A code is registered when it is first seen.
#[derive(Debug)]
struct ByCode {
    family: &'static str,
    label: &'static str,
    labels: Vec<(&'static str, String)>,
    counters: RefCell<HashMap<&'static str, Counter>>,
}

impl ByCode {
    fn new(family: &'static str, label: &'static str, labels: &[(&'static str, String)]) -> Self {
        Self { family, label, labels: labels.to_vec(), counters: RefCell::default() }
    }

    fn increment(&self, code: &'static str) {
        let mut counters = self.counters.borrow_mut();
        let register = || counter!(self.family, &with(&self.labels, &[(self.label, code.to_owned())]));
        counters.entry(code).or_insert_with(register).increment(1);
    }
}

fn with(labels: &[(&'static str, String)], more: &[(&'static str, String)]) -> Vec<(&'static str, String)> {
    labels.iter().chain(more).cloned().collect()
}
