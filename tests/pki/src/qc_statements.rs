//! The extension qcStatements.

use yasna::models::ObjectIdentifier;

use crate::{Psd2Statement, oid};

/// The statements of a certificate in order, each kept as the DER it will be written as. A statement can be replaced, left out,
/// doubled or given as raw bytes without touching its neighbours.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QcStatements {
    statements: Vec<Statement>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Statement {
    oid: Vec<u64>,
    der: Vec<u8>,
}

impl QcStatements {
    /// No statement yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What every QWAC says: qualified, for web site authentication, and where its disclosure statement is.
    #[must_use]
    pub fn qwac() -> Self {
        Self::new()
            .set(oid::QC_COMPLIANCE, None)
            .set(oid::QC_TYPE, Some(&qc_type(&[oid::QCT_WEB])))
            .set(oid::QC_PDS, Some(&qc_pds("https://www.example.com/pds_en.pdf", "en")))
    }

    /// Says what the PSD2 statement says, in place of an earlier one.
    #[must_use]
    pub fn psd2(self, statement: &Psd2Statement) -> Self {
        self.set(oid::PSD2_QC_STATEMENT, Some(&statement.der()))
    }

    /// Puts a statement in the place of the one with the same identifier, or else behind the others. `information` is the
    /// statementInfo as DER, well-formed or not.
    #[must_use]
    pub fn set(mut self, oid: &[u64], information: Option<&[u8]>) -> Self {
        let statement = Statement::new(oid, information);
        match self.statements.iter_mut().find(|known| known.oid == oid) {
            Some(known) => *known = statement,
            None => self.statements.push(statement),
        }
        self
    }

    /// Adds a statement behind the others, though there may be one with the same identifier.
    #[must_use]
    pub fn append(mut self, oid: &[u64], information: Option<&[u8]>) -> Self {
        self.statements.push(Statement::new(oid, information));
        self
    }

    /// Adds bytes that stand where a statement should.
    #[must_use]
    pub fn append_raw(mut self, der: &[u8]) -> Self {
        self.statements.push(Statement { oid: Vec::new(), der: der.to_vec() });
        self
    }

    /// Leaves out every statement with this identifier.
    #[must_use]
    pub fn without(mut self, oid: &[u64]) -> Self {
        self.statements.retain(|statement| statement.oid != oid);
        self
    }

    /// The value of the extension as DER.
    #[must_use]
    pub fn der(&self) -> Vec<u8> {
        yasna::construct_der(|writer| {
            writer.write_sequence(|statements| {
                for statement in &self.statements {
                    statements.next().write_der(&statement.der);
                }
            });
        })
    }
}

impl Statement {
    fn new(oid: &[u64], information: Option<&[u8]>) -> Self {
        let der = yasna::construct_der(|writer| {
            writer.write_sequence(|statement| {
                statement.next().write_oid(&ObjectIdentifier::from_slice(oid));
                if let Some(information) = information {
                    statement.next().write_der(information);
                }
            });
        });
        Self { oid: oid.to_vec(), der }
    }
}

/// The statementInfo of a `QcType` statement that names these types.
#[must_use]
pub fn qc_type(types: &[&[u64]]) -> Vec<u8> {
    yasna::construct_der(|writer| {
        writer.write_sequence(|list| {
            for qc_type in types {
                list.next().write_oid(&ObjectIdentifier::from_slice(qc_type));
            }
        });
    })
}

/// The statementInfo of a `QcPDS` statement with one location: an https URL and its ISO 639-1 language.
fn qc_pds(url: &str, language: &str) -> Vec<u8> {
    yasna::construct_der(|writer| {
        writer.write_sequence(|locations| {
            locations.next().write_sequence(|location| {
                location.next().write_ia5_string(url);
                location.next().write_printable_string(language);
            });
        });
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Role;

    const NULL: &[u8] = &[0x05, 0x00];

    #[test]
    fn compliance_carries_no_information() {
        let statements = QcStatements::new().set(oid::QC_COMPLIANCE, None);
        assert_eq!(statements.der(), b"\x30\x0a\x30\x08\x06\x06\x04\x00\x8e\x46\x01\x01");
    }

    #[test]
    fn setting_replaces_in_place_and_appending_doubles() {
        let once = QcStatements::qwac().psd2(&Psd2Statement::new([Role::PspAi]));
        assert_eq!(once.clone().psd2(&Psd2Statement::new([Role::PspAi])), once);
        let replaced = once.clone().set(oid::QC_COMPLIANCE, Some(NULL));
        assert_eq!(replaced.statements.len(), once.statements.len());
        assert_eq!(replaced.statements[0].der[10..], *NULL);
        let doubled = once.clone().append(oid::QC_COMPLIANCE, None);
        assert_eq!(doubled.statements.len(), once.statements.len() + 1);
        assert_eq!(doubled.statements[0], *doubled.statements.last().expect("there are five"));
    }

    #[test]
    fn one_statement_leaves_without_its_neighbours() {
        let statements = QcStatements::qwac().without(oid::QC_TYPE);
        let left = statements.statements.iter().map(|statement| statement.oid.as_slice());
        assert_eq!(left.collect::<Vec<_>>(), [oid::QC_COMPLIANCE, oid::QC_PDS]);
    }

    #[test]
    fn raw_bytes_stand_as_they_are() {
        assert_eq!(QcStatements::new().append_raw(b"\xff\xff").der(), b"\x30\x02\xff\xff");
    }
}
