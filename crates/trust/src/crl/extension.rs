//! The extensions of CRLs and of their entries (RFC 5280 sections 5.2 and 5.3).

use portcullis_identity::der::{
    BOOLEAN, ENUMERATED, INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, Reader, SEQUENCE,
};
use portcullis_identity::oid;

use super::{CrlError, CrlNumber};
use crate::status::RevocationReason;

/// Extensions, by the last octet of their arc 2.5.29.
const ID_CE: &[u8] = &[0x55, 0x1d];
const CRL_NUMBER: u8 = 20;
const REASON_CODE: u8 = 21;
const DELTA_CRL_INDICATOR: u8 = 27;
const ISSUING_DISTRIBUTION_POINT: u8 = 28;
const CERTIFICATE_ISSUER: u8 = 29;
/// `removeFromCRL`, which stands in delta CRLs only.
const REMOVE_FROM_CRL: u8 = 8;
/// Octets of a CRL number (RFC 5280 section 5.2.3), and one that says that it is positive.
const NUMBER_OCTETS_MAX: usize = 21;

/// Fields of `IssuingDistributionPoint`, and the full name and a URI within its first.
const DISTRIBUTION_POINT: u8 = 0xa0;
const FULL_NAME: u8 = 0xa0;
const URI: u8 = 0x86;
const ONLY_USER_CERTS: u8 = 0x81;
const ONLY_CA_CERTS: u8 = 0x82;
const ONLY_SOME_REASONS: u8 = 0x83;
const INDIRECT_CRL: u8 = 0x84;
const ONLY_ATTRIBUTE_CERTS: u8 = 0x85;

/// Which certificates of its issuer a CRL is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Scope {
    /// Those that name one of these distribution points; all where there is none.
    points: Option<Vec<String>>,
    /// Whether it is about CAs or attribute certificates only.
    excludes_users: bool,
}

impl Scope {
    pub(super) fn covers(&self, distribution_points: &[String]) -> bool {
        let names = |points: &Vec<String>| points.iter().any(|point| distribution_points.contains(point));
        !self.excludes_users && self.points.as_ref().is_none_or(names)
    }
}

/// An extension: its object identifier, whether it is critical, and its value.
type Extension<'a> = (&'a [u8], bool, &'a [u8]);

fn each<'a>(
    list: &'a [u8],
    mut read: impl FnMut(Extension<'a>) -> Result<(), CrlError>,
) -> Result<(), CrlError> {
    let mut list = Reader::new(list);
    while !list.is_empty() {
        let mut fields = Reader::new(list.expect(SEQUENCE)?.content);
        let oid = fields.expect(OBJECT_IDENTIFIER)?.content;
        let critical = fields.optional(BOOLEAN)?.is_some_and(|boolean| boolean.content != [0]);
        let value = fields.expect(OCTET_STRING)?.content;
        fields.finish()?;
        read((oid, critical, value))?;
    }
    Ok(())
}

fn arc(oid: &[u8]) -> Option<u8> {
    match oid.strip_prefix(ID_CE) {
        Some([arc]) => Some(*arc),
        _ => None,
    }
}

/// Reads the extensions of a CRL: a SEQUENCE of them.
pub(super) fn read_extensions(der: &[u8]) -> Result<(Option<CrlNumber>, Scope), CrlError> {
    let (mut number, mut scope) = (None, Scope::default());
    each(Reader::sequence(der)?.rest(), |(oid, critical, value)| {
        match arc(oid) {
            Some(CRL_NUMBER) => number = Some(read_number(value)?),
            Some(DELTA_CRL_INDICATOR) => return Err(CrlError::Delta),
            Some(ISSUING_DISTRIBUTION_POINT) => scope = read_scope(value)?,
            _ if critical => return Err(CrlError::CriticalExtension { oid: oid::dotted(oid) }),
            _ => {}
        }
        Ok(())
    })?;
    Ok((number, scope))
}

/// Reads the extensions of an entry for its reason.
pub(super) fn entry_reason(list: &[u8]) -> Result<Option<RevocationReason>, CrlError> {
    let mut reason = None;
    each(list, |(oid, critical, value)| {
        match arc(oid) {
            Some(REASON_CODE) => {
                let mut outer = Reader::new(value);
                let [value] = *outer.expect(ENUMERATED)?.content else {
                    return Err(CrlError::malformed("reasonCode"));
                };
                outer.finish()?;
                if value == REMOVE_FROM_CRL {
                    return Err(CrlError::Delta);
                }
                reason = RevocationReason::from_value(value);
            }
            Some(CERTIFICATE_ISSUER) => return Err(CrlError::Indirect),
            _ if critical => return Err(CrlError::CriticalExtension { oid: oid::dotted(oid) }),
            _ => {}
        }
        Ok(())
    })?;
    Ok(reason)
}

fn read_number(der: &[u8]) -> Result<CrlNumber, CrlError> {
    let mut outer = Reader::new(der);
    let octets = outer.expect(INTEGER)?.content;
    outer.finish()?;
    match octets {
        [0..0x80, ..] if octets.len() <= NUMBER_OCTETS_MAX => {
            let zeros = octets.iter().take_while(|octet| **octet == 0).count();
            Ok(CrlNumber(octets[zeros..].into()))
        }
        _ => Err(CrlError::malformed("cRLNumber")),
    }
}

/// `IssuingDistributionPoint` (RFC 5280 section 5.2.5).
fn read_scope(der: &[u8]) -> Result<Scope, CrlError> {
    let mut fields = Reader::sequence(der)?;
    let mut scope = Scope::default();
    while !fields.is_empty() {
        let field = fields.read()?;
        match field.tag {
            DISTRIBUTION_POINT => scope.points = Some(read_points(field.content)?),
            ONLY_USER_CERTS => {}
            ONLY_CA_CERTS | ONLY_ATTRIBUTE_CERTS => scope.excludes_users |= field.content != [0],
            ONLY_SOME_REASONS => return Err(CrlError::SomeReasons),
            INDIRECT_CRL if field.content != [0] => return Err(CrlError::Indirect),
            INDIRECT_CRL => {}
            _ => return Err(CrlError::malformed("issuingDistributionPoint")),
        }
    }
    Ok(scope)
}

/// The URIs of a distribution point. One that is named in another way is none that a certificate is looked up by.
fn read_points(content: &[u8]) -> Result<Vec<String>, CrlError> {
    let mut name = Reader::new(content);
    let point = name.read()?;
    name.finish()?;
    let mut points = Vec::new();
    if point.tag == FULL_NAME {
        let mut names = Reader::new(point.content);
        while !names.is_empty() {
            let name = names.read()?;
            if name.tag == URI {
                points.extend(std::str::from_utf8(name.content).ok().map(str::to_owned));
            }
        }
    }
    Ok(points)
}
