//! Names: what one may be called, and which names are the same name.
//!
//! Three forms of a name, from the strictest to the most forgiving:
//!
//! * [`Name`]: what everyone sees. It keeps the rules of the PRECIS profile
//!   `UsernameCasePreserved` (RFC 8265, section 3.4), so it is normalised (NFC), of one direction,
//!   and free of spaces and control characters.
//! * [`Folded`]: the form in which names are *addressed*. `@alice` reaches Alice.
//! * [`LookAlike`]: the form in which names are *unique*. `AIice` (with a capital i) cannot join
//!   while Alice is here.
//!
//! Guarantees, each a property test: a name parses to itself; folding and the look-alike key are
//! idempotent; whatever folds to a reserved word is refused, and so is what looks like `SERVER`, or
//! begins like the `From` of a private message, once marks and signs are gone.

mod confusable;
mod direction;
mod error;
mod keys;
mod reserved;

use std::borrow::Cow;
use std::fmt;

use compact_str::CompactString;
use precis_core::profile::Rules;
use precis_core::{IdentifierClass, StringClass};
use precis_profiles::UsernameCasePreserved;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

pub use direction::BidiError;
pub use error::NameError;
pub use keys::{Folded, LookAlike};

/// The longest name, in Unicode scalar values.
pub const MAX_SCALARS: usize = 32;

/// The longest name before it is normalised, in Unicode scalar values: a letter may be typed with
/// its marks one by one.
pub const MAX_TYPED: usize = 4 * MAX_SCALARS;

/// The most combining marks that may follow each other: enough for every living script, too few to
/// smear a name over the neighbouring lines.
pub const MAX_MARKS_IN_A_ROW: usize = 2;

/// Names that the protocol keeps for itself, in any case.
pub const RESERVED: [&str; 5] = ["SERVER", "all", "list", "help", "quit"];

/// Characters that the protocol writes around names.
const DELIMITERS: [char; 5] = ['[', ']', ':', '@', ','];

/// A valid name: 1 to [`MAX_SCALARS`] scalars that no rule changes any more.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Name(CompactString);

/// What is left of a line where a name is expected when the spaces and tabs around it are gone, the
/// ideographic space and the no-break space among them. Empty if there was nothing else.
pub fn trim(typed: &str) -> &str {
    typed.trim_matches(is_space)
}

/// Whether there is nothing but such spaces in a line.
pub fn is_blank(line: &[u8]) -> bool {
    std::str::from_utf8(line).is_ok_and(|text| trim(text).is_empty())
}

impl Name {
    /// Turns what somebody typed into a name.
    ///
    /// The order differs from that of RFC 8265 in one thing: the text is normalised before its
    /// characters are looked at. So a letter may be typed as whatever is canonically the same, and
    /// what comes out is what was looked at.
    ///
    /// # Errors
    ///
    /// [`NameError`] says which rule the text breaks; it is the typist's to mend.
    pub fn parse(typed: &str) -> Result<Self, NameError> {
        let typed = trim(typed);
        if typed.is_empty() {
            return Err(NameError::Empty);
        }
        check_length(typed, MAX_TYPED)?;
        check_delimiters(typed)?;
        let text = normalise(typed)?;
        check_length(&text, MAX_SCALARS)?;
        // Width mapping can bring a delimiter in: U+FF20 is a wide `@`.
        check_delimiters(&text)?;
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            IdentifierClass::default()
                .allows(&text)
                .map_err(|e| NameError::of_precis(&e, &text))?;
        }
        check_marks(&text)?;
        direction::check(&text).map_err(NameError::Direction)?;
        reserved::check(&text)?;
        Ok(Self(CompactString::from(text)))
    }

    /// The name as everyone sees it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form in which this name is addressed and sorted.
    pub fn folded(&self) -> Folded {
        Folded::of(&self.0)
    }

    /// The form in which this name is unique.
    pub fn look_alike(&self) -> LookAlike {
        LookAlike::of(&self.0)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Maps wide letters to narrow ones, and normalises; not much farther than a name is long.
fn normalise(typed: &str) -> Result<Cow<'_, str>, NameError> {
    if typed.is_ascii() {
        return Ok(Cow::Borrowed(typed));
    }
    let narrow = UsernameCasePreserved::new()
        .width_mapping_rule(typed)
        .map_err(|e| NameError::of_precis(&e, typed))?;
    Ok(Cow::Owned(narrow.nfc().take(MAX_SCALARS + 1).collect()))
}

fn check_length(text: &str, most: usize) -> Result<(), NameError> {
    if text.chars().nth(most).is_some() {
        return Err(NameError::TooLong);
    }
    Ok(())
}

fn check_delimiters(text: &str) -> Result<(), NameError> {
    match text.chars().find(|c| is_space(*c) || DELIMITERS.contains(c)) {
        Some(found) => Err(NameError::Character(found)),
        None => Ok(()),
    }
}

fn check_marks(text: &str) -> Result<(), NameError> {
    if text.starts_with(is_combining_mark) {
        return Err(NameError::LeadingMark);
    }
    let mut in_a_row = 0;
    for c in text.chars() {
        in_a_row = if is_combining_mark(c) { in_a_row + 1 } else { 0 };
        if in_a_row > MAX_MARKS_IN_A_ROW {
            return Err(NameError::Marks);
        }
    }
    Ok(())
}

/// TAB, and what Unicode calls a space separator (Zs).
fn is_space(c: char) -> bool {
    match c {
        '\t' | ' ' => true,
        '\u{2028}' | '\u{2029}' => false,
        c => c.is_whitespace() && !c.is_control(),
    }
}

#[cfg(test)]
mod tests;
