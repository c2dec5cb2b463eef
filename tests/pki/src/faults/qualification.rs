//! Faults of qcStatements and certificatePolicies.

use super::{Fault, fault};
use crate::blueprint::{COMPLIANCE, LEGISLATION, PDS, POLICIES, PSD2, QC_TYPE, SYNTAX_V2, pds, policies};
use crate::der::{ia5, integer, null, oid, oids, printable, sequence, tlv, uri, utf8};

const SSCD: &str = "0.4.0.1862.1.4";
const LIMIT: &str = "0.4.0.1862.1.2";
const RETENTION: &str = "0.4.0.1862.1.3";
const SYNTAX_V1: &str = "1.3.6.1.5.5.7.11.1";
const LEGAL_SEMANTICS: &str = "0.4.0.194121.1.2";
const ENGLISH: &str = "https://www.qtsp.example.com/pds_en.pdf";

#[rustfmt::skip]
pub(super) const FAULTS: &[Fault] = &[
    fault("qc-absent", "no qcStatements", |c| c.statements.clear()),
    fault("qc-critical", "qcStatements critical", |c| c.statements_critical = true),
    fault("qc-trailing-statement-bytes", "junk behind the last statement", |c| c.statements_rest = vec![0x05, 0x00]),
    fault("qc-empty-statement", "a statement without identifier", |c| c.statements_rest = sequence(&[])),
    fault("qc-second-information", "an unknown statement with two statementInfos", |c| c.statements_rest = sequence(&[&oid("1.2.3.4"), &null(), &null()])),
    fault("qc-unknown-statement", "an unknown statement, which is to be ignored", |c| c.statement("1.2.3.4", utf8("x"))),
    fault("compliance-absent", "no QcCompliance", |c| c.without_statement(COMPLIANCE)),
    fault("compliance-information", "QcCompliance with statementInfo", |c| c.statement(COMPLIANCE, null())),
    fault("compliance-twice", "QcCompliance twice", |c| c.statements.push((COMPLIANCE, Vec::new()))),
    fault("type-absent", "no QcType", |c| c.without_statement(QC_TYPE)),
    fault("type-eseal", "QcType eseal: a QSealC", |c| c.statement(QC_TYPE, oids(&["0.4.0.1862.1.6.2"]))),
    fault("type-esign", "QcType esign", |c| c.statement(QC_TYPE, oids(&["0.4.0.1862.1.6.1"]))),
    fault("type-web-and-eseal", "QcType web and eseal", |c| c.statement(QC_TYPE, oids(&["0.4.0.1862.1.6.3", "0.4.0.1862.1.6.2"]))),
    fault("type-web-twice", "QcType names web twice", |c| c.statement(QC_TYPE, oids(&["0.4.0.1862.1.6.3", "0.4.0.1862.1.6.3"]))),
    fault("type-unknown", "QcType unknown", |c| c.statement(QC_TYPE, oids(&["0.4.0.1862.1.6.4"]))),
    fault("type-empty", "QcType names nothing", |c| c.statement(QC_TYPE, sequence(&[]))),
    fault("type-bare-oid", "QcType as a bare identifier", |c| c.statement(QC_TYPE, oid("0.4.0.1862.1.6.3"))),
    fault("type-without-information", "QcType without statementInfo", |c| c.statement(QC_TYPE, Vec::new())),
    fault("type-statement-twice", "the statement QcType twice", |c| c.statements.push((QC_TYPE, oids(&["0.4.0.1862.1.6.3"])))),
    fault("pds-absent", "no QcPDS", |c| c.without_statement(PDS)),
    fault("pds-http", "QcPDS at an http URL", |c| c.statement(PDS, pds(&[("http://www.qtsp.example.com/pds_en.pdf", "en")]))),
    fault("pds-no-english", "QcPDS in German only", |c| c.statement(PDS, pds(&[(ENGLISH, "de")]))),
    fault("pds-two-languages", "QcPDS in German and English", |c| c.statement(PDS, pds(&[(ENGLISH, "de"), (ENGLISH, "en")]))),
    fault("pds-unknown-language", "QcPDS in a language that is none", |c| c.statement(PDS, pds(&[(ENGLISH, "en"), (ENGLISH, "xx")]))),
    fault("pds-upper-case-language", "QcPDS in EN", |c| c.statement(PDS, pds(&[(ENGLISH, "EN")]))),
    fault("pds-long-language", "QcPDS in eng", |c| c.statement(PDS, pds(&[(ENGLISH, "eng")]))),
    fault("pds-empty", "QcPDS names nothing", |c| c.statement(PDS, sequence(&[]))),
    fault("pds-utf8-url", "QcPDS with a UTF8String URL", |c| c.statement(PDS, sequence(&[&sequence(&[&utf8(ENGLISH), &printable("en")])]))),
    fault("pds-ia5-language", "QcPDS with an IA5String language", |c| c.statement(PDS, sequence(&[&sequence(&[&ia5(ENGLISH), &ia5("en")])]))),
    fault("pds-flat", "QcPDS without the inner SEQUENCE", |c| c.statement(PDS, sequence(&[&ia5(ENGLISH), &printable("en")]))),
    fault("legislation-third-country", "qualified under Swiss law", |c| c.statement(LEGISLATION, sequence(&[&printable("CH")]))),
    fault("legislation-eu-country", "QcCClegislation of a country of the EU", |c| c.statement(LEGISLATION, sequence(&[&printable("DE")]))),
    fault("legislation-unassigned", "QcCClegislation of a country that is none", |c| c.statement(LEGISLATION, sequence(&[&printable("ZZ")]))),
    fault("legislation-empty", "QcCClegislation of no country", |c| c.statement(LEGISLATION, sequence(&[]))),
    fault("legislation-utf8", "QcCClegislation as UTF8String", |c| c.statement(LEGISLATION, sequence(&[&utf8("CH")]))),
    fault("sscd", "QcSSCD in a QWAC", |c| c.statement(SSCD, Vec::new())),
    fault("sscd-information", "QcSSCD with statementInfo", |c| c.statement(SSCD, null())),
    fault("retention", "QcRetentionPeriod of 15 years", |c| c.statement(RETENTION, integer(&[15]))),
    fault("retention-negative", "QcRetentionPeriod of -1 years", |c| c.statement(RETENTION, integer(&[0xff]))),
    fault("retention-text", "QcRetentionPeriod as text", |c| c.statement(RETENTION, utf8("15"))),
    fault("limit", "QcLimitValue of 10,000 EUR", |c| c.statement(LIMIT, sequence(&[&printable("EUR"), &integer(&[1]), &integer(&[4])]))),
    fault("limit-long-currency", "QcLimitValue in EURO", |c| c.statement(LIMIT, sequence(&[&printable("EURO"), &integer(&[1]), &integer(&[4])]))),
    fault("limit-short", "QcLimitValue without exponent", |c| c.statement(LIMIT, sequence(&[&printable("EUR"), &integer(&[1])]))),
    fault("semantics-legal", "semantics of legal persons", |c| c.statement(SYNTAX_V2, oids(&[LEGAL_SEMANTICS]))),
    fault("semantics-natural", "semantics of natural persons", |c| c.statement(SYNTAX_V2, oids(&["0.4.0.194121.1.1"]))),
    fault("semantics-empty", "SemanticsInformation that says nothing", |c| c.statement(SYNTAX_V2, sequence(&[]))),
    fault("semantics-absent", "pkixQCSyntax-v2 without information", |c| c.statement(SYNTAX_V2, Vec::new())),
    fault("semantics-authorities", "name registration authorities alone", |c| c.statement(SYNTAX_V2, sequence(&[&sequence(&[&uri("https://register.example.com")])]))),
    fault("semantics-no-authorities", "an empty list of name registration authorities", |c| c.statement(SYNTAX_V2, sequence(&[&oid(LEGAL_SEMANTICS), &sequence(&[])]))),
    fault("syntax-v1", "pkixQCSyntax-v1", |c| c.statement(SYNTAX_V1, oids(&[LEGAL_SEMANTICS]))),
    fault("psd2-statement-twice", "the PSD2 statement twice", |c| {
        let again = c.statements.iter().find(|(id, _)| *id == PSD2).cloned();
        c.statements.extend(again);
    }),
    fault("policies-absent", "no certificatePolicies", |c| c.without_extension(POLICIES)),
    fault("policies-only-psd2", "QCP-w-psd2 alone", |c| c.extension(POLICIES, policies(&["2.23.140.1.1", "0.4.0.19495.3.1"]))),
    fault("policies-without-psd2", "QCP-w without QCP-w-psd2, which may be absent", |c| c.extension(POLICIES, policies(&["2.23.140.1.1", "0.4.0.194112.1.4"]))),
    fault("policies-qncp-w", "QNCP-w", |c| c.extension(POLICIES, policies(&["2.23.140.1.2.2", "0.4.0.194112.1.5", "0.4.0.19495.3.1"]))),
    fault("policies-qncp-w-gen", "QNCP-w-gen", |c| c.extension(POLICIES, policies(&["0.4.0.194112.1.6", "0.4.0.19495.3.1"]))),
    fault("policies-qcp-l", "QCP-l, for seals", |c| c.extension(POLICIES, policies(&["0.4.0.194112.1.1"]))),
    fault("policies-legacy", "the QCP of the time before eIDAS", |c| c.extension(POLICIES, policies(&["0.4.0.1456.1.2"]))),
    fault("policies-browsers-only", "no policy of ETSI", |c| c.extension(POLICIES, policies(&["2.23.140.1.1"]))),
    fault("policies-twice", "QCP-w named twice", |c| c.extension(POLICIES, policies(&["2.23.140.1.1", "0.4.0.194112.1.4", "0.4.0.194112.1.4"]))),
    fault("policies-empty", "certificatePolicies that name nothing", |c| c.extension(POLICIES, sequence(&[]))),
    fault("policies-critical", "certificatePolicies critical", |c| c.critical(POLICIES)),
    fault("policies-flat", "certificatePolicies without the inner SEQUENCE", |c| c.extension(POLICIES, oids(&["0.4.0.194112.1.4"]))),
    fault("statement-tagged", "a statement in a SET", |c| c.statements_rest = tlv(0x31, &oid("1.2.3.4"))),
];
