//! The two keys of a name: how it is addressed, and what it looks like.

use caseless::default_case_fold_str;
use compact_str::CompactString;
use unicode_normalization::UnicodeNormalization;
use unicode_security::skeleton;

/// More rounds than any string was ever seen to need (two); a guard, not a tuning knob.
const MAX_ROUNDS: usize = 8;

/// A text with its case removed, for canonical caseless matching (Unicode, definition D145).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Folded(CompactString);

/// What a text looks like: two texts with one key are hard to tell apart on a screen.
///
/// The key is the fixpoint of `fold . skeleton . uppercase . skeleton . fold . skeleton`. The
/// skeleton of UTS 39 alone is not idempotent and does not see that Alice and `AIice` are alike;
/// taken only after folding it does not see that a Greek capital `Ε` is a Latin `E`.
/// It is coarse on purpose: Ian and Lan are one. It does not replace [`Folded`]: a name is free
/// when neither form of it is held.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LookAlike(CompactString);

impl Folded {
    /// Folds any text, also one that is no valid name: what was typed after an `@`, or a prefix.
    pub fn of(text: &str) -> Self {
        if text.is_ascii() {
            let mut folded = CompactString::from(text);
            folded.make_ascii_lowercase();
            return Self(folded);
        }
        let decomposed: String = text.nfd().collect();
        Self(default_case_fold_str(&decomposed).nfc().collect())
    }

    /// The folded text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl LookAlike {
    /// The key of any text.
    pub fn of(text: &str) -> Self {
        let mut key = text.to_owned();
        for _ in 0..MAX_ROUNDS {
            let next = one_round(&key);
            if next == key {
                break;
            }
            key = next;
        }
        Self(CompactString::from(key))
    }

    /// The key as text, for comparing only: it is no name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn one_round(text: &str) -> String {
    let as_written: String = skeleton(text).collect();
    let upper = skeleton(Folded::of(&as_written).as_str()).collect::<String>().to_uppercase();
    let as_capitals: String = skeleton(&upper).collect();
    Folded::of(&as_capitals).0.into()
}
