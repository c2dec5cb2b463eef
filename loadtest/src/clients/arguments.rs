//! The options that say which clients there are.

use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context, Error, Result};
use clap::{Args, ValueEnum};
use portcullis_test_pki::{KeyType, Role};

use super::expectation::KindExpectation;
use super::kind::Share;

/// Most clients that are made. Each takes about 3.5 KiB and its sessions, so these take some 350 MB; there are some hundred TPPs in the
/// EU.
const CLIENTS_MAX: i64 = 100_000;

/// How a client is chosen for a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Choice {
    /// Each as often as any other
    Uniform,
    /// The k-th in proportion to 1 / k^exponent
    Zipf,
}

/// The kind of key that is made for clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ClientKey {
    /// ECDSA on P-256
    P256,
    /// ECDSA on P-384
    P384,
    /// RSA of 2,048 bits
    Rsa2048,
    /// RSA of 3,072 bits
    Rsa3072,
    /// RSA of 4,096 bits
    Rsa4096,
    /// Ed25519
    Ed25519,
}

/// Roles that one client has, written `PSP_AI` or `PSP_AI+PSP_PI`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Roles(pub(crate) Vec<Role>);

/// Options that say which clients there are.
#[derive(Debug, Args)]
#[command(next_help_heading = "Clients")]
pub(crate) struct ClientArguments {
    /// Folder of clients: each a NAME.pem, with the certificate and its issuing CAs, and a NAME.key
    #[arg(long, conflicts_with_all = ["cert", "clients"])]
    pub(crate) clients_dir: Option<PathBuf>,
    /// Clients to make: each a PSD2 certificate (QWAC) of an organisation of its own, issued by --issuer
    #[arg(long, requires = "issuer", conflicts_with = "cert", value_parser = clap::value_parser!(u32).range(1..=CLIENTS_MAX))]
    pub(crate) clients: Option<u32>,
    /// PEM file with the CA that issues what is made here, and the CAs above it
    #[arg(long, requires = "issuer_key")]
    pub(crate) issuer: Option<PathBuf>,
    /// PEM file with the private key of --issuer
    #[arg(long, requires = "issuer")]
    pub(crate) issuer_key: Option<PathBuf>,
    /// PSD2 roles of the clients that are made, who take turns; `PSP_AI+PSP_PI` gives one client both
    #[arg(long, value_delimiter = ',', default_value = "PSP_AI")]
    pub(crate) roles: Vec<Roles>,
    /// Keys of the clients that are made; of RSA at most eight are made, and shared
    #[arg(long, value_enum, default_value_t = ClientKey::P256)]
    pub(crate) key_type: ClientKey,
    /// Certificates that a client that is made sends, none of them a root; intermediates that --issuer does not have are made
    /// below it [default: its own and all of --issuer]
    #[arg(long, requires = "issuer", value_parser = clap::value_parser!(u8).range(1..=3))]
    pub(crate) chain_length: Option<u8>,
    /// URL of the OCSP responder that the certificates of the clients name that are made, such as that of `loadtest responder`
    #[arg(long, requires = "issuer")]
    pub(crate) ocsp_url: Option<String>,
    /// How a client is chosen for a connection, among those of its kind
    #[arg(long, value_enum, default_value_t = Choice::Uniform)]
    pub(crate) choice: Choice,
    /// Exponent of --choice zipf
    #[arg(long, default_value_t = 1.0)]
    pub(crate) zipf_exponent: f64,
    /// Where choices and times at random begin: the same number makes the same
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// Shares of connections for clients that are to be refused, such as `expired=0.01,revoked=0.02,foreign=0.01,roleless=0.05`
    #[arg(long, value_delimiter = ',')]
    pub(crate) bad: Vec<Share>,
    /// What is expected of a kind of client, such as `expired=alert:certificate_expired`, `roleless=status:403|alert:access_denied`
    /// or `good=pass`
    #[arg(long, value_delimiter = ',')]
    pub(crate) expect: Vec<KindExpectation>,
    /// Folder of revoked clients, as --clients-dir
    #[arg(long)]
    pub(crate) revoked_dir: Option<PathBuf>,
    /// File for the serial numbers of the revoked clients that are made, hexadecimal, one a line; the same --seed gives the same
    #[arg(long, conflicts_with = "revoked_dir")]
    pub(crate) revoked_serials: Option<PathBuf>,
}

impl ClientArguments {
    /// Whether they say who the clients are.
    pub(super) fn names_clients(&self) -> bool {
        self.clients.is_some() || self.clients_dir.is_some() || !self.bad.is_empty()
    }
}

impl ClientKey {
    /// The same in the words of the test PKI.
    pub(crate) fn key_type(self) -> KeyType {
        match self {
            Self::P256 => KeyType::P256,
            Self::P384 => KeyType::P384,
            Self::Rsa2048 => KeyType::Rsa2048,
            Self::Rsa3072 => KeyType::Rsa3072,
            Self::Rsa4096 => KeyType::Rsa4096,
            Self::Ed25519 => KeyType::Ed25519,
        }
    }

    /// Whether it takes so long to make one that clients share them.
    pub(crate) fn is_rsa(self) -> bool {
        matches!(self, Self::Rsa2048 | Self::Rsa3072 | Self::Rsa4096)
    }
}

impl FromStr for Roles {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let role = |name: &str| {
            let known = Role::ALL.into_iter().find(|role| role.name() == name);
            known.with_context(|| format!("{name:?} is none of PSP_AS, PSP_PI, PSP_AI, PSP_IC"))
        };
        text.split('+').map(role).collect::<Result<_>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_those_of_psd2() {
        assert_eq!("PSP_AI".parse::<Roles>().unwrap(), Roles(vec![Role::PspAi]));
        assert_eq!("PSP_PI+PSP_IC".parse::<Roles>().unwrap(), Roles(vec![Role::PspPi, Role::PspIc]));
        for text in ["", "AI", "PSP_AI+", "psp_ai"] {
            assert!(text.parse::<Roles>().is_err(), "{text:?}");
        }
    }
}
