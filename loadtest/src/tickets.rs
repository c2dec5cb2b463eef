//! Session tickets, kept so that exactly the handshakes that shall resume a session offer one.

use std::cell::Cell;
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustls::NamedGroup;
use rustls::client::{ClientSessionStore, Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls_pki_types::ServerName;

/// Tickets of one client that are kept; the oldest goes. A server sends one to four with a handshake, and each serves once.
const TICKETS_MAX: usize = 65_536;

thread_local! {
    /// What the handshake that this thread begins does with tickets. rustls asks while it makes the ClientHello.
    static OFFER: Cell<Offer> = const { Cell::new(Offer::Forbidden) };
}

/// Whether a handshake offers a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Offer {
    /// It may not.
    Forbidden,
    /// It may, and has not yet.
    Allowed,
    /// It does.
    Made,
}

/// The sessions of one client with one server. Those of TLS 1.2 serve again and again, tickets of TLS 1.3 once (RFC 8446, appendix C.4).
#[derive(Default)]
pub(crate) struct Tickets(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    group: Option<NamedGroup>,
    tls12: Option<Tls12ClientSessionValue>,
    tls13: VecDeque<Tls13ClientSessionValue>,
}

impl Tickets {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        // A panic while a ticket is pushed or popped leaves a whole queue.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Begins a handshake that offers a session if its client has one, or one that offers none; and says whether it offers one.
pub(crate) fn begin<T>(resumes: bool, handshake: impl FnOnce() -> T) -> (T, bool) {
    OFFER.set(if resumes { Offer::Allowed } else { Offer::Forbidden });
    let begun = handshake();
    (begun, OFFER.replace(Offer::Forbidden) == Offer::Made)
}

/// What `kept` gives, if it may be offered.
fn offered<T>(kept: impl FnOnce() -> Option<T>) -> Option<T> {
    let session = if OFFER.get() == Offer::Forbidden { None } else { kept() };
    if session.is_some() {
        OFFER.set(Offer::Made);
    }
    session
}

impl ClientSessionStore for Tickets {
    fn set_kx_hint(&self, _: ServerName<'static>, group: NamedGroup) {
        self.kept().group = Some(group);
    }

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        self.kept().group
    }

    fn set_tls12_session(&self, _: ServerName<'static>, value: Tls12ClientSessionValue) {
        self.kept().tls12 = Some(value);
    }

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        offered(|| self.kept().tls12.clone())
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {
        self.kept().tls12 = None;
    }

    fn insert_tls13_ticket(&self, _: ServerName<'static>, value: Tls13ClientSessionValue) {
        let mut kept = self.kept();
        if kept.tls13.len() == TICKETS_MAX {
            kept.tls13.pop_front();
        }
        kept.tls13.push_back(value);
    }

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        offered(|| self.kept().tls13.pop_back())
    }
}

impl fmt::Debug for Tickets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tickets").field("tls13", &self.kept().tls13.len()).finish_non_exhaustive()
    }
}

/// Which of many handshakes resume a session: exactly this share of any run of them, not one chance in so many.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Share {
    ratio: f64,
    owed: f64,
}

impl Share {
    pub(crate) fn new(ratio: f64) -> Self {
        Self { ratio, owed: 0.0 }
    }

    /// Whether the next one does.
    pub(crate) fn next(&mut self) -> bool {
        self.owed += self.ratio;
        // A ratio such as 0.1 is not exact in binary, and what is owed must not fall short of one for that.
        let is_due = self.owed >= 1.0 - 1e-9;
        if is_due {
            self.owed -= 1.0;
        }
        is_due
    }

    /// The one that was due could not: another will, so that the share is kept.
    pub(crate) fn put_back(&mut self) {
        self.owed += 1.0;
    }

    /// How many were due and could not, for which no other has.
    pub(crate) fn short(&self) -> u64 {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "owed is not negative")]
        let short = (self.owed + 1e-9) as u64;
        short
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_exact() {
        for (ratio, expected) in [(0.0, 0), (0.1, 100), (0.7, 700), (1.0, 1000), (1.0 / 3.0, 333)] {
            let mut share = Share::new(ratio);
            assert_eq!((0..1000).filter(|_| share.next()).count(), expected, "{ratio}");
        }
    }

    #[test]
    fn what_could_not_resume_is_made_up_for() {
        let mut share = Share::new(0.5);
        let mut resumed = 0;
        for nth in 0..1000 {
            match share.next() {
                // Of the first ten none has a session.
                true if nth < 10 => share.put_back(),
                is_due => resumed += u64::from(is_due),
            }
        }
        assert_eq!((resumed, share.short()), (500, 0));
        let mut never = Share::new(1.0);
        (0..7).for_each(|_| {
            if never.next() {
                never.put_back();
            }
        });
        assert_eq!(never.short(), 7);
    }

    #[test]
    fn nothing_is_offered_outside_of_a_handshake_that_may() {
        let ask = || offered(|| Some(()));
        assert_eq!(begin(true, ask), (Some(()), true));
        assert_eq!(begin(true, || offered(|| None::<()>)), (None, false), "there was none");
        assert_eq!(begin(false, ask), (None, false));
        assert_eq!(ask(), None);
    }
}
