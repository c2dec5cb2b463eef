//! Names of hosts as they may be configured.

use std::net::IpAddr;

use portcullis_policy::HostName;

/// Reads a DNS name (RFC 1035 2.3.4, RFC 5891: letters, digits, hyphen; the underscore is tolerated), one with `*` as its
/// whole first label, or an address literal. `None` for anything else.
pub(crate) fn parse(name: &str) -> Option<HostName> {
    if let Ok(address) = name.parse::<IpAddr>() {
        return Some(HostName::new(&address.to_string()));
    }
    let labels = name.strip_prefix("*.").unwrap_or(name);
    // A name whose last label is a number is an address to some readers ("127.1") and a name to others.
    let numeric = labels.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
    let valid = name.len() <= 253 && !numeric && labels.split('.').all(is_label);
    valid.then(|| HostName::new(name))
}

/// A name as it is written.
pub(crate) fn show(name: &HostName) -> String {
    match name {
        HostName::Exact(name) => name.clone(),
        HostName::Wildcard(suffix) => format!("*{suffix}"),
    }
}

fn is_label(label: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    (1..=63).contains(&label.len())
        && label.bytes().all(inner)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_names_wildcards_and_addresses() {
        for (written, read) in [
            ("Api.Bank.example", "api.bank.example"),
            ("*.bank.example", "*.bank.example"),
            ("localhost", "localhost"),
            ("127.0.0.1", "127.0.0.1"),
            ("2001:DB8:0::1", "2001:db8::1"),
        ] {
            assert_eq!(parse(written).map(|name| show(&name)).as_deref(), Some(read));
        }
    }

    #[test]
    fn refuses_what_no_client_asks_for() {
        for name in [
            "",
            ".",
            "a..b",
            "a.",
            "*",
            "*.",
            "a.*.b",
            "*a.b",
            "-a",
            "a-",
            "a b",
            "a/b",
            "a:443",
            "127.1",
            "bänk.example",
        ] {
            assert_eq!(parse(name), None, "{name}");
        }
        assert_eq!(parse(&"a".repeat(64)), None);
        assert_eq!(parse(&"a.".repeat(130)), None);
    }
}
