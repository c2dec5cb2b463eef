//! What the control plane reads from a server certificate: the names it is for, and until when.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use portcullis_policy::HostName;
use rustls_pki_types::CertificateDer;
use x509_parser::{extensions::GeneralName, prelude::FromDer, prelude::X509Certificate};

use super::host_name;

/// What a server certificate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServerCertificate {
    /// DNS names and addresses of the subjectAltName, in its order; names that no client can ask for are left out.
    pub(crate) names: Vec<HostName>,
    /// The end of its validity, in seconds since the epoch.
    pub(crate) not_after_unix_s: i64,
}

impl ServerCertificate {
    /// Reads the leaf of a chain. `None` if it is no X.509 certificate.
    pub(crate) fn read(leaf: &CertificateDer<'_>) -> Option<Self> {
        let (rest, certificate) = X509Certificate::from_der(leaf).ok()?;
        if !rest.is_empty() {
            return None;
        }
        let mut names = Vec::new();
        let extension = certificate.subject_alternative_name().ok()?;
        for name in extension.iter().flat_map(|extension| &extension.value.general_names) {
            names.extend(host(name).filter(|name| !names.contains(name)));
        }
        Some(Self { names, not_after_unix_s: certificate.validity().not_after.timestamp() })
    }

    /// Whether clients that check will accept this certificate for `name`.
    pub(crate) fn covers(&self, name: &HostName) -> bool {
        match name {
            HostName::Exact(host) => self.names.iter().any(|own| own.matches(host)),
            wildcard @ HostName::Wildcard(_) => self.names.contains(wildcard),
        }
    }
}

fn host(name: &GeneralName<'_>) -> Option<HostName> {
    match name {
        GeneralName::DNSName(name) => host_name::parse(name),
        GeneralName::IPAddress(octets) => address(octets).map(|address| HostName::new(&address.to_string())),
        _ => None,
    }
}

fn address(octets: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(octets).map(|octets| IpAddr::from(Ipv4Addr::from(octets)));
    v4.or_else(|_| <[u8; 16]>::try_from(octets).map(|octets| IpAddr::from(Ipv6Addr::from(octets)))).ok()
}
