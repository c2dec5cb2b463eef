//! `ClientHello` and `ServerHello` (RFC 8446 4.1, 4.2; RFC 5246 7.4.1; RFC 5077 3.2).

use std::io;

use super::KeptSession;
use super::secrets::{HASH, binder};
use super::vectors::{Cursor, broken, message, vector8, vector16};
use crate::Version;

/// The one suite of TLS 1.3 that is offered: `TLS_AES_128_GCM_SHA256`.
const SUITE_13: [u8; 2] = [0x13, 0x01];
/// The one suite of TLS 1.2: `TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256`.
const SUITE_12: [u8; 2] = [0xc0, 0x2b];
pub(super) const X25519: [u8; 2] = [0x00, 0x1d];
/// The curve of certificates, which OpenSSL wants to be told of in TLS 1.2; keys are never exchanged on it.
const SECP256R1: [u8; 2] = [0x00, 0x17];
/// `ecdsa_secp256r1_sha256`, by which the client signs.
pub(super) const SCHEME: [u8; 2] = [0x04, 0x03];
/// What servers may sign by.
const SCHEMES: [u8; 6] = [0x04, 0x03, 0x08, 0x04, 0x05, 0x03];

pub(super) const SERVER_HELLO: u8 = 2;
/// The random of a `HelloRetryRequest` (RFC 8446 4.1.3) begins so.
const RETRY: [u8; 4] = [0xcf, 0x21, 0xad, 0x74];

const SERVER_NAME: u16 = 0;
const SUPPORTED_GROUPS: u16 = 10;
const POINT_FORMATS: u16 = 11;
const SIGNATURE_ALGORITHMS: u16 = 13;
const ALPN: u16 = 16;
const EXTENDED_MASTER_SECRET: u16 = 23;
const SESSION_TICKET: u16 = 35;
const PRE_SHARED_KEY: u16 = 41;
pub(super) const EARLY_DATA: u16 = 42;
const SUPPORTED_VERSIONS: u16 = 43;
const PSK_MODES: u16 = 45;
const KEY_SHARE: u16 = 51;

/// What a `ClientHello` says.
pub(super) struct ClientHello<'a> {
    pub(super) version: Version,
    pub(super) random: &'a [u8],
    pub(super) session_id: &'a [u8],
    pub(super) server_name: Option<&'a str>,
    pub(super) alpn: &'a [Vec<u8>],
    /// `None` has the server ask for the hello again; TLS 1.3.
    pub(super) key_share: Option<&'a [u8]>,
    /// What the binders are over before this message.
    pub(super) before: &'a [u8],
    /// For TLS 1.2; `None` leaves the extension out.
    pub(super) ticket: Option<&'a [u8]>,
    /// For TLS 1.3.
    pub(super) sessions: &'a [KeptSession],
    pub(super) early_data: bool,
}

impl ClientHello<'_> {
    /// The message, with the binders of its sessions.
    pub(super) fn encode(&self) -> Vec<u8> {
        let suite = match self.version {
            Version::Tls12 => SUITE_12,
            Version::Tls13 => SUITE_13,
        };
        // No renegotiation in TLS 1.2 (RFC 5746 3.3).
        let suites = vector16(&[suite, [0x00, 0xff]].concat());
        let head = [&[3, 3], self.random, &vector8(self.session_id), &suites, &vector8(&[0])].concat();
        let hello = message(1, &[&head[..], &vector16(&self.extensions())].concat());
        self.bound(hello)
    }

    fn extensions(&self) -> Vec<u8> {
        let mut extensions = Vec::new();
        let mut add = |number: u16, content: &[u8]| {
            extensions.extend(number.to_be_bytes());
            extensions.extend(vector16(content));
        };
        if let Some(name) = self.server_name {
            add(SERVER_NAME, &vector16(&[&[0], &vector16(name.as_bytes())[..]].concat()));
        }
        add(SUPPORTED_GROUPS, &vector16(&[X25519, SECP256R1].concat()));
        add(SIGNATURE_ALGORITHMS, &vector16(&SCHEMES));
        if !self.alpn.is_empty() {
            let protocols: Vec<u8> = self.alpn.iter().flat_map(|protocol| vector8(protocol)).collect();
            add(ALPN, &vector16(&protocols));
        }
        match self.version {
            Version::Tls12 => {
                add(POINT_FORMATS, &vector8(&[0]));
                add(EXTENDED_MASTER_SECRET, b"");
                if let Some(ticket) = self.ticket {
                    add(SESSION_TICKET, ticket);
                }
            }
            Version::Tls13 => {
                add(SUPPORTED_VERSIONS, &vector8(&[3, 4]));
                let share = self.key_share.map(|key| [&X25519[..], &vector16(key)].concat());
                add(KEY_SHARE, &vector16(&share.unwrap_or_default()));
                add(PSK_MODES, &vector8(&[1]));
                if self.early_data {
                    add(EARLY_DATA, b"");
                }
                if !self.sessions.is_empty() {
                    add(PRE_SHARED_KEY, &self.pre_shared_key());
                }
            }
        }
        extensions
    }

    /// Identities, and binders that are yet to be computed.
    fn pre_shared_key(&self) -> Vec<u8> {
        let identity = |session: &KeptSession| {
            [&vector16(&session.ticket)[..], &session.obfuscated_age().to_be_bytes()].concat()
        };
        let identities: Vec<u8> = self.sessions.iter().flat_map(identity).collect();
        [vector16(&identities), vec![0; self.binders_length()]].concat()
    }

    fn binders_length(&self) -> usize {
        if self.sessions.is_empty() { 0 } else { 2 + self.sessions.len() * (1 + HASH) }
    }

    /// The message with the binders in their places at its end (RFC 8446 4.2.11.2).
    fn bound(&self, mut hello: Vec<u8>) -> Vec<u8> {
        if self.version == Version::Tls12 || self.sessions.is_empty() {
            return hello;
        }
        hello.truncate(hello.len() - self.binders_length());
        let bound = [self.before, &hello].concat();
        let of = |session: &KeptSession| vector8(&binder(&session.secret, &bound));
        let binders: Vec<u8> = self.sessions.iter().flat_map(of).collect();
        [hello, vector16(&binders)].concat()
    }
}

/// Whether a message is a `HelloRetryRequest`, a `ServerHello` by its form.
pub(super) fn is_retry_request(message: &[u8]) -> bool {
    message.first() == Some(&SERVER_HELLO)
        && message.get(4 + 2..).is_some_and(|rest| rest.starts_with(&RETRY))
}

/// What a `ServerHello` says.
pub(super) struct ServerHello {
    pub(super) random: Vec<u8>,
    pub(super) session_id: Vec<u8>,
    /// The public key in it; TLS 1.3.
    pub(super) key_share: Vec<u8>,
    /// Which of the sessions is resumed; TLS 1.3.
    pub(super) selected: Option<usize>,
    /// Whether the secret of TLS 1.2 is the extended one.
    pub(super) extended_master_secret: bool,
}

impl ServerHello {
    /// Reads the message.
    pub(super) fn read(message: &[u8], version: Version) -> io::Result<Self> {
        let mut cursor = Cursor(message);
        if cursor.number(1)? != u32::from(SERVER_HELLO) {
            return Err(broken("no ServerHello"));
        }
        cursor.take(3 + 2)?;
        let random = cursor.take(32)?.to_vec();
        if random.starts_with(&RETRY) {
            return Err(broken("a HelloRetryRequest"));
        }
        let session_id = cursor.vector(1)?.to_vec();
        cursor.take(2 + 1)?;
        let extensions = cursor.extensions()?;
        let find = |number: u16| {
            extensions.iter().find(|(known, _)| *known == u32::from(number)).map(|(_, content)| *content)
        };
        if (version == Version::Tls13) != (find(SUPPORTED_VERSIONS) == Some(&[3, 4])) {
            return Err(broken("another version of TLS"));
        }
        let key_share = match find(KEY_SHARE) {
            Some(content) => content.get(4..).ok_or_else(|| broken("no key share"))?.to_vec(),
            None => Vec::new(),
        };
        let selected = find(PRE_SHARED_KEY).map(|content| Cursor(content).number(2)).transpose()?;
        Ok(Self {
            random,
            session_id,
            key_share,
            selected: selected.and_then(|index| usize::try_from(index).ok()),
            extended_master_secret: find(EXTENDED_MASTER_SECRET).is_some(),
        })
    }
}
