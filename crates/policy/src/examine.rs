//! Holds a certificate against the rules.

mod enrolment;
mod organization;
mod psd2;
mod qualification;
mod registration;
mod revocation;
mod usage;

use std::borrow::Cow;
use std::cmp::Reverse;

use portcullis_identity::{FindingCode, Identity};
use portcullis_trust::Overrules;

use crate::{
    Assessment, ContentRule, Evidence, Finding, Profile, Registration, Rule, Rules, Severities, Severity,
};

/// Holds a certificate against the rules, without deciding anything: [`decide`](crate::decide) does.
///
/// Pure, and linear in the size of the certificate: what the identity holds is bounded by its parser.
pub fn examine(rules: &Rules, mut identity: Identity, evidence: Evidence) -> Assessment {
    let listing = evidence.path.as_ref().and_then(|path| path.as_ref().ok()?.listing());
    let overrules = listing.map(|listing| listing.overrules).unwrap_or_default();
    let mut report = Report::new(rules, overrules, std::mem::take(&mut identity.findings));
    report.is_register_enforced = evidence.is_register_enforced;
    revocation::examine_revoked(evidence.revocation, &mut report);
    // What the certificate is for comes next: who presents a seal is told so, whatever else is wrong with it.
    if rules.profile != Profile::X509 {
        qualification::examine(&identity, &mut report);
    }
    usage::examine(&identity, evidence.now, &mut report);
    if rules.profile != Profile::X509 {
        psd2::examine(&identity, &mut report);
        organization::examine(&identity, &mut report);
    }
    let registration = match rules.profile {
        Profile::X509 => Registration::NotAsked,
        Profile::Obie | Profile::Psd2 => evidence.registration,
    };
    let roles = registration::examine(&identity, registration, &mut report);
    let roles = enrolment::examine(roles, evidence.key, &mut report);
    revocation::examine_unknown(evidence.revocation, &mut report);
    let Evidence { path, revocation, key, .. } = evidence;
    Assessment { identity, findings: report.into_findings(), roles, path, revocation, registration, key }
}

/// Where rules tell what they found.
struct Report<'r> {
    rules: &'r Rules,
    /// What a trusted list knows better than the certificate.
    overrules: Overrules,
    /// Whether what the register says decides; otherwise it warns.
    is_register_enforced: bool,
    form: Vec<portcullis_identity::Finding>,
    findings: Vec<Finding>,
}

impl<'r> Report<'r> {
    fn new(rules: &'r Rules, overrules: Overrules, form: Vec<portcullis_identity::Finding>) -> Self {
        Self { rules, overrules, is_register_enforced: true, form, findings: Vec::new() }
    }

    /// Whether the parser found something of the kind that is as grave as `rule`, which would only repeat it. Where an
    /// operator made the form less grave, the rule is told too: what could not be read counts as absent, and who lets
    /// an odd form pass has not let pass what it hides.
    fn is_told(&self, rule: ContentRule, is_kind: impl Fn(FindingCode) -> bool) -> bool {
        let severity = |rule| self.severities().of(rule);
        let mut form = self.form.iter().map(|finding| finding.code).filter(|code| is_kind(*code));
        form.any(|code| severity(Rule::Form(code)) >= severity(rule.into()))
    }

    /// Notes that a rule is broken.
    fn broken(&mut self, rule: impl Into<Rule>, message: impl Into<Cow<'static, str>>) {
        let rule = rule.into();
        let mut severity = self.severities().of(rule);
        if !self.is_register_enforced && rule.is_about_register() {
            severity = severity.min(Severity::Warn);
        }
        self.findings.push(Finding { rule, severity, message: message.into() });
    }

    fn severities(&self) -> &'r Severities {
        &self.rules.severities
    }

    /// What was found, the gravest first. Of one gravity, what the rules say comes before what the parser says: that
    /// a client presented its seal is more to the point than how the seal is encoded.
    fn into_findings(mut self) -> Vec<Finding> {
        for finding in std::mem::take(&mut self.form) {
            self.broken(Rule::Form(finding.code), finding.message);
        }
        self.findings.sort_by_key(|finding| Reverse(finding.severity));
        self.findings
    }
}
