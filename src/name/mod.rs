//! Names: what one may be called, and which names are the same name.
//!
//! Three forms of a name, from the strictest to the most forgiving:
//!
//! * [`Name`]: what everyone sees. It went through the PRECIS profile `UsernameCasePreserved`
//!   (RFC 8265, section 3.4), so it is normalised (NFC), of one direction, and free of spaces and
//!   control characters.
//! * [`Folded`]: the form in which names are *addressed*. `@alice` reaches Alice.
//! * [`LookAlike`]: the form in which names are *unique*. `AIice` (with a capital i) cannot join
//!   while Alice is here, and nobody is `SERVER`.
//!
//! Guarantees, each a property test: a name parses to itself; folding and the look-alike key are
//! idempotent; whatever folds to a reserved word, or looks like one, is refused.

mod keys;

use std::fmt;
use std::sync::OnceLock;

use compact_str::CompactString;
use precis_core::Error as PrecisError;
use precis_core::profile::PrecisFastInvocation;
use precis_profiles::UsernameCasePreserved;
use unicode_normalization::char::is_combining_mark;

pub use keys::{Folded, LookAlike};

/// The longest name, in Unicode scalar values.
pub const MAX_SCALARS: usize = 32;

/// The longest name before it is normalised, in Unicode scalar values: a letter may be typed with
/// its marks one by one.
pub const MAX_TYPED: usize = 4 * MAX_SCALARS;

/// The most combining marks that may follow each other: enough for every living script, too few to
/// smear a name over the neighbouring lines.
pub const MAX_MARKS_IN_A_ROW: usize = 2;

/// Names that the protocol keeps for itself. Nothing that looks like one can be taken.
pub const RESERVED: [&str; 5] = ["SERVER", "all", "list", "help", "quit"];

/// Characters that the protocol writes around names.
const DELIMITERS: [char; 5] = ['[', ']', ':', '@', ','];

/// A valid name: 1 to [`MAX_SCALARS`] scalars that the PRECIS profile left as they are.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Name(CompactString);

/// Why a text is not a name. The text of each is made for the person who typed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameError {
    /// No character at all.
    Empty,
    /// More than [`MAX_SCALARS`] scalars.
    TooLong,
    /// A character that no name can hold: a space, a delimiter, an emoji, ...
    Character(char),
    /// More than [`MAX_MARKS_IN_A_ROW`] combining marks in a row.
    Marks,
    /// Right-to-left and left-to-right letters in one name (RFC 5893, section 2).
    Direction,
    /// It is, or looks like, one of [`RESERVED`].
    Reserved,
}

impl Name {
    /// Turns what somebody typed into a name.
    ///
    /// # Errors
    ///
    /// [`NameError`] says which rule the text breaks; it is the typist's to mend.
    pub fn parse(typed: &str) -> Result<Self, NameError> {
        if typed.is_empty() {
            return Err(NameError::Empty);
        }
        check_length(typed, MAX_TYPED)?;
        let forbidden = |c: char| c == ' ' || DELIMITERS.contains(&c);
        if let Some(found) = typed.chars().find(|&c| forbidden(c)) {
            return Err(NameError::Character(found));
        }
        let enforced = UsernameCasePreserved::enforce(typed).map_err(|e| explain(typed, &e))?;
        // Normalising can move a mark between a joiner and what it joins, and then the profile
        // refuses its own output (RFC 8264, section 7: apply the rules until nothing changes).
        let again = UsernameCasePreserved::enforce(&*enforced).map_err(|e| explain(typed, &e))?;
        if again != enforced {
            return Err(NameError::Marks);
        }
        check_length(&enforced, MAX_SCALARS)?;
        // Width mapping can bring a delimiter in: U+FF20 is a wide `@`.
        if let Some(found) = enforced.chars().find(|&c| forbidden(c)) {
            return Err(NameError::Character(found));
        }
        check_marks(&enforced)?;
        let name = Self(CompactString::from(enforced));
        if name.is_reserved() {
            return Err(NameError::Reserved);
        }
        Ok(name)
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

    fn is_reserved(&self) -> bool {
        static KEYS: OnceLock<[(Folded, LookAlike); RESERVED.len()]> = OnceLock::new();
        let keys =
            KEYS.get_or_init(|| RESERVED.map(|word| (Folded::of(word), LookAlike::of(word))));
        let (folded, look_alike) = (self.folded(), self.look_alike());
        keys.iter().any(|(word, shape)| *word == folded || *shape == look_alike)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("it is empty"),
            Self::TooLong => write!(f, "it is longer than {MAX_SCALARS} characters"),
            Self::Character(' ') => f.write_str("it holds a space"),
            Self::Character(c) if !shows(*c) => {
                write!(f, "it holds a character that does not show (U+{:04X})", u32::from(*c))
            }
            Self::Character(c) => write!(f, "it holds {c} (U+{:04X})", u32::from(*c)),
            Self::Marks => {
                write!(f, "it stacks more than {MAX_MARKS_IN_A_ROW} marks on a letter")
            }
            Self::Direction => f.write_str("it mixes right-to-left and left-to-right letters"),
            Self::Reserved => f.write_str("it is, or looks like, a word that the server uses"),
        }
    }
}

impl std::error::Error for NameError {}

fn check_length(text: &str, most: usize) -> Result<(), NameError> {
    if text.chars().nth(most).is_some() {
        return Err(NameError::TooLong);
    }
    Ok(())
}

fn check_marks(text: &str) -> Result<(), NameError> {
    let mut in_a_row = 0;
    for c in text.chars() {
        in_a_row = if is_combining_mark(c) { in_a_row + 1 } else { 0 };
        if in_a_row > MAX_MARKS_IN_A_ROW {
            return Err(NameError::Marks);
        }
    }
    Ok(())
}

/// Whether a character can be quoted to its typist: it is on the screen, and stays in its place.
fn shows(c: char) -> bool {
    let formats = ['\u{200b}'..='\u{200f}', '\u{2028}'..='\u{202f}', '\u{205f}'..='\u{206f}'];
    let others = ['\u{fff0}'..='\u{fffb}', '\u{e0000}'..='\u{e0fff}', '\u{feff}'..='\u{feff}'];
    let hidden = formats.iter().chain(&others).any(|range| range.contains(&c));
    !(hidden || c.is_control() || c.is_whitespace() || is_combining_mark(c))
}

/// Says what PRECIS found in the words of this house.
fn explain(typed: &str, error: &PrecisError) -> NameError {
    match error {
        PrecisError::BadCodepoint(info) => {
            NameError::Character(char::from_u32(info.cp).unwrap_or(char::REPLACEMENT_CHARACTER))
        }
        // The profile names no character when the rule of direction fails, nor when a character
        // is out of its context (a joiner between Latin letters, for one).
        _ => match typed.chars().find(|c| !c.is_alphanumeric() && !c.is_ascii()) {
            Some(c) if !is_combining_mark(c) => NameError::Character(c),
            _ => NameError::Direction,
        },
    }
}

#[cfg(test)]
mod tests;
