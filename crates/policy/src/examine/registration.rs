//! Rules about what the authority's register says of the holder.

use portcullis_identity::{Identity, Roles};

use super::Report;
use crate::time::rfc3339;
use crate::{ContentRule, Registration};

/// The roles that the holder may use: where the register decides, those of the certificate that it has, in the country
/// that counts.
pub(super) fn examine(identity: &Identity, registration: Registration, report: &mut Report<'_>) -> Roles {
    let claimed = identity.psd2.as_ref().map(|psd2| psd2.roles).unwrap_or_default();
    let granted = match registration {
        Registration::NotAsked | Registration::Exempt { .. } => claimed,
        Registration::Unknown { since } => {
            let message = match since.and_then(rfc3339) {
                Some(since) => format!("the authority's register that is known served until {since}"),
                None => "the authority's register has not been read yet".to_owned(),
            };
            report.broken(ContentRule::RegisterUnknown, message);
            claimed
        }
        Registration::NotFound { .. } => {
            let message = "the authority's register does not have the holder's number";
            report.broken(ContentRule::RegisterNotFound, message);
            claimed
        }
        Registration::Withdrawn { since, .. } => {
            let message = match since.and_then(rfc3339) {
                Some(since) => format!("the holder's authorisation is withdrawn since {since}"),
                None => "the holder's authorisation has not begun yet".to_owned(),
            };
            report.broken(ContentRule::RegisterWithdrawn, message);
            Roles::EMPTY
        }
        Registration::Authorised { roles, passported, .. } => {
            let authorised = examine_roles(claimed, roles, report);
            examine_passport(authorised, passported, report)
        }
    };
    if report.is_register_enforced { granted } else { claimed }
}

/// The roles that the register has, of those of the certificate.
fn examine_roles(claimed: Roles, registered: Roles, report: &mut Report<'_>) -> Roles {
    let authorised = claimed.intersection(registered);
    if authorised.is_empty() && !claimed.is_empty() {
        let message = format!("the authority's register has none of the certificate's roles ({claimed})");
        report.broken(ContentRule::RegisterNoRole, message);
    } else if authorised != claimed {
        let message = format!("the authority's register does not have: {}", claimed.difference(authorised));
        report.broken(ContentRule::RegisterRole, message);
    }
    authorised
}

/// The roles with a passport, of those that the holder is authorised for.
fn examine_passport(authorised: Roles, passported: Roles, report: &mut Report<'_>) -> Roles {
    let served = authorised.intersection(passported);
    if served.is_empty() && !authorised.is_empty() {
        let message = format!("the holder has no passport for this country ({authorised})");
        report.broken(ContentRule::PassportMissing, message);
    } else if served != authorised {
        let message =
            format!("the holder has no passport for this country as: {}", authorised.difference(served));
        report.broken(ContentRule::PassportRole, message);
    }
    served
}
