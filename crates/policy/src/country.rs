//! Countries: the codes of ISO 3166-1, and what EU texts write in their place.

use crate::code_set::CodeSet;

const ASSIGNED: CodeSet = CodeSet::read(include_bytes!("../data/countries.csv"));

/// Pairs of a code as written and the one that is meant.
const ALIASES: &str = include_str!("../data/country-aliases.csv");

/// Whether a two-letter code, in capitals, is officially assigned.
pub(crate) fn is_assigned(country: &str) -> bool {
    ASSIGNED.contains(country, true)
}

/// The code of ISO 3166-1 that another one stands for, such as `GR` for `EL`.
pub(crate) fn alias_of(country: &str) -> Option<&'static str> {
    let rows = ALIASES.lines().filter(|line| !line.starts_with('#'));
    rows.filter_map(|line| line.split_once(','))
        .find(|(written, _)| *written == country)
        .map(|(_, meant)| meant)
}

/// A code as ISO 3166-1 spells it.
pub(crate) fn spelt(country: &str) -> &str {
    alias_of(country).unwrap_or(country)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assigned_codes_are_told_from_others() {
        let lines = include_str!("../data/countries.csv").lines().filter(|line| !line.starts_with('#'));
        let codes: Vec<_> = lines.map(|line| &line[..2]).collect();
        assert_eq!(codes.len(), 249);
        assert!(codes.iter().all(|code| is_assigned(code)));
        for other in ["EL", "UK", "EU", "XG", "ZZ", "fi", "F", "FIN", "", "é"] {
            assert!(!is_assigned(other), "{other}");
        }
    }

    #[test]
    fn aliases_lead_to_assigned_codes() {
        assert_eq!(alias_of("EL"), Some("GR"));
        assert_eq!(alias_of("UK"), Some("GB"));
        assert_eq!((alias_of("GR"), alias_of("el"), alias_of("")), (None, None, None));
        assert!(["EL", "UK"].into_iter().filter_map(alias_of).all(is_assigned));
    }
}
