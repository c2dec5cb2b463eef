//! The information that each kind of `QCStatement` carries.

use std::borrow::Cow;

use serde::{Serialize, Serializer};

use crate::der::{DerError, IA5_STRING, INTEGER, OBJECT_IDENTIFIER, PRINTABLE_STRING, Reader, SEQUENCE};
use crate::general_name::{ia5, read_uris};
use crate::oid;

/// Entries of one statement that are read: types, countries, locations. Certificates seen have up to five.
const MAX_ENTRIES: usize = 32;

/// Bytes of a URL that is read; those seen have under 150.
const MAX_URL_BYTES: usize = 2048;

/// What a certificate is for (EN 319 412-5 section 4.2.3). Serialised as `esign`, `eseal`, `web` or dotted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum QcType {
    /// Electronic signatures, of natural persons.
    Esign,
    /// Electronic seals, of legal persons: a `QSealC`.
    Eseal,
    /// Web site authentication: a QWAC.
    Web,
    /// Another identifier, dotted.
    Other(String),
}

impl QcType {
    /// The name in the JSON form.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Esign => "esign",
            Self::Eseal => "eseal",
            Self::Web => "web",
            Self::Other(dotted) => dotted,
        }
    }

    fn of(content: &[u8]) -> Self {
        match content {
            oid::QCT_ESIGN => Self::Esign,
            oid::QCT_ESEAL => Self::Eseal,
            oid::QCT_WEB => Self::Web,
            other => Self::Other(oid::dotted(other)),
        }
    }
}

impl Serialize for QcType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// Where a PKI disclosure statement is (EN 319 412-5 section 4.3.4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PdsLocation {
    /// The URL as it stands.
    pub url: String,
    /// Its language, two letters.
    pub language: String,
}

/// The limit of a transaction's value (EN 319 412-5 section 4.3.2): `amount` times ten to the power of `exponent`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct QcLimitValue {
    /// ISO 4217, in letters or as a number.
    pub currency: String,
    /// The mantissa.
    pub amount: i64,
    /// The power of ten.
    pub exponent: i64,
}

/// What the names in a subject mean (RFC 3739 section 3.2.6.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Semantics {
    /// The semantics' identifier, dotted: EN 319 412-1 section 5 defines four.
    pub identifier: Option<Cow<'static, str>>,
    /// The URIs among the nameRegistrationAuthorities.
    pub name_registration_authorities: Vec<String>,
}

/// `QcType ::= SEQUENCE OF OBJECT IDENTIFIER`, at least one.
pub(crate) fn types(info: &[u8]) -> Result<Vec<QcType>, DerError> {
    entries(info, |list| {
        let content = list.expect(OBJECT_IDENTIFIER)?.content;
        oid::check(content)?;
        Ok(QcType::of(content))
    })
}

/// `QcCClegislation ::= SEQUENCE OF PrintableString (SIZE (2))`.
pub(crate) fn legislation(info: &[u8]) -> Result<Vec<String>, DerError> {
    entries(info, |list| two_letters(list.expect(PRINTABLE_STRING)?.content))
}

/// `PdsLocations ::= SEQUENCE SIZE (1..MAX) OF SEQUENCE { url IA5String, language PrintableString (SIZE (2)) }`.
pub(crate) fn pds(info: &[u8]) -> Result<Vec<PdsLocation>, DerError> {
    entries(info, |list| {
        let mut location = Reader::new(list.expect(SEQUENCE)?.content);
        let url = location.expect(IA5_STRING)?.content;
        let url = ia5(url).filter(|url| url.len() <= MAX_URL_BYTES).ok_or(DerError::Text)?.to_owned();
        let language = two_letters(location.expect(PRINTABLE_STRING)?.content)?;
        location.finish()?;
        Ok(PdsLocation { url, language })
    })
}

/// `MonetaryValue ::= SEQUENCE { currency CHOICE { PrintableString (SIZE (3)), INTEGER (1..999) }, amount, exponent }`.
pub(crate) fn limit(info: &[u8]) -> Result<QcLimitValue, DerError> {
    let mut value = Reader::sequence(info)?;
    let currency = value.read()?;
    let currency = match (currency.tag, currency.content) {
        (PRINTABLE_STRING, letters) if letters.len() == 3 && letters.iter().all(u8::is_ascii_alphabetic) => {
            ia5(letters).ok_or(DerError::Text)?.to_owned()
        }
        (INTEGER, number) => match integer(number)? {
            number @ 1..=999 => number.to_string(),
            _ => return Err(DerError::Integer),
        },
        (PRINTABLE_STRING, _) => return Err(DerError::Text),
        (found, _) => return Err(DerError::UnexpectedTag { expected: PRINTABLE_STRING, found }),
    };
    let amount = integer(value.expect(INTEGER)?.content)?;
    let exponent = integer(value.expect(INTEGER)?.content)?;
    value.finish()?;
    Ok(QcLimitValue { currency, amount, exponent })
}

/// `QcEuRetentionPeriod ::= INTEGER`, not negative.
pub(crate) fn retention_years(info: &[u8]) -> Result<u32, DerError> {
    let mut outer = Reader::new(info);
    let years = integer(outer.expect(INTEGER)?.content)?;
    outer.finish()?;
    u32::try_from(years).map_err(|_| DerError::Integer)
}

/// `SemanticsInformation ::= SEQUENCE { OBJECT IDENTIFIER OPTIONAL, GeneralNames OPTIONAL }`, at least one of them.
pub(crate) fn semantics(info: &[u8]) -> Result<Semantics, DerError> {
    let mut fields = Reader::sequence(info)?;
    let identifier = match fields.optional(OBJECT_IDENTIFIER)? {
        None => None,
        Some(element) => {
            oid::check(element.content)?;
            Some(semantics_oid(element.content))
        }
    };
    let name_registration_authorities = match fields.optional(SEQUENCE)? {
        None if identifier.is_none() => return Err(DerError::Missing { expected: OBJECT_IDENTIFIER }),
        None => Vec::new(),
        Some(names) => read_uris(names.content)?,
    };
    fields.finish()?;
    Ok(Semantics { identifier, name_registration_authorities })
}

/// The identifiers of EN 319 412-1 section 5: what is in nearly every certificate is not made anew for each.
fn semantics_oid(content: &[u8]) -> Cow<'static, str> {
    match content {
        [4, 0, 0x8b, 0xec, 0x49, 1, 1] => "0.4.0.194121.1.1".into(),
        [4, 0, 0x8b, 0xec, 0x49, 1, 2] => "0.4.0.194121.1.2".into(),
        [4, 0, 0x8b, 0xec, 0x49, 1, 3] => "0.4.0.194121.1.3".into(),
        [4, 0, 0x8b, 0xec, 0x49, 1, 4] => "0.4.0.194121.1.4".into(),
        other => oid::dotted(other).into(),
    }
}

/// Reads a SEQUENCE SIZE (1..MAX) OF what `entry` reads.
fn entries<T>(
    info: &[u8],
    entry: impl Fn(&mut Reader<'_>) -> Result<T, DerError>,
) -> Result<Vec<T>, DerError> {
    let mut list = Reader::sequence(info)?;
    let mut entries = Vec::with_capacity(1);
    for _ in 0..MAX_ENTRIES {
        entries.push(entry(&mut list)?);
        if list.is_empty() {
            return Ok(entries);
        }
    }
    Err(DerError::TooManyElements { limit: MAX_ENTRIES })
}

/// Two ASCII letters; which case they have and whether they are assigned, policy says.
fn two_letters(content: &[u8]) -> Result<String, DerError> {
    let is_two = content.len() == 2 && content.iter().all(u8::is_ascii_alphabetic);
    ia5(content).filter(|_| is_two).map(str::to_owned).ok_or(DerError::Text)
}

/// An INTEGER in the fewest octets, of at most eight.
fn integer(content: &[u8]) -> Result<i64, DerError> {
    match content {
        [] | [0, 0..=0x7f, ..] | [0xff, 0x80..=0xff, ..] => Err(DerError::Integer),
        [first, ..] if content.len() <= 8 => {
            let sign = if first & 0x80 == 0 { 0 } else { -1 };
            Ok(content.iter().fold(sign, |value, octet| value << 8 | i64::from(*octet)))
        }
        _ => Err(DerError::Integer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_der::{null, oid as encode_oid, printable, sequence, tlv, utf8};

    #[test]
    fn integers_are_minimal_and_fit() {
        for (octets, value) in
            [(&[0][..], 0), (&[0x7f], 127), (&[0, 0x80], 128), (&[0xff], -1), (&[0x80], -128)]
        {
            assert_eq!(integer(octets), Ok(value), "{octets:02x?}");
        }
        for bad in [&[][..], &[0, 1], &[0xff, 0x80], &[1; 9]] {
            assert_eq!(integer(bad), Err(DerError::Integer), "{bad:02x?}");
        }
    }

    #[test]
    fn an_empty_or_long_list_is_refused() {
        assert!(types(&sequence(&[])).is_err());
        let many = |count| sequence(&vec![encode_oid("0.4.0.1862.1.6.3"); count]);
        assert_eq!(types(&many(MAX_ENTRIES)).unwrap().len(), MAX_ENTRIES);
        assert!(types(&many(MAX_ENTRIES + 1)).is_err());
        assert!(types(&[many(1), null()].concat()).is_err());
    }

    #[test]
    fn a_limit_is_in_a_currency() {
        let of = |currency: Vec<u8>| limit(&sequence(&[currency, tlv(0x02, &[0xf4]), tlv(0x02, &[2])]));
        assert_eq!(of(printable("EUR")).unwrap().amount, -12);
        assert_eq!(of(tlv(0x02, &[3, 0xd2])).unwrap().currency, "978");
        for bad in [printable("EURO"), printable("E1R"), utf8("EUR"), tlv(0x02, &[0]), tlv(0x02, &[4, 0])] {
            assert!(of(bad.clone()).is_err(), "{bad:02x?}");
        }
    }

    #[test]
    fn semantics_have_an_identifier_or_authorities() {
        let authorities = sequence(&[tlv(0x86, b"https://register.example")]);
        let both = semantics(&sequence(&[encode_oid("0.4.0.194121.1.2"), authorities.clone()])).unwrap();
        assert_eq!(both.identifier.as_deref(), Some("0.4.0.194121.1.2"));
        assert_eq!(both.name_registration_authorities, ["https://register.example"]);
        assert_eq!(semantics(&sequence(&[authorities])).unwrap().identifier, None);
        for bad in [sequence(&[]), sequence(&[sequence(&[])]), sequence(&[null()]), null()] {
            assert!(semantics(&bad).is_err(), "{bad:02x?}");
        }
    }

    #[test]
    fn languages_and_countries_have_two_letters() {
        for bad in ["e", "eng", "e1", ""] {
            assert!(legislation(&sequence(&[printable(bad)])).is_err(), "{bad}");
        }
        assert_eq!(legislation(&sequence(&[printable("CH"), printable("GB")])).unwrap(), ["CH", "GB"]);
        let location = sequence(&[utf8("https://pds.example"), printable("en")]);
        assert!(pds(&sequence(&[location])).is_err(), "a URL is an IA5String");
    }
}
