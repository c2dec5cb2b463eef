//! How connections of a flood end.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use anyhow::Result;
use rustls::AlertDescription;

use crate::failure::{Failure, alert_name};
use crate::latency::Latency;

/// The content type of an alert and the length of one in the clear (RFC 8446, sections 5.1 and 6).
const ALERT: u8 = 21;
const ALERT_BYTES: usize = 7;

/// How a connection ended.
#[derive(Debug)]
pub(super) enum Ending {
    /// It did not begin.
    NotConnected(Failure),
    /// Its time was over, and the server had borne it.
    Held,
    /// The server closed it.
    Closed,
    /// The server reset it.
    Reset,
    /// The server said why, and closed it.
    Alert(AlertDescription),
    /// The server said something else before it closed it.
    Answered,
}

/// How many ended in which way, and after what time the server ended those that it did.
#[derive(Debug)]
pub(super) struct Endings {
    pub(super) counts: BTreeMap<String, u64>,
    pub(super) not_connected: u64,
    pub(super) held: u64,
    pub(super) ended: u64,
    pub(super) borne: Latency,
}

impl Ending {
    /// The server closed the connection after it had said this.
    pub(super) fn closed(heard: &[u8]) -> Self {
        match heard {
            [] => Self::Closed,
            [ALERT, _, _, 0, 2, _, description, ..] if heard.len() >= ALERT_BYTES => {
                Self::Alert(AlertDescription::from(*description))
            }
            _ => Self::Answered,
        }
    }

    /// The connection broke after the server had said this.
    pub(super) fn broken(heard: &[u8], error: &io::Error) -> Self {
        match Self::closed(heard) {
            Self::Closed if error.kind() == io::ErrorKind::ConnectionReset => Self::Reset,
            ending => ending,
        }
    }

    fn name(&self) -> String {
        match self {
            Self::NotConnected(failure) => failure.to_string(),
            Self::Held => "held".to_owned(),
            Self::Closed => "closed".to_owned(),
            Self::Reset => "reset".to_owned(),
            Self::Alert(description) => format!("alert: {}", alert_name(*description)),
            Self::Answered => "answered".to_owned(),
        }
    }
}

impl Endings {
    /// Nothing yet.
    pub(super) fn new() -> Result<Self> {
        let borne = Latency::new()?;
        Ok(Self { counts: BTreeMap::new(), not_connected: 0, held: 0, ended: 0, borne })
    }

    /// Counts one. The names are few: those above, and the kernel's for what connecting can come to.
    pub(super) fn count(&mut self, ending: &Ending, lasted: Duration) {
        *self.counts.entry(ending.name()).or_default() += 1;
        match ending {
            Ending::NotConnected(_) => self.not_connected += 1,
            Ending::Held => self.held += 1,
            Ending::Closed | Ending::Reset | Ending::Alert(_) | Ending::Answered => {
                self.ended += 1;
                self.borne.record(lasted);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_is_told_from_other_words() {
        let name = |heard: &[u8]| Ending::closed(heard).name();
        assert_eq!(name(&[]), "closed");
        assert_eq!(name(&[21, 3, 3, 0, 2, 2, 50]), "alert: decode_error");
        assert_eq!(name(&[21, 3, 3, 0, 2, 2]), "answered");
        assert_eq!(name(b"HTTP/1.1 400 Bad Request"), "answered");
        let reset = io::Error::from(io::ErrorKind::ConnectionReset);
        assert_eq!(Ending::broken(&[], &reset).name(), "reset");
        assert_eq!(Ending::broken(&[21, 3, 3, 0, 2, 2, 10], &reset).name(), "alert: unexpected_message");
    }

    #[test]
    fn each_is_counted_once() {
        let mut endings = Endings::new().unwrap();
        let refused = io::Error::from_raw_os_error(nix::libc::ECONNREFUSED);
        for ending in [Ending::Held, Ending::Closed, Ending::NotConnected(Failure::Connect(refused))] {
            endings.count(&ending, Duration::from_millis(5));
        }
        assert_eq!((endings.held, endings.ended, endings.not_connected), (1, 1, 1));
        assert_eq!(endings.counts.values().sum::<u64>(), 3);
        assert_eq!(endings.borne.histogram().len(), 1, "of those that the server ended");
    }
}
