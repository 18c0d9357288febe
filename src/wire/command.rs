//! What a client asks for, in one line: the grammar of PROTOCOL.md.
//!
//! ```abnf
//! line    = (private / all / list / help / quit / empty) EOL
//! private = "@" name *(":" / ",") SP text
//! all     = "all" SP text              ; keywords in any ASCII case
//! list    = "list" [SP prefix] *SP
//! help    = "help" [SP *any]
//! quit    = "quit" *SP
//! empty   = *(SP / TAB)
//! text    = 1*any                      ; verbatim; only SP and TAB is a format error
//! ```
//!
//! The grammar works on bytes, where every delimiter is ASCII, and looks at a byte's being UTF-8
//! once, in the part that holds it.

use std::fmt;

use nom::branch::alt;
use nom::bytes::complete::{take, take_till, take_till1, take_while};
use nom::character::complete::char;
use nom::combinator::{all_consuming, eof, map, opt, rest, value, verify};
use nom::error::Error;
use nom::sequence::{delimited, preceded, separated_pair};
use nom::{IResult, Parser};

/// A line that makes sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command<'a> {
    /// `@to text`: to one person.
    Private {
        /// The name as it was typed, without colons and commas behind it.
        to: &'a str,
        /// The message, verbatim.
        text: &'a str,
    },
    /// `all text`: to everyone.
    All {
        /// The message, verbatim.
        text: &'a str,
    },
    /// `list` or `list prefix`: who is here.
    List {
        /// Only names that begin so; empty for everyone.
        prefix: &'a str,
    },
    /// `help`, whatever stands behind it.
    Help,
    /// `quit`.
    Quit,
    /// A line with nothing in it but spaces and tabs.
    Empty,
}

/// A line that makes no sense, and which sense it nearly made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed<'a> {
    /// It is not UTF-8.
    NotUtf8,
    /// It begins with `@`, but there is no name, or nothing to say to it.
    Private,
    /// It is `all` with nothing to say.
    All,
    /// It is `quit` with something behind it.
    Quit,
    /// It is none of the commands.
    Unknown(&'a str),
}

type Parsed<'a> = Result<Command<'a>, Malformed<'a>>;

impl<'a> Command<'a> {
    /// Parses one line without its terminator.
    ///
    /// # Errors
    ///
    /// [`Malformed`], which the client is told in a notice.
    pub fn parse(line: &'a [u8]) -> Result<Self, Malformed<'a>> {
        match alt((all, private, list, help, quit, empty, unknown)).parse(line) {
            Ok((_, parsed)) => parsed,
            Err(_) => Err(Malformed::NotUtf8),
        }
    }
}

impl fmt::Display for Command<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Private { to, text } => write!(f, "@{to} {text}"),
            Self::All { text } => write!(f, "all {text}"),
            Self::List { prefix: "" } => f.write_str("list"),
            Self::List { prefix } => write!(f, "list {prefix}"),
            Self::Help => f.write_str("help"),
            Self::Quit => f.write_str("quit"),
            Self::Empty => Ok(()),
        }
    }
}

fn private(line: &[u8]) -> IResult<&[u8], Parsed<'_>> {
    let addressed = map(separated_pair(take_till1(is_space), char(' '), rest), |(to, text)| {
        // No name holds a colon or a comma, and people write `@Bob: hi` and `@Bob, hi`.
        let (to, text) = (utf8(to)?.trim_end_matches([':', ',']), utf8(text)?);
        let is_complete = !to.is_empty() && !is_blank(text.as_bytes());
        if is_complete { Ok(Command::Private { to, text }) } else { Err(Malformed::Private) }
    });
    let incomplete = map(rest, |line| utf8(line).and(Err(Malformed::Private)));
    preceded(char('@'), alt((addressed, incomplete))).parse(line)
}

fn all(line: &[u8]) -> IResult<&[u8], Parsed<'_>> {
    let said = map(preceded(char(' '), rest), |text| {
        let text = utf8(text)?;
        if is_blank(text.as_bytes()) { Err(Malformed::All) } else { Ok(Command::All { text }) }
    });
    preceded(keyword("all"), alt((said, value(Err(Malformed::All), eof)))).parse(line)
}

fn list(line: &[u8]) -> IResult<&[u8], Parsed<'_>> {
    let prefix = delimited(char(' '), take_till(is_space), spaces);
    map(all_consuming(preceded(keyword("list"), opt(prefix))), |prefix| {
        Ok(Command::List { prefix: utf8(prefix.unwrap_or_default())? })
    })
    .parse(line)
}

fn help(line: &[u8]) -> IResult<&[u8], Parsed<'_>> {
    map(word("help"), |about| utf8(about).and(Ok(Command::Help))).parse(line)
}

fn quit(line: &[u8]) -> IResult<&[u8], Parsed<'_>> {
    map(word("quit"), |more| {
        let is_alone = utf8(more)?.bytes().all(is_space);
        if is_alone { Ok(Command::Quit) } else { Err(Malformed::Quit) }
    })
    .parse(line)
}

fn empty(line: &[u8]) -> IResult<&[u8], Parsed<'_>> {
    value(Ok(Command::Empty), verify(rest, is_blank)).parse(line)
}

fn unknown(line: &[u8]) -> IResult<&[u8], Parsed<'_>> {
    map(rest, |line| Err(Malformed::Unknown(utf8(line)?))).parse(line)
}

/// A keyword, and what stands behind the space behind it.
fn word<'a>(
    letters: &'static str,
) -> impl Parser<&'a [u8], Output = &'a [u8], Error = Error<&'a [u8]>> {
    preceded(keyword(letters), alt((preceded(char(' '), rest), eof)))
}

/// A keyword in any case of ASCII. Compared as a whole, because every line begins with one.
fn keyword<'a>(
    letters: &'static str,
) -> impl Parser<&'a [u8], Output = &'a [u8], Error = Error<&'a [u8]>> {
    verify(take(letters.len()), |typed: &[u8]| typed.eq_ignore_ascii_case(letters.as_bytes()))
}

fn spaces(input: &[u8]) -> IResult<&[u8], &[u8]> {
    take_while(is_space).parse(input)
}

fn is_space(byte: u8) -> bool {
    byte == b' '
}

/// Whether a line, or a part of one, holds nothing but spaces and tabs.
pub fn is_blank(text: &[u8]) -> bool {
    text.iter().all(|byte| matches!(byte, b' ' | b'\t'))
}

fn utf8(bytes: &[u8]) -> Result<&str, Malformed<'_>> {
    simdutf8::basic::from_utf8(bytes).map_err(|_| Malformed::NotUtf8)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(line: &str) -> Result<Command<'_>, Malformed<'_>> {
        Command::parse(line.as_bytes())
    }

    #[test]
    fn every_command_is_understood() {
        assert_eq!(
            parse("@Bob hi  there "),
            Ok(Command::Private { to: "Bob", text: "hi  there " })
        );
        assert_eq!(parse("all  two spaces"), Ok(Command::All { text: " two spaces" }));
        assert_eq!(parse("ALL שלום"), Ok(Command::All { text: "שלום" }));
        assert_eq!(parse("list"), Ok(Command::List { prefix: "" }));
        assert_eq!(parse("List   "), Ok(Command::List { prefix: "" }));
        assert_eq!(parse("list al "), Ok(Command::List { prefix: "al" }));
        assert_eq!(parse("help "), Ok(Command::Help));
        assert_eq!(parse("QUIT"), Ok(Command::Quit));
        assert_eq!(parse("quit  "), Ok(Command::Quit));
    }

    #[test]
    fn how_people_type_is_understood() {
        for line in ["@Bob: hi", "@Bob, hi", "@Bob:, hi", "@Bob:: hi"] {
            assert_eq!(parse(line), Ok(Command::Private { to: "Bob", text: "hi" }), "{line:?}");
        }
        assert_eq!(parse("@Bob,Cy hi"), Ok(Command::Private { to: "Bob,Cy", text: "hi" }));
        assert_eq!(parse("@Bob: :) hi"), Ok(Command::Private { to: "Bob", text: ":) hi" }));
        for line in ["", " ", "   ", "\t", " \t "] {
            assert_eq!(parse(line), Ok(Command::Empty), "{line:?}");
        }
        for line in ["help me", "HELP  all", "help ?"] {
            assert_eq!(parse(line), Ok(Command::Help), "{line:?}");
        }
        for line in ["quit now", "Quit  please ", "quit \t"] {
            assert_eq!(parse(line), Err(Malformed::Quit), "{line:?}");
        }
    }

    #[test]
    fn what_is_nearly_a_command_is_told_so() {
        for line in [
            "@", "@Bob", "@Bob ", "@Bob \t ", "@ hi", "@@", "@Bob\thi", "@: hi", "@Bob:", "@Bob:hi",
        ] {
            assert_eq!(parse(line), Err(Malformed::Private), "{line:?}");
        }
        for line in ["all", "all ", "ALL \t"] {
            assert_eq!(parse(line), Err(Malformed::All), "{line:?}");
        }
        for line in
            ["allegory", "listing", "list a b", "helpme", "quitter", "quit\t", " all hi", "hello"]
        {
            assert_eq!(parse(line), Err(Malformed::Unknown(line)), "{line:?}");
        }
    }

    #[test]
    fn bytes_that_are_not_utf8_are_refused_wherever_they_stand() {
        for line in [
            "@B\u{0}ob hi",
            "@Bob h\u{0}",
            "all \u{0}",
            "list \u{0}",
            "help \u{0}",
            "quit \u{0}",
            "\u{0}",
            "@\u{0}",
        ] {
            let line: Vec<u8> = line.bytes().map(|b| if b == 0 { 0xff } else { b }).collect();
            assert_eq!(Command::parse(&line), Err(Malformed::NotUtf8), "{line:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_parses_back(
            to in "[^ \n]{0,11}[^ \n:,]",
            text in "[^ \t\n][^\n]{0,40}",
        ) {
            let commands = [
                Command::Private { to: &to, text: &text },
                Command::All { text: &text },
                Command::List { prefix: &to },
                Command::List { prefix: "" },
                Command::Help,
                Command::Quit,
                Command::Empty,
            ];
            for command in commands {
                let line = command.to_string();
                prop_assert_eq!(parse(&line), Ok(command));
            }
        }

        #[test]
        fn no_bytes_make_it_panic(line in prop::collection::vec(any::<u8>(), 0..64)) {
            let utf8 = std::str::from_utf8(&line).is_ok();
            prop_assert_eq!(Command::parse(&line) != Err(Malformed::NotUtf8), utf8);
        }
    }
}
