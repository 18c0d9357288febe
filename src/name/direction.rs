//! The direction of a name: the Bidi Rule of RFC 5893, section 2, which PRECIS asks for.
//!
//! A name that breaks it would change places with the characters around it, on the screens of
//! others. The rule of the library that knows the profile is not used: it says only that a name
//! breaks the rule, and it takes a point or vowel mark in the middle of a name for its end.

use std::fmt;

use unicode_bidi::BidiClass::{AL, AN, EN, L, NSM, R};
use unicode_bidi::{BidiClass, bidi_class};

/// What a name with right-to-left characters breaks. The texts follow on "Invalid name: ".
///
/// Condition 6, how a left-to-right name ends, cannot be what a name breaks: it is asked of a name
/// that has right-to-left characters, and that breaks condition 5 first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BidiError {
    /// Condition 1: it begins with a digit, a sign or a mark.
    Start,
    /// Conditions 2 and 5: letters of both directions.
    Letters,
    /// Condition 3: it ends with a sign.
    End,
    /// Condition 4: digits of both kinds.
    Digits,
    /// Condition 5: Arabic digits in a name of left-to-right letters.
    ArabicDigits,
}

impl BidiError {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Start, Self::Letters, Self::End, Self::Digits, Self::ArabicDigits];
}

impl fmt::Display for BidiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Start => "it has right-to-left characters and does not begin with a letter",
            Self::Letters => "it mixes right-to-left and left-to-right letters",
            Self::End => "it is written from right to left and does not end with a letter or digit",
            Self::Digits => "it mixes European and Arabic digits",
            Self::ArabicDigits => "it mixes left-to-right letters and Arabic digits",
        })
    }
}

/// Checks the rule for a name of characters that PRECIS allows.
pub(super) fn check(name: &str) -> Result<(), BidiError> {
    let classes = || name.chars().map(bidi_class);
    let has = |wanted: &[BidiClass]| classes().any(|class| wanted.contains(&class));
    if name.is_ascii() || !has(&[R, AL, AN]) {
        return Ok(());
    }
    match classes().next() {
        Some(R | AL) => {
            let last = classes().rev().find(|&class| class != NSM);
            if has(&[L]) {
                Err(BidiError::Letters)
            } else if has(&[EN]) && has(&[AN]) {
                Err(BidiError::Digits)
            } else if matches!(last, Some(R | AL | EN | AN)) {
                Ok(())
            } else {
                Err(BidiError::End)
            }
        }
        Some(L) if has(&[R, AL]) => Err(BidiError::Letters),
        Some(L) => Err(BidiError::ArabicDigits),
        _ => Err(BidiError::Start),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_condition_has_its_error() {
        let names = [
            ("1علي", BidiError::Start),
            ("_שרה", BidiError::Start),
            ("\u{64e}علي", BidiError::Start),
            ("٣٤", BidiError::Start),
            ("שרהabc", BidiError::Letters),
            ("שרהДа", BidiError::Letters),
            ("Aliعلي", BidiError::Letters),
            ("שרה-", BidiError::End),
            ("علي.", BidiError::End),
            ("علي.\u{64e}", BidiError::End),
            ("علي1٢", BidiError::Digits),
            ("علي٢1", BidiError::Digits),
            ("Ali٢", BidiError::ArabicDigits),
        ];
        for (name, error) in names {
            assert_eq!(check(name), Err(error), "{name:?}");
        }
    }

    #[test]
    fn names_of_either_direction_pass() {
        let names = [
            "Alice",
            "-alice-",
            "1st",
            "Дмитрий.",
            "שרה",
            "בן-גוריון",
            "علي",
            "علي٣",
            "علي3",
            "משה1948",
            "مُحَمَّد",
            "מֹשֶׁה",
            "عَلِيٌّ",
            "شه\u{200c}رزاد",
            "حسن_٧",
            "ܝܘܚܢܢ",
            "ދިވެހި",
        ];
        for name in names {
            assert_eq!(check(name), Ok(()), "{name:?}");
        }
    }
}
