//! Faults of the PSD2 statement.

use super::{Fault, fault};
use crate::blueprint::{AI, AUTHORITY, Blueprint, PSD2, psd2, role};
use crate::der::{null, oid, printable, sequence, tlv, utf8};

const PI: &str = "0.4.0.19495.1.2";
const UNSPECIFIED: &str = "0.4.0.19495.1.0";
const CB: &str = "0.4.0.19495.1.5";
const PA: &str = "0.4.0.19495.1.6";
const NCA: &str = "DE-BAFIN";

fn raw(c: &mut Blueprint, parts: &[&[u8]]) {
    c.statement(PSD2, sequence(parts));
}

fn authorised(id: &'static str) -> impl Fn(&mut Blueprint) {
    move |c| c.authority(AUTHORITY, id)
}

/// The role of account information, in its list.
fn roles() -> Vec<u8> {
    sequence(&[&role(AI, "PSP_AI")])
}

#[rustfmt::skip]
pub(super) const FAULTS: &[Fault] = &[
    fault("psd2-absent", "no PSD2 statement", |c| c.without_statement(PSD2)),
    fault("psd2-without-information", "a PSD2 statement without statementInfo", |c| c.statement(PSD2, Vec::new())),
    fault("psd2-null", "a PSD2 statement of NULL", |c| c.statement(PSD2, null())),
    fault("psd2-empty", "a PSD2 statement of nothing", |c| raw(c, &[])),
    fault("psd2-trailing-field", "a fourth field", |c| raw(c, &[&roles(), &utf8(AUTHORITY), &utf8(NCA), &utf8("x")])),
    fault("psd2-without-nca-id", "no nCAId", |c| raw(c, &[&roles(), &utf8(AUTHORITY)])),
    fault("roles-two", "two roles", |c| c.roles(&[(AI, "PSP_AI"), (PI, "PSP_PI")])),
    fault("roles-all", "all four roles", |c| c.roles(&[("0.4.0.19495.1.1", "PSP_AS"), (PI, "PSP_PI"), (AI, "PSP_AI"), ("0.4.0.19495.1.4", "PSP_IC")])),
    fault("roles-flattened", "roles side by side in the list", |c| raw(c, &[&sequence(&[&oid(AI), &utf8("PSP_AI"), &oid(PI), &utf8("PSP_PI")]), &utf8(AUTHORITY), &utf8(NCA)])),
    fault("roles-flattened-once-deeper", "roles side by side in one role", |c| raw(c, &[&sequence(&[&sequence(&[&oid(AI), &utf8("PSP_AI"), &oid(PI), &utf8("PSP_PI")])]), &utf8(AUTHORITY), &utf8(NCA)])),
    fault("roles-tagged", "a stray explicit tag around the roles", |c| raw(c, &[&tlv(0xa0, &roles()), &utf8(AUTHORITY), &utf8(NCA)])),
    fault("roles-empty", "no role at all", |c| c.roles(&[])),
    fault("role-printable-name", "a role's name as PrintableString", |c| raw(c, &[&sequence(&[&sequence(&[&oid(AI), &printable("PSP_AI")])]), &utf8(AUTHORITY), &utf8(NCA)])),
    fault("role-without-name", "a role without name", |c| raw(c, &[&sequence(&[&sequence(&[&oid(AI)])]), &utf8(AUTHORITY), &utf8(NCA)])),
    fault("role-empty-name", "a role's name empty", |c| c.roles(&[(AI, "")])),
    fault("role-name-mismatch", "PSP_AI's identifier under PSP_PI's name", |c| c.roles(&[(AI, "PSP_PI")])),
    fault("role-name-lower-case", "a role's name in lower case", |c| c.roles(&[(AI, "psp_ai")])),
    fault("role-repeated", "a role twice", |c| c.roles(&[(AI, "PSP_AI"), (AI, "PSP_AI")])),
    fault("role-unknown", "a role registered elsewhere beside PSP_AI", |c| c.roles(&[(AI, "PSP_AI"), ("1.2.3.4", "PSP_XX")])),
    fault("role-unknown-alone", "a role registered elsewhere alone", |c| c.roles(&[("1.2.3.4", "PSP_AI")])),
    fault("role-undefined", "an identifier of the arc that is not defined", |c| c.roles(&[(AI, "PSP_AI"), ("0.4.0.19495.1.9", "PSP_XX")])),
    fault("role-unspecified", "Unspecified alone", |c| c.roles(&[(UNSPECIFIED, "Unspecified")])),
    fault("role-unspecified-and-ai", "Unspecified beside PSP_AI", |c| c.roles(&[(UNSPECIFIED, "Unspecified"), (AI, "PSP_AI")])),
    fault("role-cb", "PSP_CB with the authority NA", |c| c.statement(PSD2, psd2(&[role(CB, "PSP_CB")], "NA", "NA"))),
    fault("role-pa", "PSP_PA with the authority NA", |c| c.statement(PSD2, psd2(&[role(PA, "PSP_PA")], "NA", "NA"))),
    fault("role-cb-with-authority", "PSP_CB with an authority", |c| c.roles(&[(CB, "PSP_CB")])),
    fault("role-cb-and-ai", "PSP_CB beside PSP_AI, with the authority NA", |c| c.statement(PSD2, psd2(&[role(AI, "PSP_AI"), role(CB, "PSP_CB")], "NA", "NA"))),
    fault("role-vop-rs", "VOP_RS", |c| c.roles(&[("0.4.0.19495.1.51", "VOP_RS")])),
    fault("role-vop-vs", "VOP_VS beside PSP_AI", |c| c.roles(&[(AI, "PSP_AI"), ("0.4.0.19495.1.52", "VOP_VS")])),
    fault("nca-name-printable", "nCAName as PrintableString", |c| raw(c, &[&roles(), &printable(AUTHORITY), &utf8(NCA)])),
    fault("nca-name-empty", "nCAName empty", |c| c.authority("", NCA)),
    fault("nca-name-long", "nCAName of 257 characters", |c| c.authority(&"x".repeat(257), NCA)),
    fault("nca-name-longest", "nCAName of 256 characters", |c| c.authority(&"x".repeat(256), NCA)),
    fault("nca-name-cyrillic", "nCAName in Cyrillic", |c| c.authority("Българска народна банка", NCA)),
    fault("nca-name-accents", "nCAName with accents", |c| c.authority("Autorité de contrôle prudentiel", NCA)),
    fault("nca-name-control", "nCAName with a control character", |c| c.authority("Bun\u{7}desanstalt", NCA)),
    fault("nca-id-printable", "nCAId as PrintableString", |c| raw(c, &[&roles(), &utf8(AUTHORITY), &printable(NCA)])),
    fault("nca-id-empty", "nCAId empty", |c| authorised("")(c)),
    fault("nca-id-country", "nCAId of a country alone", |c| authorised("DE")(c)),
    fault("nca-id-without-country", "nCAId without country", |c| authorised("BAFIN")(c)),
    fault("nca-id-underscore", "nCAId with an underscore", |c| authorised("DE_BAFIN")(c)),
    fault("nca-id-lower-case", "nCAId in lower case", |c| authorised("de-bafin")(c)),
    fault("nca-id-short", "nCAId with one letter", |c| authorised("DE-B")(c)),
    fault("nca-id-long", "nCAId with nine letters", |c| authorised("DE-BAFINBAFI")(c)),
    fault("nca-id-digits", "nCAId with digits", |c| authorised("DE-BAFIN1")(c)),
    fault("nca-id-unassigned-country", "nCAId of a country that is none", |c| authorised("ZZ-BAFIN")(c)),
    fault("nca-id-el", "nCAId of Greece as EL", |c| { authorised("EL-BOG")(c); c.organization_identifier("PSDGR-BOG-104114"); }),
    fault("nca-id-uk", "nCAId of the United Kingdom as UK", |c| { authorised("UK-FCA")(c); c.organization_identifier("PSDGB-FCA-104114"); }),
    fault("nca-id-unknown", "an authority that is in no list", |c| { authorised("DE-BUBA")(c); c.organization_identifier("PSDDE-BUBA-104114"); }),
    fault("nca-id-stale", "ES-BDE, the example of the standard", |c| { authorised("ES-BDE")(c); c.organization_identifier("PSDES-BDE-3DFD21"); }),
    fault("nca-id-na", "NA beside PSP_AI", |c| authorised("NA")(c)),
    fault("nca-id-other", "another authority than the organizationIdentifier's", |c| authorised("FR-ACPR")(c)),
];
