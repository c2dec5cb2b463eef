//! Rules about revocation.

use portcullis_trust::{KnownStatus, Revocation};

use super::Report;
use crate::time::rfc3339;
use crate::{ContentRule, RevocationCheck};

pub(super) fn examine_revoked(check: RevocationCheck, report: &mut Report<'_>) {
    let RevocationCheck::Known(KnownStatus::Revoked(Revocation { at, reason })) = check else { return };
    let since = rfc3339(at).map(|since| format!(" since {since}")).unwrap_or_default();
    let reason = reason.map(|reason| format!(" ({})", reason.as_str())).unwrap_or_default();
    report.broken(ContentRule::Revoked, format!("its issuer says that it is revoked{since}{reason}"));
}

/// Last of all, so that what is wrong for good is told before what may be over in a moment.
pub(super) fn examine_unknown(check: RevocationCheck, report: &mut Report<'_>) {
    let RevocationCheck::Known(KnownStatus::Unknown { since }) = check else { return };
    let message = match since.and_then(rfc3339) {
        Some(since) => format!("what its issuer said of its revocation served until {since}"),
        None => "its issuer has not said yet whether it is revoked".to_owned(),
    };
    report.broken(ContentRule::RevocationUnknown, message);
}
