//! All that is kept of a key.

use std::collections::BTreeSet;

use portcullis_identity::{Roles, Thumbprint};
use serde::{Deserialize, Serialize};

use crate::{KeyId, KeyIdentity, Sighted};

/// Certificates that a key keeps. A provider has one or two at a time and renews them yearly; where one has more, those
/// that were not seen for longest go.
pub const CERTIFICATES_MAX: usize = 64;
/// Characters of a display name. organizationName has 64 at most by RFC 5280, and more by some issuers.
pub const DISPLAY_NAME_CHARS_MAX: usize = 256;
/// Tags of a key.
pub const TAGS_MAX: usize = 32;
/// Characters of a tag.
pub const TAG_CHARS_MAX: usize = 64;
/// Characters of notes.
pub const NOTES_CHARS_MAX: usize = 4096;

/// Whether the holder of a key may pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyState {
    /// It may.
    Active,
    /// An operator has not said so yet.
    Pending,
    /// An operator has said that it may not.
    Suspended,
}

impl KeyState {
    /// The name in records and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Pending => "pending",
            Self::Suspended => "suspended",
        }
    }
}

/// A key. Its JSON, one to a line, is what is exported and imported; times are Unix seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRecord {
    /// What it is called.
    pub id: KeyId,
    /// Whose it is: the text of its [`KeyIdentity`].
    pub identity: String,
    /// What people call the holder.
    pub display_name: String,
    /// Whether the holder may pass.
    pub state: KeyState,
    /// The roles that it may use at most; `None` for all that its certificate and the register give.
    pub roles: Option<Roles>,
    /// The policy that holds for it, by name; `None` for that of its tags or roles, or the default.
    pub policy: Option<String>,
    /// By what it is found and limited.
    pub tags: BTreeSet<String>,
    /// What an operator wants to remember.
    pub notes: String,
    /// When it was made.
    pub created_unix_s: i64,
    /// When it was last changed, other than by being seen.
    pub changed_unix_s: i64,
    /// The certificates that were seen for it.
    pub certificates: Vec<Member>,
}

/// A certificate of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// SHA-256 of the certificate.
    pub thumbprint_sha256: Thumbprint,
    /// SHA-256 of its `SubjectPublicKeyInfo`.
    pub spki_sha256: Thumbprint,
    /// The begin of its validity.
    pub not_before_unix_s: i64,
    /// The last second of its validity.
    pub not_after_unix_s: i64,
    /// Who issued it.
    pub issuer: String,
    /// When a client first proved to hold its key.
    pub first_seen_unix_s: i64,
    /// When one was last seen, to the minute or so.
    pub last_seen_unix_s: i64,
}

impl KeyRecord {
    /// A key for a certificate whose identity has none.
    pub fn enrol(id: KeyId, sighted: &Sighted, now: i64) -> Self {
        let holder = sighted.holder.as_deref().unwrap_or(sighted.identity.as_str());
        Self {
            id,
            identity: sighted.identity.as_str().to_owned(),
            display_name: visible(holder, DISPLAY_NAME_CHARS_MAX),
            state: if sighted.needs_approval { KeyState::Pending } else { KeyState::Active },
            roles: None,
            policy: None,
            tags: BTreeSet::new(),
            notes: String::new(),
            created_unix_s: now,
            changed_unix_s: now,
            certificates: vec![Member::new(sighted, now)],
        }
    }

    /// Takes a certificate of the same identity in. Returns whether it was new.
    pub fn take_in(&mut self, sighted: &Sighted, now: i64) -> bool {
        let known = |member: &&mut Member| member.thumbprint_sha256 == sighted.thumbprint;
        if let Some(member) = self.certificates.iter_mut().find(known) {
            member.last_seen_unix_s = member.last_seen_unix_s.max(now);
            return false;
        }
        if self.certificates.len() >= CERTIFICATES_MAX {
            let stalest = self.certificates.iter().enumerate().min_by_key(|(_, it)| it.last_seen_unix_s);
            if let Some((place, _)) = stalest {
                self.certificates.remove(place);
            }
        }
        self.certificates.push(Member::new(sighted, now));
        true
    }

    /// Its identity.
    pub fn key_identity(&self) -> KeyIdentity {
        KeyIdentity::new(self.identity.as_str())
    }

    /// When its holder was last seen, in Unix seconds.
    pub fn last_seen_unix_s(&self) -> Option<i64> {
        self.certificates.iter().map(|member| member.last_seen_unix_s).max()
    }
}

impl Member {
    fn new(sighted: &Sighted, now: i64) -> Self {
        Self {
            thumbprint_sha256: sighted.thumbprint,
            spki_sha256: Thumbprint::from(*sighted.spki_sha256.as_bytes()),
            not_before_unix_s: sighted.validity.0,
            not_after_unix_s: sighted.validity.1,
            issuer: visible(&sighted.issuer, DISPLAY_NAME_CHARS_MAX),
            first_seen_unix_s: now,
            last_seen_unix_s: now,
        }
    }
}

/// Whether a text serves as the name of a tag or a policy: letters, digits, `-`, `_`, `.`, `:` and `/`, in ASCII.
pub fn is_name(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/".contains(&byte);
    (1..=TAG_CHARS_MAX).contains(&text.len()) && text.bytes().all(is_plain)
}

/// A foreign text as it may be shown: what cannot be seen is replaced, and what is too long is cut.
fn visible(text: &str, chars_max: usize) -> String {
    let seen =
        |character: char| if portcullis_identity::is_visible(character) { character } else { '\u{fffd}' };
    text.chars().take(chars_max).map(seen).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use portcullis_identity::SpkiHash;

    use super::*;

    fn sighted(number: u8) -> Sighted {
        Sighted {
            identity: KeyIdentity::new("psd2:PSDES-BE-3DFD21"),
            thumbprint: Thumbprint::from([number; 32]),
            spki_sha256: SpkiHash::of(&[number]),
            validity: (0, 1000),
            holder: Some("Tpp\u{202e} Uno".to_owned()),
            issuer: Arc::from("QTSP"),
            needs_approval: number == 1,
        }
    }

    #[test]
    fn a_renewed_certificate_joins_its_key() {
        let mut key = KeyRecord::enrol(KeyId::new(7), &sighted(1), 10);
        assert_eq!((key.state, key.display_name.as_str()), (KeyState::Pending, "Tpp\u{fffd} Uno"));
        assert!(!key.take_in(&sighted(1), 20));
        assert!(key.take_in(&sighted(2), 30));
        assert_eq!(
            (key.certificates.len(), key.state, key.last_seen_unix_s()),
            (2, KeyState::Pending, Some(30))
        );
        assert_eq!((key.certificates[0].first_seen_unix_s, key.certificates[0].last_seen_unix_s), (10, 20));
        assert_eq!(KeyRecord::enrol(KeyId::new(8), &sighted(2), 10).state, KeyState::Active);
    }

    #[test]
    fn of_too_many_certificates_those_go_that_were_not_seen_for_longest() {
        let mut key = KeyRecord::enrol(KeyId::new(7), &sighted(0), 0);
        for number in 1..=u8::try_from(CERTIFICATES_MAX).unwrap() {
            key.take_in(&sighted(0), i64::from(number) + 1);
            assert!(key.take_in(&sighted(number), i64::from(number)));
        }
        assert_eq!(key.certificates.len(), CERTIFICATES_MAX);
        let has =
            |number| key.certificates.iter().any(|it| it.thumbprint_sha256 == Thumbprint::from([number; 32]));
        assert!(has(0) && !has(1) && has(2));
    }

    #[test]
    fn the_json_is_read_back_and_nothing_else_is() {
        let key = KeyRecord::enrol(KeyId::new(7), &sighted(1), 10);
        let json = serde_json::to_string(&key).unwrap();
        assert_eq!(serde_json::from_str::<KeyRecord>(&json).unwrap(), key);
        assert!(serde_json::from_str::<KeyRecord>(&json.replacen("notes", "note", 1)).is_err());
        assert!(serde_json::from_str::<KeyRecord>(&json.replacen("pending", "Pending", 1)).is_err());
    }

    #[test]
    fn names_are_plain() {
        assert!(is_name("gold") && is_name("team:psd2/ai-1_0.x"));
        for text in ["", "a b", "é", "a\n", &"a".repeat(TAG_CHARS_MAX + 1)] {
            assert!(!is_name(text), "{text:?}");
        }
    }
}
