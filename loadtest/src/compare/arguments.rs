//! The command line of `compare`, and what it says.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum as _};

use super::certificates::Anchor;
use super::measure::Measure;
use crate::arguments::Cipher;
use crate::peers::{Peer, PlacesArguments};

/// Options of `compare`.
#[derive(Debug, Args)]
pub(crate) struct CompareArguments {
    #[command(flatten)]
    pub(crate) places: PlacesArguments,
    /// What to measure [default: all]
    #[arg(long, value_enum, value_delimiter = ',')]
    pub(crate) measures: Vec<Measure>,
    /// Servers to start, of which those that are not here are left out [default: all]
    #[arg(long, value_enum, value_delimiter = ',')]
    pub(crate) peers: Vec<Peer>,
    /// How often everything is measured [default: 5]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) rounds: Option<u32>,
    /// Multiplies how many operations each measurement has [default: 1]
    #[arg(long)]
    pub(crate) scale: Option<f64>,
    /// One round of a twentieth of the operations: shows that everything works, and no figures to quote
    #[arg(long, conflicts_with_all = ["rounds", "scale"])]
    pub(crate) quick: bool,
    /// Cores of the servers, of which most measures use the first
    #[arg(long, value_delimiter = ',', default_value = "0")]
    pub(crate) server_cpu: Vec<usize>,
    /// Cores of the load and of the backend
    #[arg(long, value_delimiter = ',', default_value = "1")]
    pub(crate) load_cpu: Vec<usize>,
    /// What the servers trust
    #[arg(long, value_enum, default_value_t = Anchor::Root)]
    pub(crate) anchor: Anchor,
    /// The cipher that the load offers
    #[arg(long, value_enum, default_value_t = Cipher::Aes128Gcm)]
    pub(crate) cipher: Cipher,
    /// Connections at one time
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) connections: u32,
    /// A server that runs already, with the certificates of --pki and the backend at --backend-port; may be repeated
    #[arg(long, value_name = "NAME=HOST:PORT=PID", value_parser = extra, requires = "pki", requires = "backend_port")]
    pub(crate) extra: Vec<Extra>,
    /// Directory of the certificates, made if there are none [default: one that goes with the run]
    #[arg(long)]
    pub(crate) pki: Option<PathBuf>,
    /// Port of the backend [default: one that is free]
    #[arg(long)]
    pub(crate) backend_port: Option<u16>,
    /// Directory for compare.json and compare.html, made if it is not there
    #[arg(long)]
    pub(crate) out: Option<PathBuf>,
}

/// A server that runs already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Extra {
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
    pub(crate) pid: u32,
}

impl CompareArguments {
    /// Checks what clap cannot.
    pub(crate) fn check(&self) -> Result<()> {
        let cores = |option: &str, cores: &[usize]| {
            let mut sorted = cores.to_vec();
            sorted.sort_unstable();
            sorted.dedup();
            if sorted.is_empty() || sorted.len() != cores.len() {
                bail!("{option}: not a list of different cores");
            }
            Ok(())
        };
        cores("--server-cpu", &self.server_cpu)?;
        cores("--load-cpu", &self.load_cpu)?;
        if let Some(core) = self.server_cpu.iter().find(|core| self.load_cpu.contains(core)) {
            bail!(
                "core {core} is one of --server-cpu and of --load-cpu: the load would be measured with the server"
            );
        }
        if !(0.001..=100.0).contains(&self.scale()) {
            bail!("--scale {}: not between 0.001 and 100", self.scale());
        }
        let mut names: Vec<&str> = self.extra.iter().map(|extra| extra.name.as_str()).collect();
        for peer in self.peers() {
            names.push(peer.name());
        }
        names.sort_unstable();
        if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            bail!("--extra {}: there is a server of that name", twice[0]);
        }
        for extra in &self.extra {
            if !extra.address.ip().to_canonical().is_loopback() {
                bail!("--extra {}: {} is not a loopback address", extra.name, extra.address);
            }
        }
        Ok(())
    }

    /// The measures, in the order of [`Measure::ALL`].
    pub(crate) fn measures(&self) -> Vec<Measure> {
        let all =
            Measure::ALL.iter().filter(|measure| self.measures.is_empty() || self.measures.contains(measure));
        all.copied().collect()
    }

    /// The servers to start, each once.
    pub(crate) fn peers(&self) -> Vec<Peer> {
        let asked = |peer: &Peer| self.peers.is_empty() || self.peers.contains(peer);
        Peer::ALL.into_iter().filter(asked).collect()
    }

    /// How often everything is measured.
    pub(crate) fn rounds(&self) -> u32 {
        self.rounds.unwrap_or(if self.quick { 1 } else { 5 })
    }

    /// What counts are multiplied by.
    pub(crate) fn scale(&self) -> f64 {
        self.scale.unwrap_or(if self.quick { 0.05 } else { 1.0 })
    }

    /// The cipher as the load takes it.
    pub(crate) fn cipher(&self) -> String {
        self.cipher.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// The anchor as it is written.
    pub(crate) fn anchor(&self) -> String {
        self.anchor.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

fn extra(text: &str) -> Result<Extra, String> {
    let mut parts = text.split('=');
    let (Some(name), Some(address), Some(pid), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err("not NAME=HOST:PORT=PID".to_owned());
    };
    let address = address.parse().map_err(|_error| format!("{address}: not an address with a port"))?;
    let pid = pid.parse().map_err(|_error| format!("{pid}: not a process number"))?;
    Ok(Extra { name: name.to_owned(), address, pid })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        compare: CompareArguments,
    }

    fn parse(words: &str) -> Result<CompareArguments, clap::Error> {
        Program::try_parse_from(words.split_whitespace()).map(|program| program.compare)
    }

    #[test]
    fn without_options_everything_is_measured() {
        let arguments = parse("compare").unwrap();
        arguments.check().unwrap();
        assert_eq!(arguments.measures(), Measure::ALL);
        assert_eq!(arguments.peers(), Peer::ALL);
        assert_eq!((arguments.rounds(), arguments.scale()), (5, 1.0));
        assert_eq!((arguments.cipher().as_str(), arguments.anchor().as_str()), ("aes128gcm", "root"));
        assert_eq!(parse("compare --quick").unwrap().rounds(), 1);
    }

    #[test]
    fn measures_keep_their_order() {
        let arguments = parse("compare --measures idle,handshake --peers caddy").unwrap();
        let names: Vec<_> = arguments.measures().iter().map(|measure| measure.name).collect();
        assert_eq!(names, ["handshake", "idle"]);
        assert_eq!(arguments.peers(), [Peer::Caddy]);
        let twice = parse("compare --peers caddy,nginx,caddy").unwrap();
        assert_eq!(twice.peers(), [Peer::Nginx, Peer::Caddy]);
        assert!(parse("compare --measures nothing").is_err());
    }

    #[test]
    fn a_core_is_the_servers_or_the_loads() {
        assert!(parse("compare --server-cpu 0,1 --load-cpu 1").unwrap().check().is_err());
        assert!(parse("compare --server-cpu 0,0").unwrap().check().is_err());
        assert!(parse("compare --server-cpu 2,3 --load-cpu 0,1").unwrap().check().is_ok());
        assert!(parse("compare --quick --rounds 2").is_err());
        assert!(parse("compare --scale 0").unwrap().check().is_err());
    }

    #[test]
    fn an_extra_has_a_name_an_address_and_a_process() {
        let expected = Extra { name: "x".to_owned(), address: ([127, 0, 0, 1], 8443).into(), pid: 7 };
        assert_eq!(extra("x=127.0.0.1:8443=7"), Ok(expected));
        assert!(extra("x=127.0.0.1:8443").is_err() && extra("x=127.0.0.1=7").is_err());
        assert!(parse("compare --extra x=127.0.0.1:8443=7").is_err(), "it needs the certificates");
        let far = parse("compare --extra x=192.0.2.1:8443=7 --pki p --backend-port 1").unwrap();
        assert!(far.check().is_err());
        let twice = parse("compare --extra nginx=127.0.0.1:8443=7 --pki p --backend-port 1").unwrap();
        assert!(twice.check().unwrap_err().to_string().contains("of that name"));
    }
}
