//! Characters that a reader sees.

/// Whether a character shows as itself: a letter, a digit, a sign or the space. Control and format characters, such as
/// a zero-width space or a change of direction, line separators, spaces of other widths, marks that join the character
/// before them, and code points without a character do not: with them, two texts can look like one.
///
/// Source: the tables of the standard library, by which `Debug` escapes.
pub fn is_visible(character: char) -> bool {
    matches!(character, '"' | '\'' | '\\') || character.escape_debug().eq([character])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_seen_is_told_from_what_is() {
        for character in " a-Z/\"'\\~éРГ€ß".chars() {
            assert!(is_visible(character), "{character:?}");
        }
        for character in
            "\0\t\n\u{7f}\u{85}\u{a0}\u{ad}\u{301}\u{200b}\u{200d}\u{2028}\u{202e}\u{2066}\u{3000}\u{e000}\u{feff}".chars()
        {
            assert!(!is_visible(character), "{character:?}");
        }
    }
}
