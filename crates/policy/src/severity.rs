//! How grave a finding is.

use std::fmt;
use std::str::FromStr;

use portcullis_identity::FindingCode;
use serde::{Serialize, Serializer};
use thiserror::Error;

use crate::domain::Profile;
use crate::rule::{ContentRule, Rule};

/// How grave it is that a certificate breaks a rule. Ordered from lax to strict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// Wrong, and let through.
    Warn,
    /// The holder is refused.
    Deny,
}

impl Severity {
    /// Every severity from lax to strict.
    pub const ALL: [Self; 3] = [Self::Note, Self::Warn, Self::Deny];

    /// The name in configuration and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warn => "warn",
            Self::Deny => "deny",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for Severity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// A text that is no severity.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the severities are note, warn and deny")]
#[non_exhaustive]
pub struct UnknownSeverity;

impl FromStr for Severity {
    type Err = UnknownSeverity;

    fn from_str(text: &str) -> Result<Self, UnknownSeverity> {
        Self::ALL.into_iter().find(|severity| severity.as_str() == text).ok_or(UnknownSeverity)
    }
}

/// The severity of every rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Severities([Severity; Rule::COUNT]);

impl Severities {
    /// What a careful bank runs under `profile`.
    pub fn defaults(profile: Profile) -> Self {
        let mut severities = Self([Severity::Note; Rule::COUNT]);
        for rule in Rule::all() {
            severities.set(rule, rule.default_severity(profile));
        }
        severities
    }

    /// The severity of a rule.
    pub const fn of(&self, rule: Rule) -> Severity {
        self.0[rule.index()]
    }

    /// Gives a rule another severity.
    pub const fn set(&mut self, rule: Rule, severity: Severity) {
        self.0[rule.index()] = severity;
    }
}

impl Rule {
    /// What a careful bank runs under `profile`.
    ///
    /// What decides who the holder is, what it may do, or whether it may use the certificate here, denies. What is
    /// wrong in form warns. Under `x509` no rule asks for QCStatements, so their form is a note.
    pub const fn default_severity(self, profile: Profile) -> Severity {
        match self {
            Self::Content(rule) => rule.default_severity(profile),
            Self::Form(code) => form_severity(code, profile),
        }
    }
}

const fn form_severity(code: FindingCode, profile: Profile) -> Severity {
    let is_qualified = !matches!(profile, Profile::X509);
    match code {
        // Two readers could take the certificate for two different ones.
        FindingCode::AlgorithmMismatch
        | FindingCode::DuplicateExtension
        | FindingCode::KeyMalformed
        | FindingCode::KeyUsageMalformed
        | FindingCode::ExtendedKeyUsageMalformed
        | FindingCode::BasicConstraintsMalformed => Severity::Deny,
        FindingCode::DuplicateAttribute | FindingCode::UnreadableAttribute if is_qualified => Severity::Deny,
        FindingCode::QcTypeMalformed | FindingCode::QcLegislationMalformed if is_qualified => Severity::Deny,
        code if code.voids_psd2() && is_qualified => Severity::Deny,
        code if (code.voids_psd2() || is_about_qc(code)) && !is_qualified => Severity::Note,
        _ => Severity::Warn,
    }
}

/// Why a rule about the form is as grave as it is.
pub(crate) const fn form_reason(code: FindingCode) -> &'static str {
    match form_severity(code, Profile::Psd2) {
        Severity::Deny if code.voids_psd2() => "What the holder may do cannot be read.",
        Severity::Deny => "Two readers could take it for two different certificates.",
        _ => "A form error that decides nothing here.",
    }
}

const fn is_about_qc(code: FindingCode) -> bool {
    matches!(
        code,
        FindingCode::QcCritical
            | FindingCode::QcDuplicateStatement
            | FindingCode::QcUnexpectedInformation
            | FindingCode::QcTypeMalformed
            | FindingCode::QcPdsMalformed
            | FindingCode::QcLegislationMalformed
            | FindingCode::QcLimitMalformed
            | FindingCode::QcRetentionMalformed
            | FindingCode::QcSemanticsMalformed
            | FindingCode::Psd2RoleNameMismatch
    )
}

impl ContentRule {
    const fn default_severity(self, profile: Profile) -> Severity {
        let [psd2, obie, x509] = self.row().severities;
        match profile {
            Profile::Psd2 => psd2,
            Profile::Obie => obie,
            Profile::X509 => x509,
        }
    }
}
