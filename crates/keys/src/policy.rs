//! What the holder of a key may do, beside what its roles let it.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use thiserror::Error;

use crate::limit::{Claim, KeyUse, Rate};

/// A policy as configured. What is `None` or empty limits nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// What it is called.
    pub name: Box<str>,
    /// Whether nothing is allowed.
    pub deny: bool,
    /// How often the holder may ask.
    pub rate: Option<Rate>,
    /// Requests under way at a time.
    pub requests_max: Option<u32>,
    /// Connections at a time.
    pub connections_max: Option<u32>,
    /// Requests of a day (UTC).
    pub daily_quota: Option<u64>,
    /// Where the holder may come from.
    pub networks: Box<[IpNet]>,
    /// When it may ask.
    pub hours: Box<[Hours]>,
    /// Methods that it may use, as HTTP spells them.
    pub methods: Box<[Box<str>]>,
    /// Bytes of the body of a request.
    pub body_bytes_max: Option<u64>,
    /// Prefixes of the paths that it may ask for, in canonical form and without a slash at the end.
    pub paths: Box<[Box<str>]>,
}

/// A time of the day on some days of the week, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hours {
    /// Bit 0 is Monday.
    pub days: u8,
    /// The first minute of the day.
    pub from_min: u16,
    /// The minute behind the last; 1440 for the end of the day.
    pub to_min: u16,
}

/// A request of the holder.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The method.
    pub method: &'a str,
    /// The path in canonical form.
    pub path: &'a str,
    /// The length of the body, as far as it is announced.
    pub body_bytes: u64,
    /// The client's address; `None` where it is not known.
    pub peer: Option<IpAddr>,
    /// The present, in seconds of Unix time.
    pub unix_now: i64,
    /// The present by the clock that all shards share.
    pub now_ns: u64,
}

/// What of a policy is overstepped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Overstep {
    /// Nothing is allowed.
    #[error("nothing is allowed to you at present")]
    Denied,
    /// The client's address.
    #[error("you may not come from this address")]
    Network,
    /// The time.
    #[error("you may not ask at this time of the day or the week")]
    Hours,
    /// The method.
    #[error("you may not use this method")]
    Method,
    /// The path.
    #[error("you may not ask for this path")]
    Path,
    /// The body.
    #[error("the body of the request has more than {bytes_max} bytes")]
    Body {
        /// How many it may have.
        bytes_max: u64,
    },
    /// There are as many connections as there may be.
    #[error(
        "you have as many connections as you may have, {connections_max}; this one is served when another has ended"
    )]
    Connections {
        /// How many.
        connections_max: u32,
    },
    /// There are as many requests under way as there may be.
    #[error("you have as many requests under way as you may have, {requests_max}")]
    Requests {
        /// How many.
        requests_max: u32,
    },
    /// Requests come too fast.
    #[error("you may ask {} times in {} s, {} at once", .rate.requests, .rate.period_s, .rate.burst)]
    Rate {
        /// How fast they may come.
        rate: Rate,
        /// When one more may come.
        retry_after_s: u64,
    },
    /// The day has had its requests.
    #[error("you may ask {quota} times a day (UTC)")]
    Quota {
        /// How many.
        quota: u64,
        /// When the next day begins.
        retry_after_s: u64,
    },
}

impl Overstep {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Denied => "policy.denied",
            Self::Network => "policy.network",
            Self::Hours => "policy.hours",
            Self::Method => "policy.method",
            Self::Path => "policy.path",
            Self::Body { .. } => "policy.body",
            Self::Connections { .. } => "policy.connections",
            Self::Requests { .. } => "policy.requests",
            Self::Rate { .. } => "policy.rate",
            Self::Quota { .. } => "policy.quota",
        }
    }

    /// Whether it is of the moment: the same may be asked again.
    pub const fn is_of_the_moment(&self) -> bool {
        matches!(
            self,
            Self::Connections { .. } | Self::Requests { .. } | Self::Rate { .. } | Self::Quota { .. }
        )
    }
}

impl Policy {
    /// Whether a request may go on, which is counted then. The claim, where there is one, is held while the request is under way.
    ///
    /// What does not count is asked first, so that what is refused for itself spends nothing; and the quota last, so that what is only too
    /// fast does not spend the day.
    ///
    /// # Errors
    /// [`Overstep`].
    pub fn admit(&self, usage: &Arc<KeyUse>, asked: &Asked<'_>) -> Result<Option<Claim>, Overstep> {
        self.allow(asked)?;
        let claim = match self.requests_max {
            Some(requests_max) => {
                Some(usage.claim_request(requests_max).ok_or(Overstep::Requests { requests_max })?)
            }
            None => None,
        };
        if let Some(rate) = self.rate {
            usage
                .take(rate, asked.now_ns)
                .map_err(|wait_ns| Overstep::Rate { rate, retry_after_s: wait_ns.div_ceil(1_000_000_000) })?;
        }
        if let Some(quota) = self.daily_quota {
            usage.take_of_day(quota, asked.unix_now).map_err(|wait_s| Overstep::Quota {
                quota,
                retry_after_s: u64::try_from(wait_s).unwrap_or(1),
            })?;
        }
        Ok(claim)
    }

    /// Whether a request would be allowed however often it came. From which network is not asked where its address is not known.
    ///
    /// # Errors
    /// [`Overstep`].
    pub fn allow(&self, asked: &Asked<'_>) -> Result<(), Overstep> {
        let is_within = |peer: IpAddr| {
            let peer = peer.to_canonical();
            self.networks.is_empty() || self.networks.iter().any(|network| network.contains(&peer))
        };
        if self.deny {
            Err(Overstep::Denied)
        } else if !asked.peer.is_none_or(is_within) {
            Err(Overstep::Network)
        } else if !self.hours.is_empty() && !self.hours.iter().any(|hours| hours.have(asked.unix_now)) {
            Err(Overstep::Hours)
        } else if !self.methods.is_empty() && !self.methods.iter().any(|method| **method == *asked.method) {
            Err(Overstep::Method)
        } else if !self.paths.is_empty() && !self.paths.iter().any(|prefix| covers(prefix, asked.path)) {
            Err(Overstep::Path)
        } else if let Some(bytes_max) = self.body_bytes_max.filter(|bytes_max| asked.body_bytes > *bytes_max)
        {
            Err(Overstep::Body { bytes_max })
        } else {
            Ok(())
        }
    }
}

impl Hours {
    /// Whether a time in seconds of Unix time is one of these.
    fn have(&self, unix_now: i64) -> bool {
        let (day, second) = (unix_now.div_euclid(86_400), unix_now.rem_euclid(86_400));
        // The first of January 1970 was a Thursday.
        let weekday = (day + 3).rem_euclid(7);
        let minute = second / 60;
        self.days & 1 << weekday != 0 && (i64::from(self.from_min)..i64::from(self.to_min)).contains(&minute)
    }
}

fn covers(prefix: &str, path: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A Monday at noon.
    const NOON: i64 = 1_790_596_800;

    fn asked() -> Asked<'static> {
        let peer = Some("192.0.2.7".parse().unwrap());
        Asked { method: "GET", path: "/v1/accounts/7", body_bytes: 7, peer, unix_now: NOON, now_ns: 5 }
    }

    fn told(policy: &Policy, asked: &Asked<'_>) -> &'static str {
        match policy.admit(&Arc::new(KeyUse::default()), asked) {
            Ok(_) => "admitted",
            Err(overstep) => overstep.code(),
        }
    }

    #[test]
    fn each_limit_has_its_code() {
        let of = |change: &dyn Fn(&mut Policy)| {
            let mut policy = Policy::default();
            change(&mut policy);
            policy
        };
        let networks = |text: &str| of(&|policy| policy.networks = [text.parse().unwrap()].into());
        let methods = |method: &str| of(&|policy| policy.methods = [method.into()].into());
        let paths = |path: &str| of(&|policy| policy.paths = [path.into()].into());
        let hours =
            |days, from_min, to_min| of(&|policy| policy.hours = [Hours { days, from_min, to_min }].into());
        for (policy, expected) in [
            (Policy::default(), "admitted"),
            (of(&|policy| policy.deny = true), "policy.denied"),
            (networks("192.0.2.0/24"), "admitted"),
            (networks("198.51.100.0/24"), "policy.network"),
            (methods("GET"), "admitted"),
            (methods("get"), "policy.method"),
            (methods("POST"), "policy.method"),
            (paths("/v1/accounts"), "admitted"),
            (paths("/v1/accounts/7"), "admitted"),
            (paths("/v1/account"), "policy.path"),
            (hours(0b000_0001, 12 * 60, 13 * 60), "admitted"),
            (hours(0b000_0001, 11 * 60, 12 * 60), "policy.hours"),
            (hours(0b111_1110, 0, 1440), "policy.hours"),
            (of(&|policy| policy.body_bytes_max = Some(7)), "admitted"),
            (of(&|policy| policy.body_bytes_max = Some(6)), "policy.body"),
            (of(&|policy| policy.requests_max = Some(0)), "policy.requests"),
            (of(&|policy| policy.daily_quota = Some(0)), "policy.quota"),
        ] {
            assert_eq!(told(&policy, &asked()), expected, "{policy:?}");
        }
        let mapped = Asked { peer: "::ffff:192.0.2.7".parse().ok(), ..asked() };
        assert_eq!(told(&networks("192.0.2.0/24"), &mapped), "admitted", "it is the same address");
        let unknown = Asked { peer: None, ..asked() };
        assert_eq!(told(&networks("198.51.100.0/24"), &unknown), "admitted");
    }

    #[test]
    fn what_is_refused_spends_nothing() {
        let rate = Rate { requests: 1, period_s: 60, burst: 1 };
        let policy =
            Policy { rate: Some(rate), daily_quota: Some(2), requests_max: Some(1), ..Policy::default() };
        let usage = Arc::new(KeyUse::default());
        let held = policy.admit(&usage, &asked()).unwrap();
        assert_eq!(policy.admit(&usage, &asked()).unwrap_err(), Overstep::Requests { requests_max: 1 });
        drop(held);
        for _ in 0..5 {
            let error = policy.admit(&usage, &asked()).unwrap_err();
            assert_eq!(error, Overstep::Rate { rate, retry_after_s: 60 });
        }
        let later = |minutes: u64| Asked { now_ns: minutes * 60_000_000_000 + 5, ..asked() };
        assert!(policy.admit(&usage, &later(1)).is_ok(), "the day has one left, and nothing is under way");
        let error = policy.admit(&usage, &later(2)).unwrap_err();
        assert_eq!(error, Overstep::Quota { quota: 2, retry_after_s: 12 * 60 * 60 });
    }
}
