//! What a certificate says about its holder.

use serde::Serialize;

use crate::error::IdentityError;
use crate::extension::{Extensions, MAX_EXTENSIONS};
use crate::finding::{Finding, FindingCode};
use crate::oid;
use crate::psd2::Psd2Statement;
use crate::qc_statements::QcStatements;
use crate::subject::Subject;
use crate::tbs_certificate::TbsCertificate;
use crate::thumbprint::Thumbprint;
use crate::validity::Validity;

/// What one certificate says: claims, which only a verified path and a proof of possession make facts.
///
/// Its JSON has every field always; what is absent is null.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Identity {
    /// SHA-256 of the certificate as presented.
    #[serde(rename = "thumbprint_sha256")]
    pub thumbprint: Thumbprint,
    /// The subject's name.
    pub subject: Subject,
    /// The validity period.
    pub validity: Validity,
    /// The PSD2 statement, if the certificate has one and it is well-formed. Where it was there and could not be
    /// read, a finding whose code [`voids_psd2`](FindingCode::voids_psd2) says so.
    pub psd2: Option<Psd2Statement>,
    /// What is malformed, ambiguous or odd.
    pub findings: Vec<Finding>,
}

impl Identity {
    /// Reads a certificate in DER.
    ///
    /// Trust: hostile input of any length. Time and memory are linear in it, up to
    /// [`MAX_CERTIFICATE_BYTES`](crate::MAX_CERTIFICATE_BYTES). Neither signature nor time is judged.
    ///
    /// # Errors
    /// The bytes are not a certificate in strict DER, or over a limit. Source: RFC 5280 section 4.1.
    pub fn from_der(der: &[u8]) -> Result<Self, IdentityError> {
        let tbs = TbsCertificate::from_der(der)?;
        let validity = tbs.validity()?;
        let mut findings = Vec::new();
        let subject = Subject::read(tbs.subject, &mut findings)?;
        let psd2 = read_qc_statements(tbs.extensions(), &mut findings)?;
        Ok(Self { thumbprint: Thumbprint::of(der), subject, validity, psd2, findings })
    }
}

/// Walks the extensions once, notes repeated ones and reads the QCStatements among them.
fn read_qc_statements(
    extensions: Extensions<'_>,
    findings: &mut Vec<Finding>,
) -> Result<Option<Psd2Statement>, IdentityError> {
    let mut seen: [&[u8]; MAX_EXTENSIONS] = [&[]; MAX_EXTENSIONS];
    let mut statements = None;
    let mut repeated = false;
    for (position, extension) in extensions.enumerate() {
        let extension = extension?;
        let is_repeated = seen[..position].contains(&extension.oid);
        seen[position] = extension.oid;
        if extension.oid != oid::QC_STATEMENTS {
            if is_repeated {
                let message = format!("extension {} occurs more than once", extension.dotted_oid());
                findings.push(Finding::new(FindingCode::DuplicateExtension, message));
            }
            continue;
        }
        repeated |= is_repeated;
        statements = Some(extension);
    }
    let Some(extension) = statements else { return Ok(None) };
    if repeated {
        let message = "the qcStatements extension occurs more than once, so no statement is read";
        findings.push(Finding::new(FindingCode::QcDuplicateExtension, message));
        return Ok(None);
    }
    if extension.critical {
        let message = "the qcStatements extension is marked critical";
        findings.push(Finding::new(FindingCode::QcCritical, message));
    }
    Ok(QcStatements::read(extension.value, findings))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::tbs_certificate::MAX_CERTIFICATE_BYTES;
    use crate::test_der::{
        Certificate, critical_extension, extension, null, psd2_statement, sequence, tlv, with_psd2,
    };

    const QC_STATEMENTS: &str = "1.3.6.1.5.5.7.1.3";

    fn statements() -> Vec<u8> {
        sequence(&[psd2_statement()])
    }

    fn read(extensions: Vec<Vec<u8>>) -> (Identity, Vec<FindingCode>) {
        let certificate = Certificate { extensions, ..with_psd2() };
        let identity = Identity::from_der(&certificate.to_der()).unwrap();
        let codes = identity.findings.iter().map(|finding| finding.code).collect();
        (identity, codes)
    }

    #[test]
    fn the_json_has_every_field() {
        let der = with_psd2().to_der();
        let identity = Identity::from_der(&der).unwrap();
        let expected = json!({
            "thumbprint_sha256": Thumbprint::of(&der).to_string(),
            "subject": {
                "common_name": "tpp.example",
                "organization": "Example Oy",
                "country": "FI",
                "organization_identifier": "PSDFI-FINFSA-2858394-9",
            },
            "validity": { "not_before": "2026-01-01T00:00:00Z", "not_after": "2027-12-31T23:59:59Z" },
            "psd2": {
                "roles": ["PSP_AI", "PSP_PI"],
                "role_entries": [
                    { "oid": "0.4.0.19495.1.2", "name": "PSP_PI" },
                    { "oid": "0.4.0.19495.1.3", "name": "PSP_AI" },
                ],
                "nca_name": "Finanssivalvonta",
                "nca_id": "FI-FINFSA",
            },
            "findings": [],
        });
        assert_eq!(serde_json::to_value(&identity).unwrap(), expected);
        let name = "CN=tpp.example,organizationIdentifier=PSDFI-FINFSA-2858394-9,O=Example Oy,C=FI";
        assert_eq!(identity.subject.distinguished_name, name);
    }

    #[test]
    fn what_is_absent_is_null() {
        let certificate = Certificate { subject: vec![], extensions: vec![], ..with_psd2() };
        let json = serde_json::to_value(Identity::from_der(&certificate.to_der()).unwrap()).unwrap();
        assert_eq!(json["psd2"], json!(null));
        assert_eq!(json["findings"], json!([]));
        let absent = json!({ "common_name": null, "organization": null, "country": null, "organization_identifier": null });
        assert_eq!(json["subject"], absent);
    }

    #[test]
    fn two_qc_statements_extensions_are_ambiguous() {
        let twice = vec![extension(QC_STATEMENTS, &statements()), extension(QC_STATEMENTS, &statements())];
        let (identity, codes) = read(twice);
        assert_eq!((identity.psd2, codes), (None, vec![FindingCode::QcDuplicateExtension]));
    }

    #[test]
    fn another_extension_twice_is_noted() {
        let key_usage = extension("2.5.29.15", &tlv(0x03, &[7, 0x80]));
        let (identity, codes) =
            read(vec![key_usage.clone(), extension(QC_STATEMENTS, &statements()), key_usage]);
        assert!(identity.psd2.is_some());
        assert_eq!(codes, [FindingCode::DuplicateExtension]);
    }

    #[test]
    fn critical_qc_statements_are_noted() {
        let (identity, codes) = read(vec![critical_extension(QC_STATEMENTS, &statements())]);
        assert!(identity.psd2.is_some());
        assert_eq!(codes, [FindingCode::QcCritical]);
    }

    #[test]
    fn extensions_are_bounded() {
        let list = |count| (0..count).map(|last| extension(&format!("1.2.{last}"), &null())).collect();
        let certificate = |extensions| Certificate { extensions, ..with_psd2() }.to_der();
        assert!(Identity::from_der(&certificate(list(MAX_EXTENSIONS))).is_ok());
        let over = Identity::from_der(&certificate(list(MAX_EXTENSIONS + 1))).unwrap_err();
        assert_eq!(over, IdentityError::OverLimit { field: "extensions", limit: MAX_EXTENSIONS });
    }

    #[test]
    fn what_is_no_certificate_is_an_error() {
        let good = with_psd2().to_der();
        for end in 0..good.len() {
            assert!(Identity::from_der(&good[..end]).is_err(), "cut at {end}");
        }
        let longer = [good, vec![0]].concat();
        let error = Identity::from_der(&longer).unwrap_err();
        assert!(matches!(error, IdentityError::Malformed { field: "envelope", .. }), "{error}");
        let large = vec![0x30; MAX_CERTIFICATE_BYTES + 1];
        assert!(matches!(Identity::from_der(&large), Err(IdentityError::TooLarge { .. })));
    }

    #[test]
    fn a_field_of_another_type_is_an_error() {
        let bad_boolean = sequence(&[crate::test_der::oid("1.2.3"), tlv(0x01, &[1]), tlv(0x04, &[])]);
        for extensions in [vec![bad_boolean], vec![null()], vec![sequence(&[])]] {
            let certificate = Certificate { extensions, ..with_psd2() };
            let error = Identity::from_der(&certificate.to_der()).unwrap_err();
            assert!(matches!(error, IdentityError::Malformed { field: "extensions", .. }), "{error}");
        }
        let certificate = Certificate { subject: vec![null()], ..with_psd2() };
        let error = Identity::from_der(&certificate.to_der()).unwrap_err();
        assert!(matches!(error, IdentityError::Malformed { field: "subject", .. }), "{error}");
    }
}
