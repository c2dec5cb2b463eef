//! Socket addresses: as written, and which of them take each other's connections.

use std::net::{IpAddr, SocketAddr};

use super::{
    entry::Entry,
    mistake::{Located, Report, shown},
    section::Section,
};

/// Reads a numeric address with a port, which must be there.
pub(crate) fn read(section: &Section<'_>) -> Option<Located<SocketAddr>> {
    let Entry::Written(text) = section.required_text("address") else { return None };
    let value = parse(&text, section.report())?;
    Some(Located { value, place: text.place })
}

/// A numeric address with a port. `None` after a mistake.
pub(crate) fn parse(text: &Located<String>, report: &Report) -> Option<SocketAddr> {
    let address = text.value.parse().ok();
    if address.is_none() {
        let message = "is no address with a port, such as \"127.0.0.1:8443\" or \"[::1]:8443\"";
        report.mistake(&text.place, format!("{} {message}", shown(&text.value)));
    }
    address
}

/// Whether connections to one could arrive at the other.
///
/// Port 0 is a port of the kernel's choice, never the same one twice. `[::]` takes IPv4 as well, which is how Linux binds
/// it.
pub(crate) fn overlap(a: SocketAddr, b: SocketAddr) -> bool {
    a.port() == b.port() && a.port() != 0 && (takes(a.ip(), b.ip()) || takes(b.ip(), a.ip()))
}

fn takes(a: IpAddr, b: IpAddr) -> bool {
    let canonical = a.to_canonical() == b.to_canonical();
    canonical || a.is_unspecified() && (a.is_ipv6() || b.to_canonical().is_ipv4())
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_wildcard_overlaps_with_every_address_of_its_kind() {
        let overlap = |a: &str, b: &str| {
            let (a, b) = (a.parse().unwrap(), b.parse().unwrap());
            assert_eq!(super::overlap(a, b), super::overlap(b, a));
            super::overlap(a, b)
        };
        assert!(overlap("127.0.0.1:1", "127.0.0.1:1"));
        assert!(overlap("0.0.0.0:1", "127.0.0.1:1"));
        assert!(overlap("[::]:1", "[::1]:1"));
        assert!(overlap("[::]:1", "127.0.0.1:1"));
        assert!(overlap("[::]:1", "0.0.0.0:1"));
        assert!(overlap("[::ffff:127.0.0.1]:1", "127.0.0.1:1"));
        assert!(overlap("[::ffff:127.0.0.1]:1", "0.0.0.0:1"));
        assert!(!overlap("127.0.0.1:1", "127.0.0.1:2"));
        assert!(!overlap("127.0.0.1:1", "127.0.0.2:1"));
        assert!(!overlap("0.0.0.0:1", "[::1]:1"));
        assert!(!overlap("127.0.0.1:0", "127.0.0.1:0"));
    }
}
