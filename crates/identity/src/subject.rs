//! Whom a certificate names.

use serde::Serialize;

use crate::error::IdentityError;
use crate::finding::{Finding, FindingCode};
use crate::name::{Attribute, Name};
use crate::oid;

/// The subject of a certificate (RFC 5280 section 4.1.2.6), as far as it says who the holder is.
///
/// Trust: what the issuer wrote; any text may be in it. An attribute that occurs twice or is no readable text is
/// `None` with a finding: which of two organisation identifiers counts is not for a parser to pick.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Subject {
    /// commonName, 2.5.4.3.
    pub common_name: Option<String>,
    /// organizationName, 2.5.4.10.
    pub organization: Option<String>,
    /// countryName, 2.5.4.6.
    pub country: Option<String>,
    /// organizationIdentifier, 2.5.4.97 (EN 319 412-1 section 5.1.4; TS 119 495 section 5.2.1). Not interpreted.
    pub organization_identifier: Option<String>,
    /// The whole name as RFC 4514 writes it, last RDN first. Not part of the JSON.
    #[serde(skip)]
    pub distinguished_name: String,
}

impl Subject {
    pub(crate) fn read(content: &[u8], findings: &mut Vec<Finding>) -> Result<Self, IdentityError> {
        let mut slots = [
            Slot::new("commonName", oid::COMMON_NAME),
            Slot::new("organizationName", oid::ORGANIZATION),
            Slot::new("countryName", oid::COUNTRY),
            Slot::new("organizationIdentifier", oid::ORGANIZATION_IDENTIFIER),
        ];
        let name = Name::read(content, "subject", |attribute| {
            for slot in &mut slots {
                slot.offer(&attribute);
            }
        })?;
        let [common_name, organization, country, organization_identifier] =
            slots.map(|slot| slot.into_text(findings));
        let distinguished_name = name.to_rfc4514();
        Ok(Self { common_name, organization, country, organization_identifier, distinguished_name })
    }
}

/// Where one attribute type is collected.
struct Slot<'a> {
    name: &'static str,
    oid: &'static [u8],
    first: Option<Attribute<'a>>,
    count: usize,
}

impl<'a> Slot<'a> {
    const fn new(name: &'static str, oid: &'static [u8]) -> Self {
        Self { name, oid, first: None, count: 0 }
    }

    fn offer(&mut self, attribute: &Attribute<'a>) {
        if attribute.oid == self.oid {
            self.first.get_or_insert(*attribute);
            self.count += 1;
        }
    }

    fn into_text(self, findings: &mut Vec<Finding>) -> Option<String> {
        let Self { name, first, count, .. } = self;
        let attribute = first?;
        if count > 1 {
            let message = format!("the subject has {count} {name} attributes, so none of them is taken");
            findings.push(Finding::new(FindingCode::DuplicateAttribute, message));
            return None;
        }
        let text = attribute.text();
        if text.is_none() {
            let message = format!("the subject's {name} is not a character string that can be read");
            findings.push(Finding::new(FindingCode::UnreadableAttribute, message));
        }
        if text.is_some() && !attribute.has_allowed_type() {
            let message =
                format!("the subject's {name} has a string type that RFC 5280 does not allow for it");
            findings.push(Finding::new(FindingCode::AttributeStringType, message));
        }
        text.map(Into::into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_der::{rdn, tlv, utf8};

    fn read(rdns: &[Vec<u8>]) -> (Subject, Vec<FindingCode>) {
        let mut findings = Vec::new();
        let subject = Subject::read(&rdns.concat(), &mut findings).unwrap();
        (subject, findings.iter().map(|finding| finding.code).collect())
    }

    #[test]
    fn a_second_organization_identifier_leaves_none() {
        let (subject, findings) = read(&[
            rdn("2.5.4.97", &utf8("PSDFI-FINFSA-1")),
            rdn("2.5.4.3", &utf8("tpp.example")),
            rdn("2.5.4.97", &utf8("PSDFI-FINFSA-2")),
        ]);
        assert_eq!(subject.organization_identifier, None);
        assert_eq!(subject.common_name.as_deref(), Some("tpp.example"));
        assert_eq!(findings, [FindingCode::DuplicateAttribute]);
    }

    #[test]
    fn a_value_that_is_no_text_leaves_none() {
        let (subject, findings) = read(&[rdn("2.5.4.10", &tlv(0x04, b"Example"))]);
        assert_eq!(subject.organization, None);
        assert_eq!(findings, [FindingCode::UnreadableAttribute]);
        assert_eq!(subject.distinguished_name, "O=#04074578616d706c65");
    }

    #[test]
    fn an_empty_subject_is_no_fault() {
        assert_eq!(read(&[]), (Subject::default(), vec![]));
    }
}
