//! Every signature algorithm that CAs of qualified certificates use is verified. That SHA-1 is not, `corpus.rs` shows.
#![allow(clippy::unwrap_used, reason = "clippy knows tests by their attribute, not their helpers")]

mod pki;

use pki::{anchors, key_for, leaf, leaf_params, now, root_with};
use portcullis_trust::EkuRule;
use rcgen::{KeyPair, RsaKeySize};

fn verify(key: KeyPair) {
    let root = root_with("Root", key);
    let leaf = leaf(&leaf_params("tpp"), &root);
    anchors(&[&root]).verify_path(&leaf, &[], EkuRule::ClientAuth, now()).unwrap();
}

#[test]
fn ecdsa_and_eddsa() {
    verify(key_for(&rcgen::PKCS_ECDSA_P256_SHA256));
    verify(key_for(&rcgen::PKCS_ECDSA_P384_SHA384));
    verify(key_for(&rcgen::PKCS_ECDSA_P521_SHA512));
    verify(key_for(&rcgen::PKCS_ED25519));
}

#[test]
fn rsa() {
    verify(KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap());
    verify(KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA384, RsaKeySize::_3072).unwrap());
    verify(KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA512, RsaKeySize::_4096).unwrap());
}
