//! Certificate extensions: their shape, and the value of those that are lists of identifiers.

use crate::der::{BOOLEAN, DerError, OBJECT_IDENTIFIER, OCTET_STRING, Reader, SEQUENCE};
use crate::error::IdentityError;
use crate::oid;

/// Extensions of a certificate that are read. QWACs seen have 9 to 12; duplicates are looked for pairwise, so the
/// number must be small. A certificate with more is refused.
pub const MAX_EXTENSIONS: usize = 64;

/// Identifiers of a list, such as key purposes, that are read. Certificates seen have up to five; with more the list
/// is refused.
pub const MAX_OBJECT_IDENTIFIERS: usize = 32;

/// One extension (RFC 5280 section 4.1.2.9), not interpreted.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Extension<'a> {
    /// The content octets of its object identifier.
    pub oid: &'a [u8],
    /// Whether a reader that does not know it must refuse the certificate.
    pub critical: bool,
    /// The content of its OCTET STRING.
    pub value: &'a [u8],
}

impl<'a> Extension<'a> {
    /// The dotted form of the object identifier.
    pub fn dotted_oid(&self) -> String {
        oid::dotted(self.oid)
    }

    /// Reads the value as a SEQUENCE OF OBJECT IDENTIFIER, as extKeyUsage is (RFC 5280 section 4.2.1.12), dotted.
    ///
    /// # Errors
    /// The value is not such a list, or has more than [`MAX_OBJECT_IDENTIFIERS`] entries.
    pub fn object_identifiers(&self) -> Result<Vec<String>, IdentityError> {
        let field = "list of object identifiers";
        let malformed = IdentityError::within(field);
        let mut outer = Reader::new(self.value);
        let mut list = Reader::new(outer.expect(SEQUENCE).map_err(&malformed)?.content);
        outer.finish().map_err(&malformed)?;
        let mut identifiers = Vec::new();
        while !list.is_empty() {
            if identifiers.len() == MAX_OBJECT_IDENTIFIERS {
                return Err(IdentityError::OverLimit { field, limit: MAX_OBJECT_IDENTIFIERS });
            }
            let content = list.expect(OBJECT_IDENTIFIER).map_err(&malformed)?.content;
            oid::check(content).map_err(&malformed)?;
            identifiers.push(oid::dotted(content));
        }
        Ok(identifiers)
    }

    fn read(list: &mut Reader<'a>) -> Result<Self, DerError> {
        let mut fields = Reader::new(list.expect(SEQUENCE)?.content);
        let oid = fields.expect(OBJECT_IDENTIFIER)?.content;
        oid::check(oid)?;
        // FALSE written out is the DEFAULT and so not DER; issuers write it all the same, and webpki accepts it.
        let critical = match fields.optional(BOOLEAN)?.map(|boolean| boolean.content) {
            None | Some([0x00]) => false,
            Some([0xff]) => true,
            Some(_) => return Err(DerError::Boolean),
        };
        let value = fields.expect(OCTET_STRING)?.content;
        fields.finish()?;
        Ok(Self { oid, critical, value })
    }
}

/// Iterates over extensions; ends after the first error, and after [`MAX_EXTENSIONS`] with an error.
#[derive(Clone, Debug)]
pub struct Extensions<'a> {
    rest: Reader<'a>,
    read: usize,
}

impl<'a> Extensions<'a> {
    pub(crate) fn new(list: &'a [u8]) -> Self {
        Self { rest: Reader::new(list), read: 0 }
    }
}

impl<'a> Iterator for Extensions<'a> {
    type Item = Result<Extension<'a>, IdentityError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let extension = if self.read == MAX_EXTENSIONS {
            Err(IdentityError::OverLimit { field: "extensions", limit: MAX_EXTENSIONS })
        } else {
            Extension::read(&mut self.rest).map_err(IdentityError::within("extensions"))
        };
        self.read += 1;
        if extension.is_err() {
            self.rest = Reader::new(&[]);
        }
        Some(extension)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_der::{extension, null, oid as encode_oid, sequence};

    fn identifiers(value: &[u8]) -> Result<Vec<String>, IdentityError> {
        let list = extension("2.5.29.37", value);
        Extensions::new(&list).next().unwrap().unwrap().object_identifiers()
    }

    #[test]
    fn key_purposes_are_listed() {
        let value = sequence(&[encode_oid("1.3.6.1.5.5.7.3.2"), encode_oid("0.4.0.194115.1.0")]);
        assert_eq!(identifiers(&value).unwrap(), ["1.3.6.1.5.5.7.3.2", "0.4.0.194115.1.0"]);
    }

    #[test]
    fn lists_of_anything_else_and_long_ones_are_refused() {
        for bad in [vec![], null(), sequence(&[null()]), [sequence(&[]), null()].concat()] {
            assert!(matches!(identifiers(&bad), Err(IdentityError::Malformed { .. })), "{bad:02x?}");
        }
        let many = |count: usize| sequence(&vec![encode_oid("1.2.3"); count]);
        assert_eq!(identifiers(&many(MAX_OBJECT_IDENTIFIERS)).unwrap().len(), MAX_OBJECT_IDENTIFIERS);
        assert!(matches!(
            identifiers(&many(MAX_OBJECT_IDENTIFIERS + 1)),
            Err(IdentityError::OverLimit { .. })
        ));
    }

    #[test]
    fn iteration_ends_after_an_error() {
        let list = [extension("1.2.3", &[]), null(), extension("1.2.4", &[])].concat();
        let read: Vec<_> = Extensions::new(&list).collect();
        assert_eq!(read.len(), 2);
        assert!(read[0].is_ok() && read[1].is_err());
    }
}
