//! The configuration of a server: a template of `loadtest/peers`, filled in, and how the program is called with it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::measure::Setup;
use super::process::list;
use super::server::{Place, free_port};
use crate::peers::{Found, Peer};

const NGINX: &str = include_str!("../../peers/nginx.conf.in");
const HAPROXY: &str = include_str!("../../peers/haproxy.cfg.in");
const ENVOY: &str = include_str!("../../peers/envoy.yaml.in");
const CADDY: &str = include_str!("../../peers/caddy.json.in");
const PORTCULLIS: &str = include_str!("../../peers/portcullis.toml.in");
const OPENSSL: &str = include_str!("../../peers/openssl.cnf.in");

/// What a server is to be started with.
pub(crate) struct Configuration<'a> {
    pub(crate) peer: Peer,
    pub(crate) found: &'a Found,
    pub(crate) setup: Setup,
    pub(crate) place: &'a Place<'a>,
    pub(crate) port: u16,
    pub(crate) directory: PathBuf,
}

impl Configuration<'_> {
    /// Writes the files. Returns the arguments of the program, and adds to the variables of its environment.
    pub(crate) fn write(&self, environment: &mut Vec<(&'static str, String)>) -> Result<Vec<String>> {
        let file = match self.peer {
            Peer::Nginx => self.fill(NGINX, "nginx.conf")?,
            Peer::Haproxy => self.fill(HAPROXY, "haproxy.cfg")?,
            Peer::Envoy => self.fill(ENVOY, "envoy.yaml")?,
            Peer::Caddy => self.fill(CADDY, "caddy.json")?,
            Peer::PortcullisUring | Peer::PortcullisEpoll => self.fill(PORTCULLIS, "portcullis.toml")?,
        };
        if self.peer.links_openssl() {
            environment.push(("OPENSSL_CONF", self.fill(OPENSSL, "openssl.cnf")?));
        }
        let cores = self.setup.cores.to_string();
        let words: Vec<&str> = match self.peer {
            Peer::Nginx => vec!["-e", "stderr", "-p", self.path(&self.directory)?, "-c", &file],
            Peer::Haproxy if self.setup.reloads => vec!["-W", "-f", &file],
            Peer::Haproxy => vec!["-db", "-f", &file],
            Peer::Envoy => {
                vec!["--concurrency", &cores, "--disable-hot-restart", "--log-level", "warn", "-c", &file]
            }
            Peer::Caddy => {
                environment.push(("GOMAXPROCS", cores));
                environment.push(("HOME", self.path(&self.directory)?.to_owned()));
                vec!["run", "--config", &file]
            }
            Peer::PortcullisUring | Peer::PortcullisEpoll => vec!["run", "-c", &file],
        };
        Ok(words.into_iter().map(str::to_owned).collect())
    }

    /// Fills a template, writes it, and returns the path of the file.
    fn fill(&self, template: &str, file: &str) -> Result<String> {
        let text = fill(template, &self.values()?)?;
        let file = self.directory.join(file);
        fs::write(&file, text).with_context(|| file.display().to_string())?;
        Ok(self.path(&file)?.to_owned())
    }

    /// The path of the server's certificate and key, but for their extensions. A server that reloads has its own.
    pub(crate) fn server_files(&self) -> PathBuf {
        if self.setup.reloads {
            return self.directory.join("server");
        }
        self.place.certificates.server(self.setup.key)
    }

    fn values(&self) -> Result<Vec<(&'static str, String)>> {
        let Self { setup, place, .. } = self;
        let choose = |yes: &str, no: &str| (if setup.resumes { yes } else { no }).to_owned();
        let newer = version(&self.found.version) >= vec![1, 25, 1];
        let uring = if self.peer == Peer::PortcullisUring { "io_uring" } else { "epoll" };
        let tickets = match self.peer {
            Peer::Nginx if !setup.resumes => "off",
            Peer::Nginx => "on",
            _ => "",
        };
        let mut listen = String::new();
        if !newer {
            listen += " http2";
        }
        if setup.cores > 1 {
            listen += " reuseport";
        }
        Ok(vec![
            ("WORK", self.path(&self.directory)?.to_owned()),
            ("SERVER", self.path(&self.server_files())?.to_owned()),
            ("ANCHOR", self.path(&place.certificates.anchor(self.peer))?.to_owned()),
            ("PORT", self.port.to_string()),
            ("BACKEND_PORT", place.backend_port.to_string()),
            ("ADMIN_PORT", if self.peer.is_portcullis() { free_port()?.to_string() } else { String::new() }),
            ("CORES", setup.cores.to_string()),
            ("CPUS", list(&place.cpus[..setup.cores])),
            ("IO", uring.to_owned()),
            ("LISTEN", listen),
            ("HTTP2", if newer { "http2 on;" } else { "" }.to_owned()),
            ("SESSION_TICKETS", tickets.to_owned()),
            ("CACHE", choose("none", "off")),
            ("TICKETS", choose("1", "0")),
            (
                "NO_TICKETS",
                if self.peer == Peer::Haproxy {
                    choose("", " no-tls-tickets")
                } else {
                    choose("false", "true")
                },
            ),
        ])
    }

    fn path<'p>(&self, path: &'p Path) -> Result<&'p str> {
        path.to_str().with_context(|| format!("{}: not UTF-8", path.display()))
    }
}

/// Puts values in the place of their `@NAMES@`. A name without a value is an error.
fn fill(template: &str, values: &[(&'static str, String)]) -> Result<String> {
    let mut text = template.replace("@NAMES@", "the names");
    for (name, value) in values {
        text = text.replace(&format!("@{name}@"), value);
    }
    let is_name = |part: &str| {
        part.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_' || byte.is_ascii_digit())
    };
    match text.split('@').skip(1).find(|part| !part.is_empty() && is_name(part)) {
        Some(name) => bail!("a template has @{name}@, for which there is no value"),
        None => Ok(text),
    }
}

/// The numbers of a version, for comparison.
fn version(text: &str) -> Vec<u32> {
    text.split('.').map_while(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_without_a_value_is_an_error() {
        let values = [("PORT", "1".to_owned())];
        assert_eq!(
            fill("# @NAMES@\nlisten @PORT@; \"@type\": x", &values).unwrap(),
            "# the names\nlisten 1; \"@type\": x"
        );
        assert!(fill("@PORT@ @OTHER@", &values).unwrap_err().to_string().contains("@OTHER@"));
    }

    #[test]
    fn versions_are_compared_by_their_numbers() {
        assert!(version("1.22.1") < vec![1, 25, 1]);
        assert!(version("1.31.3") >= vec![1, 25, 1]);
    }
}
