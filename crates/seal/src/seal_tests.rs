//! Sealed messages, whole and spoilt.

use aws_lc_rs::digest::{SHA256, digest};
use portcullis_identity::{KeyAlgorithm, TbsCertificate};

use crate::test_message::{BODY, Credential, NOW, Request, SERIAL};
use crate::{
    Algorithm, Outcome, Profile, ReplayWindow, RequestHead, ResponseHead, Seal, SealError, SealRules, explain,
};

const PROFILES: [Profile; 2] = Profile::ALL;

fn rules() -> SealRules {
    SealRules::default()
}

fn sealed(profile: Profile) -> Request {
    Request::sealed(&Credential::p256().sealer(Algorithm::EcdsaP256Sha256), profile)
}

fn told(request: &Request) -> &'static str {
    request.told(BODY, &rules())
}

#[test]
fn every_algorithm_seals_under_the_profiles_that_have_it() {
    let (p384, p521, ed25519) = (Credential::p384(), Credential::p521(), Credential::ed25519());
    for (credential, algorithm, profiles) in [
        (Credential::rsa(), Algorithm::RsaPssSha512, &PROFILES[..]),
        (Credential::rsa(), Algorithm::RsaPkcs1Sha256, &PROFILES),
        (Credential::rsa(), Algorithm::RsaPkcs1Sha512, &PROFILES[..1]),
        (Credential::p256(), Algorithm::EcdsaP256Sha256, &PROFILES),
        (&p384, Algorithm::EcdsaP384Sha384, &PROFILES[1..]),
        (&p521, Algorithm::EcdsaSha512, &PROFILES[..1]),
        (&ed25519, Algorithm::Ed25519, &PROFILES),
    ] {
        for profile in profiles {
            let request = Request::sealed(&credential.sealer(algorithm), *profile);
            let verified = request.verify(&rules()).unwrap();
            assert_eq!((verified.profile, verified.algorithm), (*profile, algorithm));
            assert_eq!(verified.sealed_at_s, Some(NOW));
            assert_eq!(verified.request_id.as_deref(), Some("99391c7e-ad88-49ec-a2ad-99ddcb1f7721"));
            assert_eq!(told(&request), "sealed");
        }
    }
}

#[test]
fn any_change_of_what_is_sealed_is_seen() {
    for profile in PROFILES {
        let request = sealed(profile);
        for at in 0..BODY.len() {
            let mut body = BODY.to_vec();
            body[at] ^= 1;
            assert_eq!(request.told(&body, &rules()), "seal.digest");
        }
        assert_eq!(request.told(&BODY[1..], &rules()), "seal.digest");
        assert_eq!(told(&request.clone().replaced("psu-id", "Anna", "Bert")), "seal.signature");
        assert_eq!(told(&request.clone().without("psu-id")), "seal.component");
        assert_eq!(told(&request.clone().and("psu-id", "Bert")), "seal.signature");
        assert_eq!(told(&request.clone().replaced("x-request-id", "9", "8")), "seal.signature");
        let digest = profile.digest_field();
        let emptied = request.clone().without(digest);
        let other = sealed(profile);
        let (_, value) = other.fields.iter().find(|(name, _)| name == digest).unwrap();
        let value = String::from_utf8(value.clone()).unwrap();
        assert_eq!(told(&emptied.and(digest, &value)), "sealed", "fields have no order");
    }
    let request = sealed(Profile::MessageSignatures);
    assert_eq!(told(&Request { method: "PUT".to_owned(), ..request.clone() }), "seal.signature");
    assert_eq!(told(&Request { query: None, ..request }), "seal.signature");
}

#[test]
fn what_comes_twice_is_refused() {
    for profile in PROFILES {
        let request = sealed(profile);
        for name in ["X-REQUEST-ID", "Digest", "TPP-Signature-Certificate", "Date"] {
            let (_, value) = request
                .fields
                .iter()
                .find(|(other, _)| other.eq_ignore_ascii_case(name))
                .cloned()
                .unwrap_or((String::new(), b"x".to_vec()));
            let value = String::from_utf8(value).unwrap();
            let mut twice = request.clone().and(name, &value);
            if name == "Digest" && profile == Profile::MessageSignatures {
                twice = twice.and(name, &value);
            }
            assert_eq!(told(&twice), "seal.duplicate-field", "{name}");
        }
    }
    let request = sealed(Profile::BerlinGroup);
    assert_eq!(told(&request.clone().and("Signature", "x")), "seal.duplicate-field");
    let request = sealed(Profile::MessageSignatures).and("Signature", "other=:AA==:");
    assert_eq!(told(&request.and("Signature-Input", "other=()")), "sealed", "a dictionary has many lines");
}

#[test]
fn what_is_missing_has_a_name() {
    for (profile, name, expected) in [
        (Profile::BerlinGroup, "signature", "seal.missing"),
        (Profile::BerlinGroup, "digest", "seal.digest-missing"),
        (Profile::BerlinGroup, "tpp-signature-certificate", "seal.missing"),
        (Profile::BerlinGroup, "x-request-id", "seal.component"),
        (Profile::BerlinGroup, "date", "seal.component"),
        (Profile::MessageSignatures, "signature", "seal.missing"),
        (Profile::MessageSignatures, "signature-input", "seal.missing"),
        (Profile::MessageSignatures, "content-digest", "seal.component"),
        (Profile::MessageSignatures, "tpp-signature-certificate", "seal.component"),
    ] {
        assert_eq!(told(&sealed(profile).without(name)), expected, "{name}");
    }
    let only = |profile| SealRules { profiles: vec![profile], ..rules() };
    let by_draft = sealed(Profile::BerlinGroup);
    assert_eq!(by_draft.told(BODY, &only(Profile::MessageSignatures)), "seal.missing");
    let by_rfc = sealed(Profile::MessageSignatures);
    assert_eq!(by_rfc.told(BODY, &only(Profile::BerlinGroup)), "seal.digest-missing");
}

#[test]
fn a_signature_covers_what_it_must() {
    let sealer = Credential::p256().sealer(Algorithm::EcdsaP256Sha256);
    for profile in PROFILES {
        let without = Request::unsealed().without("psu-id").seal(&sealer, profile);
        assert_eq!(told(&without), "sealed");
        assert_eq!(told(&without.and("PSU-ID", "Anna")), "seal.coverage", "{profile:?}");
        let demanding = |component: &str| SealRules { covered_min: vec![component.into()], ..rules() };
        assert_eq!(sealed(profile).told(BODY, &demanding("content-type")), "seal.coverage");
        assert_eq!(sealed(profile).told(BODY, &demanding("psu-id")), "sealed");
        let without = Request::unsealed().without("x-request-id").seal(&sealer, profile);
        assert_eq!(told(&without), "seal.request-id");
        assert_eq!(without.told(BODY, &SealRules { request_id_required: false, ..rules() }), "sealed");
    }
    let demanding = |component: &str| SealRules { covered_min: vec![component.into()], ..rules() };
    assert_eq!(
        sealed(Profile::BerlinGroup).told(BODY, &demanding("@authority")),
        "sealed",
        "it is not of this profile"
    );
    assert_eq!(sealed(Profile::MessageSignatures).told(BODY, &demanding("@authority")), "seal.coverage");
    assert_eq!(sealed(Profile::BerlinGroup).told(BODY, &demanding("(request-target)")), "seal.coverage");
    let request = sealed(Profile::BerlinGroup).replaced("signature", "digest ", "");
    assert_eq!(told(&request), "seal.coverage");
    for component in ["\"@method\" ", "\"@target-uri\" ", "\"content-digest\" "] {
        let request = sealed(Profile::MessageSignatures).replaced("signature-input", component, "");
        assert_eq!(told(&request), "seal.coverage", "{component}");
    }
    let part = sealed(Profile::MessageSignatures).replaced(
        "signature-input",
        "\"content-digest\"",
        "\"content-digest\";key=\"sha-256\"",
    );
    assert_eq!(told(&part), "seal.coverage", "a member is not the whole");
}

#[test]
fn keyid_names_the_certificate() {
    let request = sealed(Profile::BerlinGroup);
    let issuer = r"CN=Example Seal CA 2,O=Example Trust\\, AG,C=DE";
    for (serial, name, expected) in [
        ("9FA100", issuer, "sealed"),
        ("009fa100", issuer, "sealed"),
        ("10461440", issuer, "sealed"),
        ("9FA100", r"CN=Example Seal CA 2,O=Example Trust\, AG,C=DE", "sealed"),
        ("9FA100", r"C=DE, O=Example Trust\\, AG, cn=example  seal ca 2", "sealed"),
        ("9FA100", r"CN=Example%20Seal%20CA%202,O=Example%20Trust%5C%2C%20AG,C=DE", "sealed"),
        ("9FA101", issuer, "seal.key-id"),
        ("", issuer, "seal.key-id"),
        ("9FA100", "CN=Example Seal CA 3,C=DE", "seal.issuer"),
        ("9FA100", "", "seal.issuer"),
    ] {
        let old = format!("SN=9FA100,CA={issuer}");
        let request = request.clone().replaced("signature", &old, &format!("SN={serial},CA={name}"));
        assert_eq!(told(&request), expected, "{serial} {name}");
    }
    assert_eq!(SERIAL, [0x00, 0x9f, 0xa1, 0x00]);
}

#[test]
fn a_certificate_is_bound_to_its_signature() {
    // A second certificate of the same key, which the signer has not meant.
    let request = sealed(Profile::MessageSignatures);
    let input = String::from_utf8(
        request.fields.iter().find(|(name, _)| name == "signature-input").unwrap().1.clone(),
    );
    let keyid = input.unwrap().split("keyid=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let uncovered = request.clone().replaced("signature-input", " \"tpp-signature-certificate\"", "");
    assert_eq!(told(&uncovered), "seal.signature", "the thumbprint is enough");
    assert_eq!(told(&uncovered.clone().replaced("signature-input", &keyid, "key-1")), "seal.key-id");
    let nameless = uncovered.replaced("signature-input", &format!(";keyid=\"{keyid}\""), "");
    assert_eq!(told(&nameless), "seal.coverage");
    let serial = request.clone().replaced("signature-input", &keyid, "SN=1,CA=CN=x");
    assert_eq!(told(&serial), "seal.key-id", "the form of the Berlin Group must be right where it is used");
    assert_eq!(told(&request.clone().replaced("signature-input", &keyid, "key-1")), "seal.signature");
    for wrong in ["", "AA==", "MAA=", "x"] {
        let request =
            request.clone().without("tpp-signature-certificate").and("tpp-signature-certificate", wrong);
        assert_eq!(told(&request), "seal.certificate-malformed", "{wrong}");
    }
}

#[test]
fn algorithms_go_with_keys() {
    let request = sealed(Profile::BerlinGroup);
    for (name, expected) in [
        ("rsa-sha256", "seal.key-type"),
        ("hmac-sha256", "seal.algorithm"),
        ("rsa-sha1", "seal.algorithm"),
        ("hs2019", "seal.signature"),
        ("ECDSA-SHA256", "sealed"),
    ] {
        assert_eq!(told(&request.clone().replaced("signature", "ecdsa-sha256", name)), expected, "{name}");
    }
    let request = sealed(Profile::MessageSignatures);
    for (name, expected) in [("rsa-pss-sha512", "seal.key-type"), ("hmac-sha256", "seal.algorithm")] {
        let request = request.clone().replaced("signature-input", "ecdsa-p256-sha256", name);
        assert_eq!(told(&request), expected, "{name}");
    }
    let accepted = SealRules { algorithms: vec![Algorithm::RsaPssSha512], ..rules() };
    assert_eq!(request.told(BODY, &accepted), "seal.algorithm");
    let longer = SealRules { rsa_bits_min: 3072, ..rules() };
    let rsa = Request::sealed(&Credential::rsa().sealer(Algorithm::RsaPssSha512), Profile::BerlinGroup);
    assert_eq!(rsa.told(BODY, &longer), "seal.key-too-small");
    assert_eq!(rsa.verify(&rules()).unwrap().algorithm, Algorithm::RsaPssSha512, "hs2019 of an RSA key");
    assert_eq!(KeyAlgorithm::Rsa.to_string(), "RSA");
}

#[test]
fn a_signature_by_another_key_is_none() {
    let other = Credential::p384();
    let foreign = TbsCertificate::from_der(&other.certificate).unwrap();
    let parsed = sealed(Profile::BerlinGroup).parse(&rules()).unwrap();
    let error = parsed.clone().verify_signature(foreign.subject_public_key_info, NOW).unwrap_err();
    assert_eq!(error.code(), "seal.key-id", "the certificate that was judged is another");
    let spki = parsed.subject_public_key_info().to_vec();
    assert!(parsed.verify_signature(&spki, NOW).is_ok());
}

#[test]
fn time_is_of_what_is_signed() {
    let sealer = Credential::p256().sealer(Algorithm::EcdsaP256Sha256);
    let at = |request: &Request, now_s| {
        let parsed = request.parse(&rules()).unwrap();
        let certificate = parsed.certificate().to_vec();
        let tbs = TbsCertificate::from_der(&certificate).unwrap();
        parsed
            .verify_signature(tbs.subject_public_key_info, now_s)
            .map_or_else(|error| error.code(), |_| "fresh")
    };
    for profile in PROFILES {
        let request = sealed(profile);
        assert_eq!(at(&request, NOW + 330), "fresh");
        assert_eq!(at(&request, NOW + 331), "seal.stale");
        assert_eq!(at(&request, NOW - 31), "seal.future");
    }
    let undated = Request::unsealed().without("date").seal(&sealer, Profile::BerlinGroup);
    assert_eq!(told(&undated), "seal.date-missing");
    assert_eq!(undated.told(BODY, &SealRules { date_required: false, ..rules() }), "sealed");
    assert_eq!(told(&undated.clone().and("date", "yesterday")), "seal.coverage");
    let expired = sealed(Profile::BerlinGroup).replaced(
        "signature",
        "keyId",
        "created=1618884000,expires=1618884400.5,keyId",
    );
    assert_eq!(at(&expired, NOW), "seal.expired", "though nothing signs it");
    let early = sealed(Profile::BerlinGroup).replaced("signature", "keyId", "created=1618885000,keyId");
    assert_eq!(at(&early, NOW), "seal.future");
}

/// draft-cavage-http-signatures-12, section 2.3.
#[test]
fn created_goes_with_hs2019() {
    let covering = |request: Request| {
        request.replaced("signature", r#"headers=""#, r#"created=1618884475,headers="(created) "#)
    };
    assert_eq!(told(&covering(sealed(Profile::BerlinGroup))), "seal.component");
    let sealer = Credential::rsa().sealer(Algorithm::RsaPssSha512);
    let request = covering(Request::sealed(&sealer, Profile::BerlinGroup));
    let parsed = request.parse(&rules()).unwrap();
    assert!(parsed.signed().starts_with(b"(created): 1618884475\ndigest: SHA-256="));
    let absent = Request::sealed(&sealer, Profile::BerlinGroup);
    assert_eq!(
        told(&absent.replaced("signature", r#"headers=""#, r#"headers="(expires) "#)),
        "seal.component"
    );
}

#[test]
fn malformed_fields_are_refused() {
    let request = sealed(Profile::BerlinGroup);
    for (from, to, expected) in [
        ("headers=\"", "headers=\"digest ", "seal.component"),
        ("headers=\"", "headers=\" digest", "seal.component"),
        ("digest x-request-id", "digest  x-request-id", "seal.malformed"),
        ("signature=\"", "signature=\"=", "seal.malformed"),
        ("algorithm=", "algorithms=", "seal.malformed"),
        ("keyId", "created=soon,keyId", "seal.malformed"),
    ] {
        assert_eq!(told(&request.clone().replaced("signature", from, to)), expected, "{to}");
    }
    let many: String = (0..70).map(|number| format!("x-{number} ")).collect();
    assert_eq!(
        told(&request.clone().replaced("signature", "headers=\"", &format!("headers=\"{many}"))),
        "seal.too-many"
    );
    assert_eq!(told(&request.clone().replaced("digest", "SHA-256", "MD5")), "seal.digest-algorithm");
    assert_eq!(told(&request.clone().replaced("x-request-id", "9", "\u{7f}")), "seal.request-id");
    let request = sealed(Profile::MessageSignatures);
    for (from, to, expected) in [
        ("seal=(", "seal=(1 ", "seal.component"),
        ("seal=(", "seal=(\"@method\" ", "seal.component"),
        ("seal=(", "seal=(\"@unknown\" ", "seal.component"),
        ("seal=(", "other=(", "seal.malformed"),
        ("created=", "created=a", "seal.malformed"),
        ("seal=", "a=(),b=(),c=(),d=(),seal=", "seal.too-many"),
        ("seal=", "a=1,seal=", "seal.malformed"),
    ] {
        assert_eq!(told(&request.clone().replaced("signature-input", from, to)), expected, "{to}");
    }
    for (one, count) in [(r#""x-absent";key="k" "#, 17), (r#""x-absent" "#, 65)] {
        let many = format!("seal=({}", one.repeat(count));
        let request = request.clone().replaced("signature-input", "seal=(", &many);
        assert_eq!(told(&request), "seal.too-many", "{one}");
    }
    let labelled = SealRules { label: Some("seal".into()), ..rules() };
    let second = request.clone().replaced("signature-input", "seal=", "a=(),seal=");
    assert_eq!(told(&second), "seal.malformed", "the first is meant, which has no signature");
    assert_eq!(second.told(BODY, &labelled), "sealed");
    assert_eq!(request.told(BODY, &SealRules { label: Some("tpp".into()), ..rules() }), "seal.malformed");
}

#[test]
fn a_request_without_a_body_needs_no_content_digest() {
    let request = sealed(Profile::MessageSignatures);
    let fields: Vec<_> =
        request.fields.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
    let head = RequestHead {
        method: "GET",
        scheme: "https",
        authority: "a",
        path: "/",
        query: None,
        fields: &fields,
    };
    assert!(Seal::parse(&head, &rules()).is_ok());
    let without = request.without("content-digest").replaced("signature-input", " \"content-digest\"", "");
    let digest = without.parse(&rules()).unwrap().digest().clone();
    assert_eq!(digest.begin().finish(), Ok(()));
    let mut body = digest.begin();
    body.update(b"x");
    assert_eq!(body.finish().unwrap_err().code(), "seal.digest-missing");
}

#[test]
fn a_request_comes_once() {
    let window = ReplayWindow::new(&rules(), 1);
    let verified = sealed(Profile::BerlinGroup).verify(&rules()).unwrap();
    assert_eq!(window.admit("PSDDE-BAFIN-1", &verified, NOW), Ok(()));
    assert_eq!(window.admit("PSDDE-BAFIN-1", &verified, NOW).unwrap_err().code(), "seal.replayed");
    assert_eq!(window.admit("PSDDE-BAFIN-2", &verified, NOW).unwrap_err().code(), "seal.replay-full");
}

#[test]
fn an_explanation_is_what_verification_does() {
    for profile in PROFILES {
        let request = sealed(profile);
        let steps = request.with(|head| explain(head, BODY, &rules(), NOW));
        assert!(steps.iter().all(|step| step.outcome == Outcome::Passed), "{steps:#?}");
        let signed = steps.iter().find(|step| step.name == "signed").unwrap();
        let parsed = request.parse(&rules()).unwrap();
        assert_eq!(signed.detail.as_bytes(), parsed.signed(), "as it was built, line by line");
        let last = steps.last().unwrap();
        assert_eq!(last.name, "digest");
        assert!(last.detail.contains("computed"), "{}", last.detail);

        let spoilt = request.replaced("psu-id", "Anna", "An\u{e4}\u{202e}");
        let steps = spoilt.with(|head| explain(head, b"", &rules(), NOW + 1000));
        let failed: Vec<_> = steps
            .iter()
            .filter_map(|step| match &step.outcome {
                Outcome::Failed(error) => Some(error.code()),
                _ => None,
            })
            .collect();
        match profile {
            Profile::BerlinGroup => assert_eq!(failed, ["seal.signature", "seal.stale", "seal.digest"]),
            Profile::MessageSignatures => assert_eq!(failed, ["seal.component"], "what is signed is ASCII"),
        }
        assert!(steps.iter().all(|step| !step.detail.contains('\u{202e}')));
    }
}

#[test]
fn an_answer_is_sealed() {
    let sealer = Credential::p256().sealer(Algorithm::EcdsaP256Sha256);
    let head = ResponseHead { status: 201, fields: &[("Content-Type", b"application/json")] };
    let fields = sealer.response(&head, digest(&SHA256, BODY).as_ref(), NOW).unwrap();
    let [(_, digest), (_, input), (_, signature)] = fields.as_slice() else { panic!("{fields:?}") };
    assert!(
        input.starts_with(r#"seal=("@status" "content-digest" "content-type");created=1618884475;keyid=""#)
    );
    let base = format!(
        "\"@status\": 201\n\"content-digest\": {digest}\n\"content-type\": application/json\n\"@signature-params\": {}",
        input.strip_prefix("seal=").unwrap()
    );
    let signature = signature.strip_prefix("seal=:").unwrap().strip_suffix(':').unwrap();
    let signature = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, signature).unwrap();
    let tbs = TbsCertificate::from_der(&Credential::p256().certificate).unwrap();
    let key = crate::verifying_key::VerifyingKey::from_info(tbs.subject_public_key_info, "").unwrap();
    let form = crate::verifying_key::EcdsaForm::Fixed;
    assert!(key.verifies(Algorithm::EcdsaP256Sha256, form, base.as_bytes(), &signature));
}

#[test]
fn a_key_that_cannot_seal_is_told() {
    let credential = Credential::p256();
    let code = |algorithm| {
        crate::Sealer::from_pkcs8(&credential.pkcs8, &credential.certificate, algorithm)
            .err()
            .map(|error| error.code())
    };
    assert_eq!(code(Algorithm::RsaPssSha512), Some("seal.signing-key"));
    assert_eq!(code(Algorithm::EcdsaSha512), Some("seal.signing-key"));
    for profile in PROFILES {
        let of = |credential: &Credential, other: &Credential| {
            crate::Sealer::of(profile, &credential.pkcs8, &other.certificate)
        };
        for credential in [Credential::rsa(), Credential::p256(), &Credential::ed25519()] {
            assert!(of(credential, credential).is_ok());
            assert!(of(credential, &Credential::p384()).is_err(), "it is another's");
        }
        assert!(of(Credential::rsa(), Credential::p256()).is_err());
    }
    assert!(crate::Sealer::from_pkcs8(&credential.pkcs8, b"", Algorithm::EcdsaP256Sha256).is_err());
    let error = Credential::p384().sealer(Algorithm::EcdsaP384Sha384);
    let error = Request::unsealed().with(|head| error.berlin_group(head, BODY)).unwrap_err();
    assert_eq!((error.code(), error.status()), ("seal.signing-key", 500));
    assert!(matches!(error, SealError::SigningKey { .. }));
}

/// Writes what the fuzz target `seal` starts from: run with `-- --ignored`.
#[test]
#[ignore = "writes into the source tree"]
fn write_seeds() {
    let seeds = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/seeds/seal");
    std::fs::create_dir_all(seeds).unwrap();
    let rsa = Request::sealed(&Credential::rsa().sealer(Algorithm::RsaPssSha512), Profile::BerlinGroup);
    for (name, request) in [
        ("berlin-group", sealed(Profile::BerlinGroup)),
        ("message-signatures", sealed(Profile::MessageSignatures)),
        ("hs2019", rsa),
    ] {
        let target = request.with(|head| format!("{}?{}", head.path, head.query.unwrap_or_default()));
        let mut seed = target.into_bytes();
        for (name, value) in &request.fields {
            seed.extend([b"\n", name.as_bytes(), b": ", value.as_slice()].concat());
        }
        seed.extend([b"\n\n", BODY].concat());
        std::fs::write(format!("{seeds}/{name}"), seed).unwrap();
    }
}
