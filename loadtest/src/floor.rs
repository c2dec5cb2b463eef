//! The cryptography that no server of a mutual-TLS handshake can avoid: one signature of its own, one of the client checked,
//! one key agreement. What a server uses above the sum is what it adds itself.

use std::hint::black_box;
use std::sync::mpsc::channel;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use aws_lc_rs::agreement::{self, EphemeralPrivateKey, X25519};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair, Signature,
    UnparsedPublicKey,
};
use nix::time::{ClockId, clock_gettime};
use serde::Serialize;

use crate::arguments::FloorArguments;
use crate::driver;
use crate::report::{Report, Row, figure, row};
use crate::watch::{Watch, Watching};

/// Batches of each operation. The median of an odd number is one that was measured.
const BATCHES: usize = 21;
/// Operations in a batch: a few milliseconds, in which the clock's own cost vanishes and a preemption stays in one batch.
const BATCH_OPERATIONS: u32 = 200;
/// Operations of each kind in a look while a load runs: half a millisecond, which the server waits for.
const LOOK_OPERATIONS: u32 = 4;
/// Time between two such looks, which take some hundredths of the core.
const LOOK_EVERY: Duration = Duration::from_millis(25);
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

/// The operations, and what they work on.
struct Cryptography {
    random: SystemRandom,
    pair: EcdsaKeyPair,
    signature: Signature,
    peer: agreement::PublicKey,
}

impl Cryptography {
    fn new() -> Result<Self> {
        let random = SystemRandom::new();
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING)?;
        let signature = pair.sign(&random, &MESSAGE)?;
        let peer = EphemeralPrivateKey::generate(&X25519, &random)?.compute_public_key()?;
        Ok(Self { random, pair, signature, peer })
    }

    fn sign(&self) -> Result<(), Unspecified> {
        self.pair.sign(&self.random, black_box(&MESSAGE)).map(drop)
    }

    /// Reads the public key from its bytes each time, as a handshake does.
    fn verify(&self) -> Result<(), Unspecified> {
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, black_box(self.pair.public_key()))
            .verify(&MESSAGE, black_box(self.signature.as_ref()))
    }

    /// So does this with that of the peer.
    fn x25519(&self) -> Result<(), Unspecified> {
        let own = EphemeralPrivateKey::generate(&X25519, &self.random)?;
        black_box(own.compute_public_key()?);
        let peer = agreement::UnparsedPublicKey::new(&X25519, black_box(&self.peer));
        agreement::agree_ephemeral(own, peer, Unspecified, |secret| {
            black_box(secret);
            Ok(())
        })
    }

    /// What one handshake takes.
    fn all(&self) -> Result<(), Unspecified> {
        self.sign()?;
        self.verify()?;
        self.x25519()
    }
}

/// Measures on the core asked for.
pub(crate) fn measure(arguments: &FloorArguments) -> Result<FloorReport> {
    if let Some(core) = arguments.core {
        driver::pin(&[core])?;
    }
    let cryptography = Cryptography::new()?;
    let sign_us = median_us(|| cryptography.sign())?;
    let verify_us = median_us(|| cryptography.verify())?;
    let x25519_us = median_us(|| cryptography.x25519())?;
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

/// The floor while a load runs, looked at again and again on the core of the server. What slows the machine down at times, such as
/// others that share it, then slows both down.
#[derive(Debug)]
pub(crate) struct FloorWatch(Watch<Result<FloorSeen>>);

/// What a watch saw.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FloorSeen {
    /// Mean over all looks.
    pub(crate) floor_us: f64,
    /// CPU time of the watch itself, all of it.
    pub(crate) cpu: Duration,
}

impl FloorWatch {
    /// Begins to look, on that core.
    pub(crate) fn start(core: usize) -> Result<Self> {
        let (ready, is_ready) = channel();
        let watch = Watch::start("floor", move |watching| {
            driver::pin(&[core])?;
            let cryptography = Cryptography::new()?;
            // Who started it may be gone, which the next look says.
            let _ = ready.send(());
            watch(&cryptography, &watching)
        });
        let watch = Self(watch?);
        // One that has ended says why: before a load of an hour, and not behind it.
        if is_ready.recv().is_err() {
            watch.end()?;
            bail!("the floor is not looked at");
        }
        Ok(watch)
    }

    /// Ends it.
    pub(crate) fn end(self) -> Result<FloorSeen> {
        self.0.end()?.context("floor")
    }
}

/// Looks until there is nobody any more who waits for it to end.
fn watch(cryptography: &Cryptography, watching: &Watching) -> Result<FloorSeen> {
    let (mut looks, mut in_looks) = (0_u32, Duration::ZERO);
    loop {
        // What the server had in the caches meanwhile is paid for here, as the server pays for what is here.
        cryptography.all()?;
        let start = thread_cpu()?;
        for _ in 0..LOOK_OPERATIONS {
            cryptography.all()?;
        }
        in_looks += thread_cpu()?.saturating_sub(start);
        looks += 1;
        if !watching.wait(LOOK_EVERY) {
            break;
        }
    }
    let operations = f64::from(looks) * f64::from(LOOK_OPERATIONS);
    Ok(FloorSeen { floor_us: in_looks.as_secs_f64() * 1e6 / operations, cpu: thread_cpu()? })
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
    fn a_watch_sees_the_floor_and_tells_what_it_cost() {
        let watch = FloorWatch::start(0).unwrap();
        std::thread::sleep(3 * LOOK_EVERY);
        let seen = watch.end().unwrap();
        assert!(seen.floor_us > 0.0);
        let looked_at = f64::from(LOOK_OPERATIONS) * seen.floor_us / 1e6;
        assert!(seen.cpu.as_secs_f64() > looked_at, "{seen:?}");
        assert!(FloorWatch::start(usize::from(u16::MAX)).is_err(), "there is no such core");
    }

    #[test]
    fn the_floor_is_the_sum() {
        let report = measure(&FloorArguments { core: None, format: crate::arguments::Format::Json }).unwrap();
        let parts = [report.sign_us, report.verify_us, report.x25519_us];
        assert!(parts.iter().all(|part| *part > 0.0), "{report:?}");
        assert!((parts.iter().sum::<f64>() - report.floor_us).abs() < 1e-9);
    }
}
