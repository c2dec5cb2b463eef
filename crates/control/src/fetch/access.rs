//! Where a fetcher may go.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use reqwest::{
    Url,
    dns::{Addrs, Name, Resolve, Resolving},
};
use thiserror::Error;

/// Which servers a fetcher asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Access {
    /// Any, over https: the URLs are the operator's, or stand in lists that are believed.
    Https,
    /// Those that everybody can reach, over http or https, and these hosts, each as `host` or `host:port` in lower case: the
    /// URLs are those of certificates. A client's certificate must not make the gate knock at doors that only it can reach.
    Public {
        /// Hosts that may be on private addresses.
        private_hosts: Vec<String>,
    },
}

/// The address of a host is not one that everybody can reach.
#[derive(Debug, Error)]
#[error("the address of {host} is not public; `private_hosts` may allow it")]
pub(crate) struct NotPublic {
    /// Which host.
    pub(crate) host: String,
}

impl Access {
    /// Whether documents are fetched by this scheme.
    pub(crate) fn takes_scheme(&self, scheme: &str) -> bool {
        scheme == "https" || (scheme == "http" && *self != Self::Https)
    }

    /// Whether the host of a URL may be at any address.
    pub(crate) fn trusts(&self, url: &Url) -> bool {
        let Self::Public { private_hosts } = self else { return true };
        let Some(host) = url.host_str() else { return false };
        let with_port = url.port_or_known_default().map(|port| format!("{host}:{port}"));
        private_hosts.iter().any(|allowed| allowed == host || with_port.as_ref() == Some(allowed))
    }

    /// Looks at a URL whose host is an address; a name is looked at when it is resolved.
    ///
    /// # Errors
    /// The address is not public.
    pub(crate) fn check_literal(&self, url: &Url) -> Result<(), NotPublic> {
        let host = url.host_str().unwrap_or_default();
        let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        match literal {
            Ok(address) if !is_public(address) && !self.trusts(url) => {
                Err(NotPublic { host: host.to_owned() })
            }
            _ => Ok(()),
        }
    }
}

/// Resolves names to their public addresses. A name that has none is an error, so that no connection is tried.
#[derive(Debug)]
pub(super) struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let host = name.as_str().to_owned();
            let addresses = tokio::net::lookup_host((host.as_str(), 0)).await?;
            let addresses: Vec<SocketAddr> = addresses.filter(|address| is_public(address.ip())).collect();
            if addresses.is_empty() {
                return Err(io::Error::other(NotPublic { host }).into());
            }
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

/// Whether an address is of the internet at large (IANA special-purpose address registries, RFC 6890).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || a == 0
        || a >= 224
        || (a == 100 && b & 0xc0 == 64)
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && b & 0xfe == 18))
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match address.segments() {
        // NAT64 and 6to4 lead to the IPv4 address within, which a mapped one is.
        [0, 0, 0, 0, 0, 0xffff, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, ..] => embedded(high, low),
        // Protocol assignments, Teredo among them; documentation.
        [0x2001, second, ..] if second < 0x200 || second == 0xdb8 => false,
        [0x3fff, second, ..] if second < 0x1000 => false,
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_the_gate_can_reach_is_not_public() {
        let private = [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "192.0.0.8",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "192.0.2.1",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2001::1",
            "2001:db8::1",
            "fec0::1",
            "64:ff9b:1::1",
            "::7f00:1",
        ];
        for address in private {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
        for address in
            ["93.184.216.34", "8.8.8.8", "2606:4700::1", "2a00:1450::1", "::ffff:8.8.8.8", "2001:4860::8888"]
        {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn a_literal_is_judged_as_it_is_read_by_the_url() {
        let access =
            Access::Public { private_hosts: vec!["127.0.0.1:8080".into(), "ocsp.bank.example".into()] };
        let check = |url: &str| access.check_literal(&Url::parse(url).unwrap()).is_ok();
        for hidden in [
            "http://127.1/",
            "http://0x7f000001/",
            "http://2130706433/",
            "http://[::ffff:7f00:1]/",
            "http://0/",
        ] {
            assert!(!check(hidden), "{hidden}");
        }
        assert!(check("http://127.0.0.1:8080/ocsp") && !check("http://127.0.0.1:8081/"));
        assert!(access.trusts(&Url::parse("http://OCSP.bank.example/x").unwrap()));
        assert!(!access.trusts(&Url::parse("http://evil.example/ocsp.bank.example").unwrap()));
        assert!(Access::Https.check_literal(&Url::parse("https://127.0.0.1/").unwrap()).is_ok());
    }
}
