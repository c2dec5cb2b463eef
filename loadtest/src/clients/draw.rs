//! The choice of the next client: its kind by exact shares, itself by chance.

use anyhow::{Result, anyhow};
use rand_distr::{Distribution as _, Uniform, Zipf};
use rand_pcg::Pcg64;
use rand_pcg::rand_core::SeedableRng as _;

use super::arguments::Choice;
use super::kind::{Kind, Mix};

/// Sets the seeds of threads apart: 2^64 over the golden ratio, whose multiples lie evenly.
const THREAD_STRIDE: u64 = 0x9e37_79b9_7f4a_7c15;

/// The state of one thread's choices. Threads share nothing, so what one of them chooses does not depend on the others' pace.
#[derive(Clone, Debug)]
pub(crate) struct Draw {
    numbers: Pcg64,
    mix: Mix,
}

/// The distribution over the clients of one kind.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Distribution {
    Uniform(Uniform<u32>),
    /// Gives 1 and more.
    Zipf(Zipf<f64>),
}

impl Draw {
    /// The beginning of a thread's choices.
    pub(crate) fn new(seed: u64, thread: u64, mix: Mix) -> Self {
        let numbers = Pcg64::seed_from_u64(seed.wrapping_add(thread.wrapping_mul(THREAD_STRIDE)));
        Self { numbers, mix }
    }

    /// The next client's kind.
    pub(super) fn kind(&mut self) -> Kind {
        self.mix.next()
    }

    /// One of the clients that a distribution is over, counted from 0.
    pub(super) fn index(&mut self, distribution: &Distribution) -> usize {
        match distribution {
            Distribution::Uniform(uniform) => uniform.sample(&mut self.numbers) as usize,
            Distribution::Zipf(zipf) => {
                #[allow(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "it is a whole number from 1 to the count of clients"
                )]
                let rank = zipf.sample(&mut self.numbers) as usize;
                rank - 1
            }
        }
    }
}

impl Distribution {
    /// Over so many clients, at least one.
    pub(crate) fn new(choice: Choice, exponent: f64, clients: u32) -> Result<Self> {
        Ok(match choice {
            Choice::Uniform => Self::Uniform(Uniform::new(0, clients)?),
            Choice::Zipf => {
                let zipf = Zipf::new(f64::from(clients), exponent);
                Self::Zipf(zipf.map_err(|error| anyhow!("--zipf-exponent {exponent}: {error}"))?)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(choice: Choice, exponent: f64, seed: u64) -> Vec<u32> {
        let distribution = Distribution::new(choice, exponent, 100).unwrap();
        let mut draw = Draw::new(seed, 0, Mix::new(&[]).unwrap());
        let mut counts = vec![0; 100];
        for _ in 0..100_000 {
            counts[draw.index(&distribution)] += 1;
        }
        counts
    }

    /// Pearson's statistic of 100 counts: past 149 with a chance of 0.1 % (chi-square, 99 degrees of freedom). The seed is fixed, so
    /// the test does not depend on luck.
    fn deviation(counts: &[u32], weight: impl Fn(f64) -> f64) -> f64 {
        let weights: Vec<f64> = (1..=100).map(|rank| weight(f64::from(rank))).collect();
        let sum: f64 = weights.iter().sum();
        let expected = weights.iter().map(|weight| weight / sum * 100_000.0);
        counts
            .iter()
            .zip(expected)
            .map(|(count, expected)| (f64::from(*count) - expected).powi(2) / expected)
            .sum()
    }

    #[test]
    fn clients_come_as_often_as_the_distribution_says() {
        for seed in [0, 1, 20_261_126] {
            assert!(deviation(&counts(Choice::Uniform, 1.0, seed), |_| 1.0) < 149.0);
            for exponent in [0.5, 1.0, 1.3] {
                let counts = counts(Choice::Zipf, exponent, seed);
                assert!(deviation(&counts, |rank| rank.powf(-exponent)) < 149.0, "{exponent}: {counts:?}");
                assert!(deviation(&counts, |_| 1.0) > 149.0, "the test would notice");
            }
        }
    }

    #[test]
    fn a_seed_repeats_and_threads_differ() {
        assert_eq!(counts(Choice::Zipf, 1.0, 5), counts(Choice::Zipf, 1.0, 5));
        assert_ne!(counts(Choice::Zipf, 1.0, 5), counts(Choice::Zipf, 1.0, 6));
        let distribution = Distribution::new(Choice::Uniform, 1.0, 1000).unwrap();
        let [one, other] = [0, 1].map(|thread| {
            let mut draw = Draw::new(5, thread, Mix::new(&[]).unwrap());
            (0..10).map(|_| draw.index(&distribution)).collect::<Vec<_>>()
        });
        assert_ne!(one, other);
    }

    #[test]
    fn an_exponent_is_not_negative() {
        for exponent in [-1.0, f64::NAN] {
            assert!(Distribution::new(Choice::Zipf, exponent, 3).is_err());
        }
    }
}
