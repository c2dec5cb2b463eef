//! Clients that others wrote: curl and OpenSSL.

use std::io::{ErrorKind, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::HOST;

/// Whether this program is installed. Where it is not, the test that wanted it says so and passes.
#[must_use]
pub fn available(program: &str, argument: &str) -> bool {
    let run = Command::new(program).arg(argument).stdin(Stdio::null()).output();
    let missing = matches!(&run, Err(error) if error.kind() == ErrorKind::NotFound);
    if missing {
        skipped(&format!("there is no {program}"));
    }
    !missing
}

/// Says that the test at hand does without what it wanted, and why. The descriptor itself is written to, since the test runner
/// hides what a passing test prints.
pub fn skipped(reason: &str) {
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    let _ = writeln!(std::io::stderr(), "SKIPPED {test}: {reason}");
}

/// Runs a command with that input to its end: its status, what it printed, and what it complained of.
///
/// # Panics
///
/// When it does not start, is ended by a signal, or writes what is not UTF-8.
#[must_use]
pub fn run_with_input(mut command: Command, input: &[u8]) -> (i32, String, String) {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    // One that does not read its input closes it.
    drop(child.stdin.take().expect("a pipe").write_all(input));
    let output = child.wait_with_output().expect("it ends");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    let status = output.status.code().expect("no signal ended it");
    (status, text(output.stdout), text(output.stderr))
}

/// What curl got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Curl {
    /// Its exit code; 0 for an answer of any status.
    pub exit: i32,
    /// The status of the answer, 0 without one.
    pub status: u16,
    /// The version of HTTP: `1.1`, `2`.
    pub version: String,
    /// The body.
    pub body: String,
    /// What it complained of, with the alert by OpenSSL's name.
    pub complaint: String,
}

impl Curl {
    /// Asks `address`, as [`HOST`], for a path. `arguments` say the rest: version, certificates.
    ///
    /// # Panics
    ///
    /// When there is no curl.
    #[must_use]
    pub fn get(address: SocketAddr, path: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new("curl");
        command.args(["--connect-to", &format!("{HOST}:443:{address}")]).args(arguments);
        command.arg(format!("https://{HOST}{path}"));
        Self::run(command)
    }

    /// Runs a curl command that asks for one URL.
    ///
    /// # Panics
    ///
    /// When there is no curl.
    #[must_use]
    pub fn run(mut command: Command) -> Self {
        const TRAILER: &str = "\n%{http_code} %{http_version}";
        command.args(["--silent", "--show-error", "--max-time", "30", "--write-out", TRAILER]);
        let output = command.stdin(Stdio::null()).output().expect("curl is there");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let (body, trailer) = text.rsplit_once('\n').unwrap_or_default();
        let (status, version) = trailer.split_once(' ').unwrap_or_default();
        Self {
            exit: output.status.code().unwrap_or(-1),
            status: status.parse().unwrap_or_default(),
            version: version.to_owned(),
            body: body.to_owned(),
            complaint: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// What `openssl s_client` got.
#[derive(Clone, Debug)]
pub struct OpenSsl {
    /// Everything it wrote, session and answer alike.
    pub text: String,
}

impl OpenSsl {
    /// Connects, sends a request of HTTP/1.1 for [`HOST`] and reads to the end.
    ///
    /// # Panics
    ///
    /// When there is no openssl.
    #[must_use]
    pub fn get(address: SocketAddr, path: &str, ca: &Path, arguments: &[&str]) -> Self {
        let mut command = Command::new("openssl");
        command
            .args(["s_client", "-connect", &address.to_string(), "-servername", HOST])
            .arg("-CAfile")
            .arg(ca);
        // -ign_eof: the end of its input must not end the session before the answer is there.
        command.args(["-verify_return_error", "-ign_eof"]).args(arguments);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("openssl is there");
        let request = format!("GET {path} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n");
        let mut stdin = child.stdin.take().expect("stdin is piped");
        // A refused client may be gone before it reads this.
        let _ = stdin.write_all(request.as_bytes());
        let Output { stdout, stderr, .. } =
            child.wait_with_output().expect("openssl ends with the connection");
        drop(stdin);
        Self { text: String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned() }
    }

    /// Whether an answer of this status came.
    #[must_use]
    pub fn has_status(&self, status: u16) -> bool {
        self.text.contains(&format!("HTTP/1.1 {status} "))
    }
}
