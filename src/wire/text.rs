//! Text: what one client wrote, made safe for the screens of the others.

use std::borrow::Cow;

/// The most scalars of a client's text that a notice quotes.
pub const MAX_QUOTE: usize = 64;

/// Puts U+FFFD for every character that could forge a line or steer a terminal: C0 but TAB, U+007F,
/// C1, the line and paragraph separators, and the bidirectional embeddings, overrides and isolates
/// (UAX 9). Everything else goes through untouched: joiners and direction marks too, Hebrew and
/// Arabic need them.
pub fn clean(text: &str) -> Cow<'_, str> {
    if is_printable(text) { Cow::Borrowed(text) } else { clean_any(text) }
}

/// The same, apart: what is said most pays nothing for what can happen here.
#[inline(never)]
fn clean_any(text: &str) -> Cow<'_, str> {
    let is_suspicious = text.bytes().fold(false, |found, byte| found | is_suspect(byte));
    if is_suspicious && text.contains(is_unsafe) {
        return Cow::Owned(text.replace(is_unsafe, "\u{fffd}"));
    }
    Cow::Borrowed(text)
}

/// Cleans a text and cuts it to [`MAX_QUOTE`] scalars, for a notice that quotes it.
pub fn quote(text: &str) -> Cow<'_, str> {
    let Some((end, _)) = text.char_indices().nth(MAX_QUOTE) else {
        return clean(text);
    };
    let mut cut = clean(&text[..end]).into_owned();
    cut.push('…');
    Cow::Owned(cut)
}

/// Whether this character never reaches another client.
pub fn is_unsafe(c: char) -> bool {
    match c {
        '\t' => false,
        '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        c => c.is_control(),
    }
}

/// Whether there is nothing but printable ASCII, as in most lines. The farthest byte from a space
/// is found without a branch, so that the compiler looks at sixteen at a time.
fn is_printable(text: &str) -> bool {
    text.bytes().fold(0, |farthest, byte| farthest.max(byte.wrapping_sub(b' '))) <= b'~' - b' '
}

/// Whether a byte can belong to an unsafe character: a control byte, or the lead byte of C1
/// (0xC2) or of general punctuation (0xE2). No branch, so that the compiler looks at sixteen at a
/// time: most lines pay nothing more.
#[expect(clippy::needless_bitwise_bool, reason = "a branch for each byte is what this avoids")]
fn is_suspect(byte: u8) -> bool {
    (byte < 0x20) | (byte == 0x7f) | (byte == 0xc2) | (byte == 0xe2)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn people_keep_their_scripts() {
        let people = [
            "hi\tthere",
            "שלום \u{200f}עולם",
            "مرحبا \u{200e}",
            "👩\u{200d}👩\u{200d}👧 “ok” – né",
            "",
        ];
        for text in people {
            assert!(matches!(clean(text), Cow::Borrowed(same) if same == text), "{text:?}");
        }
    }

    #[test]
    fn nothing_steers_a_terminal_or_forges_a_line() {
        assert_eq!(clean("\x1b[2Jx\r\n\x07"), "\u{fffd}[2Jx\u{fffd}\u{fffd}\u{fffd}");
        assert_eq!(clean("a\u{85}b\u{9b}c\u{7f}"), "a\u{fffd}b\u{fffd}c\u{fffd}");
        assert_eq!(clean("\u{202e}evil\u{2066}\u{2028}"), "\u{fffd}evil\u{fffd}\u{fffd}");
    }

    #[test]
    fn what_is_unsafe_among_others_is_unsafe_alone() {
        for c in ('\0'..='\u{ffff}').filter(|&c| is_unsafe(c)) {
            assert_eq!(clean(&c.to_string()), "\u{fffd}", "{c:?}");
        }
    }

    #[test]
    fn ordinary_text_is_not_looked_at_twice() {
        for text in [" plain ASCII ~", "né, ñ", "Ελληνικά", "שלום", "漢字", "👩"]
        {
            assert!(!text.bytes().any(is_suspect), "{text:?}");
        }
    }

    #[test]
    fn a_quote_is_cut_at_a_scalar() {
        assert_eq!(quote("short"), "short");
        assert_eq!(quote(&"é".repeat(65)), format!("{}…", "é".repeat(64)));
    }

    proptest! {
        #[test]
        fn clean_text_is_clean_and_as_long(text in any::<String>()) {
            let cleaned = clean(&text);
            prop_assert!(!cleaned.contains(is_unsafe));
            prop_assert_eq!(cleaned.chars().count(), text.chars().count());
            prop_assert_eq!(clean(&cleaned), cleaned.clone());
        }
    }
}
