//! What whoever changes keys over the admin listener must know.

use std::{fmt, io::Read as _, path::Path};

use aws_lc_rs::{constant_time::verify_slices_are_equal, digest};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::key_file::{self, KeyFileError};

/// Characters of a token: 32 of `openssl rand -hex 16` are 128 bits.
const CHARS_MIN: usize = 32;
const CHARS_MAX: usize = 1024;

/// A secret, by its digest alone.
#[derive(PartialEq, Eq)]
pub(crate) struct AdminToken([u8; 32]);

/// Why a file has no token. Never repeats what is in it.
#[derive(Debug, Error)]
pub(crate) enum AdminTokenError {
    /// The file cannot be used.
    #[error(transparent)]
    File(#[from] KeyFileError),
    /// It is none.
    #[error(
        "must have one line of {CHARS_MIN} to {CHARS_MAX} letters, digits and signs of a bearer token (RFC 6750 2.1)"
    )]
    Form,
}

impl AdminToken {
    /// Reads a token from a regular file that nobody but its owner may read.
    ///
    /// # Errors
    /// [`AdminTokenError`].
    pub(crate) fn read(path: &Path) -> Result<Self, AdminTokenError> {
        Ok(Self::of(read_token(path)?.as_bytes()))
    }

    /// Whether it is this one. Takes the same time whatever is wrong.
    pub(crate) fn is(&self, offered: &[u8]) -> bool {
        verify_slices_are_equal(&self.0, &Self::of(offered).0).is_ok()
    }

    fn of(token: &[u8]) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest::digest(&digest::SHA256, token).as_ref());
        Self(bytes)
    }
}

impl fmt::Debug for AdminToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AdminToken")
    }
}

/// The token in a file, for whoever must say it.
///
/// # Errors
/// [`AdminTokenError`].
pub(crate) fn read_token(path: &Path) -> Result<Zeroizing<String>, AdminTokenError> {
    let file = key_file::open(path)?;
    let mut text = Zeroizing::new(String::with_capacity(2 * CHARS_MAX));
    let read = file.take(CHARS_MAX as u64 + 2).read_to_string(&mut text);
    read.map_err(|_| AdminTokenError::Form)?;
    let token = text.trim_end_matches(['\r', '\n']);
    let is_sign = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    match (CHARS_MIN..=CHARS_MAX).contains(&token.len()) && token.bytes().all(is_sign) {
        true => Ok(Zeroizing::new(token.to_owned())),
        false => Err(AdminTokenError::Form),
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use super::*;

    #[test]
    fn a_token_is_one_line_of_a_file_of_its_owner() {
        let path = std::env::temp_dir().join(format!("portcullis-token-{}", std::process::id()));
        let put = |text: &str, mode| {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            AdminToken::read(&path)
        };
        let secret = "0123456789abcdef0123456789abcdef";
        let token = put(&format!("{secret}\n"), 0o600).unwrap();
        assert!(token.is(secret.as_bytes()));
        for other in ["", "0123456789abcdef0123456789abcdeF", "0123456789abcdef0123456789abcdef0"] {
            assert!(!token.is(other.as_bytes()));
        }
        assert!(matches!(put(secret, 0o644), Err(AdminTokenError::File(KeyFileError::Exposed(0o644)))));
        for odd in [
            "short",
            "",
            "0123456789abcdef 0123456789abcdef",
            "0123456789abcdef\n0123456789abcdef",
            &"a".repeat(2000),
        ] {
            assert!(matches!(put(odd, 0o600), Err(AdminTokenError::Form)), "{odd}");
        }
        assert!(!format!("{token:?}").contains("0123"));
        fs::remove_file(&path).unwrap();
    }
}
