//! Extensions that rcgen has no words for.

use rcgen::CustomExtension;
use yasna::Tag;
use yasna::models::ObjectIdentifier;

use crate::oid;

/// certificatePolicies with these policy identifiers and no qualifiers.
pub(crate) fn certificate_policies(policies: &[Vec<u64>]) -> CustomExtension {
    let der = yasna::construct_der(|writer| {
        writer.write_sequence(|list| {
            for policy in policies {
                list.next().write_sequence(|information| {
                    information.next().write_oid(&ObjectIdentifier::from_slice(policy));
                });
            }
        });
    });
    CustomExtension::from_oid_content(oid::CERTIFICATE_POLICIES, der)
}

/// authorityInfoAccess: pairs of an access method and a URL.
pub(crate) fn authority_info_access(locations: &[(&[u64], String)]) -> CustomExtension {
    const UNIFORM_RESOURCE_IDENTIFIER: u64 = 6;
    let der = yasna::construct_der(|writer| {
        writer.write_sequence(|list| {
            for (method, url) in locations {
                list.next().write_sequence(|description| {
                    description.next().write_oid(&ObjectIdentifier::from_slice(method));
                    description.next().write_tagged_implicit(
                        Tag::context(UNIFORM_RESOURCE_IDENTIFIER),
                        |writer| {
                            writer.write_ia5_string(url);
                        },
                    );
                });
            }
        });
    });
    CustomExtension::from_oid_content(oid::AUTHORITY_INFO_ACCESS, der)
}

/// cabfOrganizationIdentifier for an organizationIdentifier of the form `PSDDE-BAFIN-104114`: three letters of scheme, two of
/// country, a hyphen, a reference. There is none for another form.
pub(crate) fn cabf_organization_identifier(identifier: &str) -> Option<CustomExtension> {
    let (head, reference) = identifier.split_once('-')?;
    if head.len() != 5 || !head.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return None;
    }
    let (scheme, country) = head.split_at(3);
    let der = yasna::construct_der(|writer| {
        writer.write_sequence(|parts| {
            parts.next().write_printable_string(scheme);
            parts.next().write_printable_string(country);
            parts.next().write_utf8_string(reference);
        });
    });
    Some(CustomExtension::from_oid_content(oid::CABF_ORGANIZATION_IDENTIFIER, der))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_identifier_falls_into_scheme_country_and_reference() {
        let extension =
            cabf_organization_identifier("PSDDE-BAFIN-104114").expect("the form is the usual one");
        assert_eq!(extension.content(), b"\x30\x17\x13\x03PSD\x13\x02DE\x0c\x0cBAFIN-104114");
    }

    #[test]
    fn a_national_scheme_has_no_parts() {
        assert!(cabf_organization_identifier("DE:HRB104114").is_none());
        assert!(cabf_organization_identifier("PSDDE").is_none());
        assert!(cabf_organization_identifier("psdde-BAFIN-104114").is_none());
    }
}
