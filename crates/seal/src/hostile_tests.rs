//! Any bytes as a message: no panic, nothing accepted that nobody sealed, and nothing refused that was sealed.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::test_message::{BODY, Credential, NOW, Request};
use crate::{Algorithm, Outcome, Profile, SealRules, explain};

const NAMES: [&str; 8] = [
    "Signature",
    "Signature-Input",
    "Digest",
    "Content-Digest",
    "TPP-Signature-Certificate",
    "X-Request-ID",
    "Date",
    "PSU-ID",
];

/// Pieces of what a field may be, so that parsers are led far in.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        vec(any::<u8>(), 0..40),
        r#"(keyId|algorithm|headers|signature|created|expires)="?(SN=[0-9A-F]{0,4},CA=CN=[a-z\\#"%]{0,6}|rsa-sha256|hs2019|\(created\) digest|[A-Za-z0-9+/]{0,8}={0,2}|[0-9.]{0,12})"?,?"#
            .prop_map(String::into_bytes),
        r#"a=\(("@method"|"@query-param";name="a%"|"digest";(sf|bs|key="a")|"x")*\)(;created=[0-9]{1,16}|;alg="[a-z0-9-]{0,9}"|;keyid="[ -~]{0,9}")*"#
            .prop_map(String::into_bytes),
        r"(a|SHA-256|sha-512)=:?[A-Za-z0-9+/]{0,8}={0,2}:?,?".prop_map(String::into_bytes),
        Just(b"-----BEGIN CERTIFICATE----- MAA= -----END CERTIFICATE-----".to_vec()),
    ]
}

proptest! {
    #[test]
    fn any_fields_are_read_without_panic(
        fields in vec((0..NAMES.len(), vec(piece(), 0..4)), 0..9),
        query in "[ -~]{0,20}",
    ) {
        let fields = fields.into_iter().map(|(name, pieces)| (NAMES[name].to_owned(), pieces.concat())).collect();
        let request = Request { method: "POST".to_owned(), query: Some(query), fields };
        let rules = SealRules { request_id_required: false, ..SealRules::default() };
        let refused = request.verify(&rules).is_err();
        prop_assert!(refused, "nobody has signed it");
        let steps = request.with(|head| explain(head, BODY, &rules, NOW));
        prop_assert!(steps.iter().any(|step| step.outcome != Outcome::Passed));
    }

    /// Whatever fields and query are, who verifies builds what who sealed has built.
    #[test]
    fn what_is_sealed_verifies(
        psu_id in "[ -~]{0,20}",
        query in proptest::option::of("[!-~]{0,20}"),
        body in vec(any::<u8>(), 0..50),
        is_rfc in any::<bool>(),
    ) {
        let sealer = Credential::p256().sealer(Algorithm::EcdsaP256Sha256);
        let profile = if is_rfc { Profile::MessageSignatures } else { Profile::BerlinGroup };
        let request = Request { query, ..Request::unsealed() }.without("psu-id").and("psu-id", &psu_id);
        let request = request.seal_body(&sealer, profile, &body);
        prop_assert_eq!(request.told(&body, &SealRules::default()), "sealed");
    }

    #[test]
    fn one_bit_of_a_covered_field_is_seen(
        at in any::<prop::sample::Index>(),
        bit in 0..8u32,
        is_rfc in any::<bool>(),
    ) {
        let sealer = Credential::p256().sealer(Algorithm::EcdsaP256Sha256);
        let profile = if is_rfc { Profile::MessageSignatures } else { Profile::BerlinGroup };
        let mut request = Request::sealed(&sealer, profile);
        let name = *at.get(&["x-request-id", "psu-id", "tpp-redirect-uri"]);
        let is_named = |(other, _): &&mut (String, Vec<u8>)| other.eq_ignore_ascii_case(name);
        let (_, value) = request.fields.iter_mut().find(is_named).unwrap();
        let octet = at.index(value.len());
        value[octet] ^= 1 << bit;
        prop_assert!(request.told(BODY, &SealRules::default()) != "sealed");
    }
}
