//! `openssl verify`: one process for all certificates, each a file in PEM.
//!
//! What is counted is the CPU time of a process that is given all of them, less that of one that is given the first alone: the
//! start of the process and the reading of the anchors are in both. To read the file and its PEM is counted; rules of a profile and
//! revocation are not asked for.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;
use rustls_pki_types::CertificateDer;

use crate::compare::WorkDirectory;
use crate::floor::median;

use super::VerifyArguments;
use super::certificates::Certificates;
use super::rounds::{Answers, Figures};

/// Characters in a line of PEM (RFC 7468 2).
const LINE: usize = 64;

/// What a process took.
struct Run {
    cpu: Duration,
    wall: Duration,
    output: Output,
}

/// What it costs; `None` where the program cannot be run.
pub(super) fn measure(
    arguments: &VerifyArguments,
    certificates: &Certificates,
    roots: &str,
) -> Result<Option<Figures>> {
    if Command::new(&arguments.openssl).arg("version").output().is_err() {
        return Ok(None);
    }
    let directory = files(certificates, roots)?;
    let (mut answers, mut cpu_us, mut per_second) = (Answers::default(), Vec::new(), Vec::new());
    for _ in 0..arguments.rounds {
        let one = run(arguments, directory.path(), 1)?;
        let all = run(arguments, directory.path(), certificates.len())?;
        count(&all.output, certificates.len(), &mut answers);
        let beyond = (certificates.len() - 1) as f64;
        cpu_us.push(all.cpu.saturating_sub(one.cpu).as_secs_f64() * 1e6 / beyond);
        per_second.push(beyond / all.wall.saturating_sub(one.wall).as_secs_f64().max(1e-9));
    }
    Ok(Some(Figures { answers, cpu_us: median(cpu_us), per_second: median(per_second) }))
}

fn run(arguments: &VerifyArguments, directory: &Path, count: usize) -> Result<Run> {
    let (before, begun) = (children_cpu()?, Instant::now());
    let output = Command::new(&arguments.openssl)
        .args(["verify", "-no-CApath", "-no-CAstore", "-CAfile", "roots.pem", "-untrusted", "issuers.pem"])
        .args((0..count).map(file_name))
        .current_dir(directory)
        .output()
        .with_context(|| arguments.openssl.clone())?;
    Ok(Run { cpu: children_cpu()?.saturating_sub(before), wall: begun.elapsed(), output })
}

/// It says of each that is in order that it is.
fn count(output: &Output, given: usize, answers: &mut Answers) {
    let told = String::from_utf8_lossy(&output.stdout);
    let admitted = told.lines().filter(|line| line.ends_with(": OK")).count();
    (0..admitted).for_each(|_| answers.count(None));
    (admitted..given).for_each(|_| answers.count(Some("path")));
}

/// CPU time of the processes that were started and have ended.
fn children_cpu() -> Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).context("CPU time of children")?;
    let us = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Ok(Duration::from_micros(u64::try_from(us).unwrap_or_default()))
}

fn file_name(number: usize) -> String {
    format!("{number}.pem")
}

/// The files of one comparison.
fn files(certificates: &Certificates, roots: &str) -> Result<WorkDirectory> {
    let directory = WorkDirectory::make()?;
    let put = |name: &str, text: &str| {
        let path = directory.path().join(name);
        fs::write(&path, text).with_context(|| path.display().to_string())
    };
    put("roots.pem", roots)?;
    put("issuers.pem", &certificates.issuers().map(pem).collect::<String>())?;
    for (number, (leaf, _)) in certificates.chains().enumerate() {
        put(&file_name(number), &pem(leaf))?;
    }
    Ok(directory)
}

fn pem(certificate: &CertificateDer<'_>) -> String {
    let text = STANDARD.encode(certificate);
    let lines = (0..text.len()).step_by(LINE).map(|at| &text[at..text.len().min(at + LINE)]);
    let lines: Vec<_> = lines.collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}
