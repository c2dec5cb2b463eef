//! The examples of RFC 9421: section 3.2, and appendix B.2, with the keys of appendix B.1.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sfv::{Dictionary, ListEntry, Parser};

use crate::algorithm::Algorithm;
use crate::digest::ExpectedDigest;
use crate::head::{Message, RequestHead, ResponseHead};
use crate::message_signatures::{claim, signature_base};
use crate::rules::SealRules;
use crate::verifying_key::{EcdsaForm, VerifyingKey};

/// `test-key-rsa-pss`, appendix B.1.2.
const RSA_PSS: &str = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAr4tmm3r20Wd/PbqvP1s2+QEtvpuRaV8Yq40gjUR8y2Rj\
         xa6dpG2GXHbPfvMs8ct+Lh1GH45x28Rw3Ry53mm+oAXjyQ86OnDkZ5N8lYbggD4O3w6M6pAvLkhk95AndTrifbIF\
         PNU8PPMO7OyrFAHqgDsznjPFmTOtCEcN2Z1FpWgchwuYLPL+Wokqltd11nqqzi+bJ9cvSKADYdUAAN5WUtzdpiy6\
         LbTgSxP7ociU4Tn0g5I6aDZJ7A8Lzo0KSyZYoA485mqcO0GVAdVw9lq4aOT9v6d+nb4bnNkQVklLQ3fVAvJm+xdD\
         Op9LCNCN48V2pnDOkFV6+U9nV5oyc6XI2wIDAQAB";
/// `test-key-ecc-p256`, appendix B.1.3.
const P256: &str = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEqIVYZVLCrPZHGHjP17CTW0/+D9Lf\
     w0EkjqF7xB4FivAxzic30tMM4GF+hR6Dxh71Z50VGGdldkkDXZCnTNnoXQ==";
/// `test-key-ed25519`, appendix B.1.4.
const ED25519: &str = "MCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=";

const BODY: &[u8] = br#"{"hello": "world"}"#;
const CONTENT_DIGEST: &str = "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNN\
     yealdVLvRwEmTHWXvJwew==:";

/// Input, signature, key and algorithm of each.
const REQUESTS: [(&str, &str, &str, Algorithm); 5] = [
    (
        "sig1=(\"@method\" \"@authority\" \"@path\" \"content-digest\" \"content-length\" \"content-type\");c\
         reated=1618884473;keyid=\"test-key-rsa-pss\"",
        "sig1=:HIbjHC5rS0BYaa9v4QfD4193TORw7u9edguPh0AW3dMq9WImrlFrCGUDih47vAxi4L2YRZ3XMJc1uOKk/J\
         0ZmZ+wcta4nKIgBkKq0rM9hs3CQyxXGxHLMCy8uqK488o+9jrptQ+xFPHK7a9sRL1IXNaagCNN3ZxJsYapFj+JXb\
         maI5rtAdSfSvzPuBCh+ARHBmWuNo1UzVVdHXrl8ePL4cccqlazIJdC4QEjrF+Sn4IxBQzTZsL9y9TP5FsZYzHvDq\
         bInkTNigBcE9cKOYNFCn4D/WM7F6TNuZO9EgtzepLWcjTymlHzK7aXq6Am6sfOrpIC49yXjj3ae6HRalVc/g==:",
        RSA_PSS,
        Algorithm::RsaPssSha512,
    ),
    (
        "sig-b21=();created=1618884473;keyid=\"test-key-rsa-pss\";nonce=\"b3k2pp5k7z-50gnwp.yemd\"",
        "sig-b21=:d2pmTvmbncD3xQm8E9ZV2828BjQWGgiwAaw5bAkgibUopemLJcWDy/lkbbHAve4cRAtx31Iq786U7it\
         ++wgGxbtRxf8Udx7zFZsckzXaJMkA7ChG52eSkFxykJeNqsrWH5S+oxNFlD4dzVuwe8DhTSja8xxbR/Z2cOGdCbz\
         R72rgFWhzx2VjBqJzsPLMIQKhO4DGezXehhWwE56YCE+O6c0mKZsfxVrogUvA4HELjVKWmAvtl6UnCh8jYzuVG5W\
         Sb/QEVPnP5TmcAnLH1g+s++v6d4s8m0gCw1fV5/SITLq9mhho8K3+7EPYTU8IU1bLhdxO5Nyt8C8ssinQ98Xw9Q=\
         =:",
        RSA_PSS,
        Algorithm::RsaPssSha512,
    ),
    (
        "sig-b22=(\"@authority\" \"content-digest\" \"@query-param\";name=\"Pet\");created=1618884473;key\
         id=\"test-key-rsa-pss\";tag=\"header-example\"",
        "sig-b22=:LjbtqUbfmvjj5C5kr1Ugj4PmLYvx9wVjZvD9GsTT4F7GrcQEdJzgI9qHxICagShLRiLMlAJjtq6N4CD\
         fKtjvuJyE5qH7KT8UCMkSowOB4+ECxCmT8rtAmj/0PIXxi0A0nxKyB09RNrCQibbUjsLS/2YyFYXEu4TRJQzRw1r\
         LEuEfY17SARYhpTlaqwZVtR8NV7+4UKkjqpcAoFqWFQh62s7Cl+H2fjBSpqfZUJcsIk4N6wiKYd4je2U/lankenQ\
         99PZfB4jY3I5rSV2DSBVkSFsURIjYErOs0tFTQosMTAoxk//0RoKUqiYY8Bh0aaUEb0rQl3/XaVe4bXTugEjHSw=\
         =:",
        RSA_PSS,
        Algorithm::RsaPssSha512,
    ),
    (
        "sig-b23=(\"date\" \"@method\" \"@path\" \"@query\" \"@authority\" \"content-type\" \"content-digest\" \
         \"content-length\");created=1618884473;keyid=\"test-key-rsa-pss\"",
        "sig-b23=:bbN8oArOxYoyylQQUU6QYwrTuaxLwjAC9fbY2F6SVWvh0yBiMIRGOnMYwZ/5MR6fb0Kh1rIRASVxFke\
         Gt683+qRpRRU5p2voTp768ZrCUb38K0fUxN0O0iC59DzYx8DFll5GmydPxSmme9v6ULbMFkl+V5B1TP/yPViV7Ks\
         LNmvKiLJH1pFkh/aYA2HXXZzNBXmIkoQoLd7YfW91kE9o/CCoC1xMy7JA1ipwvKvfrs65ldmlu9bpG6A9BmzhuzF\
         8Eim5f8ui9eH8LZH896+QIF61ka39VBrohr9iyMUJpvRX2Zbhl5ZJzSRxpJyoEZAFL2FUo5fTIztsDZKEgM4cUA=\
         =:",
        RSA_PSS,
        Algorithm::RsaPssSha512,
    ),
    (
        "sig-b26=(\"date\" \"@method\" \"@path\" \"@authority\" \"content-type\" \"content-length\");created=\
         1618884473;keyid=\"test-key-ed25519\"",
        "sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5W\
         PpBKRCw==:",
        ED25519,
        Algorithm::Ed25519,
    ),
];

const RESPONSE_INPUT: &str = "sig-b24=(\"@status\" \"content-type\" \"content-digest\" \"content-length\");created=1618884473;\
         keyid=\"test-key-ecc-p256\"";
const RESPONSE_SIGNATURE: &str = "sig-b24=:wNmSUAhwb5LxtOtOpNa6W5xj067m5hFrj0XQ4fvpaCLx0NKocgPquLgyahnzDnDAUy5eCdlYUEkLIj+\
         32oiasw==:";

fn fields<'a>(input: &'a str, signature: &'a str) -> Vec<(&'a str, &'a [u8])> {
    [
        ("Host", "example.com"),
        ("Date", "Tue, 20 Apr 2021 02:07:55 GMT"),
        ("Content-Type", "application/json"),
        ("Content-Digest", CONTENT_DIGEST),
        ("Content-Length", "18"),
        ("Signature-Input", input),
        ("Signature", signature),
    ]
    .map(|(name, value)| (name, value.as_bytes()))
    .to_vec()
}

fn verifies(head: &RequestHead<'_>, key: &str, algorithm: Algorithm) -> bool {
    let claim = claim(head, &SealRules::default()).unwrap();
    let spki = STANDARD.decode(key).unwrap();
    let key = VerifyingKey::from_info(&spki, "").unwrap();
    let resolved = claim.algorithm.resolve(&key.kind.algorithm, &Algorithm::ALL);
    assert_eq!(resolved, Ok(algorithm), "none is named, and the key says which");
    key.verifies(algorithm, claim.ecdsa_form(), &claim.base, &claim.signature)
}

#[test]
fn requests_verify() {
    for (input, signature, key, algorithm) in REQUESTS {
        let fields = fields(input, signature);
        let head = RequestHead {
            method: "POST",
            scheme: "https",
            authority: "example.com",
            path: "/foo",
            query: Some("param=Value&Pet=dog"),
            fields: &fields,
        };
        assert!(verifies(&head, key, algorithm), "{input}");
        let covers_nothing = input.starts_with("sig-b21");
        let other = RequestHead { method: "PUT", authority: "example.org", ..head };
        assert_eq!(verifies(&other, key, algorithm), covers_nothing, "{input}");
    }
}

/// The content-digest is the one of the example's signature base.
#[test]
fn an_answer_verifies() {
    let digest =
        "sha-512=:mEWXIS7MaLRuGgxOBdODa3xqM1XdEvxoYhvlCFJ41QJgJc4GTsPp29l5oGX69wWdXymyU0rjJuahq4l5aGgfLQ==:";
    let fields: Vec<(&str, &[u8])> = vec![
        ("Date", b"Tue, 20 Apr 2021 02:07:56 GMT"),
        ("Content-Type", b"application/json"),
        ("Content-Digest", digest.as_bytes()),
        ("Content-Length", b"23"),
    ];
    let inputs: Dictionary = Parser::new(RESPONSE_INPUT).parse().unwrap();
    let signatures: Dictionary = Parser::new(RESPONSE_SIGNATURE).parse().unwrap();
    let (Some(ListEntry::InnerList(input)), Some(ListEntry::Item(signature))) =
        (inputs.get("sig-b24"), signatures.get("sig-b24"))
    else {
        panic!("the example has both");
    };
    let spki = STANDARD.decode(P256).unwrap();
    let key = VerifyingKey::from_info(&spki, "").unwrap();
    let verifies = |status| {
        let head = ResponseHead { status, fields: &fields };
        let base = signature_base(Message::Response(&head), input).unwrap();
        let signature = signature.bare_item.as_byte_sequence().unwrap();
        key.verifies(Algorithm::EcdsaP256Sha256, EcdsaForm::Fixed, &base, signature)
    };
    assert!(verifies(200));
    assert!(!verifies(201));
}

#[test]
fn the_body_has_its_digest() {
    let expected = ExpectedDigest::from_content_digest(CONTENT_DIGEST.as_bytes()).unwrap();
    let mut digest = expected.begin();
    digest.update(BODY);
    assert_eq!(digest.finish(), Ok(()));
}
