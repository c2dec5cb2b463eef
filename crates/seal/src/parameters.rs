//! The parameters of a field `Signature` as the drafts before RFC 9421 have it.

use crate::error::SealError;

/// Parameters that are read. Eight are known; those that are not are ignored (draft-cavage-12 section 2.2), but not
/// without end.
const PARAMETERS_MAX: usize = 16;

const FIELD: &str = "signature";

/// The parameters of a signature (draft-cavage-12 section 2.1), as they stand between their quotes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Parameters<'a> {
    pub(crate) key_id: Option<&'a str>,
    pub(crate) algorithm: Option<&'a str>,
    pub(crate) headers: Option<&'a str>,
    pub(crate) signature: Option<&'a str>,
    pub(crate) created: Option<&'a str>,
    pub(crate) expires: Option<&'a str>,
}

impl<'a> Parameters<'a> {
    /// Reads `name="value", …`; a number may stand without quotes.
    ///
    /// # Errors
    /// It is something else, or has a parameter twice, which is not to be processed (section 2.2).
    pub(crate) fn parse(text: &'a str) -> Result<Self, SealError> {
        let mut parameters = Self::default();
        let mut rest = text.trim();
        for _ in 0..PARAMETERS_MAX {
            let (name, value, after) = parameter(rest).ok_or_else(malformed)?;
            parameters.set(name, value)?;
            rest = match after.trim_start().strip_prefix(',') {
                Some(after) => after.trim_start(),
                None if after.trim_start().is_empty() => return Ok(parameters),
                None => return Err(malformed()),
            };
        }
        Err(SealError::TooMany { what: "parameters of a signature", limit: PARAMETERS_MAX })
    }

    fn set(&mut self, name: &str, value: &'a str) -> Result<(), SealError> {
        let place = match name {
            "keyId" => &mut self.key_id,
            "algorithm" => &mut self.algorithm,
            "headers" => &mut self.headers,
            "signature" => &mut self.signature,
            "created" => &mut self.created,
            "expires" => &mut self.expires,
            _ => return Ok(()),
        };
        match place.replace(value) {
            None => Ok(()),
            Some(_) => Err(SealError::malformed(FIELD, format!("it has {name} twice"))),
        }
    }
}

/// One parameter and what follows it.
fn parameter(text: &str) -> Option<(&str, &str, &str)> {
    let (name, after) = text.split_once('=')?;
    let name = name.trim_end();
    if name.is_empty() || !name.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"-_.".contains(&octet))
    {
        return None;
    }
    let after = after.trim_start();
    let Some(quoted) = after.strip_prefix('"') else {
        let end = after.find([',', ' ', '\t', '"']).unwrap_or(after.len());
        let (value, after) = after.split_at(end);
        return (!value.is_empty()).then_some((name, value, after));
    };
    let end = closing_quote(quoted)?;
    Some((name, &quoted[..end], &quoted[end + 1..]))
}

fn closing_quote(text: &str) -> Option<usize> {
    let mut is_escaped = false;
    text.bytes().position(|octet| {
        let closes = octet == b'"' && !is_escaped;
        is_escaped = octet == b'\\' && !is_escaped;
        closes
    })
}

fn malformed() -> SealError {
    SealError::malformed(FIELD, r#"it is not as in: keyId="…",algorithm="…",headers="…",signature="…""#)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_found_in_any_order() {
        let text = r#"signature="AA==" , keyId = "SN=1,CA=CN=\"A\"\, B", created=1402170695,x="y,z",headers="(created) digest",algorithm="hs2019""#;
        let parameters = Parameters::parse(text).unwrap();
        assert_eq!(parameters.key_id, Some(r#"SN=1,CA=CN=\"A\"\, B"#));
        assert_eq!(parameters.signature, Some("AA=="));
        assert_eq!(parameters.created, Some("1402170695"));
        assert_eq!(parameters.headers, Some("(created) digest"));
        assert_eq!(parameters.algorithm, Some("hs2019"));
        assert_eq!(parameters.expires, None);
    }

    #[test]
    fn what_is_no_list_of_parameters_is_refused() {
        for text in [
            "",
            "keyId",
            r#"keyId="a"#,
            r#"keyId="a\""#,
            r#"keyId="a" algorithm="b""#,
            r#"keyId="a","#,
            r#"Signature keyId="a""#,
            r#"keyId="a",keyId="a""#,
            "keyId=",
            r#"keyId=a"b""#,
        ] {
            assert_eq!(Parameters::parse(text).unwrap_err().code(), "seal.malformed", "{text}");
        }
        let many = r#"a="b","#.repeat(PARAMETERS_MAX + 1);
        assert_eq!(Parameters::parse(&many).unwrap_err().code(), "seal.too-many");
    }
}
