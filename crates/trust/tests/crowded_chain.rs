//! A client that nobody knows may not choose how long the gate searches. It can make certificates that bear an anchor's
//! name in any number, and webpki tries every order in which they fit together, until its budget of a hundred signatures
//! is spent (`path.too-complex`). What a chain may hold is bounded so that no search gets there, while chains with a
//! root, a cross-certificate or a CA's change of key in them still lead to their anchor.
#![allow(clippy::unwrap_used, reason = "clippy knows tests by their attribute, not their helpers")]

mod pki;

use pki::{
    Authority, anchors, ca_params, chain, intermediate, key, leaf, leaf_params, root, root_with, verify,
};
use portcullis_trust::{MAX_INTERMEDIATES, PathError};
use rcgen::CertifiedIssuer;

/// An authority that bears `subject` and was issued by one that calls itself `issuer`.
fn named(subject: &str, issuer: &str) -> Authority {
    intermediate(ca_params(subject), &root(issuer))
}

#[test]
fn self_issued_junk_is_not_searched() {
    let junk: Vec<_> = (0..MAX_INTERMEDIATES).map(|_| root("Root")).collect();
    let own = leaf(&leaf_params("tpp"), &junk[0]);
    let presented = chain(&junk.iter().collect::<Vec<_>>());
    let genuine = root("Root");
    // The one signature that was looked at is the leaf's by the anchor's key.
    let error = verify(&anchors(&[&genuine]), &own, &presented).unwrap_err();
    assert_eq!(error, PathError::BadSignature);
    // Nor does junk hide a path that is there.
    let own = leaf(&leaf_params("tpp"), &genuine);
    assert_eq!(verify(&anchors(&[&genuine]), &own, &presented).unwrap().intermediates(), 0);
}

#[test]
fn two_are_searched_as_they_came() {
    let (junk, other) = (root("Root"), root("Root"));
    let error =
        verify(&anchors(&[&root("Root")]), &leaf(&leaf_params("tpp"), &junk), &chain(&[&junk, &other]));
    assert_eq!(error.unwrap_err(), PathError::BadSignature);
}

#[test]
fn a_third_certificate_of_one_subject_is_refused() {
    let genuine = root("Root");
    let issuing = intermediate(ca_params("Issuing"), &genuine);
    let own = leaf(&leaf_params("tpp"), &issuing);
    let copies = [named("Issuing", "A"), named("Issuing", "B")];
    let presented = chain(&[&copies[0], &copies[1], &issuing]);
    let error = verify(&anchors(&[&genuine]), &own, &presented).unwrap_err();
    let expected = PathError::RepeatedSubject { subject: "CN=Issuing".to_owned(), presented: 3, limit: 2 };
    assert_eq!((error.code(), &error), ("path.repeated-subject", &expected));
    // With one fewer the path is found behind the other.
    let presented = chain(&[&copies[0], &issuing, &named("Elsewhere", "B")]);
    assert_eq!(verify(&anchors(&[&genuine]), &own, &presented).unwrap().intermediates(), 1);
}

/// The worst that the rules leave: four levels of two, all orders of which end under the anchor's name.
#[test]
fn the_largest_mesh_that_is_searched_stays_within_the_budget() {
    let levels = ["A", "B", "C", "D", "Root"];
    let mesh: Vec<_> = levels.windows(2).flat_map(|pair| (0..2).map(|_| named(pair[0], pair[1]))).collect();
    let circle = [("A", "B"), ("B", "Root"), ("Root", "C"), ("C", "A")];
    let circle: Vec<_> = circle.iter().flat_map(|(name, by)| (0..2).map(|_| named(name, by))).collect();
    for authorities in [mesh, circle] {
        assert_eq!(authorities.len(), MAX_INTERMEDIATES);
        let own = leaf(&leaf_params("tpp"), &authorities[0]);
        let presented = chain(&authorities.iter().collect::<Vec<_>>());
        let error = verify(&anchors(&[&root("Root")]), &own, &presented).unwrap_err();
        assert_eq!(error, PathError::BadSignature);
    }
}

#[test]
fn a_cross_certificate_leads_to_either_anchor() {
    let (old, new) = (root("Old Root"), root("New Root"));
    let (issuing_key, lower_params) = (key(), ca_params("Lower"));
    let by_old = CertifiedIssuer::signed_by(ca_params("Issuing"), &issuing_key, &old).unwrap();
    let by_new = CertifiedIssuer::signed_by(ca_params("Issuing"), &issuing_key, &new).unwrap();
    let lower = CertifiedIssuer::signed_by(lower_params, key(), &by_old).unwrap();
    let own = leaf_params("tpp").signed_by(&key(), &lower).unwrap();
    let presented = [lower.der(), by_old.der(), by_new.der(), old.der(), new.der()].map(Clone::clone);
    for anchor in [&old, &new] {
        assert_eq!(verify(&anchors(&[anchor]), own.der(), &presented).unwrap().intermediates(), 2);
    }
}

#[test]
fn a_change_of_key_is_followed_in_a_chain_of_two() {
    let (old_key, new_key) = (key(), key());
    let old = root_with("Root", old_key);
    // The new key, certified under the same name by the old one (RFC 4210 4.4).
    let new_with_old = CertifiedIssuer::signed_by(ca_params("Root"), new_key, &old).unwrap();
    let issuing = intermediate(ca_params("Issuing"), &new_with_old);
    let own = leaf(&leaf_params("tpp"), &issuing);
    let path = verify(&anchors(&[&old]), &own, &chain(&[&issuing, &new_with_old])).unwrap();
    assert_eq!(path.intermediates(), 2);
}
