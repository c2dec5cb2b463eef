//! Makes and opens the tickets of one trust domain, as rustls asks for it.

use rustls::server::ProducesTickets;
use rustls_pki_types::UnixTime;

use crate::{
    judge::{Basis, HandshakeContext, TicketEvent},
    ticket::{DomainKeys, TicketRefusal},
};

/// What rustls calls. It knows no connection: the handshake's context is.
#[derive(Debug)]
pub(crate) struct Ticketer {
    pub(crate) keys: DomainKeys,
}

impl Ticketer {
    /// Opens a ticket and asks the judge about its client.
    fn open(&self, ticket: &[u8]) -> Result<Vec<u8>, TicketRefusal> {
        let judge = HandshakeContext::judge().ok_or(TicketRefusal::Refused)?;
        if !HandshakeContext::takes_ticket() {
            return Err(TicketRefusal::TooMany);
        }
        let now = UnixTime::now();
        let taken = self.keys.take(ticket, now, |leaf, chain| judge.judge_offered(leaf, chain, now))?;
        HandshakeContext::set_basis(Some(Basis { origin: taken.origin, chain: taken.chain }));
        Ok(taken.plain)
    }
}

impl ProducesTickets for Ticketer {
    fn enabled(&self) -> bool {
        true
    }

    /// What is left of the session that the last ticket is of: it ends when it would have without being resumed.
    fn lifetime(&self) -> u32 {
        let left = HandshakeContext::basis()
            .and_then(|basis| self.keys.remaining_s(basis.origin, UnixTime::now().as_secs()));
        left.map_or(0, |left| u32::try_from(left).unwrap_or(u32::MAX))
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let basis = HandshakeContext::basis()?;
        self.keys.remaining_s(basis.origin, UnixTime::now().as_secs())?;
        let ticket = self.keys.seal(basis.origin, &basis.chain, plain)?;
        HandshakeContext::judge()?.ticket(TicketEvent::Issued);
        Some(ticket)
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        let opened = self.open(ticket);
        let event =
            opened.as_ref().map_or_else(|refusal| TicketEvent::Refused(*refusal), |_| TicketEvent::Opened);
        HandshakeContext::judge()?.ticket(event);
        opened.ok()
    }
}
