//! Any bytes as a CRL of the seeds' CA: no panic, and what is believed finds each of its own entries.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use portcullis_identity::TbsCertificate;
use portcullis_trust::{Crl, Issuer};

const CA: &[u8] = include_bytes!("../seeds/ca.der");

static ISSUER: LazyLock<Issuer> = LazyLock::new(|| {
    let issuer = TbsCertificate::from_der(CA).and_then(|tbs| Issuer::of_certificate(&tbs));
    issuer.expect("a CA")
});

fuzz_target!(|bytes: &[u8]| {
    match Crl::read(bytes, &ISSUER, 1 << 20) {
        Ok(crl) => assert!(crl.memory_bytes() <= 2 * bytes.len() + 4096),
        Err(error) => assert!(error.code().starts_with("crl.")),
    }
});
