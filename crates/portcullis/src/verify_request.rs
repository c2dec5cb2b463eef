//! `portcullis verify-request`: whether a request that was dumped is sealed, and if not, at which step it fails.

mod dump;
mod report;

use std::path::PathBuf;
use std::time::SystemTime;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use portcullis_policy::{Assessment, Profile as CertificateProfile, Purpose, Rules};
use portcullis_seal::{Profile, RequestHead, Seal, SealRules, explain};
use rustls_pki_types::CertificateDer;
use time::OffsetDateTime;

use crate::inspect::{Format, Presented, Sources, assessment, parse_time, read};
pub(crate) use dump::Dump;
use report::Report;

/// Bytes of a dump that are read: the body of a sealed request is some kilobytes, that of a bulk payment some megabytes.
pub(crate) const DUMP_BYTES_MAX: u64 = 128 << 20;

/// The profile by whose rules the certificate is judged.
const CERTIFICATE_PROFILE: CertificateProfile = CertificateProfile::Psd2;

/// What to verify, and as what.
#[derive(Debug, Args)]
pub(crate) struct VerifyRequest {
    /// The request: its line, its fields, an empty line and the body, as HTTP/1.1 has them; - is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// How it may be sealed
    #[arg(long, value_enum, default_value_t = ProfileName::Any)]
    profile: ProfileName,
    /// The scheme that it was sent by [default: that of its target, or https]
    #[arg(long, value_name = "SCHEME")]
    scheme: Option<String>,
    /// The authority that it was sent to [default: that of its target, or its Host]
    #[arg(long, value_name = "HOST")]
    authority: Option<String>,
    /// The time for which it is judged, as in 2026-11-24T08:00:00Z [default: now]
    #[arg(long, value_name = "RFC3339", value_parser = parse_time)]
    at: Option<OffsetDateTime>,
    #[command(flatten)]
    sources: Sources,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ProfileName {
    /// As the Berlin Group has it: Digest, Signature, TPP-Signature-Certificate
    BerlinGroup,
    /// As RFC 9421 has it: Content-Digest, Signature-Input, Signature
    MessageSignatures,
    /// Either
    Any,
}

/// What came of it.
pub(crate) struct Verified {
    /// What to print.
    pub(crate) report: String,
    /// Whether the request is sealed, by a certificate that the gate would accept where that was asked.
    pub(crate) is_verified: bool,
}

impl VerifyRequest {
    /// Reads and verifies.
    ///
    /// # Errors
    /// A file cannot be read, or holds no request.
    pub(crate) fn run(&self) -> anyhow::Result<Verified> {
        let name = || self.file.display().to_string();
        let bytes = read(&self.file, DUMP_BYTES_MAX)?;
        let dump = Dump::parse(&bytes).with_context(name)?;
        let head = dump.head(self.scheme.as_deref(), self.authority.as_deref()).with_context(name)?;
        let at = self.at.unwrap_or_else(|| SystemTime::now().into());
        let rules = self.rules();
        let steps = explain(&head, dump.body, &rules, at.unix_timestamp());
        let certificate = certificate(&head, &rules);
        let report = Report {
            dump: &dump,
            head: &head,
            at,
            assessment: self.assess(certificate.as_ref(), at)?,
            steps,
            certificate,
        };
        Ok(Verified { is_verified: report.is_verified(), report: report.print(self.format)? })
    }

    fn rules(&self) -> SealRules {
        let profiles = match self.profile {
            ProfileName::BerlinGroup => vec![Profile::BerlinGroup],
            ProfileName::MessageSignatures => vec![Profile::MessageSignatures],
            ProfileName::Any => Profile::ALL.to_vec(),
        };
        SealRules { profiles, ..SealRules::default() }
    }

    /// What policy says of the certificate, if anybody was named whom to believe and it can be read at all.
    fn assess(
        &self,
        certificate: Option<&CertificateDer<'static>>,
        at: OffsetDateTime,
    ) -> anyhow::Result<Option<anyhow::Result<Assessment>>> {
        let Some(leaf) = certificate.filter(|_| self.sources.names_anybody()) else { return Ok(None) };
        let presented = Presented { leaf: leaf.clone(), chain: Vec::new() };
        let rules = Rules { purpose: Purpose::Qsealc, ..Rules::of(CERTIFICATE_PROFILE) };
        Ok(Some(assessment(self.sources.judge(presented, &rules, at)?)))
    }
}

/// The certificate that a seal claims, where the seal can be read so far.
fn certificate(head: &RequestHead<'_>, rules: &SealRules) -> Option<CertificateDer<'static>> {
    let parsed = Seal::parse(head, rules).ok()?;
    Some(CertificateDer::from(parsed.certificate().to_vec()))
}
