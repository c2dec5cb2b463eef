//! Whether a server is on this machine, and what it says of itself.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::Serialize;

use super::cache::Cache;
use super::peer::{Package, Peer};
use crate::compare::{Interrupt, Launch, ask};

/// Longest wait for a server to say its version. Envoy takes a second on a busy machine.
const VERSION_TIMEOUT: Duration = Duration::from_secs(20);

/// The dependencies that this workspace was built with, and the gate with them.
const LOCK: &str = include_str!("../../../Cargo.lock");

/// A server that is there.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Found {
    /// Its program.
    pub(crate) program: PathBuf,
    /// Directory of the shared libraries that it is to use.
    pub(crate) libraries: Option<PathBuf>,
    /// Its version.
    pub(crate) version: String,
    /// Its TLS library with the version of that.
    pub(crate) tls: String,
}

/// Where to look.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    /// Packages that were installed for this purpose.
    pub(crate) cache: Cache,
    /// Programs that were named, which go first.
    pub(crate) programs: Vec<(Peer, PathBuf)>,
    /// The gate, if it was named.
    pub(crate) portcullis: Option<PathBuf>,
}

impl Places {
    /// Finds a server. None if it is not there; an error if what is there does not say what it is.
    pub(crate) fn find(&self, peer: Peer, directory: &Path, interrupt: &Interrupt) -> Result<Option<Found>> {
        let Some(program) = self.program(peer)? else { return Ok(None) };
        let libraries = self.cache.openssl().filter(|_| peer.links_openssl());
        let mut found = Found { program, libraries, version: String::new(), tls: String::new() };
        let told = |words: &[&str]| {
            let name = format!("{peer}-version");
            let launch = Launch {
                name: &name,
                program: &found.program,
                arguments: words.iter().map(|word| (*word).to_owned()).collect(),
                environment: found.environment(),
                cpus: &[],
                directory,
            };
            ask(&launch, VERSION_TIMEOUT, interrupt)
        };
        let said = match peer {
            Peer::Nginx => nginx(&told(&["-V"])?),
            Peer::Haproxy => haproxy(&told(&["-vv"])?),
            Peer::Envoy => envoy(&told(&["--version"])?),
            Peer::Caddy => caddy(&told(&["version"])?, &told(&["build-info"])?),
            Peer::PortcullisUring | Peer::PortcullisEpoll => portcullis(&told(&["--version"])?),
        };
        let said = said.with_context(|| format!("{}: it does not say what it is", found.program.display()));
        (found.version, found.tls) = said?;
        Ok(Some(found))
    }

    /// Whether the system has a server, and not the package that is taken where there is a choice. One that was named is the
    /// choice.
    pub(crate) fn has_a_weaker(&self, peer: Peer) -> bool {
        let named = self.programs.iter().any(|(named, _)| *named == peer);
        matches!(peer.package(), Package::Pypi(_)) && !named && self.cache.program(peer).is_none()
    }

    fn program(&self, peer: Peer) -> Result<Option<PathBuf>> {
        let named = self.programs.iter().find(|(named, _)| *named == peer).map(|(_, path)| path);
        let named = named.or(self.portcullis.as_ref().filter(|_| peer.is_portcullis()));
        if let Some(path) = named {
            if !path.is_file() {
                bail!("{}: no such file", path.display());
            }
            // A server may be started from another directory than this one.
            return path.canonicalize().with_context(|| path.display().to_string()).map(Some);
        }
        if peer.is_portcullis() {
            let own = std::env::current_exe().context("the path of this program")?;
            return Ok(Some(own.with_file_name("portcullis")).filter(|path| path.is_file()));
        }
        Ok(self.cache.program(peer).or_else(|| on_path(peer.name())))
    }
}

impl Found {
    /// The variables of the environment that it is to run with.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        let libraries = self.libraries.iter().map(|path| ("LD_LIBRARY_PATH", path.display().to_string()));
        libraries.collect()
    }
}

/// A program in the directories of PATH, or in those of the administrator, which a user's PATH may lack.
pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories = std::env::split_paths(&path).chain(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from));
    directories.map(|directory| directory.join(name)).find(|program| program.is_file())
}

fn after<'a>(text: &'a str, start: &str) -> Option<&'a str> {
    let line = text.lines().find_map(|line| line.trim().strip_prefix(start))?;
    Some(line.trim()).filter(|rest| !rest.is_empty())
}

/// "OpenSSL 3.5.9" of "OpenSSL 3.5.9 29 Sep 2026".
fn library(text: &str) -> String {
    text.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
}

fn nginx(text: &str) -> Option<(String, String)> {
    let version = after(text, "nginx version: nginx/")?.to_owned();
    let built = after(text, "built with")?;
    let running = built.split_once("running with ").map_or(built, |(_, running)| running);
    Some((version, library(running)))
}

fn haproxy(text: &str) -> Option<(String, String)> {
    let version = after(text, "HAProxy version")?.split([' ', '-']).next()?.to_owned();
    Some((version, library(after(text, "Running on OpenSSL version :")?)))
}

/// "…/envoy  version: COMMIT/1.40.0/Clean/RELEASE/BoringSSL"
fn envoy(text: &str) -> Option<(String, String)> {
    let (_, said) = text.split_once("version: ")?;
    let mut parts = said.split_whitespace().next()?.split('/');
    let version = parts.nth(1)?.to_owned();
    Some((version, parts.next_back()?.to_owned()))
}

fn caddy(version: &str, build: &str) -> Option<(String, String)> {
    let version = version.split_whitespace().next()?.trim_start_matches('v').to_owned();
    let go = after(build, "go\t")?;
    Some((version, format!("crypto/tls of {go}")))
}

fn portcullis(text: &str) -> Option<(String, String)> {
    let version = after(text, "portcullis")?.to_owned();
    Some((version, format!("rustls {}, aws-lc-rs {}", locked("rustls")?, locked("aws-lc-rs")?)))
}

/// The version of a crate in the lock file.
fn locked(name: &str) -> Option<&'static str> {
    let (_, rest) = LOCK.split_once(&format!("name = \"{name}\"\nversion = \""))?;
    rest.split('"').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(version: &str, tls: &str) -> Option<(String, String)> {
        Some((version.to_owned(), tls.to_owned()))
    }

    #[test]
    fn servers_say_what_they_are() {
        let text = "nginx version: nginx/1.22.1\nbuilt with OpenSSL 3.0.22 25 Aug 2026 (running with OpenSSL 3.5.9 29 Sep 2026)\n";
        assert_eq!(nginx(text), pair("1.22.1", "OpenSSL 3.5.9"));
        let text = "nginx version: nginx/1.31.3\nbuilt by gcc\nbuilt with OpenSSL 3.3.7 7 Apr 2026\n";
        assert_eq!(nginx(text), pair("1.31.3", "OpenSSL 3.3.7"));
        let text = "HAProxy version 2.8.25-5cf5d06 2026/06/26 - x\nBuilt with OpenSSL version : OpenSSL 3.0.15\n\
                    Running on OpenSSL version : OpenSSL 3.5.9 29 Sep 2026 (VERSIONS DIFFER!)\n";
        assert_eq!(haproxy(text), pair("2.8.25", "OpenSSL 3.5.9"));
        let text = "\n/x/envoy  version: 9e55/1.40.0/Clean/RELEASE/BoringSSL\n";
        assert_eq!(envoy(text), pair("1.40.0", "BoringSSL"));
        assert_eq!(
            caddy("v2.11.7 h1:x=\n", "go\tgo1.26.8\npath\tcaddy\n"),
            pair("2.11.7", "crypto/tls of go1.26.8")
        );
        let (version, tls) = portcullis("portcullis 0.1.0\n").unwrap();
        assert_eq!(version, "0.1.0");
        assert!(tls.starts_with("rustls 0.") && tls.contains(", aws-lc-rs 1."), "{tls}");
    }

    #[test]
    fn what_says_nothing_is_not_taken() {
        for text in ["", "sh: not found", "nginx version: nginx/"] {
            assert_eq!((nginx(text), haproxy(text), envoy(text)), (None, None, None));
            assert_eq!((caddy("", text), portcullis(text)), (None, None));
        }
    }
}
