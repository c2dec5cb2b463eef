//! The keys from which session tickets are sealed and opened.

use std::fmt;

use aws_lc_rs::{constant_time::verify_slices_are_equal, rand};
use thiserror::Error;
use zeroize::{Zeroize, Zeroizing};

const SECRET_BYTES: usize = 32;
/// Bytes of the longest line of a ring as text: its role, a space, the digits and the line's end.
const LINE_BYTES: usize = "previous".len() + 1 + 2 * SECRET_BYTES + 1;

/// A secret from which the keys of tickets are derived. Overwritten when it is dropped, and never shown.
// Boxed, so that a move leaves no copy behind.
#[derive(Clone)]
pub struct TicketSecret(Box<[u8; SECRET_BYTES]>);

impl TicketSecret {
    fn random() -> Result<Self, KeyRingError> {
        let mut secret = Self(Box::new([0; SECRET_BYTES]));
        rand::fill(secret.0.as_mut_slice()).map_err(|_| KeyRingError::Random)?;
        Ok(secret)
    }

    /// Reads hexadecimal digits. `None` for anything else.
    fn parse(digits: &str) -> Option<Self> {
        let mut secret = Self(Box::new([0; SECRET_BYTES]));
        let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
        if pairs.len() != SECRET_BYTES || !rest.is_empty() {
            return None;
        }
        for (byte, [high, low]) in secret.0.iter_mut().zip(pairs) {
            *byte = digit(*high)? << 4 | digit(*low)?;
        }
        Some(secret)
    }

    /// The secret itself.
    pub(crate) const fn bytes(&self) -> &[u8; SECRET_BYTES] {
        &self.0
    }
}

impl PartialEq for TicketSecret {
    /// In a time that tells nothing.
    fn eq(&self, other: &Self) -> bool {
        verify_slices_are_equal(self.bytes(), other.bytes()).is_ok()
    }
}

impl Eq for TicketSecret {}

impl fmt::Debug for TicketSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TicketSecret")
    }
}

impl Drop for TicketSecret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// The secrets that serve: tickets are made with the current one, and opened with each.
///
/// The next one opens tickets that another gate makes which has rotated already; the previous one opens those that were made
/// before the rotation.
#[derive(Debug, PartialEq, Eq)]
pub struct KeyRing {
    pub(crate) previous: Option<TicketSecret>,
    pub(crate) current: TicketSecret,
    pub(crate) next: Option<TicketSecret>,
}

/// Why there is no key ring. Never repeats what is in one.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyRingError {
    /// The random number generator failed.
    #[error("the system gives no random bytes")]
    Random,
    /// A line is neither a key, a comment nor empty.
    #[error("line {0} is not `current`, `next` or `previous` with 64 hexadecimal digits")]
    Line(usize),
    /// A key is given twice.
    #[error("line {line} gives a second {role} key")]
    Twice {
        /// Counted from 1.
        line: usize,
        /// Which key.
        role: &'static str,
    },
    /// There is no key to make tickets with.
    #[error("there is no `current` key")]
    NoCurrent,
    /// One key stands in two places.
    #[error("two of its keys are the same")]
    Same,
}

impl KeyRing {
    /// A ring with a current key and the next one, which no other process has.
    ///
    /// # Errors
    /// [`KeyRingError::Random`].
    pub fn random() -> Result<Self, KeyRingError> {
        Ok(Self { previous: None, current: TicketSecret::random()?, next: Some(TicketSecret::random()?) })
    }

    /// The ring after this one: the current key becomes the previous one, and the next one, or a fresh one where there is none,
    /// the current one. The next one is fresh.
    ///
    /// # Errors
    /// [`KeyRingError::Random`].
    pub fn rotated(&self) -> Result<Self, KeyRingError> {
        let current = self.next.clone().map_or_else(TicketSecret::random, Ok)?;
        Ok(Self { previous: Some(self.current.clone()), current, next: Some(TicketSecret::random()?) })
    }

    /// Reads a ring: a line for each key, with its role and its hexadecimal digits, beside empty lines and those that begin with `#`.
    ///
    /// # Errors
    /// Whichever of [`KeyRingError`] but [`KeyRingError::Random`] comes first.
    pub fn parse(text: &str) -> Result<Self, KeyRingError> {
        let (mut previous, mut current, mut next) = (None, None, None);
        for (index, line) in text.lines().enumerate() {
            let (line, number) = (line.trim(), index + 1);
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (role, digits) = line.split_once(char::is_whitespace).ok_or(KeyRingError::Line(number))?;
            let (role, place) = match role {
                "previous" => ("previous", &mut previous),
                "current" => ("current", &mut current),
                "next" => ("next", &mut next),
                _ => return Err(KeyRingError::Line(number)),
            };
            let secret = TicketSecret::parse(digits.trim_start()).ok_or(KeyRingError::Line(number))?;
            if place.replace(secret).is_some() {
                return Err(KeyRingError::Twice { line: number, role });
            }
        }
        let ring = Self { previous, current: current.ok_or(KeyRingError::NoCurrent)?, next };
        if ring.has_a_key_twice() { Err(KeyRingError::Same) } else { Ok(ring) }
    }

    /// The ring as [`parse`](Self::parse) reads it.
    pub fn to_text(&self) -> Zeroizing<String> {
        let keys = [
            ("current", Some(&self.current)),
            ("next", self.next.as_ref()),
            ("previous", self.previous.as_ref()),
        ];
        // Whole from the start: a buffer that grows leaves its contents behind.
        let mut text = Zeroizing::new(String::with_capacity(keys.len() * LINE_BYTES));
        for (role, secret) in keys {
            let Some(secret) = secret else { continue };
            text.push_str(role);
            text.push(' ');
            for byte in secret.0.iter() {
                text.extend(
                    [byte >> 4, byte & 0xf].into_iter().filter_map(|n| char::from_digit(n.into(), 16)),
                );
            }
            text.push('\n');
        }
        text
    }

    /// The secrets, the current one first.
    pub fn secrets(&self) -> impl Iterator<Item = &TicketSecret> {
        std::iter::once(&self.current).chain(&self.previous).chain(&self.next)
    }

    /// Whether tickets are made with the same key as under `other`.
    pub fn has_current_of(&self, other: &Self) -> bool {
        self.current == other.current
    }

    fn has_a_key_twice(&self) -> bool {
        self.secrets()
            .enumerate()
            .any(|(index, secret)| self.secrets().take(index).any(|other| other == secret))
    }
}

/// The value of a hexadecimal digit.
fn digit(letter: u8) -> Option<u8> {
    char::from(letter).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(byte: u8) -> String {
        format!("{byte:02x}").repeat(SECRET_BYTES)
    }

    fn error(text: &str) -> KeyRingError {
        KeyRing::parse(text).unwrap_err()
    }

    #[test]
    fn keys_move_up_and_the_oldest_goes() {
        let first = KeyRing::random().unwrap();
        let second = first.rotated().unwrap();
        let third = second.rotated().unwrap();
        assert_eq!((first.secrets().count(), &first.previous), (2, &None));
        assert_eq!(Some(&second.current), first.next.as_ref());
        assert_eq!(second.previous.as_ref(), Some(&first.current));
        assert_eq!(third.previous.as_ref(), Some(&second.current));
        assert_eq!(Some(&third.current), second.next.as_ref());
        assert!(third.secrets().all(|secret| *secret != first.current));
        assert!(!third.has_a_key_twice());
    }

    #[test]
    fn a_ring_without_a_next_key_gets_a_fresh_one() {
        let ring = KeyRing { next: None, ..KeyRing::random().unwrap() };
        let rotated = ring.rotated().unwrap();
        assert!(rotated.secrets().count() == 3 && !rotated.has_a_key_twice());
    }

    #[test]
    fn the_current_key_comes_first() {
        let ring = KeyRing::random().unwrap().rotated().unwrap();
        assert_eq!(ring.secrets().next(), Some(&ring.current));
        assert_eq!(ring.secrets().count(), 3);
    }

    #[test]
    fn comments_blank_lines_and_order_do_not_count() {
        let text = format!("# shared\n\n next\t{}\r\ncurrent  {}\n", key(2), key(0xAB).to_uppercase());
        let ring = KeyRing::parse(&text).unwrap();
        assert_eq!(ring.current.bytes(), &[0xAB; SECRET_BYTES]);
        assert_eq!(ring.next.unwrap().bytes(), &[2; SECRET_BYTES]);
        assert_eq!(ring.previous, None);
    }

    #[test]
    fn what_is_no_ring_is_told_by_its_line() {
        let current = format!("current {}\n", key(1));
        assert_eq!(error(""), KeyRingError::NoCurrent);
        assert_eq!(error(&format!("next {}", key(1))), KeyRingError::NoCurrent);
        assert_eq!(error(&format!("{current}{current}")), KeyRingError::Twice { line: 2, role: "current" });
        assert_eq!(error(&format!("{current}next {}", key(1))), KeyRingError::Same);
        let short = &key(2)[1..];
        for line in ["next", "next ", "next zz", &format!("next {short}"), &format!("next {short}g")] {
            assert_eq!(error(&format!("{current}{line}")), KeyRingError::Line(2), "{line}");
        }
        for line in
            [format!("Next {}", key(2)), key(2), format!("next {}0", key(2)), format!("next +{short}")]
        {
            assert_eq!(error(&format!("{current}{line}")), KeyRingError::Line(2), "{line}");
        }
    }

    #[test]
    fn no_secret_is_shown() {
        let ring = KeyRing::parse(&format!("current {}", key(0xA7))).unwrap();
        let shown = format!("{ring:?} {:?}", error(&format!("current {}x", key(0xA7))));
        assert!(!shown.contains("a7") && !shown.contains("167"), "{shown}");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            current: [u8; SECRET_BYTES],
            next: Option<[u8; SECRET_BYTES]>,
            previous: Option<[u8; SECRET_BYTES]>,
        ) {
            let secret = |bytes| TicketSecret(Box::new(bytes));
            let ring = KeyRing { previous: previous.map(secret), current: secret(current), next: next.map(secret) };
            prop_assert_eq!(KeyRing::parse(&ring.to_text()), Ok(ring));
        }

        #[test]
        fn any_text_is_a_ring_or_is_told(text in "((current|next|previous) [0-9a-fé]{62,66}\n?|.{0,80}|\n){0,5}") {
            if let Ok(ring) = KeyRing::parse(&text) {
                prop_assert_eq!(KeyRing::parse(&ring.to_text()), Ok(ring));
            }
        }
    }
}
