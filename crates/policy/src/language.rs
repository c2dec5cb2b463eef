//! Languages: the two-letter codes of ISO 639-1.

use crate::code_set::CodeSet;

const ASSIGNED: CodeSet = CodeSet::read(include_bytes!("../data/languages.csv"));

/// Whether a code is one of ISO 639-1, in lower case as the standard writes it.
pub(crate) fn is_assigned(language: &str) -> bool {
    ASSIGNED.contains(language, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_told_from_others() {
        let lines = include_str!("../data/languages.csv").lines().filter(|line| !line.starts_with('#'));
        let codes: Vec<_> = lines.map(|line| &line[..2]).collect();
        assert_eq!(codes.len(), 183);
        assert!(codes.iter().all(|code| is_assigned(code)));
        for other in ["EN", "xx", "e", "eng", ""] {
            assert!(!is_assigned(other), "{other}");
        }
    }
}
