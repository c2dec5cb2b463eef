//! When a message was sealed, and whether that is recent.

use time::PrimitiveDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use crate::error::SealError;
use crate::rules::SealRules;

/// What the rules say of time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Freshness {
    pub(crate) s_max: u32,
    pub(crate) skew_s: u32,
    pub(crate) required: bool,
}

/// What a message says of time, in seconds of Unix time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Times {
    /// When it was sealed, by something that is signed: `created` before `Date`.
    pub(crate) sealed_at_s: Option<i64>,
    /// `created`, whether signed or not: where it is in the future the message is not processed (draft-cavage-12
    /// section 2.1.4).
    pub(crate) created_s: Option<i64>,
    /// `expires`, whether signed or not: it can only make the time shorter.
    pub(crate) expires_s: Option<i64>,
}

impl Freshness {
    pub(crate) const fn of(rules: &SealRules) -> Self {
        Self { s_max: rules.freshness_s_max, skew_s: rules.clock_skew_s, required: rules.date_required }
    }
}

impl Times {
    /// Whether a message is recent at `now_s`.
    pub(crate) fn check(self, freshness: Freshness, now_s: i64) -> Result<(), SealError> {
        if self.sealed_at_s.is_none() && freshness.required {
            return Err(SealError::DateMissing);
        }
        let skew_s = i64::from(freshness.skew_s);
        for sealed_at_s in [self.sealed_at_s, self.created_s].into_iter().flatten() {
            if sealed_at_s > now_s.saturating_add(skew_s) {
                return Err(SealError::Future { sealed_at_s, now_s, skew_s: freshness.skew_s });
            }
        }
        if let Some(sealed_at_s) = self.sealed_at_s {
            let age_s = now_s.saturating_sub(sealed_at_s);
            if age_s > i64::from(freshness.s_max).saturating_add(skew_s) {
                return Err(SealError::Stale { sealed_at_s, now_s, age_s, age_s_max: freshness.s_max });
            }
        }
        match self.expires_s {
            Some(expires_s) if expires_s.saturating_add(skew_s) < now_s => {
                Err(SealError::Expired { expires_s, now_s })
            }
            _ => Ok(()),
        }
    }
}

/// RFC 9110 section 5.6.7.
const IMF_FIXDATE: &[BorrowedFormatItem<'_>] =
    format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");

/// A field `Date` in the one form that is still to be written.
pub(crate) fn imf_fixdate(text: &str) -> Result<i64, SealError> {
    PrimitiveDateTime::parse(text, IMF_FIXDATE)
        .map(|date| date.assume_utc().unix_timestamp())
        .map_err(|_| SealError::malformed("date", "it is not as in: Tue, 20 Apr 2021 02:07:55 GMT"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_618_884_475;
    const FRESHNESS: Freshness = Freshness { s_max: 300, skew_s: 30, required: true };

    fn code(times: Times) -> &'static str {
        times.check(FRESHNESS, NOW).map_or_else(|error| error.code(), |()| "fresh")
    }

    #[test]
    fn dates_have_one_form() {
        assert_eq!(imf_fixdate("Tue, 20 Apr 2021 02:07:55 GMT").unwrap(), NOW);
        for wrong in
            ["Tuesday, 20-Apr-21 02:07:55 GMT", "Tue Apr 20 02:07:55 2021", "Tue, 20 Apr 2021 02:07:55", ""]
        {
            assert_eq!(imf_fixdate(wrong).unwrap_err().code(), "seal.malformed", "{wrong}");
        }
    }

    #[test]
    fn time_has_two_ends() {
        let at = |sealed_at_s| Times { sealed_at_s: Some(sealed_at_s), ..Times::default() };
        for (sealed_at, expected) in [
            (NOW, "fresh"),
            (NOW - 330, "fresh"),
            (NOW - 331, "seal.stale"),
            (NOW + 30, "fresh"),
            (NOW + 31, "seal.future"),
            (i64::MIN, "seal.stale"),
            (i64::MAX, "seal.future"),
        ] {
            assert_eq!(code(at(sealed_at)), expected, "{sealed_at}");
        }
        let expiring = |expires_s| Times { expires_s: Some(expires_s), ..at(NOW) };
        assert_eq!(code(expiring(NOW - 30)), "fresh");
        assert_eq!(code(expiring(NOW - 31)), "seal.expired");
        assert_eq!(code(Times { created_s: Some(NOW + 31), ..at(NOW) }), "seal.future");
    }

    #[test]
    fn silence_about_time_is_a_matter_of_the_rules() {
        assert_eq!(code(Times::default()), "seal.date-missing");
        assert!(Times::default().check(Freshness { required: false, ..FRESHNESS }, NOW).is_ok());
    }
}
