//! The gate and servers of others, told to do the same: names with client certificates of these CAs, and tickets made with keys
//! from a file, as servers have that stand side by side.

mod envoy;
mod gate;
mod haproxy;
mod nginx;

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{fmt, thread};

use rustix::process::{Pid, Signal, kill_process};

use crate::{Backend, Gate, Site, eventually};

/// The key of everybody's tickets is of this byte throughout.
const TICKET_KEY: u8 = 0x5a;
const LOG: &str = "product.log";

/// A server that may be tested, by its program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Product {
    /// The gate.
    Portcullis(PathBuf),
    /// nginx
    Nginx(PathBuf),
    /// HAProxy
    Haproxy(PathBuf),
    /// Envoy
    Envoy(PathBuf),
}

/// What a server is to do.
#[derive(Clone, Debug)]
pub struct Service {
    /// Where it listens.
    pub listeners: Vec<ServedListener>,
    /// For how many seconds sessions are to be resumed.
    pub max_age_s: u32,
}

/// A port with its names.
#[derive(Clone, Debug)]
pub struct ServedListener {
    /// What it is called here.
    pub name: &'static str,
    /// The names, the first for clients that ask for none.
    pub names: Vec<ServedName>,
}

/// A name, and who may come to it. Files are of the site's directory.
#[derive(Clone, Copy, Debug)]
pub struct ServedName {
    /// The host.
    pub host: &'static str,
    /// Its certificate and key are `FILE.pem` and `FILE.key`.
    pub certificate: &'static str,
    /// The CAs of its clients.
    pub anchors: &'static str,
    /// Whether who has no certificate stays outside.
    pub is_required: bool,
    /// CRLs of these CAs: `FILE.pem` for all, and `FILE.der` for that which issues to clients, whose certificate is `issuing.pem`.
    pub crl: Option<&'static str>,
}

/// A server that runs. It ends with the value.
pub struct RunningProduct {
    product: Product,
    directory: PathBuf,
    addresses: Vec<(&'static str, SocketAddr)>,
    process: Process,
}

enum Process {
    Gate {
        gate: Gate,
        /// Publishes the CRLs, which the gate fetches.
        lists: Backend,
    },
    Other(Child),
}

impl Product {
    /// A server of others by its name, with `=` and the path of its program behind if it is not to be looked for in `PATH`. `None`
    /// for a name that is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (name, program) = text.split_once('=').unwrap_or((text, text));
        let program = PathBuf::from(program);
        match name {
            "nginx" => Some(Self::Nginx(program)),
            "haproxy" => Some(Self::Haproxy(program)),
            "envoy" => Some(Self::Envoy(program)),
            _ => None,
        }
    }

    /// What it calls itself, with its version. `None` where it is not installed.
    #[must_use]
    pub fn version(&self) -> Option<String> {
        let argument = match self {
            Self::Portcullis(_) | Self::Envoy(_) => "--version",
            Self::Nginx(_) | Self::Haproxy(_) => "-v",
        };
        let output = Command::new(self.program()).arg(argument).stdin(Stdio::null()).output().ok()?;
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        // "…/envoy  version: COMMIT/1.40.0/Clean/RELEASE/BoringSSL"
        let words = text.split([' ', '/', '-', '\n']);
        let number = words
            .into_iter()
            .find(|word| word.split('.').count() >= 3 && word.starts_with(|c: char| c.is_ascii_digit()))?;
        Some(format!("{self} {number}"))
    }

    /// Starts it, and waits until it listens.
    ///
    /// # Panics
    ///
    /// When it does not.
    #[must_use]
    pub fn start(&self, site: &Site, service: &Service) -> RunningProduct {
        let directory = site.directory().to_owned();
        let (process, addresses) = match self {
            Self::Portcullis(program) => gate::start(program, site, service),
            _ => self.start_other(&directory, service),
        };
        let running = RunningProduct { product: self.clone(), directory, addresses, process };
        for (name, address) in &running.addresses {
            eventually(name, || TcpStream::connect(address).is_ok());
        }
        running
    }

    fn start_other(&self, directory: &Path, service: &Service) -> (Process, Vec<(&'static str, SocketAddr)>) {
        let addresses: Vec<_> =
            service.listeners.iter().map(|listener| (listener.name, free_address())).collect();
        let log = std::fs::File::create(directory.join(LOG)).expect("the site's directory can be written");
        let arguments = self.write(directory, service, &addresses);
        let mut command = Command::new(self.program());
        command.args(arguments).current_dir(directory).stdin(Stdio::null());
        command.stdout(log.try_clone().expect("a descriptor")).stderr(log);
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        (Process::Other(child), addresses)
    }

    /// Writes the configuration; the arguments of the program.
    fn write(
        &self,
        directory: &Path,
        service: &Service,
        addresses: &[(&'static str, SocketAddr)],
    ) -> Vec<String> {
        match self {
            Self::Portcullis(_) => unreachable!("a gate has its own way"),
            Self::Nginx(_) => nginx::write(directory, service, addresses),
            Self::Haproxy(_) => haproxy::write(directory, service, addresses),
            Self::Envoy(_) => envoy::write(directory, service, addresses),
        }
    }

    fn program(&self) -> &Path {
        let (Self::Portcullis(program)
        | Self::Nginx(program)
        | Self::Haproxy(program)
        | Self::Envoy(program)) = self;
        program
    }
}

impl fmt::Display for Product {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Portcullis(_) => "Portcullis",
            Self::Nginx(_) => "nginx",
            Self::Haproxy(_) => "HAProxy",
            Self::Envoy(_) => "Envoy",
        })
    }
}

impl RunningProduct {
    /// Where a listener is.
    ///
    /// # Panics
    ///
    /// When there is none of this name.
    #[must_use]
    pub fn address(&self, listener: &str) -> SocketAddr {
        let found = self.addresses.iter().find(|(name, _)| *name == listener);
        found.unwrap_or_else(|| panic!("no listener {listener}")).1
    }

    /// What it wrote; a gate has its own log.
    fn log(&self) -> String {
        std::fs::read_to_string(self.directory.join(LOG)).unwrap_or_default()
    }

    /// Tells it, once, to do something else, on the same addresses. When that takes effect is to be seen from outside.
    ///
    /// # Panics
    ///
    /// When it cannot be told.
    pub fn reload(&self, service: &Service) {
        match &self.process {
            Process::Gate { gate, lists } => {
                gate.rewrite(&gate::configuration(service, lists).to_toml());
                gate.reload();
            }
            Process::Other(child) => {
                self.product.write(&self.directory, service, &self.addresses);
                let tell = |signal| kill_process(Pid::from_child(child), signal).expect("it is still there");
                match self.product {
                    Product::Nginx(_) => tell(Signal::HUP),
                    // What it is told in its first moments is lost.
                    Product::Haproxy(_) => eventually("it says that it reloads", || {
                        tell(Signal::USR2);
                        thread::sleep(Duration::from_millis(200));
                        self.log().contains("Reloading HAProxy")
                    }),
                    // Envoy watches its file.
                    _ => {}
                }
            }
        }
    }
}

impl Drop for RunningProduct {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("{} wrote:\n{}", self.product, self.log());
        }
        let Process::Other(child) = &mut self.process else { return };
        // Who has workers ends them too when it is asked to end.
        let _ = kill_process(Pid::from_child(child), Signal::TERM);
        for _ in 0..100 {
            if !matches!(child.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
        let _ = child.kill();
        let _ = child.wait();
    }
}

impl fmt::Debug for RunningProduct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunningProduct").field("product", &self.product).finish_non_exhaustive()
    }
}

/// A port that was free a moment ago; these servers do not say which they were given.
fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port")
}

/// Writes a file in one step, so that who watches it sees it whole.
fn put(path: &Path, content: impl AsRef<[u8]>) {
    let temporary = path.with_extension("new");
    std::fs::write(&temporary, content).expect("the site's directory can be written");
    std::fs::rename(temporary, path).expect("a file in its place");
}
