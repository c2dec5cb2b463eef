//! The QCStatements extension.

use serde::Serialize;

use crate::der::{DerError, OBJECT_IDENTIFIER, Reader, SEQUENCE};
use crate::finding::{Finding, FindingCode};
use crate::object_identifiers::ObjectIdentifiers;
use crate::oid;
use crate::psd2::Psd2Statement;
use crate::qc_statement::{self, PdsLocation, QcLimitValue, QcType, Semantics};

/// Statements of a certificate that are read. Certificates seen have 2 to 6, and some twenty are defined; repeated
/// ones are looked for pairwise, so the number must be small. With more, none is read and a finding says so.
pub const MAX_STATEMENTS: usize = 32;

/// What the QCStatements extension says (RFC 3739 section 3.2.6, EN 319 412-5), the PSD2 statement aside.
///
/// Trust: what the issuer wrote. A statement that is not well-formed is a finding and here as if absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct QcStatements {
    /// `QcCompliance`: the issuer claims that the certificate is qualified.
    pub compliance: bool,
    /// QcType: what the certificate is for, in the certificate's order.
    pub types: Vec<QcType>,
    /// `QcCClegislation`: countries, outside the EU, by whose law it is qualified; two letters each.
    pub legislation: Vec<String>,
    /// `QcSSCD`: the key is in a qualified device.
    pub sscd: bool,
    /// `QcPDS`: where the disclosure statements are.
    pub pds: Vec<PdsLocation>,
    /// `QcRetentionPeriod`, in years after the certificate's end.
    pub retention_years: Option<u32>,
    /// `QcLimitValue`.
    pub limit: Option<QcLimitValue>,
    /// The `SemanticsInformation` of a pkixQCSyntax statement.
    pub semantics: Option<Semantics>,
    /// The identifier of every statement, known or not.
    pub statements: ObjectIdentifiers,
}

/// The extension as a whole, with what is wrong about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct QcExtension {
    /// The statements, if their list is well-formed.
    pub statements: Option<QcStatements>,
    /// The PSD2 statement, if there is exactly one and it is well-formed.
    pub psd2: Option<Psd2Statement>,
    /// What is malformed, repeated or odd.
    pub findings: Vec<Finding>,
}

impl QcExtension {
    /// Reads the content of the extension's OCTET STRING.
    ///
    /// Trust: hostile input. It cannot fail: what is malformed is a finding, and then nothing is half read.
    pub fn from_der(der: &[u8]) -> Self {
        let mut findings = Vec::new();
        let (statements, psd2) = read(der, &mut findings);
        Self { statements, psd2, findings }
    }
}

/// Reads the statements of the extension, each by its own rules.
pub(crate) fn read(der: &[u8], findings: &mut Vec<Finding>) -> (Option<QcStatements>, Option<Psd2Statement>) {
    let mut statements = [Statement::default(); MAX_STATEMENTS];
    let used = match collect(der, &mut statements) {
        Ok(used) => used,
        Err(finding) => {
            findings.push(finding);
            return (None, None);
        }
    };
    let statements = &statements[..used];
    note_repeated(statements, findings);
    let mut read = QcStatements::default();
    for statement in statements {
        read.statements.push(statement.id);
        if let Err(finding) = read.take(statement) {
            findings.push(finding);
        }
    }
    (Some(read), read_psd2(statements, findings))
}

fn read_psd2(statements: &[Statement<'_>], findings: &mut Vec<Finding>) -> Option<Psd2Statement> {
    let mut psd2 = statements.iter().filter(|statement| statement.id == oid::PSD2_STATEMENT);
    let statement = psd2.next()?;
    let repeats = psd2.count();
    if repeats > 0 {
        let message = format!("the PSD2 statement occurs {} times, so none of them is read", repeats + 1);
        findings.push(Finding::new(FindingCode::Psd2DuplicateStatement, message));
        return None;
    }
    Psd2Statement::read(statement.info, findings)
}

impl QcStatements {
    /// Takes over what one statement says; those of other kinds are passed over.
    fn take(&mut self, statement: &Statement<'_>) -> Result<(), Finding> {
        use FindingCode as Code;
        let info = statement.info;
        match statement.id {
            oid::QC_COMPLIANCE => {
                self.compliance = true;
                bare("QcCompliance", info)?;
            }
            oid::QC_SSCD => {
                self.sscd = true;
                bare("QcSSCD", info)?;
            }
            oid::QC_TYPE => {
                let types =
                    qc_statement::types(info).map_err(Finding::malformed(Code::QcTypeMalformed, "QcType"))?;
                self.types.extend(types);
            }
            oid::QC_LEGISLATION => {
                let malformed = Finding::malformed(Code::QcLegislationMalformed, "QcCClegislation");
                self.legislation.extend(qc_statement::legislation(info).map_err(malformed)?);
            }
            oid::QC_PDS => {
                let pds =
                    qc_statement::pds(info).map_err(Finding::malformed(Code::QcPdsMalformed, "QcPDS"))?;
                self.pds.extend(pds);
            }
            oid::QC_LIMIT_VALUE => {
                let malformed = Finding::malformed(Code::QcLimitMalformed, "QcLimitValue");
                self.limit = Some(qc_statement::limit(info).map_err(malformed)?);
            }
            oid::QC_RETENTION_PERIOD => {
                let malformed = Finding::malformed(Code::QcRetentionMalformed, "QcRetentionPeriod");
                self.retention_years = Some(qc_statement::retention_years(info).map_err(malformed)?);
            }
            oid::QC_SYNTAX_V1 | oid::QC_SYNTAX_V2 if !info.is_empty() => {
                let malformed = Finding::malformed(Code::QcSemanticsMalformed, "SemanticsInformation");
                self.semantics = Some(qc_statement::semantics(info).map_err(malformed)?);
            }
            _ => {}
        }
        Ok(())
    }
}

/// A statement that is defined without information.
fn bare(name: &'static str, info: &[u8]) -> Result<(), Finding> {
    if info.is_empty() {
        return Ok(());
    }
    Err(Finding::new(FindingCode::QcUnexpectedInformation, format!("{name} carries information")))
}

/// A `QCStatement`: its identifier's content octets, and what follows the identifier, undecoded.
#[derive(Clone, Copy, Default)]
struct Statement<'a> {
    id: &'a [u8],
    info: &'a [u8],
}

/// Reads the outer shape of every statement into `statements` and returns how many there are.
fn collect<'a>(der: &'a [u8], statements: &mut [Statement<'a>; MAX_STATEMENTS]) -> Result<usize, Finding> {
    let mut list = Reader::sequence(der).map_err(|error| malformed(&error))?;
    if list.is_empty() {
        return Err(Finding::new(FindingCode::QcMalformed, "the list of QCStatements is empty"));
    }
    let mut used = 0;
    while !list.is_empty() {
        let Some(slot) = statements.get_mut(used) else {
            let message =
                format!("there are more than {MAX_STATEMENTS} QCStatements, so none of them is read");
            return Err(Finding::new(FindingCode::QcTooManyStatements, message));
        };
        *slot = read_statement(&mut list).map_err(|error| malformed(&error))?;
        used += 1;
    }
    Ok(used)
}

fn read_statement<'a>(list: &mut Reader<'a>) -> Result<Statement<'a>, DerError> {
    let mut statement = Reader::new(list.expect(SEQUENCE)?.content);
    let id = statement.expect(OBJECT_IDENTIFIER)?.content;
    oid::check(id)?;
    if statement.is_empty() {
        return Ok(Statement { id, info: &[] });
    }
    let info = statement.read()?.encoded;
    statement.finish()?;
    Ok(Statement { id, info })
}

fn note_repeated(statements: &[Statement<'_>], findings: &mut Vec<Finding>) {
    for (position, statement) in statements.iter().enumerate() {
        let occurs_before = |other: &Statement<'_>| other.id == statement.id;
        if statement.id != oid::PSD2_STATEMENT && statements[..position].iter().any(occurs_before) {
            let message = format!("statement {} occurs more than once", oid::dotted(statement.id));
            findings.push(Finding::new(FindingCode::QcDuplicateStatement, message));
        }
    }
}

fn malformed(error: &DerError) -> Finding {
    Finding::new(FindingCode::QcMalformed, format!("the QCStatements are not well-formed DER: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_der::{oid as encode_oid, printable, psd2_statement, sequence, tlv, utf8};

    const QC_COMPLIANCE: &str = "0.4.0.1862.1.1";

    fn codes(der: &[u8]) -> Vec<FindingCode> {
        let read = QcExtension::from_der(der);
        assert!(read.psd2.is_none() || !read.findings.iter().any(|found| found.code.voids_psd2()));
        read.findings.iter().map(|found| found.code).collect()
    }

    fn compliance() -> Vec<u8> {
        sequence(&[encode_oid(QC_COMPLIANCE)])
    }

    #[test]
    fn statements_of_other_kinds_are_passed_over() {
        let unknown = sequence(&[encode_oid("1.2.3.4"), tlv(0x31, b"\xff\xff")]);
        let read = QcExtension::from_der(&sequence(&[compliance(), unknown, psd2_statement()]));
        assert!(read.psd2.is_some());
        assert_eq!(read.findings, []);
    }

    #[test]
    fn two_psd2_statements_are_none() {
        let twice = sequence(&[psd2_statement(), compliance(), psd2_statement()]);
        assert_eq!(codes(&twice), [FindingCode::Psd2DuplicateStatement]);
        assert_eq!(QcExtension::from_der(&twice).psd2, None);
    }

    #[test]
    fn a_repeated_statement_of_another_kind_is_noted() {
        let read = QcExtension::from_der(&sequence(&[compliance(), psd2_statement(), compliance()]));
        assert!(read.psd2.is_some());
        assert_eq!(read.findings[0].code, FindingCode::QcDuplicateStatement);
        assert!(read.findings[0].message.contains(QC_COMPLIANCE));
    }

    #[test]
    fn an_outer_shape_that_is_not_der_reads_nothing() {
        let good = sequence(&[psd2_statement()]);
        let mut indefinite = vec![0x30, 0x80];
        indefinite.extend(psd2_statement());
        indefinite.extend([0, 0]);
        let mut padded = vec![0x30, 0x82, 0x00, u8::try_from(psd2_statement().len()).unwrap()];
        padded.extend(psd2_statement());
        let two_infos = sequence(&[encode_oid("1.2.3"), utf8("a"), utf8("b")]);
        for bad in [
            vec![],
            sequence(&[]),
            psd2_statement()[..10].to_vec(),
            [good.clone(), vec![0]].concat(),
            tlv(0x31, &good[2..]),
            tlv(0xa0, &good),
            good[..good.len() - 1].to_vec(),
            indefinite,
            padded,
            sequence(&[psd2_statement(), two_infos]),
            sequence(&[psd2_statement(), sequence(&[])]),
            sequence(&[psd2_statement(), tlv(0x30, &[0x06, 0x00])]),
            sequence(&[psd2_statement(), encode_oid(QC_COMPLIANCE)]),
        ] {
            assert_eq!(codes(&bad), [FindingCode::QcMalformed], "{bad:02x?}");
            let read = QcExtension::from_der(&bad);
            assert_eq!((read.statements, read.psd2), (None, None));
        }
    }

    #[test]
    fn every_statement_is_read() {
        let pds = sequence(&[sequence(&[tlv(0x16, b"https://pds.example/en"), printable("en")])]);
        let der = sequence(&[
            compliance(),
            sequence(&[
                encode_oid("0.4.0.1862.1.6"),
                sequence(&[encode_oid("0.4.0.1862.1.6.3"), encode_oid("1.2.3")]),
            ]),
            sequence(&[encode_oid("0.4.0.1862.1.7"), sequence(&[printable("CH")])]),
            sequence(&[encode_oid("0.4.0.1862.1.4")]),
            sequence(&[encode_oid("0.4.0.1862.1.5"), pds]),
            sequence(&[encode_oid("0.4.0.1862.1.3"), tlv(0x02, &[15])]),
            sequence(&[
                encode_oid("0.4.0.1862.1.2"),
                sequence(&[printable("EUR"), tlv(0x02, &[1]), tlv(0x02, &[4])]),
            ]),
            sequence(&[encode_oid("1.3.6.1.5.5.7.11.2"), sequence(&[encode_oid("0.4.0.194121.1.2")])]),
        ]);
        let read = QcExtension::from_der(&der);
        assert_eq!(read.findings, []);
        let expected = serde_json::json!({
            "compliance": true, "types": ["web", "1.2.3"], "legislation": ["CH"], "sscd": true,
            "pds": [{ "url": "https://pds.example/en", "language": "en" }],
            "retention_years": 15, "limit": { "currency": "EUR", "amount": 1, "exponent": 4 },
            "semantics": { "identifier": "0.4.0.194121.1.2", "name_registration_authorities": [] },
            "statements": ["0.4.0.1862.1.1", "0.4.0.1862.1.6", "0.4.0.1862.1.7", "0.4.0.1862.1.4", "0.4.0.1862.1.5",
                "0.4.0.1862.1.3", "0.4.0.1862.1.2", "1.3.6.1.5.5.7.11.2"],
        });
        assert_eq!(serde_json::to_value(read.statements).unwrap(), expected);
    }

    #[test]
    fn a_malformed_statement_leaves_its_neighbours() {
        let of = |id: &str, info: Vec<u8>| sequence(&[encode_oid(id), info]);
        for (statement, code) in [
            (of("0.4.0.1862.1.6", sequence(&[])), FindingCode::QcTypeMalformed),
            (sequence(&[encode_oid("0.4.0.1862.1.6")]), FindingCode::QcTypeMalformed),
            (of("0.4.0.1862.1.7", sequence(&[utf8("CH")])), FindingCode::QcLegislationMalformed),
            (of("0.4.0.1862.1.5", sequence(&[utf8("x")])), FindingCode::QcPdsMalformed),
            (of("0.4.0.1862.1.4", utf8("x")), FindingCode::QcUnexpectedInformation),
            (of("0.4.0.1862.1.3", tlv(0x02, &[0xff])), FindingCode::QcRetentionMalformed),
            (of("0.4.0.1862.1.2", sequence(&[])), FindingCode::QcLimitMalformed),
            (of("1.3.6.1.5.5.7.11.1", sequence(&[])), FindingCode::QcSemanticsMalformed),
        ] {
            let read = QcExtension::from_der(&sequence(&[compliance(), statement, psd2_statement()]));
            assert_eq!(read.findings.iter().map(|found| found.code).collect::<Vec<_>>(), [code]);
            assert!(read.psd2.is_some() && read.statements.is_some_and(|statements| statements.compliance));
        }
    }

    #[test]
    fn the_number_of_statements_is_bounded() {
        let filler = |count| (0..count).map(|last| sequence(&[encode_oid(&format!("1.2.{last}"))]));
        let most: Vec<_> = filler(MAX_STATEMENTS - 1).chain([psd2_statement()]).collect();
        assert!(QcExtension::from_der(&sequence(&most)).psd2.is_some());
        let over: Vec<_> = filler(MAX_STATEMENTS).chain([psd2_statement()]).collect();
        assert_eq!(codes(&sequence(&over)), [FindingCode::QcTooManyStatements]);
    }
}
