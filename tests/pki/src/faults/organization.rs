//! Faults of the subject.

use super::{Fault, fault};
use crate::blueprint::{COMMON_NAME, COUNTRY, ORGANIZATION, ORGANIZATION_IDENTIFIER, SYNTAX_V2};
use crate::der::{oid, oids, printable, sequence, tlv, uri, utf8};

const LEGAL_SEMANTICS: &str = "0.4.0.194121.1.2";

#[rustfmt::skip]
pub(super) const FAULTS: &[Fault] = &[
    fault("orgid-absent", "no organizationIdentifier", |c| { c.without_attribute(ORGANIZATION_IDENTIFIER); c.without_extension("2.23.140.3.1"); }),
    fault("orgid-twice", "two organizationIdentifiers", |c| c.subject.push((ORGANIZATION_IDENTIFIER, utf8("PSDDE-BAFIN-104115")))),
    fault("orgid-printable", "an organizationIdentifier as PrintableString", |c| c.attribute(ORGANIZATION_IDENTIFIER, printable("PSDDE-BAFIN-104114"))),
    fault("orgid-teletex", "an organizationIdentifier as TeletexString", |c| c.attribute(ORGANIZATION_IDENTIFIER, tlv(0x14, b"PSDDE-BAFIN-104114"))),
    fault("orgid-octets", "an organizationIdentifier as OCTET STRING", |c| c.attribute(ORGANIZATION_IDENTIFIER, tlv(0x04, b"PSDDE-BAFIN-104114"))),
    fault("orgid-lower-case", "an organizationIdentifier in lower case", |c| c.organization_identifier("psdde-bafin-104114")),
    fault("orgid-without-number", "an authorisation number without number", |c| c.organization_identifier("PSDDE-BAFIN-")),
    fault("orgid-without-authority", "an authorisation number without authority", |c| c.organization_identifier("PSDDE-104114")),
    fault("orgid-underscore", "an authorisation number with an underscore", |c| c.organization_identifier("PSDDE_BAFIN-104114")),
    fault("orgid-unassigned-country", "an authorisation number of a country that is none", |c| c.organization_identifier("PSDZZ-BAFIN-104114")),
    fault("orgid-other-authority", "an authorisation number of another authority", |c| c.organization_identifier("PSDFR-ACPR-104114")),
    fault("orgid-odd-number", "an authorisation number with odd characters, which are allowed", |c| c.organization_identifier("PSDDE-BAFIN-10 41/14.a")),
    fault("orgid-obie", "a number of the directory of Open Banking", |c| c.organization_identifier("PSDGB-OB-Unknown0015800001HQQrZAAX")),
    fault("orgid-vat", "a VAT number", |c| c.organization_identifier("VATDE-123456789")),
    fault("orgid-vat-before-2021", "a VAT number in a certificate of 2020", |c| { c.organization_identifier("VATDE-123456789"); c.not_before = "200901000000Z"; c.not_after = "210228235959Z"; }),
    fault("orgid-vat-el", "a Greek VAT number with EL", |c| c.organization_identifier("VATEL-099028220")),
    fault("orgid-vat-empty", "a VAT number without number", |c| c.organization_identifier("VATDE-")),
    fault("orgid-vat-without-hyphen", "a VAT number without hyphen", |c| c.organization_identifier("VATDE123456789")),
    fault("orgid-ntr", "a number of a trade register", |c| c.organization_identifier("NTRDE-HRB104114")),
    fault("orgid-lei", "an LEI", |c| c.organization_identifier("LEIXG-506700GE1G29325QX363")),
    fault("orgid-lei-country", "an LEI with a country", |c| c.organization_identifier("LEIDE-506700GE1G29325QX363")),
    fault("orgid-lei-checksum", "an LEI whose check digits do not hold", |c| c.organization_identifier("LEIXG-506700GE1G29325QX364")),
    fault("orgid-lei-unassigned-country", "an LEI of a country that is none", |c| c.organization_identifier("LEIZZ-506700GE1G29325QX363")),
    fault("orgid-xg-vat", "a VAT number of XG", |c| c.organization_identifier("VATXG-123456789")),
    fault("orgid-national", "a national number without registration authority", |c| { c.organization_identifier("EI:SE-5567971433"); c.statement(SYNTAX_V2, oids(&[LEGAL_SEMANTICS])); }),
    fault("orgid-national-authority", "a national number with its registration authority", |c| {
        c.organization_identifier("EI:SE-5567971433");
        c.statement(SYNTAX_V2, sequence(&[&oid(LEGAL_SEMANTICS), &sequence(&[&uri("https://register.example.com")])]));
    }),
    fault("orgid-unknown-scheme", "a scheme that is none", |c| c.organization_identifier("XYZDE-104114")),
    fault("orgid-junk", "a number alone", |c| c.organization_identifier("104114")),
    fault("orgid-is-name", "the name in place of a number", |c| c.organization_identifier("Lindenblatt Kontodienst GmbH")),
    fault("country-absent", "no country", |c| c.without_attribute(COUNTRY)),
    fault("country-twice", "two countries", |c| c.subject.push((COUNTRY, printable("FR")))),
    fault("country-unassigned", "a country that is none", |c| c.attribute(COUNTRY, printable("ZZ"))),
    fault("country-el", "Greece as EL", |c| c.attribute(COUNTRY, printable("EL"))),
    fault("country-utf8", "a country as UTF8String", |c| c.attribute(COUNTRY, utf8("DE"))),
    fault("country-long", "a country of three letters", |c| c.attribute(COUNTRY, printable("DEU"))),
    fault("organization-absent", "no organizationName", |c| c.without_attribute(ORGANIZATION)),
    fault("organization-twice", "two organizationNames", |c| c.subject.push((ORGANIZATION, utf8("Hafenkontor Handels GmbH")))),
    fault("organization-bmp", "an organizationName as BMPString", |c| c.attribute(ORGANIZATION, tlv(0x1e, &[0, b'L', 0, b'K']))),
    fault("common-name-absent", "no commonName", |c| c.without_attribute(COMMON_NAME)),
    fault("subject-empty", "no subject at all", |c| { c.subject.clear(); c.without_extension("2.23.140.3.1"); }),
];
