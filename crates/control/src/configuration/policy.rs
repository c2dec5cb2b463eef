//! `[policy.NAME]`, and in `[keys]` for whom each is.

use std::{net::IpAddr, sync::Arc};

use ipnet::IpNet;
use portcullis_gateway::plan::{Assignee, Policies};
use portcullis_identity::Role;
use portcullis_keys::{Hours, Policy, Rate, is_name};
use portcullis_policy::RequestPath;

use super::{
    entry::Entry,
    mistake::{Located, Place, Report, shown},
    section::Section,
};

pub(crate) const KEYS: &[&str] = &[
    "deny",
    "rate",
    "burst",
    "requests_max",
    "connections_max",
    "daily_quota",
    "networks",
    "hours",
    "methods",
    "paths",
    "body_bytes_max",
];
pub(crate) const ASSIGN_KEYS: &[&str] = &["tag", "role", "policy"];

/// A terabyte: as good as none.
const BODY_BYTES_MOST: u64 = 1 << 40;

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// A policy as written.
pub(crate) struct PolicyWritten {
    place: Place,
    policy: Policy,
}

impl PolicyWritten {
    /// Reads one. After a mistake what it limits is left out; the result is thrown away in the end.
    pub(crate) fn read(name: &str, section: &Section<'_>) -> Self {
        if !is_name(name) {
            let message = "the name of a policy has 1 to 64 letters, digits, hyphens, underscores, full stops, colons or slashes";
            section.report().mistake(section.place(), message);
        }
        let count = |key| section.count(key, 0..=u64::from(u32::MAX)).written();
        let small = |key| count(key).map(|count| u32::try_from(count.value).unwrap_or(u32::MAX));
        let policy = Policy {
            name: name.into(),
            deny: section.flag("deny").or(false),
            rate: rate(section),
            requests_max: small("requests_max"),
            connections_max: small("connections_max"),
            daily_quota: count("daily_quota").map(|count| count.value),
            networks: each(section, "networks", "is no network, such as \"192.0.2.0/24\"", network),
            hours: each(section, "hours", "is no time, such as \"mon-fri 07:00-19:30\" (UTC)", hours),
            methods: each(section, "methods", "is no method, such as \"GET\"", method),
            body_bytes_max: section
                .size("body_bytes_max", 0..=BODY_BYTES_MOST)
                .written()
                .map(|size| size.value),
            paths: each(section, "paths", "is no path that a request can ask for", path),
        };
        Self { place: section.place().clone(), policy }
    }
}

/// Policies, and for whom `[keys]` says that they are. `None` after a mistake there.
pub(crate) fn load(
    written: Vec<PolicyWritten>,
    keys: Option<&Section<'_>>,
    report: &Report,
) -> Option<Policies> {
    let places: Vec<Place> = written.iter().map(|written| written.place.clone()).collect();
    let named: Vec<Arc<Policy>> = written.into_iter().map(|written| Arc::new(written.policy)).collect();
    let Some(keys) = keys else {
        for place in places {
            report.mistake(&place, "there is no [keys], whose holders it could be for");
        }
        return Some(Policies::default());
    };
    let find = |written: Located<String>| {
        let found = named.iter().position(|policy| *policy.name == *written.value);
        if found.is_none() {
            report.mistake(&written.place, format!("there is no [policy.{}]", shown(&written.value)));
        }
        found
    };
    let default = keys.text("default_policy");
    let is_mistaken = matches!(default, Entry::Mistaken);
    let default = default.written().map(find);
    let assigned: Vec<_> = keys.sections("assign", ASSIGN_KEYS).iter().map(|it| assigned(it, find)).collect();
    let default = match default {
        Some(default) => Some(default?),
        None if is_mistaken => return None,
        None => None,
    };
    Some(Policies { named, assigned: assigned.into_iter().collect::<Option<_>>()?, default })
}

/// Keys with a tag, or holders of a role, and their policy.
fn assigned(
    section: &Section<'_>,
    find: impl Fn(Located<String>) -> Option<usize>,
) -> Option<(Assignee, usize)> {
    let policy = section.required_text("policy").written().and_then(find);
    let roles = Role::ALL.map(|role| (role.as_str(), role));
    let (tag, role) = (section.text("tag"), section.choice("role", &roles));
    let assignee = match (tag, role) {
        (Entry::Written(tag), Entry::Absent) if is_name(&tag.value) => Assignee::Tag(tag.value.into()),
        (Entry::Written(tag), Entry::Absent) => {
            section.report().mistake(&tag.place, format!("{} is no tag", shown(&tag.value)));
            return None;
        }
        (Entry::Absent, Entry::Written(role)) => Assignee::Role(role.value),
        (Entry::Mistaken, _) | (_, Entry::Mistaken) => return None,
        _ => {
            section.report().mistake(section.place(), "must name a tag or a role, and not both");
            return None;
        }
    };
    Some((assignee, policy?))
}

fn rate(section: &Section<'_>) -> Option<Rate> {
    let written = section.text("rate").written();
    let burst = section.count("burst", 1..=1_000_000);
    let Some(written) = written else {
        if let Some(burst) = burst.as_written().filter(|_| !section.has("rate")) {
            section.report().mistake(&burst.place, "has no effect without a rate");
        }
        return None;
    };
    let Some((requests, period_s)) = parse_rate(&written.value) else {
        let message = "is no rate, such as \"100/s\", \"5/m\" or \"1000/h\"";
        section.report().mistake(&written.place, format!("{} {message}", shown(&written.value)));
        return None;
    };
    // Without more, a second's worth at once.
    let burst = burst.written().and_then(|burst| u32::try_from(burst.value).ok());
    Some(Rate { requests, period_s, burst: burst.unwrap_or((requests / period_s).max(1)) })
}

fn parse_rate(text: &str) -> Option<(u32, u32)> {
    let (requests, unit) = text.split_once('/')?;
    let period_s = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        _ => return None,
    };
    let requests = requests.bytes().all(|byte| byte.is_ascii_digit()).then(|| requests.parse().ok())??;
    (1..=1_000_000).contains(&requests).then_some((requests, period_s))
}

fn network(text: &str) -> Option<IpNet> {
    let network: IpNet = match text.parse::<IpAddr>() {
        Ok(address) => address.into(),
        Err(_) => text.parse().ok()?,
    };
    // Bits behind the prefix are a slip of whoever wrote them. Clients are told from networks by the address of IPv4 where they have one.
    let is_mapped = matches!(network.addr(), IpAddr::V6(address) if address.to_ipv4_mapped().is_some());
    (network.network() == network.addr() && !is_mapped).then_some(network)
}

fn method(text: &str) -> Option<Box<str>> {
    let is_method = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-');
    is_method.then(|| text.into())
}

fn path(text: &str) -> Option<Box<str>> {
    let path = RequestPath::parse(text).ok()?;
    Some(path.as_str().trim_end_matches('/').into())
}

/// `mon-fri 07:00-19:30`, `sat 08:00-12:00`.
fn hours(text: &str) -> Option<Hours> {
    let (days, times) = text.split_once(' ')?;
    let day = |name: &str| DAYS.iter().position(|day| *day == name);
    let (first, last) = match days.split_once('-') {
        Some((first, last)) => (day(first)?, day(last)?),
        None => (day(days)?, day(days)?),
    };
    let (from, to) = times.split_once('-')?;
    let (from_min, to_min) = (minute(from)?, minute(to)?);
    let days = (first..=last).fold(0, |days, day| days | 1 << day);
    (days != 0 && from_min < to_min).then_some(Hours { days, from_min, to_min })
}

fn minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let is_number = |text: &str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = |text: &str| text.parse::<u16>().ok().filter(|_| is_number(text));
    let (hour, minute) = (number(hour)?, number(minute)?);
    (minute < 60 && hour * 60 + minute <= 24 * 60).then_some(hour * 60 + minute)
}

/// What stands in a list, each read in the same way.
fn each<T>(
    section: &Section<'_>,
    key: &'static str,
    complaint: &str,
    read: impl Fn(&str) -> Option<T>,
) -> Box<[T]> {
    let Some(list) = section.texts(key).written() else { return Box::default() };
    if list.value.is_empty() {
        section.report().mistake(&list.place, "must name at least one");
    }
    let one = |text: &Located<String>| {
        let read = read(&text.value);
        if read.is_none() {
            section.report().mistake(&text.place, format!("{} {complaint}", shown(&text.value)));
        }
        read
    };
    list.value.iter().filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_rates_and_networks_are_read_in_one_way() {
        let of = |days, from_min, to_min| Some(Hours { days, from_min, to_min });
        assert_eq!(hours("mon-fri 07:00-19:30"), of(0b001_1111, 420, 1170));
        assert_eq!(hours("sun 00:00-24:00"), of(0b100_0000, 0, 1440));
        for odd in [
            "",
            "mon",
            "mon 7:00-8:00",
            "fri-mon 07:00-08:00",
            "mon 08:00-07:00",
            "mon 08:00-08:00",
            "day 07:00-08:00",
            "mon 00:00-24:01",
            "mon 00:60-02:00",
            "mon +1:00-02:00",
        ] {
            assert_eq!(hours(odd), None, "{odd}");
        }
        assert_eq!(
            (parse_rate("100/s"), parse_rate("5/m"), parse_rate("7/h")),
            (Some((100, 1)), Some((5, 60)), Some((7, 3600)))
        );
        for odd in ["", "/s", "0/s", "1/d", "+1/s", "1000001/s", "1.5/s", "1/s "] {
            assert_eq!(parse_rate(odd), None, "{odd}");
        }
        assert!(
            network("192.0.2.0/24").is_some() && network("::1").is_some() && network("192.0.2.7").is_some()
        );
        assert!(
            network("192.0.2.7/24").is_none() && network("192.0.2.0/33").is_none() && network("x").is_none()
        );
        assert!(network("::ffff:192.0.2.0/120").is_none() && network("::ffff:192.0.2.7").is_none());
        assert_eq!(path("/v1/accounts/").as_deref(), Some("/v1/accounts"));
        assert!(path("v1").is_none() && path("/a/../b").is_none());
        assert!(method("GET").is_some() && method("get").is_none() && method("").is_none());
    }
}
