//! What a run needs, made from the arguments and checked once.

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustls_pki_types::ServerName;

use crate::arguments::SessionArguments;
use crate::clients::ClientSet;
use crate::{client_config, driver};

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
    /// The bytes of the GET.
    pub(crate) request: Vec<u8>,
    /// The status that counts as completed.
    pub(crate) expect_status: u16,
    /// Time that one operation may take.
    pub(crate) timeout: Duration,
}

impl Plan {
    /// Checks the arguments, reads the files they name, and readies this process for `connections` connections. Sessions are kept
    /// where some shall be resumed.
    pub(crate) fn prepare(
        session: &SessionArguments,
        connections: u32,
        keeps_sessions: bool,
    ) -> Result<Self> {
        let target = resolve(&session.target)?;
        if !target.ip().to_canonical().is_loopback() && !session.allow_remote {
            bail!("{target} is not a loopback address; --allow-remote permits it");
        }
        let server_name =
            ServerName::try_from(session.sni.clone()).with_context(|| format!("--sni {}", session.sni))?;
        let plan = Self {
            target,
            server_name,
            clients: Arc::new(ClientSet::prepare(session, &client_config::build(session)?, keeps_sessions)?),
            request: request(&session.path, &session.sni)?,
            expect_status: session.expect_status,
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
fn request(path: &str, host: &str) -> Result<Vec<u8>> {
    if !path.starts_with('/') || !path.bytes().all(|byte| byte.is_ascii_graphic()) {
        bail!("--path {path:?}: not an absolute path of visible ASCII characters");
    }
    Ok(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: loadtest\r\n\r\n").into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_cannot_smuggle() {
        assert!(request("/v1/accounts?x=%20", "localhost").is_ok());
        for path in ["", "v1", "/a b", "/a\r\nX: y", "/\u{e9}"] {
            assert!(request(path, "localhost").is_err(), "{path:?}");
        }
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
