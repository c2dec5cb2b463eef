//! The kinds of client, and how many of the connections each has.

use std::str::FromStr;

use anyhow::{Context, Error, Result, bail, ensure};
use clap::ValueEnum;

/// What is wrong with a client, if anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Kind {
    /// Nothing.
    Good,
    /// Its certificate's time is over.
    Expired,
    /// The issuer has revoked its certificate.
    Revoked,
    /// Its certificate is from a CA that the server does not trust.
    Foreign,
    /// Its certificate grants no role of PSD2.
    Roleless,
}

/// The share of connections that a kind has, written `expired=0.01`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Share {
    pub(crate) kind: Kind,
    parts: u32,
}

/// Parts of a whole: shares are counted in billionths, so that sums over a long run are exact.
const WHOLE: u32 = 1_000_000_000;

impl Kind {
    /// Every kind, the good one first.
    pub(crate) const ALL: [Self; 5] =
        [Self::Good, Self::Expired, Self::Revoked, Self::Foreign, Self::Roleless];

    /// As it is written on the command line and in reports.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::Foreign => "foreign",
            Self::Roleless => "roleless",
        }
    }

    /// Reads a name.
    pub(crate) fn named(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name).with_context(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("{name:?} is none of {names}")
        })
    }
}

impl Share {
    /// So many of a whole.
    pub(crate) fn new(kind: Kind, part: u32, whole: u32) -> Self {
        let parts = u64::from(part) * u64::from(WHOLE) / u64::from(whole.max(1));
        Self { kind, parts: u32::try_from(parts).unwrap_or(WHOLE) }
    }

    /// Whose share it is.
    pub(crate) fn kind(self) -> Kind {
        self.kind
    }

    /// The share as a fraction.
    pub(crate) fn fraction(self) -> f64 {
        f64::from(self.parts) / f64::from(WHOLE)
    }

    /// The share of `count` things, rounded up.
    pub(crate) fn of(self, count: usize) -> usize {
        let parts = count as u64 * u64::from(self.parts);
        usize::try_from(parts.div_ceil(u64::from(WHOLE))).unwrap_or(count)
    }
}

impl FromStr for Share {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (kind, share) = text.split_once('=').context("not of the form KIND=SHARE")?;
        let kind = Kind::named(kind)?;
        ensure!(kind != Kind::Good, "the share of good clients is what the others leave");
        let share: f64 = share.parse().with_context(|| format!("{share:?} is not a number"))?;
        ensure!((1e-9..=1.0).contains(&share), "{share} is not between 0 and 1");
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the range was checked on the line before"
        )]
        let parts = (share * f64::from(WHOLE)).round() as u32;
        Ok(Self { kind, parts })
    }
}

/// Deals kinds in their shares by error diffusion: each kind is owed its share of every connection, and the one that is owed
/// most is next. After any number of connections a kind has had its share of them but for a few, and after a whole period
/// exactly; chance would need a million connections to come within 0.0002 of a share of 0.05.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mix {
    parts: [u32; Kind::ALL.len()],
    owed: [i64; Kind::ALL.len()],
}

impl Mix {
    /// These shares, and the rest for good clients.
    pub(crate) fn new(shares: &[Share]) -> Result<Self> {
        let mut parts = [0; Kind::ALL.len()];
        let mut rest = WHOLE;
        for share in shares {
            let part = &mut parts[share.kind as usize];
            if std::mem::replace(part, share.parts) != 0 {
                bail!("--bad names {} twice", share.kind.name());
            }
            rest = rest.checked_sub(share.parts).context("--bad: the shares are more than the whole")?;
        }
        parts[Kind::Good as usize] = rest;
        Ok(Self { parts, owed: [0; Kind::ALL.len()] })
    }

    /// Nobody else.
    pub(crate) fn only(kind: Kind) -> Self {
        let mut parts = [0; Kind::ALL.len()];
        parts[kind as usize] = WHOLE;
        Self { parts, owed: [0; Kind::ALL.len()] }
    }

    /// The kind of the next connection's client.
    pub(crate) fn next(&mut self) -> Kind {
        let mut next = Kind::Good;
        for kind in Kind::ALL {
            self.owed[kind as usize] += i64::from(self.parts[kind as usize]);
            if self.owed[kind as usize] > self.owed[next as usize] {
                next = kind;
            }
        }
        self.owed[next as usize] -= i64::from(WHOLE);
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(text: &str) -> Vec<Share> {
        text.split(',').map(|share| share.parse().unwrap()).collect()
    }

    #[test]
    fn shares_are_exact_and_never_far_off() {
        let mut mix = Mix::new(&shares("expired=0.01,revoked=0.02,foreign=0.01,roleless=0.05")).unwrap();
        let mut dealt = [0_u32; 5];
        for number in 1..=10_000_u32 {
            dealt[mix.next() as usize] += 1;
            for (dealt, share) in dealt.iter().zip([0.91, 0.01, 0.02, 0.01, 0.05]) {
                assert!((f64::from(*dealt) - share * f64::from(number)).abs() <= 2.0, "{dealt} of {number}");
            }
        }
        assert_eq!(dealt, [9100, 100, 200, 100, 500]);
    }

    #[test]
    fn a_kind_may_have_all() {
        let mut mix = Mix::new(&shares("foreign=1")).unwrap();
        assert!((0..100).all(|_| mix.next() == Kind::Foreign));
        let mut good = Mix::new(&[]).unwrap();
        assert!((0..100).all(|_| good.next() == Kind::Good));
    }

    #[test]
    fn shares_that_make_no_sense_are_refused() {
        for text in
            ["expired", "expired=", "expired=-0.1", "expired=1.1", "expired=0", "late=0.1", "good=0.5"]
        {
            assert!(text.parse::<Share>().is_err(), "{text:?}");
        }
        assert!(Mix::new(&shares("expired=0.6,foreign=0.5")).is_err());
        assert!(Mix::new(&shares("expired=0.1,expired=0.1")).is_err());
        assert_eq!("expired=0.01".parse::<Share>().unwrap().of(101), 2);
    }
}
