//! Faults that come together.

use super::{Fault, fault};
use crate::blueprint::{AUTHORITY, COMPLIANCE, EKU, KEY_USAGE, PDS, POLICIES, PSD2, QC_TYPE, policies};
use crate::der::{oid, oids, sequence, tlv, utf8};

#[rustfmt::skip]
pub(super) const FAULTS: &[Fault] = &[
    fault("qsealc", "a QSealC, whole", |c| {
        c.statement(QC_TYPE, oids(&["0.4.0.1862.1.6.2"]));
        c.extension(POLICIES, policies(&["0.4.0.194112.1.1"]));
        c.without_extension(EKU);
        c.extension(KEY_USAGE, tlv(0x03, &[6, 0x40]));
    }),
    fault("two-qwac", "a 2-QWAC, whole", |c| {
        c.extension(EKU, oids(&["0.4.0.194115.1.0"]));
        c.extension(POLICIES, policies(&["0.4.0.194112.1.6", "0.4.0.19495.3.1"]));
    }),
    fault("obwac", "a certificate of Open Banking in the United Kingdom", |c| {
        c.without_statement(COMPLIANCE);
        c.without_statement(PDS);
        c.organization_identifier("PSDGB-OB-Unknown0015800001HQQrZAAX");
        c.authority("Financial Conduct Authority", "GB-FCA");
    }),
    fault("ordinary", "a web site's certificate", |c| {
        c.statements.clear();
        c.extension(POLICIES, policies(&["2.23.140.1.1"]));
    }),
    fault("flattened-and-unqualified", "flattened roles and no QcCompliance", |c| {
        c.without_statement(COMPLIANCE);
        let roles = sequence(&[&oid("0.4.0.19495.1.3"), &utf8("PSP_AI")]);
        c.statement(PSD2, sequence(&[&roles, &utf8(AUTHORITY), &utf8("DE-BAFIN")]));
    }),
    fault("eseal-and-nca-id", "QcType eseal and nCAId of a country alone", |c| {
        c.statement(QC_TYPE, oids(&["0.4.0.1862.1.6.2"]));
        c.authority(AUTHORITY, "DE");
    }),
    fault("orgid-and-policies", "an authorisation number with an underscore and no policies", |c| {
        c.organization_identifier("PSDDE_BAFIN-104114");
        c.without_extension(POLICIES);
    }),
    fault("pds-and-role-name", "no QcPDS and a role under another's name", |c| {
        c.without_statement(PDS);
        c.roles(&[("0.4.0.19495.1.3", "PSP_PI")]);
    }),
    fault("expired-and-unqualified", "ended, and no QcCompliance", |c| {
        c.not_before = "250301000000Z";
        c.not_after = "250831235959Z";
        c.without_statement(COMPLIANCE);
    }),
    fault("types-and-legislation", "two QcTypes under Swiss law", |c| {
        c.statement(QC_TYPE, oids(&["0.4.0.1862.1.6.3", "0.4.0.1862.1.6.1"]));
        c.statement("0.4.0.1862.1.7", sequence(&[&tlv(0x13, b"CH")]));
    }),
];
