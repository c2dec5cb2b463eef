//! From when until when a certificate says it is valid.

use serde::ser::{Error as _, SerializeStruct as _};
use serde::{Serialize, Serializer};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use x509_parser::prelude::{ASN1Time, FromDer as _};

use crate::der::{Element, Reader};
use crate::error::IdentityError;
use crate::tbs_certificate::TbsCertificate;

const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// The validity period in seconds of Unix time, both ends included (RFC 5280 section 4.1.2.5). Serialised as
/// RFC 3339 in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Validity {
    /// First second of validity, Unix time.
    pub not_before: i64,
    /// Last second of validity, Unix time.
    pub not_after: i64,
}

impl Validity {
    /// Reads the validity of a certificate without reading the rest of it, as a path's earliest end is computed.
    ///
    /// # Errors
    /// As [`TbsCertificate::from_der`] and [`TbsCertificate::validity`].
    pub fn of_certificate(der: &[u8]) -> Result<Self, IdentityError> {
        TbsCertificate::from_der(der)?.validity()
    }

    /// Whether `now`, in seconds of Unix time, is within the period.
    pub const fn contains(&self, now: i64) -> bool {
        self.not_before <= now && now <= self.not_after
    }

    pub(crate) fn from_content(content: &[u8]) -> Result<Self, IdentityError> {
        let malformed = IdentityError::within("validity");
        let mut times = Reader::new(content);
        let not_before = unix_seconds(times.read().map_err(&malformed)?, "notBefore")?;
        let not_after = unix_seconds(times.read().map_err(&malformed)?, "notAfter")?;
        times.finish().map_err(malformed)?;
        Ok(Self { not_before, not_after })
    }
}

impl Serialize for Validity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Validity", 2)?;
        object.serialize_field("not_before", &rfc3339(self.not_before).map_err(S::Error::custom)?)?;
        object.serialize_field("not_after", &rfc3339(self.not_after).map_err(S::Error::custom)?)?;
        object.end()
    }
}

fn rfc3339(seconds: i64) -> Result<String, time::Error> {
    Ok(OffsetDateTime::from_unix_timestamp(seconds)?.format(&Rfc3339)?)
}

/// Reads one `Time`. The form is checked here, because x509-parser also takes offsets and times without seconds,
/// which webpki refuses: the two must not disagree about when a certificate ends.
fn unix_seconds(element: Element<'_>, field: &'static str) -> Result<i64, IdentityError> {
    let digits = match element.tag {
        UTC_TIME => 12,
        GENERALIZED_TIME => 14,
        _ => return Err(IdentityError::Time { field }),
    };
    let [number @ .., b'Z'] = element.content else { return Err(IdentityError::Time { field }) };
    if number.len() != digits || !number.iter().all(u8::is_ascii_digit) {
        return Err(IdentityError::Time { field });
    }
    match ASN1Time::from_der(element.encoded) {
        Ok((_, time)) => Ok(time.timestamp()),
        Err(_) => Err(IdentityError::Time { field }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_der::{generalized_time, tlv, utc_time};

    fn read(not_before: &[u8], not_after: &[u8]) -> Result<Validity, IdentityError> {
        Validity::from_content(&[not_before, not_after].concat())
    }

    #[test]
    fn two_digit_years_turn_at_fifty() {
        let validity = read(&utc_time("700101000000Z"), &utc_time("491231235959Z")).unwrap();
        assert_eq!((validity.not_before, validity.not_after), (0, 2_524_607_999));
        let validity = read(&utc_time("500101000000Z"), &generalized_time("20500101000000Z")).unwrap();
        assert_eq!((validity.not_before, validity.not_after), (-631_152_000, 2_524_608_000));
    }

    #[test]
    fn serialised_in_utc() {
        let validity = read(&utc_time("190917144712Z"), &generalized_time("99991231235959Z")).unwrap();
        let expected =
            serde_json::json!({ "not_before": "2019-09-17T14:47:12Z", "not_after": "9999-12-31T23:59:59Z" });
        assert_eq!(serde_json::to_value(validity).unwrap(), expected);
    }

    #[test]
    fn times_outside_the_profile_are_refused() {
        let good = utc_time("190917144712Z");
        for bad in [
            utc_time("190917144712+0100"),
            utc_time("1909171447Z"),
            utc_time("191317144712Z"),
            utc_time("190230144712Z"),
            utc_time("190917246000Z"),
            utc_time(""),
            generalized_time("20190917144712.5Z"),
            generalized_time("20190917144712"),
            tlv(0x0c, b"190917144712Z"),
        ] {
            assert!(
                matches!(read(&good, &bad), Err(IdentityError::Time { field: "notAfter" })),
                "{bad:02x?}"
            );
        }
        assert!(matches!(read(&good, &[]), Err(IdentityError::Malformed { field: "validity", .. })));
        let three = [good.clone(), good.clone(), good].concat();
        assert!(matches!(Validity::from_content(&three), Err(IdentityError::Malformed { .. })));
    }

    #[test]
    fn both_ends_belong_to_the_period() {
        let validity = Validity { not_before: 10, not_after: 20 };
        assert!(validity.contains(10) && validity.contains(20));
        assert!(!validity.contains(9) && !validity.contains(21));
    }
}
