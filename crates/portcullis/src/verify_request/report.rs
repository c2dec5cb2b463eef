//! What became of a request's seal, in words or as JSON.
//!
//! The request is hostile: what is shown of it passes [`Safe`], or was made visible by the crate that explains seals.

use std::fmt::{self, Display, Formatter, Write as _};

use portcullis_identity::{Identity, distinguished_name};
use portcullis_policy::Assessment;
use portcullis_seal::{Outcome, RequestHead, Step};
use rustls_pki_types::CertificateDer;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::CERTIFICATE_PROFILE;
use super::dump::Dump;
use crate::inspect::{self, Format, INDENT, LABEL, Safe, rfc3339};

/// All that was found out.
pub(super) struct Report<'a> {
    pub(super) dump: &'a Dump<'a>,
    pub(super) head: &'a RequestHead<'a>,
    pub(super) at: OffsetDateTime,
    pub(super) steps: Vec<Step>,
    pub(super) certificate: Option<CertificateDer<'static>>,
    /// Of the certificate; `None` where nobody was named whom to believe.
    pub(super) assessment: Option<anyhow::Result<Assessment>>,
}

impl Report<'_> {
    /// Whether all steps were passed, and the certificate is one to be accepted where that was asked.
    pub(super) fn is_verified(&self) -> bool {
        let is_accepted = match &self.assessment {
            Some(Ok(assessment)) => assessment.is_admitted(),
            Some(Err(_)) => false,
            None => true,
        };
        let is_sealed = self.steps.iter().all(|step| step.outcome == Outcome::Passed);
        is_sealed && is_accepted
    }

    pub(super) fn print(&self, format: Format) -> anyhow::Result<String> {
        match format {
            Format::Json => Ok(serde_json::to_string_pretty(&self.json()?)?),
            Format::Text => {
                let mut text = String::new();
                write!(text, "{self}")?;
                Ok(text)
            }
        }
    }

    fn json(&self) -> anyhow::Result<Value> {
        let assessment = match &self.assessment {
            Some(Ok(assessment)) => serde_json::to_value(assessment)?,
            _ => Value::Null,
        };
        Ok(json!({
            "verdict": if self.is_verified() { "verified" } else { "not-verified" },
            "code": self.code(),
            "at": rfc3339(self.at.unix_timestamp()),
            "steps": self.steps.iter().map(step_json).collect::<Vec<_>>(),
            "certificate": self.identity().map(|identity| certificate_json(&identity)),
            "assessment": assessment,
        }))
    }

    /// The code of the first step that failed, or why the certificate is not accepted.
    fn code(&self) -> Option<&'static str> {
        let failed = self.steps.iter().find_map(|step| match &step.outcome {
            Outcome::Failed(error) => Some(error.code()),
            _ => None,
        });
        if failed.is_some() {
            return failed;
        }
        (!self.is_verified()).then_some("certificate.refused")
    }

    fn identity(&self) -> Option<Identity> {
        Identity::from_der(self.certificate.as_ref()?).ok()
    }

    fn fmt_verdict(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let at = rfc3339(self.at.unix_timestamp());
        match self.code() {
            None => writeln!(f, "verified at {at}")?,
            Some(code) => writeln!(f, "not verified at {at}: {code}")?,
        }
        let RequestHead { method, authority, path, fields, .. } = self.head;
        let query = self.head.query.map(|query| format!("?{query}")).unwrap_or_default();
        let (fields, bytes) = (fields.len(), self.dump.body.len());
        let line = format!("{method} {path}{query} to {authority}: {fields} fields, a body of {bytes} bytes");
        writeln!(f, "{}", Safe(line))?;
        match self.dump.left_off {
            0 => Ok(()),
            1 => writeln!(f, "A byte behind the body was left off."),
            bytes => writeln!(f, "{bytes} bytes behind the body were left off."),
        }
    }

    fn fmt_certificate(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match (&self.assessment, self.identity()) {
            (Some(Ok(assessment)), _) => {
                let profile = CERTIFICATE_PROFILE.as_str();
                let report = inspect::Report { assessment, profile, at: self.at };
                write!(f, "\ncertificate as qsealc: {report}")
            }
            (Some(Err(error)), _) => write!(f, "\ncertificate as qsealc: {}", Safe(format!("{error:#}"))),
            (None, Some(identity)) => {
                writeln!(f, "\nThe certificate was not judged; give --anchors or --trust to judge it.")?;
                fmt_identity(&identity, f)
            }
            (None, None) => write!(f, "\nThe seal could not be read as far as its certificate."),
        }
    }
}

impl Display for Report<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.fmt_verdict(f)?;
        self.steps.iter().try_for_each(|step| fmt_step(step, f))?;
        self.fmt_certificate(f)
    }
}

fn fmt_step(step: &Step, f: &mut Formatter<'_>) -> fmt::Result {
    match &step.outcome {
        Outcome::Failed(error) => {
            let (code, status, tpp_code) = (error.code(), error.status(), error.tpp_code());
            writeln!(f, "\n{:INDENT$}{}  {code}  ({status} {tpp_code})", "FAIL", step.name)?;
        }
        _ => writeln!(f, "\n{:INDENT$}{}", "ok", step.name)?,
    }
    step.detail.lines().try_for_each(|line| writeln!(f, "{:INDENT$}{line}", ""))
}

/// What the certificate says, in short; the last line ends with what prints it.
fn fmt_identity(identity: &Identity, f: &mut Formatter<'_>) -> fmt::Result {
    let subject = &identity.subject;
    let organisation = subject.organization_identifier.as_deref().unwrap_or("none");
    let validity = identity.validity;
    writeln!(f, "{:LABEL$}{}", "subject", Safe(&subject.distinguished_name))?;
    writeln!(f, "{:LABEL$}{}", "issuer", Safe(issuer(identity)))?;
    writeln!(f, "{:LABEL$}{}", "serial number", identity.serial_number)?;
    writeln!(f, "{:LABEL$}{}", "organisation", Safe(organisation))?;
    writeln!(f, "{:LABEL$}{} to {}", "validity", rfc3339(validity.not_before), rfc3339(validity.not_after))?;
    write!(f, "{:LABEL$}{}", "SHA-256", identity.thumbprint)
}

fn issuer(identity: &Identity) -> String {
    distinguished_name(&identity.issuer).unwrap_or_else(|_| "a name that cannot be read".to_owned())
}

fn step_json(step: &Step) -> Value {
    let error = match &step.outcome {
        Outcome::Failed(error) => Some(error),
        _ => None,
    };
    json!({
        "name": step.name,
        "passed": error.is_none(),
        "code": error.map(portcullis_seal::SealError::code),
        "status": error.map(portcullis_seal::SealError::status),
        "tpp_code": error.map(portcullis_seal::SealError::tpp_code),
        "detail": step.detail,
    })
}

fn certificate_json(identity: &Identity) -> Value {
    json!({
        "subject": identity.subject.distinguished_name,
        "issuer": issuer(identity),
        "serial_number": identity.serial_number.to_string(),
        "organization_identifier": identity.subject.organization_identifier,
        "not_before": rfc3339(identity.validity.not_before),
        "not_after": rfc3339(identity.validity.not_after),
        "sha256": identity.thumbprint.to_string(),
    })
}
