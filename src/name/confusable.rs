//! What one character looks like: the building block of the key by which names are unique.
//!
//! The prototype of a character is a short text of characters that are prototypes of themselves.
//! It is computed for each character alone, so that a name costs what its characters cost, once.

use std::sync::OnceLock;

use caseless::Caseless;
use compact_str::CompactString;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::canonical_combining_class;
use unicode_security::skeleton;

/// More steps than any character is away from its prototype (four); a guard, not a tuning knob.
const MAX_STEPS: u8 = 16;

/// Characters below this have their prototypes kept: Latin, Greek, Cyrillic, Hebrew and the common
/// combining marks, into which the characters that decompose most decompose.
const KEPT: u32 = 0x600;

/// So have those from here on, as many as [`KEPT_JAMO`]: a Hangul syllable is up to three of them.
const FIRST_JAMO: u32 = 0x1100;

const KEPT_JAMO: u32 = 0x100;

/// Prototypes that need not be looked for.
type Known = fn(char) -> Option<&'static str>;

/// Appends the prototype of a character that does not decompose canonically.
pub(super) fn push_prototype(c: char, into: &mut CompactString) {
    resolve(c, kept, MAX_STEPS, into);
}

/// Whether a mark is written below a letter, by its canonical combining class: attached to it
/// (202), below (218 to 222), a double mark below (233), iota subscript (240), a nukta (7), a
/// Hebrew point (10 to 18, 20, 22) or an Arabic vowel (29, 32) that stands below. The vowel signs
/// of Thai, Lao and Tibetan that stand below have classes of their own, and are told apart.
fn is_below(c: char) -> bool {
    matches!(
        canonical_combining_class(c),
        7 | 10..=18 | 20 | 22 | 29 | 32 | 202 | 218..=222 | 233 | 240
    )
}

/// The prototype of a character whose prototype is kept.
fn kept(c: char) -> Option<&'static str> {
    static PROTOTYPES: OnceLock<Vec<CompactString>> = OnceLock::new();
    let code = u32::from(c);
    let index = match code {
        0..KEPT => code,
        FIRST_JAMO.. if code < FIRST_JAMO + KEPT_JAMO => KEPT + code - FIRST_JAMO,
        _ => return None,
    };
    let prototypes = PROTOTYPES.get_or_init(|| {
        let codes = (0..KEPT).chain(FIRST_JAMO..FIRST_JAMO + KEPT_JAMO);
        let prototype = |c| {
            let mut text = CompactString::default();
            resolve(c, |_| None, MAX_STEPS, &mut text);
            text
        };
        codes.filter_map(char::from_u32).map(prototype).collect()
    });
    prototypes.get(index as usize).map(CompactString::as_str)
}

/// Finds the prototype of a character: its skeleton (UTS 39), or that of its small letter, or that
/// of its capital, of which the same is found, until nothing changes.
///
/// The skeleton alone is not idempotent, and does not see that Alice and `AIice` are alike; taken
/// only after folding it does not see that a Greek capital `Ε` is a Latin `E`.
fn resolve(c: char, known: Known, steps: u8, into: &mut CompactString) {
    if let Some(prototype) = known(c) {
        return into.push_str(prototype);
    }
    match step(c) {
        Some(nearer) if steps > 0 => {
            nearer.nfd().for_each(|part| resolve(part, known, steps - 1, into));
        }
        _ => into.push(c),
    }
}

/// The next step from a character to its prototype, if it is not its own.
fn step(c: char) -> Option<CompactString> {
    let written = written_skeleton(c);
    // Some small letters have their own capital for a skeleton.
    if !is_only(&written, c) && written.chars().default_case_fold().ne([c]) {
        return Some(written);
    }
    let small: CompactString = std::iter::once(c).default_case_fold().collect();
    if !is_only(&small, c) {
        return Some(small);
    }
    let capital: CompactString = c.to_uppercase().collect();
    if is_only(&capital, c) {
        return None;
    }
    let as_capital: CompactString = skeleton(&capital).default_case_fold().collect();
    (!is_only(&as_capital, c)).then_some(as_capital)
}

/// What a character looks like, as it was written.
fn written_skeleton(c: char) -> CompactString {
    match c {
        // Two letters that read as one. UTS 39 has `rn` for `m`, but nothing for `w`.
        'w' => CompactString::const_new("vv"),
        // UTS 39 has a capital gamma for it, with a stroke.
        'Ғ' | 'ғ' => CompactString::const_new("f\u{335}"),
        c if is_below(c) => CompactString::const_new(""),
        c => skeleton(c.encode_utf8(&mut [0; 4])).collect(),
    }
}

fn is_only(text: &str, c: char) -> bool {
    text.chars().eq([c])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prototype_of(c: char) -> CompactString {
        let mut text = CompactString::default();
        push_prototype(c, &mut text);
        text
    }

    /// What makes the key of a text idempotent. Characters of the large scripts without case, Han
    /// above all, are left out: they are many, and differ little from each other in this.
    #[test]
    fn a_prototype_is_made_of_prototypes() {
        let codes =
            (0..0x3400).chain(0xa000..0xac00).chain(0xf900..0x1_3000).chain(0x1_e000..0x1_f000);
        for c in codes.filter_map(char::from_u32).filter(|c| c.nfd().eq([*c])) {
            let text = prototype_of(c);
            assert!(text.nfd().eq(text.chars()), "{c:?}: {text:?}");
            for part in text.chars() {
                assert_eq!(prototype_of(part), CompactString::from_iter([part]), "{c:?}: {text:?}");
            }
        }
    }

    #[test]
    fn one_letter_of_two_strokes_is_two_letters() {
        for (letter, letters) in [('m', "rn"), ('M', "rn"), ('w', "vv"), ('W', "vv"), ('ѡ', "vv")]
        {
            assert_eq!(prototype_of(letter), letters);
        }
    }

    #[test]
    fn only_what_stands_below_a_letter_is_below() {
        for below in "\u{323}\u{327}\u{328}\u{331}\u{332}\u{345}\u{5b4}\u{650}\u{93c}".chars() {
            assert!(is_below(below) && prototype_of(below).is_empty(), "{below:?}");
        }
        for other in "\u{301}\u{307}\u{31b}\u{335}\u{5b9}\u{64e}\u{94d}\u{e38}\u{3099}".chars() {
            assert!(!is_below(other) && !prototype_of(other).is_empty(), "{other:?}");
        }
    }
}
