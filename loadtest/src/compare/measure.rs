//! What can be measured. Every figure is a cost: less is better.

use clap::ValueEnum;
use clap::builder::PossibleValue;

/// One measure: what the load does, and how the servers are set up for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Measure {
    /// Its name on the command line and in results.
    pub(crate) name: &'static str,
    /// What it is, for people.
    pub(crate) title: &'static str,
    /// What the load does.
    pub(crate) work: Work,
    /// Whether `loadtest backend` answers; else the server does.
    pub(crate) proxied: bool,
    /// How the server is started.
    pub(crate) setup: Setup,
}

/// What the load does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// A connection, a handshake and one GET, again and again: the server's CPU time.
    Handshake { tls: &'static str, resumed: bool },
    /// The same, and the time that one takes on average when the server has no pause.
    Throughput,
    /// The same while the server is told to reload every second: the 99th percentile of latency.
    Reload,
    /// GETs on connections that are kept: the server's CPU time. A stream count is for HTTP/2.
    Request { bytes: Option<u64>, count: u64, streams: Option<u32> },
    /// Connections that are held: the server's memory.
    Idle,
}

/// How a server is started. Servers of one setup serve all measures that need it, memory apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Setup {
    /// The key of its certificate.
    pub(crate) key: ServerKey,
    /// Whether it resumes sessions. Otherwise it also sends no tickets, which would cost it CPU time for nothing.
    pub(crate) resumes: bool,
    /// Whether it can be told to reload: `HAProxy` then needs a process above the one that serves.
    pub(crate) reloads: bool,
    /// Cores that it has, each with one thread.
    pub(crate) cores: usize,
}

/// The key of a server's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ServerKey {
    /// ECDSA on P-256
    P256,
    /// RSA with 2,048 bits
    Rsa2048,
}

/// What a figure counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Microseconds of the server's CPU time for an operation
    CpuUs,
    /// Microseconds between the ends of two operations
    WallUs,
    /// Microseconds of latency
    LatencyUs,
    /// Bytes of the server's memory for a connection
    Bytes,
}

impl Unit {
    /// As it stands beside a figure.
    pub(crate) fn symbol(self) -> &'static str {
        match self {
            Self::CpuUs | Self::WallUs | Self::LatencyUs => "µs",
            Self::Bytes => "bytes",
        }
    }

    /// What the figure is.
    pub(crate) fn of(self) -> &'static str {
        match self {
            Self::CpuUs => "server CPU for an operation",
            Self::WallUs => "time for an operation at full load",
            Self::LatencyUs => "99th percentile of latency",
            Self::Bytes => "server memory for a connection",
        }
    }
}

const PLAIN: Setup = Setup { key: ServerKey::P256, resumes: false, reloads: false, cores: 1 };
const RSA: Setup = Setup { key: ServerKey::Rsa2048, ..PLAIN };
const RESUMES: Setup = Setup { resumes: true, ..PLAIN };
const RELOADS: Setup = Setup { reloads: true, ..PLAIN };
const TWO_CORES: Setup = Setup { cores: 2, ..PLAIN };

const fn handshake(name: &'static str, title: &'static str, tls: &'static str, setup: Setup) -> Measure {
    Measure { name, title, work: Work::Handshake { tls, resumed: setup.resumes }, proxied: false, setup }
}

const fn request(name: &'static str, title: &'static str, proxied: bool, streams: Option<u32>) -> Measure {
    let work = Work::Request { bytes: None, count: 40_000, streams };
    Measure { name, title, work, proxied, setup: PLAIN }
}

const fn body(name: &'static str, title: &'static str, bytes: u64, count: u64) -> Measure {
    let work = Work::Request { bytes: Some(bytes), count, streams: None };
    Measure { name, title, work, proxied: true, setup: PLAIN }
}

impl Measure {
    /// All, in the order in which they are made and written.
    pub(crate) const ALL: [Self; 21] = [
        handshake("handshake", "full handshake, TLS 1.3, P-256", "1.3", PLAIN),
        handshake("handshake-tls12", "full handshake, TLS 1.2, P-256", "1.2", PLAIN),
        handshake("handshake-rsa", "full handshake, TLS 1.3, RSA-2048", "1.3", RSA),
        handshake("handshake-tls12-rsa", "full handshake, TLS 1.2, RSA-2048", "1.2", RSA),
        Self {
            proxied: true,
            ..handshake("handshake-proxied", "full handshake, TLS 1.3, P-256, proxied", "1.3", PLAIN)
        },
        handshake("resumed", "resumed handshake, TLS 1.3", "1.3", RESUMES),
        handshake("resumed-tls12", "resumed handshake, TLS 1.2", "1.2", RESUMES),
        request("request", "keep-alive GET", false, None),
        request("request-h2", "keep-alive GET, HTTP/2, 1 stream", false, Some(1)),
        request("request-h2-10", "keep-alive GET, HTTP/2, 10 streams", false, Some(10)),
        request("proxied", "keep-alive GET, proxied", true, None),
        request("proxied-h2", "keep-alive GET, proxied, HTTP/2, 1 stream", true, Some(1)),
        request("proxied-h2-10", "keep-alive GET, proxied, HTTP/2, 10 streams", true, Some(10)),
        body("body-1k", "proxied answer of 1 KiB", 1 << 10, 20_000),
        body("body-64k", "proxied answer of 64 KiB", 1 << 16, 5_000),
        body("body-1m", "proxied answer of 1 MiB", 1 << 20, 500),
        body("body-10m", "proxied answer of 10 MiB", 10 << 20, 60),
        Self {
            work: Work::Throughput,
            ..handshake("rate-1core", "full handshakes as fast as one core can", "1.3", PLAIN)
        },
        Self {
            work: Work::Throughput,
            ..handshake("rate-2cores", "full handshakes as fast as two cores can", "1.3", TWO_CORES)
        },
        Self {
            work: Work::Reload,
            ..handshake("reload", "full handshakes with a reload every second", "1.3", RELOADS)
        },
        Self { work: Work::Idle, ..handshake("idle", "idle connection", "1.3", PLAIN) },
    ];

    /// What its figures count.
    pub(crate) fn unit(&self) -> Unit {
        match self.work {
            Work::Handshake { .. } | Work::Request { .. } => Unit::CpuUs,
            Work::Throughput => Unit::WallUs,
            Work::Reload => Unit::LatencyUs,
            Work::Idle => Unit::Bytes,
        }
    }

    /// Whether the floor is what its figures cannot go below: the floor's signature is one of P-256.
    pub(crate) fn has_floor(&self) -> bool {
        matches!(self.work, Work::Handshake { resumed: false, .. }) && self.setup.key == ServerKey::P256
    }

    /// The path of its GETs.
    pub(crate) fn path(&self) -> String {
        match (self.proxied, self.work) {
            (true, Work::Request { bytes: Some(bytes), .. }) => format!("/proxied/bytes/{bytes}"),
            (true, _) => "/proxied".to_owned(),
            (false, _) => "/direct".to_owned(),
        }
    }

    /// Whether each measurement has a server that was just started.
    pub(crate) fn wants_a_new_server(&self) -> bool {
        matches!(self.work, Work::Idle | Work::Reload)
    }
}

impl ValueEnum for Measure {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name).help(self.title))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_different() {
        let mut names: Vec<_> = Measure::ALL.iter().map(|measure| measure.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Measure::ALL.len());
    }

    #[test]
    fn the_floor_is_under_full_handshakes_with_p256_alone() {
        let with_floor: Vec<_> =
            Measure::ALL.iter().filter(|measure| measure.has_floor()).map(|measure| measure.name).collect();
        assert_eq!(with_floor, ["handshake", "handshake-tls12", "handshake-proxied"]);
    }

    #[test]
    fn paths_say_who_answers() {
        let path = |name: &str| Measure::from_str(name, false).unwrap().path();
        assert_eq!(path("handshake"), "/direct");
        assert_eq!(path("proxied-h2"), "/proxied");
        assert_eq!(path("body-64k"), "/proxied/bytes/65536");
    }
}
