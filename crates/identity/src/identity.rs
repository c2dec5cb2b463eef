//! What a certificate says about its holder.

use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

use crate::der::NULL;
use crate::error::IdentityError;
use crate::extension::{Extension, Extensions, MAX_EXTENSIONS};
use crate::finding::{Finding, FindingCode};
use crate::general_name::{AuthorityInformation, SubjectAltName, read_crl_urls};
use crate::key::PublicKey;
use crate::key_usage::{KeyUsage, is_ca};
use crate::name::distinguished_name;
use crate::object_identifiers::{ExtendedKeyUsage, ObjectIdentifiers, read_policies};
use crate::oid;
use crate::organization_identifier::OrganizationIdentifier;
use crate::psd2::Psd2Statement;
use crate::qc_statements::{self, QcStatements};
use crate::serial_number::SerialNumber;
use crate::signature_algorithm::SignatureAlgorithm;
use crate::subject::Subject;
use crate::tbs_certificate::TbsCertificate;
use crate::thumbprint::{SpkiHash, Thumbprint};
use crate::validity::Validity;

/// What one certificate says: claims, which only a verified path and a proof of possession make facts.
///
/// Its JSON has every field always; what is absent is null. Findings are not part of it: policy gives them with their
/// severity.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Identity {
    /// SHA-256 of the certificate as presented.
    pub thumbprint: Thumbprint,
    /// SHA-256 of its `SubjectPublicKeyInfo`.
    pub spki_sha256: SpkiHash,
    /// The serial number, unique only together with the issuer.
    pub serial_number: SerialNumber,
    /// The issuer's `RDNSequence` without its outer tag and length; [`distinguished_name`] shows it.
    pub issuer: Box<[u8]>,
    /// The subject's name.
    pub subject: Subject,
    /// The validity period.
    pub validity: Validity,
    /// The algorithm of the issuer's signature.
    pub signature_algorithm: SignatureAlgorithm,
    /// The key, if it is well-formed.
    pub key: Option<PublicKey>,
    /// Whether basicConstraints say that it is a CA's.
    pub is_ca: bool,
    /// keyUsage.
    pub key_usage: Option<KeyUsage>,
    /// extKeyUsage.
    pub extended_key_usage: Option<ExtendedKeyUsage>,
    /// certificatePolicies.
    pub policies: Option<ObjectIdentifiers>,
    /// subjectAltName.
    pub subject_alt_name: Option<SubjectAltName>,
    /// authorityInfoAccess.
    pub authority_information: Option<AuthorityInformation>,
    /// The URLs of cRLDistributionPoints.
    pub crl_urls: Option<Vec<String>>,
    /// Whether the issuer says that it tells nothing of revocation: noRevAvail (RFC 9608) or validity-assured short
    /// term (EN 319 412-1).
    pub revocation_exempt: bool,
    /// The extensions that are marked critical.
    pub critical_extensions: ObjectIdentifiers,
    /// The QCStatements, if there are any and their list is well-formed.
    pub qc: Option<QcStatements>,
    /// The PSD2 statement, if the certificate has one and it is well-formed. Where it was there and could not be
    /// read, a finding whose code [`voids_psd2`](FindingCode::voids_psd2) says so.
    pub psd2: Option<Psd2Statement>,
    /// What is malformed or ambiguous.
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
        let mut findings = Vec::new();
        if tbs.version != 3 {
            findings
                .push(Finding::new(FindingCode::Version, format!("the version is {}, not 3", tbs.version)));
        }
        let serial_number = SerialNumber::read(tbs.serial_number, &mut findings);
        let signature_algorithm = SignatureAlgorithm::read(&tbs, &mut findings)?;
        let subject = Subject::read(tbs.subject, &mut findings)?;
        let key = PublicKey::from_info(tbs.subject_public_key_info);
        let key =
            note(key.map_err(Finding::malformed(FindingCode::KeyMalformed, "the public key")), &mut findings);
        let mut identity = Self {
            thumbprint: Thumbprint::of(der),
            spki_sha256: SpkiHash::of(tbs.subject_public_key_info),
            serial_number,
            issuer: tbs.issuer.into(),
            subject,
            validity: tbs.validity()?,
            signature_algorithm,
            key,
            is_ca: false,
            key_usage: None,
            extended_key_usage: None,
            policies: None,
            subject_alt_name: None,
            authority_information: None,
            crl_urls: None,
            revocation_exempt: false,
            critical_extensions: ObjectIdentifiers::default(),
            qc: None,
            psd2: None,
            findings,
        };
        identity.read_extensions(tbs.extensions())?;
        Ok(identity)
    }

    /// The organizationIdentifier taken apart; `None` if the subject has none that is well-formed.
    pub fn organization_identifier(&self) -> Option<OrganizationIdentifier<'_>> {
        OrganizationIdentifier::parse(self.subject.organization_identifier.as_deref()?).ok()
    }

    /// Walks the extensions once. Of a repeated one the first is read, but of QCStatements none.
    fn read_extensions(&mut self, extensions: Extensions<'_>) -> Result<(), IdentityError> {
        let mut seen: [&[u8]; MAX_EXTENSIONS] = [&[]; MAX_EXTENSIONS];
        let mut qc = Repeatable::Absent;
        for (position, extension) in extensions.enumerate() {
            let extension = extension?;
            let is_repeated = seen[..position].contains(&extension.oid);
            seen[position] = extension.oid;
            if extension.oid == oid::QC_STATEMENTS {
                qc = if is_repeated { Repeatable::Repeated } else { Repeatable::Once(extension) };
            } else if is_repeated {
                let message = format!("extension {} occurs more than once", extension.dotted_oid());
                self.findings.push(Finding::new(FindingCode::DuplicateExtension, message));
                continue;
            } else if let Err(finding) = self.read_extension(&extension) {
                self.findings.push(finding);
            }
            if extension.critical && !is_repeated {
                self.critical_extensions.push(extension.oid);
            }
        }
        self.read_qc_statements(&qc);
        Ok(())
    }

    fn read_extension(&mut self, extension: &Extension<'_>) -> Result<(), Finding> {
        use FindingCode as Code;
        let value = extension.value;
        match extension.oid {
            oid::KEY_USAGE => {
                let read = KeyUsage::read(value);
                self.key_usage = Some(read.map_err(Finding::malformed(Code::KeyUsageMalformed, "keyUsage"))?);
            }
            oid::EXTENDED_KEY_USAGE => {
                let malformed = Finding::malformed(Code::ExtendedKeyUsageMalformed, "extKeyUsage");
                self.extended_key_usage = Some(ExtendedKeyUsage::from_der(value).map_err(malformed)?);
            }
            oid::BASIC_CONSTRAINTS => {
                let malformed = Finding::malformed(Code::BasicConstraintsMalformed, "basicConstraints");
                self.is_ca = is_ca(value).map_err(malformed)?;
            }
            oid::CERTIFICATE_POLICIES => {
                let malformed = Finding::malformed(Code::PoliciesMalformed, "certificatePolicies");
                let policies = read_policies(value).map_err(malformed)?;
                let repeated = policies
                    .iter()
                    .enumerate()
                    .any(|(at, id)| policies.iter().take(at).any(|known| known == id));
                self.policies = Some(policies);
                if repeated {
                    return Err(Finding::new(Code::PoliciesDuplicate, "a certificate policy is named twice"));
                }
            }
            oid::SUBJECT_ALT_NAME => {
                let malformed = Finding::malformed(Code::AltNameMalformed, "subjectAltName");
                self.subject_alt_name = Some(SubjectAltName::read(value).map_err(malformed)?);
            }
            oid::AUTHORITY_INFO_ACCESS => {
                let malformed =
                    Finding::malformed(Code::AuthorityInformationMalformed, "authorityInfoAccess");
                self.authority_information = Some(AuthorityInformation::read(value).map_err(malformed)?);
            }
            oid::CRL_DISTRIBUTION_POINTS => {
                let malformed =
                    Finding::malformed(Code::CrlDistributionPointsMalformed, "cRLDistributionPoints");
                self.crl_urls = Some(read_crl_urls(value).map_err(malformed)?);
            }
            // Both are NULL; what else has this identifier exempts from nothing.
            oid::NO_REV_AVAIL | oid::VALIDITY_ASSURED => self.revocation_exempt |= value == NULL,
            _ => {}
        }
        Ok(())
    }

    fn read_qc_statements(&mut self, extension: &Repeatable<'_>) {
        match extension {
            Repeatable::Absent => {}
            Repeatable::Repeated => {
                let message = "the qcStatements extension occurs more than once, so no statement is read";
                self.findings.push(Finding::new(FindingCode::QcDuplicateExtension, message));
            }
            Repeatable::Once(extension) => {
                if extension.critical {
                    let message = "the qcStatements extension is marked critical";
                    self.findings.push(Finding::new(FindingCode::QcCritical, message));
                }
                (self.qc, self.psd2) = qc_statements::read(extension.value, &mut self.findings);
            }
        }
    }
}

/// An extension of which none is read if it occurs twice.
enum Repeatable<'a> {
    Absent,
    Once(Extension<'a>),
    Repeated,
}

fn note<T>(read: Result<T, Finding>, findings: &mut Vec<Finding>) -> Option<T> {
    read.map_err(|finding| findings.push(finding)).ok()
}

impl Serialize for Identity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let authorisation = match self.organization_identifier() {
            Some(OrganizationIdentifier::Psd(authorisation)) => Some(authorisation),
            _ => None,
        };
        let psd2 = self.psd2.as_ref().map(|statement| statement.with_authorisation(authorisation));
        let mut object = serializer.serialize_struct("Identity", 18)?;
        object.serialize_field("thumbprint_sha256", &self.thumbprint)?;
        object.serialize_field("spki_sha256", &self.spki_sha256)?;
        object.serialize_field("serial_number", &self.serial_number)?;
        object.serialize_field("issuer", &distinguished_name(&self.issuer).ok())?;
        object.serialize_field("subject", &self.subject)?;
        object.serialize_field("validity", &self.validity)?;
        object.serialize_field("signature_algorithm", &self.signature_algorithm)?;
        object.serialize_field("key", &self.key)?;
        object.serialize_field("certificate_authority", &self.is_ca)?;
        object.serialize_field("key_usage", &self.key_usage)?;
        object.serialize_field("extended_key_usage", &self.extended_key_usage)?;
        object.serialize_field("policies", &self.policies)?;
        object.serialize_field("subject_alt_name", &self.subject_alt_name)?;
        object.serialize_field("authority_information", &self.authority_information)?;
        object.serialize_field("crl_urls", &self.crl_urls)?;
        object.serialize_field("revocation_exempt", &self.revocation_exempt)?;
        object.serialize_field("qc", &self.qc)?;
        object.serialize_field("psd2", &psd2)?;
        object.end()
    }
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
            "spki_sha256": identity.spki_sha256.to_string(),
            "serial_number": "0a".repeat(16),
            "issuer": "CN=Test QTSP,C=FI",
            "subject": {
                "common_name": "tpp.example",
                "organization": "Example Oy",
                "country": "FI",
                "organization_identifier": "PSDFI-FINFSA-2858394-9",
            },
            "validity": { "not_before": "2026-01-01T00:00:00Z", "not_after": "2027-12-31T23:59:59Z" },
            "signature_algorithm": "ecdsa-with-SHA256",
            "key": { "algorithm": "EC P-256", "bits": 256 },
            "certificate_authority": false,
            "key_usage": ["digitalSignature"],
            "extended_key_usage": ["serverAuth", "clientAuth"],
            "policies": null,
            "subject_alt_name": null,
            "authority_information": null,
            "crl_urls": null,
            "revocation_exempt": false,
            "qc": {
                "compliance": true,
                "types": ["web"],
                "legislation": [],
                "sscd": false,
                "pds": [],
                "retention_years": null,
                "limit": null,
                "semantics": null,
                "statements": ["0.4.0.1862.1.1", "0.4.0.1862.1.6", "0.4.0.19495.2"],
            },
            "psd2": {
                "roles": ["PSP_AI", "PSP_PI"],
                "role_entries": [
                    { "oid": "0.4.0.19495.1.2", "name": "PSP_PI" },
                    { "oid": "0.4.0.19495.1.3", "name": "PSP_AI" },
                ],
                "nca_name": "Finanssivalvonta",
                "nca_id": "FI-FINFSA",
                "authorisation": { "country": "FI", "nca": "FINFSA", "number": "2858394-9" },
            },
        });
        assert_eq!(serde_json::to_value(&identity).unwrap(), expected);
        let name = "CN=tpp.example,organizationIdentifier=PSDFI-FINFSA-2858394-9,O=Example Oy,C=FI";
        assert_eq!(identity.subject.distinguished_name, name);
    }

    #[test]
    fn what_is_absent_is_null() {
        let certificate = Certificate { subject: vec![], extensions: vec![], ..with_psd2() };
        let json = serde_json::to_value(Identity::from_der(&certificate.to_der()).unwrap()).unwrap();
        for absent in
            ["psd2", "qc", "key_usage", "extended_key_usage", "policies", "subject_alt_name", "crl_urls"]
        {
            assert_eq!(json[absent], json!(null), "{absent}");
        }
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
    fn a_malformed_extension_is_a_finding_and_absent() {
        for (id, code) in [
            ("2.5.29.15", FindingCode::KeyUsageMalformed),
            ("2.5.29.17", FindingCode::AltNameMalformed),
            ("2.5.29.19", FindingCode::BasicConstraintsMalformed),
            ("2.5.29.31", FindingCode::CrlDistributionPointsMalformed),
            ("2.5.29.32", FindingCode::PoliciesMalformed),
            ("2.5.29.37", FindingCode::ExtendedKeyUsageMalformed),
            ("1.3.6.1.5.5.7.1.1", FindingCode::AuthorityInformationMalformed),
        ] {
            let (identity, codes) = read(vec![extension(id, &null())]);
            assert_eq!(codes, [code]);
            let json = serde_json::to_value(&identity).unwrap();
            for absent in [
                "key_usage",
                "subject_alt_name",
                "crl_urls",
                "policies",
                "extended_key_usage",
                "authority_information",
            ] {
                assert_eq!(json[absent], json!(null), "{absent}");
            }
        }
    }

    #[test]
    fn a_policy_named_twice_is_noted() {
        let policy = sequence(&[crate::test_der::oid("0.4.0.194112.1.4")]);
        let (identity, codes) = read(vec![extension("2.5.29.32", &sequence(&[policy.clone(), policy]))]);
        assert_eq!((identity.policies.unwrap().len(), codes), (2, vec![FindingCode::PoliciesDuplicate]));
    }

    #[test]
    fn critical_extensions_and_the_lack_of_revocation_are_told() {
        let (identity, codes) =
            read(vec![critical_extension("2.5.29.32", &[]), extension("2.5.29.56", &null())]);
        assert!(identity.revocation_exempt);
        assert_eq!(identity.critical_extensions.iter().map(oid::dotted).collect::<Vec<_>>(), ["2.5.29.32"]);
        assert_eq!(codes, [FindingCode::PoliciesMalformed]);
        for odd in [vec![], tlv(0x01, &[0]), [null(), null()].concat()] {
            let (identity, _) = read(vec![extension("2.5.29.56", &odd)]);
            assert!(!identity.revocation_exempt, "{odd:02x?}");
        }
        let either = vec![extension("2.5.29.56", &null()), extension("0.4.0.194121.2.1", &[])];
        assert!(read(either).0.revocation_exempt);
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
