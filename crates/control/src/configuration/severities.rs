//! `[listener.client_auth.severities]`: how grave it is to break a rule, by the rule's code.

use portcullis_policy::{ContentRule, Rule, Rules, Severities, Severity};
use toml::de::DeValue;

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
        let mut written = Vec::new();
        for (code, place, value) in parent.entries(KEY, "a table of severities") {
            if value.as_table().is_some() {
                report.mistake(&place, "is a table: a code is one key, so write it in quotes");
                continue;
            }
            let rule = rule(&code, &place, report);
            let severity = severity(parent, value, &place);
            written.extend(rule.zip(severity).map(|(rule, value)| (rule, Located { value, place })));
        }
        Entry::Written(Located { value: Self(written), place })
    }

    /// Changes the severities of `rules`, and warns where a rule that refuses is made to refuse no more, or is never asked.
    pub(crate) fn apply(&self, rules: &mut Rules, report: &Report) {
        let defaults = Severities::defaults(rules.profile);
        for (rule, severity) in &self.0 {
            if !rules.asks(*rule) {
                let message = format!(
                    "changes nothing: under profile {} this rule is not asked",
                    rules.profile.as_str()
                );
                report.warning_once(&severity.place, message);
            } else if defaults.of(*rule) == Severity::Deny && severity.value < Severity::Deny {
                let profile = rules.profile.as_str();
                let message = match is_of_the_path_too(*rule) {
                    true => "admits nobody more: a path to an anchor is refused for the same".to_owned(),
                    false => format!(
                        "no longer refuses certificates that break this rule; under profile {profile} it denies by default"
                    ),
                };
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

fn severity(section: &Section<'_>, written: &DeValue<'_>, place: &Place) -> Option<Severity> {
    let Some(text) = written.as_str() else {
        section.wrong_type(place, "a string", written);
        return None;
    };
    let severity = text.parse().ok();
    if severity.is_none() {
        section.report().mistake(place, format!("{} is none of deny, warn, note", shown(text)));
    }
    severity
}

/// Whether webpki holds a client's certificate to the same when it builds the path, which no severity changes.
const fn is_of_the_path_too(rule: Rule) -> bool {
    matches!(
        rule,
        Rule::Content(
            ContentRule::CertificateAuthority
                | ContentRule::Expired
                | ContentRule::NotYetValid
                | ContentRule::CriticalExtension
                | ContentRule::ExtendedKeyUsageUnusable
        )
    )
}
