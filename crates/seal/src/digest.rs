//! Digests of a body: those that a message announces, and that of the body as it streams by.

use std::fmt;

use aws_lc_rs::digest::{Context, SHA256, SHA512};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sfv::{Dictionary, ListEntry, Parser};

use crate::error::SealError;
use crate::excerpt::excerpt;

/// Digests of a message that are read. Two are taken, a handful is known; more is an attempt at something.
pub const DIGESTS_MAX: usize = 8;

/// The digests that a message announces, of which each is demanded of the body. Only SHA-256 and SHA-512 count.
///
/// Where a message may do without, and does, its body must be empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectedDigest {
    field: &'static str,
    sha256: Option<[u8; 32]>,
    sha512: Option<[u8; 64]>,
}

/// A body that is hashed while it streams by.
#[derive(Clone)]
pub struct BodyDigest {
    expected: ExpectedDigest,
    sha256: Option<Context>,
    sha512: Option<Context>,
    is_empty: bool,
}

/// One digest of a body beside the one that was announced, both in base64.
pub(crate) struct Comparison {
    pub(crate) algorithm: &'static str,
    pub(crate) announced: String,
    pub(crate) computed: String,
}

impl ExpectedDigest {
    /// None: the body must be empty.
    pub(crate) const fn none(field: &'static str) -> Self {
        Self { field, sha256: None, sha512: None }
    }

    /// Reads the field `Digest` (RFC 3230 section 4.3.2; SHA-512 by RFC 5843).
    pub(crate) fn from_digest(value: &str) -> Result<Self, SealError> {
        const FIELD: &str = "digest";
        let mut digest = Self::none(FIELD);
        let mut weak = Vec::new();
        for (position, instance) in value.split(',').enumerate() {
            if position == DIGESTS_MAX {
                return Err(SealError::TooMany { what: "digests", limit: DIGESTS_MAX });
            }
            let (name, encoded) = instance
                .trim()
                .split_once('=')
                .ok_or_else(|| SealError::malformed(FIELD, "it is not as in: SHA-256=<base64>"))?;
            let decode = || STANDARD.decode(encoded).map_err(|_| not_a_digest(FIELD, name));
            match name.to_ascii_uppercase().as_str() {
                "SHA-256" => set(&mut digest.sha256, &decode()?, FIELD, name)?,
                "SHA-512" => set(&mut digest.sha512, &decode()?, FIELD, name)?,
                _ => weak.push(name),
            }
        }
        digest.demand_strong(&weak.join(", "))
    }

    /// Reads the field `Content-Digest` (RFC 9530 section 2).
    pub(crate) fn from_content_digest(value: &[u8]) -> Result<Self, SealError> {
        const FIELD: &str = "content-digest";
        let members: Dictionary = Parser::new(value)
            .parse()
            .map_err(|_| SealError::malformed(FIELD, "it is not as in: sha-256=:<base64>:"))?;
        if members.len() > DIGESTS_MAX {
            return Err(SealError::TooMany { what: "digests", limit: DIGESTS_MAX });
        }
        let octets = |name: &str| match members.get(name) {
            None => Ok(None),
            Some(ListEntry::Item(item)) => {
                item.bare_item.as_byte_sequence().map(Some).ok_or_else(|| not_a_digest(FIELD, name))
            }
            Some(ListEntry::InnerList(_)) => Err(not_a_digest(FIELD, name)),
        };
        let mut digest = Self::none(FIELD);
        if let Some(octets) = octets("sha-256")? {
            set(&mut digest.sha256, octets, FIELD, "sha-256")?;
        }
        if let Some(octets) = octets("sha-512")? {
            set(&mut digest.sha512, octets, FIELD, "sha-512")?;
        }
        let names: Vec<_> = members.keys().map(|key| key.as_str()).collect();
        digest.demand_strong(&names.join(", "))
    }

    fn demand_strong(self, found: &str) -> Result<Self, SealError> {
        if self.sha256.is_some() || self.sha512.is_some() {
            return Ok(self);
        }
        Err(SealError::DigestAlgorithm { field: self.field, found: excerpt(found) })
    }

    /// Begins to hash a body.
    #[must_use]
    pub fn begin(&self) -> BodyDigest {
        BodyDigest {
            expected: self.clone(),
            sha256: self.sha256.map(|_| Context::new(&SHA256)),
            sha512: self.sha512.map(|_| Context::new(&SHA512)),
            is_empty: true,
        }
    }
}

/// A digest is octets, and as many as its function gives: one that begins with zeros is as good as any.
fn set<const N: usize>(
    place: &mut Option<[u8; N]>,
    octets: &[u8],
    field: &'static str,
    name: &str,
) -> Result<(), SealError> {
    let digest = <[u8; N]>::try_from(octets).map_err(|_| not_a_digest(field, name))?;
    match place.replace(digest) {
        Some(other) if other != digest => {
            Err(SealError::malformed(field, format!("it has two different digests by {}", excerpt(name))))
        }
        _ => Ok(()),
    }
}

fn not_a_digest(field: &str, name: &str) -> SealError {
    SealError::malformed(field, format!("the value of {} is not such a digest in base64", excerpt(name)))
}

impl fmt::Debug for BodyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { expected, is_empty, .. } = self;
        f.debug_struct("BodyDigest").field("expected", expected).field("is_empty", is_empty).finish()
    }
}

impl BodyDigest {
    /// Takes the next bytes of the body.
    pub fn update(&mut self, bytes: &[u8]) {
        self.is_empty &= bytes.is_empty();
        for context in self.sha256.iter_mut().chain(&mut self.sha512) {
            context.update(bytes);
        }
    }

    /// Ends the body, which is the one that was sealed only where this succeeds: what has streamed by before was not to
    /// be believed.
    ///
    /// # Errors
    /// [`SealError::Digest`]; [`SealError::DigestMissing`] where the message announces none and has a body.
    pub fn finish(self) -> Result<(), SealError> {
        let field = self.expected.field;
        let is_sealed = self.is_empty || self.sha256.is_some() || self.sha512.is_some();
        if !is_sealed {
            return Err(SealError::DigestMissing { field });
        }
        let differs = |pair: &Comparison| pair.announced != pair.computed;
        match self.comparisons().find(differs) {
            None => Ok(()),
            Some(Comparison { algorithm, announced, computed }) => {
                Err(SealError::Digest { algorithm, announced: announced.into(), computed: computed.into() })
            }
        }
    }

    /// Each digest that is announced beside that of the body.
    pub(crate) fn comparisons(self) -> impl Iterator<Item = Comparison> {
        let compare = |algorithm, announced: Option<&[u8]>, context: Option<Context>| {
            Some(Comparison {
                algorithm,
                announced: STANDARD.encode(announced?),
                computed: STANDARD.encode(context?.finish()),
            })
        };
        let Self { expected, sha256, sha512, .. } = self;
        let first = compare("SHA-256", expected.sha256.as_ref().map(<[u8; 32]>::as_slice), sha256);
        let second = compare("SHA-512", expected.sha512.as_ref().map(<[u8; 64]>::as_slice), sha512);
        first.into_iter().chain(second)
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::digest::digest;

    use super::*;

    fn sha256(body: &[u8]) -> String {
        STANDARD.encode(digest(&SHA256, body))
    }

    fn sha512(body: &[u8]) -> String {
        STANDARD.encode(digest(&SHA512, body))
    }

    fn finish(expected: &ExpectedDigest, body: &[u8]) -> &'static str {
        let mut digest = expected.begin();
        body.chunks(3).for_each(|chunk| digest.update(chunk));
        digest.finish().map_or_else(|error| error.code(), |()| "sealed")
    }

    #[test]
    fn every_digest_is_demanded() {
        let body = b"{\"hello\": \"world\"}";
        let both = format!("sha-256={}, MD5=Sd/dVLAcvNLSq16eXua5uQ==,SHA-512={}", sha256(body), sha512(body));
        let expected = ExpectedDigest::from_digest(&both).unwrap();
        assert_eq!(finish(&expected, body), "sealed");
        assert_eq!(finish(&expected, b"{\"hello\": \"worle\"}"), "seal.digest");
        let one_wrong = format!("SHA-256={},SHA-512={}", sha256(body), sha512(b""));
        assert_eq!(finish(&ExpectedDigest::from_digest(&one_wrong).unwrap(), body), "seal.digest");
        let structured = format!("sha-512=:{}:, unixsum=:AAA=:", sha512(body));
        let expected = ExpectedDigest::from_content_digest(structured.as_bytes()).unwrap();
        assert_eq!(finish(&expected, body), "sealed");
        assert_eq!(finish(&expected, b""), "seal.digest");
    }

    #[test]
    fn a_digest_may_begin_with_zeros() {
        let body = (0..100_000_u32)
            .map(|number| number.to_string())
            .find(|body| digest(&SHA256, body.as_bytes()).as_ref()[0] == 0)
            .unwrap();
        let expected = ExpectedDigest::from_digest(&format!("SHA-256={}", sha256(body.as_bytes()))).unwrap();
        assert_eq!(finish(&expected, body.as_bytes()), "sealed");
    }

    #[test]
    fn what_is_no_digest_is_refused() {
        let good = sha256(b"");
        let code = |value: &str| ExpectedDigest::from_digest(value).unwrap_err().code();
        assert_eq!(code(""), "seal.malformed");
        assert_eq!(code("SHA-256"), "seal.malformed");
        assert_eq!(code("SHA-256="), "seal.malformed");
        assert_eq!(code(&format!("SHA-256={}", good.trim_end_matches('='))), "seal.malformed", "no padding");
        assert_eq!(code(&format!("SHA-256={} ,SHA-256={}", good, sha256(b"x"))), "seal.malformed");
        assert_eq!(code(&format!("SHA-512={good}")), "seal.malformed", "too short");
        assert_eq!(code("MD5=Sd/dVLAcvNLSq16eXua5uQ==,SHA=AA=="), "seal.digest-algorithm");
        assert_eq!(code(&"MD5=AA==,".repeat(9)), "seal.too-many");
        let code = |value: &str| ExpectedDigest::from_content_digest(value.as_bytes()).unwrap_err().code();
        assert_eq!(code("sha-256"), "seal.malformed");
        assert_eq!(code("sha-256=(:AA==:)"), "seal.malformed");
        assert_eq!(code("sha-256=:AA==:"), "seal.malformed");
        assert_eq!(code("sha=:AA==:, md5=:AA==:"), "seal.digest-algorithm");
    }

    #[test]
    fn without_a_digest_there_is_no_body() {
        let none = ExpectedDigest::none("content-digest");
        assert_eq!(finish(&none, b""), "sealed");
        assert_eq!(finish(&none, b"x"), "seal.digest-missing");
    }
}
