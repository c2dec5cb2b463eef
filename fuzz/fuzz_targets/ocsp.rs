//! Any bytes as an OCSP response: no panic, and what is believed is about the certificate, signed by the CA of the seeds, and of
//! the present.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use portcullis_identity::{Identity, TbsCertificate};
use portcullis_trust::{Issuer, OcspQuestion};

const CA: &[u8] = include_bytes!("../seeds/ca.der");
const LEAF: &[u8] = include_bytes!("../seeds/leaf.der");
/// In the time of the seeds.
const NOW: i64 = 1_800_000_000;

static CERTIFICATES: LazyLock<(Issuer, Identity)> = LazyLock::new(|| {
    let issuer = TbsCertificate::from_der(CA).and_then(|tbs| Issuer::of_certificate(&tbs));
    (issuer.expect("a CA"), Identity::from_der(LEAF).expect("a certificate"))
});

fuzz_target!(|bytes: &[u8]| {
    let (issuer, leaf) = &*CERTIFICATES;
    let question = OcspQuestion { issuer, serial: leaf.serial_number.as_octets() };
    match question.read(bytes, None, NOW, &|_| true) {
        Ok(answer) => assert!(answer.next_update >= NOW),
        Err(error) => assert!(error.code().starts_with("ocsp.")),
    }
});
