//! `[listener.client_auth.severities]`: how grave it is to break a rule, by the rule's code.

use portcullis_policy::{Rule, Rules, Severities, Severity};

use super::{
    entry::Entry,
    mistake::{Located, Place, Report, shown},
    section::Section,
    spelling,
};

/// The severities as written: what is not there keeps the profile's default.
#[derive(Debug, Clone)]
pub(crate) struct SeveritiesWritten(Vec<(Rule, Located<Severity>)>);

impl SeveritiesWritten {
    /// Reads the table `severities`, whose keys are codes of rules.
    pub(crate) fn read(parent: &Section<'_>) -> Entry<Self> {
        const KEY: &str = "severities";
        let Some(place) = parent.place_of(KEY) else { return Entry::Absent };
        let report = parent.report();
        let written = parent.fields(KEY).into_iter().filter_map(|(code, severity)| {
            let rule = rule(&code, &severity.place, report);
            let severity = severity_of(severity, report);
            Some((rule?, severity?))
        });
        Entry::Written(Located { value: Self(written.collect()), place })
    }

    /// Changes the severities of `rules`, and warns where a rule that refuses is made to refuse no more.
    pub(crate) fn apply(&self, rules: &mut Rules, report: &Report) {
        let defaults = Severities::defaults(rules.profile);
        for (rule, severity) in &self.0 {
            if defaults.of(*rule) == Severity::Deny && severity.value < Severity::Deny {
                let profile = rules.profile.as_str();
                let message = format!(
                    "admits certificates that break this rule; under profile {profile} it denies by default"
                );
                report.warning_once(&severity.place, message);
            }
            rules.severities.set(*rule, severity.value);
        }
    }
}

fn rule(code: &str, place: &Place, report: &Report) -> Option<Rule> {
    let rule = Rule::from_code(code);
    if rule.is_none() {
        let hint = match spelling::nearest(code, Rule::all().map(Rule::code)) {
            Some(near) => format!("no rule has this code; did you mean \"{near}\"?"),
            None => "no rule has this code; docs/rules.md has the list".to_owned(),
        };
        report.mistake(place, hint);
    }
    rule
}

fn severity_of(written: Located<String>, report: &Report) -> Option<Located<Severity>> {
    let Located { value, place } = written;
    match value.parse() {
        Ok(value) => Some(Located { value, place }),
        Err(_) => {
            report.mistake(&place, format!("{} is none of deny, warn, note", shown(&value)));
            None
        }
    }
}
