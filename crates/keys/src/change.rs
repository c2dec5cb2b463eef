//! What operators do with keys.

use std::collections::BTreeSet;

use portcullis_identity::Roles;
use thiserror::Error;

use crate::record::{
    CERTIFICATES_MAX, DISPLAY_NAME_CHARS_MAX, KeyRecord, KeyState, NOTES_CHARS_MAX, TAGS_MAX, is_name,
};

/// A change of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyChange {
    /// Lets a pending one in.
    Approve,
    /// Keeps an active or pending one out.
    Suspend,
    /// Lets a suspended one in again.
    Resume,
    /// Gives it a display name.
    DisplayName(String),
    /// Puts notes in the place of those before.
    Notes(String),
    /// Puts tags in the place of those before.
    Tags(BTreeSet<String>),
    /// Limits it to roles, or no longer.
    Roles(Option<Roles>),
    /// Gives it a policy by name, or none of its own.
    Policy(Option<String>),
}

/// Why a key is not changed. Whose fault: the operator's.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Its state does not allow it.
    #[error("the key is {}: {} is for keys that are {expected}", .state.as_str(), .action)]
    State {
        /// What was asked.
        action: &'static str,
        /// Its state.
        state: KeyState,
        /// The states that allow it.
        expected: &'static str,
    },
    /// A text does not serve.
    #[error("{kind} must be {}", kind.form())]
    Text {
        /// Which.
        kind: TextKind,
    },
}

/// A text that an operator gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextKind {
    /// The display name.
    DisplayName,
    /// The notes.
    Notes,
    /// The tags.
    Tags,
    /// The name of a policy.
    Policy,
    /// The certificates of a record that is imported.
    Certificates,
}

impl TextKind {
    const fn form(self) -> &'static str {
        match self {
            Self::DisplayName => "1 to 256 characters without control characters",
            Self::Notes => "4096 characters at most",
            Self::Tags => {
                "32 at most, each of 1 to 64 letters, digits, hyphens, underscores, full stops, colons or slashes"
            }
            Self::Certificates => "64 at most",
            Self::Policy => "1 to 64 letters, digits, hyphens, underscores, full stops, colons or slashes",
        }
    }
}

impl std::fmt::Display for TextKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::DisplayName => "the display name",
            Self::Notes => "notes",
            Self::Tags => "tags",
            Self::Policy => "the name of a policy",
            Self::Certificates => "certificates",
        })
    }
}

impl KeyError {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::State { .. } => "keys.state-conflict",
            Self::Text { .. } => "keys.text-invalid",
        }
    }
}

impl KeyChange {
    /// The name in audit records.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Suspend => "suspend",
            Self::Resume => "resume",
            Self::DisplayName(_) => "display-name",
            Self::Notes(_) => "notes",
            Self::Tags(_) => "tags",
            Self::Roles(_) => "roles",
            Self::Policy(_) => "policy",
        }
    }
}

impl KeyRecord {
    /// Changes it at `now`.
    ///
    /// # Errors
    /// [`KeyError`]; then nothing is changed.
    pub fn change(&mut self, change: KeyChange, now: i64) -> Result<(), KeyError> {
        match change {
            KeyChange::Approve => {
                self.advance("approve", &[KeyState::Pending], "pending", KeyState::Active)?;
            }
            KeyChange::Suspend => {
                let from = [KeyState::Active, KeyState::Pending];
                self.advance("suspend", &from, "active or pending", KeyState::Suspended)?;
            }
            KeyChange::Resume => {
                self.advance("resume", &[KeyState::Suspended], "suspended", KeyState::Active)?;
            }
            KeyChange::DisplayName(name) => {
                let length = name.chars().count();
                let is_fit =
                    (1..=DISPLAY_NAME_CHARS_MAX).contains(&length) && !name.chars().any(char::is_control);
                self.display_name = fit(TextKind::DisplayName, is_fit, name)?;
            }
            KeyChange::Notes(notes) => {
                let is_fit = notes.chars().count() <= NOTES_CHARS_MAX;
                self.notes = fit(TextKind::Notes, is_fit, notes)?;
            }
            KeyChange::Tags(tags) => {
                let is_fit = tags.len() <= TAGS_MAX && tags.iter().all(|tag| is_name(tag));
                self.tags = fit(TextKind::Tags, is_fit, tags)?;
            }
            KeyChange::Roles(roles) => self.roles = roles,
            KeyChange::Policy(policy) => {
                let is_fit = policy.as_deref().is_none_or(is_name);
                self.policy = fit(TextKind::Policy, is_fit, policy)?;
            }
        }
        self.changed_unix_s = now;
        Ok(())
    }

    /// Whether texts that came from elsewhere serve, as those of changes must.
    ///
    /// # Errors
    /// [`KeyError::Text`].
    pub fn check(&self) -> Result<(), KeyError> {
        let mut copy = self.clone();
        for change in [
            KeyChange::DisplayName(self.display_name.clone()),
            KeyChange::Notes(self.notes.clone()),
            KeyChange::Tags(self.tags.clone()),
            KeyChange::Policy(self.policy.clone()),
        ] {
            copy.change(change, self.changed_unix_s)?;
        }
        fit(TextKind::Certificates, self.certificates.len() <= CERTIFICATES_MAX, ())
    }

    fn advance(
        &mut self,
        action: &'static str,
        from: &[KeyState],
        expected: &'static str,
        to: KeyState,
    ) -> Result<(), KeyError> {
        if !from.contains(&self.state) {
            return Err(KeyError::State { action, state: self.state, expected });
        }
        self.state = to;
        Ok(())
    }
}

fn fit<T>(kind: TextKind, is_fit: bool, text: T) -> Result<T, KeyError> {
    if is_fit { Ok(text) } else { Err(KeyError::Text { kind }) }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use portcullis_identity::{SpkiHash, Thumbprint};

    use super::*;
    use crate::{KeyId, KeyIdentity, Sighted};

    fn pending() -> KeyRecord {
        let sighted = Sighted {
            identity: KeyIdentity::new("x509:subject:CN=a"),
            thumbprint: Thumbprint::from([1; 32]),
            spki_sha256: SpkiHash::of(&[1]),
            validity: (0, 1),
            holder: None,
            issuer: Arc::from("CN=ca"),
            needs_approval: true,
        };
        KeyRecord::enrol(KeyId::new(1), &sighted, 0)
    }

    #[test]
    fn states_follow_each_other() {
        let mut key = pending();
        let mut states = Vec::new();
        for change in [KeyChange::Approve, KeyChange::Suspend, KeyChange::Resume] {
            key.change(change, 5).unwrap();
            states.push(key.state);
        }
        assert_eq!(states, [KeyState::Active, KeyState::Suspended, KeyState::Active]);
        for change in [KeyChange::Approve, KeyChange::Resume] {
            let error = key.change(change, 9).unwrap_err();
            assert_eq!(
                (error.code(), key.state, key.changed_unix_s),
                ("keys.state-conflict", KeyState::Active, 5)
            );
        }
        key.change(KeyChange::Suspend, 6).unwrap();
        let error = key.change(KeyChange::Suspend, 7).unwrap_err();
        assert_eq!(error.to_string(), "the key is suspended: suspend is for keys that are active or pending");
        // Whom nobody approved is not let in by being kept out for a while.
        let mut key = pending();
        assert!(key.change(KeyChange::Resume, 1).is_err());
    }

    #[test]
    fn texts_are_bounded() {
        let mut key = pending();
        let tags = |tags: &[&str]| KeyChange::Tags(tags.iter().map(|tag| (*tag).to_owned()).collect());
        let many: Vec<String> = (0..=TAGS_MAX).map(|number| number.to_string()).collect();
        for change in [
            KeyChange::DisplayName(String::new()),
            KeyChange::DisplayName("a\nb".to_owned()),
            KeyChange::DisplayName("é".repeat(DISPLAY_NAME_CHARS_MAX + 1)),
            KeyChange::Notes("é".repeat(NOTES_CHARS_MAX + 1)),
            tags(&["a b"]),
            KeyChange::Tags(many.into_iter().collect()),
            KeyChange::Policy(Some(String::new())),
        ] {
            let before = key.clone();
            assert_eq!(key.change(change, 5).unwrap_err().code(), "keys.text-invalid");
            assert_eq!(key, before);
        }
        key.change(KeyChange::DisplayName("é".repeat(DISPLAY_NAME_CHARS_MAX)), 5).unwrap();
        key.change(tags(&["gold", "nordic"]), 5).unwrap();
        key.change(KeyChange::Policy(Some("slow".to_owned())), 5).unwrap();
        assert_eq!((key.tags.len(), key.policy.as_deref()), (2, Some("slow")));
    }
}
