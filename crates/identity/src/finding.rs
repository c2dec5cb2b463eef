//! What is wrong or odd about a certificate that could be read.

use std::fmt;

use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

/// What a finding is about. The string forms are public interface: refusals, logs and configurations name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FindingCode {
    /// An extension other than qcStatements occurs twice.
    DuplicateExtension,
    /// A subject attribute that names the holder occurs twice, so it names nobody.
    DuplicateAttribute,
    /// A subject attribute is not a character string that could be read.
    UnreadableAttribute,
    /// The qcStatements extension occurs twice; none of them is read.
    QcDuplicateExtension,
    /// The qcStatements extension is marked critical.
    QcCritical,
    /// The QCStatements are not well-formed; no statement is read.
    QcMalformed,
    /// There are more QCStatements than are read; no statement is read.
    QcTooManyStatements,
    /// A statement other than the PSD2 statement occurs twice.
    QcDuplicateStatement,
    /// The PSD2 statement occurs twice; none of them is read.
    Psd2DuplicateStatement,
    /// The PSD2 statement is not well-formed in a way that has no code of its own.
    Psd2Malformed,
    /// The roles stand side by side where each should be a SEQUENCE within a SEQUENCE OF.
    Psd2FlattenedRoles,
    /// A string has another type than `UTF8String`.
    Psd2StringType,
    /// A string is empty or longer than 256 characters.
    Psd2StringLength,
    /// A context-specific tag stands where the structure has none.
    Psd2StrayTag,
    /// Elements or bytes follow the end of a structure.
    Psd2TrailingBytes,
    /// The list of roles is empty.
    Psd2NoRoles,
    /// The list of roles is longer than is read.
    Psd2TooManyRoles,
    /// A role's name is not the one that belongs to its identifier. The identifier counts.
    Psd2RoleNameMismatch,
}

impl FindingCode {
    /// Every code, for tables and for checking names in a configuration.
    pub const ALL: [Self; 18] = [
        Self::DuplicateExtension,
        Self::DuplicateAttribute,
        Self::UnreadableAttribute,
        Self::QcDuplicateExtension,
        Self::QcCritical,
        Self::QcMalformed,
        Self::QcTooManyStatements,
        Self::QcDuplicateStatement,
        Self::Psd2DuplicateStatement,
        Self::Psd2Malformed,
        Self::Psd2FlattenedRoles,
        Self::Psd2StringType,
        Self::Psd2StringLength,
        Self::Psd2StrayTag,
        Self::Psd2TrailingBytes,
        Self::Psd2NoRoles,
        Self::Psd2TooManyRoles,
        Self::Psd2RoleNameMismatch,
    ];

    /// The stable code, such as `psd2.malformed`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DuplicateExtension => "certificate.duplicate-extension",
            Self::DuplicateAttribute => "subject.duplicate-attribute",
            Self::UnreadableAttribute => "subject.unreadable-attribute",
            Self::QcDuplicateExtension => "qc.duplicate-extension",
            Self::QcCritical => "qc.critical",
            Self::QcMalformed => "qc.malformed",
            Self::QcTooManyStatements => "qc.too-many-statements",
            Self::QcDuplicateStatement => "qc.duplicate-statement",
            Self::Psd2DuplicateStatement => "psd2.duplicate-statement",
            Self::Psd2Malformed => "psd2.malformed",
            Self::Psd2FlattenedRoles => "psd2.flattened-roles",
            Self::Psd2StringType => "psd2.string-type",
            Self::Psd2StringLength => "psd2.string-length",
            Self::Psd2StrayTag => "psd2.stray-tag",
            Self::Psd2TrailingBytes => "psd2.trailing-bytes",
            Self::Psd2NoRoles => "psd2.no-roles",
            Self::Psd2TooManyRoles => "psd2.too-many-roles",
            Self::Psd2RoleNameMismatch => "psd2.role-name-mismatch",
        }
    }

    /// The clause that the certificate departs from, where one exists.
    pub const fn clause(self) -> Option<&'static str> {
        match self {
            Self::DuplicateExtension | Self::QcDuplicateExtension => Some("RFC 5280 4.2"),
            Self::UnreadableAttribute => Some("RFC 5280 4.1.2.4"),
            Self::QcCritical => Some("EN 319 412-5 QCS-4.1-02"),
            Self::QcMalformed => Some("RFC 3739 3.2.6"),
            Self::Psd2NoRoles => Some("TS 119 495 GEN-5.2.2-1"),
            Self::Psd2RoleNameMismatch => Some("TS 119 495 GEN-5.2.2-5"),
            Self::Psd2DuplicateStatement
            | Self::Psd2Malformed
            | Self::Psd2FlattenedRoles
            | Self::Psd2StringType
            | Self::Psd2StringLength
            | Self::Psd2StrayTag
            | Self::Psd2TrailingBytes => Some("TS 119 495 Annex A"),
            Self::DuplicateAttribute
            | Self::QcTooManyStatements
            | Self::QcDuplicateStatement
            | Self::Psd2TooManyRoles => None,
        }
    }

    /// Whether such a finding means that a PSD2 statement was there, or may have been, and was not read: the
    /// difference between a certificate without PSD2 roles and one whose roles are illegible.
    pub const fn voids_psd2(self) -> bool {
        !matches!(
            self,
            Self::DuplicateExtension
                | Self::DuplicateAttribute
                | Self::UnreadableAttribute
                | Self::QcCritical
                | Self::QcDuplicateStatement
                | Self::Psd2RoleNameMismatch
        )
    }
}

impl fmt::Display for FindingCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One thing that is wrong or odd, with its evidence. How grave it is, policy says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// What it is about.
    pub code: FindingCode,
    /// One sentence with the evidence: expected against found. Text from the certificate is not quoted in it.
    pub message: String,
}

impl Finding {
    pub(crate) fn new(code: FindingCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl Serialize for Finding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Finding", 3)?;
        object.serialize_field("code", self.code.as_str())?;
        object.serialize_field("clause", &self.code.clause())?;
        object.serialize_field("message", &self.message)?;
        object.end()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn codes_differ() {
        let codes: HashSet<_> = FindingCode::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(codes.len(), FindingCode::ALL.len());
    }

    #[test]
    fn a_finding_without_clause_says_null() {
        let finding = Finding::new(FindingCode::QcDuplicateStatement, "twice");
        let json = serde_json::to_value(&finding).unwrap();
        assert_eq!(
            json,
            serde_json::json!({ "code": "qc.duplicate-statement", "clause": null, "message": "twice" })
        );
    }
}
