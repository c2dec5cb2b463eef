//! The examples of draft-cavage-http-signatures-12, appendix C.

use aws_lc_rs::signature::{RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::algorithm::Algorithm;
use crate::berlin_group::claim;
use crate::claim::Claim;
use crate::digest::ExpectedDigest;
use crate::head::RequestHead;
use crate::rules::SealRules;
use crate::verifying_key::VerifyingKey;

/// The key of appendix C, of 1024 bits.
const KEY: &str = "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDCFENGw33yGihy92pDjZQhl0C36rPJj+CvfSC8+q28hxA161QF\
     NUd13wuCTUcq0Qd2qsBe/2hFyc2DCJJg0h1L78+6Z4UMR7EOcpfdUE9Hf3m/hs+FUR45uBJeDK1HSFHD8bHKD6kv8FPGfJTotc+2\
     xjJwoYi+1hqp1fIekaxsyQIDAQAB";

/// Appendix C.2.
const BASIC: &str = r#"keyId="Test",algorithm="rsa-sha256",headers="(request-target) host date",signature="qdx+H7PHHDZgy4y/Ahn9Tny9V3GP6YgBPyUXMmoxWtLbHpUnXS2mg2+SbrQDMCJypxBLSPQR2aAjn7ndmw2iicw3HMbe8VfEdKFYRqzic+efkb3nndiv/x1xSHDJWeSWkx3ButlYSuBskLu6kd9Fswtemr3lgdDEmn04swr2Os0=""#;

/// Appendix C.3 without what goes with `hs2019` only, as draft-cavage-http-signatures-10 has it.
const ALL_HEADERS: &str = r#"keyId="Test",algorithm="rsa-sha256",headers="(request-target) host date content-type digest content-length",signature="vSdrb+dS3EceC9bcwHSo4MlyKS59iFIrhgYkz8+oVLEEzmYZZvRs8rgOp+63LEM3v+MFHB32NfpB2bEKBIvB1q52LaEUHFv120V01IL+TAD48XaERZFukWgHoBTLMhYS2Gb51gWxpeIq8knRmPnYePbF5MOkR0Zkly4zKH7s1dE=""#;

const DIGEST: &str = "SHA-256=X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=";

fn signed(signature: &str) -> Claim {
    signed_with(signature, |_| true)
}

fn signed_with(signature: &str, is_sent: impl Fn(&str) -> bool) -> Claim {
    let fields: Vec<_> = [
        ("Host", "example.com"),
        ("Date", "Sun, 05 Jan 2014 21:31:40 GMT"),
        ("Content-Type", "application/json"),
        ("Digest", DIGEST),
        ("Content-Length", "18"),
        ("Signature", signature),
    ]
    .into_iter()
    .filter(|(name, _)| is_sent(name))
    .map(|(name, value)| (name, value.as_bytes()))
    .collect();
    let head = RequestHead {
        method: "POST",
        scheme: "https",
        authority: "example.com",
        path: "/foo",
        query: Some("param=value&pet=dog"),
        fields: &fields,
    };
    claim(&head, &SealRules::default()).unwrap()
}

#[test]
fn requests_verify() {
    for signature in [BASIC, ALL_HEADERS] {
        let claim = signed(signature);
        let spki = STANDARD.decode(KEY).unwrap();
        let key = UnparsedPublicKey::new(&RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, &spki);
        assert!(
            key.verify(&claim.base, &claim.signature).is_ok(),
            "{}",
            String::from_utf8_lossy(&claim.base)
        );
    }
}

#[test]
fn the_authority_of_http_2_is_a_host() {
    assert_eq!(signed_with(BASIC, |name| name != "Host").base, signed(BASIC).base);
}

#[test]
fn its_key_is_too_short_today() {
    let spki = STANDARD.decode(KEY).unwrap();
    let key = VerifyingKey::from_info(&spki, "").unwrap();
    assert_eq!(key.demand_bits(0).unwrap_err().code(), "seal.key-too-small");
    let claim = signed(BASIC);
    assert!(!key.verifies(Algorithm::RsaPkcs1Sha256, claim.ecdsa_form(), &claim.base, &claim.signature));
}

#[test]
fn the_body_has_its_digest() {
    let mut digest = ExpectedDigest::from_digest(DIGEST).unwrap().begin();
    digest.update(br#"{"hello": "world"}"#);
    assert_eq!(digest.finish(), Ok(()));
}
