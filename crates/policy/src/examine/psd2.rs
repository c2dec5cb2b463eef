//! Rules about the PSD2 statement: roles and authority (TS 119 495 section 5).

use portcullis_identity::{FindingCode, Identity, OrganizationIdentifier, Psd2Statement, Role, role_name};

use super::Report;
use crate::authority::{self, resolve_authority};
use crate::{ContentRule, Profile, country};

const UNSPECIFIED: &str = "0.4.0.19495.1.0";
/// `PSP_CB` and `PSP_PA`, whose authority need not be named.
const WITHOUT_AUTHORITY: [&str; 2] = ["0.4.0.19495.1.5", "0.4.0.19495.1.6"];
/// What stands in place of the authority's name and identifier beside these roles (GEN-5.2.3-1A, GEN-5.2.3-5).
const NOT_APPLICABLE: &str = "NA";

pub(super) fn examine(identity: &Identity, report: &mut Report<'_>) {
    let Some(psd2) = &identity.psd2 else {
        if !report.is_told(ContentRule::Psd2Missing, FindingCode::voids_psd2) {
            report.broken(ContentRule::Psd2Missing, "the certificate has no PSD2 statement that can be read");
        }
        return;
    };
    if psd2.roles.is_empty() {
        let message = "the PSD2 statement names none of the roles PSP_AS, PSP_PI, PSP_AI and PSP_IC";
        report.broken(ContentRule::Psd2NoRole, message);
    }
    examine_roles(psd2, report);
    examine_authority(identity, psd2, report);
}

fn examine_roles(psd2: &Psd2Statement, report: &mut Report<'_>) {
    let entries = &psd2.role_entries;
    if entries.len() > 1 && entries.iter().any(|entry| entry.oid == UNSPECIFIED) {
        report.broken(ContentRule::RoleUnspecified, "the role Unspecified stands beside others");
    }
    let is_repeated = |at: usize| entries[..at].iter().any(|entry| entry.oid == entries[at].oid);
    if let Some(at) = (0..entries.len()).find(|at| is_repeated(*at)) {
        report.broken(ContentRule::RoleRepeated, format!("role {} is named more than once", entries[at].oid));
    }
    let others =
        || entries.iter().filter(|entry| Role::from_oid(&entry.oid).is_none() && entry.oid != UNSPECIFIED);
    if let Some(name) = others().find_map(|entry| role_name(&entry.oid)) {
        report.broken(
            ContentRule::RoleOther,
            format!("role {name} is not one of PSD2; it gives no right here"),
        );
    }
    if let Some(entry) = others().find(|entry| role_name(&entry.oid).is_none()) {
        let message = format!("role {} is not of TS 119 495; it gives no right here", entry.oid);
        report.broken(ContentRule::RoleUnknown, message);
    }
}

fn examine_authority(identity: &Identity, psd2: &Psd2Statement, report: &mut Report<'_>) {
    if !psd2.nca_name.chars().all(is_latin) {
        report.broken(ContentRule::NcaName, "nCAName has characters that are not plain Latin text");
    }
    let needs_none = psd2.role_entries.iter().any(|entry| WITHOUT_AUTHORITY.contains(&entry.oid.as_ref()));
    if psd2.nca_id == NOT_APPLICABLE && needs_none {
        return;
    }
    let Some((country, code)) = split(&psd2.nca_id) else {
        let message =
            format!("nCAId is {:?}, not a country, a hyphen and an authority as in FI-FINFSA", psd2.nca_id);
        report.broken(ContentRule::NcaIdSyntax, message);
        return;
    };
    examine_known(country, code, report);
    if let Some(OrganizationIdentifier::Psd(authorisation)) = identity.organization_identifier() {
        // Open Banking in the United Kingdom numbers its members under OB, whoever authorised them.
        let is_directory = report.rules.profile == Profile::Obie
            && (authorisation.country, authorisation.nca) == ("GB", "OB");
        let stated = resolve_authority(country, code).unwrap_or((country, code));
        let numbered = resolve_authority(authorisation.country, authorisation.nca)
            .unwrap_or((authorisation.country, authorisation.nca));
        if stated != numbered && !is_directory {
            let message = format!(
                "nCAId is {country}-{code}, and the organizationIdentifier's authority is {}-{}",
                authorisation.country, authorisation.nca
            );
            report.broken(ContentRule::NcaMismatch, message);
        }
    }
}

fn examine_known(country: &str, code: &str, report: &mut Report<'_>) {
    if authority::find(country, code).is_some() {
        return;
    }
    if let Some(meant) = authority::alias_of(country, code) {
        let message =
            format!("nCAId is {country}-{code}; the authority's code is {}-{}", meant.country, meant.code);
        report.broken(ContentRule::NcaAlias, message);
    } else if !country::is_assigned(country) {
        report.broken(
            ContentRule::NcaIdCountry,
            format!("nCAId begins with {country}, which is no country's code"),
        );
    } else {
        report.broken(
            ContentRule::NcaUnknown,
            format!("authority {country}-{code} is not in the list of authorities"),
        );
    }
}

/// Takes nCAId apart (GEN-5.2.3-2): `^[A-Z]{2}-[A-Z]{2,8}$`.
fn split(nca_id: &str) -> Option<(&str, &str)> {
    let (country, code) = nca_id.split_once('-')?;
    let is_code = |text: &str| text.bytes().all(|octet| octet.is_ascii_uppercase());
    (country.len() == 2 && (2..=8).contains(&code.len()) && is_code(country) && is_code(code))
        .then_some((country, code))
}

/// A character of plain Latin text: printable ASCII, and Latin letters with their marks (Unicode blocks Latin-1 Supplement
/// to Latin Extended-B, Latin Extended Additional), and the typographer's hyphens, apostrophes and quotes.
const fn is_latin(character: char) -> bool {
    matches!(character, ' '..='~' | '\u{a0}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}' | '\u{2010}'..='\u{201f}')
}
