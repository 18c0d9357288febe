//! The two keys of a name: how it is addressed, and what it looks like.

use caseless::Caseless;
use compact_str::CompactString;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::canonical_combining_class;

use super::MAX_SCALARS;
use super::confusable::push_prototype;

/// The most scalars that a name has when it is folded and decomposed: no scalar becomes more than
/// four. A text that has more when it is only decomposed is no name, in whatever case.
const MAX_DECOMPOSED: usize = 4 * MAX_SCALARS;

/// U+0307, the dot that `i`, `j` and what looks like them have already.
const DOT_ABOVE: char = '\u{307}';

/// The canonical combining classes of marks through a letter, and above it.
const OVERLAY: u8 = 1;
const ABOVE: u8 = 230;

/// A text with its case removed, for canonical caseless matching (Unicode, definition D145).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Folded(CompactString);

/// What a text looks like: two texts with one key are confusable (UTS 39).
///
/// The key is the prototypes of all characters one behind the other. A prototype is the skeleton of
/// a character as it was written, of its small and of its capital letter, until nothing changes.
/// Marks below letters are left out, and so is a dot above `i`, `j` and `l`.
/// The key is coarse on purpose: Ian and Lan are one. It does not replace [`Folded`]: a name is
/// free when neither form of it is held.
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
        Self(text.nfd().default_case_fold().nfc().collect())
    }

    /// Folds a text that is to be compared with names, unless it is longer than any name and any
    /// part of one. That is seen before anything is folded, because a client sends many lines.
    pub fn of_typed(text: &str) -> Option<Self> {
        let fits = match text.len() {
            0..=MAX_DECOMPOSED if text.is_ascii() => true,
            len if len > MAX_DECOMPOSED * char::MAX_LEN_UTF8 => false,
            _ => text.nfd().nth(MAX_DECOMPOSED).is_none(),
        };
        fits.then(|| Self::of(text))
    }

    /// The folded text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl LookAlike {
    /// The key of any text.
    pub fn of(text: &str) -> Self {
        let mut key = CompactString::with_capacity(text.len());
        if text.is_ascii() {
            text.chars().for_each(|c| push_prototype(c, &mut key));
            return Self(key);
        }
        text.nfd().for_each(|c| push_prototype(c, &mut key));
        Self(if key.is_ascii() { key } else { without_soft_dots(&key) })
    }

    /// The key as text, for comparing only: it is no name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Takes a dot away that stands above a letter where nobody sees it. Of prototypes, `j` and `l` are
/// those letters: `i` and `I` look like `l`.
fn without_soft_dots(prototypes: &str) -> CompactString {
    let mut soft = false;
    let shows = |c: &char| match (*c, canonical_combining_class(*c)) {
        (DOT_ABOVE, _) if soft => false,
        (_, ABOVE) => {
            soft = false;
            true
        }
        (c, 0) => {
            soft = matches!(c, 'j' | 'l');
            true
        }
        (_, OVERLAY..) => true,
    };
    prototypes.nfd().filter(shows).collect()
}
