//! From when until when a certificate is valid.

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use time::{Duration, OffsetDateTime};
use x509_parser::parse_x509_certificate;

use crate::Error;

const DAY_S: i64 = 24 * 60 * 60;

/// The period between notBefore and notAfter, both included, to the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// First moment of validity.
    pub not_before: OffsetDateTime,
    /// Last moment of validity.
    pub not_after: OffsetDateTime,
}

impl Validity {
    /// Valid since yesterday, so that a peer whose clock is behind takes it too, and for this many days from now.
    #[must_use]
    pub fn days(days: i64) -> Self {
        Self::around_now(-DAY_S, days * DAY_S)
    }

    /// Over since yesterday.
    #[must_use]
    pub fn expired() -> Self {
        Self::around_now(-90 * DAY_S, -DAY_S)
    }

    /// Begins tomorrow.
    #[must_use]
    pub fn not_yet() -> Self {
        Self::around_now(DAY_S, 90 * DAY_S)
    }

    /// Begins and ends at these distances from the present, in seconds; negative ones lie in the past.
    #[must_use]
    pub fn around_now(begin_s: i64, end_s: i64) -> Self {
        let now = OffsetDateTime::now_utc();
        Self { not_before: now + Duration::seconds(begin_s), not_after: now + Duration::seconds(end_s) }
    }

    /// Whether `moment` lies within.
    #[must_use]
    pub fn contains(&self, moment: OffsetDateTime) -> bool {
        self.not_before <= moment && moment <= self.not_after
    }

    /// Whether it has begun and will not end within a day.
    #[must_use]
    pub fn lasts_the_day(&self) -> bool {
        let now = OffsetDateTime::now_utc();
        self.contains(now) && self.contains(now + Duration::days(1))
    }

    /// The validity of the first certificate in a PEM text.
    ///
    /// # Errors
    ///
    /// [`Error::Unreadable`] when there is none or it cannot be read.
    pub fn of_pem(pem: &[u8]) -> Result<Self, Error> {
        let der =
            CertificateDer::from_pem_slice(pem).map_err(|error| Error::Unreadable(error.to_string()))?;
        let (_, certificate) =
            parse_x509_certificate(&der).map_err(|error| Error::Unreadable(error.to_string()))?;
        let validity = certificate.validity();
        Ok(Self {
            not_before: validity.not_before.to_datetime(),
            not_after: validity.not_after.to_datetime(),
        })
    }
}
