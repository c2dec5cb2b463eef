//! Object identifiers, as their arcs, of what a QWAC for PSD2 carries.

/// organizationIdentifier, an attribute of the subject (X.520).
pub const ORGANIZATION_IDENTIFIER: &[u64] = &[2, 5, 4, 97];
/// businessCategory, an attribute of the subject (X.520).
pub const BUSINESS_CATEGORY: &[u64] = &[2, 5, 4, 15];
/// serialNumber, an attribute of the subject (X.520): the number in a register, not the certificate's.
pub const SERIAL_NUMBER: &[u64] = &[2, 5, 4, 5];
/// jurisdictionCountry, an attribute of the subject (EV Guidelines 7.1.4.2.4).
pub const JURISDICTION_COUNTRY: &[u64] = &[1, 3, 6, 1, 4, 1, 311, 60, 2, 1, 3];
/// The extension cabfOrganizationIdentifier (EV Guidelines 7.1.2.2), which repeats the organizationIdentifier in parts.
pub const CABF_ORGANIZATION_IDENTIFIER: &[u64] = &[2, 23, 140, 3, 1];
/// The extension certificatePolicies (RFC 5280 4.2.1.4).
pub const CERTIFICATE_POLICIES: &[u64] = &[2, 5, 29, 32];
/// The extension authorityInfoAccess (RFC 5280 4.2.2.1).
pub const AUTHORITY_INFO_ACCESS: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 1, 1];
/// Access method: OCSP responder.
pub const AD_OCSP: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 48, 1];
/// Access method: certificate of the issuing CA.
pub const AD_CA_ISSUERS: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 48, 2];

/// The extension qcStatements (RFC 3739 3.2.6).
pub const QC_STATEMENTS: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 1, 3];
/// Statement: the certificate is qualified (EN 319 412-5 4.2.1). Carries no information.
pub const QC_COMPLIANCE: &[u64] = &[0, 4, 0, 1862, 1, 1];
/// Statement: where the PKI disclosure statements are (EN 319 412-5 4.3.4).
pub const QC_PDS: &[u64] = &[0, 4, 0, 1862, 1, 5];
/// Statement: what the certificate is for (EN 319 412-5 4.2.3).
pub const QC_TYPE: &[u64] = &[0, 4, 0, 1862, 1, 6];
/// `QcType`: electronic signature.
pub const QCT_ESIGN: &[u64] = &[0, 4, 0, 1862, 1, 6, 1];
/// `QcType`: electronic seal.
pub const QCT_ESEAL: &[u64] = &[0, 4, 0, 1862, 1, 6, 2];
/// `QcType`: web site authentication.
pub const QCT_WEB: &[u64] = &[0, 4, 0, 1862, 1, 6, 3];
/// Statement: under the law of which third country the certificate is qualified.
pub const QC_CC_LEGISLATION: &[u64] = &[0, 4, 0, 1862, 1, 7];
/// Statement: the roles and the competent authority of a payment service provider (TS 119 495 Annex A).
pub const PSD2_QC_STATEMENT: &[u64] = &[0, 4, 0, 19495, 2];

/// Policy: qualified, web site, with PSD2 attributes (TS 119 495 6.1).
pub const POLICY_QCP_WEB_PSD2: &[u64] = &[0, 4, 0, 19495, 3, 1];
/// Policy: qualified, web site, QCP-w (EN 319 411-2).
pub const POLICY_QCP_WEB: &[u64] = &[0, 4, 0, 194_112, 1, 4];
/// Policy: extended validation, as browsers know it.
pub const POLICY_EXTENDED_VALIDATION: &[u64] = &[2, 23, 140, 1, 1];
