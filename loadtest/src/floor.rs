//! The cryptography that no server of a mutual-TLS handshake can avoid: one signature of its own, one of the client checked,
//! one key agreement. What a server uses above the sum is what it adds itself.

use std::hint::black_box;
use std::time::Duration;

use anyhow::{Context, Result};
use aws_lc_rs::agreement::{self, EphemeralPrivateKey, X25519};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair, UnparsedPublicKey,
};
use nix::time::{ClockId, clock_gettime};
use serde::Serialize;

use crate::arguments::FloorArguments;
use crate::driver;
use crate::report::{Report, Row, figure, row};

/// Batches of each operation. The median of an odd number is one that was measured.
const BATCHES: usize = 21;
/// Operations in a batch: a few milliseconds, in which the clock's own cost vanishes and a preemption stays in one batch.
const BATCH_OPERATIONS: u32 = 200;
/// Length of what is signed: the content of a CertificateVerify with SHA-256 (RFC 8446, section 4.4.3).
const MESSAGE: [u8; 130] = [0x20; 130];

/// CPU time of each operation.
#[derive(Debug, Serialize)]
pub(crate) struct FloorReport {
    command: &'static str,
    core: Option<usize>,
    batches: usize,
    batch_operations: u32,
    sign_us: f64,
    verify_us: f64,
    x25519_us: f64,
    floor_us: f64,
}

/// Measures on the core asked for.
pub(crate) fn measure(arguments: &FloorArguments) -> Result<FloorReport> {
    if let Some(core) = arguments.core {
        driver::pin(&[core])?;
    }
    let random = SystemRandom::new();
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING)?;
    let signature = pair.sign(&random, &MESSAGE)?;
    let peer = EphemeralPrivateKey::generate(&X25519, &random)?.compute_public_key()?;

    let sign_us = median_us(|| pair.sign(&random, black_box(&MESSAGE)).map(drop))?;
    // Both public keys are read from their bytes each time, as they are in a handshake.
    let verify_us = median_us(|| {
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, black_box(pair.public_key()))
            .verify(&MESSAGE, black_box(signature.as_ref()))
    })?;
    let x25519_us = median_us(|| {
        let own = EphemeralPrivateKey::generate(&X25519, &random)?;
        black_box(own.compute_public_key()?);
        let peer = agreement::UnparsedPublicKey::new(&X25519, black_box(&peer));
        agreement::agree_ephemeral(own, peer, Unspecified, |secret| {
            black_box(secret);
            Ok(())
        })
    })?;
    Ok(FloorReport {
        command: "floor",
        core: arguments.core,
        batches: BATCHES,
        batch_operations: BATCH_OPERATIONS,
        sign_us,
        verify_us,
        x25519_us,
        floor_us: sign_us + verify_us + x25519_us,
    })
}

/// Median over the batches of the thread's CPU time for one operation. One batch more warms up and is left out.
fn median_us(operation: impl Fn() -> Result<(), Unspecified>) -> Result<f64> {
    let mut batches_us = Vec::with_capacity(BATCHES);
    for batch in 0..=BATCHES {
        let start = thread_cpu()?;
        for _ in 0..BATCH_OPERATIONS {
            operation()?;
        }
        let used = thread_cpu()?.saturating_sub(start);
        if batch > 0 {
            batches_us.push(used.as_secs_f64() * 1e6 / f64::from(BATCH_OPERATIONS));
        }
    }
    Ok(median(batches_us))
}

/// CPU time of this thread so far.
pub(crate) fn thread_cpu() -> Result<Duration> {
    let now = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).context("thread CPU clock")?;
    Ok(now.into())
}

/// The middle one; of an even number the higher of the two.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

impl Report for FloorReport {
    fn complaint(&self) -> Option<String> {
        None
    }

    fn rows(&self) -> Vec<Row> {
        vec![
            row("core", self.core.map_or_else(|| "not pinned".to_owned(), |core| core.to_string())),
            figure("ECDSA P-256 sign", Some(self.sign_us), "us"),
            figure("ECDSA P-256 verify", Some(self.verify_us), "us"),
            figure("X25519 key and agreement", Some(self.x25519_us), "us"),
            figure("floor", Some(self.floor_us), "us"),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_not_moved_by_one_batch() {
        assert!((median(vec![3.0, 1.0, 900.0, 2.0, 2.5]) - 2.5).abs() < f64::EPSILON);
    }

    #[test]
    fn the_floor_is_the_sum() {
        let report = measure(&FloorArguments { core: None, format: crate::arguments::Format::Json }).unwrap();
        let parts = [report.sign_us, report.verify_us, report.x25519_us];
        assert!(parts.iter().all(|part| *part > 0.0), "{report:?}");
        assert!((parts.iter().sum::<f64>() - report.floor_us).abs() < 1e-9);
    }
}
