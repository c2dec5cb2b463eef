//! Two roots have certified one issuing CA. A path through the first that is unwanted must not hide the second.
#![allow(clippy::unwrap_used, reason = "clippy knows tests by their attribute, not their helpers")]

mod pki;

use pki::{anchors, ca_params, chain, leaf, leaf_params, now, root};
use portcullis_trust::{EkuRule, Objection, PathError};

#[test]
fn an_unwanted_anchor_does_not_hide_a_good_one() {
    let (withdrawn, granted) = (root("Withdrawn"), root("Granted"));
    let issuing_key = pki::key();
    let pem = issuing_key.serialize_pem();
    let same_key = rcgen::KeyPair::from_pem(&pem).unwrap();
    let by_withdrawn =
        rcgen::CertifiedIssuer::signed_by(ca_params("Issuing"), issuing_key, &withdrawn).unwrap();
    let by_granted = rcgen::CertifiedIssuer::signed_by(ca_params("Issuing"), same_key, &granted).unwrap();
    let leaf = leaf(&leaf_params("tpp"), &by_granted);
    let anchors = anchors(&[&withdrawn, &granted]);
    let presented = chain(&[&by_withdrawn, &by_granted]);
    let objection = || Objection { code: "trust.withdrawn", message: "the service is withdrawn".to_owned() };
    let refuse = |unwanted: &'static [&'static str]| {
        anchors.verify_path_where(&leaf, &presented, EkuRule::ClientAuth, now(), |candidate| {
            if unwanted.contains(&candidate.anchor.subject.as_str()) { Err(objection()) } else { Ok(()) }
        })
    };
    assert_eq!(refuse(&[]).unwrap().anchor_index(), 0);
    assert_eq!(refuse(&["CN=Withdrawn"]).unwrap().anchor_index(), 1);
    let error = refuse(&["CN=Withdrawn", "CN=Granted"]).unwrap_err();
    assert_eq!((error.code(), error), ("trust.withdrawn", PathError::Unwanted(objection())));
}
