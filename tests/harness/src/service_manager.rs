//! A service manager that a gate reports to.

use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::{DEADLINE, Site};

/// The manager's end of `NOTIFY_SOCKET`.
#[derive(Debug)]
pub struct ServiceManager {
    socket: UnixDatagram,
    path: PathBuf,
}

impl ServiceManager {
    /// Makes the socket in the site's directory.
    ///
    /// # Panics
    ///
    /// When it cannot.
    #[must_use]
    pub fn new(site: &Site) -> Self {
        let path = site.path("notify");
        let socket = UnixDatagram::bind(&path).expect("the site's directory can be written");
        socket.set_read_timeout(Some(DEADLINE)).expect("a socket takes a timeout");
        Self { socket, path }
    }

    /// A command that runs `binary` under this manager, which wants a sign of life within `watchdog`.
    #[must_use]
    pub fn command(&self, binary: &str, watchdog: Option<Duration>) -> Command {
        let mut command = Command::new(binary);
        command.env("NOTIFY_SOCKET", &self.path).env_remove("WATCHDOG_PID").env_remove("WATCHDOG_USEC");
        if let Some(watchdog) = watchdog {
            command.env("WATCHDOG_USEC", watchdog.as_micros().to_string());
        }
        command
    }

    /// The next message.
    ///
    /// # Panics
    ///
    /// When none comes.
    #[must_use]
    pub fn next(&self) -> Message {
        let mut buffer = [0; 4096];
        let length = self.socket.recv(&mut buffer).expect("a message");
        Message(String::from_utf8_lossy(&buffer[..length]).into_owned())
    }

    /// The next message that is more than a sign of life.
    #[must_use]
    pub fn next_news(&self) -> Message {
        loop {
            let message = self.next();
            if !message.says("WATCHDOG=1") {
                return message;
            }
        }
    }

    /// What has come by now.
    ///
    /// # Panics
    ///
    /// When the socket is broken.
    #[must_use]
    pub fn queued(&self) -> Vec<Message> {
        self.socket.set_nonblocking(true).expect("a socket takes it");
        let mut buffer = [0; 4096];
        let mut messages = Vec::new();
        while let Ok(length) = self.socket.recv(&mut buffer) {
            messages.push(Message(String::from_utf8_lossy(&buffer[..length]).into_owned()));
        }
        self.socket.set_nonblocking(false).expect("a socket takes it");
        messages
    }
}

/// What the gate told its manager: lines of `NAME=value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message(String);

impl Message {
    /// Whether this line is in it.
    #[must_use]
    pub fn says(&self, line: &str) -> bool {
        self.0.lines().any(|own| own == line)
    }

    /// The value of a name; empty where it is not told.
    #[must_use]
    pub fn value(&self, name: &str) -> &str {
        let value = |line| str::strip_prefix(line, name)?.strip_prefix('=');
        self.0.lines().find_map(value).unwrap_or_default()
    }
}
