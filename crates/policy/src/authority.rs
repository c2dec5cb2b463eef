//! National competent authorities, by the codes under which certificates name them (TS 119 495 Annex D).

use std::sync::LazyLock;

use crate::country;

const AUTHORITIES: &str = include_str!("../data/authorities.csv");
const ALIASES: &str = include_str!("../data/authority-aliases.csv");

/// An authority that authorises payment service providers, or numbers them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Authority {
    /// Its country, of ISO 3166-1.
    pub(crate) country: &'static str,
    /// Its code within the country, two to eight capital letters.
    pub(crate) code: &'static str,
    /// Its name.
    pub(crate) name: &'static str,
}

/// The table by country and code. Thirty-odd rows are searched faster than they are hashed.
static TABLE: LazyLock<Vec<Authority>> = LazyLock::new(|| rows(AUTHORITIES).filter_map(authority).collect());

/// The authority of a country's code and its own; `None` if it is not in the table.
pub(crate) fn find(country: &str, code: &str) -> Option<&'static Authority> {
    TABLE.iter().find(|known| known.code == code && known.country == country)
}

/// The authority that another spelling stands for: one seen for its code, or one of its country.
pub(crate) fn alias_of(country: &str, code: &str) -> Option<&'static Authority> {
    let spelling = rows(ALIASES).find_map(|row| match fields(row) {
        Some([written_country, written, country_meant, meant])
            if (written_country, written) == (country, code) =>
        {
            Some((country_meant, meant))
        }
        _ => None,
    });
    match (spelling, country::alias_of(country)) {
        (Some((country, code)), _) => find(country, code),
        (None, Some(country)) => find(country, code).or_else(|| alias_of(country, code)),
        (None, None) => None,
    }
}

/// The authority of any spelling, as certificates and registers name it: its country and its code.
pub fn resolve_authority(country: &str, code: &str) -> Option<(&'static str, &'static str)> {
    let known = find(country, code).or_else(|| alias_of(country, code))?;
    Some((known.country, known.code))
}

fn authority(row: &'static str) -> Option<Authority> {
    let [country, code, _source, name] = fields(row)?;
    Some(Authority { country, code, name })
}

fn rows(file: &'static str) -> impl Iterator<Item = &'static str> {
    file.lines().filter(|line| !line.starts_with('#'))
}

fn fields(row: &'static str) -> Option<[&'static str; 4]> {
    let mut fields = row.splitn(4, ',');
    Some([fields.next()?, fields.next()?, fields.next()?, fields.next()?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_an_authority_of_a_country() {
        assert_eq!(TABLE.len(), rows(AUTHORITIES).count());
        for authority in TABLE.iter() {
            assert!(country::is_assigned(authority.country), "{authority:?}");
            assert!((2..=8).contains(&authority.code.len()), "{authority:?}");
            assert!(authority.code.bytes().all(|octet| octet.is_ascii_uppercase()), "{authority:?}");
            assert!(!authority.name.is_empty());
            assert_eq!(find(authority.country, authority.code), Some(authority));
            assert_eq!(alias_of(authority.country, authority.code), None, "it is no alias: {authority:?}");
        }
        let of_the_eba = rows(AUTHORITIES).filter(|row| row.contains(",EBA,")).count();
        assert_eq!(of_the_eba, 30, "one for each country of the EEA");
    }

    #[test]
    fn other_spellings_lead_to_an_authority() {
        for (country, code, meant) in [
            ("ES", "BDE", ("ES", "BE")),
            ("LT", "BOL", ("LT", "BL")),
            ("EL", "BOG", ("GR", "BOG")),
            ("UK", "FFA", ("GB", "FCA")),
            ("FI", "FIN-FSA", ("FI", "FINFSA")),
            ("LV", "LV", ("LV", "BL")),
        ] {
            let found = alias_of(country, code).unwrap();
            assert_eq!((found.country, found.code), meant);
            assert_eq!(resolve_authority(country, code), Some(meant));
            assert_eq!(find(country, code), None);
        }
        assert_eq!(rows(ALIASES).count(), rows(ALIASES).filter(|row| fields(row).is_some()).count());
        for (country, code) in [("ZZ", "BDE"), ("es", "be"), ("", ""), ("EL", "XXX")] {
            assert_eq!((find(country, code), alias_of(country, code)), (None, None), "{country}-{code}");
        }
    }
}
