//! Certificate extensions: their shape.

use crate::der::{BOOLEAN, DerError, OBJECT_IDENTIFIER, OCTET_STRING, Reader, SEQUENCE};
use crate::error::IdentityError;
use crate::oid;

/// Extensions of a certificate that are read. QWACs seen have 9 to 12; duplicates are looked for pairwise, so the
/// number must be small. A certificate with more is refused.
pub const MAX_EXTENSIONS: usize = 64;

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
    use crate::test_der::{extension, null};

    #[test]
    fn iteration_ends_after_an_error() {
        let list = [extension("1.2.3", &[]), null(), extension("1.2.4", &[])].concat();
        let read: Vec<_> = Extensions::new(&list).collect();
        assert_eq!(read.len(), 2);
        assert!(read[0].is_ok() && read[1].is_err());
    }
}
