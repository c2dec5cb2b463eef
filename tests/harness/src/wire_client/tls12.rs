//! The handshake of TLS 1.2 (RFC 5246 7, RFC 5077 3), full or resumed.

use std::io;

use super::hello::{SCHEME, ServerHello};
use super::keys::{KeyExchange, sign};
use super::records::{CHANGE_CIPHER_SPEC, HANDSHAKE, Protection, Records};
use super::secrets::{hash, prf};
use super::vectors::{Cursor, broken, message, vector8, vector16, vector24};
use super::{KeptSession, Presented};
use crate::Version;

const NEW_SESSION_TICKET: u8 = 4;
const CERTIFICATE: u8 = 11;
const SERVER_KEY_EXCHANGE: u8 = 12;
const CERTIFICATE_REQUEST: u8 = 13;
const SERVER_HELLO_DONE: u8 = 14;
const CERTIFICATE_VERIFY: u8 = 15;
const CLIENT_KEY_EXCHANGE: u8 = 16;
const FINISHED: u8 = 20;

const MASTER: usize = 48;
const VERIFY_DATA: usize = 12;

/// A handshake behind its `ServerHello`.
pub(super) struct Handshake<'a> {
    pub(super) records: &'a mut Records,
    /// Ends with the `ServerHello`.
    pub(super) transcript: Vec<u8>,
    pub(super) client_random: &'a [u8],
    pub(super) hello: &'a ServerHello,
}

/// What comes of it.
pub(super) struct Established {
    pub(super) was_resumed: bool,
    pub(super) session: Option<KeptSession>,
}

impl Handshake<'_> {
    /// Whether the server resumes: then no Certificate follows its `ServerHello`.
    pub(super) fn is_resumed(&mut self) -> io::Result<(bool, Option<Vec<u8>>)> {
        let next = self.records.message(Version::Tls12)?;
        Ok((next.as_ref().is_none_or(|message| message[0] == NEW_SESSION_TICKET), next))
    }

    /// Goes on to the end.
    pub(super) fn finish(
        mut self,
        exchange: KeyExchange,
        offered: Option<&KeptSession>,
        presented: Option<&Presented>,
    ) -> io::Result<Established> {
        if !self.hello.extended_master_secret {
            return Err(broken("no extended master secret"));
        }
        match (self.is_resumed()?, offered) {
            ((true, next), Some(session)) => self.resume(next, &session.secret),
            ((true, _), None) => Err(broken("nothing was there to resume")),
            ((false, next), _) => self.full(next, exchange, presented),
        }
    }

    fn resume(&mut self, next: Option<Vec<u8>>, master: &[u8]) -> io::Result<Established> {
        let [write, read] = self.protections(master);
        let session = self.server_finish(next, read, master)?;
        self.client_finish(write, master);
        self.records.flush()?;
        Ok(Established { was_resumed: true, session })
    }

    fn full(
        &mut self,
        next: Option<Vec<u8>>,
        exchange: KeyExchange,
        presented: Option<&Presented>,
    ) -> io::Result<Established> {
        let (server_key, is_asked) = self.server_flight(next)?;
        if is_asked {
            let chain = presented.map_or(&[][..], |presented| &presented.chain);
            let entries: Vec<u8> = chain.iter().flat_map(|der| vector24(der)).collect();
            self.send(CERTIFICATE, &vector24(&entries));
        }
        self.send(CLIENT_KEY_EXCHANGE, &vector8(exchange.public()));
        let shared = exchange.agree(&server_key)?;
        let master = prf(&shared, "extended master secret", &hash(&self.transcript), MASTER);
        if let Some(presented) = presented.filter(|_| is_asked) {
            let signature = sign(&presented.credential, &self.transcript)?;
            self.send(CERTIFICATE_VERIFY, &[&SCHEME[..], &vector16(&signature)].concat());
        }
        let [write, read] = self.protections(&master);
        self.client_finish(write, &master);
        let next = self.records.message(Version::Tls12)?;
        let session = self.server_finish(next, read, &master)?;
        Ok(Established { was_resumed: false, session })
    }

    /// Reads from the Certificate to `ServerHelloDone`: the server's key, and whether it asks for a certificate.
    fn server_flight(&mut self, mut next: Option<Vec<u8>>) -> io::Result<(Vec<u8>, bool)> {
        let (mut server_key, mut is_asked) = (Vec::new(), false);
        loop {
            let message = next.ok_or_else(|| broken("no message"))?;
            match message[0] {
                SERVER_KEY_EXCHANGE => server_key = Cursor(&message[4 + 3..]).vector(1)?.to_vec(),
                CERTIFICATE_REQUEST => is_asked = true,
                _ => {}
            }
            let is_last = message[0] == SERVER_HELLO_DONE;
            self.transcript.extend(message);
            if is_last {
                return Ok((server_key, is_asked));
            }
            next = self.records.message(Version::Tls12)?;
        }
    }

    /// Reads a ticket, if one comes, and the server's Finished.
    fn server_finish(
        &mut self,
        mut next: Option<Vec<u8>>,
        read: Protection,
        master: &[u8],
    ) -> io::Result<Option<KeptSession>> {
        let mut session = None;
        if let Some(message) = next {
            session = ticket(&message, master)?;
            self.transcript.extend(message);
            next = self.records.message(Version::Tls12)?;
        }
        if next.is_some() {
            return Err(broken("no change of keys"));
        }
        self.records.read = Some(read);
        let expected = prf(master, "server finished", &hash(&self.transcript), VERIFY_DATA);
        let finished = self.records.message(Version::Tls12)?.ok_or_else(|| broken("no Finished"))?;
        if finished != message(FINISHED, &expected) {
            return Err(broken("the server's Finished is wrong"));
        }
        self.transcript.extend(finished);
        Ok(session)
    }

    fn client_finish(&mut self, write: Protection, master: &[u8]) {
        self.records.send(CHANGE_CIPHER_SPEC, &[1]);
        self.records.write = Some(write);
        let verify_data = prf(master, "client finished", &hash(&self.transcript), VERIFY_DATA);
        self.send(FINISHED, &verify_data);
    }

    /// Ours to write, and the server's.
    fn protections(&self, master: &[u8]) -> [Protection; 2] {
        let seed = [&self.hello.random[..], self.client_random].concat();
        Protection::tls12(&prf(master, "key expansion", &seed, Protection::KEY_BLOCK))
    }

    fn send(&mut self, kind: u8, body: &[u8]) {
        let message = message(kind, body);
        self.records.send(HANDSHAKE, &message);
        self.transcript.extend(message);
    }
}

/// The session of a ticket; an empty one is none (RFC 5077 3.3).
fn ticket(message: &[u8], master: &[u8]) -> io::Result<Option<KeptSession>> {
    if message[0] != NEW_SESSION_TICKET {
        return Err(broken(&format!("a message of type {}", message[0])));
    }
    let mut cursor = Cursor(&message[4..]);
    let lifetime_s = cursor.number(4)?;
    let ticket = cursor.vector(2)?.to_vec();
    let session = KeptSession::new(Version::Tls12, master.to_vec(), ticket);
    Ok(Some(KeptSession { lifetime_s, ..session }).filter(|session| !session.ticket.is_empty()))
}
