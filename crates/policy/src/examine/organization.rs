//! Rules about who the subject is (EN 319 412-1 section 5.1.4, EN 319 412-3, TS 119 495 section 5.2.1).

use portcullis_identity::{Authorisation, Identity, OrganizationIdentifier, Scheme, is_lei, is_visible};

use super::Report;
use crate::ContentRule;
use crate::country;

/// When TS 119 495 V1.5.1 was published, 2021-04-01 in Unix time: until then an organizationIdentifier shall be an
/// authorisation number, from then it should.
const EDITION_1_5_1: i64 = 1_617_235_200;

/// The country of an LEI that is of no country (EN 319 412-1 section 5.1.4).
const INTERNATIONAL: &str = "XG";

pub(super) fn examine(identity: &Identity, report: &mut Report<'_>) {
    let subject = &identity.subject;
    match subject.country.as_deref() {
        None => report.broken(ContentRule::CountryMissing, "the subject has no country that can be taken"),
        Some(country) if country::is_assigned(country) => {}
        Some(_) => {
            report.broken(ContentRule::CountryUnassigned, "the subject's country is no code of ISO 3166-1");
        }
    }
    if is_blank(subject.organization.as_deref()) {
        report.broken(
            ContentRule::OrganizationMissing,
            "the subject has no organizationName that can be taken",
        );
    }
    if is_blank(subject.common_name.as_deref()) {
        report.broken(ContentRule::CommonNameMissing, "the subject has no commonName that can be taken");
    }
    let Some(text) = subject.organization_identifier.as_deref() else {
        let message = "the subject has no organizationIdentifier that can be taken";
        report.broken(ContentRule::OrganizationIdentifierMissing, message);
        return;
    };
    if subject.organization.as_deref() == Some(text) {
        let message = "the organizationIdentifier is the same as the organizationName";
        report.broken(ContentRule::OrganizationIdentifierIsName, message);
    }
    match OrganizationIdentifier::parse(text) {
        Ok(parsed) => examine_scheme(identity, &parsed, report),
        Err(error) => {
            let message = format!("the organizationIdentifier is malformed: {error}");
            report.broken(ContentRule::OrganizationIdentifierMalformed, message);
        }
    }
}

/// Whether an attribute names nothing: a `DirectoryString` has one character at least (X.520).
fn is_blank(attribute: Option<&str>) -> bool {
    attribute.is_none_or(|text| text.trim().is_empty())
}

fn examine_scheme(identity: &Identity, parsed: &OrganizationIdentifier<'_>, report: &mut Report<'_>) {
    examine_country(parsed, report);
    let number = parsed.number();
    // TS 119 495 leaves the characters of the number open, so spaces and letters of any script are.
    if number.trim() != number || number.contains("  ") || !number.chars().all(is_visible) {
        let message = "the organizationIdentifier's number has invisible characters or needless spaces";
        report.broken(ContentRule::OrganizationIdentifierInvisible, message);
    }
    match parsed {
        OrganizationIdentifier::Psd(Authorisation { .. }) => return,
        OrganizationIdentifier::Registered { scheme: Scheme::Lei, reference, .. } if !is_lei(reference) => {
            report.broken(ContentRule::LeiChecksum, "the check digits of the LEI do not hold");
        }
        OrganizationIdentifier::Registered { .. } => {}
        OrganizationIdentifier::National { scheme, .. } => {
            let semantics = identity.qc.as_ref().and_then(|qc| qc.semantics.as_ref());
            if semantics.is_none_or(|semantics| semantics.name_registration_authorities.is_empty()) {
                let message = format!(
                    "the national scheme {scheme}: comes without the URI of its registration authority"
                );
                report.broken(ContentRule::NationalAuthority, message);
            }
        }
    }
    if identity.psd2.is_none() {
        return;
    }
    if identity.validity.not_before < EDITION_1_5_1 {
        let message = "the organizationIdentifier is no authorisation number, which certificates issued before April \
                       2021 must have";
        report.broken(ContentRule::NotPsdShall, message);
    } else {
        report.broken(ContentRule::NotPsdShould, "the organizationIdentifier is no authorisation number");
    }
}

fn examine_country(parsed: &OrganizationIdentifier<'_>, report: &mut Report<'_>) {
    let country = parsed.country();
    let is_lei = matches!(parsed, OrganizationIdentifier::Registered { scheme: Scheme::Lei, .. });
    if country::is_assigned(country) || is_lei && country == INTERNATIONAL {
        return;
    }
    if let Some(meant) = country::alias_of(country) {
        let message =
            format!("the organizationIdentifier's country is {country}; the code of ISO 3166-1 is {meant}");
        report.broken(ContentRule::CountryAlias, message);
    } else {
        let message = format!("the organizationIdentifier's country, {country}, is no code of ISO 3166-1");
        report.broken(ContentRule::OrganizationIdentifierCountry, message);
    }
}
