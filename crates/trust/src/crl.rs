//! Certificate revocation lists (RFC 5280 section 5), read as a stream: one of ten million serial numbers has some 400 MB and is
//! never in memory as a whole.

mod error;
mod extension;
mod index;
mod stream;

use std::fmt;
use std::io::Read;

use portcullis_identity::der::{BIT_STRING, INTEGER, Reader, SEQUENCE};

pub use self::error::CrlError;
use self::extension::{Scope, entry_reason, read_extensions};
use self::index::{Entry, Index};
use self::stream::Stream;
use crate::ocsp::CLOCK_TOLERANCE_S;
use crate::signature::{DigestScheme, digest_scheme};
use crate::status::{CertificateStatus, Issuer};

/// Bytes of a name, an algorithm or a signature in a CRL. Names seen have 100 to 300 bytes; an RSA-8192 signature has a thousand.
const FIELD_BYTES_MAX: usize = 8 * 1024;
/// Bytes of an entry: a serial number, a time, a reason. Those seen have up to 60.
const ENTRY_BYTES_MAX: usize = 1024;
/// Bytes of the extensions of a CRL: mostly two key identifiers and a URL.
const EXTENSIONS_BYTES_MAX: usize = 32 * 1024;
const CONTEXT_0: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// A CRL whose signature holds, indexed by serial number.
///
/// It is exact: a serial number that is not on the list is never taken for one that is. An entry costs the octets of its serial
/// number and six more; a look-up is a binary search.
#[derive(Clone, PartialEq, Eq)]
pub struct Crl {
    this_update: i64,
    next_update: i64,
    number: Option<CrlNumber>,
    scope: Scope,
    index: Index,
}

/// The number of a CRL (RFC 5280 section 5.2.3), which grows with each of one scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrlNumber(Box<[u8]>);

impl Crl {
    /// Reads and verifies a CRL of `issuer`.
    ///
    /// Memory: the index, and 64 KiB. Trust: the input is hostile; nothing is reserved for what it merely announces.
    ///
    /// # Errors
    /// It is not a complete CRL of this issuer, in DER, of at most `bytes_max` bytes, whose signature holds; or it has a part that is
    /// not understood here and changes what it means. Whether it is of the present, [`check_time`](Self::check_time) says.
    pub fn read(input: impl Read, issuer: &Issuer, bytes_max: u64) -> Result<Self, CrlError> {
        if !issuer.may_sign_crls() {
            return Err(CrlError::SignerUsage);
        }
        let mut stream = Stream::new(input, bytes_max);
        let (outer, _) = stream.expect(SEQUENCE)?;
        let outer_end = stream.position() + outer;
        stream.begin_signed();
        let (signed, _) = stream.expect(SEQUENCE)?;
        let end = stream.position() + signed;
        let is_v2 = stream.peek_tag()? == INTEGER;
        if is_v2 && stream.field(FIELD_BYTES_MAX)?.1 != [1] {
            return Err(CrlError::malformed("version"));
        }
        let (tag, algorithm) = stream.field(FIELD_BYTES_MAX)?;
        require(tag == SEQUENCE, "signature")?;
        let algorithm = algorithm.to_vec();
        let scheme = digest_scheme(issuer, &algorithm)?;
        stream.hash_with(scheme.algorithm());
        let (tag, name) = stream.field(FIELD_BYTES_MAX)?;
        require(tag == SEQUENCE, "issuer")?;
        if name != issuer.name() {
            return Err(CrlError::Issuer);
        }
        let this_update = time(stream.field(FIELD_BYTES_MAX)?)?;
        let next_update =
            match stream.position() < end && matches!(stream.peek_tag()?, UTC_TIME | GENERALIZED_TIME) {
                true => time(stream.field(FIELD_BYTES_MAX)?)?,
                false => return Err(CrlError::NoNextUpdate),
            };
        let mut index = Index::default();
        if stream.position() < end && stream.peek_tag()? == SEQUENCE {
            read_entries(&mut stream, end, is_v2, &mut index)?;
        }
        let (mut number, mut scope) = (None, Scope::default());
        if stream.position() < end && is_v2 {
            let (tag, extensions) = stream.field(EXTENSIONS_BYTES_MAX)?;
            require(tag == CONTEXT_0, "crlExtensions")?;
            (number, scope) = read_extensions(extensions)?;
        }
        require(stream.position() == end, "tbsCertList")?;
        let digest = stream.end_signed();
        verify(&mut stream, outer_end, &algorithm, &scheme, digest)?;
        Ok(Self { this_update, next_update, number, scope, index: index.finish() })
    }

    /// What the CRL says of a certificate of its scope, by the content octets of its serial number.
    pub fn status_of(&self, serial_number: &[u8]) -> CertificateStatus {
        self.index.find(serial_number).map_or(CertificateStatus::Good, CertificateStatus::Revoked)
    }

    /// Whether the CRL is about a certificate of its issuer that is no CA's and names these distribution points.
    pub fn covers(&self, distribution_points: &[String]) -> bool {
        self.scope.covers(distribution_points)
    }

    /// Whether it is about the same certificates as another of its issuer.
    pub fn has_scope_of(&self, other: &Self) -> bool {
        self.scope == other.scope
    }

    /// Whether it serves at `now`, in Unix seconds.
    ///
    /// # Errors
    /// [`CrlError::NotYet`], [`CrlError::Stale`].
    pub fn check_time(&self, now: i64) -> Result<(), CrlError> {
        if self.this_update > now + CLOCK_TOLERANCE_S {
            return Err(CrlError::NotYet { from: self.this_update, now });
        }
        if self.next_update < now {
            return Err(CrlError::Stale { until: self.next_update, now });
        }
        Ok(())
    }

    /// When it was issued, in Unix seconds.
    pub const fn this_update(&self) -> i64 {
        self.this_update
    }

    /// Until when it serves, in Unix seconds.
    pub const fn next_update(&self) -> i64 {
        self.next_update
    }

    /// Its number, if it has one.
    pub const fn number(&self) -> Option<&CrlNumber> {
        self.number.as_ref()
    }

    /// How many certificates it revokes.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether it revokes none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of memory that its index takes.
    pub fn memory_bytes(&self) -> usize {
        self.index.memory_bytes()
    }
}

impl fmt::Debug for Crl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Crl")
            .field("this_update", &self.this_update)
            .field("next_update", &self.next_update)
            .field("number", &self.number)
            .field("entries", &self.len())
            .finish_non_exhaustive()
    }
}

impl PartialOrd for CrlNumber {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for CrlNumber {
    /// As the numbers that the octets write, without leading zeros.
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.len().cmp(&other.0.len()).then_with(|| self.0.cmp(&other.0))
    }
}

/// revokedCertificates (RFC 5280 section 5.1.2.6).
fn read_entries(
    stream: &mut Stream<impl Read>,
    end: u64,
    is_v2: bool,
    index: &mut Index,
) -> Result<(), CrlError> {
    let (length, _) = stream.expect(SEQUENCE)?;
    let entries_end = stream.position() + length;
    require(entries_end <= end, "revokedCertificates")?;
    while stream.position() < entries_end {
        let (tag, entry) = stream.field(ENTRY_BYTES_MAX)?;
        require(tag == SEQUENCE, "revokedCertificates")?;
        let mut fields = Reader::new(entry);
        let serial_number = fields.expect(INTEGER)?.content;
        let date = fields.read()?;
        let date = time((date.tag, date.content))?;
        let reason = match fields.optional(SEQUENCE)? {
            Some(extensions) if is_v2 => entry_reason(extensions.content)?,
            Some(_) => return Err(CrlError::malformed("crlEntryExtensions")),
            None => None,
        };
        fields.finish()?;
        index.push(&Entry { serial_number, date, reason })?;
    }
    require(stream.position() == entries_end, "revokedCertificates")
}

fn verify(
    stream: &mut Stream<impl Read>,
    end: u64,
    signed_algorithm: &[u8],
    scheme: &DigestScheme,
    digest: aws_lc_rs::digest::Digest,
) -> Result<(), CrlError> {
    let (tag, algorithm) = stream.field(FIELD_BYTES_MAX)?;
    require(tag == SEQUENCE && algorithm == signed_algorithm, "signatureAlgorithm")?;
    let (tag, signature) = stream.field(FIELD_BYTES_MAX)?;
    let [0, signature @ ..] = signature else { return Err(CrlError::malformed("signatureValue")) };
    require(tag == BIT_STRING, "signatureValue")?;
    let is_valid = scheme.verify(&digest, signature);
    require(stream.position() == end, "CertificateList")?;
    stream.finish()?;
    if is_valid { Ok(()) } else { Err(CrlError::Signature) }
}

fn require(holds: bool, field: &'static str) -> Result<(), CrlError> {
    if holds { Ok(()) } else { Err(CrlError::malformed(field)) }
}

/// A `Time` in the form that RFC 5280 section 5.1.2.4 asks for, in Unix seconds.
fn time((tag, content): (u8, &[u8])) -> Result<i64, CrlError> {
    let malformed = || CrlError::malformed("a time");
    let [digits @ .., b'Z'] = content else { return Err(malformed()) };
    if !digits.iter().all(u8::is_ascii_digit) {
        return Err(malformed());
    }
    let pair = |at: usize| i64::from(digits[at] - b'0') * 10 + i64::from(digits[at + 1] - b'0');
    let (year, at) = match (tag, digits.len()) {
        (UTC_TIME, 12) if pair(0) < 50 => (2000 + pair(0), 2),
        (UTC_TIME, 12) => (1900 + pair(0), 2),
        (GENERALIZED_TIME, 14) => (pair(0) * 100 + pair(2), 4),
        _ => return Err(malformed()),
    };
    let (month, day, hour, minute, second) =
        (pair(at), pair(at + 2), pair(at + 4), pair(at + 6), pair(at + 8));
    if !(1..=12).contains(&month)
        || !(1..=days_of(year, month)).contains(&day)
        || hour > 23
        || minute > 59
        || second > 59
    {
        return Err(malformed());
    }
    Ok(((days_since_1970(year, month, day) * 24 + hour) * 60 + minute) * 60 + second)
}

const fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

const fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days of the proleptic Gregorian calendar, with years that begin in March so that the leap day is their last.
const fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    365 * year + year.div_euclid(4) - year.div_euclid(100)
        + year.div_euclid(400)
        + (153 * month + 2) / 5
        + day
        - 1
        - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        let utc = |text: &str| time((UTC_TIME, text.as_bytes())).ok();
        let generalized = |text: &str| time((GENERALIZED_TIME, text.as_bytes())).ok();
        assert_eq!(generalized("19700101000000Z"), Some(0));
        assert_eq!(utc("000229123456Z"), Some(951_827_696));
        assert_eq!(utc("491231235959Z"), generalized("20491231235959Z"));
        assert_eq!(utc("500101000000Z"), generalized("19500101000000Z"));
        assert_eq!(generalized("20261124000000Z"), Some(1_795_478_400));
        for wrong in [
            "",
            "Z",
            "261301000000Z",
            "260229000000Z",
            "260101240000Z",
            "2601010000Z",
            "260101000060Z",
            "26010100000aZ",
        ] {
            assert_eq!(utc(wrong), None, "{wrong}");
        }
        assert_eq!(generalized("20261124000000+0000"), None);
        for day in 0..200_000_i64 {
            let date = time::OffsetDateTime::from_unix_timestamp(day * 86_400).unwrap();
            let days = days_since_1970(date.year().into(), u8::from(date.month()).into(), date.day().into());
            assert_eq!(days, day);
        }
    }

    #[test]
    fn numbers_are_compared_as_numbers() {
        let number = |octets: &[u8]| CrlNumber(octets.into());
        assert!(number(&[1, 0]) > number(&[255]));
        assert!(number(&[2]) > number(&[1]));
        assert!(number(&[]) < number(&[1]));
    }
}
