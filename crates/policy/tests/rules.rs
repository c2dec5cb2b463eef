//! Each rule, broken by itself: a conforming certificate with one property changed has the findings of that property
//! and no other.
#![allow(clippy::unwrap_used, reason = "clippy knows tests by their attribute, not their helpers")]

#[path = "../../identity/src/test_der.rs"]
mod test_der;

use std::collections::BTreeSet;

use portcullis_identity::{FindingCode, Identity, Role, Roles};
use portcullis_keys::{KeyId, KeyState};
use portcullis_policy::{
    Anonymous, Assessment, ContentRule, Denial, Enrolment, Evidence, KeyCheck, KeyRules, KeySource, Profile,
    Purpose, Registration, RevocationCheck, Rule, Rules, Severity, Verdict, decide, examine,
};
use portcullis_trust::EkuRule;
use portcullis_trust::{KnownStatus, Revocation, RevocationReason};
use test_der::{
    Certificate, critical_extension, ec_key, extension, null, oid, printable, psd2_statement, rdn, role,
    rsa_key, sequence, tlv, utc_time, utf8,
};

/// Within the validity of the certificates here, which is 2026 and 2027.
const NOW: i64 = 1_790_000_000;
const YEAR: i64 = 31_536_000;

const KEY_USAGE: &str = "2.5.29.15";
const ALT_NAME: &str = "2.5.29.17";
const BASIC_CONSTRAINTS: &str = "2.5.29.19";
const CRL_POINTS: &str = "2.5.29.31";
const POLICIES: &str = "2.5.29.32";
const EKU: &str = "2.5.29.37";
const AIA: &str = "1.3.6.1.5.5.7.1.1";
const QC: &str = "1.3.6.1.5.5.7.1.3";

const QC_COMPLIANCE: &str = "0.4.0.1862.1.1";
const QC_PDS: &str = "0.4.0.1862.1.5";
const QC_TYPE: &str = "0.4.0.1862.1.6";
const PSD2: &str = "0.4.0.19495.2";
const SYNTAX_V2: &str = "1.3.6.1.5.5.7.11.2";

const AI: (&str, &str) = ("0.4.0.19495.1.3", "PSP_AI");
const NAME: &str = "Finanssivalvonta";

/// A certificate to be; as it comes from [`new`](Self::new) a QWAC that breaks no rule under `psd2`.
struct Qwac {
    certificate: Certificate,
    extensions: Vec<(&'static str, Vec<u8>)>,
    statements: Vec<(&'static str, Vec<u8>)>,
}

impl Qwac {
    fn new() -> Self {
        let uri = |method: &str, url: &str| sequence(&[oid(method), tlv(0x86, url.as_bytes())]);
        let point = tlv(0xa0, &tlv(0xa0, &tlv(0x86, b"http://qtsp.example/1.crl")));
        let responder = uri("1.3.6.1.5.5.7.48.1", "http://ocsp.qtsp.example");
        let issuer = uri("1.3.6.1.5.5.7.48.2", "http://qtsp.example/ca.cer");
        Self {
            certificate: Certificate { extensions: vec![], ..test_der::with_psd2() },
            extensions: vec![
                (KEY_USAGE, tlv(0x03, &[7, 0x80])),
                (ALT_NAME, sequence(&[tlv(0x82, b"tpp.example")])),
                (EKU, sequence(&[oid("1.3.6.1.5.5.7.3.1"), oid("1.3.6.1.5.5.7.3.2")])),
                (POLICIES, policies(&["0.4.0.194112.1.4", "0.4.0.19495.3.1"])),
                (AIA, sequence(&[responder, issuer])),
                (CRL_POINTS, sequence(&[sequence(&[point])])),
            ],
            statements: vec![
                (QC_COMPLIANCE, vec![]),
                (QC_TYPE, sequence(&[oid("0.4.0.1862.1.6.3")])),
                (QC_PDS, pds("https://qtsp.example/pds", "en")),
                (PSD2, psd2(&[role(AI.0, AI.1)], NAME, "FI-FINFSA")),
            ],
        }
    }

    /// A `QSealC` that breaks no rule.
    fn seal() -> Self {
        let seal = Self::new().types(&["0.4.0.1862.1.6.2"]).with(POLICIES, policies(&["0.4.0.194112.1.3"]));
        seal.without(EKU).without(ALT_NAME)
    }

    /// With another value of an extension, or with one more.
    fn with(mut self, id: &'static str, value: Vec<u8>) -> Self {
        put(&mut self.extensions, id, value);
        self
    }

    fn without(mut self, id: &str) -> Self {
        self.extensions.retain(|(known, _)| *known != id);
        self
    }

    /// With another value of a statement, or with one more.
    fn statement(mut self, id: &'static str, info: Vec<u8>) -> Self {
        put(&mut self.statements, id, info);
        self
    }

    fn without_statement(mut self, id: &str) -> Self {
        self.statements.retain(|(known, _)| *known != id);
        self
    }

    fn without_statements(mut self) -> Self {
        self.statements.clear();
        self
    }

    fn types(self, types: &[&str]) -> Self {
        self.statement(QC_TYPE, sequence(&types.iter().map(|id| oid(id)).collect::<Vec<_>>()))
    }

    fn roles(self, roles: &[(&str, &str)]) -> Self {
        let roles: Vec<_> = roles.iter().map(|(id, name)| role(id, name)).collect();
        self.statement(PSD2, psd2(&roles, NAME, "FI-FINFSA"))
    }

    fn authority(self, name: &str, id: &str) -> Self {
        self.statement(PSD2, psd2(&[role(AI.0, AI.1)], name, id))
    }

    /// With another value of an attribute of the subject, or without it.
    fn attribute(mut self, changed: &str, value: Option<&str>) -> Self {
        let plain = [
            ("2.5.4.6", "FI"),
            ("2.5.4.10", "Example Oy"),
            ("2.5.4.97", "PSDFI-FINFSA-2858394-9"),
            ("2.5.4.3", "tpp.example"),
        ];
        let text = |id: &str, value: &str| if id == "2.5.4.6" { printable(value) } else { utf8(value) };
        let chosen = plain.iter().map(|(id, plain)| (*id, if *id == changed { value } else { Some(*plain) }));
        self.certificate.subject =
            chosen.filter_map(|(id, value)| Some(rdn(id, &text(id, value?)))).collect();
        self
    }

    fn organization_identifier(self, value: &str) -> Self {
        self.attribute("2.5.4.97", Some(value))
    }

    fn key(mut self, key: Vec<u8>) -> Self {
        self.certificate.key = key;
        self
    }

    fn signed_by(mut self, algorithm: &str) -> Self {
        self.certificate.signature = sequence(&[oid(algorithm)]);
        self
    }

    fn issued(mut self, time: &str) -> Self {
        self.certificate.validity[0] = utc_time(time);
        self
    }

    fn identity(self) -> Identity {
        let Self { mut certificate, extensions, statements } = self;
        certificate.extensions.extend(extensions.iter().map(|(id, value)| extension(id, value)));
        let statements: Vec<_> =
            statements.into_iter().map(|(id, info)| sequence(&[oid(id), info])).collect();
        if !statements.is_empty() {
            certificate.extensions.push(extension(QC, &sequence(&statements)));
        }
        Identity::from_der(&certificate.to_der()).unwrap()
    }
}

fn put(list: &mut Vec<(&'static str, Vec<u8>)>, id: &'static str, value: Vec<u8>) {
    match list.iter_mut().find(|(known, _)| *known == id) {
        Some((_, known)) => *known = value,
        None => list.push((id, value)),
    }
}

fn policies(ids: &[&str]) -> Vec<u8> {
    sequence(&ids.iter().map(|id| sequence(&[oid(id)])).collect::<Vec<_>>())
}

fn pds(url: &str, language: &str) -> Vec<u8> {
    sequence(&[sequence(&[tlv(0x16, url.as_bytes()), printable(language)])])
}

fn psd2(roles: &[Vec<u8>], name: &str, id: &str) -> Vec<u8> {
    sequence(&[sequence(roles), utf8(name), utf8(id)])
}

fn evidence(now: i64) -> Evidence {
    Evidence::none(now)
}

fn codes(assessment: &Assessment) -> Vec<&'static str> {
    assessment.findings.iter().map(|finding| finding.rule.code()).collect()
}

fn judged(profile: Profile, qwac: Qwac) -> Vec<&'static str> {
    codes(&examine(&Rules::of(profile), qwac.identity(), evidence(NOW)))
}

/// A certificate with one property changed, when it is judged, and the codes of what is found.
type Case = (Qwac, i64, &'static [&'static str]);

#[rustfmt::skip]
fn usage_cases() -> Vec<Case> {
    let q = Qwac::new;
    let version_1 = || { let mut qwac = q(); qwac.certificate.version = tlv(0x02, &[0]); qwac };
    let critical = || {
        let mut qwac = q().without(POLICIES);
        qwac.certificate.extensions = vec![critical_extension(POLICIES, &policies(&["0.4.0.194112.1.4"]))];
        qwac
    };
    let ldap = sequence(&[sequence(&[tlv(0xa0, &tlv(0xa0, &tlv(0x86, b"ldap://qtsp.example")))])]);
    vec![
        (q(), NOW, &[]),
        (q(), NOW + 2 * YEAR, &["validity.expired"]),
        (q(), NOW - YEAR, &["validity.not-yet-valid"]),
        (version_1(), NOW, &["certificate.version"]),
        (q().with(BASIC_CONSTRAINTS, sequence(&[tlv(0x01, &[0xff])])), NOW, &["certificate.authority"]),
        (q().with(BASIC_CONSTRAINTS, sequence(&[])), NOW, &[]),
        (critical(), NOW, &["extension.critical-unprocessed"]),
        (q().key(rsa_key(128)), NOW, &["key.weak"]),
        (q().key(rsa_key(256)), NOW, &[]),
        (q().key(ec_key("1.3.36.3.3.2.8.1.1.7", 65)), NOW, &["key.unsupported"]),
        (q().key(ec_key("1.3.132.0.34", 65)), NOW, &["key.malformed"]),
        (q().signed_by("1.2.840.113549.1.1.5"), NOW, &["signature.weak"]),
        (q().signed_by("1.2.840.113549.1.1.11"), NOW, &[]),
        (q().without(KEY_USAGE), NOW, &["key-usage.missing"]),
        (q().with(KEY_USAGE, null()), NOW, &["key-usage.malformed"]),
        (q().with(KEY_USAGE, tlv(0x03, &[5, 0x20])), NOW, &["key-usage.no-digital-signature", "key-usage.other-key-type"]),
        (q().with(KEY_USAGE, tlv(0x03, &[2, 0x84])), NOW, &["key-usage.cert-sign"]),
        (q().with(KEY_USAGE, tlv(0x03, &[5, 0xa0])), NOW, &["key-usage.other-key-type"]),
        (q().with(KEY_USAGE, tlv(0x03, &[5, 0xa0])).key(rsa_key(256)), NOW, &[]),
        (q().without(EKU), NOW, &["eku.missing"]),
        (q().with(EKU, null()), NOW, &["eku.malformed"]),
        (q().with(EKU, sequence(&[oid("0.4.0.194115.1.0")])), NOW, &["eku.tls-binding", "eku.no-server-auth"]),
        (q().with(EKU, sequence(&[oid("1.3.6.1.5.5.7.3.1")])), NOW, &["eku.unusable"]),
        (q().with(EKU, sequence(&[oid("2.5.29.37.0")])), NOW, &["eku.unusable", "eku.no-server-auth"]),
        (q().with(EKU, sequence(&[oid("1.3.6.1.5.5.7.3.2")])), NOW, &["eku.no-server-auth"]),
        (q().without(ALT_NAME), NOW, &["subject-alt-name.missing"]),
        (q().with(ALT_NAME, sequence(&[])), NOW, &["subject-alt-name.malformed"]),
        (q().without(AIA), NOW, &["aia.ca-issuers-missing"]),
        (q().without(CRL_POINTS), NOW, &[]),
        (q().without(CRL_POINTS).without(AIA), NOW, &["revocation.no-source", "aia.ca-issuers-missing"]),
        (q().with(CRL_POINTS, ldap).without(AIA), NOW, &["revocation.no-source", "aia.ca-issuers-missing"]),
        (q().without(CRL_POINTS).without(AIA).with("2.5.29.56", null()), NOW, &["aia.ca-issuers-missing"]),
        (q().with(CRL_POINTS, null()).without(AIA), NOW, &["crl-distribution-points.malformed", "aia.ca-issuers-missing"]),
        (q().without(POLICIES), NOW, &["policies.missing"]),
        (q().with(POLICIES, policies(&["0.4.0.19495.3.1"])), NOW, &["policies.not-qualified"]),
        (q().with(POLICIES, policies(&["0.4.0.194112.1.6"])), NOW, &[]),
    ]
}

#[rustfmt::skip]
fn qualification_cases() -> Vec<Case> {
    let q = Qwac::new;
    let with_pds = |url, language| q().statement(QC_PDS, pds(url, language));
    let semantics = |id: &str| q().statement(SYNTAX_V2, sequence(&[oid(id)]));
    vec![
        (q().without_statements(), NOW, &["qc.missing", "psd2.missing"]),
        (q().without_statement(QC_COMPLIANCE), NOW, &["qc.not-qualified"]),
        (q().statement("0.4.0.1862.1.7", sequence(&[printable("CH")])), NOW, &["qc.third-country"]),
        (q().statement("0.4.0.1862.1.7", sequence(&[])), NOW, &["qc.legislation-malformed"]),
        (q().without_statement(QC_TYPE), NOW, &["qc.type-missing"]),
        (q().statement(QC_TYPE, null()), NOW, &["qc.type-malformed"]),
        (q().types(&["0.4.0.1862.1.6.2"]), NOW, &["qc.type-seal"]),
        (q().types(&["0.4.0.1862.1.6.1"]), NOW, &["qc.type-signature"]),
        (q().types(&["0.4.0.1862.1.6.3", "0.4.0.1862.1.6.2"]), NOW, &["qc.type-several"]),
        (q().types(&["0.4.0.1862.1.6.4"]), NOW, &["qc.type-unknown"]),
        (q().without_statement(QC_PDS), NOW, &["qc.pds-missing"]),
        (q().statement(QC_PDS, null()), NOW, &["qc.pds-malformed"]),
        (with_pds("http://qtsp.example", "en"), NOW, &["qc.pds-not-https"]),
        (with_pds("HTTPS://qtsp.example", "en"), NOW, &[]),
        (with_pds("https://qtsp.example", "fi"), NOW, &["qc.pds-no-english"]),
        (with_pds("https://qtsp.example", "EN"), NOW, &["qc.pds-language"]),
        (with_pds("https://qtsp.example", "xx"), NOW, &["qc.pds-language", "qc.pds-no-english"]),
        (q().statement("0.4.0.1862.1.4", vec![]), NOW, &["qc.sscd-unexpected"]),
        (q().statement("1.3.6.1.5.5.7.11.1", vec![]), NOW, &["qc.syntax-v1"]),
        (semantics("0.4.0.194121.1.2"), NOW, &[]),
        (semantics("0.4.0.194121.1.1"), NOW, &["qc.semantics-natural-person"]),
        (q().statement("1.2.3.4", utf8("unknown statements are ignored")), NOW, &[]),
    ]
}

#[rustfmt::skip]
fn psd2_cases() -> Vec<Case> {
    let q = Qwac::new;
    let payee = psd2(&[role(AI.0, AI.1), role("0.4.0.19495.1.6", "PSP_PA")], "NA", "NA");
    vec![
        (q().without_statement(PSD2), NOW, &["psd2.missing"]),
        (q().statement(PSD2, sequence(&[])), NOW, &["psd2.malformed"]),
        (q().roles(&[("0.4.0.19495.1.0", "Unspecified")]), NOW, &["psd2.no-role"]),
        (q().roles(&[AI, ("0.4.0.19495.1.0", "Unspecified")]), NOW, &["psd2.role-unspecified"]),
        (q().roles(&[AI, AI]), NOW, &["psd2.role-repeated"]),
        (q().roles(&[AI, ("0.4.0.19495.1.51", "VOP_RS")]), NOW, &["psd2.role-not-psd2"]),
        (q().roles(&[("0.4.0.19495.1.5", "PSP_CB")]), NOW, &["psd2.no-role", "psd2.role-not-psd2"]),
        (q().roles(&[AI, ("1.2.3.4", "PSP_PI")]), NOW, &["psd2.role-unknown"]),
        (q().roles(&[(AI.0, "PSP_PI")]), NOW, &["psd2.role-name-mismatch"]),
        (q().authority("Центральный банк", "FI-FINFSA"), NOW, &["psd2.nca-name-not-latin"]),
        (q().authority("Autorité de contrôle – prudentiel", "FI-FINFSA"), NOW, &[]),
        (q().authority(NAME, "FI"), NOW, &["psd2.nca-id-syntax"]),
        (q().authority(NAME, "FI_FINFSA"), NOW, &["psd2.nca-id-syntax"]),
        (q().authority(NAME, "fi-FINFSA"), NOW, &["psd2.nca-id-syntax"]),
        (q().authority(NAME, "FI-F"), NOW, &["psd2.nca-id-syntax"]),
        (q().authority(NAME, "FI-FINFSAFIN"), NOW, &["psd2.nca-id-syntax"]),
        (q().authority(NAME, "NA"), NOW, &["psd2.nca-id-syntax"]),
        (q().statement(PSD2, payee), NOW, &["psd2.role-not-psd2"]),
        (q().authority(NAME, "ZZ-FINFSA").organization_identifier("VATFI-1"), NOW, &["psd2.nca-id-country", "organization-identifier.not-psd"]),
        (q().authority(NAME, "FI-FSA"), NOW, &["psd2.nca-unknown", "psd2.nca-mismatch"]),
        (q().authority("Bank of Spain", "ES-BDE").organization_identifier("PSDES-BE-6712"), NOW, &["psd2.nca-alias"]),
        (q().authority("Bank of Spain", "ES-BE").organization_identifier("PSDES-BDE-6712"), NOW, &[]),
        (q().authority("Bank of Greece", "EL-BOG").organization_identifier("PSDGR-BOG-1"), NOW, &["psd2.nca-alias"]),
        (q().authority("Bank of Spain", "ES-BE"), NOW, &["psd2.nca-mismatch"]),
    ]
}

#[rustfmt::skip]
fn organization_cases() -> Vec<Case> {
    let q = Qwac::new;
    let with_id = |text| q().organization_identifier(text);
    let register = sequence(&[tlv(0x86, b"https://register.example")]);
    let national = with_id("EI:SE-5567971433").statement(SYNTAX_V2, sequence(&[oid("0.4.0.194121.1.2"), register]));
    vec![
        (q().attribute("2.5.4.97", None), NOW, &["organization-identifier.missing"]),
        (with_id("PSDFI_FINFSA-1"), NOW, &["organization-identifier.malformed"]),
        (with_id("2858394-9"), NOW, &["organization-identifier.malformed"]),
        (with_id("Example Oy"), NOW, &["organization-identifier.malformed", "organization-identifier.is-name"]),
        (with_id("PSDFI-FINFSA-IP 1/2013 Ж"), NOW, &[]),
        (with_id("PSDFI-FINFSA-1 "), NOW, &["organization-identifier.invisible-character"]),
        (with_id("PSDFI-FINFSA- 1"), NOW, &["organization-identifier.invisible-character"]),
        (with_id("PSDFI-FINFSA-1  2"), NOW, &["organization-identifier.invisible-character"]),
        (with_id("PSDFI-FINFSA-1\0"), NOW, &["organization-identifier.invisible-character"]),
        (with_id("PSDFI-FINFSA-1\u{200b}2"), NOW, &["organization-identifier.invisible-character"]),
        (with_id("PSDFI-FINFSA-1\u{202e}2"), NOW, &["organization-identifier.invisible-character"]),
        (with_id("PSDFI-FINFSA-e\u{301}"), NOW, &["organization-identifier.invisible-character"]),
        (with_id("VATFI-1\n2"), NOW, &["organization-identifier.invisible-character", "organization-identifier.not-psd"]),
        (with_id("PSDZZ-FINFSA-1"), NOW, &["organization-identifier.country", "psd2.nca-mismatch"]),
        (with_id("VATEL-099028220"), NOW, &["organization-identifier.country-alias", "organization-identifier.not-psd"]),
        (with_id("VATGR-099028220"), NOW, &["organization-identifier.not-psd"]),
        (with_id("VATGR-099028220").issued("201231235959Z"), NOW, &["organization-identifier.not-psd-before-2021"]),
        (with_id("PSDFI-FINFSA-1").issued("201231235959Z"), NOW, &[]),
        (with_id("LEIXG-506700GE1G29325QX363"), NOW, &["organization-identifier.not-psd"]),
        (with_id("LEICH-506700GE1G29325QX363"), NOW, &["organization-identifier.not-psd"]),
        (with_id("LEIZZ-506700GE1G29325QX363"), NOW, &["organization-identifier.country", "organization-identifier.not-psd"]),
        (with_id("LEIXG-506700GE1G29325QX364"), NOW, &["organization-identifier.lei-checksum", "organization-identifier.not-psd"]),
        (with_id("EI:SE-5567971433"), NOW, &["organization-identifier.no-registration-authority", "organization-identifier.not-psd"]),
        (national, NOW, &["organization-identifier.not-psd"]),
        (q().attribute("2.5.4.6", None), NOW, &["subject.country-missing"]),
        (q().attribute("2.5.4.6", Some("EL")), NOW, &["subject.country-unassigned"]),
        (q().attribute("2.5.4.10", Some("")), NOW, &["subject.organization-missing"]),
        (q().attribute("2.5.4.3", Some(" ")), NOW, &["subject.common-name-missing"]),
        (q().attribute("2.5.4.10", None), NOW, &["subject.organization-missing"]),
        (q().attribute("2.5.4.3", None), NOW, &["subject.common-name-missing"]),
    ]
}

fn all_cases() -> Vec<Case> {
    [usage_cases(), qualification_cases(), psd2_cases(), organization_cases()].into_iter().flatten().collect()
}

#[test]
fn a_broken_property_has_its_findings_and_no_others() {
    let rules = Rules::of(Profile::Psd2);
    for (position, (qwac, now, expected)) in all_cases().into_iter().enumerate() {
        let assessment = examine(&rules, qwac.identity(), evidence(now));
        let found: BTreeSet<_> = codes(&assessment).into_iter().collect();
        assert_eq!(found, expected.iter().copied().collect(), "case {position}");
    }
}

#[test]
fn no_rule_is_without_a_case() {
    let told: BTreeSet<_> = all_cases().iter().flat_map(|(.., codes)| codes.iter().copied()).collect();
    // Those for seals, of revocation, of the register and of keys have tests of their own below.
    let apart = [ContentRule::QcTypeWeb, ContentRule::Revoked, ContentRule::RevocationUnknown];
    let here = ContentRule::ALL.into_iter().filter(|rule| !apart.contains(rule)).map(Rule::from);
    let here = here.filter(|rule| !rule.is_about_register() && !rule.is_about_enrolment()).map(Rule::code);
    assert_eq!(here.filter(|code| !told.contains(code)).collect::<Vec<_>>(), Vec::<&str>::new());
}

/// What is found is what is asked, and what is asked is found, under every profile and for both purposes.
#[test]
fn rules_know_whether_they_are_asked() {
    for (profile, purpose) in [
        (Profile::Psd2, Purpose::Qwac),
        (Profile::Obie, Purpose::Qwac),
        (Profile::X509, Purpose::Qwac),
        (Profile::Psd2, Purpose::Qsealc),
        (Profile::X509, Purpose::Qsealc),
    ] {
        let rules = Rules { purpose, ..Rules::of(profile) };
        let registered = registrations().map(|(registration, _)| {
            examine(&rules, both_roles().identity(), Evidence { registration, ..evidence(NOW) })
        });
        let checked =
            [revoked(), RevocationCheck::Known(KnownStatus::Unknown { since: None })].map(|revocation| {
                examine(&rules, Qwac::new().identity(), Evidence { revocation, ..evidence(NOW) })
            });
        let enrolled = key_checks()
            .map(|(key, _)| examine(&rules, Qwac::new().identity(), Evidence { key, ..evidence(NOW) }));
        let cases = all_cases().into_iter();
        let judged = cases.map(|(qwac, now, _)| examine(&rules, qwac.identity(), evidence(now)));
        let found: BTreeSet<_> = judged
            .chain(registered)
            .chain(checked)
            .chain(enrolled)
            .flat_map(|assessment| codes(&assessment))
            .collect();
        for rule in ContentRule::ALL.map(Rule::from) {
            assert_eq!(
                rules.asks(rule),
                found.contains(rule.code()),
                "{profile:?} {purpose:?} {}",
                rule.code()
            );
        }
        assert!(FindingCode::ALL.into_iter().all(|code| rules.asks(Rule::Form(code))));
    }
}

/// What may be known of a key, with the code that follows.
fn key_checks() -> [(KeyCheck, Option<&'static str>); 10] {
    let not_enrolled = |enrolment, is_full| KeyCheck::NotEnrolled { enrolment, is_full };
    let enrolled = |state| KeyCheck::Enrolled { id: KeyId::new(7), state, roles: None };
    [
        (KeyCheck::NotAsked, None),
        (KeyCheck::NoIdentity, Some("enrolment.no-identity")),
        (not_enrolled(Enrolment::Auto, false), None),
        (not_enrolled(Enrolment::Auto, true), Some("enrolment.full")),
        (not_enrolled(Enrolment::Approve, false), Some("enrolment.pending")),
        (not_enrolled(Enrolment::Approve, true), Some("enrolment.full")),
        (not_enrolled(Enrolment::Closed, true), Some("enrolment.closed")),
        (enrolled(KeyState::Active), None),
        (enrolled(KeyState::Pending), Some("enrolment.pending")),
        (enrolled(KeyState::Suspended), Some("enrolment.suspended")),
    ]
}

#[test]
fn a_key_decides_whatever_the_certificate_says_and_only_over_one_that_passes() {
    for (key, code) in key_checks() {
        let rules = Rules::of(Profile::Psd2);
        let judge = |qwac: Qwac, now| decide(&rules, Ok(qwac.identity()), Evidence { key, ..evidence(now) });
        match (judge(Qwac::new(), NOW), code) {
            (Verdict::Admitted(_), None) => {}
            (Verdict::Refused { denial, .. }, Some(code)) => assert_eq!(denial.code(), code),
            (verdict, code) => panic!("{key:?}: expected {code:?}, got {verdict:?}"),
        }
        let Verdict::Refused { denial, .. } = judge(Qwac::new(), NOW + 2 * YEAR) else {
            panic!("it is expired")
        };
        assert_eq!(denial.code(), "validity.expired", "what is wrong with the certificate is told first");
    }
}

#[test]
fn a_key_gives_no_role_that_the_certificate_has_not() {
    let roles_with = |granted: &[Role]| {
        let roles = Some(granted.iter().copied().collect());
        let key = KeyCheck::Enrolled { id: KeyId::new(7), state: KeyState::Active, roles };
        let rules = Rules::of(Profile::Psd2);
        examine(&rules, both_roles().identity(), Evidence { key, ..evidence(NOW) }).roles
    };
    assert_eq!(roles_with(&[Role::PspPi]), [Role::PspPi].into_iter().collect());
    assert_eq!(roles_with(&[Role::PspPi, Role::PspAs]), [Role::PspPi].into_iter().collect());
    assert!(roles_with(&[]).is_empty());
}

#[test]
fn an_identity_is_of_its_profile_and_survives_a_renewal() {
    let identity = Qwac::new().identity();
    let of = |profile| KeyRules::of(profile, Enrolment::Auto).identity_of(profile, &identity).unwrap();
    let identifier = identity.subject.organization_identifier.clone().unwrap();
    assert_eq!(of(Profile::Psd2).as_str(), format!("psd2:{identifier}"));
    assert_eq!(of(Profile::X509).as_str(), format!("x509:subject:{}", identity.subject.distinguished_name));
    assert_ne!(of(Profile::Psd2).digest(), of(Profile::Obie).digest());
    let by = |source, identity| {
        let keys = KeyRules { source, enrolment: Enrolment::Auto };
        keys.identity_of(Profile::Psd2, identity).map(|identity| identity.as_str().to_owned())
    };
    let spki = format!("psd2:spki:{}", identity.spki_sha256);
    assert_eq!(by(KeySource::PublicKey, &identity), Some(spki));
    assert_eq!(
        by(KeySource::Certificate, &identity),
        Some(format!("psd2:certificate:{}", identity.thumbprint))
    );
}

fn revoked() -> RevocationCheck {
    let reason = Some(RevocationReason::KeyCompromise);
    RevocationCheck::Known(KnownStatus::Revoked(Revocation { at: NOW - 60, reason }))
}

#[test]
fn who_is_revoked_is_refused_and_who_may_be_as_the_operator_says() {
    let judged = |rules: &Rules, qwac: Qwac, revocation| {
        decide(rules, Ok(qwac.identity()), Evidence { revocation, ..evidence(NOW) })
    };
    let told = |verdict| match verdict {
        Verdict::Refused { denial, .. } => (denial.code(), denial.to_string()),
        Verdict::Admitted(permit) => {
            let codes = permit.assessment().map(|assessment| codes(assessment).join(" "));
            ("admitted", codes.unwrap_or_default())
        }
    };
    let mut rules = Rules::of(Profile::Psd2);
    let unknown = |since| RevocationCheck::Known(KnownStatus::Unknown { since });
    for check in [
        RevocationCheck::NotAsked,
        RevocationCheck::Exempt,
        RevocationCheck::Known(KnownStatus::Good { until: NOW }),
    ] {
        assert_eq!(told(judged(&rules, Qwac::new(), check)), ("admitted", String::new()));
    }
    let (code, message) = told(judged(&rules, Qwac::new(), revoked()));
    assert_eq!(code, "revocation.revoked");
    assert!(message.contains("keyCompromise"), "{message}");
    assert_eq!(told(judged(&rules, Qwac::new(), unknown(None))).0, "revocation.unknown");
    let (_, message) = told(judged(&rules, Qwac::new(), unknown(Some(NOW - 60))));
    assert!(message.contains("served until"), "{message}");
    // What is wrong for good is told before what may be over in a moment.
    let seal = Qwac::new().attribute("2.5.4.97", None);
    assert_eq!(told(judged(&rules, seal, unknown(None))).0, "organization-identifier.missing");
    rules.severities.set(ContentRule::RevocationUnknown.into(), Severity::Warn);
    let admitted = ("admitted", "revocation.unknown".to_owned());
    assert_eq!(told(judged(&rules, Qwac::new(), unknown(None))), admitted);
}

#[test]
fn a_rule_that_denies_refuses_and_one_that_warns_does_not() {
    let rules = Rules::of(Profile::Psd2);
    for (position, (qwac, now, _)) in all_cases().into_iter().enumerate() {
        let identity = qwac.identity();
        let assessment = examine(&rules, identity.clone(), evidence(now));
        let denies = assessment.findings.iter().any(|finding| finding.severity == Severity::Deny);
        match decide(&rules, Ok(identity), evidence(now)) {
            Verdict::Admitted(permit) => {
                assert!(!denies, "case {position}");
                assert!(!permit.roles().is_empty(), "case {position}: nobody passes without a role");
            }
            Verdict::Refused { denial, assessment } => {
                assert!(denies, "case {position}");
                assert_eq!(denial.code(), codes(&assessment.unwrap())[0], "case {position}");
            }
        }
    }
}

#[test]
fn the_gravest_come_first_and_the_rules_before_the_form() {
    let flattened = sequence(&[sequence(&[oid(AI.0), utf8(AI.1)]), utf8(NAME), utf8("FI-FINFSA")]);
    let seal = Qwac::new().types(&["0.4.0.1862.1.6.2"]).statement(PSD2, flattened).without(KEY_USAGE);
    let found = judged(Profile::Psd2, seal);
    assert_eq!(found, ["qc.type-seal", "psd2.flattened-roles", "key-usage.missing"]);
}

#[test]
fn a_key_usage_that_cannot_be_read_allows_nothing() {
    // keyEncipherment alone with its trailing zero bits, no bit at all, a bit that is not defined.
    for odd in [tlv(0x03, &[0, 0x20]), tlv(0x03, &[7, 0]), tlv(0x03, &[6, 0x80, 0x40])] {
        for profile in [Profile::Psd2, Profile::Obie, Profile::X509] {
            let qwac = Qwac::new().with(KEY_USAGE, odd.clone());
            let verdict = decide(&Rules::of(profile), Ok(qwac.identity()), evidence(NOW));
            let Verdict::Refused { denial, .. } = verdict else { panic!("{profile:?} admits {odd:02x?}") };
            assert_eq!(denial.code(), "key-usage.malformed");
        }
    }
}

#[test]
fn a_severity_that_was_changed_decides() {
    let mut rules = Rules::of(Profile::Psd2);
    let mismatched = || Qwac::new().roles(&[(AI.0, "PSP_PI")]).identity();
    assert!(matches!(decide(&rules, Ok(mismatched()), evidence(NOW)), Verdict::Admitted(_)));
    rules.severities.set(Rule::Form(FindingCode::Psd2RoleNameMismatch), Severity::Deny);
    let Verdict::Refused { denial, .. } = decide(&rules, Ok(mismatched()), evidence(NOW)) else { panic!() };
    assert_eq!(denial.code(), "psd2.role-name-mismatch");
    rules.severities.set(ContentRule::QcNotQualified.into(), Severity::Warn);
    let unqualified = Qwac::new().without_statement(QC_COMPLIANCE).identity();
    assert!(matches!(decide(&rules, Ok(unqualified), evidence(NOW)), Verdict::Admitted(_)));
}

/// Lowering a rule about the form must not lower those about what the form hides.
#[test]
fn a_form_that_is_let_pass_hides_nothing() {
    let flattened = sequence(&[sequence(&[oid(AI.0), utf8(AI.1)]), utf8(NAME), utf8("FI-FINFSA")]);
    let junk = || Qwac::new().without_statements().with(QC, null());
    let cases = [
        ("qc.malformed", junk(), "qc.missing"),
        ("psd2.flattened-roles", Qwac::new().statement(PSD2, flattened), "psd2.missing"),
        ("psd2.no-roles", Qwac::new().roles(&[]), "psd2.missing"),
        ("qc.type-malformed", Qwac::new().statement(QC_TYPE, null()), "qc.type-missing"),
        ("qc.legislation-malformed", Qwac::new().statement("0.4.0.1862.1.7", null()), "qc.third-country"),
    ];
    for (form, qwac, hidden) in cases {
        let mut rules = Rules::of(Profile::Psd2);
        rules.severities.set(Rule::from_code(form).unwrap(), Severity::Warn);
        let found = examine(&rules, qwac.identity(), evidence(NOW));
        assert!(!found.is_admitted(), "{form}");
        assert!(found.denials().any(|finding| finding.rule.code() == hidden), "{form}: {:?}", codes(&found));
    }
    let mut rules = Rules::of(Profile::Psd2);
    rules.severities.set(ContentRule::RevocationSourceMissing.into(), Severity::Deny);
    let no_source = Qwac::new().without(AIA).with(CRL_POINTS, null());
    assert_eq!(codes(&examine(&rules, no_source.identity(), evidence(NOW)))[0], "revocation.no-source");
}

#[test]
fn a_seal_is_judged_as_a_seal() {
    let rules = Rules { purpose: Purpose::Qsealc, ..Rules::of(Profile::Psd2) };
    let judged_as_seal = |qwac: Qwac| codes(&examine(&rules, qwac.identity(), evidence(NOW)));
    assert_eq!(judged_as_seal(Qwac::seal()), Vec::<&str>::new());
    let non_repudiation = tlv(0x03, &[6, 0x40]);
    assert_eq!(judged_as_seal(Qwac::seal().with(KEY_USAGE, non_repudiation)), Vec::<&str>::new());
    assert_eq!(judged_as_seal(Qwac::new()), ["qc.type-web", "policies.not-qualified"]);
    assert_eq!(judged(Profile::Psd2, Qwac::seal())[0], "qc.type-seal");
}

#[test]
fn open_banking_certificates_need_not_be_qualified() {
    let obwac = || {
        let plain = Qwac::new().without_statement(QC_COMPLIANCE).without_statement(QC_PDS);
        let numbered = plain.organization_identifier("PSDGB-OB-Unknown0015800001HQQrZAAX");
        numbered.authority("Financial Conduct Authority", "GB-FCA")
    };
    let rules = Rules::of(Profile::Obie);
    let found = examine(&rules, obwac().identity(), evidence(NOW));
    assert!(found.is_admitted());
    assert_eq!(codes(&found), ["qc.not-qualified", "qc.pds-missing"]);
    assert!(found.findings.iter().all(|finding| finding.severity == Severity::Note));
    assert_eq!(judged(Profile::Psd2, obwac())[0], "qc.not-qualified");
    let elsewhere = obwac().organization_identifier("PSDFR-OB-1");
    assert_eq!(judged(Profile::Obie, elsewhere)[0], "psd2.nca-mismatch");
    assert!(!examine(&rules, obwac().without_statement(PSD2).identity(), evidence(NOW)).is_admitted());
}

#[test]
fn a_seal_stays_one_however_often_it_says_so() {
    let (esign, eseal, web) = ("0.4.0.1862.1.6.1", "0.4.0.1862.1.6.2", "0.4.0.1862.1.6.3");
    for (types, code) in [
        (&[eseal, eseal][..], "qc.type-seal"),
        (&[eseal, "1.2.3"], "qc.type-seal"),
        (&[esign, eseal], "qc.type-seal"),
        (&["1.2.3", esign], "qc.type-signature"),
        (&["1.2.3", "1.2.4"], "qc.type-unknown"),
        (&[web, eseal], "qc.type-several"),
        (&[web, web], "qc.type-several"),
    ] {
        for profile in [Profile::Psd2, Profile::Obie] {
            let found = judged(profile, Qwac::new().types(types));
            assert_eq!(found, [code], "{profile:?} {types:?}");
        }
    }
}

#[test]
fn any_certificate_serves_under_x509_but_not_for_any_use() {
    let plain = || Qwac::new().without_statements();
    assert_eq!(judged(Profile::X509, plain()), Vec::<&str>::new());
    let rules = Rules::of(Profile::X509);
    for bad in [plain().with(EKU, sequence(&[oid("1.3.6.1.5.5.7.3.4")])), plain().key(rsa_key(128))] {
        assert!(!examine(&rules, bad.identity(), evidence(NOW)).is_admitted());
    }
    let any_tls = Rules { extended_key_usage: EkuRule::AnyTls, ..rules };
    let server = plain().with(EKU, sequence(&[oid("1.3.6.1.5.5.7.3.1")]));
    assert!(examine(&any_tls, server.identity(), evidence(NOW)).is_admitted());
}

const PI: (&str, &str) = ("0.4.0.19495.1.2", "PSP_PI");

/// A certificate with the roles of account information and payment initiation.
fn both_roles() -> Qwac {
    Qwac::new().roles(&[AI, PI])
}

fn set(roles: impl IntoIterator<Item = Role>) -> Roles {
    roles.into_iter().collect()
}

/// What a register may say of the holder of [`both_roles`], with what follows: a code, whether it is refused, and the
/// roles that are left.
fn registrations() -> [(Registration, (&'static str, bool, Roles)); 7] {
    let (ai, pi, both) = (set([Role::PspAi]), set([Role::PspPi]), set([Role::PspAi, Role::PspPi]));
    let authorised = |roles, passported| Registration::Authorised { roles, passported, until: i64::MAX };
    [
        (Registration::Unknown { since: Some(NOW) }, ("register.unknown", true, both)),
        (Registration::NotFound { until: i64::MAX }, ("register.not-found", true, both)),
        (
            Registration::Withdrawn { since: Some(NOW), until: NOW },
            ("register.withdrawn", true, Roles::EMPTY),
        ),
        (authorised(set([Role::PspIc]), set([Role::PspIc])), ("register.no-role", true, Roles::EMPTY)),
        (authorised(ai.union(set([Role::PspIc])), ai), ("register.role-not-authorised", false, ai)),
        (authorised(both, Roles::EMPTY), ("register.passport-missing", true, Roles::EMPTY)),
        (authorised(both, pi), ("register.role-not-passported", false, pi)),
    ]
}

#[test]
fn the_register_takes_roles_away_and_gives_none() {
    let rules = Rules::of(Profile::Psd2);
    let of =
        |registration| examine(&rules, both_roles().identity(), Evidence { registration, ..evidence(NOW) });
    for (registration, (code, is_refused, left)) in registrations() {
        let assessment = of(registration);
        assert_eq!((codes(&assessment), assessment.roles), (vec![code], left));
        assert_eq!(assessment.is_admitted(), !is_refused, "{code}");
    }
    let both = set([Role::PspAi, Role::PspPi]);
    let all = Registration::Authorised { roles: set(Role::ALL), passported: set(Role::ALL), until: 0 };
    for registration in [Registration::NotAsked, Registration::Exempt { until: i64::MAX }, all] {
        assert_eq!((codes(&of(registration)), of(registration).roles), (vec![], both));
    }
}

#[test]
fn a_register_that_is_observed_refuses_nobody_and_tells_whom_it_would() {
    let rules = Rules::of(Profile::Psd2);
    let lenient = {
        let mut rules = rules;
        ContentRule::ALL
            .map(Rule::from)
            .into_iter()
            .for_each(|rule| rules.severities.set(rule, Severity::Note));
        rules
    };
    for (registration, (code, is_refused, _)) in registrations() {
        let evidence = || Evidence { registration, is_register_enforced: false, ..evidence(NOW) };
        let assessment = examine(&rules, both_roles().identity(), evidence());
        assert!(assessment.is_admitted());
        assert_eq!((codes(&assessment), assessment.roles), (vec![code], set([Role::PspAi, Role::PspPi])));
        let denial = assessment.observed_denial(&rules).map(|found| found.rule.code());
        assert_eq!(denial, is_refused.then_some(code));
        // What the operator lets pass would pass.
        let assessment = examine(&lenient, both_roles().identity(), evidence());
        assert!(assessment.observed_denial(&lenient).is_none());
    }
    // What refuses already is not told again.
    let (withdrawn, _) = registrations()[2];
    let assessment =
        examine(&rules, both_roles().identity(), Evidence { registration: withdrawn, ..evidence(NOW) });
    assert!(assessment.observed_denial(&rules).is_none());
}

#[test]
fn a_certificate_that_cannot_be_read_is_refused_as_such() {
    let unreadable = Identity::from_der(&psd2_statement());
    let verdict = decide(&Rules::of(Profile::X509), unreadable, evidence(NOW));
    let Verdict::Refused { denial: denial @ Denial::Unreadable(_), assessment: None } = verdict else {
        panic!()
    };
    assert_eq!(denial.code(), "certificate.unreadable");
}

#[test]
fn nobody_has_the_fields_of_somebody() {
    let assessment = examine(&Rules::of(Profile::Psd2), Qwac::new().identity(), evidence(NOW));
    let fields = |json: serde_json::Value| json.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    let somebody = fields(serde_json::to_value(&assessment).unwrap());
    assert_eq!(fields(serde_json::to_value(Anonymous).unwrap()), somebody);
}
