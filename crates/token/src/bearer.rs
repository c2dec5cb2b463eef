//! Where a token stands in a request.

use crate::{TOKEN_BYTES_MAX, TokenError};

/// The token of a request, from the values of all its `Authorization` fields (RFC 6750 2.1, RFC 9110 11.6.2). Hostile.
///
/// # Errors
/// [`TokenError::Missing`], [`TokenError::Form`], [`TokenError::TooLarge`].
pub fn bearer<'a>(mut values: impl Iterator<Item = &'a [u8]>) -> Result<&'a str, TokenError> {
    let value = values.next().ok_or(TokenError::Missing)?;
    if values.next().is_some() {
        return Err(TokenError::Form);
    }
    let scheme_end = value.iter().position(|byte| *byte == b' ').unwrap_or(value.len());
    let (scheme, rest) = value.split_at(scheme_end);
    if !scheme.eq_ignore_ascii_case(b"bearer") {
        // Credentials of another kind are none here.
        return Err(TokenError::Missing);
    }
    let token = rest.trim_ascii_start();
    if token.len() > TOKEN_BYTES_MAX {
        return Err(TokenError::TooLarge { bytes_max: TOKEN_BYTES_MAX });
    }
    // token68
    let is_sign = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(byte);
    match str::from_utf8(token) {
        Ok(token) if !token.is_empty() && token.as_bytes().iter().all(is_sign) => Ok(token),
        _ => Err(TokenError::Form),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_token_in_one_field() {
        let read = |values: &[&'static str]| bearer(values.iter().map(|value| value.as_bytes()));
        for value in ["Bearer abc.def-_~+/=", "bearer abc.def-_~+/=", "BEARER   abc.def-_~+/="] {
            assert_eq!(read(&[value]), Ok("abc.def-_~+/="), "{value}");
        }
        assert_eq!(read(&[]), Err(TokenError::Missing));
        assert_eq!(read(&["Basic YTpi"]), Err(TokenError::Missing));
        for values in [
            &["Bearer a", "Bearer a"][..],
            &["Bearer"],
            &["Bearer "],
            &["Bearer a b"],
            &["Bearer a,Bearer b"],
            &["Bearer \u{e4}"],
        ] {
            assert_eq!(read(values), Err(TokenError::Form), "{values:?}");
        }
        let large = format!("Bearer {}", "a".repeat(1 << 20));
        let told = bearer(std::iter::once(large.as_bytes()));
        assert_eq!(told, Err(TokenError::TooLarge { bytes_max: TOKEN_BYTES_MAX }));
    }
}
