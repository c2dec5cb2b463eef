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

    /// What stands in the place of the names of templates: what several have, and what one alone has.
    fn values(&self) -> Result<Vec<(&'static str, String)>> {
        let Self { setup, place, .. } = self;
        let mut values = vec![
            ("SERVER", self.path(&self.server_files())?.to_owned()),
            ("ANCHOR", self.path(&place.certificates.anchor(self.peer))?.to_owned()),
            ("PORT", self.port.to_string()),
            ("BACKEND_PORT", place.backend_port.to_string()),
            ("CORES", setup.cores.to_string()),
            ("TICKETS", if setup.resumes { "1" } else { "0" }.to_owned()),
        ];
        let choose =
            |resumes: &str, otherwise: &str| (if setup.resumes { resumes } else { otherwise }).to_owned();
        match self.peer {
            Peer::Nginx => values.extend([
                ("WORK", self.path(&self.directory)?.to_owned()),
                ("SESSION_TICKETS", choose("on", "off")),
                ("SESSION_CACHE", choose("none", "off")),
                ("LISTEN", self.nginx_listen()),
                ("HTTP2", if self.nginx_has_http2_on() { "http2 on;" } else { "" }.to_owned()),
            ]),
            Peer::Haproxy => values.push(("NO_TICKETS", choose("", " no-tls-tickets"))),
            Peer::Envoy | Peer::Caddy => values.push(("NO_TICKETS", choose("false", "true"))),
            Peer::PortcullisUring => values.extend(self.of_portcullis("io_uring")?),
            Peer::PortcullisEpoll => values.extend(self.of_portcullis("epoll")?),
        }
        values.push(("RESUMPTION", choose("tickets", "off")));
        Ok(values)
    }

    fn of_portcullis(&self, io: &str) -> Result<[(&'static str, String); 3]> {
        let cpus = list(&self.place.cpus[..self.setup.cores]);
        Ok([("IO", io.to_owned()), ("CPUS", cpus), ("ADMIN_PORT", free_port()?.to_string())])
    }

    /// Since 1.25.1 HTTP/2 is a directive of its own, and the parameter of `listen` a warning.
    fn nginx_has_http2_on(&self) -> bool {
        version(&self.found.version) >= vec![1, 25, 1]
    }

    /// Parameters of `listen`. Workers that share a socket take turns unevenly.
    fn nginx_listen(&self) -> String {
        let http2 = if self.nginx_has_http2_on() { "" } else { " http2" };
        let reuseport = if self.setup.cores > 1 { " reuseport" } else { "" };
        format!("{http2}{reuseport}")
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
    use crate::compare::WorkDirectory;
    use crate::compare::certificates::{Anchor, Certificates};
    use crate::compare::measure::Measure;
    use crate::compare::probe::Probe;

    /// The files that a peer of a version is started with, as one text.
    fn written(peer: Peer, version: &str, setup: Setup) -> String {
        let work = WorkDirectory::make().unwrap();
        let certificates = Certificates::in_directory(&work.path().join("pki"), Anchor::Root).unwrap();
        let probe = Probe::new(&certificates).unwrap();
        let place = Place {
            work: work.path(),
            certificates: &certificates,
            probe: &probe,
            backend_port: 18080,
            cpus: &[4, 5],
        };
        let found = Found {
            program: PathBuf::from("/x"),
            libraries: None,
            version: version.to_owned(),
            tls: String::new(),
        };
        let directory = work.path().join("server");
        fs::create_dir(&directory).unwrap();
        let configuration = Configuration { peer, found: &found, setup, place: &place, port: 1, directory };
        configuration.write(&mut Vec::new()).unwrap();
        let files = fs::read_dir(&configuration.directory).unwrap().flatten();
        files.map(|file| fs::read_to_string(file.path()).unwrap()).collect()
    }

    #[test]
    fn every_template_has_a_value_for_each_of_its_names() {
        let plain = Measure::ALL[0].setup;
        for peer in Peer::ALL {
            for setup in [plain, Setup { resumes: true, ..plain }, Setup { reloads: true, cores: 2, ..plain }]
            {
                let text = written(peer, "1.22.1", setup);
                assert!(text.contains("127.0.0.1") && text.contains("18080"), "{peer}: {text}");
                assert!(text.contains("root.pem"), "{peer} requires the client's certificate");
            }
        }
    }

    #[test]
    fn a_setup_is_what_the_server_is_told() {
        let plain = Measure::ALL[0].setup;
        let resumes = Setup { resumes: true, ..plain };
        let two_cores = Setup { cores: 2, ..plain };
        assert!(written(Peer::Nginx, "1.22.1", plain).contains("ssl http2;"));
        assert!(written(Peer::Nginx, "1.31.3", two_cores).contains("ssl reuseport;\n        http2 on;"));
        for (peer, without, with) in [
            (Peer::Nginx, "ssl_session_tickets off;", "ssl_session_tickets on;"),
            (Peer::Nginx, "NumTickets = 0", "NumTickets = 1"),
            (Peer::Haproxy, "TLSv1.2 no-tls-tickets", "TLSv1.2\n"),
            (Peer::Envoy, "stateless_session_resumption: true", "stateless_session_resumption: false"),
            (Peer::Caddy, "{\"disabled\": true}", "{\"disabled\": false}"),
            (Peer::PortcullisUring, "resumption = \"off\"", "resumption = \"tickets\""),
            (Peer::PortcullisEpoll, "resumption = \"off\"", "resumption = \"tickets\""),
        ] {
            let (full, resumed) = (written(peer, "1", plain), written(peer, "1", resumes));
            assert!(full.contains(without) && !full.contains(with), "{peer}: {full}");
            assert!(resumed.contains(with) && !resumed.contains(without), "{peer}: {resumed}");
        }
        let portcullis = written(Peer::PortcullisEpoll, "1", two_cores);
        assert!(portcullis.contains("shards = 2\ncpus = [4,5]\nio = \"epoll\""), "{portcullis}");
    }

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
