//! A path is found whenever there is one, in whatever order and company its certificates come, and the refusal says
//! what is missing or wrong when there is none.
#![allow(clippy::unwrap_used, reason = "clippy knows tests by their attribute, not their helpers")]

mod pki;

use pki::{anchors, at, ca_params, chain, critical, intermediate, leaf, leaf_params, now, root, verify};
use portcullis_identity::Thumbprint;
use portcullis_trust::{Anchors, EkuRule, MAX_CHAIN_BYTES, MAX_INTERMEDIATES, PathError, Presented};
use rcgen::{BasicConstraints, ExtendedKeyUsagePurpose, IsCa, date_time_ymd};
use rustls_pki_types::CertificateDer;

#[test]
fn a_chain_of_three_is_trusted_until_its_first_end() {
    let root = root("Root");
    let mut params = ca_params("Issuing");
    params.not_after = date_time_ymd(2027, 6, 1);
    let issuing = intermediate(params, &root);
    let leaf = leaf(&leaf_params("tpp"), &issuing);
    let path = verify(&anchors(&[&root]), &leaf, &chain(&[&issuing])).unwrap();
    assert_eq!(path.intermediates(), 1);
    assert_eq!(path.anchor_index(), 0);
    assert_eq!(path.anchor(), Thumbprint::of(root.der()));
    assert_eq!(path.not_after(), date_time_ymd(2027, 6, 1).unix_timestamp());
}

#[test]
fn order_and_company_do_not_matter() {
    let (root, stranger) = (root("Root"), root("Stranger"));
    let upper = intermediate(ca_params("Upper"), &root);
    let lower = intermediate(ca_params("Lower"), &upper);
    let leaf = leaf(&leaf_params("tpp"), &lower);
    let anchors = anchors(&[&root]);
    for presented in [
        chain(&[&lower, &upper]),
        chain(&[&upper, &lower]),
        chain(&[&stranger, &root, &upper, &lower, &lower]),
    ] {
        assert_eq!(verify(&anchors, &leaf, &presented).unwrap().intermediates(), 2);
    }
}

#[test]
fn a_missing_intermediate_is_named() {
    let root = root("Root");
    let upper = intermediate(ca_params("Upper, with comma"), &root);
    let lower = intermediate(ca_params("Lower"), &upper);
    let leaf = leaf(&leaf_params("tpp"), &lower);
    let anchors = anchors(&[&root]);
    let missing = |presented: &[CertificateDer<'_>]| match verify(&anchors, &leaf, presented) {
        Err(PathError::UnknownIssuer { issuer, .. }) => issuer,
        other => panic!("{other:?}"),
    };
    assert_eq!(missing(&[]), "CN=Lower");
    assert_eq!(missing(&chain(&[&lower])), r"CN=Upper\, with comma");
    assert_eq!(missing(&chain(&[&upper])), "CN=Lower");
}

#[test]
fn a_foreign_root_is_unknown() {
    let foreign = root("Foreign");
    let leaf = leaf(&leaf_params("tpp"), &foreign);
    let error = verify(&anchors(&[&root("Root")]), &leaf, &chain(&[&foreign])).unwrap_err();
    let expected = PathError::UnknownIssuer { issuer: "CN=Foreign".to_owned(), presented: 1, anchors: 1 };
    assert_eq!((error.code(), &error), ("path.unknown-issuer", &expected));
    assert_eq!(verify(&Anchors::default(), &leaf, &[]).unwrap_err().code(), "path.unknown-issuer");
}

#[test]
fn names_in_a_circle_end_the_search() {
    let (one, other) = (root("One"), root("Other"));
    let by_other = intermediate(ca_params("One"), &other);
    let by_one = intermediate(ca_params("Other"), &one);
    let leaf = leaf(&leaf_params("tpp"), &by_one);
    let error = verify(&anchors(&[&root("Root")]), &leaf, &chain(&[&by_one, &by_other])).unwrap_err();
    assert_eq!(error.code(), "path.unknown-issuer");
}

#[test]
fn the_issuing_ca_may_be_the_anchor() {
    let root = root("Root");
    let issuing = intermediate(ca_params("Issuing"), &root);
    let leaf = leaf(&leaf_params("tpp"), &issuing);
    let path = verify(&anchors(&[&issuing]), &leaf, &[]).unwrap();
    assert_eq!((path.intermediates(), path.anchor()), (0, Thumbprint::of(issuing.der())));
}

#[test]
fn anchors_of_one_name_and_two_keys_are_both_tried() {
    let (old, new) = (root("Root"), root("Root"));
    let leaf_of_old = leaf(&leaf_params("tpp"), &old);
    let leaf_of_new = leaf(&leaf_params("tpp"), &new);
    let both = anchors(&[&old, &new]);
    assert_eq!(verify(&both, &leaf_of_old, &[]).unwrap().anchor_index(), 0);
    assert_eq!(verify(&both, &leaf_of_new, &[]).unwrap().anchor_index(), 1);
    let error = verify(&anchors(&[&new]), &leaf_of_old, &[]).unwrap_err();
    assert_eq!(error, PathError::BadSignature);
}

#[test]
fn an_altered_certificate_has_a_bad_signature() {
    let root = root("Root");
    let mut altered = leaf(&leaf_params("tpp-AAAA"), &root).to_vec();
    let name = altered.windows(8).position(|window| window == b"tpp-AAAA").unwrap();
    altered[name + 4] = b'B';
    let error = verify(&anchors(&[&root]), &altered.into(), &[]).unwrap_err();
    assert_eq!((error.code(), error), ("path.bad-signature", PathError::BadSignature));
}

#[test]
fn an_expired_certificate_is_said_to_be_expired_whatever_else_is_wrong() {
    let root = root("Root");
    let mut params = leaf_params("tpp");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.not_after = date_time_ymd(2026, 6, 1);
    let not_after = params.not_after.unix_timestamp();
    let expected = PathError::Expired { certificate: Presented(0), not_after, now: pki::NOW };
    for issuer in [&root, &pki::root("Foreign")] {
        let error = verify(&anchors(&[&root]), &leaf(&params, issuer), &[]).unwrap_err();
        assert_eq!((error.code(), &error), ("path.expired", &expected));
    }
    // The last second of validity belongs to it.
    params.extended_key_usages.clear();
    let leaf = leaf(&params, &root);
    let verify_at = |now| anchors(&[&root]).verify_path(&leaf, &[], EkuRule::ClientAuth, at(now));
    assert!(verify_at(not_after).is_ok());
    assert_eq!(verify_at(not_after + 1).unwrap_err().code(), "path.expired");
}

#[test]
fn an_expired_intermediate_is_pointed_at() {
    let root = root("Root");
    let mut params = ca_params("Issuing");
    params.not_after = date_time_ymd(2026, 6, 1);
    let issuing = intermediate(params, &root);
    let leaf = leaf(&leaf_params("tpp"), &issuing);
    let error = verify(&anchors(&[&root]), &leaf, &chain(&[&root, &issuing])).unwrap_err();
    assert!(matches!(error, PathError::Expired { certificate: Presented(2), .. }), "{error:?}");
    assert!(error.to_string().starts_with("intermediate 2 of the chain presented expired"), "{error}");
}

#[test]
fn a_certificate_of_the_future_is_not_yet_valid() {
    let root = root("Root");
    let leaf = leaf(&leaf_params("tpp"), &root);
    let not_before = date_time_ymd(2026, 1, 1).unix_timestamp();
    let error =
        anchors(&[&root]).verify_path(&leaf, &[], EkuRule::ClientAuth, at(not_before - 1)).unwrap_err();
    assert_eq!(error.code(), "path.not-yet-valid");
    assert!(
        matches!(error, PathError::NotYetValid { certificate: Presented(0), not_before: found, .. } if found == not_before)
    );
}

#[test]
fn the_usage_must_fit_the_rule() {
    use ExtendedKeyUsagePurpose::{ClientAuth, OcspSigning, Other, ServerAuth};
    let tls_binding = Other(vec![0, 4, 0, 194_115, 1, 0]);
    let root = root("Root");
    let anchors = anchors(&[&root]);
    for (usages, under_client_auth, under_any_tls) in [
        (vec![], true, true),
        (vec![ClientAuth], true, true),
        (vec![ServerAuth, ClientAuth], true, true),
        (vec![ServerAuth], false, true),
        (vec![OcspSigning], false, false),
        (vec![tls_binding], false, false),
    ] {
        let mut params = leaf_params("tpp");
        params.extended_key_usages = usages.clone();
        let leaf = leaf(&params, &root);
        for (rule, admitted) in [(EkuRule::ClientAuth, under_client_auth), (EkuRule::AnyTls, under_any_tls)] {
            let code = anchors.verify_path(&leaf, &[], rule, now()).map_err(|error| error.code());
            assert_eq!(code.is_ok(), admitted, "{rule:?} {usages:?}");
            assert!(admitted || code == Err("path.unusable-eku"), "{rule:?} {usages:?} {code:?}");
        }
    }
}

#[test]
fn the_usage_found_is_named() {
    let root = root("Root");
    let mut params = leaf_params("tpp");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::Other(vec![0, 4, 0, 2231, 3, 0])];
    let error = verify(&anchors(&[&root]), &leaf(&params, &root), &[]).unwrap_err();
    let present = vec!["0.4.0.2231.3.0".to_owned()];
    let required = "clientAuth (1.3.6.1.5.5.7.3.2)";
    assert_eq!(error, PathError::UnusableEku { certificate: Presented(0), required, present });
}

#[test]
fn an_unprocessed_critical_extension_is_named() {
    let root = root("Root");
    let certificate_policies = &[2, 5, 29, 32];
    let anchors = anchors(&[&root]);
    let oid = || "2.5.29.32".to_owned();

    let own = leaf(&critical(leaf_params("tpp"), certificate_policies), &root);
    let error = verify(&anchors, &own, &[]).unwrap_err();
    assert_eq!(error, PathError::CriticalExtension { certificate: Presented(0), oid: oid() });

    let issuing = intermediate(critical(ca_params("Issuing"), certificate_policies), &root);
    let error = verify(&anchors, &leaf(&leaf_params("tpp"), &issuing), &chain(&[&issuing])).unwrap_err();
    assert_eq!(error, PathError::CriticalExtension { certificate: Presented(1), oid: oid() });
    assert_eq!(error.code(), "path.critical-extension");
}

#[test]
fn constraints_of_cas_hold() {
    let root = root("Root");
    let mut params = ca_params("Upper");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let upper = intermediate(params, &root);
    let lower = intermediate(ca_params("Lower"), &upper);
    let anchors = anchors(&[&root]);
    let below = leaf(&leaf_params("tpp"), &lower);
    let error = verify(&anchors, &below, &chain(&[&lower, &upper])).unwrap_err();
    assert_eq!(error.code(), "path.length-constraint");

    let no_ca = intermediate(leaf_params("No CA"), &root);
    let error = verify(&anchors, &leaf(&leaf_params("tpp"), &no_ca), &chain(&[&no_ca])).unwrap_err();
    assert_eq!(error.code(), "path.issuer-not-ca");

    let error = verify(&anchors, &leaf(&ca_params("tpp"), &root), &[]).unwrap_err();
    assert_eq!(error.code(), "path.ca-as-leaf");
}

#[test]
fn what_is_no_certificate_is_malformed() {
    let root = root("Root");
    let good = leaf(&leaf_params("tpp"), &root);
    for bytes in [&[][..], &[0x30, 0x80], &good[..good.len() - 1]] {
        let error = verify(&anchors(&[&root]), &bytes.into(), &[]).unwrap_err();
        assert_eq!(error.code(), "path.malformed", "{error}");
    }
}

#[test]
fn number_and_size_of_certificates_are_bounded() {
    let root = root("Root");
    let anchors = anchors(&[&root]);
    let leaf = leaf(&leaf_params("tpp"), &root);
    let presented = |count: usize| vec![root.der().clone(); count];
    assert!(verify(&anchors, &leaf, &presented(MAX_INTERMEDIATES)).is_ok());
    let error = verify(&anchors, &leaf, &presented(MAX_INTERMEDIATES + 1)).unwrap_err();
    assert_eq!(error.code(), "path.too-many-certificates");
    for large in [vec![CertificateDer::from(vec![0; MAX_CHAIN_BYTES])], vec![vec![0; 40_000].into(); 2]] {
        assert_eq!(verify(&anchors, &leaf, &large).unwrap_err().code(), "path.too-large");
    }
}

#[test]
fn a_path_deeper_than_six_is_too_long() {
    let root = root("Root");
    let mut authorities = vec![intermediate(ca_params("CA 0"), &root)];
    for depth in 1..MAX_INTERMEDIATES {
        let next = intermediate(ca_params(&format!("CA {depth}")), &authorities[depth - 1]);
        authorities.push(next);
    }
    let anchors = anchors(&[&root]);
    let verify_at = |depth: usize| {
        let presented: Vec<_> = authorities[..depth].iter().collect();
        verify(&anchors, &leaf(&leaf_params("tpp"), presented[depth - 1]), &chain(&presented))
    };
    assert_eq!(verify_at(6).unwrap().intermediates(), 6);
    assert_eq!(verify_at(7).unwrap_err().code(), "path.too-long");
}
