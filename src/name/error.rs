//! Why a text is not a name, in words for the person who typed it.

use std::fmt;

use precis_core::{DerivedPropertyValue, Error as PrecisError, UnexpectedError};
use unicode_normalization::char::is_combining_mark;
use unicode_security::skeleton;

use super::direction::BidiError;
use super::{MAX_MARKS_IN_A_ROW, MAX_SCALARS, RESERVED, is_space};

/// Why a text is not a name. The text of each is made for the person who typed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameError {
    /// No character at all.
    Empty,
    /// More than [`MAX_SCALARS`] scalars.
    TooLong,
    /// A character that no name can hold: a space, a delimiter, an emoji, ...
    Character(char),
    /// A character that a name can hold, but not beside these others: a joiner between Latin
    /// letters, for one (the contextual rules of RFC 5892, appendix A).
    Context(char),
    /// More than [`MAX_MARKS_IN_A_ROW`] combining marks in a row.
    Marks,
    /// A combining mark that has no letter before it.
    LeadingMark,
    /// Right-to-left letters in a way that would disturb the line around them.
    Direction(BidiError),
    /// It is this one of [`RESERVED`], in some case.
    Reserved(&'static str),
    /// It is `SERVER` once marks and signs are gone.
    LooksLikeServer,
    /// It begins like the `From` of a private message.
    BeginsLikeFrom,
}

impl NameError {
    /// Parses what it prints.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let quoted = text.rsplit_once("(U+").and_then(|(_, code)| code.split_once(')'));
        let quoted = quoted.and_then(|(hex, _)| char::from_u32(u32::from_str_radix(hex, 16).ok()?));
        [
            Self::Empty,
            Self::TooLong,
            Self::Marks,
            Self::LeadingMark,
            Self::LooksLikeServer,
            Self::BeginsLikeFrom,
            Self::Character(' '),
        ]
        .into_iter()
        .chain(BidiError::ALL.map(Self::Direction))
        .chain(RESERVED.map(Self::Reserved))
        .chain(quoted.into_iter().flat_map(|c| [Self::Character(c), Self::Context(c)]))
        .find(|error| error.to_string() == text)
    }

    /// What PRECIS found in a text.
    pub(super) fn of_precis(error: &PrecisError, text: &str) -> Self {
        use UnexpectedError::{ContextRuleNotApplicable as NotApplicable, MissingContextRule};
        match error {
            PrecisError::BadCodepoint(info)
            | PrecisError::Unexpected(NotApplicable(info) | MissingContextRule(info)) => {
                let c = char::from_u32(info.cp).unwrap_or(char::REPLACEMENT_CHARACTER);
                match info.property {
                    DerivedPropertyValue::ContextJ | DerivedPropertyValue::ContextO => {
                        Self::Context(c)
                    }
                    _ => Self::Character(c),
                }
            }
            // Nothing else comes of the rules that are used; if it does, it is not of ASCII.
            _ => Self::Character(text.chars().find(|c| !c.is_ascii()).unwrap_or(' ')),
        }
    }
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("it is empty"),
            Self::TooLong => write!(f, "it is longer than {MAX_SCALARS} characters"),
            Self::Character(' ') => f.write_str("it holds a space"),
            Self::Character(c) => write_holds(f, *c),
            Self::Context(c) => {
                write_holds(f, *c)?;
                f.write_str(" where it cannot stand")
            }
            Self::Marks => {
                write!(f, "it stacks more than {MAX_MARKS_IN_A_ROW} marks on a letter")
            }
            Self::LeadingMark => f.write_str("it begins with a mark that belongs on a letter"),
            Self::Direction(error) => error.fmt(f),
            Self::Reserved(word) => write!(f, "it is a word that the server uses: {word}"),
            Self::LooksLikeServer => f.write_str("it looks like SERVER"),
            Self::BeginsLikeFrom => f.write_str("it begins like From, as private messages do"),
        }
    }
}

impl std::error::Error for NameError {}

fn write_holds(f: &mut fmt::Formatter<'_>, c: char) -> fmt::Result {
    let code = u32::from(c);
    if is_space(c) {
        write!(f, "it holds a space (U+{code:04X})")
    } else if shows(c) {
        write!(f, "it holds {c} (U+{code:04X})")
    } else {
        write!(f, "it holds a character that does not show (U+{code:04X})")
    }
}

/// Whether a character can be quoted to its typist: it is on the screen, and stays in its place.
/// A skeleton (UTS 39) leaves out what Unicode calls default-ignorable.
fn shows(c: char) -> bool {
    let is_ignorable = skeleton(c.encode_utf8(&mut [0; 4])).next().is_none();
    let is_annotation = matches!(c, '\u{fff9}'..='\u{fffb}');
    !(is_ignorable || is_annotation || c.is_control() || c.is_whitespace() || is_combining_mark(c))
}
