//! Qualifications: what a list says about some of a service's certificates, and which those are (TS 119 612 clause 5.5.9.2).

use portcullis_identity::{Identity, has_attribute, oid};

use super::element::{Element, ns};
use super::error::ListError;

/// What stands before the name of a qualifier, and of additional service information.
pub(super) const SERVICE_INFORMATION: &str = "http://uri.etsi.org/TrstSvc/TrustedList/SvcInfoExt/";
/// Lists of criteria within lists of criteria. Three have been seen.
const NESTING_MAX: usize = 16;

/// What a list says of the certificates that meet its criteria, as far as it changes who passes. Those about where a key is
/// kept do not: a QWAC needs no qualified device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Qualifiers {
    /// `QCStatement`: they are qualified, whatever they say themselves.
    pub qualified: bool,
    /// `NotQualified`: they are not, whatever they say themselves.
    pub not_qualified: bool,
    /// `QCForWSA`: they are for websites.
    pub for_web: bool,
    /// `QCForESeal`: they are for seals.
    pub for_seals: bool,
    /// `QCForESig`: they are for signatures.
    pub for_signatures: bool,
}

/// Qualifiers, and the criteria of those to whom they apply.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Qualification {
    /// What is said.
    pub qualifiers: Qualifiers,
    /// Of whom.
    pub criteria: Criteria,
}

/// How criteria are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CriteriaAssertion {
    /// All must be met.
    All,
    /// One must be met.
    AtLeastOne,
    /// None may be met.
    None,
}

/// Criteria that are joined.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Criteria {
    /// How; absent if the list says something that is not known here.
    pub assertion: Option<CriteriaAssertion>,
    /// What.
    pub criteria: Vec<Criterion>,
}

/// What a certificate may meet. Identifiers are content octets.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Criterion {
    /// Each bit of keyUsage, by its number in RFC 5280 section 4.2.1.3, is as given.
    KeyUsage(Vec<(u8, bool)>),
    /// Each policy is named.
    PolicySet(Vec<Vec<u8>>),
    /// Each purpose is named.
    ExtendedKeyUsage(Vec<Vec<u8>>),
    /// Each attribute is in the subject.
    SubjectAttribute(Vec<Vec<u8>>),
    /// Those within.
    Nested(Criteria),
    /// Something that is not known here.
    Unknown,
}

impl Qualification {
    /// Reads a `Qualifications` extension.
    pub(super) fn read(qualifications: Element<'_>) -> Result<Vec<Self>, ListError> {
        let elements = qualifications.children(ns::EXTENSION, "QualificationElement");
        elements.map(Self::read_element).collect()
    }

    fn read_element(element: Element<'_>) -> Result<Self, ListError> {
        let mut qualifiers = Qualifiers::default();
        for qualifier in element.below(&[(ns::EXTENSION, "Qualifiers"), (ns::EXTENSION, "Qualifier")]) {
            let uri = qualifier.attribute("uri").unwrap_or_default().trim();
            match uri.strip_prefix(SERVICE_INFORMATION) {
                Some("QCStatement") => qualifiers.qualified = true,
                Some("NotQualified") => qualifiers.not_qualified = true,
                Some("QCForWSA") => qualifiers.for_web = true,
                Some("QCForESeal") => qualifiers.for_seals = true,
                Some("QCForESig") => qualifiers.for_signatures = true,
                _ => {}
            }
        }
        let criteria = Criteria::read(element.required(ns::EXTENSION, "CriteriaList")?, NESTING_MAX)?;
        Ok(Self { qualifiers, criteria })
    }

    /// Whether it applies to a certificate with this subject; `None` where that cannot be told.
    pub fn applies(&self, identity: &Identity, subject: &[u8]) -> Option<bool> {
        self.criteria.are_met(identity, subject)
    }
}

impl Criteria {
    fn read(list: Element<'_>, nesting: usize) -> Result<Self, ListError> {
        let Some(nesting) = nesting.checked_sub(1) else {
            return Err(ListError::content("criteria are nested too deep"));
        };
        let assertion = match list.attribute("assert").map(str::trim) {
            Some("all") => Some(CriteriaAssertion::All),
            Some("atLeastOne") => Some(CriteriaAssertion::AtLeastOne),
            Some("none") => Some(CriteriaAssertion::None),
            _ => None,
        };
        let mut criteria = Vec::new();
        for element in list.elements() {
            if element.is(ns::EXTENSION, "CriteriaList") {
                criteria.push(Criterion::Nested(Self::read(element, nesting)?));
            } else if element.is(ns::EXTENSION, "otherCriteriaList") {
                criteria.extend(element.elements().map(other_criterion));
            } else if element.is(ns::EXTENSION, "KeyUsage") {
                criteria.push(key_usage(element));
            } else if element.is(ns::EXTENSION, "PolicySet") {
                let way = [(ns::EXTENSION, "PolicyIdentifier"), (ns::XADES, "Identifier")];
                criteria.push(identifiers(element, &way).map_or(Criterion::Unknown, Criterion::PolicySet));
            } else if !element.is(ns::EXTENSION, "Description") {
                criteria.push(Criterion::Unknown);
            }
        }
        Ok(Self { assertion, criteria })
    }

    /// By the logic of three values: what cannot be told about one criterion matters only if the others leave it open.
    fn are_met(&self, identity: &Identity, subject: &[u8]) -> Option<bool> {
        let met = || self.criteria.iter().map(|criterion| criterion.is_met(identity, subject));
        let any = |wanted: bool| {
            if met().any(|met| met == Some(wanted)) {
                Some(true)
            } else if met().any(|met| met.is_none()) {
                None
            } else {
                Some(false)
            }
        };
        match self.assertion? {
            CriteriaAssertion::All => any(false).map(|any| !any),
            CriteriaAssertion::AtLeastOne => any(true),
            CriteriaAssertion::None => any(true).map(|any| !any),
        }
    }
}

impl Criterion {
    fn is_met(&self, identity: &Identity, subject: &[u8]) -> Option<bool> {
        match self {
            Self::KeyUsage(bits) => {
                let asserts = |bit| identity.key_usage.is_some_and(|usage| usage.asserts(bit));
                Some(bits.iter().all(|(bit, wanted)| asserts(*bit) == *wanted))
            }
            Self::PolicySet(policies) => Some(
                policies
                    .iter()
                    .all(|policy| identity.policies.as_ref().is_some_and(|present| present.contains(policy))),
            ),
            Self::ExtendedKeyUsage(purposes) => Some(purposes.iter().all(|purpose| {
                identity
                    .extended_key_usage
                    .as_ref()
                    .is_some_and(|present| present.purposes().contains(purpose))
            })),
            Self::SubjectAttribute(types) => {
                Some(types.iter().all(|attribute| has_attribute(subject, attribute)))
            }
            Self::Nested(criteria) => criteria.are_met(identity, subject),
            Self::Unknown => None,
        }
    }
}

fn key_usage(element: Element<'_>) -> Criterion {
    /// By their numbers in RFC 5280 section 4.2.1.3, named as TS 119 612 names them.
    const BITS: [&str; 9] = [
        "digitalSignature",
        "nonRepudiation",
        "keyEncipherment",
        "dataEncipherment",
        "keyAgreement",
        "keyCertSign",
        "crlSign",
        "encipherOnly",
        "decipherOnly",
    ];
    let bit = |element: Element<'_>| {
        let name = element.attribute("name")?;
        let number = BITS.iter().position(|bit| *bit == name)?;
        let is_wanted = match element.text().as_str() {
            "true" | "1" => true,
            "false" | "0" => false,
            _ => return None,
        };
        Some((u8::try_from(number).ok()?, is_wanted))
    };
    let bits: Option<Vec<_>> = element.children(ns::EXTENSION, "KeyUsageBit").map(bit).collect();
    bits.map_or(Criterion::Unknown, Criterion::KeyUsage)
}

fn other_criterion(element: Element<'_>) -> Criterion {
    if element.is(ns::ADDITIONAL, "ExtendedKeyUsage") {
        let way = [(ns::ADDITIONAL, "KeyPurposeId"), (ns::XADES, "Identifier")];
        identifiers(element, &way).map_or(Criterion::Unknown, Criterion::ExtendedKeyUsage)
    } else if element.is(ns::ADDITIONAL, "CertSubjectDNAttribute") {
        let way = [(ns::ADDITIONAL, "AttributeOID"), (ns::XADES, "Identifier")];
        identifiers(element, &way).map_or(Criterion::Unknown, Criterion::SubjectAttribute)
    } else {
        Criterion::Unknown
    }
}

/// The object identifiers at the ends of a way; `None` if one cannot be read, or there is none: a set of nothing would be
/// met by all.
fn identifiers(element: Element<'_>, way: &[(&str, &str)]) -> Option<Vec<Vec<u8>>> {
    let identifiers = element.below(way).into_iter().map(|identifier| {
        let text = identifier.text();
        // As a URN, as a bare identifier, and with `oid:`, as Italy writes some.
        let dotted = text.strip_prefix("urn:").unwrap_or(&text);
        oid::from_dotted(dotted.strip_prefix("oid:").unwrap_or(dotted).trim())
    });
    let identifiers: Vec<_> = identifiers.collect::<Option<_>>()?;
    if identifiers.is_empty() { None } else { Some(identifiers) }
}
