//! A result of this program, as its JSON says. What it lacks was not measured, or the program that wrote it was older.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

/// Largest file that is read. A day's result has a line of a hundred bytes for each second.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// A result. Keys that are not listed are not shown.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct RunResult {
    pub(crate) title: Option<String>,
    pub(crate) command: Option<String>,
    pub(crate) target: Option<String>,
    pub(crate) sni: Option<String>,
    pub(crate) path: Option<String>,
    pub(crate) io: Option<String>,
    pub(crate) tls_version: Option<String>,
    pub(crate) cipher_suite: Option<String>,
    pub(crate) key_exchange: Option<String>,
    pub(crate) connections: Option<u64>,
    pub(crate) count: Option<u64>,
    pub(crate) flood: Option<String>,
    pub(crate) http: Option<String>,
    pub(crate) streams: Option<u64>,
    pub(crate) body_bytes: Option<u64>,
    pub(crate) completed: Option<u64>,
    pub(crate) refused: Option<u64>,
    pub(crate) unexpected_status: Option<u64>,
    pub(crate) failed: Option<u64>,
    pub(crate) warmup_failed: Option<u64>,
    pub(crate) attempted: Option<u64>,
    pub(crate) not_connected: Option<u64>,
    pub(crate) held: Option<u64>,
    pub(crate) ended_by_server: Option<u64>,
    pub(crate) lost: Option<u64>,
    pub(crate) handshakes: Option<u64>,
    pub(crate) resumed: Option<u64>,
    pub(crate) tickets_received: Option<u64>,
    pub(crate) reconnects: Option<u64>,
    pub(crate) bytes_received: Option<u64>,
    pub(crate) elapsed_s: Option<f64>,
    pub(crate) rate_per_s: Option<f64>,
    pub(crate) min_us: Option<f64>,
    pub(crate) mean_us: Option<f64>,
    pub(crate) p50_us: Option<f64>,
    pub(crate) p99_us: Option<f64>,
    pub(crate) p999_us: Option<f64>,
    pub(crate) max_us: Option<f64>,
    pub(crate) server_cpu_us_per_op: Option<f64>,
    pub(crate) client_cpu_us_per_op: Option<f64>,
    pub(crate) client_busy: Option<f64>,
    pub(crate) client_was_limit: Option<bool>,
    pub(crate) server_voluntary_switches_per_op: Option<f64>,
    pub(crate) server_involuntary_switches_per_op: Option<f64>,
    pub(crate) server_pss_before_bytes: Option<u64>,
    pub(crate) server_pss_max_bytes: Option<u64>,
    pub(crate) server_pss_bytes_per_connection: Option<f64>,
    pub(crate) floor_us: Option<f64>,
    pub(crate) statuses: Option<BTreeMap<String, u64>>,
    pub(crate) failures: Option<BTreeMap<String, u64>>,
    pub(crate) endings: Option<BTreeMap<String, u64>>,
    pub(crate) steps: Option<Vec<Step>>,
    pub(crate) series: Option<Vec<Second>>,
    pub(crate) percentiles: Option<Vec<(f64, f64)>>,
}

/// One step of a scenario.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Step {
    pub(crate) name: String,
    pub(crate) completed: u64,
    pub(crate) refused: u64,
    pub(crate) unexpected_status: u64,
    pub(crate) failed: u64,
    #[serde(default)]
    pub(crate) p50_us: Option<f64>,
    #[serde(default)]
    pub(crate) p99_us: Option<f64>,
}

/// One second of a run.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Second {
    pub(crate) at_s: f64,
    pub(crate) completed: u64,
    pub(crate) failed: u64,
    #[serde(default)]
    pub(crate) p50_us: Option<f64>,
    #[serde(default)]
    pub(crate) p99_us: Option<f64>,
}

impl RunResult {
    /// Reads a file.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let name = || path.display().to_string();
        let bytes = fs::metadata(path).with_context(name)?.len();
        if bytes > FILE_BYTES_MAX {
            bail!("{}: {bytes} bytes; a result has at most {FILE_BYTES_MAX}", name());
        }
        let text = fs::read_to_string(path).with_context(name)?;
        Self::parse(&text).with_context(name)
    }

    fn parse(text: &str) -> Result<Self> {
        let result: Self = serde_json::from_str(text)?;
        match result.command.as_deref() {
            None => bail!("not a result of loadtest: it has no \"command\""),
            // Its page is written with it.
            Some("compare") => bail!("a comparison, which has a page of its own"),
            Some(_) => Ok(result),
        }
    }

    /// What it is called: its title, or else what was done to whom.
    pub(crate) fn name(&self) -> String {
        if let Some(title) = self.title.as_ref().filter(|title| !title.trim().is_empty()) {
            return title.clone();
        }
        let parts = [&self.command, &self.flood, &self.target, &self.path];
        parts.into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join(" ")
    }

    /// Latency in µs by percentile: all that it has, or the few of an older result.
    pub(crate) fn percentiles(&self) -> Vec<(f64, f64)> {
        if let Some(percentiles) = &self.percentiles {
            return percentiles.clone();
        }
        let few = [(50.0, self.p50_us), (99.0, self.p99_us), (99.9, self.p999_us), (100.0, self.max_us)];
        few.into_iter().filter_map(|(percentile, latency_us)| Some((percentile, latency_us?))).collect()
    }

    /// Its seconds, if it has any.
    pub(crate) fn seconds(&self) -> &[Second] {
        self.series.as_deref().unwrap_or_default()
    }

    /// Whether something came of it that should not.
    pub(crate) fn went_wrong(&self) -> bool {
        [self.failed, self.unexpected_status, self.warmup_failed, self.lost, self.not_connected]
            .into_iter()
            .flatten()
            .any(|count| count > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_absent_is_absent() {
        let result =
            RunResult::parse(r#"{"command":"handshake","target":"127.0.0.1:1","p50_us":7.5,"p99_us":null}"#)
                .unwrap();
        assert_eq!(result.name(), "handshake 127.0.0.1:1");
        assert_eq!(result.percentiles(), [(50.0, 7.5)]);
        assert!(result.seconds().is_empty() && !result.went_wrong());
        let result =
            RunResult::parse(r#"{"command":"x","title":"T","percentiles":[[90,3.5]],"p50_us":7.5,"lost":1}"#)
                .unwrap();
        assert_eq!((result.name().as_str(), result.percentiles()), ("T", vec![(90.0, 3.5)]));
        assert!(result.went_wrong());
    }

    #[test]
    fn what_is_no_result_is_refused() {
        for text in ["", "[]", "{}", r#"{"command":"compare"}"#, r#"{"command":"x","series":[{"at_s":1}]}"#] {
            assert!(RunResult::parse(text).is_err(), "{text}");
        }
    }
}
