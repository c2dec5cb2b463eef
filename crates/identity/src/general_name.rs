//! `GeneralNames` and the extensions made of them: subjectAltName, authorityInfoAccess, cRLDistributionPoints.

use std::net::IpAddr;

use serde::Serialize;

use crate::der::{CONTEXT_0, CONTEXT_1_IMPLICIT, DerError, OBJECT_IDENTIFIER, Reader, SEQUENCE};
use crate::oid;

/// Names of one extension that are read. Certificates seen have up to a hundred; with more the extension counts as
/// malformed.
pub const MAX_GENERAL_NAMES: usize = 256;

const OTHER_NAME: u8 = 0xa0;
const RFC822_NAME: u8 = 0x81;
const DNS_NAME: u8 = 0x82;
const X400_ADDRESS: u8 = 0xa3;
const DIRECTORY_NAME: u8 = 0xa4;
const EDI_PARTY_NAME: u8 = 0xa5;
const URI: u8 = 0x86;
const IP_ADDRESS: u8 = 0x87;
const REGISTERED_ID: u8 = 0x88;
/// `reasons [1]` and `cRLIssuer [2]` of a `DistributionPoint`.
const REASONS: u8 = CONTEXT_1_IMPLICIT;
const CRL_ISSUER: u8 = 0xa2;

/// The names of subjectAltName (RFC 5280 section 4.2.1.6), by kind. Kinds that name no server are only counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SubjectAltName {
    /// dNSName.
    pub dns: Vec<String>,
    /// iPAddress.
    pub ip: Vec<IpAddr>,
    /// rfc822Name.
    pub email: Vec<String>,
    /// uniformResourceIdentifier.
    pub uri: Vec<String>,
    /// How many names are of another kind.
    pub others: usize,
}

/// Where the issuer tells of itself (RFC 5280 section 4.2.2.1). URLs as they stand, not checked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct AuthorityInformation {
    /// id-ad-ocsp: OCSP responders.
    pub ocsp: Vec<String>,
    /// id-ad-caIssuers: certificates of the issuer.
    pub ca_issuers: Vec<String>,
}

enum GeneralName<'a> {
    Dns(&'a str),
    Ip(IpAddr),
    Email(&'a str),
    Uri(&'a str),
    Other,
}

impl<'a> GeneralName<'a> {
    fn read(names: &mut Reader<'a>) -> Result<Self, DerError> {
        let element = names.read()?;
        let text = || ia5(element.content).ok_or(DerError::Text);
        Ok(match element.tag {
            DNS_NAME => Self::Dns(text()?),
            RFC822_NAME => Self::Email(text()?),
            URI => Self::Uri(text()?),
            IP_ADDRESS => Self::Ip(address(element.content)?),
            OTHER_NAME | X400_ADDRESS | DIRECTORY_NAME | EDI_PARTY_NAME | REGISTERED_ID => Self::Other,
            found => return Err(DerError::UnexpectedTag { expected: DNS_NAME, found }),
        })
    }
}

/// Reads SIZE (1..MAX) `GeneralName` from what is left of `names`.
fn each_name<'a>(mut names: Reader<'a>, mut each: impl FnMut(GeneralName<'a>)) -> Result<(), DerError> {
    for _ in 0..MAX_GENERAL_NAMES {
        each(GeneralName::read(&mut names)?);
        if names.is_empty() {
            return Ok(());
        }
    }
    Err(DerError::TooManyElements { limit: MAX_GENERAL_NAMES })
}

impl SubjectAltName {
    pub(crate) fn read(der: &[u8]) -> Result<Self, DerError> {
        let mut names = Self::default();
        each_name(Reader::sequence(der)?, |name| match name {
            GeneralName::Dns(name) => names.dns.push(name.to_owned()),
            GeneralName::Ip(address) => names.ip.push(address),
            GeneralName::Email(name) => names.email.push(name.to_owned()),
            GeneralName::Uri(name) => names.uri.push(name.to_owned()),
            GeneralName::Other => names.others += 1,
        })?;
        Ok(names)
    }
}

impl AuthorityInformation {
    pub(crate) fn read(der: &[u8]) -> Result<Self, DerError> {
        let mut descriptions = Reader::sequence(der)?;
        let mut information = Self::default();
        for _ in 0..MAX_GENERAL_NAMES {
            let mut description = Reader::new(descriptions.expect(SEQUENCE)?.content);
            let method = description.expect(OBJECT_IDENTIFIER)?.content;
            oid::check(method)?;
            let location = GeneralName::read(&mut description)?;
            description.finish()?;
            match (method, location) {
                (oid::AD_OCSP, GeneralName::Uri(url)) => information.ocsp.push(url.to_owned()),
                (oid::AD_CA_ISSUERS, GeneralName::Uri(url)) => information.ca_issuers.push(url.to_owned()),
                _ => {}
            }
            if descriptions.is_empty() {
                return Ok(information);
            }
        }
        Err(DerError::TooManyElements { limit: MAX_GENERAL_NAMES })
    }
}

/// The URLs of cRLDistributionPoints (RFC 5280 section 4.2.1.13), of all points in one list.
pub(crate) fn read_crl_urls(der: &[u8]) -> Result<Vec<String>, DerError> {
    let mut points = Reader::sequence(der)?;
    let mut urls = Vec::new();
    for _ in 0..MAX_GENERAL_NAMES {
        let mut point = Reader::new(points.expect(SEQUENCE)?.content);
        if let Some(name) = point.optional(CONTEXT_0)? {
            let mut name = Reader::new(name.content);
            // fullName; nameRelativeToCRLIssuer has no URL.
            if let Some(full) = name.optional(CONTEXT_0)? {
                each_name(Reader::new(full.content), |name| {
                    if let GeneralName::Uri(url) = name {
                        urls.push(url.to_owned());
                    }
                })?;
                name.finish()?;
                // Of all points together, or a certificate of 64 kB held twenty times that.
                if urls.len() > MAX_GENERAL_NAMES {
                    return Err(DerError::TooManyElements { limit: MAX_GENERAL_NAMES });
                }
            }
        }
        point.optional(REASONS)?;
        point.optional(CRL_ISSUER)?;
        point.finish()?;
        if points.is_empty() {
            return Ok(urls);
        }
    }
    Err(DerError::TooManyElements { limit: MAX_GENERAL_NAMES })
}

/// Reads the names of nameRegistrationAuthorities (RFC 3739 section 3.2.6): the URIs among `content`.
pub(crate) fn read_uris(content: &[u8]) -> Result<Vec<String>, DerError> {
    let mut uris = Vec::new();
    each_name(Reader::new(content), |name| {
        if let GeneralName::Uri(uri) = name {
            uris.push(uri.to_owned());
        }
    })?;
    Ok(uris)
}

/// The text of an `IA5String`, which is not empty and has no control characters.
pub(crate) fn ia5(content: &[u8]) -> Option<&str> {
    let is_printable = |octet: &u8| matches!(octet, 0x20..=0x7e);
    if content.is_empty() || !content.iter().all(is_printable) {
        None
    } else {
        std::str::from_utf8(content).ok()
    }
}

fn address(octets: &[u8]) -> Result<IpAddr, DerError> {
    if let Ok(v4) = <[u8; 4]>::try_from(octets) {
        return Ok(v4.into());
    }
    <[u8; 16]>::try_from(octets).map(IpAddr::from).map_err(|_| DerError::Text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_der::{null, oid as encode_oid, sequence, tlv, utf8};

    #[test]
    fn names_are_told_by_kind() {
        let names = sequence(&[
            tlv(DNS_NAME, b"api.tpp.example"),
            tlv(IP_ADDRESS, &[192, 0, 2, 1]),
            tlv(RFC822_NAME, b"a@tpp.example"),
            tlv(URI, b"https://tpp.example"),
            tlv(DIRECTORY_NAME, &[]),
        ]);
        let json = serde_json::to_value(SubjectAltName::read(&names).unwrap()).unwrap();
        let expected = serde_json::json!({
            "dns": ["api.tpp.example"], "ip": ["192.0.2.1"], "email": ["a@tpp.example"],
            "uri": ["https://tpp.example"], "others": 1,
        });
        assert_eq!(json, expected);
    }

    #[test]
    fn malformed_names_are_refused() {
        for bad in [
            sequence(&[]),
            sequence(&[utf8("api.tpp.example")]),
            sequence(&[tlv(DNS_NAME, b"\xe9.example")]),
            sequence(&[tlv(DNS_NAME, b"")]),
            sequence(&[tlv(DNS_NAME, b"a\0b")]),
            sequence(&[tlv(IP_ADDRESS, &[1, 2, 3])]),
            [sequence(&[tlv(DNS_NAME, b"a")]), null()].concat(),
        ] {
            assert!(SubjectAltName::read(&bad).is_err(), "{bad:02x?}");
        }
        let many = |count| sequence(&vec![tlv(DNS_NAME, b"a"); count]);
        assert!(SubjectAltName::read(&many(MAX_GENERAL_NAMES)).is_ok());
        assert!(SubjectAltName::read(&many(MAX_GENERAL_NAMES + 1)).is_err());
    }

    #[test]
    fn access_methods_are_told_apart() {
        let description = |method: &str, url: &[u8]| sequence(&[encode_oid(method), tlv(URI, url)]);
        let der = sequence(&[
            description("1.3.6.1.5.5.7.48.1", b"http://ocsp.example"),
            description("1.3.6.1.5.5.7.48.2", b"http://ca.example/ca.cer"),
            description("1.2.3", b"http://other.example"),
        ]);
        let information = AuthorityInformation::read(&der).unwrap();
        assert_eq!(information.ocsp, ["http://ocsp.example"]);
        assert_eq!(information.ca_issuers, ["http://ca.example/ca.cer"]);
        assert!(AuthorityInformation::read(&sequence(&[])).is_err());
        assert!(AuthorityInformation::read(&sequence(&[sequence(&[encode_oid("1.2.3")])])).is_err());
    }

    #[test]
    fn crl_urls_are_collected_from_every_point() {
        let point = |url: &[u8]| sequence(&[tlv(0xa0, &tlv(0xa0, &tlv(URI, url)))]);
        let relative = sequence(&[tlv(0xa0, &tlv(0xa1, &null()))]);
        let issuer = sequence(&[tlv(0x81, &[0]), tlv(0xa2, &tlv(DIRECTORY_NAME, &[]))]);
        let der = sequence(&[point(b"http://a.example/1.crl"), relative, issuer, point(b"ldap://b.example")]);
        assert_eq!(read_crl_urls(&der).unwrap(), ["http://a.example/1.crl", "ldap://b.example"]);
        assert!(read_crl_urls(&sequence(&[])).is_err());
        assert!(read_crl_urls(&sequence(&[null()])).is_err());
    }
}
