//! The lists of a configuration.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::SystemTime;

use anyhow::Context as _;
use clap::Args;
use portcullis_control::{
    Configuration, ControlError, FailedList, TrustSettings, fetch_trusted_lists, read_trusted_lists,
};
use portcullis_trust::{ListState, Usage};
use time::OffsetDateTime;

use super::Verified;
use super::report::rfc3339;
use crate::inspect::Safe;

/// Whose lists.
#[derive(Debug, Args)]
pub(crate) struct Configured {
    /// The configuration
    #[arg(short, long, value_name = "FILE")]
    config: PathBuf,
}

impl Configured {
    pub(super) fn refresh(&self) -> anyhow::Result<Verified> {
        let failed = fetch_trusted_lists(&self.settings()?)?;
        self.show(&failed)
    }

    /// What is in the folder, and what went wrong with fetching it.
    pub(super) fn show(&self, failed: &[FailedList]) -> anyhow::Result<Verified> {
        let settings = self.settings()?;
        let store = read_trusted_lists(&settings)?;
        let now = OffsetDateTime::from(SystemTime::now()).unix_timestamp();
        let mut report = format!(
            "EU {:<5} next update {}; Official Journal: {}\n",
            store.lotl.sequence,
            day(store.lotl.next_update),
            Safe(store.journal_uri.as_deref().unwrap_or("none is named")),
        );
        for (territory, state) in &store.lists {
            let failure = failed.iter().find(|failed| failed.territory == *territory);
            writeln!(report, "{}", line(territory, state, now))?;
            if let Some(problem) = &state.problem {
                writeln!(report, "    {}: {}", problem.code(), Safe(problem))?;
            }
            if let Some(failure) = failure {
                writeln!(report, "    {}: {}", failure.code, Safe(&failure.reason))?;
            }
        }
        let total = |usage| store.lists.values().map(|state| state.granted(usage, now)).sum::<usize>();
        write!(report, "anchors: web {}, seal {}", total(Usage::Web), total(Usage::Seal))?;
        let has =
            |territory: &String| store.lists.get(territory).is_some_and(|state| state.serving.is_some());
        Ok(Verified { report, is_valid: failed.is_empty() && settings.required.iter().all(has) })
    }

    fn settings(&self) -> anyhow::Result<TrustSettings> {
        let configuration = Configuration::check(&self.config).map_err(ControlError::from)?;
        configuration.trust.with_context(|| format!("{}: there is no [trust]", self.config.display()))
    }
}

fn line(territory: &str, state: &ListState, now: i64) -> String {
    let Some(facts) = &state.serving else { return format!("{territory} none") };
    let (web, seal) = (state.granted(Usage::Web, now), state.granted(Usage::Seal, now));
    let overdue = if facts.next_update.is_some_and(|due| due < now) { " (overdue)" } else { "" };
    format!(
        "{territory} {:<5} next update {}{overdue}; anchors web {web}, seal {seal}",
        facts.sequence,
        day(facts.next_update)
    )
}

fn day(next_update: Option<i64>) -> String {
    next_update.and_then(rfc3339).unwrap_or_else(|| "none: it is closed".to_owned())
}
