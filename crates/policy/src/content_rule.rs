//! The rules about what a certificate says: the table of codes, clauses, severities and words.
//!
//! One table, so that a rule is read, changed or added in one place; that is why the file is long.

use crate::severity::Severity::{self, Deny, Note, Warn};

/// A rule about the content of a certificate. Each variant says what the rule asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ContentRule {
    /// The certificate is not a CA's.
    CertificateAuthority,
    /// The certificate has not expired.
    Expired,
    /// The certificate's validity has begun.
    NotYetValid,
    /// No extension is critical that is not processed here.
    CriticalExtension,
    /// The key is RSA of 2048 bits or more, or on P-256 or a larger curve.
    KeyWeak,
    /// The key is of a kind that TLS uses here: RSA, EC P-256, P-384 or P-521, or Ed25519.
    KeyUnsupported,
    /// The issuer did not sign with SHA-1 or MD5.
    SignatureWeak,
    /// keyUsage is present.
    KeyUsageMissing,
    /// keyUsage has digitalSignature.
    KeyUsageSignature,
    /// keyUsage of a certificate that is no CA's lacks keyCertSign.
    KeyUsageCertSign,
    /// keyUsage of a key on a curve lacks keyEncipherment and dataEncipherment.
    KeyUsageKeyType,
    /// extKeyUsage is present.
    ExtendedKeyUsageMissing,
    /// The certificate is not a 2-QWAC, whose only use is tlsBinding.
    TlsBinding,
    /// extKeyUsage has clientAuth, or as the operator chose serverAuth.
    ExtendedKeyUsageUnusable,
    /// extKeyUsage has serverAuth, as a certificate for web sites.
    ServerAuthMissing,
    /// subjectAltName is present.
    AltNameMissing,
    /// authorityInfoAccess tells where the issuer's certificate is.
    CaIssuersMissing,
    /// The certificate names an OCSP responder or a CRL over http, or says that it has none.
    RevocationSourceMissing,
    /// The certificate is not revoked.
    Revoked,
    /// It is known whether the certificate is revoked.
    RevocationUnknown,
    /// qcStatements are present.
    QcMissing,
    /// `QcCompliance` is present: the issuer claims that the certificate is qualified.
    QcNotQualified,
    /// `QcCClegislation` is absent: the certificate is qualified under EU law.
    QcLegislation,
    /// QcType is present.
    QcTypeMissing,
    /// The certificate on a connection is not a `QSealC`.
    QcTypeSeal,
    /// The certificate is not one for electronic signatures.
    QcTypeSignature,
    /// The certificate on a message is not a QWAC.
    QcTypeWeb,
    /// QcType names one type.
    QcTypeSeveral,
    /// QcType is esign, eseal or web.
    QcTypeUnknown,
    /// `QcPDS` is present.
    QcPdsMissing,
    /// The disclosure statements are at https URLs.
    QcPdsScheme,
    /// The languages of the disclosure statements are of ISO 639-1, in lower case.
    QcPdsLanguage,
    /// A disclosure statement is in English.
    QcPdsEnglish,
    /// `QcSSCD` is absent from certificates for web sites.
    QcSscd,
    /// pkixQCSyntax-v1 is absent; v2 replaced it.
    QcSyntaxV1,
    /// The semantics identifier is not that of natural persons.
    QcSemantics,
    /// The PSD2 statement is present.
    Psd2Missing,
    /// The PSD2 statement names one of the four roles `PSP_AS`, `PSP_PI`, `PSP_AI` and `PSP_IC`.
    Psd2NoRole,
    /// Unspecified stands alone.
    RoleUnspecified,
    /// Each role is named once.
    RoleRepeated,
    /// The roles are of PSD2, not of another law (`PSP_CB`, `PSP_PA`, VOP).
    RoleOther,
    /// The roles are those of TS 119 495.
    RoleUnknown,
    /// nCAName is in plain Latin letters.
    NcaName,
    /// nCAId is two capital letters, a hyphen and two to eight capital letters; NA only beside `PSP_CB` and `PSP_PA`.
    NcaIdSyntax,
    /// nCAId begins with a country of ISO 3166-1.
    NcaIdCountry,
    /// The authority is in the list of the EBA, or is the United Kingdom's.
    NcaUnknown,
    /// The authority is spelt as in the list of the EBA.
    NcaAlias,
    /// nCAId and the organizationIdentifier name the same authority.
    NcaMismatch,
    /// The subject has an organizationIdentifier.
    OrganizationIdentifierMissing,
    /// The organizationIdentifier is well-formed.
    OrganizationIdentifierMalformed,
    /// The organizationIdentifier's number has no invisible character, and no space at its ends or beside another.
    OrganizationIdentifierInvisible,
    /// The organizationIdentifier's country is of ISO 3166-1, or XG for an LEI.
    OrganizationIdentifierCountry,
    /// The organizationIdentifier's country is spelt as in ISO 3166-1.
    CountryAlias,
    /// The check digits of an LEI hold.
    LeiChecksum,
    /// A national scheme comes with the URI of its registration authority.
    NationalAuthority,
    /// Until V1.4.1, that is if issued before April 2021, the organizationIdentifier is a PSD authorisation number.
    NotPsdShall,
    /// From V1.5.1, that is if issued from April 2021, the organizationIdentifier should be a PSD authorisation number.
    NotPsdShould,
    /// The organizationIdentifier is not the organizationName.
    OrganizationIdentifierIsName,
    /// The subject has a country.
    CountryMissing,
    /// The subject's country is of ISO 3166-1.
    CountryUnassigned,
    /// The subject has an organizationName.
    OrganizationMissing,
    /// The subject has a commonName.
    CommonNameMissing,
    /// certificatePolicies are present.
    PoliciesMissing,
    /// A policy for the purpose is named: QCP-w, QNCP-w or QNCP-w-gen for a connection, QCP-l or QCP-l-qscd for a seal.
    PolicyNotQualified,
    /// The authority's register is known.
    RegisterUnknown,
    /// The authority's register has the holder.
    RegisterNotFound,
    /// The authority has not withdrawn the authorisation.
    RegisterWithdrawn,
    /// The authority's register has a role of the certificate.
    RegisterNoRole,
    /// The authority's register has every role of the certificate.
    RegisterRole,
    /// The holder has a passport for the country, in one role at least.
    PassportMissing,
    /// The holder has a passport for the country, in every role that it is authorised for.
    PassportRole,
    /// The certificate has what keys are made from here.
    EnrolmentIdentity,
    /// The holder has a key, where only those with one pass.
    EnrolmentClosed,
    /// There is room for the holder's key.
    EnrolmentFull,
    /// An operator has approved the holder's key.
    EnrolmentPending,
    /// The holder's key is not suspended.
    EnrolmentSuspended,
}

/// What is known of a rule.
pub(crate) struct Row {
    /// The stable code.
    pub(crate) code: &'static str,
    /// The clause that asks for it.
    pub(crate) clause: Option<&'static str>,
    /// How grave it is to break it by default under `psd2`, `obie` and `x509`.
    pub(crate) severities: [Severity; 3],
    /// What the rule asks for.
    pub(crate) rule: &'static str,
    /// Why it is as grave as it is.
    pub(crate) reason: &'static str,
    /// What the holder of the certificate can do.
    pub(crate) hint: &'static str,
}

impl ContentRule {
    /// Every rule in order of declaration.
    pub const ALL: [Self; 76] = [
        Self::CertificateAuthority,
        Self::Expired,
        Self::NotYetValid,
        Self::CriticalExtension,
        Self::KeyWeak,
        Self::KeyUnsupported,
        Self::SignatureWeak,
        Self::KeyUsageMissing,
        Self::KeyUsageSignature,
        Self::KeyUsageCertSign,
        Self::KeyUsageKeyType,
        Self::ExtendedKeyUsageMissing,
        Self::TlsBinding,
        Self::ExtendedKeyUsageUnusable,
        Self::ServerAuthMissing,
        Self::AltNameMissing,
        Self::CaIssuersMissing,
        Self::RevocationSourceMissing,
        Self::Revoked,
        Self::RevocationUnknown,
        Self::QcMissing,
        Self::QcNotQualified,
        Self::QcLegislation,
        Self::QcTypeMissing,
        Self::QcTypeSeal,
        Self::QcTypeSignature,
        Self::QcTypeWeb,
        Self::QcTypeSeveral,
        Self::QcTypeUnknown,
        Self::QcPdsMissing,
        Self::QcPdsScheme,
        Self::QcPdsLanguage,
        Self::QcPdsEnglish,
        Self::QcSscd,
        Self::QcSyntaxV1,
        Self::QcSemantics,
        Self::Psd2Missing,
        Self::Psd2NoRole,
        Self::RoleUnspecified,
        Self::RoleRepeated,
        Self::RoleOther,
        Self::RoleUnknown,
        Self::NcaName,
        Self::NcaIdSyntax,
        Self::NcaIdCountry,
        Self::NcaUnknown,
        Self::NcaAlias,
        Self::NcaMismatch,
        Self::OrganizationIdentifierMissing,
        Self::OrganizationIdentifierMalformed,
        Self::OrganizationIdentifierInvisible,
        Self::OrganizationIdentifierCountry,
        Self::CountryAlias,
        Self::LeiChecksum,
        Self::NationalAuthority,
        Self::NotPsdShall,
        Self::NotPsdShould,
        Self::OrganizationIdentifierIsName,
        Self::CountryMissing,
        Self::CountryUnassigned,
        Self::OrganizationMissing,
        Self::CommonNameMissing,
        Self::PoliciesMissing,
        Self::PolicyNotQualified,
        Self::RegisterUnknown,
        Self::RegisterNotFound,
        Self::RegisterWithdrawn,
        Self::RegisterNoRole,
        Self::RegisterRole,
        Self::PassportMissing,
        Self::PassportRole,
        Self::EnrolmentIdentity,
        Self::EnrolmentClosed,
        Self::EnrolmentFull,
        Self::EnrolmentPending,
        Self::EnrolmentSuspended,
    ];

    pub(crate) const fn row(self) -> Row {
        match self {
            Self::CertificateAuthority => Row {
                code: "certificate.authority",
                clause: Some("RFC 5280 4.2.1.9"),
                severities: [Deny, Deny, Deny],
                rule: "The certificate is not a CA's.",
                reason: "A CA's key signs certificates and does not belong on a connection.",
                hint: "Use the certificate that the CA issued to you.",
            },
            Self::Expired => Row {
                code: "validity.expired",
                clause: Some("RFC 5280 4.1.2.5"),
                severities: [Deny, Deny, Deny],
                rule: "The certificate has not expired.",
                reason: "An expired certificate is not watched over by its issuer any more.",
                hint: "Renew the certificate.",
            },
            Self::NotYetValid => Row {
                code: "validity.not-yet-valid",
                clause: Some("RFC 5280 4.1.2.5"),
                severities: [Deny, Deny, Deny],
                rule: "The certificate's validity has begun.",
                reason: "Its issuer does not vouch for it yet.",
                hint: "Use the certificate from its notBefore on, or check the clock of this machine.",
            },
            Self::CriticalExtension => Row {
                code: "extension.critical-unprocessed",
                clause: Some("RFC 5280 4.2"),
                severities: [Deny, Deny, Deny],
                rule: "No extension is critical that is not processed here.",
                reason: "Who marks an extension critical asks those who do not process it to refuse.",
                hint: "Ask the issuer for a certificate without the critical mark on this extension.",
            },
            Self::KeyWeak => Row {
                code: "key.weak",
                clause: Some("TS 119 312"),
                severities: [Deny, Deny, Deny],
                rule: "The key is RSA of 2048 bits or more, or on P-256 or a larger curve.",
                reason: "A weak key can be found by others.",
                hint: "Make a new key, RSA of 2048 bits or more or EC P-256, and have it certified.",
            },
            Self::KeyUnsupported => Row {
                code: "key.unsupported",
                clause: Some("TS 119 312"),
                severities: [Deny, Deny, Deny],
                rule: "The key is of a kind that TLS uses here: RSA, EC P-256, P-384 or P-521, or Ed25519.",
                reason: "A client with such a key cannot finish the handshake.",
                hint: "Make a new key, RSA of 2048 bits or more or EC P-256, and have it certified.",
            },
            Self::SignatureWeak => Row {
                code: "signature.weak",
                clause: Some("TS 119 312"),
                severities: [Warn, Warn, Warn],
                rule: "The issuer did not sign with SHA-1 or MD5.",
                reason: "No path is built over such a signature; judged alone it is told.",
                hint: "Ask the issuer for a certificate signed with SHA-256 or better.",
            },
            Self::KeyUsageMissing => Row {
                code: "key-usage.missing",
                clause: Some("EN 319 412-2 4.3.2"),
                severities: [Warn, Warn, Note],
                rule: "keyUsage is present.",
                reason: "A form error: without it any use is allowed.",
                hint: "Ask the issuer for a certificate with the key usage digitalSignature.",
            },
            Self::KeyUsageSignature => Row {
                code: "key-usage.no-digital-signature",
                clause: Some("RFC 5280 4.2.1.3"),
                severities: [Deny, Deny, Deny],
                rule: "keyUsage has digitalSignature.",
                reason: "A TLS client signs the handshake; its issuer did not certify the key for that.",
                hint: "Ask the issuer for a certificate with the key usage digitalSignature.",
            },
            Self::KeyUsageCertSign => Row {
                code: "key-usage.cert-sign",
                clause: Some("RFC 5280 4.2.1.3"),
                severities: [Warn, Warn, Warn],
                rule: "keyUsage of a certificate that is no CA's lacks keyCertSign.",
                reason: "A form error: without cA TRUE no path leads through it.",
                hint: "Ask the issuer for a certificate without the key usage keyCertSign.",
            },
            Self::KeyUsageKeyType => Row {
                code: "key-usage.other-key-type",
                clause: Some("RFC 5480 3"),
                severities: [Note, Note, Note],
                rule: "keyUsage of a key on a curve lacks keyEncipherment and dataEncipherment.",
                reason: "Such a key cannot encipher; nothing is decided by it.",
                hint: "Nothing has to be done.",
            },
            Self::ExtendedKeyUsageMissing => Row {
                code: "eku.missing",
                clause: Some("EN 319 412-4 WEB-4.1.3-4"),
                severities: [Warn, Warn, Note],
                rule: "extKeyUsage is present.",
                reason: "A form error: without it any use is allowed.",
                hint: "Ask the issuer for a certificate with the extended key usages serverAuth and clientAuth.",
            },
            Self::TlsBinding => Row {
                code: "eku.tls-binding",
                clause: Some("TS 119 411-5"),
                severities: [Deny, Deny, Deny],
                rule: "The certificate is not a 2-QWAC, whose only use is tlsBinding.",
                reason: "A 2-QWAC binds a web site's certificate to its holder and is no certificate for a connection.",
                hint: "Use a 1-QWAC, with the extended key usage clientAuth.",
            },
            Self::ExtendedKeyUsageUnusable => Row {
                code: "eku.unusable",
                clause: Some("RFC 5280 4.2.1.12"),
                severities: [Deny, Deny, Deny],
                rule: "extKeyUsage has clientAuth, or as the operator chose serverAuth.",
                reason: "The issuer did not certify the key for TLS clients.",
                hint: "Ask the issuer for a certificate with the extended key usage clientAuth.",
            },
            Self::ServerAuthMissing => Row {
                code: "eku.no-server-auth",
                clause: Some("EN 319 412-4 WEB-4.1.3-4"),
                severities: [Note, Note, Note],
                rule: "extKeyUsage has serverAuth, as a certificate for web sites.",
                reason: "Issuers move clients' certificates out of the browsers' hierarchies; a gate asks for clientAuth.",
                hint: "Nothing has to be done.",
            },
            Self::AltNameMissing => Row {
                code: "subject-alt-name.missing",
                clause: Some("EN 319 412-4 WEB-4.1.3-4"),
                severities: [Warn, Note, Note],
                rule: "subjectAltName is present.",
                reason: "A form error: nothing here is decided by a name of a web site.",
                hint: "Ask the issuer for a certificate with the names of your web site.",
            },
            Self::CaIssuersMissing => Row {
                code: "aia.ca-issuers-missing",
                clause: Some("EN 319 412-2 GEN-4.4.1-3"),
                severities: [Note, Note, Note],
                rule: "authorityInfoAccess tells where the issuer's certificate is.",
                reason: "A form error; clients send their intermediates.",
                hint: "Nothing has to be done.",
            },
            Self::RevocationSourceMissing => Row {
                code: "revocation.no-source",
                clause: Some("EN 319 412-2 GEN-4.3.11-2"),
                severities: [Warn, Warn, Note],
                rule: "The certificate names an OCSP responder or a CRL over http, or says that it has none.",
                reason: "Without it nobody can learn that it was revoked.",
                hint: "Ask the issuer for a certificate with an OCSP responder or a CRL distribution point over http.",
            },
            Self::Revoked => Row {
                code: "revocation.revoked",
                clause: Some("RFC 5280 3.3"),
                severities: [Deny, Deny, Deny],
                rule: "The certificate is not revoked.",
                reason: "Its issuer does not vouch for it any more.",
                hint: "Ask the issuer for another certificate, with another key if this one may be known to others.",
            },
            Self::RevocationUnknown => Row {
                code: "revocation.unknown",
                clause: Some("RFC 5280 6.3"),
                severities: [Deny, Deny, Deny],
                rule: "It is known whether the certificate is revoked.",
                reason: "It may be. What follows says revocation.on_unknown.",
                hint: "Try again in a moment. If it stays so, ask the issuer whether its OCSP responder and its CRLs can be reached.",
            },
            Self::QcMissing => Row {
                code: "qc.missing",
                clause: Some("EN 319 412-5 QCS-5.01"),
                severities: [Deny, Warn, Note],
                rule: "qcStatements are present.",
                reason: "Without them it is not a qualified certificate.",
                hint: "Use your QWAC: a certificate with qcStatements from a qualified trust service provider.",
            },
            Self::QcNotQualified => Row {
                code: "qc.not-qualified",
                clause: Some("EN 319 412-5 QCS-5.01"),
                severities: [Deny, Note, Note],
                rule: "QcCompliance is present: the issuer claims that the certificate is qualified.",
                reason: "PSD2 asks for a qualified certificate.",
                hint: "Use your QWAC, from a qualified trust service provider.",
            },
            Self::QcLegislation => Row {
                code: "qc.third-country",
                clause: Some("EN 319 412-5 QCS-5.01"),
                severities: [Deny, Note, Note],
                rule: "QcCClegislation is absent: the certificate is qualified under EU law.",
                reason: "A certificate that is qualified under the law of another country is not qualified in the EU.",
                hint: "Use a QWAC from a provider of an EU trusted list.",
            },
            Self::QcTypeMissing => Row {
                code: "qc.type-missing",
                clause: Some("EN 319 412-5 QCS-5.01"),
                severities: [Deny, Warn, Note],
                rule: "QcType is present.",
                reason: "Without it a qualified certificate is for electronic signatures (TS 119 615).",
                hint: "Present a certificate of the right QcType: web on a connection, eseal on a message.",
            },
            Self::QcTypeSeal => Row {
                code: "qc.type-seal",
                clause: Some("EN 319 412-5 GEN-4.2.3"),
                severities: [Deny, Deny, Note],
                rule: "The certificate on a connection is not a QSealC.",
                reason: "A seal is for messages; on a connection it proves nothing about who is there.",
                hint: "You presented your QSealC; present your QWAC on the connection.",
            },
            Self::QcTypeSignature => Row {
                code: "qc.type-signature",
                clause: Some("EN 319 412-5 GEN-4.2.3"),
                severities: [Deny, Deny, Note],
                rule: "The certificate is not one for electronic signatures.",
                reason: "It names a natural person and is for documents.",
                hint: "Present a certificate of the right QcType: web on a connection, eseal on a message.",
            },
            Self::QcTypeWeb => Row {
                code: "qc.type-web",
                clause: Some("EN 319 412-5 GEN-4.2.3"),
                severities: [Deny, Deny, Note],
                rule: "The certificate on a message is not a QWAC.",
                reason: "A QWAC is for connections; its holder did not get it to seal messages.",
                hint: "You sealed with your QWAC; seal with your QSealC.",
            },
            Self::QcTypeSeveral => Row {
                code: "qc.type-several",
                clause: Some("EN 319 412-5 GEN-4.2.3"),
                severities: [Deny, Warn, Note],
                rule: "QcType names one type.",
                reason: "With several it is not decided what the certificate is.",
                hint: "Ask the issuer for a certificate with one QcType.",
            },
            Self::QcTypeUnknown => Row {
                code: "qc.type-unknown",
                clause: Some("EN 319 412-5 GEN-4.2.3"),
                severities: [Deny, Warn, Note],
                rule: "QcType is esign, eseal or web.",
                reason: "What it is for is unknown.",
                hint: "Present a certificate of the right QcType: web on a connection, eseal on a message.",
            },
            Self::QcPdsMissing => Row {
                code: "qc.pds-missing",
                clause: Some("EN 319 412-5 GEN-4.3.4"),
                severities: [Warn, Note, Note],
                rule: "QcPDS is present.",
                reason: "A form error.",
                hint: "Ask the issuer for a certificate with QcPDS.",
            },
            Self::QcPdsScheme => Row {
                code: "qc.pds-not-https",
                clause: Some("EN 319 412-5 GEN-4.3.4"),
                severities: [Warn, Note, Note],
                rule: "The disclosure statements are at https URLs.",
                reason: "A form error.",
                hint: "Ask the issuer for a certificate whose QcPDS has https URLs.",
            },
            Self::QcPdsLanguage => Row {
                code: "qc.pds-language",
                clause: Some("EN 319 412-5 GEN-4.3.4"),
                severities: [Warn, Note, Note],
                rule: "The languages of the disclosure statements are of ISO 639-1, in lower case.",
                reason: "A form error.",
                hint: "Ask the issuer for a certificate whose QcPDS has languages of ISO 639-1.",
            },
            Self::QcPdsEnglish => Row {
                code: "qc.pds-no-english",
                clause: Some("EN 319 412-5 GEN-4.3.4"),
                severities: [Warn, Note, Note],
                rule: "A disclosure statement is in English.",
                reason: "A form error.",
                hint: "Ask the issuer for a certificate whose QcPDS has one in English.",
            },
            Self::QcSscd => Row {
                code: "qc.sscd-unexpected",
                clause: Some("EN 319 412-5 QCS-5.01"),
                severities: [Note, Note, Note],
                rule: "QcSSCD is absent from certificates for web sites.",
                reason: "It is defined for signatures and seals.",
                hint: "Nothing has to be done.",
            },
            Self::QcSyntaxV1 => Row {
                code: "qc.syntax-v1",
                clause: Some("RFC 3739 3.2.6"),
                severities: [Note, Note, Note],
                rule: "pkixQCSyntax-v1 is absent; v2 replaced it.",
                reason: "It is obsolete and harmless.",
                hint: "Nothing has to be done.",
            },
            Self::QcSemantics => Row {
                code: "qc.semantics-natural-person",
                clause: Some("EN 319 412-1 5.1"),
                severities: [Warn, Warn, Note],
                rule: "The semantics identifier is not that of natural persons.",
                reason: "Payment service providers are legal persons; nothing is decided by it.",
                hint: "Ask the issuer for a certificate with the semantics of legal persons.",
            },
            Self::Psd2Missing => Row {
                code: "psd2.missing",
                clause: Some("TS 119 495 GEN-5.1-1"),
                severities: [Deny, Deny, Note],
                rule: "The PSD2 statement is present.",
                reason: "Without it the certificate says nothing about payment services.",
                hint: "Use your PSD2 QWAC, whose qcStatements have the PSD2 statement.",
            },
            Self::Psd2NoRole => Row {
                code: "psd2.no-role",
                clause: Some("TS 119 495 GEN-5.2.2-2"),
                severities: [Deny, Deny, Note],
                rule: "The PSD2 statement names one of the four roles PSP_AS, PSP_PI, PSP_AI and PSP_IC.",
                reason: "Without a role there is no route to enter.",
                hint: "Ask the issuer for a certificate with the roles that your authority gave you.",
            },
            Self::RoleUnspecified => Row {
                code: "psd2.role-unspecified",
                clause: Some("TS 119 495 GEN-5.2.2-1"),
                severities: [Warn, Warn, Note],
                rule: "Unspecified stands alone.",
                reason: "The other roles count.",
                hint: "Ask the issuer for a certificate without the role Unspecified.",
            },
            Self::RoleRepeated => Row {
                code: "psd2.role-repeated",
                clause: Some("TS 119 495 GEN-5.2.2-1"),
                severities: [Warn, Warn, Note],
                rule: "Each role is named once.",
                reason: "A form error.",
                hint: "Ask the issuer for a certificate that names each role once.",
            },
            Self::RoleOther => Row {
                code: "psd2.role-not-psd2",
                clause: Some("TS 119 495 GEN-5.2.2-3"),
                severities: [Note, Note, Note],
                rule: "The roles are of PSD2, not of another law (PSP_CB, PSP_PA, VOP).",
                reason: "They are known and give no right here.",
                hint: "Nothing has to be done.",
            },
            Self::RoleUnknown => Row {
                code: "psd2.role-unknown",
                clause: Some("TS 119 495 GEN-5.2.2-4"),
                severities: [Note, Note, Note],
                rule: "The roles are those of TS 119 495.",
                reason: "Others may be registered elsewhere; they give no right here.",
                hint: "Nothing has to be done.",
            },
            Self::NcaName => Row {
                code: "psd2.nca-name-not-latin",
                clause: Some("TS 119 495 GEN-5.2.3-1"),
                severities: [Warn, Warn, Note],
                rule: "nCAName is in plain Latin letters.",
                reason: "A form error: the authority counts by nCAId.",
                hint: "Ask the issuer for a certificate whose nCAName is the English name of the authority.",
            },
            Self::NcaIdSyntax => Row {
                code: "psd2.nca-id-syntax",
                clause: Some("TS 119 495 GEN-5.2.3-2"),
                severities: [Deny, Deny, Note],
                rule: "nCAId is two capital letters, a hyphen and two to eight capital letters; NA only beside PSP_CB and PSP_PA.",
                reason: "It says which authority's register to believe.",
                hint: "Ask the issuer for a certificate whose nCAId is like FI-FINFSA.",
            },
            Self::NcaIdCountry => Row {
                code: "psd2.nca-id-country",
                clause: Some("TS 119 495 GEN-5.2.3-2"),
                severities: [Deny, Deny, Note],
                rule: "nCAId begins with a country of ISO 3166-1.",
                reason: "It says which authority's register to believe.",
                hint: "Ask the issuer for a certificate whose nCAId begins with the authority's country; Greece is GR, the United Kingdom GB.",
            },
            Self::NcaUnknown => Row {
                code: "psd2.nca-unknown",
                clause: Some("TS 119 495 Annex D"),
                severities: [Warn, Warn, Note],
                rule: "The authority is in the list of the EBA, or is the United Kingdom's.",
                reason: "The list changes; a misspelt authority is found when the register is asked.",
                hint: "Ask the issuer for a certificate whose nCAId is in the EBA's list.",
            },
            Self::NcaAlias => Row {
                code: "psd2.nca-alias",
                clause: Some("TS 119 495 Annex D"),
                severities: [Note, Note, Note],
                rule: "The authority is spelt as in the list of the EBA.",
                reason: "Which one is meant is known.",
                hint: "Ask the issuer for a certificate whose nCAId is in the EBA's list.",
            },
            Self::NcaMismatch => Row {
                code: "psd2.nca-mismatch",
                clause: None,
                severities: [Warn, Warn, Note],
                rule: "nCAId and the organizationIdentifier name the same authority.",
                reason: "The authorisation number belongs to the authority in the organizationIdentifier; the two should not differ.",
                hint: "Ask the issuer for a certificate whose nCAId is the authority of the organizationIdentifier.",
            },
            Self::OrganizationIdentifierMissing => Row {
                code: "organization-identifier.missing",
                clause: Some("TS 119 495 GEN-5.3-3"),
                severities: [Deny, Deny, Note],
                rule: "The subject has an organizationIdentifier.",
                reason: "It says who the holder is.",
                hint: "Ask the issuer for a certificate whose subject has your authorisation number, as PSDFI-FINFSA-1234567-8.",
            },
            Self::OrganizationIdentifierMalformed => Row {
                code: "organization-identifier.malformed",
                clause: Some("EN 319 412-1 LEG-5.1.4-02"),
                severities: [Deny, Deny, Note],
                rule: "The organizationIdentifier is well-formed.",
                reason: "It says who the holder is; the register is asked by it.",
                hint: "Ask the issuer for a certificate whose organizationIdentifier is like PSDFI-FINFSA-1234567-8 or VATDE-123456789.",
            },
            Self::OrganizationIdentifierInvisible => Row {
                code: "organization-identifier.invisible-character",
                clause: None,
                severities: [Deny, Deny, Note],
                rule: "The organizationIdentifier's number has no invisible character, and no space at its ends or beside another.",
                reason: "Two holders would be one to whoever reads, trims or cuts it.",
                hint: "Ask the issuer for a certificate whose organizationIdentifier has your number as the register writes it.",
            },
            Self::OrganizationIdentifierCountry => Row {
                code: "organization-identifier.country",
                clause: Some("EN 319 412-1 LEG-5.1.4-03"),
                severities: [Deny, Deny, Note],
                rule: "The organizationIdentifier's country is of ISO 3166-1, or XG for an LEI.",
                reason: "It says which register the number is from.",
                hint: "Ask the issuer for a certificate whose organizationIdentifier has a country of ISO 3166-1; Greece is GR.",
            },
            Self::CountryAlias => Row {
                code: "organization-identifier.country-alias",
                clause: Some("EN 319 412-1 LEG-5.1.4-03"),
                severities: [Note, Note, Note],
                rule: "The organizationIdentifier's country is spelt as in ISO 3166-1.",
                reason: "EL and UK stand for GR and GB in other EU texts; which one is meant is known.",
                hint: "Ask the issuer to write GR for Greece and GB for the United Kingdom at the next renewal.",
            },
            Self::LeiChecksum => Row {
                code: "organization-identifier.lei-checksum",
                clause: Some("EN 319 412-1 5.1.4"),
                severities: [Warn, Warn, Note],
                rule: "The check digits of an LEI hold.",
                reason: "An LEI that was mistyped is nobody's.",
                hint: "Ask the issuer for a certificate with your LEI as it stands in the register.",
            },
            Self::NationalAuthority => Row {
                code: "organization-identifier.no-registration-authority",
                clause: Some("EN 319 412-1 LEG-5.1.4-05"),
                severities: [Warn, Warn, Note],
                rule: "A national scheme comes with the URI of its registration authority.",
                reason: "Without it the scheme is unknown.",
                hint: "Ask the issuer for a certificate whose semantics information has nameRegistrationAuthorities.",
            },
            Self::NotPsdShall => Row {
                code: "organization-identifier.not-psd-before-2021",
                clause: Some("TS 119 495 V1.4.1 GEN-5.2.1-3"),
                severities: [Warn, Warn, Note],
                rule: "Until V1.4.1, that is if issued before April 2021, the organizationIdentifier is a PSD authorisation number.",
                reason: "The number must be looked up by other means.",
                hint: "Ask the issuer for a certificate whose organizationIdentifier is your authorisation number.",
            },
            Self::NotPsdShould => Row {
                code: "organization-identifier.not-psd",
                clause: Some("TS 119 495 GEN-5.2.1-3"),
                severities: [Note, Note, Note],
                rule: "From V1.5.1, that is if issued from April 2021, the organizationIdentifier should be a PSD authorisation number.",
                reason: "It is a recommendation.",
                hint: "Nothing has to be done.",
            },
            Self::OrganizationIdentifierIsName => Row {
                code: "organization-identifier.is-name",
                clause: Some("EN 319 412-3 LEG-4.2.1-6"),
                severities: [Warn, Warn, Note],
                rule: "The organizationIdentifier is not the organizationName.",
                reason: "A form error.",
                hint: "Ask the issuer for a certificate whose organizationIdentifier is a number.",
            },
            Self::CountryMissing => Row {
                code: "subject.country-missing",
                clause: Some("EN 319 412-3 LEG-4.2.1-2"),
                severities: [Warn, Warn, Note],
                rule: "The subject has a country.",
                reason: "A form error.",
                hint: "Ask the issuer for a certificate whose subject has a country.",
            },
            Self::CountryUnassigned => Row {
                code: "subject.country-unassigned",
                clause: Some("EN 319 412-3 LEG-4.2.1-4"),
                severities: [Warn, Warn, Note],
                rule: "The subject's country is of ISO 3166-1.",
                reason: "A form error.",
                hint: "Ask the issuer for a certificate whose subject has a country of ISO 3166-1; Greece is GR, the United Kingdom GB.",
            },
            Self::OrganizationMissing => Row {
                code: "subject.organization-missing",
                clause: Some("EN 319 412-3 LEG-4.2.1-2"),
                severities: [Warn, Warn, Note],
                rule: "The subject has an organizationName.",
                reason: "A form error; who the holder is says the organizationIdentifier.",
                hint: "Ask the issuer for a certificate whose subject has your registered name.",
            },
            Self::CommonNameMissing => Row {
                code: "subject.common-name-missing",
                clause: Some("EN 319 412-3 LEG-4.2.1-2"),
                severities: [Warn, Warn, Note],
                rule: "The subject has a commonName.",
                reason: "A form error.",
                hint: "Ask the issuer for a certificate whose subject has a commonName.",
            },
            Self::PoliciesMissing => Row {
                code: "policies.missing",
                clause: Some("EN 319 412-2 GEN-4.3.3-1"),
                severities: [Warn, Warn, Note],
                rule: "certificatePolicies are present.",
                reason: "A form error: what the certificate is says QcType.",
                hint: "Ask the issuer for a certificate with its certificate policies.",
            },
            Self::PolicyNotQualified => Row {
                code: "policies.not-qualified",
                clause: Some("EN 319 412-2 QCS-5.2-1"),
                severities: [Warn, Note, Note],
                rule: "A policy for the purpose is named: QCP-w, QNCP-w or QNCP-w-gen for a connection, QCP-l or QCP-l-qscd for a seal.",
                reason: "A form error: what the certificate is says QcType.",
                hint: "Ask the issuer for a certificate that names its EN 319 411-2 policy.",
            },
            Self::RegisterUnknown => Row {
                code: "register.unknown",
                clause: Some("RTS on SCA Article 34"),
                severities: [Deny, Deny, Note],
                rule: "The authority's register is known, and is not too old.",
                reason: "Whoever was withdrawn since would pass.",
                hint: "Nothing is wrong with the certificate: ask the bank.",
            },
            Self::RegisterNotFound => Row {
                code: "register.not-found",
                clause: Some("RTS on SCA Article 34"),
                severities: [Deny, Deny, Note],
                rule: "The authority's register has the holder.",
                reason: "Nobody vouches for a provider that its authority does not know.",
                hint: "Compare the number in the organizationIdentifier with your entry in the authority's register; ask the issuer for a certificate with that number.",
            },
            Self::RegisterWithdrawn => Row {
                code: "register.withdrawn",
                clause: Some("RTS on SCA Article 34"),
                severities: [Deny, Deny, Note],
                rule: "The authority has not withdrawn the authorisation.",
                reason: "Without it there is no access, whatever the certificate says.",
                hint: "Ask your authority.",
            },
            Self::RegisterNoRole => Row {
                code: "register.no-role",
                clause: Some("RTS on SCA Article 34"),
                severities: [Deny, Deny, Note],
                rule: "The authority's register has a role of the certificate.",
                reason: "Without a role there is no access.",
                hint: "Ask the issuer for a certificate with the roles of your authorisation.",
            },
            Self::RegisterRole => Row {
                code: "register.role-not-authorised",
                clause: Some("RTS on SCA Article 34"),
                severities: [Warn, Warn, Note],
                rule: "The authority's register has every role of the certificate.",
                reason: "The role that the register has not is not given.",
                hint: "Ask the issuer for a certificate with the roles of your authorisation.",
            },
            Self::PassportMissing => Row {
                code: "register.passport-missing",
                clause: Some("PSD2 Article 28"),
                severities: [Deny, Deny, Note],
                rule: "The holder has a passport for the country, in one role at least.",
                reason: "An authorisation of one country gives services in another only once that is notified.",
                hint: "Ask your authority to notify the services that you give in this country.",
            },
            Self::PassportRole => Row {
                code: "register.role-not-passported",
                clause: Some("PSD2 Article 28"),
                severities: [Warn, Warn, Note],
                rule: "The holder has a passport for the country, in every role that it is authorised for.",
                reason: "The role without a passport is not given.",
                hint: "Ask your authority to notify the services that you give in this country.",
            },
            Self::EnrolmentIdentity => Row {
                code: "enrolment.no-identity",
                clause: None,
                severities: [Deny, Deny, Deny],
                rule: "The certificate has what keys are made from here.",
                reason: "Whoever cannot be known again escapes what is decided about it.",
                hint: "Ask the issuer for a certificate with an organizationIdentifier, or whatever the bank knows its clients by.",
            },
            Self::EnrolmentClosed => Row {
                code: "enrolment.closed",
                clause: None,
                severities: [Deny, Deny, Deny],
                rule: "The holder has a key, where only those with one pass.",
                reason: "The operator takes nobody in by this way.",
                hint: "Ask the operator to enrol you.",
            },
            Self::EnrolmentFull => Row {
                code: "enrolment.full",
                clause: None,
                severities: [Deny, Deny, Deny],
                rule: "There is room for the holder's key.",
                reason: "What is decided about holders can only be kept of so many.",
                hint: "Ask the operator, whose bound on keys is reached.",
            },
            Self::EnrolmentPending => Row {
                code: "enrolment.pending",
                clause: None,
                severities: [Deny, Deny, Deny],
                rule: "An operator has approved the holder's key.",
                reason: "The operator wants to see who comes before it lets them in.",
                hint: "Wait until the operator has approved you, or ask.",
            },
            Self::EnrolmentSuspended => Row {
                code: "enrolment.suspended",
                clause: None,
                severities: [Deny, Deny, Deny],
                rule: "The holder's key is not suspended.",
                reason: "The operator has closed the door on this holder, whatever certificate it brings.",
                hint: "Ask the operator why.",
            },
        }
    }
}
