//! A well-formed PSD2 statement, broken one property at a time.

use super::*;
use crate::test_der::{oid as encode_oid, printable, role, sequence, tlv, utf8};

const AI: &str = "0.4.0.19495.1.3";
const PI: &str = "0.4.0.19495.1.2";

fn read(info: &[u8]) -> (Option<Psd2Statement>, Vec<FindingCode>) {
    let mut findings = Vec::new();
    let statement = Psd2Statement::read(info, &mut findings);
    (statement, findings.iter().map(|finding| finding.code).collect())
}

/// A statementInfo with these roles and otherwise nothing wrong.
fn with_roles(roles: Vec<u8>) -> Vec<u8> {
    sequence(&[roles, utf8("Financial Conduct Authority"), utf8("GB-FCA")])
}

fn refused(info: &[u8], code: FindingCode) {
    assert_eq!(read(info), (None, vec![code]), "{info:02x?}");
    assert!(code.voids_psd2(), "{code}");
}

#[test]
fn a_well_formed_statement_is_read() {
    let (statement, findings) = read(&with_roles(sequence(&[role(AI, "PSP_AI"), role(PI, "PSP_PI")])));
    let statement = statement.unwrap();
    assert_eq!(statement.roles, [Role::PspAi, Role::PspPi].into_iter().collect());
    assert_eq!(statement.role_entries[0], RoleEntry { oid: AI.into(), name: "PSP_AI".into() });
    assert_eq!(statement.nca_name, "Financial Conduct Authority");
    assert_eq!(statement.nca_id, "GB-FCA");
    assert_eq!(findings, []);
}

#[test]
fn identifiers_that_are_no_role_are_kept_and_authorise_nothing() {
    let others = [("0", "Unspecified"), ("5", "PSP_CB"), ("6", "PSP_PA"), ("51", "VOP_RS"), ("52", "VOP_VS")];
    let mut entries: Vec<_> =
        others.iter().map(|(last, name)| role(&format!("0.4.0.19495.1.{last}"), name)).collect();
    // A role's name under an identifier of somebody else's must not count either.
    entries.push(role("1.2.3.4", "PSP_AI"));
    let (statement, findings) = read(&with_roles(sequence(&entries)));
    let statement = statement.unwrap();
    assert!(statement.roles.is_empty());
    assert_eq!(statement.role_entries.len(), 6);
    assert_eq!(statement.role_entries[5], RoleEntry { oid: "1.2.3.4".into(), name: "PSP_AI".into() });
    assert_eq!(findings, []);
}

#[test]
fn the_identifier_counts_where_the_name_disagrees() {
    let (statement, findings) = read(&with_roles(sequence(&[role(AI, "PSP_PI")])));
    assert_eq!(statement.unwrap().roles, [Role::PspAi].into_iter().collect());
    assert_eq!(findings, [FindingCode::Psd2RoleNameMismatch]);
}

#[test]
fn flattened_roles_are_refused_at_both_depths() {
    let pairs = [encode_oid(AI), utf8("PSP_AI"), encode_oid(PI), utf8("PSP_PI")];
    refused(&with_roles(sequence(&pairs)), FindingCode::Psd2FlattenedRoles);
    refused(&with_roles(sequence(&[sequence(&pairs)])), FindingCode::Psd2FlattenedRoles);
}

#[test]
fn string_types_other_than_utf8_are_refused() {
    let roles = sequence(&[role(AI, "PSP_AI")]);
    for tag in [0x12, 0x13, 0x14, 0x16, 0x1a, 0x1c, 0x1e] {
        let name = tlv(tag, b"PSP_AI");
        refused(
            &with_roles(sequence(&[sequence(&[encode_oid(AI), name.clone()])])),
            FindingCode::Psd2StringType,
        );
        refused(&sequence(&[roles.clone(), name.clone(), utf8("GB-FCA")]), FindingCode::Psd2StringType);
        refused(&sequence(&[roles.clone(), utf8("FCA"), name]), FindingCode::Psd2StringType);
    }
    let octets = tlv(0x04, b"GB-FCA");
    refused(&sequence(&[roles, utf8("FCA"), octets]), FindingCode::Psd2Malformed);
}

#[test]
fn stray_tags_are_refused_wherever_they_stand() {
    let roles = sequence(&[role(AI, "PSP_AI")]);
    for tag in [0xa0, 0xa1, 0x80] {
        refused(&tlv(tag, &with_roles(roles.clone())), FindingCode::Psd2StrayTag);
        refused(&with_roles(tlv(tag, &roles)), FindingCode::Psd2StrayTag);
        refused(&with_roles(sequence(&[tlv(tag, &role(AI, "PSP_AI"))])), FindingCode::Psd2StrayTag);
        let id = tlv(tag, &utf8("GB-FCA"));
        refused(&sequence(&[roles.clone(), utf8("FCA"), id]), FindingCode::Psd2StrayTag);
    }
}

#[test]
fn trailing_bytes_are_refused_at_every_level() {
    let good = with_roles(sequence(&[role(AI, "PSP_AI")]));
    refused(&[good, vec![0x05, 0x00]].concat(), FindingCode::Psd2TrailingBytes);
    let roles = || sequence(&[role(AI, "PSP_AI")]);
    let more = sequence(&[roles(), utf8("FCA"), utf8("GB-FCA"), utf8("more")]);
    refused(&more, FindingCode::Psd2TrailingBytes);
    let role = sequence(&[encode_oid(AI), utf8("PSP_AI"), utf8("more")]);
    refused(&with_roles(sequence(&[role])), FindingCode::Psd2TrailingBytes);
}

#[test]
fn empty_structures_are_refused() {
    refused(&[], FindingCode::Psd2Malformed);
    refused(&sequence(&[]), FindingCode::Psd2Malformed);
    refused(&with_roles(sequence(&[])), FindingCode::Psd2NoRoles);
    refused(&with_roles(sequence(&[sequence(&[])])), FindingCode::Psd2Malformed);
    refused(&with_roles(sequence(&[sequence(&[encode_oid(AI)])])), FindingCode::Psd2Malformed);
    refused(&sequence(&[sequence(&[role(AI, "PSP_AI")]), utf8("FCA")]), FindingCode::Psd2Malformed);
}

#[test]
fn strings_have_1_to_256_characters() {
    let roles = || sequence(&[role(AI, "PSP_AI")]);
    for text in ["", &"x".repeat(257), &"x".repeat(5000), &"é".repeat(257)] {
        refused(&sequence(&[roles(), utf8(text), utf8("GB-FCA")]), FindingCode::Psd2StringLength);
        refused(&sequence(&[roles(), utf8("FCA"), utf8(text)]), FindingCode::Psd2StringLength);
        refused(&with_roles(sequence(&[role(AI, text)])), FindingCode::Psd2StringLength);
    }
    let longest = "𝔘".repeat(256);
    let (statement, _) = read(&sequence(&[roles(), utf8(&longest), utf8("GB-FCA")]));
    assert_eq!(statement.unwrap().nca_name, longest);
    let bad = tlv(0x0c, &[b'a', 0xff]);
    refused(&sequence(&[roles(), bad, utf8("GB-FCA")]), FindingCode::Psd2Malformed);
}

#[test]
fn the_number_of_roles_is_bounded() {
    let entries = |count: usize| -> Vec<_> { (0..count).map(|_| role(AI, "PSP_AI")).collect() };
    let (statement, _) = read(&with_roles(sequence(&entries(MAX_ROLE_ENTRIES))));
    assert_eq!(statement.unwrap().role_entries.len(), MAX_ROLE_ENTRIES);
    refused(&with_roles(sequence(&entries(MAX_ROLE_ENTRIES + 1))), FindingCode::Psd2TooManyRoles);
}

#[test]
fn identifiers_and_lengths_must_be_der() {
    let bad_oid = sequence(&[tlv(0x06, &[0x04, 0x80, 0x01]), utf8("PSP_AI")]);
    refused(&with_roles(sequence(&[bad_oid])), FindingCode::Psd2Malformed);
    let mut padded = vec![0x0c, 0x81, 0x06];
    padded.extend(b"GB-FCA");
    refused(&sequence(&[sequence(&[role(AI, "PSP_AI")]), utf8("FCA"), padded]), FindingCode::Psd2Malformed);
    refused(&sequence(&[sequence(&[role(AI, "PSP_AI")]), printable("FCA")]), FindingCode::Psd2StringType);
    let good = with_roles(sequence(&[role(AI, "PSP_AI")]));
    for end in 0..good.len() {
        let (statement, findings) = read(&good[..end]);
        assert_eq!((statement, findings.len()), (None, 1), "cut at {end}");
    }
}
