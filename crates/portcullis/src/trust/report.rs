//! What is told of a list.

use portcullis_trust::list::{ListError, ListStatus, TrustedList};
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::granted;
use crate::inspect::{Format, Safe};

/// One list, as it is printed. Fields that are not known are null. Names are public interface.
#[derive(Debug, Serialize)]
pub(super) struct ListReport {
    pub(super) status: &'static str,
    reason: Option<String>,
    territory: Option<String>,
    sequence: Option<u64>,
    version: Option<u32>,
    issued: Option<String>,
    next_update: Option<String>,
    /// Whether a newer one should have been there.
    expired: Option<bool>,
    services: Option<usize>,
    ca_qc: Option<usize>,
    ca_qc_granted: Option<usize>,
    ca_qc_granted_for_web: Option<usize>,
}

impl ListReport {
    pub(super) fn new(list: Option<&TrustedList>, error: Option<&ListError>, at: OffsetDateTime) -> Self {
        let now = at.unix_timestamp();
        Self {
            status: error.map_or(ListStatus::Valid, ListError::status).as_str(),
            reason: error.map(ToString::to_string),
            territory: list.map(|list| list.territory.clone()),
            sequence: list.map(|list| list.sequence),
            version: list.map(|list| list.version),
            issued: list.and_then(|list| rfc3339(list.issued)),
            next_update: list.and_then(|list| rfc3339(list.next_update?)),
            expired: list.map(|list| list.is_expired_at(now)),
            services: list.map(|list| list.services_total),
            ca_qc: list.map(|list| list.ca_qc().count()),
            ca_qc_granted: list.map(|list| granted(list, at).count()),
            ca_qc_granted_for_web: list
                .map(|list| granted(list, at).filter(|state| state.usages.web).count()),
        }
    }

    /// Refuses it for a reason that lies outside it.
    pub(super) fn refuse(&mut self, reason: &dyn std::error::Error) {
        self.reason = Some(reason.to_string());
    }

    pub(super) fn print(&self, format: Format) -> anyhow::Result<String> {
        match format {
            Format::Json => Ok(serde_json::to_string_pretty(self)?),
            Format::Text => Ok(self.line()),
        }
    }

    /// One line, and a second with the reason if there is one.
    pub(super) fn line(&self) -> String {
        let number = |number: Option<u64>| number.map_or("?".to_owned(), |number| number.to_string());
        let count = |count: Option<usize>| number(count.and_then(|count| u64::try_from(count).ok()));
        let mut line = format!(
            "{:<18} {} {:<5} until {}{}; services {}, CA/QC granted {}, for web {}",
            self.status,
            Safe(self.territory.as_deref().unwrap_or("?")),
            number(self.sequence),
            self.next_update.as_deref().unwrap_or("it is closed or cannot be read"),
            if self.expired == Some(true) { " (expired)" } else { "" },
            count(self.services),
            count(self.ca_qc_granted),
            count(self.ca_qc_granted_for_web),
        );
        if let Some(reason) = &self.reason {
            line.push_str(&format!("\n    {}", Safe(reason)));
        }
        line
    }
}

pub(super) fn rfc3339(unix_seconds: i64) -> Option<String> {
    OffsetDateTime::from_unix_timestamp(unix_seconds).ok()?.format(&Rfc3339).ok()
}
