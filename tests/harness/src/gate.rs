//! A gate that runs for as long as a test needs it.

use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Instant;
use std::{fs, thread};

use rustix::process::{Pid, Signal, kill_process};

use crate::{Configuration, DEADLINE, Log, Metrics, ProcessView, Record, Response, Site, eventually};

const CONFIGURATION: &str = "portcullis.toml";

/// A running gate. Dropping it kills the process.
#[derive(Debug)]
pub struct Gate {
    child: Child,
    log: Log,
    output: Log,
    configuration: PathBuf,
}

impl Gate {
    /// Writes the configuration into the site's directory, runs `binary` on it and waits until it is ready.
    ///
    /// # Panics
    ///
    /// When it does not become ready, with what it wrote.
    #[must_use]
    pub fn start(binary: &str, site: &Site, configuration: &Configuration) -> Self {
        Self::start_by(Command::new(binary), site, configuration)
    }

    /// As [`start`](Self::start), by a command that takes the gate's arguments: a wrapper that sets limits first.
    ///
    /// # Panics
    ///
    /// As [`start`](Self::start).
    #[must_use]
    pub fn start_by(mut command: Command, site: &Site, configuration: &Configuration) -> Self {
        let path = site.write(CONFIGURATION, &on_test_io(&configuration.to_toml()));
        command.arg("run").arg("-c").arg(&path);
        let gate = Self::spawn(command, path);
        gate.wait_until_ready();
        gate
    }

    /// Runs a command that is a gate in some way and does not wait.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    #[must_use]
    pub fn spawn(mut command: Command, configuration: PathBuf) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let log = Log::of(child.stderr.take().expect("stderr is piped"));
        let output = Log::of(child.stdout.take().expect("stdout is piped"));
        Self { child, log, output, configuration }
    }

    /// Waits until the gate says that all shards accept.
    ///
    /// # Panics
    ///
    /// When it ends instead, or says nothing.
    pub fn wait_until_ready(&self) {
        let ready = self.log.wait_for(|record| record.field("message") == Some("ready"));
        assert!(ready.is_some(), "the gate ended before it was ready:\n{}", self.log.text());
    }

    /// Runs the gate's command line to its end: `check`, or a `run` that must fail.
    ///
    /// # Panics
    ///
    /// When it cannot be started or does not end.
    #[must_use]
    pub fn output(binary: &str, arguments: &[&str], site: &Site, text: &str) -> Output {
        let path = site.write(CONFIGURATION, text);
        let mut command = Command::new(binary);
        command.args(arguments).arg("-c").arg(path).stdin(Stdio::null());
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the gate starts");
        // What it writes is far less than a pipe holds, so that it can end before anybody reads.
        if wait_for_end(&mut child).is_none() {
            let _ = child.kill();
            panic!("{arguments:?} did not end within {DEADLINE:?}");
        }
        child.wait_with_output().expect("the process has ended")
    }

    /// The address of a listener, by its name; `tpp` in most tests.
    ///
    /// # Panics
    ///
    /// When the gate never said that it listens there.
    #[must_use]
    pub fn address(&self, listener: &str) -> SocketAddr {
        let listening = |record: &Record| {
            record.field("message") == Some("listening") && record.field("listener") == Some(listener)
        };
        let record = self.log.wait_for(listening);
        let record = record.unwrap_or_else(|| panic!("no listener {listener}:\n{}", self.log.text()));
        let address = record.field("address").expect("the record names its address");
        address.parse().unwrap_or_else(|_| panic!("no address: {}", record.line))
    }

    /// The address of the admin listener.
    #[must_use]
    pub fn admin(&self) -> SocketAddr {
        self.address("admin")
    }

    /// What `/metrics` says now.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        Metrics::scrape(self.admin())
    }

    /// Asks the API of the admin listener: `request` is the method and the path, `fields` are lines of the head.
    ///
    /// # Panics
    ///
    /// When there is no answer.
    #[must_use]
    pub fn ask(&self, request: &str, fields: &str, body: &str) -> Response {
        self.try_ask(request, fields, body).expect("the admin listener answers")
    }

    /// As [`ask`](Self::ask), of a gate that may end meanwhile: nothing then.
    #[must_use]
    pub fn try_ask(&self, request: &str, fields: &str, body: &str) -> Option<Response> {
        let admin = self.admin();
        let mut stream = TcpStream::connect(admin).ok()?;
        stream.set_read_timeout(Some(DEADLINE)).ok()?;
        let length = body.len();
        let host = if fields.to_ascii_lowercase().contains("host:") {
            String::new()
        } else {
            format!("Host: {admin}\r\n")
        };
        let head = format!(
            "{request} HTTP/1.1\r\n{host}{fields}Content-Length: {length}\r\nConnection: close\r\n\r\n"
        );
        // Who is refused for the head need not take the body.
        let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
        Response::read(&mut stream, &mut Vec::new()).ok()
    }

    /// The process from outside.
    #[must_use]
    pub fn process(&self) -> ProcessView {
        ProcessView::new(self.child.id())
    }

    /// What it wrote to standard error.
    #[must_use]
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// What it wrote to standard output.
    #[must_use]
    pub fn printed(&self) -> &Log {
        &self.output
    }

    /// Puts another configuration in the place of the one it runs on.
    ///
    /// # Panics
    ///
    /// When it cannot be written.
    pub fn rewrite(&self, text: &str) {
        fs::write(&self.configuration, on_test_io(text)).expect("the site's directory can be written");
    }

    /// Sends SIGHUP and waits until the gate has counted the reload, whatever came of it.
    pub fn reload(&self) {
        let before = self.metrics().sum("portcullis_config_reloads_total", &[]);
        self.hang_up();
        eventually("the reload is counted", || {
            self.metrics().sum("portcullis_config_reloads_total", &[]) > before
        });
    }

    /// Sends SIGHUP, and waits for nothing.
    pub fn hang_up(&self) {
        self.signal(Signal::HUP);
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Sends SIGKILL.
    pub fn kill(&self) {
        self.signal(Signal::KILL);
    }

    /// Waits for the end of the process.
    ///
    /// # Panics
    ///
    /// When it does not end, with what it wrote.
    pub fn wait(&mut self) -> ExitStatus {
        let log = self.log.clone();
        let status = wait_for_end(&mut self.child);
        let status = status.unwrap_or_else(|| panic!("the gate does not end:\n{}", log.text()));
        // What it wrote last may still be in the pipe.
        for written in [&self.log, &self.output] {
            let _ = written.wait_for(|_| false);
        }
        status
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).expect("the gate is still there");
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("the gate wrote:\n{}", self.log.text());
        }
    }
}

fn wait_for_end(child: &mut Child) -> Option<ExitStatus> {
    let begin = Instant::now();
    while begin.elapsed() < DEADLINE {
        if let Some(status) = child.try_wait().expect("the process is ours") {
            return Some(status);
        }
        thread::sleep(std::time::Duration::from_millis(20));
    }
    None
}

/// The configuration with the I/O that `PORTCULLIS_TEST_IO` asks for, unless it asks for one itself.
fn on_test_io(text: &str) -> String {
    let Ok(io) = std::env::var("PORTCULLIS_TEST_IO") else { return text.to_owned() };
    if text.lines().any(|line| line.trim_start().starts_with("io =")) {
        return text.to_owned();
    }
    match text.contains("[runtime]\n") {
        true => text.replacen("[runtime]\n", &format!("[runtime]\nio = \"{io}\"\n"), 1),
        false => format!("{text}\n[runtime]\nio = \"{io}\"\n"),
    }
}
