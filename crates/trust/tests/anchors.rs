//! A file of anchors is taken whole or refused with the ordinal of what is wrong.
#![allow(clippy::unwrap_used, reason = "clippy knows tests by their attribute, not their helpers")]

mod pki;

use std::error::Error as _;

use pki::{ca_params, intermediate, leaf_params, root};
use portcullis_trust::{AnchorError, Anchors};

#[test]
fn each_certificate_of_a_file_is_an_anchor_once() {
    let (one, other) = (root("One"), root("Other"));
    let pem = [one.pem(), pki::key().serialize_pem(), other.pem(), one.pem()].concat();
    let mut anchors = Anchors::from_pem(pem.as_bytes()).unwrap();
    let subjects =
        |anchors: &Anchors| -> Vec<_> { anchors.iter().map(|anchor| anchor.subject.clone()).collect() };
    assert_eq!(subjects(&anchors), ["CN=One", "CN=Other"]);
    let third = root("Third");
    anchors.extend(Anchors::from_pem([other.pem(), third.pem()].concat().as_bytes()).unwrap());
    assert_eq!(subjects(&anchors), ["CN=One", "CN=Other", "CN=Third"]);
    assert_eq!((anchors.len(), anchors.trust_anchors().len()), (3, 3));
    assert_eq!(anchors.get(2).unwrap().subject, "CN=Third");
}

#[test]
fn a_file_without_certificates_is_refused() {
    let key = pki::key().serialize_pem();
    for pem in ["", "no PEM at all", &key] {
        assert!(matches!(Anchors::from_pem(pem.as_bytes()), Err(AnchorError::Empty)), "{pem}");
    }
}

#[test]
fn the_ordinal_of_what_is_wrong_is_named() {
    let good = root("Root").pem();
    let cut = good.replace("-----END CERTIFICATE-----", "");
    let no_base64 = good.replace("\nMII", "\n*II");
    let no_der = good.replace("\nMII", "\nAAA");
    for (bad, sentence) in [
        (cut, "certificate 2 is not well-formed PEM"),
        (no_base64, "certificate 2 is not well-formed PEM"),
        (no_der, "certificate 2 cannot be read"),
    ] {
        let error = Anchors::from_pem(format!("{good}{bad}").as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), sentence);
        assert!(error.source().is_some(), "the cause is kept");
    }
}

/// An anchor's key issues certificates that are believed, so a client's own certificate must not become one.
#[test]
fn a_certificate_that_is_no_ca_is_refused() {
    let root = root("Root");
    let leaf = intermediate(leaf_params("tpp"), &root);
    let issuing = intermediate(ca_params("Issuing"), &root);
    assert_eq!(Anchors::from_pem(issuing.pem().as_bytes()).unwrap().len(), 1);
    let error = Anchors::from_pem([root.pem(), leaf.pem()].concat().as_bytes()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "certificate 2 (CN=tpp) is not a CA certificate, so it cannot be a trust anchor"
    );
}
