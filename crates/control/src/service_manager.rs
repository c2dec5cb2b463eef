//! What the service manager is told, in the protocol of `sd_notify(3)`.
//!
//! One socket, made at the start, that never waits: a gate out of descriptors must still be able to say that it lives, and a
//! manager that reads nothing must not keep it from serving, reloading or ending. The crates for this open a socket for each
//! message and wait until it is taken.

use std::{
    env,
    ffi::{OsStr, OsString},
    fmt, io,
    os::{
        linux::net::SocketAddrExt,
        unix::{
            ffi::OsStrExt,
            net::{SocketAddr, UnixDatagram},
        },
    },
    time::Duration,
};

use rustix::time::{ClockId, clock_gettime};

/// The service manager, if there is one.
#[derive(Debug)]
pub(crate) struct ServiceManager {
    channel: Option<Channel>,
    watchdog: Option<Duration>,
}

#[derive(Debug)]
struct Channel {
    socket: UnixDatagram,
    manager: SocketAddr,
}

impl ServiceManager {
    /// As the environment says: `NOTIFY_SOCKET`, `WATCHDOG_USEC`, `WATCHDOG_PID`.
    pub(crate) fn from_environment() -> Self {
        let channel = env::var_os("NOTIFY_SOCKET").and_then(|name| match Channel::open(&name) {
            Ok(channel) => Some(channel),
            Err(error) => {
                tracing::warn!(%error, socket = %name.display(), "the service manager cannot be told");
                None
            }
        });
        let watchdog = watchdog(env::var_os("WATCHDOG_USEC"), env::var_os("WATCHDOG_PID"));
        Self { channel, watchdog }
    }

    /// How often the manager wants a sign of life, if it wants any: half of the time after which it acts, as
    /// `sd_watchdog_enabled(3)` asks.
    pub(crate) fn ping_interval(&self) -> Option<Duration> {
        self.watchdog.filter(|_| self.channel.is_some()).map(|timeout| timeout / 2)
    }

    /// The gate serves: for the first time, or again after a reload that went well or not.
    pub(crate) fn ready(&self, status: impl fmt::Display) {
        self.tell(format_args!("READY=1\nSTATUS={status}"));
    }

    /// A reload begins. The manager compares the time with that of its request.
    pub(crate) fn reloading(&self) {
        let now = clock_gettime(ClockId::Monotonic);
        let now_us = now.tv_sec * 1_000_000 + now.tv_nsec / 1000;
        self.tell(format_args!(
            "RELOADING=1\nMONOTONIC_USEC={now_us}\nSTATUS=reading the configuration anew"
        ));
    }

    /// The drain begins.
    pub(crate) fn stopping(&self, status: impl fmt::Display) {
        self.tell(format_args!("STOPPING=1\nSTATUS={status}"));
    }

    /// A line for whoever asks how the gate is.
    pub(crate) fn status(&self, status: impl fmt::Display) {
        self.tell(format_args!("STATUS={status}"));
    }

    /// A sign of life.
    pub(crate) fn ping(&self) {
        self.tell(format_args!("WATCHDOG=1"));
    }

    fn tell(&self, message: fmt::Arguments<'_>) {
        let Some(channel) = &self.channel else { return };
        if let Err(error) = channel.send(&message.to_string()) {
            tracing::warn!(%error, "the service manager was not told");
        }
    }
}

impl Channel {
    fn open(name: &OsStr) -> io::Result<Self> {
        let manager = match name.as_bytes() {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name),
            _ => SocketAddr::from_pathname(name),
        };
        let (socket, manager) = (UnixDatagram::unbound()?, manager?);
        socket.set_nonblocking(true)?;
        Ok(Self { socket, manager })
    }

    /// The address is looked up for each message, since a manager that was started anew has made another socket there.
    fn send(&self, message: &str) -> io::Result<()> {
        self.socket.send_to_addr(message.as_bytes(), &self.manager).map(drop)
    }
}

/// The time after which the manager acts, if it is this process that it watches.
fn watchdog(timeout_us: Option<OsString>, pid: Option<OsString>) -> Option<Duration> {
    let number = |text: OsString| text.to_str()?.parse::<u64>().ok();
    let ours = pid.is_none_or(|pid| number(pid) == Some(u64::from(std::process::id())));
    let timeout = timeout_us.filter(|_| ours).and_then(number).filter(|timeout| *timeout > 0)?;
    Some(Duration::from_micros(timeout))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manager(name: &str) -> (UnixDatagram, ServiceManager) {
        let name = format!("portcullis-test-{name}-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let socket = UnixDatagram::bind_addr(&address).unwrap();
        socket.set_nonblocking(true).unwrap();
        let channel = Some(Channel::open(OsStr::new(&format!("@{name}"))).unwrap());
        (socket, ServiceManager { channel, watchdog: Some(Duration::from_secs(4)) })
    }

    fn heard(socket: &UnixDatagram) -> String {
        let mut message = [0; 512];
        let length = socket.recv(&mut message).unwrap();
        String::from_utf8_lossy(&message[..length]).into_owned()
    }

    #[test]
    fn messages_are_what_the_protocol_says() {
        let (socket, manager) = manager("messages");
        manager.ready("serving");
        assert_eq!(heard(&socket), "READY=1\nSTATUS=serving");
        manager.ping();
        assert_eq!(heard(&socket), "WATCHDOG=1");
        assert_eq!(manager.ping_interval(), Some(Duration::from_secs(2)));
    }

    #[test]
    fn a_manager_that_reads_nothing_holds_nobody() {
        let (socket, manager) = manager("deaf");
        // More than any queue of a kernel's default takes.
        for _ in 0..10_000 {
            manager.ping();
        }
        assert_eq!(heard(&socket), "WATCHDOG=1");
        drop(socket);
        manager.ping();
    }

    #[test]
    fn the_watchdog_is_for_the_process_that_it_names() {
        let text = |text: &str| Some(OsString::from(text));
        let own = std::process::id().to_string();
        let three = Some(Duration::from_secs(3));
        assert_eq!(watchdog(text("3000000"), None), three);
        assert_eq!(watchdog(text("3000000"), text(&own)), three);
        assert_eq!(watchdog(text("3000000"), text("1")), None);
        assert_eq!(watchdog(text("3000000"), text("one")), None);
        assert_eq!(watchdog(text("soon"), None), None);
        assert_eq!(watchdog(text("0"), None), None);
        assert_eq!(watchdog(None, None), None);
    }
}
