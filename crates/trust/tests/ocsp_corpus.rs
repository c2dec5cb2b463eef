//! A real OCSP response: believed in its time, and not after. `PORTCULLIS_CORPUS` names the folder of the data; without it the test says
//! that it was skipped.
#![allow(clippy::unwrap_used, reason = "clippy knows tests by their attribute, not their helpers")]

use std::io::Write as _;
use std::{env, fs, path::Path};

use portcullis_identity::{Identity, TbsCertificate};
use portcullis_trust::{CertificateStatus, Issuer, OcspError, OcspQuestion};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

fn certificate(path: &Path) -> Vec<u8> {
    let bytes = fs::read(path).unwrap();
    CertificateDer::from_pem_slice(&bytes).map_or(bytes, |der| der.to_vec())
}

#[test]
fn harica_says_good_in_its_time() {
    let Some(corpus) = env::var_os("PORTCULLIS_CORPUS") else {
        // Written past the test harness, which shows what a passing test prints to nobody.
        std::io::stderr().write_all(b"SKIPPED: PORTCULLIS_CORPUS is not set\n").unwrap();
        return;
    };
    // A relative path is meant from the root of the repository, while tests run in their package.
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let folder = root.join(corpus).join("certificates/harica");
    let ca = certificate(&folder.join("harica_ca.cer"));
    let leaf = Identity::from_der(&certificate(&folder.join("harica.cer"))).unwrap();
    let response = fs::read(folder.join("harica_ocsp.bin")).unwrap();
    let issuer = Issuer::of_certificate(&TbsCertificate::from_der(&ca).unwrap()).unwrap();
    let asked = OcspQuestion { issuer: &issuer, serial: leaf.serial_number.as_octets() };
    // Read at a time that is far too late, it says itself when it was good.
    let Err(OcspError::Stale { until, .. }) = asked.read(&response, None, 1_900_000_000, &|_| false) else {
        let read = asked.read(&response, None, 1_900_000_000, &|_| false);
        panic!("{read:?}");
    };
    let answer = asked.read(&response, None, until, &|_| false).unwrap();
    assert_eq!(answer.status, CertificateStatus::Good);
    assert_eq!(answer.next_update, until);
    assert!(matches!(asked.read(&response, None, until + 1, &|_| false), Err(OcspError::Stale { .. })));
    assert!(asked.read(&response, None, answer.this_update, &|_| false).is_ok());
}
