//! Sealed session tickets (RFC 8446 4.6.1, RFC 5077).
//!
//! A ticket says for which certificate the client proved its key, and when: `version | key id | domain tag | nonce` in the
//! clear, and sealed behind it `time of the full handshake | SHA-256 of the leaf | where the chain is | what rustls keeps`.
//! Each trust domain seals with keys of its own, derived from the ring's secrets, so that a ticket of one is not even opened by
//! another; what is in the clear only says why one is not.

use std::rc::Rc;

use aws_lc_rs::{
    aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hkdf::{HKDF_SHA256, KeyType, Prk, Salt},
    rand,
};
use rustls_pki_types::UnixTime;
use zeroize::Zeroizing;

use crate::{KeyRing, PeerChain, judge::Passage, key_ring::TicketSecret};

/// Of the format. Another one is another version.
const VERSION: u8 = 1;
const KEY_ID_LEN: usize = 8;
const TAG_LEN: usize = 8;
/// Version, key id, domain tag and nonce.
const HEAD_LEN: usize = 1 + KEY_ID_LEN + TAG_LEN + NONCE_LEN;
/// Time, thumbprint, and place and length of the chain.
const ORIGIN_LEN: usize = 8 + 32 + 4 + 4;
/// The longest ticket that is made: larger ones fit into no record with the rest of their message, and beyond 64 kB their length into
/// no ticket.
const TICKET_LEN_MAX: usize = 0x3000;
/// How far ahead of ours the clock of a node may be that sealed a ticket, in seconds. A ticket lives so much longer at most.
const CLOCK_TOLERANCE_S: u64 = 60;

/// Why a ticket is not taken. A full handshake follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TicketRefusal {
    /// It was sealed with a key that is not in the ring, or is no ticket.
    KeyUnknown,
    /// It was sealed for another trust domain.
    OtherDomain,
    /// It was altered, or its seal is not ours.
    Damaged,
    /// The full handshake that it goes back to was too long ago.
    TooOld,
    /// Its client is refused at present.
    Refused,
    /// The client offered more of them than are looked at.
    TooMany,
}

impl TicketRefusal {
    /// The label in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::KeyUnknown => "key_unknown",
            Self::OtherDomain => "other_domain",
            Self::Damaged => "damaged",
            Self::TooOld => "too_old",
            Self::Refused => "refused",
            Self::TooMany => "too_many",
        }
    }
}

/// What a session goes back to: the handshake in which its client proved the key of its certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// SHA-256 of the leaf.
    pub leaf: [u8; 32],
    /// When, in seconds of Unix time.
    pub proved_at: u64,
}

/// A session that may be resumed.
pub struct Taken {
    /// What it goes back to.
    pub origin: Origin,
    /// The chain that its client was judged by.
    pub chain: Rc<PeerChain>,
    /// What rustls had sealed, a secret among it.
    pub(crate) plain: Vec<u8>,
}

/// A ticket that was opened.
pub(crate) struct Opened {
    pub(crate) origin: Origin,
    /// Where rustls' part has the chain.
    chain: (usize, usize),
    /// What rustls had sealed, a secret among it, behind the octets of the origin.
    plain: Zeroizing<Vec<u8>>,
}

/// The keys of one trust domain.
#[derive(Debug)]
pub struct DomainKeys {
    /// The one that seals first.
    keys: Vec<DomainKey>,
    lifetime_s: u64,
}

struct DomainKey {
    id: [u8; KEY_ID_LEN],
    tag: [u8; TAG_LEN],
    key: LessSafeKey,
}

/// What keys are derived for; the number is how many octets they have.
struct Octets(usize);

impl KeyType for Octets {
    fn len(&self) -> usize {
        self.0
    }
}

impl std::fmt::Debug for DomainKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DomainKey").finish_non_exhaustive()
    }
}

impl DomainKeys {
    /// Derives the keys of the trust domain with that digest. Tickets live for `lifetime_s` seconds from the full handshake.
    pub(crate) fn derive(ring: &KeyRing, domain: &[u8; 32], lifetime_s: u64) -> Self {
        Self { keys: ring.secrets().map(|secret| DomainKey::derive(secret, domain)).collect(), lifetime_s }
    }

    /// Seconds that a session of this origin has left at `now`; none if it is over, or too far ahead to be believed.
    pub(crate) fn remaining_s(&self, origin: Origin, now: u64) -> Option<u64> {
        if origin.proved_at > now + CLOCK_TOLERANCE_S {
            return None;
        }
        self.lifetime_s.checked_sub(now.saturating_sub(origin.proved_at)).filter(|left| *left > 0)
    }

    /// Seals `plain`, which is rustls' and has `chain` in it. `None` if it has not, if the ticket would be too long, or nothing can be
    /// sealed.
    ///
    /// That `chain` is there is what ties the ticket to the session: one that carries no chain, since what was offered was not
    /// resumed and nothing was presented, must have none made for an offered chain. So nothing that a client writes may get
    /// into `plain` beside the chain: rustls' application data stays empty.
    pub fn seal(&self, origin: Origin, chain: &PeerChain, plain: &[u8]) -> Option<Vec<u8>> {
        let (at, len) = chain.find_in(plain)?;
        let key = self.keys.first()?;
        let mut nonce = [0; NONCE_LEN];
        rand::fill(&mut nonce).ok()?;
        let ticket_len = HEAD_LEN + ORIGIN_LEN + plain.len() + AES_256_GCM_SIV.tag_len();
        if ticket_len > TICKET_LEN_MAX {
            return None;
        }
        let mut ticket = Vec::with_capacity(ticket_len);
        ticket.push(VERSION);
        ticket.extend_from_slice(&key.id);
        ticket.extend_from_slice(&key.tag);
        ticket.extend_from_slice(&nonce);
        ticket.extend_from_slice(&origin.proved_at.to_be_bytes());
        ticket.extend_from_slice(&origin.leaf);
        ticket.extend_from_slice(&u32::try_from(at).ok()?.to_be_bytes());
        ticket.extend_from_slice(&u32::try_from(len).ok()?.to_be_bytes());
        ticket.extend_from_slice(plain);
        let (head, sealed) = ticket.split_at_mut(HEAD_LEN);
        let aad = Aad::from(&head[..HEAD_LEN - NONCE_LEN]);
        let nonce = Nonce::assume_unique_for_key(nonce);
        let seal = key.key.seal_in_place_separate_tag(nonce, aad, sealed).ok()?;
        ticket.extend_from_slice(seal.as_ref());
        Some(ticket)
    }

    /// Opens a ticket at `now`, every octet of which is the peer's, and asks `judge` about whoever proved the key of its leaf, by the
    /// SHA-256 of that and by its chain.
    ///
    /// # Errors
    /// Why it is not taken.
    pub fn take(
        &self,
        ticket: &[u8],
        now: UnixTime,
        judge: impl FnOnce(&[u8; 32], PeerChain) -> Passage,
    ) -> Result<Taken, TicketRefusal> {
        let opened = self.open(ticket)?;
        let origin = opened.origin;
        self.remaining_s(origin, now.as_secs()).ok_or(TicketRefusal::TooOld)?;
        let chain = opened.chain().ok_or(TicketRefusal::Damaged)?;
        match judge(&origin.leaf, chain) {
            Passage::Granted { leaf, chain } => {
                let origin = Origin { leaf, ..origin };
                Ok(Taken { origin, chain, plain: opened.into_plain() })
            }
            Passage::Denied => Err(TicketRefusal::Refused),
        }
    }

    /// Opens a ticket, every octet of which is the peer's.
    ///
    /// # Errors
    /// It is none of this domain's, or was altered.
    pub(crate) fn open(&self, ticket: &[u8]) -> Result<Opened, TicketRefusal> {
        let (head, sealed) = ticket.split_at_checked(HEAD_LEN).ok_or(TicketRefusal::KeyUnknown)?;
        let (clear, nonce) = head.split_at(HEAD_LEN - NONCE_LEN);
        let (version_and_id, tag) = clear.split_at(1 + KEY_ID_LEN);
        let is_of = |key: &&DomainKey| version_and_id[0] == VERSION && version_and_id[1..] == key.id;
        let key = self.keys.iter().find(is_of).ok_or(TicketRefusal::KeyUnknown)?;
        if *tag != key.tag {
            return Err(TicketRefusal::OtherDomain);
        }
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| TicketRefusal::Damaged)?;
        let mut plain = Zeroizing::new(sealed.to_vec());
        let len = key
            .key
            .open_in_place(nonce, Aad::from(clear), &mut plain)
            .map_err(|_| TicketRefusal::Damaged)?
            .len();
        plain.truncate(len);
        Opened::read(plain).ok_or(TicketRefusal::Damaged)
    }
}

impl DomainKey {
    fn derive(secret: &TicketSecret, domain: &[u8; 32]) -> Self {
        let prk = Salt::new(HKDF_SHA256, b"portcullis ticket 1").extract(secret.bytes());
        let mut key = Zeroizing::new([0; 32]);
        let (mut id, mut tag) = ([0; KEY_ID_LEN], [0; TAG_LEN]);
        expand(&prk, &[b"id"], &mut id);
        expand(&prk, &[b"domain tag", domain], &mut tag);
        expand(&prk, &[b"key", domain], &mut *key);
        let key = UnboundKey::new(&AES_256_GCM_SIV, &*key).expect("the key has the length of the algorithm");
        Self { id, tag, key: LessSafeKey::new(key) }
    }
}

fn expand(prk: &Prk, info: &[&[u8]], out: &mut [u8]) {
    let expanded = prk.expand(info, Octets(out.len())).and_then(|okm| okm.fill(out));
    expanded.expect("HKDF gives up to 255 times the length of its hash");
}

impl Opened {
    /// Reads what was sealed. `None` for what [`DomainKeys::seal`] does not make.
    fn read(plain: Zeroizing<Vec<u8>>) -> Option<Self> {
        let (proved_at, rest) = plain.split_first_chunk::<8>()?;
        let (leaf, rest) = rest.split_first_chunk::<32>()?;
        let (at, rest) = rest.split_first_chunk::<4>()?;
        let (len, rest) = rest.split_first_chunk::<4>()?;
        let at = usize::try_from(u32::from_be_bytes(*at)).ok()?;
        let len = usize::try_from(u32::from_be_bytes(*len)).ok()?;
        rest.get(at..at.checked_add(len)?)?;
        let origin = Origin { leaf: *leaf, proved_at: u64::from_be_bytes(*proved_at) };
        Some(Self { origin, chain: (at, len), plain })
    }

    /// The chain, as the client presented it in the full handshake.
    pub(crate) fn chain(&self) -> Option<PeerChain> {
        let (at, len) = self.chain;
        PeerChain::read(self.plain.get(ORIGIN_LEN + at..ORIGIN_LEN + at + len)?)
    }

    /// What rustls had sealed.
    pub(crate) fn into_plain(mut self) -> Vec<u8> {
        let mut plain = std::mem::take(&mut *self.plain);
        plain.drain(..ORIGIN_LEN);
        plain
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(ring: &KeyRing, domain: u8) -> DomainKeys {
        DomainKeys::derive(ring, &[domain; 32], 3600)
    }

    fn chain() -> PeerChain {
        PeerChain { leaf: b"a leaf".to_vec().into(), intermediates: vec![b"a CA".to_vec().into()] }
    }

    const ORIGIN: Origin = Origin { leaf: [7; 32], proved_at: 1000 };

    /// As rustls writes a chain: each length in three octets.
    const PLAIN: &[u8] = b"before\x00\x00\x10\x00\x00\x06a leaf\x00\x00\x04a CAbehind";

    fn sealed(ring: &KeyRing) -> Vec<u8> {
        keys(ring, 1).seal(ORIGIN, &chain(), PLAIN).unwrap()
    }

    fn refusal(keys: &DomainKeys, ticket: &[u8]) -> Option<TicketRefusal> {
        keys.open(ticket).err()
    }

    #[test]
    fn a_ticket_opens_to_what_was_sealed() {
        let ring = KeyRing::random().unwrap();
        let opened = keys(&ring, 1).open(&sealed(&ring)).unwrap();
        assert_eq!((opened.origin, opened.chain().unwrap()), (ORIGIN, chain()));
        assert_eq!(opened.into_plain(), PLAIN);
    }

    #[test]
    fn what_does_not_have_the_chain_is_not_sealed() {
        let keys = keys(&KeyRing::random().unwrap(), 1);
        let other = PeerChain { intermediates: Vec::new(), ..chain() };
        assert!(keys.seal(ORIGIN, &other, PLAIN).is_none());
        assert!(keys.seal(ORIGIN, &chain(), &PLAIN[..24]).is_none());
        assert!(keys.seal(ORIGIN, &chain(), b"").is_none());
        let long = [PLAIN, &[0; TICKET_LEN_MAX]].concat();
        assert!(keys.seal(ORIGIN, &chain(), &long).is_none());
        let short = &long[..TICKET_LEN_MAX - HEAD_LEN - ORIGIN_LEN - AES_256_GCM_SIV.tag_len()];
        assert_eq!(keys.seal(ORIGIN, &chain(), short).map(|ticket| ticket.len()), Some(TICKET_LEN_MAX));
    }

    #[test]
    fn another_domain_and_another_ring_do_not_open_it() {
        let ring = KeyRing::random().unwrap();
        let ticket = sealed(&ring);
        assert_eq!(refusal(&keys(&ring, 2), &ticket), Some(TicketRefusal::OtherDomain));
        let stranger = keys(&KeyRing::random().unwrap(), 1);
        assert_eq!(refusal(&stranger, &ticket), Some(TicketRefusal::KeyUnknown));
        // Nor does a tag that says it is of this domain.
        let mut forged = ticket;
        forged[1 + KEY_ID_LEN..][..TAG_LEN].copy_from_slice(&keys(&ring, 2).keys[0].tag);
        assert_eq!(refusal(&keys(&ring, 2), &forged), Some(TicketRefusal::Damaged));
    }

    #[test]
    fn keys_before_and_after_open_and_do_not_seal() {
        let first = KeyRing::random().unwrap().rotated().unwrap();
        let second = first.rotated().unwrap();
        let third = second.rotated().unwrap();
        let ticket = sealed(&first);
        assert!(keys(&second, 1).open(&ticket).is_ok());
        assert_eq!(refusal(&keys(&third, 1), &ticket), Some(TicketRefusal::KeyUnknown));
        // A node that has not rotated yet.
        assert!(keys(&first, 1).open(&sealed(&second)).is_ok());
    }

    #[test]
    fn no_octet_can_be_altered_and_none_left_out() {
        let ring = KeyRing::random().unwrap();
        let (ticket, keys) = (sealed(&ring), keys(&ring, 1));
        for at in 0..ticket.len() {
            for bit in 0..8 {
                let mut altered = ticket.clone();
                altered[at] ^= 1 << bit;
                assert!(keys.open(&altered).is_err(), "octet {at}, bit {bit}");
            }
            assert!(keys.open(&ticket[..at]).is_err(), "{at} octets");
        }
        assert_eq!(refusal(&keys, &[ticket, vec![0]].concat()), Some(TicketRefusal::Damaged));
    }

    #[test]
    fn a_session_ends_when_its_full_handshake_is_too_long_ago() {
        let keys = keys(&KeyRing::random().unwrap(), 1);
        assert_eq!(keys.remaining_s(ORIGIN, 1000), Some(3600));
        assert_eq!(keys.remaining_s(ORIGIN, 4599), Some(1));
        assert_eq!(keys.remaining_s(ORIGIN, 4600), None);
        // By the clock of another node.
        assert_eq!(keys.remaining_s(ORIGIN, 1000 - CLOCK_TOLERANCE_S), Some(3600));
        assert_eq!(keys.remaining_s(ORIGIN, 999 - CLOCK_TOLERANCE_S), None);
    }
}
