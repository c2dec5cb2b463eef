//! A CA read from its files issues as the one that wrote them; what is no CA, or of another key, is not taken for one.

use portcullis_test_pki::{
    Authority, Error, IssuingCa, KeyType, Role, ServerCertificate, Subject, SubjectKey, TppCertificate,
};
use rustls_pki_types::CertificateDer;
use x509_parser::prelude::{FromDer as _, X509Certificate};

fn parsed<'a>(certificate: &'a CertificateDer<'_>) -> X509Certificate<'a> {
    X509Certificate::from_der(certificate).expect("the certificate parses").1
}

fn read(authority: &Authority) -> Result<IssuingCa, Error> {
    let certificates = authority.issuing_pem() + &authority.root_pem();
    IssuingCa::from_pem(&certificates, &authority.issuing_key_pem())
}

#[test]
fn one_key_has_many_certificates() -> Result<(), Error> {
    let qtsp = Authority::qtsp()?;
    let ca = read(&qtsp)?;
    assert_eq!(ca.chain(), [qtsp.issuing_der().clone(), qtsp.root_der().clone()]);
    let issuing = parsed(qtsp.issuing_der());
    for key_type in KeyType::ALL.into_iter().filter(|key_type| *key_type != KeyType::Rsa4096) {
        let key = SubjectKey::generate(key_type)?;
        for serial in [&[0x11, 0x22][..], &[0x33]] {
            let tpp = TppCertificate::new("Lindenblatt Kontodienst GmbH").roles([Role::PspAi]);
            let certificate = tpp.serial_number(serial).issue_for(&key, &ca)?;
            let certificate = parsed(&certificate);
            assert_eq!(certificate.raw_serial(), serial);
            assert_eq!(certificate.issuer().as_raw(), issuing.subject().as_raw());
            assert!(certificate.verify_signature(Some(issuing.public_key())).is_ok());
        }
    }
    Ok(())
}

#[test]
fn an_intermediate_stands_between() -> Result<(), Error> {
    let qtsp = Authority::qtsp()?;
    let refused = read(&qtsp)?.intermediate(&Subject::new("Lasttest CA"), 0);
    assert!(matches!(refused, Err(Error::Issuer(_))), "the issuing CA may have no CA below it");

    // A self-signed CA without a pathLenConstraint, as operators make for a trial.
    let mut params = rcgen::CertificateParams::new([]).expect("no names");
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).expect("a key");
    let root = rcgen::CertifiedIssuer::self_signed(params, key).expect("a root");
    let ca = IssuingCa::from_pem(&root.pem(), &root.key().serialize_pem())?;
    assert_eq!(ca.intermediates()?, [], "a root is no intermediate");
    let below = ca.intermediate(&Subject::new("Lasttest CA"), 0)?;
    let [intermediate, top] = below.chain() else { panic!("two certificates: {:?}", below.chain()) };
    assert_eq!(top, root.der());
    assert_eq!(below.intermediates()?, std::slice::from_ref(intermediate));
    assert!(parsed(intermediate).verify_signature(Some(parsed(top).public_key())).is_ok());
    let leaf = TppCertificate::new("Lindenblatt Kontodienst GmbH")
        .issue_for(&SubjectKey::generate(KeyType::P256)?, &below)?;
    assert!(parsed(&leaf).verify_signature(Some(parsed(intermediate).public_key())).is_ok());
    Ok(())
}

#[test]
fn a_chain_of_cas_is_as_long_as_their_constraints_allow() -> Result<(), Error> {
    let qtsp = Authority::qtsp()?;
    assert_eq!(read(&qtsp)?.intermediates()?, std::slice::from_ref(qtsp.issuing_der()));
    let mut params = rcgen::CertificateParams::new([]).expect("no names");
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Constrained(2));
    let root = rcgen::CertifiedIssuer::self_signed(params, rcgen::KeyPair::generate().expect("a key"));
    let root = root.expect("a root");
    let root = IssuingCa::from_pem(&root.pem(), &root.key().serialize_pem())?;
    assert!(matches!(root.intermediate(&Subject::new("Lasttest CA"), 2), Err(Error::Issuer(_))));
    let upper = root.intermediate(&Subject::new("Lasttest CA").common_name("Lasttest CA 1"), 1)?;
    let lower = upper.intermediate(&Subject::new("Lasttest CA").common_name("Lasttest CA 2"), 0)?;
    assert_eq!((lower.chain().len(), lower.intermediates()?.len()), (3, 2));
    let none = lower.intermediate(&Subject::new("Lasttest CA").common_name("Lasttest CA 3"), 0);
    assert!(matches!(none, Err(Error::Issuer(_))));
    Ok(())
}

#[test]
fn what_is_no_ca_is_refused() -> Result<(), Error> {
    let (qtsp, other) = (Authority::qtsp()?, Authority::foreign()?);
    let strange = IssuingCa::from_pem(&qtsp.issuing_pem(), &other.issuing_key_pem());
    assert!(matches!(strange, Err(Error::Issuer(_))));
    let server = ServerCertificate::new(["localhost"]).issue(&qtsp)?;
    let leaf = IssuingCa::from_pem(&server.chain_pem(), &server.key_pem());
    assert!(matches!(leaf, Err(Error::Issuer(_))));
    assert!(matches!(IssuingCa::from_pem("", &server.key_pem()), Err(Error::Unreadable(_))));
    assert!(matches!(IssuingCa::from_pem(&qtsp.issuing_pem(), ""), Err(Error::Issue(_))));
    Ok(())
}
