//! The QCStatements extension.

use crate::der::{DerError, OBJECT_IDENTIFIER, Reader, SEQUENCE};
use crate::finding::{Finding, FindingCode};
use crate::oid;
use crate::psd2::Psd2Statement;

/// Statements of a certificate that are read. Certificates seen have 2 to 6, and some twenty are defined; repeated
/// ones are looked for pairwise, so the number must be small. With more, none is read and a finding says so.
pub const MAX_STATEMENTS: usize = 32;

/// What the QCStatements extension says (RFC 3739 section 3.2.6), with what is wrong about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct QcStatements {
    /// The PSD2 statement, if there is exactly one and it is well-formed.
    pub psd2: Option<Psd2Statement>,
    /// What is malformed, repeated or odd.
    pub findings: Vec<Finding>,
}

impl QcStatements {
    /// Reads the content of the extension's OCTET STRING.
    ///
    /// Trust: hostile input. It cannot fail: what is malformed is a finding, and then nothing is half read.
    /// Statements other than the PSD2 statement are only checked for their outer shape.
    pub fn from_der(der: &[u8]) -> Self {
        let mut findings = Vec::new();
        let psd2 = Self::read(der, &mut findings);
        Self { psd2, findings }
    }

    pub(crate) fn read(der: &[u8], findings: &mut Vec<Finding>) -> Option<Psd2Statement> {
        let mut statements = [Statement::default(); MAX_STATEMENTS];
        let used = match collect(der, &mut statements) {
            Ok(used) => used,
            Err(finding) => {
                findings.push(finding);
                return None;
            }
        };
        let statements = &statements[..used];
        note_repeated(statements, findings);
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
}

/// A `QCStatement`: its identifier's content octets, and what follows the identifier, undecoded.
#[derive(Clone, Copy, Default)]
struct Statement<'a> {
    id: &'a [u8],
    info: &'a [u8],
}

/// Reads the outer shape of every statement into `statements` and returns how many there are.
fn collect<'a>(der: &'a [u8], statements: &mut [Statement<'a>; MAX_STATEMENTS]) -> Result<usize, Finding> {
    let mut list = sequence_of(der).map_err(|error| malformed(&error))?;
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

fn sequence_of(der: &[u8]) -> Result<Reader<'_>, DerError> {
    let mut outer = Reader::new(der);
    let list = outer.expect(SEQUENCE)?;
    outer.finish()?;
    Ok(Reader::new(list.content))
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
    use crate::test_der::{oid as encode_oid, psd2_statement, sequence, tlv, utf8};

    const QC_COMPLIANCE: &str = "0.4.0.1862.1.1";

    fn codes(der: &[u8]) -> Vec<FindingCode> {
        let statements = QcStatements::from_der(der);
        assert!(
            statements.psd2.is_none() || !statements.findings.iter().any(|found| found.code.voids_psd2())
        );
        statements.findings.iter().map(|found| found.code).collect()
    }

    fn compliance() -> Vec<u8> {
        sequence(&[encode_oid(QC_COMPLIANCE)])
    }

    #[test]
    fn statements_of_other_kinds_are_passed_over() {
        let unknown = sequence(&[encode_oid("1.2.3.4"), tlv(0x31, b"\xff\xff")]);
        let read = QcStatements::from_der(&sequence(&[compliance(), unknown, psd2_statement()]));
        assert!(read.psd2.is_some());
        assert_eq!(read.findings, []);
    }

    #[test]
    fn two_psd2_statements_are_none() {
        let twice = sequence(&[psd2_statement(), compliance(), psd2_statement()]);
        assert_eq!(codes(&twice), [FindingCode::Psd2DuplicateStatement]);
        assert_eq!(QcStatements::from_der(&twice).psd2, None);
    }

    #[test]
    fn a_repeated_statement_of_another_kind_is_noted() {
        let read = QcStatements::from_der(&sequence(&[compliance(), psd2_statement(), compliance()]));
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
            assert_eq!(QcStatements::from_der(&bad).psd2, None);
        }
    }

    #[test]
    fn the_number_of_statements_is_bounded() {
        let filler = |count| (0..count).map(|last| sequence(&[encode_oid(&format!("1.2.{last}"))]));
        let most: Vec<_> = filler(MAX_STATEMENTS - 1).chain([psd2_statement()]).collect();
        assert!(QcStatements::from_der(&sequence(&most)).psd2.is_some());
        let over: Vec<_> = filler(MAX_STATEMENTS).chain([psd2_statement()]).collect();
        assert_eq!(codes(&sequence(&over)), [FindingCode::QcTooManyStatements]);
    }
}
