//! What the server says, in one line: a notice, a broadcast, or a private message.
//!
//! | line | meaning |
//! | --- | --- |
//! | `[SERVER] text` | a [`Notice`] |
//! | `[Alice]: text` | a broadcast by Alice |
//! | `[From Alice]: text` | a private message from Alice |
//!
//! No name holds a bracket, a colon or a space and nobody is called SERVER, so the three cannot be
//! mistaken for each other.

use std::fmt::{self, Write as _};

use nom::branch::alt;
use nom::bytes::complete::{tag, take_while1};
use nom::combinator::{map, map_opt, rest, verify};
use nom::sequence::{delimited, pair, preceded};
use nom::{IResult, Parser};

use super::notice::Notice;

/// One line of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply<'a> {
    /// The server itself speaks.
    Notice(Notice<'a>),
    /// Somebody speaks to everyone.
    Broadcast {
        /// Who.
        from: &'a str,
        /// What, cleaned.
        text: &'a str,
    },
    /// Somebody speaks to the one who reads this.
    Private {
        /// Who.
        from: &'a str,
        /// What, cleaned.
        text: &'a str,
    },
}

/// A line in the pieces that make it up, its terminator included.
pub type Parts<'a> = [&'a [u8]; 5];

const NOTICE: &str = "[SERVER] ";
const PRIVATE: &str = "[From ";

impl<'a> Reply<'a> {
    /// The line in pieces, so that the text is copied once: from where it was read to where it
    /// waits. `scratch` holds what has to be put into words.
    pub fn parts<'s>(self, scratch: &'s mut String) -> Parts<'s>
    where
        'a: 's,
    {
        match self {
            Self::Notice(notice) => {
                scratch.clear();
                // Writing to a string cannot fail.
                let _ = write!(scratch, "{notice}");
                [NOTICE.as_bytes(), scratch.as_bytes(), b"", b"", b"\n"]
            }
            Self::Broadcast { from, text } => {
                [b"[", from.as_bytes(), b"]: ", text.as_bytes(), b"\n"]
            }
            Self::Private { from, text } => {
                [PRIVATE.as_bytes(), from.as_bytes(), b"]: ", text.as_bytes(), b"\n"]
            }
        }
    }

    /// Parses one line without its terminator; `None` for what no server of this version says.
    pub fn parse(line: &'a str) -> Option<Self> {
        let notice = map(map_opt(preceded(tag(NOTICE), rest), Notice::parse), Self::Notice);
        let private = map(pair(delimited(tag(PRIVATE), name, tag("]: ")), rest), |(from, text)| {
            Self::Private { from, text }
        });
        let broadcast = map(pair(delimited(tag("["), name, tag("]: ")), rest), |(from, text)| {
            Self::Broadcast { from, text }
        });
        alt((notice, private, broadcast)).parse(line).ok().map(|(_, reply)| reply)
    }
}

impl fmt::Display for Reply<'_> {
    /// The line without its terminator.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Notice(notice) => write!(f, "{NOTICE}{notice}"),
            Self::Broadcast { from, text } => write!(f, "[{from}]: {text}"),
            Self::Private { from, text } => write!(f, "{PRIVATE}{from}]: {text}"),
        }
    }
}

/// What may stand where a name stands. It need not be a valid name of this version: a client talks
/// to newer servers too.
fn name(input: &str) -> IResult<&str, &str> {
    let name_char = |c: char| !matches!(c, '[' | ']' | ':' | '@' | ',' | ' ') && !c.is_control();
    verify(take_while1(name_char), |name: &str| name != "SERVER").parse(input)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::text::clean;
    use super::*;

    #[test]
    fn the_three_kinds_of_lines() {
        let broadcast = Reply::Broadcast { from: "Alice", text: "hi: [all]" };
        assert_eq!(broadcast.to_string(), "[Alice]: hi: [all]");
        let private = Reply::Private { from: "Alice", text: "psst" };
        assert_eq!(private.to_string(), "[From Alice]: psst");
        let notice = Reply::Notice(Notice::EnterName);
        assert_eq!(notice.to_string(), "[SERVER] Enter your name:");
        for reply in [broadcast, private, notice] {
            assert_eq!(Reply::parse(&reply.to_string()), Some(reply));
        }
    }

    #[test]
    fn what_no_server_says_is_not_understood() {
        for line in ["", "hi", "[SERVER]: hi", "[SERVER] hi", "[Ali ce]: hi", "[]: hi", "[a] hi"] {
            assert_eq!(Reply::parse(line), None, "{line:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_of_a_client_reads_as_a_notice(text in any::<String>()) {
            let text = clean(&text);
            for reply in [
                Reply::Broadcast { from: "Eve", text: &text },
                Reply::Private { from: "Eve", text: &text },
            ] {
                let mut scratch = String::new();
                let line = reply.parts(&mut scratch).concat();
                let (end, line) = line.split_last().unwrap();
                prop_assert_eq!(*end, b'\n');
                prop_assert!(!line.contains(&b'\n'));
                let line = std::str::from_utf8(line).unwrap();
                prop_assert_eq!(line, reply.to_string());
                prop_assert_eq!(Reply::parse(line), Some(reply));
            }
        }
    }
}
