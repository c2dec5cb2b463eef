//! What was judged, and what it cost.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::report::{Report, Row, row};

use super::rounds::{Answers, Figures};
use super::{Set, VerifyArguments};

/// All results of a run.
#[derive(Debug, Serialize)]
pub(crate) struct VerifyReport {
    command: &'static str,
    certificates: u32,
    rounds: u16,
    cpus: Vec<usize>,
    bad: BTreeMap<String, f64>,
    results: Vec<VerifyResult>,
}

/// What one method made of a set of certificates.
#[derive(Debug, Serialize)]
pub(super) struct VerifyResult {
    method: &'static str,
    profile: &'static str,
    anchors: u32,
    /// Null for methods that do not ask about revocation.
    revoked: Option<u32>,
    threads: u16,
    judged: u64,
    remembered: u64,
    admitted: u64,
    refused: BTreeMap<&'static str, u64>,
    cpu_us: f64,
    per_second_per_core: f64,
    per_second: f64,
    #[serde(skip)]
    wrong: Option<String>,
}

impl VerifyReport {
    pub(super) fn new(arguments: &VerifyArguments) -> Self {
        let bad = arguments.bad.iter().map(|share| (share.kind().name().to_owned(), share.fraction()));
        Self {
            command: "verify",
            certificates: arguments.certificates,
            rounds: arguments.rounds,
            cpus: arguments.cpus.clone(),
            bad: bad.collect(),
            results: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, result: VerifyResult) {
        self.results.push(result);
    }
}

impl VerifyResult {
    /// What a method made of a set, with so many revoked serial numbers where it asks about them.
    pub(super) fn new(
        method: &'static str,
        set: &Set<'_>,
        revoked: Option<u32>,
        threads: u16,
        figures: Figures,
    ) -> Self {
        let Figures { answers, cpu_us, per_second } = figures;
        let &Set { profile, certificates, anchors, .. } = set;
        let expected = Expected {
            size: certificates.len() as u64,
            bad: (certificates.len() - certificates.good()) as u64,
            to_be_refused: revoked.map(|_| certificates.to_be_refused(profile) as u64),
        };
        let wrong = expected.wrong(&answers);
        Self {
            method,
            profile: profile.name(),
            anchors,
            revoked,
            threads,
            judged: answers.judged(),
            remembered: answers.found,
            admitted: answers.admitted,
            refused: answers.refused,
            cpu_us,
            per_second_per_core: if cpu_us > 0.0 { 1e6 / cpu_us } else { 0.0 },
            per_second,
            wrong,
        }
    }
}

/// What is known of the certificates that were judged.
struct Expected {
    size: u64,
    bad: u64,
    /// How many are to be refused; `None` for a method that does not see everything that may be wrong.
    to_be_refused: Option<u64>,
}

impl Expected {
    /// What is not as it is to be: so many are refused as are bad, and none that is good.
    fn wrong(&self, answers: &Answers) -> Option<String> {
        let refused = answers.refusals();
        let of_all = |count: u64| count * answers.judged() / self.size;
        match self.to_be_refused.map(of_all) {
            Some(expected) if expected != refused => {
                Some(format!("{refused} certificates were refused, and {expected} are to be"))
            }
            None if refused > of_all(self.bad) => {
                Some(format!("{refused} certificates were refused, and {} are bad", of_all(self.bad)))
            }
            _ => None,
        }
    }
}

impl Report for VerifyReport {
    fn complaint(&self) -> Option<String> {
        self.results.iter().find_map(|result| {
            let wrong = result.wrong.as_ref()?;
            Some(format!("{} {}: {wrong}: {:?}", result.method, result.profile, result.refused))
        })
    }

    fn rows(&self) -> Vec<Row> {
        let head = format!(
            "{:>8} {:>9} {:>8} {:>9} {:>12} {:>12} {:>10}  refused",
            "anchors", "revoked", "threads", "CPU us", "/s and core", "/s", "judged"
        );
        let line = |result: &VerifyResult| {
            let revoked = result.revoked.map_or_else(|| "-".to_owned(), |revoked| revoked.to_string());
            let refused: Vec<_> =
                result.refused.iter().map(|(code, count)| format!("{code} {count}")).collect();
            let value = format!(
                "{:>8} {revoked:>9} {:>8} {:>9.2} {:>12.0} {:>12.0} {:>10}  {}",
                result.anchors,
                result.threads,
                result.cpu_us,
                result.per_second_per_core,
                result.per_second,
                result.judged,
                if refused.is_empty() { "-".to_owned() } else { refused.join(", ") }
            );
            row(&format!("{} {}", result.profile, result.method), value)
        };
        std::iter::once(row("", head)).chain(self.results.iter().map(line)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_is_refused_too_many_or_too_few_is_told() {
        let mut answers = Answers::default();
        (0..18).for_each(|_| answers.count(None));
        (0..2).for_each(|_| answers.count(Some("path.expired")));
        let wrong = |bad, to_be_refused| Expected { size: 10, bad, to_be_refused }.wrong(&answers);
        assert_eq!(wrong(1, Some(1)), None);
        assert!(wrong(1, Some(0)).is_some() && wrong(2, Some(2)).is_some());
        // Who sees the path alone may let bad ones pass, and refuses no good one.
        assert_eq!((wrong(1, None), wrong(5, None)), (None, None));
        assert!(wrong(0, None).is_some());
    }
}
