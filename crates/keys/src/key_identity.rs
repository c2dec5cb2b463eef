//! Who a certificate says it is, in a form that the next certificate repeats.

use std::fmt;

use aws_lc_rs::digest;

/// An identity as text, with its digest. Equal texts are one identity, whichever certificate they come from; the text begins with
/// the profile by which it was read, so that a CA that is believed for one profile makes nobody of another.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyIdentity {
    text: Box<str>,
    digest: IdentityDigest,
}

/// SHA-256 of the text of an identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IdentityDigest([u8; 32]);

impl KeyIdentity {
    /// The identity of that text.
    pub fn new(text: impl Into<Box<str>>) -> Self {
        let text = text.into();
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest::digest(&digest::SHA256, text.as_bytes()).as_ref());
        Self { text, digest: IdentityDigest(bytes) }
    }

    /// The text.
    pub const fn as_str(&self) -> &str {
        &self.text
    }

    /// Its digest.
    pub const fn digest(&self) -> IdentityDigest {
        self.digest
    }
}

impl IdentityDigest {
    /// The 32 octets.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for KeyIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for KeyIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyIdentity({:?})", self.text)
    }
}
