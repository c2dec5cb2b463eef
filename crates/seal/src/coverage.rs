//! What a signature must cover.

use crate::claim::Claim;
use crate::error::SealError;
use crate::head::RequestHead;
use crate::rules::{Profile, SealRules};

/// Fields that must be covered where a request has them, under both profiles (`NextGenPSD2` implementation guidelines,
/// section on signing): which request it is, whom it is for, and where its user is led. The Berlin Group's profile adds
/// `Date`.
pub const COVERED_MIN: [&str; 4] = ["x-request-id", "psu-id", "psu-corporate-id", "tpp-redirect-uri"];

/// Demands that a signature covers what it must.
///
/// Under the Berlin Group's profile that is `digest`, always. The guidelines do not have method and target signed;
/// rules can demand `(request-target)`.
///
/// RFC 9421 leaves it to its users (section 7.2.1). What is demanded here is that a signature holds for this request
/// and no other: `@method`; the target, as `@target-uri`, `@request-target`, or `@path` with `@query`; and
/// `content-digest` where there is one, without which the body must be empty.
///
/// # Errors
/// [`SealError::Coverage`] with the first that is not covered; [`SealError::RequestId`] where the identifier is absent
/// and must not be.
pub(crate) fn demand(head: &RequestHead<'_>, claim: &Claim, rules: &SealRules) -> Result<(), SealError> {
    let demand = |component: &str| match claim.covers(component) {
        true => Ok(()),
        false => Err(SealError::Coverage { component: component.into() }),
    };
    if rules.request_id_required && !head.fields().has("x-request-id") {
        return Err(SealError::RequestId { reason: "it is missing".into() });
    }
    match claim.profile {
        Profile::BerlinGroup => {
            demand("digest")?;
            if head.fields().has("date") {
                demand("date")?;
            }
        }
        Profile::MessageSignatures => {
            demand("@method")?;
            demand_target(head, claim)?;
            if head.fields().has("content-digest") {
                demand("content-digest")?;
            }
        }
    }
    for name in COVERED_MIN.into_iter().filter(|name| head.fields().has(name)) {
        demand(name)?;
    }
    rules.covered_min.iter().filter(|name| is_of(name, claim.profile)).try_for_each(|name| demand(name))
}

fn demand_target(head: &RequestHead<'_>, claim: &Claim) -> Result<(), SealError> {
    let has_parts = claim.covers("@path") && (head.query.is_none() || claim.covers("@query"));
    if has_parts || claim.covers("@target-uri") || claim.covers("@request-target") {
        return Ok(());
    }
    Err(SealError::Coverage { component: "@target-uri, or @path and @query".into() })
}

/// Whether a component of the rules is one of a profile.
fn is_of(name: &str, profile: Profile) -> bool {
    match name.as_bytes().first() {
        Some(b'@') => profile == Profile::MessageSignatures,
        Some(b'(') => profile == Profile::BerlinGroup,
        _ => true,
    }
}
