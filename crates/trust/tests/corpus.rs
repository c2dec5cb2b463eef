//! Paths of certificates that others made. `PORTCULLIS_CORPUS` names the folder of the data, which is not part of
//! this repository; without it the tests say that they were skipped.
#![allow(clippy::unwrap_used, reason = "clippy knows tests by their attribute, not their helpers")]

mod pki;

use std::io::Write as _;
use std::path::PathBuf;

use pki::at;
use portcullis_trust::{Anchors, EkuRule};
use rcgen::date_time_ymd;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

fn folder() -> Option<PathBuf> {
    let corpus = std::env::var_os("PORTCULLIS_CORPUS");
    if corpus.is_none() {
        // Written past the test harness, which shows what a passing test prints to nobody.
        std::io::stderr().write_all(b"SKIPPED: PORTCULLIS_CORPUS is not set\n").unwrap();
    }
    // A relative path is meant from the root of the repository, while tests run in their package.
    let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    Some(root.join(corpus?).join("certificates"))
}

fn certificate(path: PathBuf) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(path).unwrap()
}

fn anchors(path: PathBuf) -> Anchors {
    Anchors::from_pem(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn d_trust_test_qwac_has_a_path() {
    let Some(folder) = folder().map(|folder| folder.join("d-trust-test")) else { return };
    let leaf = certificate(folder.join("PSDDE-BAFIN-104114-cert.pem"));
    let issuing = certificate(folder.join("QWAC-CA_Ref.pem"));
    let anchors = anchors(folder.join("QWAC-Root_Ref.pem"));
    let now = at(date_time_ymd(2020, 6, 1).unix_timestamp());
    let path = anchors.verify_path(&leaf, &[issuing], EkuRule::ClientAuth, now).unwrap();
    assert_eq!(path.intermediates(), 1);
    let error = anchors.verify_path(&leaf, &[], EkuRule::ClientAuth, now).unwrap_err();
    assert_eq!(error.code(), "path.unknown-issuer");
}

#[test]
fn harica_qwac_has_a_path() {
    let Some(folder) = folder().map(|folder| folder.join("harica")) else { return };
    let leaf = certificate(folder.join("harica.cer"));
    let anchors = anchors(folder.join("harica_ca.cer"));
    let now = at(date_time_ymd(2026, 3, 1).unix_timestamp());
    assert!(anchors.verify_path(&leaf, &[], EkuRule::AnyTls, now).is_ok());
}

/// The leaves of this set are signed with SHA-1.
#[test]
fn wso2_certificates_are_refused_for_their_algorithm() {
    let Some(folder) = folder().map(|folder| folder.join("wso2")) else { return };
    let leaf = certificate(folder.join("aisp-role/qwac.pem"));
    let anchors = anchors(folder.join("obie-test-ca.pem"));
    let now = at(date_time_ymd(2023, 1, 1).unix_timestamp());
    let error = anchors.verify_path(&leaf, &[], EkuRule::ClientAuth, now).unwrap_err();
    assert_eq!(error.code(), "path.unsupported-algorithm");
}
