//! Lists of OBJECT IDENTIFIERs: key purposes, certificate policies, statement identifiers.

use serde::{Serialize, Serializer};

use crate::der::{DerError, OBJECT_IDENTIFIER, Reader, SEQUENCE};
use crate::oid;

/// Identifiers of a list that are read. Certificates seen have up to five; with more the list counts as malformed.
pub const MAX_OBJECT_IDENTIFIERS: usize = 32;

/// Identifiers in their order, kept as they are encoded: one allocation, and none to look one up.
///
/// Serialised as a list of dotted strings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectIdentifiers(Vec<u8>);

impl ObjectIdentifiers {
    /// The content octets of each identifier.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = Reader::new(&self.0);
        std::iter::from_fn(move || rest.read().ok().map(|element| element.content))
    }

    /// Whether an identifier, as content octets, is in the list.
    pub fn contains(&self, content: &[u8]) -> bool {
        self.iter().any(|identifier| identifier == content)
    }

    /// Whether the list is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many identifiers there are, repeated ones counted.
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Reads a SEQUENCE SIZE (1..MAX) OF OBJECT IDENTIFIER, as extKeyUsage is (RFC 5280 section 4.2.1.12).
    pub(crate) fn read(der: &[u8]) -> Result<Self, DerError> {
        let mut list = Reader::sequence(der)?;
        let mut identifiers = Self::default();
        for _ in 0..MAX_OBJECT_IDENTIFIERS {
            identifiers.push_next(&mut list)?;
            if list.is_empty() {
                return Ok(identifiers);
            }
        }
        Err(DerError::TooManyElements { limit: MAX_OBJECT_IDENTIFIERS })
    }

    /// Appends content octets that passed [`oid::check`].
    pub(crate) fn push(&mut self, content: &[u8]) {
        debug_assert!(content.len() < 0x80, "checked identifiers are short, so the length is one octet");
        self.0.extend([OBJECT_IDENTIFIER, u8::try_from(content.len()).unwrap_or(0)]);
        self.0.extend_from_slice(content);
    }

    fn push_next(&mut self, list: &mut Reader<'_>) -> Result<(), DerError> {
        let content = list.expect(OBJECT_IDENTIFIER)?.content;
        oid::check(content)?;
        self.push(content);
        Ok(())
    }
}

impl Serialize for ObjectIdentifiers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(oid::dotted))
    }
}

/// certificatePolicies (RFC 5280 section 4.2.1.4); qualifiers are checked for their outer shape only.
pub(crate) fn read_policies(der: &[u8]) -> Result<ObjectIdentifiers, DerError> {
    let mut list = Reader::sequence(der)?;
    let mut policies = ObjectIdentifiers::default();
    for _ in 0..MAX_OBJECT_IDENTIFIERS {
        let mut policy = Reader::new(list.expect(SEQUENCE)?.content);
        policies.push_next(&mut policy)?;
        policy.optional(SEQUENCE)?;
        policy.finish()?;
        if list.is_empty() {
            return Ok(policies);
        }
    }
    Err(DerError::TooManyElements { limit: MAX_OBJECT_IDENTIFIERS })
}

/// extKeyUsage (RFC 5280 section 4.2.1.12). Serialised by the names of RFC 5280 where there is one, dotted otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExtendedKeyUsage(ObjectIdentifiers);

impl ExtendedKeyUsage {
    /// Reads the content of the extension's OCTET STRING.
    ///
    /// # Errors
    /// It is not a list of object identifiers, is empty, or has more than [`MAX_OBJECT_IDENTIFIERS`].
    pub fn from_der(der: &[u8]) -> Result<Self, DerError> {
        ObjectIdentifiers::read(der).map(Self)
    }

    /// The purposes.
    pub const fn purposes(&self) -> &ObjectIdentifiers {
        &self.0
    }
}

impl Serialize for ExtendedKeyUsage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|purpose| match purpose {
            [0x2b, 6, 1, 5, 5, 7, 3, 1] => "serverAuth".into(),
            [0x2b, 6, 1, 5, 5, 7, 3, 2] => "clientAuth".into(),
            [0x2b, 6, 1, 5, 5, 7, 3, 3] => "codeSigning".into(),
            [0x2b, 6, 1, 5, 5, 7, 3, 4] => "emailProtection".into(),
            [0x2b, 6, 1, 5, 5, 7, 3, 8] => "timeStamping".into(),
            [0x2b, 6, 1, 5, 5, 7, 3, 9] => "OCSPSigning".into(),
            [0x55, 0x1d, 37, 0] => "anyExtendedKeyUsage".into(),
            other => oid::dotted(other),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_der::{null, oid as encode_oid, sequence, utf8};

    #[test]
    fn identifiers_keep_their_order_and_are_found() {
        let der = sequence(&[encode_oid("1.3.6.1.5.5.7.3.2"), encode_oid("0.4.0.194115.1.0")]);
        let usage = ExtendedKeyUsage::from_der(&der).unwrap();
        assert_eq!(
            serde_json::to_value(&usage).unwrap(),
            serde_json::json!(["clientAuth", "0.4.0.194115.1.0"])
        );
        assert!(usage.purposes().contains(oid::TLS_BINDING) && usage.purposes().contains(oid::CLIENT_AUTH));
        assert!(!usage.purposes().contains(oid::SERVER_AUTH));
        assert_eq!(usage.purposes().len(), 2);
    }

    #[test]
    fn lists_of_anything_else_are_refused() {
        for bad in [
            vec![],
            null(),
            sequence(&[]),
            sequence(&[null()]),
            [sequence(&[encode_oid("1.2")]), null()].concat(),
        ] {
            assert!(ObjectIdentifiers::read(&bad).is_err(), "{bad:02x?}");
        }
        let many = |count| sequence(&vec![encode_oid("1.2.3"); count]);
        assert_eq!(
            ObjectIdentifiers::read(&many(MAX_OBJECT_IDENTIFIERS)).unwrap().len(),
            MAX_OBJECT_IDENTIFIERS
        );
        assert!(ObjectIdentifiers::read(&many(MAX_OBJECT_IDENTIFIERS + 1)).is_err());
    }

    #[test]
    fn policies_are_read_past_their_qualifiers() {
        let qualified =
            sequence(&[encode_oid("0.4.0.194112.1.4"), sequence(&[sequence(&[encode_oid("1.2.3")])])]);
        let policies =
            read_policies(&sequence(&[qualified, sequence(&[encode_oid("2.23.140.1.1")])])).unwrap();
        assert_eq!(
            serde_json::to_value(&policies).unwrap(),
            serde_json::json!(["0.4.0.194112.1.4", "2.23.140.1.1"])
        );
        for bad in [
            sequence(&[]),
            sequence(&[sequence(&[])]),
            sequence(&[sequence(&[encode_oid("1.2.3"), utf8("x")])]),
        ] {
            assert!(read_policies(&bad).is_err(), "{bad:02x?}");
        }
    }
}
