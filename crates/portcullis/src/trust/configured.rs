//! The lists of a configuration, its register, and what a gate that runs with it knows of revocation.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::SystemTime;

use anyhow::{Context as _, bail};
use clap::Args;
use portcullis_control::{
    Configuration, ControlError, FailedList, RegisterFacts, RevocationFacts, TrustSettings,
    fetch_trusted_lists, read_trusted_lists, register_facts, revocation_facts,
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
        let configuration = self.configuration()?;
        let settings = configuration.trust.as_ref();
        let settings = settings.with_context(|| format!("{}: there is no [trust]", self.config.display()))?;
        show(&configuration, &fetch_trusted_lists(settings)?)
    }

    /// What is in the folders, and what went wrong with fetching it.
    pub(super) fn show(&self) -> anyhow::Result<Verified> {
        show(&self.configuration()?, &[])
    }

    fn configuration(&self) -> anyhow::Result<Configuration> {
        Ok(Configuration::check(&self.config).map_err(ControlError::from)?)
    }
}

fn show(configuration: &Configuration, failed: &[FailedList]) -> anyhow::Result<Verified> {
    let mut verified = Verified { report: String::new(), is_valid: true };
    if let Some(settings) = &configuration.trust {
        show_lists(settings, failed, &mut verified)?;
    }
    if let Some(settings) = &configuration.register {
        show_register(register_facts(settings)?.as_ref(), &mut verified)?;
    }
    if let Some(settings) = &configuration.revocation {
        show_revocation(revocation_facts(settings)?.as_ref(), &mut verified)?;
    }
    if verified.report.is_empty() {
        bail!("there is neither [trust] nor [register] nor [revocation]");
    }
    verified.report.truncate(verified.report.trim_end().len());
    Ok(verified)
}

fn show_lists(
    settings: &TrustSettings,
    failed: &[FailedList],
    Verified { report, is_valid }: &mut Verified,
) -> anyhow::Result<()> {
    let (store, now) = (read_trusted_lists(settings)?, unix_now());
    writeln!(
        report,
        "EU {:<5} next update {}; Official Journal: {}",
        store.lotl.sequence,
        day(store.lotl.next_update),
        Safe(store.journal_uri.as_deref().unwrap_or("none is named")),
    )?;
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
    writeln!(report, "anchors: web {}, seal {}", total(Usage::Web), total(Usage::Seal))?;
    let has = |territory: &String| store.lists.get(territory).is_some_and(|state| state.serving.is_some());
    *is_valid &= failed.is_empty() && settings.required.iter().all(has);
    Ok(())
}

fn show_register(
    facts: Option<&RegisterFacts>,
    Verified { report, is_valid }: &mut Verified,
) -> anyhow::Result<()> {
    let Some(facts) = facts else {
        *is_valid = false;
        writeln!(report, "register: not fetched yet")?;
        return Ok(());
    };
    write!(report, "register: providers {}", facts.providers)?;
    if let Some((as_of, until)) = facts.times {
        let over = if until < unix_now() { " (over)" } else { "" };
        write!(report, ", as of {}, serves until {}{over}", time(as_of), time(until))?;
        *is_valid &= over.is_empty();
    }
    writeln!(report, "; passed over {}", facts.passed_over.count)?;
    for detail in &facts.passed_over.details {
        writeln!(report, "    {}", Safe(detail))?;
    }
    Ok(())
}

fn show_revocation(
    facts: Option<&RevocationFacts>,
    Verified { report, .. }: &mut Verified,
) -> anyhow::Result<()> {
    let Some(facts) = facts else {
        writeln!(report, "revocation: no gate has asked yet")?;
        return Ok(());
    };
    let first = facts.next_update.map(|end| format!(", the first ends {}", time(end))).unwrap_or_default();
    writeln!(
        report,
        "revocation: at {} certificates {}, answers that serve {}{first}; CRLs {}",
        time(facts.as_of),
        facts.certificates,
        facts.answers,
        facts.crls.len()
    )?;
    for crl in &facts.crls {
        let overdue = if crl.next_update < unix_now() { " (overdue)" } else { "" };
        let (issuer, url) = (Safe(&crl.issuer), Safe(&crl.url));
        writeln!(
            report,
            "    {url}: of {issuer}, revoked {}, next update {}{overdue}",
            crl.revoked,
            time(crl.next_update)
        )?;
    }
    Ok(())
}

fn unix_now() -> i64 {
    OffsetDateTime::from(SystemTime::now()).unix_timestamp()
}

fn time(unix_seconds: i64) -> String {
    rfc3339(unix_seconds).unwrap_or_else(|| format!("{unix_seconds} s of Unix time"))
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
