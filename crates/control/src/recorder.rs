//! Where metrics are kept and how they are told.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use metrics::{Unit, counter, describe_counter, describe_gauge, gauge, with_local_recorder};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use portcullis_gateway::{IoBackend, plan::Plan};
use portcullis_telemetry::{BUCKETS_SECONDS, now_unix_s};
use portcullis_trust::{ListFacts, TrustStore, Usage};
use tokio::time::Instant;

use crate::{Configuration, ControlError, RevocationFacts, clock, keys::ToldApart, record_file::RecordKind};

/// The metrics of the process.
///
/// Families that follow from the configuration live in a recorder of their own, which is replaced with it: the certificate
/// that is no longer configured must not be told of for ever.
#[derive(Debug, Clone)]
pub(crate) struct Recorder {
    process: PrometheusHandle,
    configuration: Arc<Mutex<PrometheusRecorder>>,
    /// Likewise for what follows from trusted lists.
    lists: Arc<Mutex<PrometheusRecorder>>,
    /// Likewise for what is known of revocation: a CRL that is followed no more has no end.
    revocation: Arc<Mutex<PrometheusRecorder>>,
    /// The keys that have series of their own, if there are any.
    keys: Arc<Mutex<Option<ToldApart>>>,
    /// When the current ticket key began to serve.
    ticket_key_since: Arc<Mutex<Option<Instant>>>,
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
            kind.rotate_errors().increment(0);
        }
        for result in ["success", "failure"] {
            refreshes(result).increment(0);
        }
        ticket_key_rotations().increment(0);
        Ok(Self::of(process))
    }

    /// A recorder that the process does not write to.
    #[cfg(test)]
    pub(crate) fn detached() -> Self {
        let process = PrometheusBuilder::new().build_recorder().handle();
        Self::of(process)
    }

    fn of(process: PrometheusHandle) -> Self {
        let (configuration, lists, revocation) = (empty(), empty(), empty());
        Self {
            process,
            configuration,
            lists,
            revocation,
            keys: Arc::default(),
            ticket_key_since: Arc::default(),
        }
    }

    /// Takes over the metrics that follow from a configuration.
    pub(crate) fn configured(&self, configuration: &Configuration) {
        let recorder = PrometheusBuilder::new().build_recorder();
        with_local_recorder(&recorder, || record_configuration(configuration));
        *locked(&self.configuration) = recorder;
        gauge!("portcullis_config_last_reload_success").set(1.0);
        gauge!("portcullis_config_last_reload_success_timestamp_seconds").set(now_unix_s());
    }

    /// Counts a reload.
    pub(crate) fn reloaded(&self, success: bool) {
        reloads(if success { "success" } else { "failure" }).increment(1);
        gauge!("portcullis_config_last_reload_success").set(f64::from(u8::from(success)));
    }

    /// Tells how many anchors there are, by trust domain. Lists change it without a new configuration.
    pub(crate) fn anchors(&self, plan: &Plan) {
        with_local_recorder(&*locked(&self.configuration), || record_anchors(plan));
    }

    /// Counts what became of fetching a trusted list: `success`, or the code of the failure.
    pub(crate) fn list_fetched(&self, territory: &str, result: &'static str) {
        counter!("portcullis_trust_fetches_total", "territory" => territory.to_owned(), "result" => result)
            .increment(1);
    }

    /// Tells what came of reading trusted lists: what serves now, or nothing new.
    pub(crate) fn lists_refreshed(&self, store: Option<&TrustStore>) {
        refreshes(if store.is_some() { "success" } else { "failure" }).increment(1);
        let Some(store) = store else { return };
        let recorder = PrometheusBuilder::new().build_recorder();
        with_local_recorder(&recorder, || record_lists(store));
        *locked(&self.lists) = recorder;
    }

    /// Tells what is known of revocation.
    pub(crate) fn revocation(&self, facts: &RevocationFacts) {
        let recorder = PrometheusBuilder::new().build_recorder();
        with_local_recorder(&recorder, || record_revocation(facts));
        *locked(&self.revocation) = recorder;
    }

    /// Tells of these keys from now on.
    pub(crate) fn keys(&self, keys: ToldApart) {
        *locked(&self.keys) = Some(keys);
    }

    /// Tells when the current ticket key began to serve.
    pub(crate) fn ticket_key_since(&self, since: Instant) {
        *locked(&self.ticket_key_since) = Some(since);
    }

    /// Counts a rotation of the ticket keys; the current one serves since then.
    pub(crate) fn ticket_keys_rotated(&self, since: Instant) {
        ticket_key_rotations().increment(1);
        self.ticket_key_since(since);
    }

    /// Tells what carries the I/O.
    pub(crate) fn io_backend(&self, io: IoBackend) {
        gauge!("portcullis_io_backend_info", "backend" => io.as_str()).set(1.0);
    }

    /// Tells how many log lines were lost since the start.
    pub(crate) fn log_lines_dropped(&self, lines: usize) {
        counter!("portcullis_log_lines_dropped_total").absolute(u64::try_from(lines).unwrap_or(u64::MAX));
    }

    /// Tells how many client certificates have a connection.
    pub(crate) fn certificates_connected(&self, certificates: usize) {
        gauge!("portcullis_client_certificates_connected").set(certificates as f64);
    }

    /// Tells how many sealed requests are remembered, and how many bytes of bodies wait on disk.
    pub(crate) fn sealed_requests_held(&self, (remembered, spooled): (usize, u64)) {
        gauge!("portcullis_sealed_requests_remembered").set(remembered as f64);
        gauge!("portcullis_spool_bytes").set(spooled as f64);
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
        if let Some(since) = *locked(&self.ticket_key_since) {
            gauge!("portcullis_ticket_key_age_seconds").set(since.elapsed().as_secs_f64());
        }
        let keys = PrometheusBuilder::new().build_recorder();
        if let Some(told_apart) = &*locked(&self.keys) {
            with_local_recorder(&keys, || told_apart.record());
        }
        let of = |recorder: &Mutex<PrometheusRecorder>| locked(recorder).handle().render();
        self.process.render()
            + &of(&self.configuration)
            + &of(&self.lists)
            + &of(&self.revocation)
            + &keys.handle().render()
    }
}

fn reloads(result: &'static str) -> metrics::Counter {
    counter!("portcullis_config_reloads_total", "result" => result)
}

fn ticket_key_rotations() -> metrics::Counter {
    counter!("portcullis_ticket_key_rotations_total")
}

fn refreshes(result: &'static str) -> metrics::Counter {
    counter!("portcullis_trust_refreshes_total", "result" => result)
}

fn record_lists(store: &TrustStore) {
    describe_lists();
    gauge!("portcullis_trust_last_refresh_success_timestamp_seconds").set(now_unix_s());
    record_list("EU", Some(&store.lotl), true);
    // Territories are those of the list of lists, which is signed: nobody else makes a family of these.
    for (territory, state) in &store.lists {
        record_list(territory, state.serving.as_ref(), state.problem.is_none());
        for (usage, name) in [(Usage::Web, "web"), (Usage::Seal, "seal")] {
            let granted = state.granted(usage, clock::now_unix_s());
            let granted = u32::try_from(granted).unwrap_or(u32::MAX);
            gauge!("portcullis_trust_list_anchors", "territory" => territory.clone(), "usage" => name)
                .set(granted);
        }
    }
}

#[allow(
    clippy::cast_precision_loss,
    reason = "exact up to 2^53, which no clock reaches and no list's number"
)]
fn record_list(territory: &str, serving: Option<&ListFacts>, is_up_to_date: bool) {
    let family = |name: &'static str| gauge!(name, "territory" => territory.to_owned());
    family("portcullis_trust_list_up_to_date").set(f64::from(u8::from(is_up_to_date)));
    let Some(facts) = serving else { return };
    family("portcullis_trust_list_sequence").set(facts.sequence as f64);
    family("portcullis_trust_list_issued_timestamp_seconds").set(facts.issued as f64);
    if let Some(next_update) = facts.next_update {
        family("portcullis_trust_list_next_update_timestamp_seconds").set(next_update as f64);
    }
}

#[allow(clippy::cast_precision_loss, reason = "exact up to 2^53, which no clock and no memory reaches")]
fn record_revocation(facts: &RevocationFacts) {
    describe_revocation();
    gauge!("portcullis_revocation_certificates").set(facts.certificates as f64);
    gauge!("portcullis_ocsp_answers").set(facts.answers as f64);
    if let Some(earliest) = facts.next_update {
        gauge!("portcullis_ocsp_next_update_timestamp_seconds").set(earliest as f64);
    }
    gauge!("portcullis_crl_memory_bytes").set(facts.crl_memory_bytes as f64);
    for crl in &facts.crls {
        let labels = [("issuer", crl.issuer.clone()), ("url", crl.url.clone())];
        gauge!("portcullis_crl_next_update_timestamp_seconds", &labels).set(crl.next_update as f64);
    }
}

fn record_anchors(plan: &Plan) {
    for (_, domain) in plan.policy.domains().chain(plan.seal_policy.domains()) {
        let anchors = u32::try_from(domain.client_auth.anchors.len()).unwrap_or(u32::MAX);
        gauge!("portcullis_trust_anchors", "domain" => domain.name.clone()).set(anchors);
    }
}

fn empty() -> Arc<Mutex<PrometheusRecorder>> {
    Arc::new(Mutex::new(PrometheusBuilder::new().build_recorder()))
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn describe_own() {
    describe_counter!(
        "portcullis_revocation_checks_total",
        "Answers about revocation, by source and result."
    );
    describe_counter!("portcullis_revocation_evictions_total", "Certificates that made room for others.");
    describe_counter!("portcullis_revocation_write_errors_total", "Answers that could not be kept on disk.");
    describe_counter!(
        "portcullis_register_refreshes_total",
        "Refreshes of the authorities' register, by result."
    );
    describe_gauge!("portcullis_register_providers", "Providers in the register that serves.");
    describe_gauge!("portcullis_register_passed_over", "Its entries that could not be understood.");
    describe_gauge!(
        "portcullis_register_as_of_timestamp_seconds",
        Unit::Seconds,
        "When the register was last known to be the newest."
    );
    describe_gauge!(
        "portcullis_register_usable_until_timestamp_seconds",
        Unit::Seconds,
        "Until when the register serves."
    );
    describe_counter!("portcullis_trust_fetches_total", "Fetches of trusted lists, by territory and result.");
    describe_counter!("portcullis_trust_refreshes_total", "Readings of the trusted lists, by result.");
    describe_gauge!(
        "portcullis_ticket_key_age_seconds",
        Unit::Seconds,
        "How long ago the key that session tickets are made with began to serve here."
    );
    describe_counter!(
        "portcullis_ticket_key_rotations_total",
        "How often another key began to serve for session tickets."
    );
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
        "portcullis_client_certificates_connected",
        "Client certificates that have a connection."
    );
    describe_gauge!(
        "portcullis_sealed_requests_remembered",
        "Sealed requests that are remembered so that none comes twice."
    );
    describe_gauge!("portcullis_spool_bytes", Unit::Bytes, "Bytes of sealed bodies that wait on disk.");
    describe_gauge!(
        "portcullis_shard_heartbeat_age_seconds",
        Unit::Seconds,
        "How long ago the shard's loop last came round; beyond 5 the shard is stuck."
    );
    describe_counter!(
        "portcullis_admin_handshake_failures_total",
        "TLS handshakes with the admin listener that failed, by reason."
    );
    describe_counter!("portcullis_access_write_errors_total", "Writes to the access log that failed.");
    describe_counter!("portcullis_audit_write_errors_total", "Writes to the audit log that failed.");
    describe_counter!("portcullis_access_rotate_errors_total", "Rotations of the access log that failed.");
    describe_counter!("portcullis_audit_rotate_errors_total", "Rotations of the audit log that failed.");
}

fn describe_revocation() {
    describe_gauge!("portcullis_revocation_certificates", "Certificates whose status is followed.");
    describe_gauge!("portcullis_ocsp_answers", "Answers of OCSP responders that serve.");
    describe_gauge!(
        "portcullis_ocsp_next_update_timestamp_seconds",
        Unit::Seconds,
        "The end of the answer that ends first; absent without one."
    );
    describe_gauge!(
        "portcullis_crl_next_update_timestamp_seconds",
        Unit::Seconds,
        "The end of each CRL that is followed."
    );
    describe_gauge!("portcullis_crl_memory_bytes", Unit::Bytes, "Memory that the CRLs take together.");
}

fn describe_lists() {
    describe_gauge!(
        "portcullis_trust_last_refresh_success_timestamp_seconds",
        Unit::Seconds,
        "When trusted lists were last read with success."
    );
    describe_gauge!(
        "portcullis_trust_list_up_to_date",
        "Whether the list that was offered last serves; if not, an earlier one does, or none."
    );
    describe_gauge!("portcullis_trust_list_sequence", "The sequence number of the list that serves.");
    describe_gauge!(
        "portcullis_trust_list_issued_timestamp_seconds",
        Unit::Seconds,
        "When the list that serves was issued."
    );
    describe_gauge!(
        "portcullis_trust_list_next_update_timestamp_seconds",
        Unit::Seconds,
        "When the list that serves is to be followed by the next; absent for a list that is closed."
    );
    describe_gauge!(
        "portcullis_trust_list_anchors",
        "CA certificates of services that are granted, by territory and usage."
    );
}

fn record_configuration(configuration: &Configuration) {
    describe_gauge!("portcullis_trust_anchors", "Trust anchors for client certificates, by trust domain.");
    describe_gauge!(
        "portcullis_certificate_not_after_timestamp_seconds",
        Unit::Seconds,
        "The end of validity of each server certificate."
    );
    record_anchors(&configuration.plan);
    for expiry in &configuration.expiries {
        let labels = [("listener", expiry.listener.clone()), ("name", expiry.name.clone())];
        // Exact for every date that X.509 can tell.
        #[allow(clippy::cast_precision_loss)]
        gauge!("portcullis_certificate_not_after_timestamp_seconds", &labels)
            .set(expiry.not_after_unix_s as f64);
    }
}
