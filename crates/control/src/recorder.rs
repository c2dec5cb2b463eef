//! Where metrics are kept and how they are told.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use metrics::{Unit, counter, describe_counter, describe_gauge, gauge, with_local_recorder};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use portcullis_gateway::IoBackend;
use portcullis_telemetry::BUCKETS_SECONDS;

use crate::{Configuration, ControlError, record_file::RecordKind};

/// The metrics of the process.
///
/// Families that follow from the configuration live in a recorder of their own, which is replaced with it: the certificate
/// that is no longer configured must not be told of for ever.
#[derive(Debug, Clone)]
pub(crate) struct Recorder {
    process: PrometheusHandle,
    configuration: Arc<Mutex<PrometheusHandle>>,
}

impl Recorder {
    /// Makes the recorder of the process. Handles that are registered before this go nowhere.
    ///
    /// # Errors
    /// [`ControlError::Metrics`] if the process has one.
    pub(crate) fn install() -> Result<Self, ControlError> {
        let seconds = Matcher::Suffix("_seconds".to_owned());
        let builder = PrometheusBuilder::new().set_buckets_for_metric(seconds, &BUCKETS_SECONDS);
        let process = builder.and_then(PrometheusBuilder::install_recorder).map_err(ControlError::Metrics)?;
        portcullis_telemetry::describe();
        describe_own();
        gauge!("portcullis_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
        for result in ["success", "failure"] {
            reloads(result).increment(0);
        }
        for kind in [RecordKind::Access, RecordKind::Audit] {
            kind.write_errors().increment(0);
        }
        let configuration = Arc::new(Mutex::new(PrometheusBuilder::new().build_recorder().handle()));
        Ok(Self { process, configuration })
    }

    /// A recorder that the process does not write to.
    #[cfg(test)]
    pub(crate) fn detached() -> Self {
        let handle = || PrometheusBuilder::new().build_recorder().handle();
        Self { process: handle(), configuration: Arc::new(Mutex::new(handle())) }
    }

    /// Takes over the metrics that follow from a configuration.
    pub(crate) fn configured(&self, configuration: &Configuration) {
        let recorder = PrometheusBuilder::new().build_recorder();
        with_local_recorder(&recorder, || record_configuration(configuration));
        *self.configuration.lock().unwrap_or_else(PoisonError::into_inner) = recorder.handle();
        gauge!("portcullis_config_last_reload_success").set(1.0);
        gauge!("portcullis_config_last_reload_success_timestamp_seconds").set(now_unix_s());
    }

    /// Counts a reload.
    pub(crate) fn reloaded(&self, success: bool) {
        reloads(if success { "success" } else { "failure" }).increment(1);
        gauge!("portcullis_config_last_reload_success").set(f64::from(u8::from(success)));
    }

    /// Tells what carries the I/O.
    pub(crate) fn io_backend(&self, io: IoBackend) {
        gauge!("portcullis_io_backend_info", "backend" => io.as_str()).set(1.0);
    }

    /// Tells how many log lines were lost since the start.
    pub(crate) fn log_lines_dropped(&self, lines: usize) {
        counter!("portcullis_log_lines_dropped_total").absolute(u64::try_from(lines).unwrap_or(u64::MAX));
    }

    /// Tells how long ago each shard's loop last came round.
    pub(crate) fn heartbeat_ages(&self, ages: impl Iterator<Item = Duration>) {
        for (shard, age) in ages.enumerate() {
            gauge!("portcullis_shard_heartbeat_age_seconds", "shard" => shard.to_string())
                .set(age.as_secs_f64());
        }
    }

    /// Moves what was observed into the buckets. Without this the observations pile up until somebody asks for them.
    pub(crate) fn run_upkeep(&self) {
        self.process.run_upkeep();
    }

    /// Everything in the Prometheus text format.
    pub(crate) fn render(&self) -> String {
        let configuration = self.configuration.lock().unwrap_or_else(PoisonError::into_inner).render();
        self.process.render() + &configuration
    }
}

fn reloads(result: &'static str) -> metrics::Counter {
    counter!("portcullis_config_reloads_total", "result" => result)
}

fn describe_own() {
    describe_gauge!("portcullis_build_info", "The version that runs; always 1.");
    describe_gauge!("portcullis_io_backend_info", "What carries the I/O, io_uring or epoll; always 1.");
    describe_gauge!(
        "portcullis_config_last_reload_success",
        "Whether the configuration was last read without mistakes; if not, the one before it serves."
    );
    describe_gauge!(
        "portcullis_config_last_reload_success_timestamp_seconds",
        Unit::Seconds,
        "When the configuration that serves was read."
    );
    describe_counter!("portcullis_config_reloads_total", "Reloads, by result.");
    describe_counter!(
        "portcullis_log_lines_dropped_total",
        "Log lines lost, since standard error took none."
    );
    describe_gauge!(
        "portcullis_shard_heartbeat_age_seconds",
        Unit::Seconds,
        "How long ago the shard's loop last came round; beyond 5 the shard is stuck."
    );
    describe_counter!("portcullis_access_write_errors_total", "Writes to the access log that failed.");
    describe_counter!("portcullis_audit_write_errors_total", "Writes to the audit log that failed.");
}

fn record_configuration(configuration: &Configuration) {
    describe_gauge!("portcullis_trust_anchors", "Trust anchors for client certificates, by trust domain.");
    describe_gauge!(
        "portcullis_certificate_not_after_timestamp_seconds",
        Unit::Seconds,
        "The end of validity of each server certificate."
    );
    for (_, domain) in configuration.plan.policy.domains() {
        let anchors = u32::try_from(domain.client_auth.anchors.len()).unwrap_or(u32::MAX);
        gauge!("portcullis_trust_anchors", "domain" => domain.name.clone()).set(anchors);
    }
    for expiry in &configuration.expiries {
        let labels = [("listener", expiry.listener.clone()), ("name", expiry.name.clone())];
        // Exact for every date that X.509 can tell.
        #[allow(clippy::cast_precision_loss)]
        gauge!("portcullis_certificate_not_after_timestamp_seconds", &labels)
            .set(expiry.not_after_unix_s as f64);
    }
}

fn now_unix_s() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}
