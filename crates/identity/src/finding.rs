//! What is malformed or ambiguous in a certificate that could be read.

use std::borrow::Cow;
use std::fmt;

use crate::der::DerError;

/// What a finding is about. The string forms are public interface: refusals, logs and configurations name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FindingCode {
    /// The certificate is not of version 3.
    Version,
    /// The serial number is not a positive integer of at most twenty octets.
    SerialNumber,
    /// The algorithm that is signed is not the one beside the signature.
    AlgorithmMismatch,
    /// An extension other than qcStatements occurs twice.
    DuplicateExtension,
    /// A subject attribute that names the holder occurs twice, so it names nobody.
    DuplicateAttribute,
    /// A subject attribute is not a character string that could be read.
    UnreadableAttribute,
    /// A subject attribute has an outdated string type, or its country is no `PrintableString`.
    AttributeStringType,
    /// The public key is not well-formed.
    KeyMalformed,
    /// keyUsage is not well-formed.
    KeyUsageMalformed,
    /// extKeyUsage is not well-formed.
    ExtendedKeyUsageMalformed,
    /// basicConstraints is not well-formed.
    BasicConstraintsMalformed,
    /// certificatePolicies is not well-formed.
    PoliciesMalformed,
    /// A certificate policy is named twice.
    PoliciesDuplicate,
    /// subjectAltName is not well-formed.
    AltNameMalformed,
    /// authorityInfoAccess is not well-formed.
    AuthorityInformationMalformed,
    /// cRLDistributionPoints is not well-formed.
    CrlDistributionPointsMalformed,
    /// The qcStatements extension occurs twice; none of them is read.
    QcDuplicateExtension,
    /// The qcStatements extension is marked critical.
    QcCritical,
    /// The QCStatements are not well-formed; no statement is read.
    QcMalformed,
    /// There are more QCStatements than are read; no statement is read.
    QcTooManyStatements,
    /// A statement other than the PSD2 statement occurs twice; each is read where they can be put together.
    QcDuplicateStatement,
    /// `QcCompliance` or `QcSSCD` carries information, which it is defined without.
    QcUnexpectedInformation,
    /// QcType is not well-formed; no type is read.
    QcTypeMalformed,
    /// `QcPDS` is not well-formed; no location is read.
    QcPdsMalformed,
    /// `QcCClegislation` is not well-formed; no country is read.
    QcLegislationMalformed,
    /// `QcLimitValue` is not well-formed; no limit is read.
    QcLimitMalformed,
    /// `QcRetentionPeriod` is not well-formed; no period is read.
    QcRetentionMalformed,
    /// The `SemanticsInformation` of a syntax statement is not well-formed; none is read.
    QcSemanticsMalformed,
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
    /// Every code in the order of declaration, which is that of their discriminants.
    pub const ALL: [Self; 38] = [
        Self::Version,
        Self::SerialNumber,
        Self::AlgorithmMismatch,
        Self::DuplicateExtension,
        Self::DuplicateAttribute,
        Self::UnreadableAttribute,
        Self::AttributeStringType,
        Self::KeyMalformed,
        Self::KeyUsageMalformed,
        Self::ExtendedKeyUsageMalformed,
        Self::BasicConstraintsMalformed,
        Self::PoliciesMalformed,
        Self::PoliciesDuplicate,
        Self::AltNameMalformed,
        Self::AuthorityInformationMalformed,
        Self::CrlDistributionPointsMalformed,
        Self::QcDuplicateExtension,
        Self::QcCritical,
        Self::QcMalformed,
        Self::QcTooManyStatements,
        Self::QcDuplicateStatement,
        Self::QcUnexpectedInformation,
        Self::QcTypeMalformed,
        Self::QcPdsMalformed,
        Self::QcLegislationMalformed,
        Self::QcLimitMalformed,
        Self::QcRetentionMalformed,
        Self::QcSemanticsMalformed,
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
            Self::Version => "certificate.version",
            Self::SerialNumber => "certificate.serial-number",
            Self::AlgorithmMismatch => "certificate.algorithm-mismatch",
            Self::DuplicateExtension => "certificate.duplicate-extension",
            Self::DuplicateAttribute => "subject.duplicate-attribute",
            Self::UnreadableAttribute => "subject.unreadable-attribute",
            Self::AttributeStringType => "subject.string-type",
            Self::KeyMalformed => "key.malformed",
            Self::KeyUsageMalformed => "key-usage.malformed",
            Self::ExtendedKeyUsageMalformed => "eku.malformed",
            Self::BasicConstraintsMalformed => "basic-constraints.malformed",
            Self::PoliciesMalformed => "policies.malformed",
            Self::PoliciesDuplicate => "policies.duplicate",
            Self::AltNameMalformed => "subject-alt-name.malformed",
            Self::AuthorityInformationMalformed => "aia.malformed",
            Self::CrlDistributionPointsMalformed => "crl-distribution-points.malformed",
            Self::QcDuplicateExtension => "qc.duplicate-extension",
            Self::QcCritical => "qc.critical",
            Self::QcMalformed => "qc.malformed",
            Self::QcTooManyStatements => "qc.too-many-statements",
            Self::QcDuplicateStatement => "qc.duplicate-statement",
            Self::QcUnexpectedInformation => "qc.unexpected-information",
            Self::QcTypeMalformed => "qc.type-malformed",
            Self::QcPdsMalformed => "qc.pds-malformed",
            Self::QcLegislationMalformed => "qc.legislation-malformed",
            Self::QcLimitMalformed => "qc.limit-malformed",
            Self::QcRetentionMalformed => "qc.retention-malformed",
            Self::QcSemanticsMalformed => "qc.semantics-malformed",
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
            Self::Version => Some("RFC 5280 4.1.2.1"),
            Self::SerialNumber => Some("RFC 5280 4.1.2.2"),
            Self::AlgorithmMismatch => Some("RFC 5280 4.1.1.2"),
            Self::DuplicateExtension | Self::QcDuplicateExtension => Some("RFC 5280 4.2"),
            Self::DuplicateAttribute
            | Self::QcTooManyStatements
            | Self::QcDuplicateStatement
            | Self::Psd2TooManyRoles => None,
            Self::UnreadableAttribute | Self::AttributeStringType => Some("RFC 5280 4.1.2.4"),
            Self::KeyMalformed => Some("RFC 5280 4.1.2.7"),
            Self::KeyUsageMalformed => Some("RFC 5280 4.2.1.3"),
            Self::ExtendedKeyUsageMalformed => Some("RFC 5280 4.2.1.12"),
            Self::BasicConstraintsMalformed => Some("RFC 5280 4.2.1.9"),
            Self::PoliciesMalformed | Self::PoliciesDuplicate => Some("RFC 5280 4.2.1.4"),
            Self::AltNameMalformed => Some("RFC 5280 4.2.1.6"),
            Self::AuthorityInformationMalformed => Some("RFC 5280 4.2.2.1"),
            Self::CrlDistributionPointsMalformed => Some("RFC 5280 4.2.1.13"),
            Self::QcCritical => Some("EN 319 412-5 QCS-4.1-02"),
            Self::QcMalformed | Self::QcSemanticsMalformed => Some("RFC 3739 3.2.6"),
            Self::QcUnexpectedInformation => Some("EN 319 412-5 4.2"),
            Self::QcTypeMalformed => Some("EN 319 412-5 4.2.3"),
            Self::QcPdsMalformed => Some("EN 319 412-5 4.3.4"),
            Self::QcLegislationMalformed => Some("EN 319 412-5 4.2.4"),
            Self::QcLimitMalformed => Some("EN 319 412-5 4.3.2"),
            Self::QcRetentionMalformed => Some("EN 319 412-5 4.3.3"),
            Self::Psd2DuplicateStatement
            | Self::Psd2Malformed
            | Self::Psd2FlattenedRoles
            | Self::Psd2StringType
            | Self::Psd2StringLength
            | Self::Psd2StrayTag
            | Self::Psd2TrailingBytes => Some("TS 119 495 Annex A"),
            Self::Psd2NoRoles => Some("TS 119 495 GEN-5.2.2-1"),
            Self::Psd2RoleNameMismatch => Some("TS 119 495 GEN-5.2.2-5"),
        }
    }

    /// What a certificate without such a finding is like.
    pub const fn asks(self) -> &'static str {
        match self {
            Self::Version => "The certificate is of version 3.",
            Self::SerialNumber => "The serial number is a positive integer of at most 20 octets.",
            Self::AlgorithmMismatch => "The signature algorithm is the same in both places.",
            Self::DuplicateExtension => "Each extension occurs once.",
            Self::DuplicateAttribute => {
                "commonName, organizationName, country and organizationIdentifier occur once in the subject; of repeated ones none is taken."
            }
            Self::UnreadableAttribute => "These attributes are character strings that can be read.",
            Self::AttributeStringType => {
                "They are UTF8String or PrintableString, the country PrintableString."
            }
            Self::KeyMalformed => "The public key is well-formed.",
            Self::KeyUsageMalformed => "keyUsage is well-formed.",
            Self::ExtendedKeyUsageMalformed => "extKeyUsage is well-formed, with at most 32 entries.",
            Self::BasicConstraintsMalformed => "basicConstraints is well-formed.",
            Self::PoliciesMalformed => "certificatePolicies is well-formed, with at most 32 entries.",
            Self::PoliciesDuplicate => "Each policy is named once.",
            Self::AltNameMalformed => "subjectAltName is well-formed, with at most 256 names.",
            Self::AuthorityInformationMalformed => "authorityInfoAccess is well-formed.",
            Self::CrlDistributionPointsMalformed => "cRLDistributionPoints is well-formed.",
            Self::QcDuplicateExtension => "qcStatements occurs once; of repeated ones none is read.",
            Self::QcCritical => "qcStatements is not critical.",
            Self::QcMalformed => "qcStatements is strict DER, not empty, with nothing behind it.",
            Self::QcTooManyStatements => "qcStatements has at most 32 statements.",
            Self::QcDuplicateStatement => "Each statement occurs once.",
            Self::QcUnexpectedInformation => "QcCompliance and QcSSCD carry no information.",
            Self::QcTypeMalformed => "QcType is a list of object identifiers.",
            Self::QcPdsMalformed => "QcPDS is a list of URL and language.",
            Self::QcLegislationMalformed => "QcCClegislation is a list of two-letter countries.",
            Self::QcLimitMalformed => "QcLimitValue is a currency, an amount and an exponent.",
            Self::QcRetentionMalformed => "QcRetentionPeriod is a number of years, not negative.",
            Self::QcSemanticsMalformed => {
                "SemanticsInformation has an identifier or name registration authorities."
            }
            Self::Psd2DuplicateStatement => "The PSD2 statement occurs once; of repeated ones none is read.",
            Self::Psd2Malformed => "The PSD2 statement is strict DER of the structure in Annex A.",
            Self::Psd2FlattenedRoles => "Each role is a SEQUENCE of its own.",
            Self::Psd2StringType => "Names and NCAId are UTF8String.",
            Self::Psd2StringLength => "They have 1 to 256 characters.",
            Self::Psd2StrayTag => "No context-specific tag stands in it.",
            Self::Psd2TrailingBytes => "Nothing follows the last field.",
            Self::Psd2NoRoles => "The list of roles is not empty.",
            Self::Psd2TooManyRoles => "It has at most 16 entries.",
            Self::Psd2RoleNameMismatch => "A role's name belongs to its identifier; the identifier counts.",
        }
    }

    /// What the holder of the certificate can do about it.
    pub const fn hint(self) -> &'static str {
        match self {
            Self::Version => "Ask the issuer for a certificate of version 3.",
            Self::SerialNumber => {
                "Ask the issuer for a certificate whose serial number is a positive integer of at most 20 octets."
            }
            Self::AlgorithmMismatch => "Ask the issuer for a certificate that names one signature algorithm.",
            Self::DuplicateExtension => "Ask the issuer for a certificate that has each extension once.",
            Self::DuplicateAttribute => {
                "Ask the issuer for a certificate whose subject has this attribute once."
            }
            Self::UnreadableAttribute => {
                "Ask the issuer for a certificate whose subject attributes are UTF8String or PrintableString."
            }
            Self::AttributeStringType => {
                "Ask the issuer for a certificate whose subject attributes are UTF8String or PrintableString, and whose country is a PrintableString."
            }
            Self::KeyMalformed => "Ask the issuer for a certificate for a well-formed key.",
            Self::KeyUsageMalformed => {
                "Ask the issuer for a certificate whose keyUsage is a DER bit string with at least one bit set."
            }
            Self::ExtendedKeyUsageMalformed => {
                "Ask the issuer for a certificate whose extKeyUsage is a list of object identifiers."
            }
            Self::BasicConstraintsMalformed => {
                "Ask the issuer for a certificate with well-formed basicConstraints."
            }
            Self::PoliciesMalformed => {
                "Ask the issuer for a certificate with well-formed certificatePolicies."
            }
            Self::PoliciesDuplicate => "Ask the issuer for a certificate that names each policy once.",
            Self::AltNameMalformed => "Ask the issuer for a certificate with a well-formed subjectAltName.",
            Self::AuthorityInformationMalformed => {
                "Ask the issuer for a certificate with a well-formed authorityInfoAccess."
            }
            Self::CrlDistributionPointsMalformed => {
                "Ask the issuer for a certificate with well-formed cRLDistributionPoints."
            }
            Self::QcDuplicateExtension => "Ask the issuer for a certificate with one qcStatements extension.",
            Self::QcCritical => {
                "Ask the issuer for a certificate whose qcStatements are not critical; many programs refuse those that are."
            }
            Self::QcMalformed => "Ask the issuer for a certificate whose qcStatements are well-formed DER.",
            Self::QcTooManyStatements => "Ask the issuer for a certificate with fewer statements.",
            Self::QcDuplicateStatement => "Ask the issuer for a certificate with each statement once.",
            Self::QcUnexpectedInformation => {
                "Ask the issuer for a certificate whose QcCompliance and QcSSCD are bare identifiers."
            }
            Self::QcTypeMalformed => {
                "Ask the issuer for a certificate whose QcType is a SEQUENCE OF object identifiers."
            }
            Self::QcPdsMalformed => {
                "Ask the issuer for a certificate whose QcPDS is a SEQUENCE OF SEQUENCE of an IA5String URL and a PrintableString language."
            }
            Self::QcLegislationMalformed => {
                "Ask the issuer for a certificate whose QcCClegislation is a SEQUENCE OF PrintableString of two letters, or without it for one qualified under EU law."
            }
            Self::QcLimitMalformed => "Ask the issuer for a certificate whose QcLimitValue is well-formed.",
            Self::QcRetentionMalformed => {
                "Ask the issuer for a certificate whose QcRetentionPeriod is a number of years."
            }
            Self::QcSemanticsMalformed => {
                "Ask the issuer for a certificate whose SemanticsInformation has an identifier or the name registration authorities."
            }
            Self::Psd2DuplicateStatement => "Ask the issuer for a certificate with one PSD2 statement.",
            Self::Psd2Malformed => {
                "Ask the issuer for a certificate whose PSD2 statement is SEQUENCE { SEQUENCE OF SEQUENCE { role, name }, nCAName, nCAId }."
            }
            Self::Psd2FlattenedRoles => {
                "Ask the issuer for a certificate in which each role is a SEQUENCE of its own; side by side is the nesting of an early profile."
            }
            Self::Psd2StringType => {
                "Ask the issuer for a certificate whose PSD2 statement has UTF8String for names and NCAId."
            }
            Self::Psd2StringLength => {
                "Ask the issuer for a certificate whose PSD2 statement has strings of 1 to 256 characters."
            }
            Self::Psd2StrayTag => {
                "Ask the issuer for a certificate whose PSD2 statement has no explicit tags."
            }
            Self::Psd2TrailingBytes => {
                "Ask the issuer for a certificate whose PSD2 statement ends with nCAId."
            }
            Self::Psd2NoRoles => "Ask the issuer for a certificate that names at least one role.",
            Self::Psd2TooManyRoles => "Ask the issuer for a certificate that names each role once.",
            Self::Psd2RoleNameMismatch => {
                "The identifier counts here; ask the issuer to name roles as TS 119 495 does at the next renewal."
            }
        }
    }

    /// Whether such a finding means that a PSD2 statement was there, or may have been, and was not read: the
    /// difference between a certificate without PSD2 roles and one whose roles are illegible.
    pub const fn voids_psd2(self) -> bool {
        self.voids_qc_statements()
            || matches!(
                self,
                Self::Psd2DuplicateStatement
                    | Self::Psd2Malformed
                    | Self::Psd2FlattenedRoles
                    | Self::Psd2StringType
                    | Self::Psd2StringLength
                    | Self::Psd2StrayTag
                    | Self::Psd2TrailingBytes
                    | Self::Psd2NoRoles
                    | Self::Psd2TooManyRoles
            )
    }

    /// Whether such a finding means that qcStatements were there and none of them was read.
    pub const fn voids_qc_statements(self) -> bool {
        matches!(self, Self::QcDuplicateExtension | Self::QcMalformed | Self::QcTooManyStatements)
    }
}

impl fmt::Display for FindingCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One thing that is malformed or ambiguous, with its evidence. How grave it is, policy says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// What it is about.
    pub code: FindingCode,
    /// One sentence with the evidence: expected against found. Text from the certificate is not quoted in it.
    pub message: Cow<'static, str>,
}

impl Finding {
    pub(crate) fn new(code: FindingCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into() }
    }

    /// For `map_err`: a `field` that is not well-formed.
    pub(crate) fn malformed(code: FindingCode, field: &'static str) -> impl Fn(DerError) -> Self {
        move |error| Self::new(code, format!("{field} is not well-formed DER: {error}"))
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
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
    fn codes_stand_at_their_discriminants() {
        for (position, code) in FindingCode::ALL.into_iter().enumerate() {
            assert_eq!(code as usize, position, "{code}");
        }
    }
}
