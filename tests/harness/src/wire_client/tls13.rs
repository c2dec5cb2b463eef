//! The handshake of TLS 1.3 (RFC 8446 2, 4), full or resumed.

use std::io;

use super::hello::{EARLY_DATA, SCHEME, ServerHello};
use super::keys::{KeyExchange, sign};
use super::records::{APPLICATION_DATA, HANDSHAKE, Protection, Records};
use super::secrets::{HASH, derive_secret, expand_label, finished, hmac, next_secret};
use super::vectors::{Cursor, broken, message, vector8, vector16, vector24};
use super::{KeptSession, Presented};
use crate::Version;

const NEW_SESSION_TICKET: u8 = 4;
const ENCRYPTED_EXTENSIONS: u8 = 8;
const CERTIFICATE: u8 = 11;
const CERTIFICATE_REQUEST: u8 = 13;
const CERTIFICATE_VERIFY: u8 = 15;
const FINISHED: u8 = 20;

/// What a client's signature is over (RFC 8446 4.4.3).
const CONTEXT: &str = "TLS 1.3, client CertificateVerify";

/// What comes of it.
pub(super) struct Established {
    pub(super) was_resumed: bool,
    /// From which the secrets of tickets are derived.
    pub(super) resumption_secret: Vec<u8>,
}

/// Sends data under the first session, before the server has said anything.
pub(super) fn send_early(records: &mut Records, session: &KeptSession, hello: &[u8], data: &[u8]) {
    let early = hmac(&[0; HASH], &session.secret);
    records.write = Some(Protection::tls13(&derive_secret(&early, "c e traffic", hello)));
    records.send(APPLICATION_DATA, data);
    records.write = None;
}

/// Goes on behind the `ServerHello`. `transcript` ends with it.
pub(super) fn finish(
    records: &mut Records,
    mut transcript: Vec<u8>,
    hello: &ServerHello,
    (exchange, offered): (KeyExchange, &[KeptSession]),
    presented: Option<&Presented>,
) -> io::Result<Established> {
    let session = hello.selected.map(|index| offered.get(index).ok_or_else(|| broken("no such session")));
    let session = session.transpose()?;
    let early = hmac(&[0; HASH], session.map_or(&[0; HASH][..], |session| &session.secret));
    let shared = next_secret(&early, &exchange.agree(&hello.key_share)?);
    let client_secret = derive_secret(&shared, "c hs traffic", &transcript);
    let server_secret = derive_secret(&shared, "s hs traffic", &transcript);
    records.read = Some(Protection::tls13(&server_secret));
    let is_asked = server_flight(records, &mut transcript, &server_secret)?;
    let main = next_secret(&shared, &[0; HASH]);
    let application = |side| derive_secret(&main, side, &transcript);
    let (client_traffic, server_traffic) = (application("c ap traffic"), application("s ap traffic"));
    records.write = Some(Protection::tls13(&client_secret));
    if is_asked {
        present(records, &mut transcript, presented)?;
    }
    let verify_data = finished(&client_secret, &transcript);
    send(records, &mut transcript, FINISHED, &verify_data);
    records.flush()?;
    records.write = Some(Protection::tls13(&client_traffic));
    records.read = Some(Protection::tls13(&server_traffic));
    let resumption_secret = derive_secret(&main, "res master", &transcript);
    Ok(Established { was_resumed: session.is_some(), resumption_secret })
}

/// Reads what the server says up to its Finished; whether it asks for a certificate.
fn server_flight(records: &mut Records, transcript: &mut Vec<u8>, secret: &[u8]) -> io::Result<bool> {
    let mut is_asked = false;
    loop {
        let next = records.message(Version::Tls13)?.ok_or_else(|| broken("no message"))?;
        match next[0] {
            ENCRYPTED_EXTENSIONS => {
                let extensions = Cursor(&next[4..]).extensions()?;
                if extensions.iter().any(|(number, _)| *number == u32::from(EARLY_DATA)) {
                    return Err(broken(super::EARLY_DATA_TAKEN));
                }
            }
            CERTIFICATE_REQUEST => is_asked = true,
            CERTIFICATE | CERTIFICATE_VERIFY => {}
            FINISHED if next[4..] == finished(secret, transcript) => {
                transcript.extend(next);
                return Ok(is_asked);
            }
            FINISHED => return Err(broken("the server's Finished is wrong")),
            other => return Err(broken(&format!("a message of type {other}"))),
        }
        transcript.extend(next);
    }
}

/// Presents the certificate, or says that there is none.
fn present(records: &mut Records, transcript: &mut Vec<u8>, presented: Option<&Presented>) -> io::Result<()> {
    let chain = presented.map_or(&[][..], |presented| &presented.chain);
    let entry = |der: &[u8]| [vector24(der), vector16(b"")].concat();
    let entries: Vec<u8> = chain.iter().flat_map(|der| entry(der)).collect();
    send(records, transcript, CERTIFICATE, &[vector8(b""), vector24(&entries)].concat());
    let Some(presented) = presented else { return Ok(()) };
    let hash = super::secrets::hash(transcript);
    let signed = [&[0x20; 64], CONTEXT.as_bytes(), &[0], &hash].concat();
    let signature = sign(&presented.credential, &signed)?;
    send(records, transcript, CERTIFICATE_VERIFY, &[&SCHEME[..], &vector16(&signature)].concat());
    Ok(())
}

fn send(records: &mut Records, transcript: &mut Vec<u8>, kind: u8, body: &[u8]) {
    let message = message(kind, body);
    records.send(HANDSHAKE, &message);
    transcript.extend(message);
}

/// The session of a ticket, if this is one.
pub(super) fn ticket(message: &[u8], resumption_secret: &[u8]) -> io::Result<Option<KeptSession>> {
    if message[0] != NEW_SESSION_TICKET {
        return Ok(None);
    }
    let mut cursor = Cursor(&message[4..]);
    let (lifetime_s, age_add) = (cursor.number(4)?, cursor.number(4)?);
    let secret = expand_label(resumption_secret, "resumption", cursor.vector(1)?, HASH);
    let ticket = cursor.vector(2)?.to_vec();
    let is_early_data = |(number, _): &(u32, &[u8])| *number == u32::from(EARLY_DATA);
    let allows_early_data = cursor.extensions()?.iter().any(is_early_data);
    let session = KeptSession::new(Version::Tls13, secret, ticket);
    Ok(Some(KeptSession { lifetime_s, age_add, allows_early_data, ..session }))
}
