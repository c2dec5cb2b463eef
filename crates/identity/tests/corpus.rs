//! Reads certificates that others made: what stands in them was established with `openssl asn1parse`.
//!
//! The data is not part of this repository. `PORTCULLIS_CORPUS` names its folder; without it the tests say that
//! they were skipped.
#![allow(clippy::unwrap_used, reason = "clippy knows tests by their attribute, not their helpers")]

use std::io::Write as _;
use std::path::PathBuf;

use portcullis_identity::{FindingCode, Identity, Role, Roles};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

fn read(file: &str) -> Option<Identity> {
    let Some(corpus) = std::env::var_os("PORTCULLIS_CORPUS") else {
        // Written past the test harness, which shows what a passing test prints to nobody.
        let skipped = format!("SKIPPED: PORTCULLIS_CORPUS is not set, {file} is not read\n");
        std::io::stderr().write_all(skipped.as_bytes()).unwrap();
        return None;
    };
    // A relative path is meant from the root of the repository, while tests run in their package.
    let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let path = root.join(corpus).join("certificates").join(file);
    let der =
        CertificateDer::from_pem_file(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Some(Identity::from_der(&der).unwrap_or_else(|error| panic!("{file}: {error}")))
}

fn codes(identity: &Identity) -> Vec<FindingCode> {
    identity.findings.iter().map(|finding| finding.code).collect()
}

fn roles(roles: &[Role]) -> Roles {
    roles.iter().copied().collect()
}

#[test]
fn multicert_qwac_is_read_whole() {
    let Some(identity) = read("forgerock/multicert-psd2-eidas.cer") else { return };
    let json = serde_json::to_value(&identity).unwrap();
    let expected = serde_json::json!({
        "subject": {
            "common_name": "api.gosafeconnect.com",
            "organization": "SAFECONNECT LTD",
            "country": "GB",
            "organization_identifier": "PSDGB-FCA-827001",
        },
        "validity": { "not_before": "2019-09-17T14:47:12Z", "not_after": "2021-09-17T22:59:59Z" },
        "signature_algorithm": "sha256WithRSAEncryption",
        "key": { "algorithm": "RSA", "bits": 2048 },
        "certificate_authority": false,
        "key_usage": ["digitalSignature", "keyEncipherment", "dataEncipherment"],
        "extended_key_usage": ["serverAuth", "clientAuth"],
        "revocation_exempt": false,
        "psd2": {
            "roles": ["PSP_AI", "PSP_PI"],
            "role_entries": [
                { "oid": "0.4.0.19495.1.3", "name": "PSP_AI" },
                { "oid": "0.4.0.19495.1.2", "name": "PSP_PI" },
            ],
            "nca_name": "Financial Conduct Authority",
            "nca_id": "GB-FCA",
            "authorisation": { "country": "GB", "nca": "FCA", "number": "827001" },
        },
    });
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(&json[field], value, "{field}");
    }
    assert_eq!(identity.findings, []);
    let qc = identity.qc.as_ref().unwrap();
    assert!(qc.compliance && qc.types == [portcullis_identity::QcType::Web] && qc.legislation.is_empty());
    let name = "1.3.6.1.4.1.311.60.2.1.3=#13024742,businessCategory=Private Organization,CN=api.gosafeconnect.com,\
                serialNumber=11598433,OU=PSD2 Qualified Website Authentication,\
                organizationIdentifier=PSDGB-FCA-827001,O=SAFECONNECT LTD,L=London,C=GB";
    assert_eq!(identity.subject.distinguished_name, name);
}

#[test]
fn d_trust_test_qwac_has_three_roles() {
    let Some(identity) = read("d-trust-test/PSDDE-BAFIN-104114-cert.pem") else { return };
    let psd2 = identity.psd2.as_ref().unwrap();
    assert_eq!(psd2.roles, roles(&[Role::PspAs, Role::PspAi, Role::PspPi]));
    assert_eq!(psd2.nca_name, "Federal Financial Supervisory Authority");
    assert_eq!(psd2.nca_id, "DE-BAFIN");
    assert_eq!(identity.subject.organization_identifier.as_deref(), Some("PSDDE-BAFIN-104114"));
    assert_eq!(identity.subject.organization.as_deref(), Some("Hanseatic Bank GmbH & Co KG"));
    assert_eq!(codes(&identity), []);
}

#[test]
fn harica_qwac_has_no_psd2_statement() {
    let Some(identity) = read("harica/harica.cer") else { return };
    assert_eq!(identity.psd2, None);
    assert_eq!(identity.subject.organization_identifier.as_deref(), Some("VATGR-099028220"));
    assert_eq!(codes(&identity), []);
}

/// Every certificate of the set puts all roles into one SEQUENCE, so none of them has a role that can be read.
#[test]
fn wso2_certificates_have_flattened_roles() {
    for folder in ["aisp-role", "pisp-role", "all-permissions"] {
        for file in ["qwac.pem", "qseal.pem"] {
            let Some(identity) = read(&format!("wso2/{folder}/{file}")) else { return };
            assert_eq!(identity.psd2, None, "{folder}/{file}");
            assert_eq!(codes(&identity), [FindingCode::Psd2FlattenedRoles], "{folder}/{file}");
            assert_eq!(identity.subject.organization.as_deref(), Some("WSO2 (UK) LIMITED"));
        }
    }
}

#[test]
fn forgerock_transport_certificates_are_read() {
    let Some(identity) = read("forgerock/dev-transport.pem") else { return };
    let psd2 = identity.psd2.as_ref().unwrap();
    assert_eq!(psd2.roles, roles(&[Role::PspIc, Role::PspAi, Role::PspPi]));
    assert_eq!(psd2.role_entries[0].name, "Card Based Payment Instruments");
    assert_eq!(psd2.nca_id, "GB-FFA");
    assert_eq!(codes(&identity), [FindingCode::Psd2RoleNameMismatch; 3]);

    let Some(identity) = read("forgerock/ob-transport.pem") else { return };
    let psd2 = identity.psd2.as_ref().unwrap();
    assert_eq!(psd2.roles, roles(&[Role::PspAi]));
    assert_eq!(psd2.nca_id, "GB-FCA");
    assert_eq!(identity.subject.organization_identifier.as_deref(), Some("PSDGB-TEST-123456"));

    let Some(identity) = read("forgerock/fr-directory.pem") else { return };
    assert_eq!((&identity.psd2, codes(&identity)), (&None, vec![]));
}
