//! What of a peer's text is shown to it again.

use portcullis_identity::is_visible;

/// Characters of a peer's text that are shown to it: enough for an issuer's name.
const EXCERPT_CHARS_MAX: usize = 256;

/// A peer's text as it may be shown: no more than so much of it, and nothing invisible.
pub(crate) fn excerpt(text: &str) -> Box<str> {
    let mut shown = String::with_capacity(text.len().min(EXCERPT_CHARS_MAX));
    for (position, character) in text.chars().enumerate() {
        if position == EXCERPT_CHARS_MAX {
            shown.push('…');
            break;
        }
        if is_visible(character) { shown.push(character) } else { shown.extend(character.escape_default()) }
    }
    shown.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peers_text_is_shown_short_and_harmless() {
        assert_eq!(&*excerpt("CN=Ä\u{202e}\n"), "CN=Ä\\u{202e}\\n");
        assert_eq!(excerpt(&"x".repeat(10_000)).chars().count(), EXCERPT_CHARS_MAX + 1);
    }
}
