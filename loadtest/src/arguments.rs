//! The command line as written. `plan` turns it into what the program runs on.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::clients::arguments::ClientArguments;
use crate::serving::ServingArguments;

/// Most streams of a connection. Servers allow about a hundred, and more than they allow wait.
const STREAMS_MAX: i64 = 10_000;

/// A load generator for TLS servers.
#[derive(Debug, Parser)]
#[command(name = "loadtest", version, about)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to measure.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// CPU time of the signatures and the key agreement that no server of a full handshake can avoid
    Floor(FloorArguments),
    /// Full handshakes: connect, handshake, one GET, the whole answer, close
    Handshake(LoadArguments),
    /// GETs over connections that are kept open
    Request(LoadArguments),
    /// Operations of several kinds at once, as a scenario says
    Mixed(MixedArguments),
    /// What nobody wishes: connections that say nothing, little or nonsense, and crowds of certificates
    Flood(crate::flood::FloodArguments),
    /// Server memory for connections that are held and say nothing
    Idle(IdleArguments),
    /// The server behind a gate: small answers or large ones over connections that are kept, and counts of both
    Backend(BackendArguments),
    /// A TLS server of rustls and monoio and nothing else, beside which the cost of a gate on them is the gate's own
    Bare(BareArguments),
    /// The OCSP responder of the CA whose clients are made
    Responder(ResponderArguments),
    /// One HTML page of one or several results
    Page(crate::page::PageArguments),
    /// Certificates judged without sockets: by the gate's libraries, by webpki, and by `openssl verify`
    Verify(crate::verify::VerifyArguments),
    /// Servers that can be compared: which are here, and which packages bring the others
    Peers(crate::peers::PeersArguments),
    /// The same work for several servers, and what it costs them
    Compare(crate::compare::CompareArguments),
}

/// How the result is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Aligned lines
    Text,
    /// One JSON object, with the keys of the README
    Json,
}

/// TLS protocol version, the only one that is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Tls {
    /// TLS 1.2
    #[value(name = "1.2")]
    V12,
    /// TLS 1.3
    #[value(name = "1.3")]
    V13,
}

/// A key exchange group that is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kx {
    /// X25519
    X25519,
    /// NIST P-256
    Secp256r1,
    /// NIST P-384
    Secp384r1,
    /// X25519 together with ML-KEM-768
    X25519mlkem768,
}

/// The cipher of a suite that is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Cipher {
    /// AES-128 in GCM
    #[value(name = "aes128gcm")]
    Aes128Gcm,
    /// AES-256 in GCM
    #[value(name = "aes256gcm")]
    Aes256Gcm,
    /// `ChaCha20` with Poly1305
    Chacha20poly1305,
}

/// The kernel interface that carries the load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Io {
    /// `io_uring`, or epoll where the kernel refuses it
    Auto,
    /// `io_uring`, or an error
    #[value(name = "io_uring")]
    Uring,
    /// epoll
    Epoll,
}

/// Options of `floor`.
#[derive(Debug, Args)]
pub(crate) struct FloorArguments {
    /// Core to run on
    #[arg(long)]
    pub(crate) core: Option<usize>,
    /// How to write the result
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
}

/// Options of `handshake` and `request`.
#[derive(Debug, Args)]
pub(crate) struct LoadArguments {
    #[command(flatten)]
    pub(crate) session: SessionArguments,
    /// Operations to measure, over all connections
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..), required_unless_present = "duration")]
    pub(crate) count: Option<u64>,
    /// Time to measure, as 30s or 5m: operations that begin in it
    #[arg(long, conflicts_with = "count")]
    pub(crate) duration: Option<String>,
    /// Operations that begin in a second, whether or not earlier ones are over; their latency counts from when they were meant to
    /// begin. Without it a connection begins its next operation when its last one is over
    #[arg(long, value_parser = positive)]
    pub(crate) rate: Option<f64>,
    /// When those of a rate begin
    #[arg(long, value_enum, default_value_t = ArrivalTimes::Constant, requires = "rate")]
    pub(crate) arrivals: ArrivalTimes,
    /// Connections at one time
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) connections: u32,
    /// Operations done before the measurement, over all connections
    #[arg(long, default_value_t = 0)]
    pub(crate) warmup: u64,
    /// Threads of the load; one for each of the cores if they are named
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) threads: Option<u16>,
    /// Speak HTTP/2 (`request` only)
    #[arg(long)]
    pub(crate) http2: bool,
    /// Requests at one time on each connection of HTTP/2
    #[arg(long, default_value_t = 1, requires = "http2", value_parser = clap::value_parser!(u32).range(1..=STREAMS_MAX))]
    pub(crate) streams: u32,
    /// Bytes of a body that each request has, which is then a POST
    #[arg(long, default_value_t = 0)]
    pub(crate) body_bytes: u64,
    /// Exact share of the handshakes that resume an earlier session
    #[arg(long, default_value_t = 0.0, value_parser = share)]
    pub(crate) resume_ratio: f64,
    /// Core on which the floor is looked at while the load runs: that of the server
    #[arg(long)]
    pub(crate) floor_core: Option<usize>,
    /// Title of the result, for pages
    #[arg(long)]
    pub(crate) title: Option<String>,
    /// File for the result in JSON, besides what is printed
    #[arg(long)]
    pub(crate) out: Option<PathBuf>,
    /// File for the latencies second by second, as an .hlog
    #[arg(long)]
    pub(crate) hlog: Option<PathBuf>,
}

/// Options of `mixed`.
#[derive(Debug, Args)]
pub(crate) struct MixedArguments {
    /// TOML file with the steps of the scenario
    #[arg(long)]
    pub(crate) scenario: PathBuf,
    #[command(flatten)]
    pub(crate) load: LoadArguments,
}

/// When operations of a rate begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ArrivalTimes {
    /// At equal distances
    Constant,
    /// At random, independently of each other
    Poisson,
}

fn positive(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|number| (1e-3..=1e7).contains(number));
    number.ok_or_else(|| "a number from 0.001 to 10000000".to_owned())
}

fn share(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|number| (0.0..=1.0).contains(number));
    number.ok_or_else(|| "a number from 0 to 1".to_owned())
}

/// Options of `idle`.
#[derive(Debug, Args)]
pub(crate) struct IdleArguments {
    #[command(flatten)]
    pub(crate) session: SessionArguments,
    /// Connections to hold
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) connections: u32,
    /// Seconds to hold them, counted from the last one opened
    #[arg(long, default_value_t = 10.0)]
    pub(crate) hold_s: f64,
    /// Seconds between the last connection opened and the reading of the server's memory
    #[arg(long, default_value_t = 5.0)]
    pub(crate) settle_s: f64,
    /// Hold each connection right after its handshake, without a GET
    #[arg(long)]
    pub(crate) no_request: bool,
    /// Connections opened and closed before the first reading of the server's memory
    #[arg(long, default_value_t = 0)]
    pub(crate) warmup: u64,
}

/// Options of `backend`.
#[derive(Debug, Args)]
pub(crate) struct BackendArguments {
    #[command(flatten)]
    pub(crate) serving: ServingArguments,
    /// Field without which a request is counted and answered 400
    #[arg(long)]
    pub(crate) require_field: Option<String>,
}

/// Options of `bare`.
#[derive(Debug, Args)]
pub(crate) struct BareArguments {
    #[command(flatten)]
    pub(crate) serving: ServingArguments,
    /// PEM file with the server's certificate and its issuing CAs
    #[arg(long)]
    pub(crate) chain: PathBuf,
    /// PEM file with the server's private key
    #[arg(long)]
    pub(crate) key: PathBuf,
    /// PEM file with the CAs that a client's certificate must lead to, by webpki. Without it every certificate passes whose key the
    /// client proves: no path is built
    #[arg(long)]
    pub(crate) anchor: Option<PathBuf>,
}

/// Options of `responder`.
#[derive(Debug, Args)]
pub(crate) struct ResponderArguments {
    #[command(flatten)]
    pub(crate) serving: ServingArguments,
    /// PEM file with the CA that answers, as --issuer of a load
    #[arg(long)]
    pub(crate) issuer: PathBuf,
    /// PEM file with the private key of --issuer, on P-256
    #[arg(long)]
    pub(crate) issuer_key: PathBuf,
    /// For how long an answer serves, such as 2m
    #[arg(long, default_value = "1h")]
    pub(crate) valid: String,
    /// File with the serial numbers of the revoked, as --revoked-serials of a load writes it
    #[arg(long)]
    pub(crate) revoked_serials: Option<PathBuf>,
}

/// Options of everything that speaks to a server.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("trust").required(true))]
pub(crate) struct SessionArguments {
    /// Address of the server, as host:port
    #[arg(long)]
    pub(crate) target: String,
    /// Name to ask for: the SNI, the name checked in the server's certificate, and the Host field
    #[arg(long)]
    pub(crate) sni: String,
    /// PEM file with the client's certificate and its issuing CAs
    #[arg(long, requires = "key")]
    pub(crate) cert: Option<PathBuf>,
    /// PEM file with the client's private key
    #[arg(long, requires = "cert")]
    pub(crate) key: Option<PathBuf>,
    /// PEM file with the CAs that the server's certificate must lead to
    #[arg(long, group = "trust")]
    pub(crate) ca: Option<PathBuf>,
    /// Take any server certificate; its signature over the handshake is still checked
    #[arg(long, group = "trust")]
    pub(crate) insecure: bool,
    /// Path of the GET
    #[arg(long, default_value = "/")]
    pub(crate) path: String,
    /// Status of the answer that counts as completed
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u16).range(200..600))]
    pub(crate) expect_status: u16,
    /// TLS version
    #[arg(long, value_enum, default_value_t = Tls::V13)]
    pub(crate) tls: Tls,
    /// Key exchange groups to offer, preferred first
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Kx::X25519])]
    pub(crate) kx: Vec<Kx>,
    /// Ciphers to offer, preferred first
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Cipher::Aes256Gcm, Cipher::Aes128Gcm, Cipher::Chacha20poly1305])]
    pub(crate) cipher: Vec<Cipher>,
    /// Core to run on
    #[arg(long)]
    pub(crate) core: Option<usize>,
    /// Cores to run on, with a thread for each
    #[arg(long, value_delimiter = ',', conflicts_with = "core")]
    pub(crate) cpus: Vec<usize>,
    /// Kernel interface
    #[arg(long, value_enum, default_value_t = Io::Auto)]
    pub(crate) io: Io,
    /// Process of the server, whose descendants are counted with it; may be repeated
    #[arg(long, value_delimiter = ',')]
    pub(crate) server_pid: Vec<u32>,
    /// Seconds after which one operation has failed
    #[arg(long, default_value_t = 10.0)]
    pub(crate) timeout_s: f64,
    /// Allow a target that is not a loopback address
    #[arg(long)]
    pub(crate) allow_remote: bool,
    /// How to write the result
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
    #[command(flatten)]
    pub(crate) clients: ClientArguments,
}

impl SessionArguments {
    /// The cores to run on; none for any.
    pub(crate) fn cores(&self) -> Vec<usize> {
        self.core.map_or_else(|| self.cpus.clone(), |core| vec![core])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn parse(words: &str) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from(words.split_whitespace())
    }

    #[test]
    fn the_definition_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn lists_are_read_in_order() {
        let arguments = parse(
            "loadtest handshake --target 127.0.0.1:1 --sni a --insecure --count 3 --kx secp384r1,x25519 \
             --cipher aes128gcm,aes256gcm --server-pid 3,4 --server-pid 5 --tls 1.2",
        )
        .unwrap();
        let Command::Handshake(load) = arguments.command else { panic!("handshake was asked for") };
        assert_eq!(load.session.kx, [Kx::Secp384r1, Kx::X25519]);
        assert_eq!(load.session.cipher, [Cipher::Aes128Gcm, Cipher::Aes256Gcm]);
        assert_eq!(load.session.server_pid, [3, 4, 5]);
        assert_eq!(load.session.tls, Tls::V12);
        assert_eq!((load.count, load.connections, load.session.expect_status), (Some(3), 1, 200));
    }

    #[test]
    fn a_load_has_one_end_and_numbers_in_range() {
        let load = |more: &str| {
            parse(&format!("loadtest handshake --target 127.0.0.1:1 --sni a --insecure {more}")).is_ok()
        };
        assert!(load("--count 1") && load("--duration 30s --rate 0.5 --arrivals poisson"));
        assert!(!load("") && !load("--count 1 --duration 1s") && !load("--count 1 --arrivals poisson"));
        for wrong in ["--rate 0", "--rate nan", "--resume-ratio 1.1", "--resume-ratio -1", "--threads 0"] {
            assert!(!load(&format!("--count 1 {wrong}")), "{wrong}");
        }
        assert!(!load("--count 1 --core 1 --cpus 1,2") && load("--count 1 --cpus 1,2"));
    }

    #[test]
    fn trust_must_be_stated_once() {
        assert!(parse("loadtest request --target 127.0.0.1:1 --sni a --count 1").is_err());
        assert!(parse("loadtest request --target 127.0.0.1:1 --sni a --count 1 --ca c --insecure").is_err());
        assert!(parse("loadtest request --target 127.0.0.1:1 --sni a --count 1 --ca c").is_ok());
    }

    #[test]
    fn a_certificate_needs_its_key_and_a_count_is_positive() {
        assert!(
            parse("loadtest request --target 127.0.0.1:1 --sni a --count 1 --insecure --cert c").is_err()
        );
        assert!(parse("loadtest request --target 127.0.0.1:1 --sni a --count 0 --insecure").is_err());
    }
}
