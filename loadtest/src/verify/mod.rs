//! Certificates judged without sockets: what it costs the gate's libraries, beside webpki and `openssl verify`.
//!
//! This module and those below are the only ones of this program that import what the gate is made of.

mod certificates;
mod conditions;
mod openssl;
mod policy;
mod rounds;
mod verify_report;
mod webpki_path;

use anyhow::Result;
use clap::{Args, ValueEnum};

use crate::arguments::Format;
use crate::clients::Share;

use self::certificates::Certificates;
use self::conditions::Conditions;
use self::verify_report::{VerifyReport, VerifyResult};

/// Most certificates of a set. Each takes about 2 KiB, and `openssl verify` is given a file for each.
const CERTIFICATES_MAX: i64 = 20_000;
/// Most anchors: the trusted lists of the EU have some 3,000 services.
const ANCHORS_MAX: i64 = 10_000;
/// Most revoked serial numbers: the largest CRLs seen have some millions, and to make one of ten takes a minute.
const REVOKED_MAX: i64 = 10_000_000;
/// Most threads: more than that is no machine that this is measured on.
const THREADS_MAX: i64 = 256;

/// Options of `verify`.
#[derive(Debug, Args)]
pub(crate) struct VerifyArguments {
    /// What certificates are, and are asked to be
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [VerifyProfile::Qwac, VerifyProfile::Qsealc, VerifyProfile::X509])]
    profile: Vec<VerifyProfile>,
    /// How many trust anchors there are
    #[arg(long, value_delimiter = ',', default_values_t = [1, 100, 1000], value_parser = clap::value_parser!(u32).range(1..=ANCHORS_MAX))]
    anchors: Vec<u32>,
    /// How many serial numbers the CRL of the issuer has
    #[arg(long, value_delimiter = ',', default_values_t = [0, 1_000_000], value_parser = clap::value_parser!(u32).range(0..=REVOKED_MAX))]
    revoked: Vec<u32>,
    /// Threads, each of which judges all certificates
    #[arg(long, value_delimiter = ',', default_values_t = [1], value_parser = clap::value_parser!(u16).range(1..=THREADS_MAX))]
    threads: Vec<u16>,
    /// Cores that the threads may run on
    #[arg(long, value_delimiter = ',')]
    cpus: Vec<usize>,
    /// Different certificates
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(2..=CERTIFICATES_MAX))]
    certificates: u32,
    /// Shares of them that are to be refused, as of a load
    #[arg(long, value_delimiter = ',')]
    bad: Vec<Share>,
    /// Times that all are judged; figures are medians
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// Program for the comparison with OpenSSL, which is left out where it cannot be run
    #[arg(long, default_value = "openssl")]
    openssl: String,
    /// How to write the result
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
}

/// What certificates are, and by what they are judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum VerifyProfile {
    /// Qualified certificates for web sites with a PSD2 statement, profile `psd2`
    Qwac,
    /// Qualified certificates for seals with a PSD2 statement, profile `psd2`
    Qsealc,
    /// The certificates of `qwac`, profile `x509`
    X509,
}

impl VerifyProfile {
    fn name(self) -> &'static str {
        match self {
            Self::Qwac => "qwac",
            Self::Qsealc => "qsealc",
            Self::X509 => "x509",
        }
    }
}

/// Judges all that was asked for, by each method in turn.
pub(crate) fn run(arguments: &VerifyArguments) -> Result<VerifyReport> {
    let mut report = VerifyReport::new(arguments);
    for &profile in &arguments.profile {
        let certificates = Certificates::make(profile, arguments)?;
        for &anchors in &arguments.anchors {
            let roots = certificates.roots(anchors)?;
            let set = Set { profile, certificates: &certificates, anchors, roots: &roots };
            for &revoked in &arguments.revoked {
                judge_by_policy(arguments, &set, revoked, &mut report)?;
            }
            judge_paths(arguments, &set, &mut report)?;
        }
    }
    Ok(report)
}

/// Certificates, and who is believed.
struct Set<'a> {
    profile: VerifyProfile,
    certificates: &'a Certificates,
    anchors: u32,
    /// The anchors in PEM.
    roots: &'a str,
}

fn judge_by_policy(
    arguments: &VerifyArguments,
    set: &Set<'_>,
    revoked: u32,
    report: &mut VerifyReport,
) -> Result<()> {
    let conditions = Conditions::new(set.profile, set.certificates, set.roots, revoked)?;
    for &threads in &arguments.threads {
        let cold = rounds::measure(arguments, threads, || Ok(policy::Cold(&conditions)))?;
        report.add(VerifyResult::new("cold", set, Some(revoked), threads, cold));
        let cached = rounds::measure(arguments, threads, || Ok(policy::Cached::new(&conditions)))?;
        report.add(VerifyResult::new("cached", set, Some(revoked), threads, cached));
    }
    Ok(())
}

/// webpki and openssl know nothing of profiles and are not asked about revocation.
fn judge_paths(arguments: &VerifyArguments, set: &Set<'_>, report: &mut VerifyReport) -> Result<()> {
    for &threads in &arguments.threads {
        let path = || webpki_path::Path::new(set.certificates, set.roots);
        let webpki = rounds::measure(arguments, threads, path)?;
        report.add(VerifyResult::new("webpki", set, None, threads, webpki));
    }
    if let Some(openssl) = openssl::measure(arguments, set.certificates, set.roots)? {
        report.add(VerifyResult::new("openssl", set, None, 1, openssl));
    }
    Ok(())
}
