//! A TPP certificate says what its builder was told, read back by a parser that did not write it; one method changes one
//! property and leaves the others alone.

use portcullis_test_pki::{
    Authority, Credential, Error, ExtendedKeyUsagePurpose, QcStatements, Role, Subject, TppCertificate,
    Validity, oid,
};
use time::OffsetDateTime;
use x509_parser::prelude::{FromDer as _, ParsedExtension, X509Certificate, X509Extension};

const QC_STATEMENTS_OID: &str = "1.3.6.1.5.5.7.1.3";

fn parsed(credential: &Credential) -> X509Certificate<'_> {
    X509Certificate::from_der(credential.leaf_der()).expect("the certificate parses").1
}

fn extension<'a>(certificate: &'a X509Certificate<'_>, oid: &str) -> Option<&'a X509Extension<'a>> {
    certificate.extensions().iter().find(|extension| extension.oid.to_id_string() == oid)
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

#[test]
fn the_default_is_a_qwac_of_a_legal_person() -> Result<(), Error> {
    let qtsp = Authority::qtsp()?;
    let credential = TppCertificate::new("Lindenblatt Kontodienst GmbH").roles([Role::PspAi]).issue(&qtsp)?;
    let leaf = parsed(&credential);

    let subject = leaf.subject().to_string();
    assert!(subject.contains("C=DE") && subject.contains("O=Lindenblatt Kontodienst GmbH"), "{subject}");
    assert!(subject.contains("PSDDE-BAFIN-104114"), "{subject}");
    let usages = leaf.extended_key_usage().expect("well-formed").expect("present").value;
    assert!(usages.client_auth && usages.server_auth);
    let key_usage = leaf.key_usage().expect("well-formed").expect("present");
    assert!(key_usage.critical && key_usage.value.digital_signature() && !key_usage.value.key_cert_sign());
    assert!(!leaf.is_ca());

    let statements = extension(&leaf, QC_STATEMENTS_OID).expect("present");
    assert!(!statements.critical);
    assert!(contains(statements.value, b"PSP_AI") && contains(statements.value, b"DE-BAFIN"));
    assert!(!contains(statements.value, b"PSP_PI"));
    Ok(())
}

#[test]
fn the_leaf_names_the_key_of_its_issuer() -> Result<(), Error> {
    let qtsp = Authority::qtsp()?;
    let credential = TppCertificate::new("Lindenblatt Kontodienst GmbH").issue(&qtsp)?;
    let (_, issuing) = X509Certificate::from_der(qtsp.issuing_der()).expect("parses");
    let leaf = parsed(&credential);
    let named = leaf.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::AuthorityKeyIdentifier(identifier) => identifier.key_identifier.clone(),
        _ => None,
    });
    let own = issuing.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::SubjectKeyIdentifier(identifier) => Some(identifier.clone()),
        _ => None,
    });
    assert!(own.is_some());
    assert_eq!(named, own);
    Ok(())
}

#[test]
fn each_property_changes_alone() -> Result<(), Error> {
    let qtsp = Authority::qtsp()?;
    let base = || TppCertificate::new("Lindenblatt Kontodienst GmbH").roles([Role::PspPi]);

    let credential = base().extended_key_usages([]).issue(&qtsp)?;
    assert!(parsed(&credential).extended_key_usage().expect("well-formed").is_none());
    let credential = base().extended_key_usages([ExtendedKeyUsagePurpose::ServerAuth]).issue(&qtsp)?;
    let leaf = parsed(&credential);
    let usages = leaf.extended_key_usage().expect("well-formed").expect("present").value;
    assert!(usages.server_auth && !usages.client_auth);

    let credential = base().validity(Validity::expired()).issue(&qtsp)?;
    let expired = Validity::of_pem(credential.chain_pem().as_bytes())?;
    assert!(expired.not_after < OffsetDateTime::now_utc());
    let credential = base().validity(Validity::not_yet()).issue(&qtsp)?;
    let not_yet = Validity::of_pem(credential.chain_pem().as_bytes())?;
    assert!(not_yet.not_before > OffsetDateTime::now_utc());

    let credential = base().names([] as [&str; 0]).issue(&qtsp)?;
    assert!(parsed(&credential).subject_alternative_name().expect("well-formed").is_none());
    let credential = base().policies([]).issue(&qtsp)?;
    assert!(extension(&parsed(&credential), "2.5.29.32").is_none());

    let nameless = Subject::new("Lindenblatt Kontodienst GmbH");
    let credential = base().subject(nameless).issue(&qtsp)?;
    assert!(!parsed(&credential).subject().to_string().contains("PSDDE"));
    Ok(())
}

#[test]
fn statements_change_alone() -> Result<(), Error> {
    let qtsp = Authority::qtsp()?;
    let base = || TppCertificate::new("Lindenblatt Kontodienst GmbH").roles([Role::PspPi]);

    let credential = base().without_qc_statements().issue(&qtsp)?;
    assert!(extension(&parsed(&credential), QC_STATEMENTS_OID).is_none());
    let credential = base().critical_qc_statements().issue(&qtsp)?;
    assert!(extension(&parsed(&credential), QC_STATEMENTS_OID).expect("present").critical);
    let credential = base().raw_qc_statements(vec![0x30, 0x80]).issue(&qtsp)?;
    assert_eq!(extension(&parsed(&credential), QC_STATEMENTS_OID).expect("present").value, [0x30, 0x80]);

    let unqualified = QcStatements::qwac().without(oid::QC_COMPLIANCE);
    let credential = base().qc_statements(unqualified).issue(&qtsp)?;
    let leaf = parsed(&credential);
    let statements = extension(&leaf, QC_STATEMENTS_OID).expect("present").value;
    assert!(contains(statements, b"PSP_PI"));
    assert!(!contains(statements, b"\x06\x06\x04\x00\x8e\x46\x01\x01"));
    Ok(())
}

#[test]
fn revocation_and_issuer_are_named_on_request() -> Result<(), Error> {
    let qtsp = Authority::qtsp()?;
    let credential = TppCertificate::new("Lindenblatt Kontodienst GmbH")
        .crl_distribution_point("http://crl.example.com/issuing-3.crl")
        .ocsp_responder("http://ocsp.example.com/")
        .ca_issuers("http://www.example.com/issuing-3.cer")
        .issue(&qtsp)?;
    let leaf = parsed(&credential);
    let crl = extension(&leaf, "2.5.29.31").expect("present").value;
    assert!(contains(crl, b"http://crl.example.com/issuing-3.crl"));
    let access = extension(&leaf, "1.3.6.1.5.5.7.1.1").expect("present");
    assert!(matches!(access.parsed_extension(), ParsedExtension::AuthorityInfoAccess(_)));
    assert!(contains(access.value, b"http://ocsp.example.com/"));
    Ok(())
}

#[test]
fn a_country_that_is_no_printable_string_is_refused() -> Result<(), Error> {
    let mut subject = Subject::new("Lindenblatt Kontodienst GmbH");
    subject.country = "D€".to_owned();
    let refused = TppCertificate::new("").subject(subject).issue(&Authority::qtsp()?);
    assert!(matches!(refused, Err(Error::Issue(_))));
    Ok(())
}
