//! What a run needs, made from the arguments and checked once.

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use http::{Method, Request};
use rustls_pki_types::ServerName;

use crate::arguments::SessionArguments;
use crate::clients::{ClientSet, Kind};
use crate::scenario::{Step, StepWork};
use crate::{client_config, driver, http2};

/// Longest duration that an option takes. A day is past any use; the limit keeps sums of instants in range.
const DURATION_S_MAX: f64 = 86_400.0;

/// Descriptors that a run needs besides its connections: standard streams, the ring, files of `/proc`.
const DESCRIPTORS_SPARE: u64 = 64;

/// How one operation is done.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Where to connect.
    pub(crate) target: SocketAddr,
    /// The name asked for.
    pub(crate) server_name: ServerName<'static>,
    /// Who connects, with the TLS settings of each.
    pub(crate) clients: Arc<ClientSet>,
    /// The request that is sent again and again.
    pub(crate) exchange: Exchange,
    /// The status that counts as completed.
    pub(crate) expect_status: u16,
    /// The steps of a scenario, if there is one.
    pub(crate) steps: Vec<Arc<PlannedStep>>,
    /// Time that one operation may take.
    pub(crate) timeout: Duration,
}

/// A request, of which the body is made while it is sent.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    /// The head, as HTTP/1.1 has it.
    pub(crate) http1: Vec<u8>,
    /// The same for HTTP/2.
    pub(crate) http2: Request<()>,
    /// Bytes of the body; without one it is a GET, else a POST.
    pub(crate) body_bytes: u64,
}

/// A step of a scenario, ready to be done.
#[derive(Clone, Debug)]
pub(crate) struct PlannedStep {
    pub(crate) name: String,
    pub(crate) work: StepWork,
    pub(crate) weight: u32,
    pub(crate) client: Kind,
    pub(crate) exchange: Exchange,
    pub(crate) expect_status: u16,
    pub(crate) pause: Duration,
}

impl PlannedStep {
    fn new(step: &Step, host: &str) -> Result<Self> {
        let Step { work, weight, client, expect_status, pause, .. } = *step;
        let exchange =
            exchange(&step.path, host, step.body_bytes).with_context(|| format!("step {:?}", step.name))?;
        Ok(Self { name: step.name.clone(), work, weight, client, exchange, expect_status, pause })
    }
}

/// What a kind of load needs of its plan.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Needs {
    /// Connections at one time.
    pub(crate) connections: u32,
    /// Sessions are kept, since some shall be resumed.
    pub(crate) keeps_sessions: bool,
    /// HTTP/2 is spoken.
    pub(crate) http2: bool,
    /// Bytes of each request's body.
    pub(crate) body_bytes: u64,
    /// Each connection has a certificate of its own.
    pub(crate) crowd: bool,
}

impl Plan {
    /// Checks the arguments, reads the files they name, and readies this process for its connections.
    pub(crate) fn prepare(session: &SessionArguments, needs: Needs, steps: &[Step]) -> Result<Self> {
        let Needs { connections, keeps_sessions, http2, body_bytes, crowd } = needs;
        let target = resolve(&session.target)?;
        if !target.ip().to_canonical().is_loopback() && !session.allow_remote {
            bail!("{target} is not a loopback address; --allow-remote permits it");
        }
        let server_name =
            ServerName::try_from(session.sni.clone()).with_context(|| format!("--sni {}", session.sni))?;
        let config = client_config::build(session, http2)?;
        let clients = match crowd {
            true => ClientSet::crowd(session, &config)?,
            false => ClientSet::prepare(session, &config, keeps_sessions)?,
        };
        let plan = Self {
            target,
            server_name,
            clients: Arc::new(clients),
            exchange: exchange(&session.path, &session.sni, body_bytes)?,
            expect_status: session.expect_status,
            steps: steps
                .iter()
                .map(|step| PlannedStep::new(step, &session.sni).map(Arc::new))
                .collect::<Result<_>>()?,
            timeout: seconds("--timeout-s", session.timeout_s)?,
        };
        if plan.timeout.is_zero() {
            bail!("--timeout-s must be more than 0");
        }
        driver::pin(&session.cores())?;
        let descriptors = driver::raise_descriptor_limit()?;
        if u64::from(connections) + DESCRIPTORS_SPARE > descriptors {
            bail!("{connections} connections do not fit into the limit of {descriptors} open files");
        }
        Ok(plan)
    }
}

/// Reads a duration in seconds.
pub(crate) fn seconds(option: &str, value: f64) -> Result<Duration> {
    if !(0.0..=DURATION_S_MAX).contains(&value) {
        bail!("{option} {value}: not between 0 and {DURATION_S_MAX} seconds");
    }
    Ok(Duration::from_secs_f64(value))
}

/// Reads a duration with its unit.
pub(crate) fn duration(option: &str, text: &str) -> Result<Duration> {
    let duration = humantime::parse_duration(text).with_context(|| format!("{option} {text}"))?;
    if duration.is_zero() || duration.as_secs_f64() > DURATION_S_MAX {
        bail!("{option} {text}: not between 0 and {DURATION_S_MAX} seconds");
    }
    Ok(duration)
}

fn resolve(target: &str) -> Result<SocketAddr> {
    let mut addresses = target.to_socket_addrs().with_context(|| format!("--target {target}"))?;
    addresses.next().with_context(|| format!("--target {target}: no address"))
}

/// The request, refused if the path could make it more than one.
fn exchange(path: &str, host: &str, body_bytes: u64) -> Result<Exchange> {
    if !path.starts_with('/') || !path.bytes().all(|byte| byte.is_ascii_graphic()) {
        bail!("path {path:?}: not an absolute path of visible ASCII characters");
    }
    let (method, length) = match body_bytes {
        0 => (Method::GET, String::new()),
        bytes => (Method::POST, format!("Content-Length: {bytes}\r\n")),
    };
    let http2 = http2::request(&method, host, path).context("the request")?;
    let http1 = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: loadtest\r\n{length}\r\n");
    Ok(Exchange { http1: http1.into_bytes(), http2, body_bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_cannot_smuggle() {
        let http1 = |path| exchange(path, "localhost", 0).map(|exchange| exchange.http1);
        let get = b"GET /v1/accounts?x=%20 HTTP/1.1\r\nHost: localhost\r\nUser-Agent: loadtest\r\n\r\n";
        assert_eq!(http1("/v1/accounts?x=%20").unwrap(), get);
        for path in ["", "v1", "/a b", "/a\r\nX: y", "/\u{e9}"] {
            assert!(http1(path).is_err(), "{path:?}");
        }
    }

    #[test]
    fn a_body_is_posted() {
        let post = exchange("/", "localhost", 12).unwrap();
        assert!(
            post.http1.starts_with(b"POST / HTTP/1.1\r\n") && post.http1.ends_with(b"Length: 12\r\n\r\n")
        );
        assert_eq!((post.http2.method(), post.http2.uri().path()), (&Method::POST, "/"));
    }

    #[test]
    fn durations_are_finite_and_positive() {
        assert_eq!(seconds("--timeout-s", 0.25).unwrap(), Duration::from_millis(250));
        for value in [-1.0, f64::NAN, f64::INFINITY, 1e9] {
            assert!(seconds("--timeout-s", value).is_err(), "{value}");
        }
    }

    #[test]
    fn durations_have_units() {
        assert_eq!(duration("--duration", "1m 30s").unwrap(), Duration::from_secs(90));
        for text in ["", "30", "0s", "2days", "-1s"] {
            assert!(duration("--duration", text).is_err(), "{text}");
        }
    }

    #[test]
    fn addresses_are_read() {
        assert!(resolve("127.0.0.1:8443").unwrap().ip().is_loopback());
        assert!(resolve("[::1]:8443").unwrap().is_ipv6());
        assert!(resolve("127.0.0.1").is_err());
    }
}
