//! Why an operation failed, and how often each cause came up.

use std::collections::BTreeMap;
use std::fmt;
use std::io;

use rustls::AlertDescription;

use crate::answer::AnswerError;

/// The part of an operation that was under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Connect,
    Handshake,
    Answer,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "connect",
            Self::Handshake => "handshake",
            Self::Answer => "answer",
        })
    }
}

/// Why an operation failed. `Display` is the cause as reports count it: it must not carry what differs each time.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The deadline of the operation passed.
    #[error("timeout: {0}")]
    Timeout(Stage),
    /// No TCP connection came about.
    #[error("connect: {}", kind(.0))]
    Connect(io::Error),
    /// The connection broke while reading.
    #[error("read: {stage}: {}", kind(.source))]
    Read { stage: Stage, source: io::Error },
    /// The connection broke while writing.
    #[error("write: {stage}: {}", kind(.source))]
    Write { stage: Stage, source: io::Error },
    /// The server closed the connection, with or without `close_notify`, before the stage was complete.
    #[error("eof: {0}")]
    Eof(Stage),
    /// The server refused with a TLS alert.
    #[error("alert: {}", alert_name(*.0))]
    Alert(AlertDescription),
    /// The client refused what the server sent.
    #[error("tls: {0}")]
    Tls(rustls::Error),
    /// The answer is not HTTP/1 that can be delimited.
    #[error("answer: {0}")]
    Answer(#[from] AnswerError),
    /// The server did not choose HTTP/2.
    #[error("http2: the server does not speak it")]
    NotHttp2,
    /// The server ended a stream with an error of HTTP/2.
    #[error("http2: reset: {0:?}")]
    Reset(h2::Reason),
    /// The server ended the connection with an error of HTTP/2.
    #[error("http2: goaway: {0:?}")]
    GoAway(h2::Reason),
    /// The client refused what the server said in HTTP/2.
    #[error("http2: {0}")]
    Http2(String),
    /// The server announced that it closes a connection that was to be held.
    #[error("connection: close")]
    Closes,
    /// Its time was over before anybody was free to begin it: an open loop does not wait for the server.
    #[error("not started")]
    NotStarted,
    /// Every connection had failed before this operation could begin.
    #[error("no connection left")]
    NoConnectionLeft,
}

impl Failure {
    /// Tells an alert of the server from a complaint of the client.
    pub(crate) fn from_tls(error: rustls::Error) -> Self {
        match error {
            rustls::Error::AlertReceived(description) => Self::Alert(description),
            error => Self::Tls(error),
        }
    }
}

fn kind(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::Other => error.to_string(),
        kind => match error.raw_os_error() {
            // Kinds that the standard library has no stable name for say less than the kernel's own text.
            Some(_) if kind.to_string() == "uncategorized error" => error.to_string(),
            _ => kind.to_string(),
        },
    }
}

/// The name that RFC 8446, section 6 gives an alert.
pub(crate) fn alert_name(description: AlertDescription) -> String {
    if description == AlertDescription::UnrecognisedName {
        return "unrecognized_name".to_owned();
    }
    let Some(name) = description.as_str() else { return format!("{}", u8::from(description)) };
    let letters: Vec<char> = name.chars().collect();
    let mut snake = String::with_capacity(letters.len() + 4);
    for (index, letter) in letters.iter().enumerate() {
        let after_lower = index > 0 && letters[index - 1].is_lowercase();
        let before_lower = index > 0 && letters.get(index + 1).is_some_and(|next| next.is_lowercase());
        if letter.is_uppercase() && (after_lower || before_lower) {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

/// Different causes that a report names. A server can make the text of an error, so the table is bounded: more causes
/// than a reader takes in at once are counted together under [`Causes::OTHER`].
const CAUSES_MAX: usize = 32;

/// How often each cause came up.
#[derive(Clone, Debug, Default)]
pub(crate) struct Causes {
    counts: BTreeMap<String, u64>,
}

impl Causes {
    /// The name of everything past the bound.
    pub(crate) const OTHER: &'static str = "other";

    /// Counts `times` failures of one cause.
    pub(crate) fn add(&mut self, failure: &Failure, times: u64) {
        self.add_named(failure.to_string(), times);
    }

    /// Takes over what another table counted.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (cause, times) in &other.counts {
            self.add_named(cause.clone(), *times);
        }
    }

    /// The causes and their counts, by name.
    pub(crate) fn into_counts(self) -> BTreeMap<String, u64> {
        self.counts
    }

    fn add_named(&mut self, cause: String, times: u64) {
        if times == 0 {
            return;
        }
        let known = self.counts.contains_key(&cause) || self.counts.len() < CAUSES_MAX;
        *self.counts.entry(if known { cause } else { Self::OTHER.to_owned() }).or_default() += times;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alerts_bear_the_names_of_the_rfc() {
        for (description, name) in [
            (AlertDescription::CertificateRequired, "certificate_required"),
            (AlertDescription::UnknownCA, "unknown_ca"),
            (AlertDescription::UnknownPSKIdentity, "unknown_psk_identity"),
            (AlertDescription::BadRecordMac, "bad_record_mac"),
            (AlertDescription::UnrecognisedName, "unrecognized_name"),
            (AlertDescription::Unknown(200), "200"),
        ] {
            assert_eq!(alert_name(description), name);
        }
    }

    #[test]
    fn causes_do_not_carry_addresses_or_numbers() {
        let refused = io::Error::from_raw_os_error(nix::libc::ECONNREFUSED);
        assert_eq!(Failure::Connect(refused).to_string(), "connect: connection refused");
        assert_eq!(Failure::Timeout(Stage::Answer).to_string(), "timeout: answer");
    }

    #[test]
    fn the_table_is_bounded_and_loses_no_count() {
        let mut causes = Causes::default();
        for number in 0..100 {
            causes.add_named(format!("cause {number}"), 2);
        }
        let counts = causes.into_counts();
        assert_eq!(counts.len(), CAUSES_MAX + 1);
        assert_eq!(counts.values().sum::<u64>(), 200);
        assert_eq!(counts[Causes::OTHER], 200 - 2 * CAUSES_MAX as u64);
    }
}
