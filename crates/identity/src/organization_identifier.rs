//! The organizationIdentifier of a subject, in the schemes that ETSI defines.

use std::fmt;

use serde::Serialize;
use thiserror::Error;

/// An organizationIdentifier taken apart (EN 319 412-1 section 5.1.4; TS 119 495 section 5.2.1). Only its syntax is
/// checked: whether country and authority exist, policy says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrganizationIdentifier<'a> {
    /// An authorisation number: `PSDFI-FINFSA-2858394-9`.
    Psd(Authorisation<'a>),
    /// A number in a register that EN 319 412-1 knows: `VATGR-099028220`.
    Registered {
        /// Which register.
        scheme: Scheme,
        /// Country of the register, two capital letters; `XG` for an LEI without one.
        country: &'a str,
        /// The number.
        reference: &'a str,
    },
    /// A number by a scheme of one country: `EI:SE-5567971433`.
    National {
        /// The scheme, two capital letters.
        scheme: &'a str,
        /// The country, two capital letters.
        country: &'a str,
        /// The number.
        reference: &'a str,
    },
}

/// What a competent authority calls a payment service provider (TS 119 495 GEN-5.2.1-3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Authorisation<'a> {
    /// Country of the authority, two capital letters.
    pub country: &'a str,
    /// The authority within its country, two to eight capital letters.
    pub nca: &'a str,
    /// Its number for the provider. Any characters; unique only together with the authority.
    pub number: &'a str,
}

/// A register of EN 319 412-1 section 5.1.4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// `VAT`: value added tax number.
    Vat,
    /// `NTR`: number in a trade register.
    Ntr,
    /// `LEI`: legal entity identifier, ISO 17442.
    Lei,
}

/// Why a text is no organizationIdentifier. Whose fault: the issuer's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OrganizationIdentifierError {
    /// The first three characters are neither a scheme nor two letters and a colon.
    #[error("it begins with none of PSD, VAT, NTR, LEI, or two capital letters and a colon")]
    Scheme,
    /// Behind the scheme there are not two capital letters and a hyphen.
    #[error("two capital letters for the country and a hyphen should follow the scheme")]
    Country,
    /// The authority is not two to eight capital letters followed by a hyphen.
    #[error("the authority should be two to eight capital letters, followed by a hyphen")]
    Authority,
    /// Nothing stands where the number should.
    #[error("the number is missing")]
    Number,
}

impl<'a> OrganizationIdentifier<'a> {
    /// Takes a text apart.
    ///
    /// # Errors
    /// The text is not of the form that its scheme asks for.
    pub fn parse(text: &'a str) -> Result<Self, OrganizationIdentifierError> {
        use OrganizationIdentifierError as Error;
        let (scheme, rest) = text.split_at_checked(3).ok_or(Error::Scheme)?;
        let registered = match scheme {
            "PSD" => return Authorisation::parse(rest).map(Self::Psd),
            "VAT" => Scheme::Vat,
            "NTR" => Scheme::Ntr,
            "LEI" => Scheme::Lei,
            national => {
                let scheme =
                    national.strip_suffix(':').filter(|scheme| capitals(scheme)).ok_or(Error::Scheme)?;
                let (country, reference) = country_and_rest(rest)?;
                return Ok(Self::National { scheme, country, reference });
            }
        };
        let (country, reference) = country_and_rest(rest)?;
        Ok(Self::Registered { scheme: registered, country, reference })
    }

    /// Whether the text begins as an authorisation number does, well-formed or not.
    pub fn claims_psd(text: &str) -> bool {
        text.get(..3).is_some_and(|scheme| scheme.eq_ignore_ascii_case("PSD"))
    }

    /// The number in the register.
    pub const fn number(&self) -> &'a str {
        match self {
            Self::Psd(Authorisation { number, .. }) => number,
            Self::Registered { reference, .. } | Self::National { reference, .. } => reference,
        }
    }

    /// The country.
    pub const fn country(&self) -> &'a str {
        match self {
            Self::Psd(Authorisation { country, .. })
            | Self::Registered { country, .. }
            | Self::National { country, .. } => country,
        }
    }
}

impl<'a> Authorisation<'a> {
    fn parse(rest: &'a str) -> Result<Self, OrganizationIdentifierError> {
        let (country, rest) = country_and_rest(rest)?;
        let (nca, number) = rest.split_once('-').ok_or(OrganizationIdentifierError::Authority)?;
        if !(2..=8).contains(&nca.len()) || !capitals(nca) {
            return Err(OrganizationIdentifierError::Authority);
        }
        if number.is_empty() {
            return Err(OrganizationIdentifierError::Number);
        }
        Ok(Self { country, nca, number })
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Vat => "VAT",
            Self::Ntr => "NTR",
            Self::Lei => "LEI",
        })
    }
}

/// Whether a text is a legal entity identifier whose check digits hold (ISO 17442-1: twenty characters, read as in
/// ISO/IEC 7064 MOD 97-10).
pub fn is_lei(reference: &str) -> bool {
    let mut remainder = 0;
    for character in reference.bytes() {
        let value = match character {
            b'0'..=b'9' => u32::from(character - b'0'),
            b'A'..=b'Z' => u32::from(character - b'A') + 10,
            _ => return false,
        };
        remainder = (remainder * if value < 10 { 10 } else { 100 } + value) % 97;
    }
    reference.len() == 20 && remainder == 1
}

fn country_and_rest(text: &str) -> Result<(&str, &str), OrganizationIdentifierError> {
    let (country, rest) = text.split_at_checked(2).ok_or(OrganizationIdentifierError::Country)?;
    let rest =
        rest.strip_prefix('-').filter(|_| capitals(country)).ok_or(OrganizationIdentifierError::Country)?;
    if rest.is_empty() { Err(OrganizationIdentifierError::Number) } else { Ok((country, rest)) }
}

fn capitals(text: &str) -> bool {
    text.bytes().all(|octet| octet.is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorisations_are_taken_apart() {
        for (text, country, nca, number) in [
            ("PSDFI-FINFSA-2858394-9", "FI", "FINFSA", "2858394-9"),
            ("PSDGB-OB-Unknown0015800001HQQrZAAX", "GB", "OB", "Unknown0015800001HQQrZAAX"),
            ("PSDES-BE- é/\u{1}", "ES", "BE", " é/\u{1}"),
        ] {
            let expected = OrganizationIdentifier::Psd(Authorisation { country, nca, number });
            assert_eq!(OrganizationIdentifier::parse(text), Ok(expected));
        }
    }

    #[test]
    fn other_schemes_are_told_apart() {
        let parsed = OrganizationIdentifier::parse("VATGR-099028220");
        let vat =
            OrganizationIdentifier::Registered { scheme: Scheme::Vat, country: "GR", reference: "099028220" };
        assert_eq!(parsed, Ok(vat));
        let parsed = OrganizationIdentifier::parse("EI:SE-5567971433").unwrap();
        assert_eq!(
            parsed,
            OrganizationIdentifier::National { scheme: "EI", country: "SE", reference: "5567971433" }
        );
        assert_eq!(OrganizationIdentifier::parse("LEIXG-529900T8BM49AURSDO55").unwrap().country(), "XG");
    }

    #[test]
    fn malformed_ones_say_where() {
        use OrganizationIdentifierError as Error;
        for (text, error) in [
            ("", Error::Scheme),
            ("PS", Error::Scheme),
            ("psdFI-FINFSA-1", Error::Scheme),
            ("ABCFI-1", Error::Scheme),
            ("e:SE-1", Error::Scheme),
            ("é1:SE-1", Error::Scheme),
            ("PSDFI", Error::Country),
            ("PSDfi-FINFSA-1", Error::Country),
            ("PSDFI_FINFSA-1", Error::Country),
            ("PSD\u{e9}-FINFSA-1", Error::Country),
            ("PSDFI-FINFSA", Error::Authority),
            ("PSDFI-finfsa-1", Error::Authority),
            ("PSDFI-F-1", Error::Authority),
            ("PSDFI-FINFSAFIN-1", Error::Authority),
            ("PSDFI--1", Error::Authority),
            ("PSDFI-FINFSA-", Error::Number),
            ("VATGR-", Error::Number),
            ("PSDFI-", Error::Number),
        ] {
            assert_eq!(OrganizationIdentifier::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn check_digits_of_an_lei_hold_or_not() {
        // The identifier of the Global Legal Entity Identifier Foundation.
        assert!(is_lei("506700GE1G29325QX363"));
        for bad in
            ["506700GE1G29325QX364", "506700GE1G29325QX36", "506700ge1g29325qx363", "", "é06700GE1G29325QX36"]
        {
            assert!(!is_lei(bad), "{bad}");
        }
    }
}
