//! What shards read of keys.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use ahash::RandomState;
use portcullis_identity::{Roles, Thumbprint};
use rpds::{HashTrieMap, HashTrieMapSync};

use crate::{IdentityDigest, KeyId, KeyRecord, KeyState, KeyUse, Member};

/// All keys, by the digests of their identities. Immutable once published: a clone shares what it has in common with the book it
/// was made from, so that the change of one key costs the same among ten and among a million.
#[derive(Clone, Debug)]
pub struct KeyBook {
    entries: HashTrieMapSync<IdentityDigest, Arc<KeyEntry>, RandomState>,
    is_full: bool,
}

/// As much of a key as is needed on its connections.
#[derive(Debug)]
pub struct KeyEntry {
    /// What it is called.
    pub id: KeyId,
    /// Whether its holder may pass.
    pub state: KeyState,
    /// The roles that it may use at most.
    pub roles: Option<Roles>,
    /// The policy of its own, by name.
    pub policy: Option<Box<str>>,
    /// Its tags.
    pub tags: Box<[Box<str>]>,
    /// Its certificates.
    pub certificates: Box<[KnownCertificate]>,
    /// What its holder does at present, of which all versions of the entry tell.
    pub usage: Arc<KeyUse>,
}

/// A certificate of a key, and when it was last seen, of which all versions of the entry tell.
#[derive(Debug)]
pub struct KnownCertificate {
    /// SHA-256 of the certificate.
    pub thumbprint: Thumbprint,
    /// The last second of its validity, in Unix seconds.
    pub not_after: i64,
    last_seen: Arc<AtomicI64>,
}

impl Default for KeyBook {
    fn default() -> Self {
        Self { entries: HashTrieMap::new_with_hasher_and_ptr_kind(RandomState::new()), is_full: false }
    }
}

impl KeyBook {
    /// The key of an identity.
    pub fn get(&self, identity: &IdentityDigest) -> Option<&Arc<KeyEntry>> {
        self.entries.get(identity)
    }

    /// Writes a key down, in the place of what was written of it before.
    pub fn put(&mut self, record: &KeyRecord) {
        let digest = record.key_identity().digest();
        let entry = KeyEntry::new(record, self.get(&digest).map(|known| &**known));
        self.entries.insert_mut(digest, Arc::new(entry));
    }

    /// Strikes a key out.
    pub fn remove(&mut self, identity: &IdentityDigest) {
        self.entries.remove_mut(identity);
    }

    /// All keys.
    pub fn iter(&self) -> impl Iterator<Item = (&IdentityDigest, &Arc<KeyEntry>)> {
        self.entries.iter()
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.entries.size()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether no more are taken.
    pub const fn is_full(&self) -> bool {
        self.is_full
    }

    /// Says whether more are taken.
    pub const fn set_full(&mut self, is_full: bool) {
        self.is_full = is_full;
    }
}

impl KeyEntry {
    fn new(record: &KeyRecord, before: Option<&Self>) -> Self {
        let certificate = |member: &Member| {
            let thumbprint = member.thumbprint_sha256;
            let known = before.and_then(|before| before.certificate(&thumbprint));
            let new = || Arc::new(AtomicI64::new(member.last_seen_unix_s));
            let last_seen = known.map_or_else(new, |it| Arc::clone(&it.last_seen));
            KnownCertificate { thumbprint, not_after: member.not_after_unix_s, last_seen }
        };
        let policy: Option<Box<str>> = record.policy.as_deref().map(Into::into);
        let tags: Box<[Box<str>]> = record.tags.iter().map(|tag| tag.as_str().into()).collect();
        if let Some(before) = before.filter(|it| (&it.policy, &it.tags) != (&policy, &tags)) {
            // What was spent at a slow rate would be waited for at the next, however fast.
            before.usage.forgive();
        }
        Self {
            id: record.id,
            state: record.state,
            roles: record.roles,
            policy,
            tags,
            certificates: record.certificates.iter().map(certificate).collect(),
            usage: before.map_or_else(Arc::default, |before| Arc::clone(&before.usage)),
        }
    }

    /// A certificate of the key.
    pub fn certificate(&self, thumbprint: &Thumbprint) -> Option<&KnownCertificate> {
        self.certificates.iter().find(|it| it.thumbprint == *thumbprint)
    }
}

impl KnownCertificate {
    /// Notes that a client with the certificate was there at `now`, in Unix seconds.
    pub fn seen(&self, now: i64) {
        // Most requests come in a second that was noted before: a line of memory that is only read is in every core's cache.
        if self.last_seen.load(Ordering::Relaxed) < now {
            self.last_seen.store(now, Ordering::Relaxed);
        }
    }

    /// When a client with the certificate was last there, in Unix seconds.
    pub fn last_seen(&self) -> i64 {
        self.last_seen.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use portcullis_identity::SpkiHash;

    use super::*;
    use crate::{KeyIdentity, Sighted};

    fn sighted(number: u8) -> Sighted {
        Sighted {
            identity: KeyIdentity::new("psd2:PSDES-BE-1"),
            thumbprint: Thumbprint::from([number; 32]),
            spki_sha256: SpkiHash::of(&[number]),
            validity: (0, 1),
            holder: None,
            issuer: Arc::from("QTSP"),
            needs_approval: false,
        }
    }

    #[test]
    fn a_change_shows_in_the_new_book_only_and_all_tell_when_a_certificate_was_seen() {
        let mut record = KeyRecord::enrol(KeyId::new(1), &sighted(1), 10);
        let mut book = KeyBook::default();
        book.put(&record);
        let digest = record.key_identity().digest();
        let before = book.clone();
        record.take_in(&sighted(2), 12);
        record.state = KeyState::Suspended;
        book.put(&record);
        let (old, new) = (before.get(&digest).unwrap(), book.get(&digest).unwrap());
        assert_eq!((old.state, new.state), (KeyState::Active, KeyState::Suspended));
        let (one, two) = (Thumbprint::from([1; 32]), Thumbprint::from([2; 32]));
        assert!(old.certificate(&two).is_none() && new.certificate(&two).is_some());
        old.certificate(&one).unwrap().seen(20);
        new.certificate(&one).unwrap().seen(15);
        let last_seen = |thumbprint| new.certificate(&thumbprint).unwrap().last_seen();
        assert_eq!((last_seen(one), last_seen(two)), (20, 12));
        assert!(Arc::ptr_eq(&old.usage, &new.usage), "a change gives no new quota");
        book.remove(&digest);
        assert!(book.is_empty() && before.len() == 1);
    }
}
