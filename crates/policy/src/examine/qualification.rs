//! Rules about whether a certificate is qualified, and for what (EN 319 412-5).

use portcullis_identity::{FindingCode, Identity, QcStatements, QcType, oid};

use super::Report;
use super::usage::has_scheme;
use portcullis_trust::Overrules;

use crate::language;
use crate::{ContentRule, Purpose};

pub(super) fn examine(identity: &Identity, report: &mut Report<'_>) {
    match &identity.qc {
        Some(qc) => {
            examine_type(qc, report);
            examine_compliance(qc, report);
            examine_disclosure(qc, report);
            examine_semantics(qc, report);
        }
        // A list that says what the statements would say stands in for them.
        None if report.overrules == (Overrules { qualified: true, usage: true }) => {}
        None if report.is_told(ContentRule::QcMissing, FindingCode::voids_qc_statements) => {}
        None => {
            report.broken(ContentRule::QcMissing, "the certificate has no qcStatements that can be read");
        }
    }
    examine_policies(identity, report);
    let information = identity.authority_information.as_ref();
    if information.is_none_or(|information| information.ca_issuers.is_empty())
        && !report
            .is_told(ContentRule::CaIssuersMissing, |code| code == FindingCode::AuthorityInformationMalformed)
    {
        let message = "authorityInfoAccess does not tell where the issuer's certificate is";
        report.broken(ContentRule::CaIssuersMissing, message);
    }
    if identity.subject_alt_name.is_none()
        && report.rules.purpose == Purpose::Qwac
        && !report.is_told(ContentRule::AltNameMissing, |code| code == FindingCode::AltNameMalformed)
    {
        report.broken(ContentRule::AltNameMissing, "the certificate has no subjectAltName that can be read");
    }
}

fn examine_type(qc: &QcStatements, report: &mut Report<'_>) {
    if report.overrules.usage {
        return;
    }
    let wanted = match report.rules.purpose {
        Purpose::Qwac => QcType::Web,
        Purpose::Qsealc => QcType::Eseal,
    };
    let is_malformed = |code| code == FindingCode::QcTypeMalformed;
    let (rule, message) = match qc.types.as_slice() {
        [only] if *only == wanted => return,
        [] if report.is_told(ContentRule::QcTypeMissing, is_malformed) => return,
        [] => (
            ContentRule::QcTypeMissing,
            "the certificate has no QcType that can be read, so it is one for electronic signatures",
        ),
        types if types.contains(&wanted) => (ContentRule::QcTypeSeveral, "QcType names more than one type"),
        // However many others are named: a seal beside an unknown type is a seal.
        types if types.contains(&QcType::Eseal) => {
            (ContentRule::QcTypeSeal, "the certificate is a QSealC: its QcType is eseal, not web")
        }
        types if types.contains(&QcType::Esign) => (
            ContentRule::QcTypeSignature,
            "the certificate is for electronic signatures: its QcType is esign",
        ),
        types if types.contains(&QcType::Web) => {
            (ContentRule::QcTypeWeb, "the certificate is a QWAC: its QcType is web, not eseal")
        }
        _ => (ContentRule::QcTypeUnknown, "the QcType is none of esign, eseal and web"),
    };
    report.broken(rule, message);
}

fn examine_compliance(qc: &QcStatements, report: &mut Report<'_>) {
    // A list that calls these very certificates qualified does so whatever law they name.
    let is_overruled = report.overrules.qualified;
    if !qc.compliance && !is_overruled {
        let message = "the certificate does not claim to be qualified: QcCompliance is absent";
        report.broken(ContentRule::QcNotQualified, message);
    }
    if let Some(country) = qc.legislation.first().filter(|_| !is_overruled) {
        let message = format!(
            "the certificate is qualified under the law of {country}, not of the EU (QcCClegislation)"
        );
        report.broken(ContentRule::QcLegislation, message);
    } else if qc.statements.contains(oid::QC_LEGISLATION)
        && !is_overruled
        && !report.is_told(ContentRule::QcLegislation, |code| code == FindingCode::QcLegislationMalformed)
    {
        let message = "the certificate is qualified under a law that cannot be read (QcCClegislation)";
        report.broken(ContentRule::QcLegislation, message);
    }
    if qc.sscd && report.rules.purpose == Purpose::Qwac {
        report.broken(ContentRule::QcSscd, "QcSSCD is present in a certificate for a connection");
    }
}

fn examine_disclosure(qc: &QcStatements, report: &mut Report<'_>) {
    if qc.pds.is_empty() {
        if !report.is_told(ContentRule::QcPdsMissing, |code| code == FindingCode::QcPdsMalformed) {
            report.broken(
                ContentRule::QcPdsMissing,
                "no disclosure statement is named: there is no QcPDS that can be read",
            );
        }
        return;
    }
    if !qc.pds.iter().all(|location| has_scheme(&location.url, "https:")) {
        report.broken(ContentRule::QcPdsScheme, "a disclosure statement in QcPDS is not at an https URL");
    }
    if let Some(location) = qc.pds.iter().find(|location| !language::is_assigned(&location.language)) {
        let message = format!("language {} in QcPDS is none of ISO 639-1", location.language);
        report.broken(ContentRule::QcPdsLanguage, message);
    }
    if !qc.pds.iter().any(|location| location.language.eq_ignore_ascii_case("en")) {
        report.broken(ContentRule::QcPdsEnglish, "no disclosure statement in QcPDS is in English");
    }
}

fn examine_semantics(qc: &QcStatements, report: &mut Report<'_>) {
    if qc.statements.contains(oid::QC_SYNTAX_V1) {
        report.broken(ContentRule::QcSyntaxV1, "pkixQCSyntax-v1 is present; v2 replaced it");
    }
    let semantics = qc.semantics.as_ref().and_then(|semantics| semantics.identifier.as_deref());
    if matches!(semantics, Some("0.4.0.194121.1.1" | "0.4.0.194121.1.3")) {
        report.broken(ContentRule::QcSemantics, "the semantics identifier is that of natural persons");
    }
}

fn examine_policies(identity: &Identity, report: &mut Report<'_>) {
    let Some(policies) = &identity.policies else {
        if !report.is_told(ContentRule::PoliciesMissing, |code| code == FindingCode::PoliciesMalformed) {
            report.broken(
                ContentRule::PoliciesMissing,
                "the certificate has no certificatePolicies that can be read",
            );
        }
        return;
    };
    let (wanted, message): (&[&[u8]], _) = match report.rules.purpose {
        Purpose::Qwac => (
            &[oid::QCP_WEB, oid::QNCP_WEB, oid::QNCP_WEB_GENERIC],
            "no policy for qualified web site certificates is named (0.4.0.194112.1.4, .5 or .6)",
        ),
        Purpose::Qsealc => (
            &[oid::QCP_LEGAL, oid::QCP_LEGAL_QSCD],
            "no policy for qualified seals is named (0.4.0.194112.1.1 or .3)",
        ),
    };
    if !wanted.iter().any(|policy| policies.contains(policy)) {
        report.broken(ContentRule::PolicyNotQualified, message);
    }
}
