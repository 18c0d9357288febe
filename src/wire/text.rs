//! Text: what one client wrote, made safe for the screens of the others.

use std::borrow::Cow;

/// The most scalars of a client's text that a notice quotes.
pub const MAX_QUOTE: usize = 64;

/// The flag emoji that tag characters may follow: England, Scotland and Wales are written as a
/// black flag, the tag letters of the region, and a cancel tag (UTS 51, section 3.5).
const BLACK_FLAG: char = '\u{1f3f4}';
const CANCEL_TAG: char = '\u{e007f}';
const MAX_REGION: usize = 6;

/// Replaces every character that could forge a line, steer a terminal, or take part in a text
/// without being seen there: see [`is_unsafe`]. What replaces a character is never longer than the
/// character: `?` for one of one or two bytes in UTF-8, U+FFFD for a longer one. The zero width
/// space, which Khmer, Thai and Burmese write between words, becomes a space.
///
/// The tag characters of a well-formed flag stay.
pub fn clean(text: &str) -> Cow<'_, str> {
    if is_printable(text) { Cow::Borrowed(text) } else { clean_any(text) }
}

/// The same, apart: what is said most pays nothing for what can happen here.
#[inline(never)]
fn clean_any(text: &str) -> Cow<'_, str> {
    let is_suspicious = text.bytes().fold(false, |found, byte| found | is_suspect(byte));
    if is_suspicious && text.contains(is_unsafe) {
        return Cow::Owned(replace_unsafe(text));
    }
    Cow::Borrowed(text)
}

fn replace_unsafe(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(is_unsafe) {
        let (before, from) = rest.split_at(start);
        safe.push_str(before);
        let flag = if before.ends_with(BLACK_FLAG) { region_len(from) } else { 0 };
        let len = if flag > 0 {
            safe.push_str(&from[..flag]);
            flag
        } else {
            let bad = from.chars().next().unwrap_or_default();
            safe.push(replacement(bad));
            bad.len_utf8()
        };
        rest = &from[len..];
    }
    safe.push_str(rest);
    safe
}

/// The length in bytes of the tag characters that make a flag of the black flag before them; 0 when
/// they are none.
fn region_len(tags: &str) -> usize {
    let is_region = |c: char| matches!(c, '\u{e0030}'..='\u{e0039}' | '\u{e0061}'..='\u{e007a}');
    let region: usize = tags.chars().take(MAX_REGION).take_while(|&c| is_region(c)).count();
    let len = region * CANCEL_TAG.len_utf8();
    if region > 0 && tags[len..].starts_with(CANCEL_TAG) { len + CANCEL_TAG.len_utf8() } else { 0 }
}

fn replacement(bad: char) -> char {
    match bad {
        '\u{200b}' => ' ',
        bad if bad.len_utf8() < char::REPLACEMENT_CHARACTER.len_utf8() => '?',
        _ => char::REPLACEMENT_CHARACTER,
    }
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

/// Whether this character never reaches another client, the tag characters of a flag aside.
///
/// * C0 controls but TAB, U+007F, and C1 controls;
/// * the line and paragraph separators, and the bidirectional embeddings, overrides and isolates
///   (UAX 9);
/// * the interlinear annotation characters;
/// * what has the property `Default_Ignorable_Code_Point` (`DerivedCoreProperties.txt` of Unicode
///   17), the Hangul fillers among them: it has no shape of its own, and programs do not agree on
///   whether it takes columns.
///
/// Of the last kind those stay that people write with and that no program gives a column: the
/// combining grapheme joiner (U+034F), the marks of direction (U+061C, U+200E, U+200F), the
/// joiners (U+200C, U+200D), and the variation selectors of Mongolian, of emoji, and of ideographs
/// in Japanese names.
pub fn is_unsafe(c: char) -> bool {
    match c {
        '\t' => false,
        '\u{00ad}'
        | '\u{115f}'
        | '\u{1160}'
        | '\u{17b4}'
        | '\u{17b5}'
        | '\u{180e}'
        | '\u{200b}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{3164}'
        | '\u{feff}'
        | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}'
        | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e00ff}'
        | '\u{e01f0}'..='\u{e0fff}' => true,
        c => c.is_control(),
    }
}

/// Whether there is nothing but printable ASCII, as in most lines. The farthest byte from a space
/// is found without a branch, so that the compiler looks at sixteen at a time.
fn is_printable(text: &str) -> bool {
    text.bytes().fold(0, |farthest, byte| farthest.max(byte.wrapping_sub(b' '))) <= b'~' - b' '
}

/// Whether a byte can belong to an unsafe character: a control byte, the lead byte 0xC2 of C1 and
/// the soft hyphen, or a lead byte from 0xE1 on, which is one comparison together with the C0
/// controls. No branch, so that the compiler looks at sixteen at a time: Latin, Greek, Cyrillic,
/// Hebrew, Arabic and the scripts of India pay nothing more.
#[expect(clippy::needless_bitwise_bool, reason = "a branch for each byte is what this avoids")]
fn is_suspect(byte: u8) -> bool {
    (byte.wrapping_sub(0x20) >= 0xe1 - 0x20) | (byte == 0x7f) | (byte == 0xc2)
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
            "👩\u{200d}👩\u{200d}👧 “ok” – né ❤\u{fe0f}",
            "می\u{200c}خواهم \u{61c}1",
            "葛\u{e0100} ᠠ\u{180b} שִׁ\u{34f}",
            "",
        ];
        for text in people {
            assert!(matches!(clean(text), Cow::Borrowed(same) if same == text), "{text:?}");
        }
        let wales = "🏴\u{e0067}\u{e0062}\u{e0077}\u{e006c}\u{e0073}\u{e007f}";
        assert_eq!(clean(&format!("{wales}{wales}!")), format!("{wales}{wales}!"));
    }

    #[test]
    fn nothing_steers_a_terminal_or_forges_a_line() {
        assert_eq!(clean("\x1b[2Jx\r\n\x07"), "?[2Jx???");
        assert_eq!(clean("a\u{85}b\u{9b}c\u{7f}"), "a?b?c?");
        assert_eq!(clean("\u{202e}evil\u{2066}\u{2028}"), "\u{fffd}evil\u{fffd}\u{fffd}");
    }

    #[test]
    fn what_does_not_show_is_shown() {
        let fillers = "\u{115f}\u{1160}\u{3164}\u{ffa0}";
        assert_eq!(clean(fillers), "\u{fffd}".repeat(4));
        assert_eq!(clean("a\u{ad}b\u{2060}c\u{feff}d\u{180e}"), "a?b\u{fffd}c\u{fffd}d\u{fffd}");
        assert_eq!(clean("\u{fff9}a\u{fffa}b\u{fffb}"), "\u{fffd}a\u{fffd}b\u{fffd}");
        assert_eq!(clean("ខ្ញុំ\u{200b}ស្រលាញ់"), "ខ្ញុំ ស្រលាញ់");
        let no_flags = [
            "🏴\u{e0067}\u{e0062}",
            "🏴\u{e007f}",
            "🏴\u{e0041}\u{e007f}",
            "🏴\u{e0061}\u{e0061}\u{e0061}\u{e0061}\u{e0061}\u{e0061}\u{e0061}\u{e007f}",
            "x\u{e0067}\u{e0062}\u{e007f}",
        ];
        for text in no_flags {
            assert!(!clean(text).contains(is_unsafe), "{text:?}");
        }
    }

    #[test]
    fn what_is_unsafe_among_others_is_unsafe_alone() {
        for c in ('\0'..=char::MAX).filter(|&c| is_unsafe(c)) {
            let cleaned = clean(&c.to_string()).into_owned();
            assert!(!cleaned.contains(is_unsafe) && cleaned.len() <= c.len_utf8(), "{c:?}");
            assert_eq!(cleaned.chars().count(), 1, "{c:?}");
        }
    }

    #[test]
    fn ordinary_text_is_not_looked_at_twice() {
        for text in [" plain ASCII ~", "né, ñ", "Ελληνικά", "Привет", "שלום", "مرحبا", "हिन्दी"]
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
        fn clean_text_is_clean_and_no_longer(text in any::<String>()) {
            let cleaned = clean(&text);
            prop_assert!(!cleaned.contains(is_unsafe));
            prop_assert!(cleaned.len() <= text.len());
            prop_assert_eq!(cleaned.chars().count(), text.chars().count());
            prop_assert_eq!(clean(&cleaned), cleaned.clone());
        }
    }
}
