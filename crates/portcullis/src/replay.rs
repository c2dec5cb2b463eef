//! `portcullis replay`: those of an audit log, judged by another configuration.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs::File,
    io::{BufRead as _, BufReader, Read as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, bail};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use clap::Args;
use portcullis_control::{Configuration, ControlError, read_trusted_lists};
use portcullis_identity::Identity;
use portcullis_policy::{ContentRule, Evidence, Rule, Severity, Snapshot, TrustDomain, Verdict, decide};
use rustls_pki_types::{CertificateDer, UnixTime};
use serde::{Deserialize, Serialize};

use crate::inspect::Format;

/// Bytes of a line. A chain has 64 KiB at most, and base64 a third more.
const LINE_BYTES_MAX: u64 = 256 << 10;

/// Which records, and by which configuration.
#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// Audit logs, the oldest first
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// The configuration to judge by
    #[arg(short, long, value_name = "FILE")]
    config: PathBuf,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// What came of it.
pub(crate) struct Replayed {
    pub(crate) report: String,
    /// Whether nobody who was admitted would be refused.
    pub(crate) is_nobody_refused: bool,
}

/// What is read of a record.
#[derive(Deserialize)]
struct Record {
    event: String,
    time_unix_s: f64,
    domain: Option<String>,
    thumbprint_sha256: Option<String>,
    organization: Option<String>,
    organization_identifier: Option<String>,
    verdict: Option<String>,
    #[serde(default)]
    codes: Vec<String>,
    chain: Option<Vec<String>>,
}

/// The last record of a certificate in a trust domain.
struct Recorded {
    record: Record,
    chain: Vec<CertificateDer<'static>>,
}

/// A certificate that would be judged otherwise.
#[derive(Serialize)]
struct Changed {
    domain: String,
    thumbprint_sha256: String,
    organization: Option<String>,
    organization_identifier: Option<String>,
    was: &'static str,
    would_be: &'static str,
    /// Why it would be refused, or was.
    codes: Vec<String>,
}

#[derive(Serialize)]
struct Report {
    certificates: usize,
    /// Verdicts on certificates whose chain is in no record.
    without_chain: usize,
    refused: Vec<Changed>,
    admitted: Vec<Changed>,
}

impl Replay {
    /// Reads and judges.
    ///
    /// # Errors
    /// A file cannot be read, a line is no record, or the configuration has mistakes.
    pub(crate) fn run(&self) -> anyhow::Result<Replayed> {
        let policy = policy(&self.config)?;
        let mut recorded = BTreeMap::new();
        let mut chainless = BTreeMap::new();
        for file in &self.files {
            read(file, &mut recorded, &mut chainless)?;
        }
        let mut report = Report {
            certificates: recorded.len(),
            without_chain: chainless.keys().filter(|key| !recorded.contains_key(*key)).count(),
            refused: Vec::new(),
            admitted: Vec::new(),
        };
        for ((domain, thumbprint), it) in &recorded {
            let codes = codes(&policy, domain, it);
            let was_admitted = it.record.verdict.as_deref() == Some("admit");
            if was_admitted == codes.is_empty() {
                continue;
            }
            let word = |is_admitted| if is_admitted { "admit" } else { "refuse" };
            let changed = Changed {
                domain: domain.clone(),
                thumbprint_sha256: thumbprint.clone(),
                organization: it.record.organization.clone(),
                organization_identifier: it.record.organization_identifier.clone(),
                was: word(was_admitted),
                would_be: word(!was_admitted),
                codes: if was_admitted { codes } else { it.record.codes.clone() },
            };
            if was_admitted { report.refused.push(changed) } else { report.admitted.push(changed) }
        }
        let is_nobody_refused = report.refused.is_empty();
        let report = match self.format {
            Format::Json => serde_json::to_string_pretty(&report)?,
            Format::Text => report.text(),
        };
        Ok(Replayed { report, is_nobody_refused })
    }
}

/// The policy of a configuration, with the trusted lists that are in its folder.
fn policy(config: &Path) -> anyhow::Result<Snapshot> {
    let configuration = Configuration::check(config).map_err(ControlError::from)?;
    let Some(trust) = &configuration.trust else { return Ok(configuration.plan.policy) };
    let store = read_trusted_lists(trust).context("the trusted lists of this configuration")?;
    Ok(configuration.plan.policy.with_lists(Some(&Arc::clone(&store.anchors))))
}

type Key = (String, String);

/// Takes the records of a file in: of each certificate and trust domain the last, with the last chain that is told of it.
fn read(
    path: &Path,
    recorded: &mut BTreeMap<Key, Recorded>,
    chainless: &mut BTreeMap<Key, ()>,
) -> anyhow::Result<()> {
    let file = File::open(path).with_context(|| format!("{}: cannot be read", path.display()))?;
    let mut reader = BufReader::new(file);
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let read = reader.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line);
        if read.with_context(|| format!("{}: cannot be read", path.display()))? == 0 {
            break;
        }
        let record: Record = serde_json::from_slice(&line)
            .with_context(|| format!("{}:{number}: is no audit record", path.display()))?;
        let (Some(domain), Some(thumbprint)) = (&record.domain, &record.thumbprint_sha256) else { continue };
        if record.event != "verdict" {
            continue;
        }
        let key = (domain.clone(), thumbprint.clone());
        match (&record.chain, recorded.remove(&key)) {
            (Some(chain), _) => {
                let Some(chain) = decoded(chain) else {
                    bail!("{}:{number}: the chain is not base64", path.display())
                };
                recorded.insert(key, Recorded { record, chain });
            }
            (None, Some(known)) => drop(recorded.insert(key, Recorded { record, ..known })),
            (None, None) => drop(chainless.insert(key, ())),
        }
    }
    Ok(())
}

fn decoded(chain: &[String]) -> Option<Vec<CertificateDer<'static>>> {
    chain.iter().map(|it| STANDARD.decode(it).ok().map(CertificateDer::from)).collect()
}

/// The codes for which a certificate would be refused; none if it would be admitted.
fn codes(policy: &Snapshot, domain: &str, recorded: &Recorded) -> Vec<String> {
    let Some(id) = policy.domain_named(domain) else { return vec!["domain.none".to_owned()] };
    let (domain, _) = policy.domain(id);
    let denies = |rule: Rule| domain.client_auth.rules.severities.of(rule) == Severity::Deny;
    let stands =
        |code: &&String| Rule::from_code(code).is_some_and(|rule| is_looked_up(rule) && denies(rule));
    let mut codes: Vec<String> = recorded.record.codes.iter().filter(stands).cloned().collect();
    codes.extend(denials(domain, recorded));
    codes
}

/// Whether a rule is about what is not in the certificate, which the record alone tells.
fn is_looked_up(rule: Rule) -> bool {
    let is_about_revocation =
        [ContentRule::Revoked, ContentRule::RevocationUnknown].map(Rule::from).contains(&rule);
    is_about_revocation || rule.is_about_register() || rule.is_about_enrolment()
}

/// What the rules of a trust domain deny of a certificate, at the time of its record.
fn denials(domain: &TrustDomain, recorded: &Recorded) -> Vec<String> {
    let Some((leaf, intermediates)) = recorded.chain.split_first() else { return Vec::new() };
    let (auth, time) = (&domain.client_auth, Duration::from_secs_f64(recorded.record.time_unix_s.max(0.0)));
    let rules = &auth.rules;
    let at = UnixTime::since_unix_epoch(time);
    let path = auth.anchors.verify_path(leaf, intermediates, rules.extended_key_usage, at);
    let now = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    let evidence = Evidence { path: Some(path), ..Evidence::none(now) };
    match decide(rules, Identity::from_der(leaf), evidence) {
        Verdict::Admitted(_) => Vec::new(),
        Verdict::Refused { denial, assessment } => {
            let found = assessment.iter().flat_map(|assessment| assessment.denials());
            let mut codes = vec![denial.code().to_owned()];
            codes.extend(found.map(|finding| finding.rule.code().to_owned()));
            codes.dedup();
            codes
        }
    }
}

impl Report {
    fn text(&self) -> String {
        let mut text = String::new();
        for (title, all) in [("would be refused", &self.refused), ("would be admitted", &self.admitted)] {
            for Changed { domain, thumbprint_sha256, organization, organization_identifier, codes, .. } in all
            {
                let who = [organization, organization_identifier].into_iter().flatten();
                let who = who.map(String::as_str).collect::<Vec<_>>().join(", ");
                // A String takes whatever is written.
                let _ =
                    writeln!(text, "{title}: {who} ({thumbprint_sha256}) on {domain}: {}", codes.join(", "));
            }
        }
        let Self { certificates, without_chain, refused, admitted } = self;
        let (refused, admitted) = (refused.len(), admitted.len());
        let _ = write!(text, "certificates: {certificates}, refused: {refused}, admitted: {admitted}");
        if *without_chain > 0 {
            let _ = write!(text, ", not judged since their chain is in an earlier log: {without_chain}");
        }
        text
    }
}
