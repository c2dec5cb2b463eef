//! Rules about the key of the holder.

use portcullis_identity::Roles;
use portcullis_keys::KeyState;

use super::Report;
use crate::{ContentRule, Enrolment, KeyCheck};

/// The roles that the holder may use: those that it has, less what its key does not give.
pub(super) fn examine(roles: Roles, check: KeyCheck, report: &mut Report<'_>) -> Roles {
    match check {
        KeyCheck::NotAsked | KeyCheck::NotEnrolled { enrolment: Enrolment::Auto, is_full: false } => roles,
        KeyCheck::NoIdentity => {
            let message = "the certificate has nothing that its holder could be known by";
            report.broken(ContentRule::EnrolmentIdentity, message);
            roles
        }
        KeyCheck::NotEnrolled { enrolment: Enrolment::Closed, .. } => {
            report.broken(ContentRule::EnrolmentClosed, "the holder is not known here");
            roles
        }
        KeyCheck::NotEnrolled { is_full: true, .. } => {
            report.broken(ContentRule::EnrolmentFull, "no more holders are taken");
            roles
        }
        KeyCheck::NotEnrolled { enrolment: Enrolment::Approve, .. } => {
            report.broken(ContentRule::EnrolmentPending, "the holder has come for the first time");
            roles
        }
        KeyCheck::Enrolled { id, state, roles: granted } => {
            match state {
                KeyState::Active => {}
                KeyState::Pending => {
                    let message = format!("the holder's key {id} waits for approval");
                    report.broken(ContentRule::EnrolmentPending, message);
                }
                KeyState::Suspended => {
                    let message = format!("the holder's key {id} is suspended");
                    report.broken(ContentRule::EnrolmentSuspended, message);
                }
            }
            granted.map_or(roles, |granted| roles.intersection(granted))
        }
    }
}
