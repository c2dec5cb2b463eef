//! Writes what the fuzz targets `ocsp` and `crl` start from: run with `-- --ignored`.
#![allow(clippy::unwrap_used, reason = "clippy knows tests by their attribute, not their helpers")]

use std::fs;
use std::path::Path;

use portcullis_test_pki::revocation::{OcspAnswer, OcspResponder, RevocationList};
use portcullis_test_pki::{Authority, TppCertificate};

/// Ten years, so that the seeds are of the present for long.
const LONG: Option<i64> = Some(10 * 365 * 24 * 60 * 60);

#[test]
#[ignore = "writes into the source tree"]
fn write_seeds() {
    let seeds = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/seeds"));
    let qtsp = Authority::qtsp().unwrap();
    let responder = OcspResponder::of(&qtsp).unwrap();
    let leaf = TppCertificate::new("Lindenblatt Kontodienst GmbH").issue(&qtsp).unwrap();
    let answer = || OcspAnswer::about(leaf.leaf_der(), &qtsp).times(-60, LONG);
    let list = || RevocationList::of(&qtsp).times(-60, LONG);
    for (name, bytes) in [
        ("ca.der", qtsp.issuing_der().to_vec()),
        ("leaf.der", leaf.leaf_der().to_vec()),
        ("ocsp/good.der", answer().der().unwrap()),
        ("ocsp/revoked.der", answer().revoked().by_key().sha256().der().unwrap()),
        ("ocsp/delegated.der", answer().by(&responder).nonce(b"12345678").der().unwrap()),
        ("crl/empty.der", list().der().unwrap()),
        ("crl/revoked.der", list().revoked(leaf.leaf_der(), Some(1)).entry(&[1], &[]).der().unwrap()),
        ("crl/partition.der", list().for_point("http://crl.qtsp.test/1.crl").der().unwrap()),
    ] {
        let path = seeds.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}
