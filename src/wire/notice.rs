//! Notices: everything that the server itself ever says, as a closed set.
//!
//! A notice goes out as `[SERVER] text`. The texts are part of the protocol: programs match on
//! them, so PROTOCOL.md lists each, and each parses back to what it was made from.

use std::fmt;

use super::foreign::Foreign;
use crate::name::NameError;

/// What the server has to say. Texts that quote a client are cleaned and cut before they get here
/// (see [`quote`](super::text::quote)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice<'a> {
    /// On connect, and again after each name that was refused.
    EnterName,
    /// After login, to the one who logged in.
    Welcome(&'a str),
    /// The text is no name.
    NameRefused(NameError),
    /// The name, or one that looks like it, is held by this user.
    NameTaken(&'a str),
    /// The last try at a name failed; the connection is closed.
    TooManyTries,
    /// The time to log in is over; the connection is closed.
    LoginTimeout,
    /// To the holder of a name that somebody else asked for.
    NameWanted,
    /// Somebody came, to the others.
    Joined(&'a str),
    /// Somebody went, to the others.
    Left(&'a str),
    /// In place of one line for each, where many come and go.
    Crowd {
        /// How many came since the last one.
        joined: u64,
        /// How many went since the last one.
        left: u64,
        /// How many are here now.
        online: u64,
    },
    /// The answer to `list`.
    Online {
        /// How many match, at least one.
        count: u64,
        /// Their names, as many as the answer holds, joined by `, `.
        names: &'a str,
        /// How many more match than `names` tells.
        more: u64,
    },
    /// The answer to `list` with a prefix that fits nobody.
    NoMatch(&'a str),
    /// The answer to `help`.
    Help,
    /// Nobody of this name is here.
    NotFound(&'a str),
    /// `@` without a name or a text.
    PrivateFormat,
    /// `all` without a text.
    AllFormat,
    /// `quit` with something behind it.
    QuitFormat,
    /// The line is no command.
    Unknown(&'a str),
    /// A line over the limit, which is this many bytes, was dropped.
    TooLong(u64),
    /// A line that is not UTF-8 was dropped.
    NotUtf8,
    /// The private message to this user was not delivered.
    Undelivered(&'a str),
    /// No room for another connection; this one is closed.
    Full,
    /// No room for another connection from this address; this one is closed.
    AddressFull,
    /// Too many connections have no name yet; this one is closed.
    PendingFull,
    /// The client speaks another protocol; the connection is closed.
    Foreign(Foreign),
    /// The server stops; every connection is closed.
    ShuttingDown,
}

/// The text around the one field of a notice.
struct Template(&'static str, &'static str);

const WELCOME: Template =
    Template("Welcome ", "! Commands: @Name text, all text, list, help, quit");
const NAME_REFUSED: Template = Template("Invalid name: ", ".");
const NAME_TAKEN: Template = Template("Name already taken. ", " is online.");
const JOINED: Template = Template("", " has joined the chat!");
const LEFT: Template = Template("", " has left the chat.");
const NO_MATCH: Template = Template("Nobody online has a name that begins with '", "'.");
const NOT_FOUND: Template = Template("User '", "' not found.");
const UNKNOWN: Template =
    Template("Unknown command '", "'. Use: @Name text, all text, list, help, quit");
const TOO_LONG: Template = Template("Line dropped: it is longer than ", " bytes.");
const UNDELIVERED: Template =
    Template("Message to ", " not delivered: too much is waiting for them. Try again later.");

/// The notices without a field.
const FIXED: [Notice<'static>; 13] = [
    Notice::EnterName,
    Notice::TooManyTries,
    Notice::LoginTimeout,
    Notice::NameWanted,
    Notice::Help,
    Notice::PrivateFormat,
    Notice::AllFormat,
    Notice::QuitFormat,
    Notice::NotUtf8,
    Notice::Full,
    Notice::AddressFull,
    Notice::PendingFull,
    Notice::ShuttingDown,
];

impl<'a> Notice<'a> {
    /// Parses the text after `[SERVER] `.
    pub fn parse(text: &'a str) -> Option<Self> {
        let foreign = Foreign::ALL.into_iter().map(Self::Foreign);
        let mut fixed = FIXED.into_iter().chain(foreign);
        if let Some(notice) = fixed.find(|notice| notice.fixed() == Some(text)) {
            return Some(notice);
        }
        let one_field = [
            (&WELCOME, Self::Welcome as fn(&'a str) -> Self),
            (&NAME_TAKEN, Self::NameTaken),
            (&NO_MATCH, Self::NoMatch),
            (&NOT_FOUND, Self::NotFound),
            (&UNKNOWN, Self::Unknown),
            (&UNDELIVERED, Self::Undelivered),
            (&JOINED, Self::Joined),
            (&LEFT, Self::Left),
        ];
        if let Some(field) = NAME_REFUSED.field(text) {
            return NameError::parse(field).map(Self::NameRefused);
        }
        if let Some(field) = TOO_LONG.field(text) {
            return parse_count(field).map(Self::TooLong);
        }
        one_field
            .iter()
            .find_map(|(template, make)| template.field(text).map(make))
            .or_else(|| parse_online(text))
            .or_else(|| parse_crowd(text))
    }

    /// Whether the server refused something that this client asked for: what a script wants to
    /// know.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::NameRefused(_)
            | Self::NameTaken(_)
            | Self::TooManyTries
            | Self::LoginTimeout
            | Self::NotFound(_)
            | Self::PrivateFormat
            | Self::AllFormat
            | Self::QuitFormat
            | Self::Unknown(_)
            | Self::TooLong(_)
            | Self::NotUtf8
            | Self::Undelivered(_)
            | Self::Full
            | Self::AddressFull
            | Self::PendingFull
            | Self::Foreign(_) => true,
            Self::EnterName
            | Self::Welcome(_)
            | Self::NameWanted
            | Self::Joined(_)
            | Self::Left(_)
            | Self::Crowd { .. }
            | Self::Online { .. }
            | Self::NoMatch(_)
            | Self::Help
            | Self::ShuttingDown => false,
        }
    }

    fn fixed(&self) -> Option<&'static str> {
        Some(match self {
            Self::EnterName => "Enter your name:",
            Self::TooManyTries => "That was the last try. Goodbye.",
            Self::LoginTimeout => "You took too long to enter a name. Goodbye.",
            Self::NameWanted => "Somebody else asked for your name. It stays yours.",
            Self::Help => {
                "Commands: @Name text (to one), all text (to everyone), list [prefix], help, quit"
            }
            Self::PrivateFormat => "Message format error. Use: @Name Message",
            Self::AllFormat => "Message format error. Use: all Message",
            Self::QuitFormat => "To leave, send the word quit alone on a line.",
            Self::NotUtf8 => "Line dropped: it is not UTF-8 text.",
            Self::Full => "Server is full.",
            Self::AddressFull => "Too many connections from your address.",
            Self::PendingFull => "Too many connections wait to log in. Try again later.",
            Self::Foreign(foreign) => foreign.text(),
            Self::ShuttingDown => "Server is shutting down.",
            _ => return None,
        })
    }
}

impl fmt::Display for Notice<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(text) = self.fixed() {
            return f.write_str(text);
        }
        match *self {
            Self::Welcome(name) => WELCOME.write(f, name),
            Self::NameRefused(error) => NAME_REFUSED.write(f, error),
            Self::NameTaken(holder) => NAME_TAKEN.write(f, holder),
            Self::Joined(name) => JOINED.write(f, name),
            Self::Left(name) => LEFT.write(f, name),
            Self::NoMatch(prefix) => NO_MATCH.write(f, prefix),
            Self::NotFound(name) => NOT_FOUND.write(f, name),
            Self::Unknown(line) => UNKNOWN.write(f, line),
            Self::TooLong(limit) => TOO_LONG.write(f, Grouped(limit)),
            Self::Undelivered(name) => UNDELIVERED.write(f, name),
            Self::Crowd { joined, left, online } => {
                let [joined, left, online] = [joined, left, online].map(Grouped);
                write!(f, "{joined} joined, {left} left ({online} online)")
            }
            Self::Online { count, names, more } => {
                write!(f, "Online users ({}): {names}", Grouped(count))?;
                if more > 0 {
                    write!(f, " ... and {} more", Grouped(more))?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

impl Template {
    fn write(&self, f: &mut fmt::Formatter<'_>, field: impl fmt::Display) -> fmt::Result {
        write!(f, "{}{field}{}", self.0, self.1)
    }

    fn field<'a>(&self, text: &'a str) -> Option<&'a str> {
        text.strip_prefix(self.0)?.strip_suffix(self.1)
    }
}

/// A count as people read it: 1,203.
struct Grouped(u64);

impl fmt::Display for Grouped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (i, digit) in digits.chars().enumerate() {
            if i > 0 && (digits.len() - i).is_multiple_of(3) {
                f.write_str(",")?;
            }
            write!(f, "{digit}")?;
        }
        Ok(())
    }
}

fn parse_count(text: &str) -> Option<u64> {
    let count = text.replace(',', "").parse().ok()?;
    (Grouped(count).to_string() == text).then_some(count)
}

fn parse_online(text: &str) -> Option<Notice<'_>> {
    let (count, names) = text.strip_prefix("Online users (")?.split_once("): ")?;
    let count = parse_count(count).filter(|&count| count > 0)?;
    let cut = names
        .strip_suffix(" more")
        .and_then(|rest| rest.rsplit_once(" ... and "))
        .and_then(|(names, more)| Some((names, parse_count(more).filter(|&more| more > 0)?)));
    let (names, more) = cut.unwrap_or((names, 0));
    Some(Notice::Online { count, names, more })
}

fn parse_crowd(text: &str) -> Option<Notice<'_>> {
    let (joined, rest) = text.split_once(" joined, ")?;
    let (left, online) = rest.strip_suffix(" online)")?.split_once(" left (")?;
    let [joined, left, online] = [joined, left, online].map(parse_count);
    Some(Notice::Crowd { joined: joined?, left: left?, online: online? })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::text::quote;
    use super::*;

    fn assert_parses_back(notice: Notice<'_>) {
        assert_eq!(Notice::parse(&notice.to_string()), Some(notice), "{notice}");
    }

    #[test]
    fn the_texts_of_the_original_stay() {
        let lines = [
            (Notice::Joined("Bob"), "Bob has joined the chat!"),
            (Notice::Left("Bob"), "Bob has left the chat."),
            (Notice::NotFound("Bob"), "User 'Bob' not found."),
            (Notice::PrivateFormat, "Message format error. Use: @Name Message"),
            (
                Notice::Online { count: 2, names: "Alice, Bob", more: 0 },
                "Online users (2): Alice, Bob",
            ),
        ];
        for (notice, text) in lines {
            assert_eq!(notice.to_string(), text);
        }
        assert!(Notice::NameTaken("Alice").to_string().starts_with("Name already taken."));
    }

    #[test]
    fn counts_are_grouped() {
        for (count, text) in [(0, "0"), (999, "999"), (1203, "1,203"), (1_000_000, "1,000,000")] {
            assert_eq!(Grouped(count).to_string(), text);
            assert_eq!(parse_count(text), Some(count));
        }
        for text in ["", ",", "1203", "1,2,03", "+1", "01", "99999999999999999999999"] {
            assert_eq!(parse_count(text), None, "{text:?}");
        }
        let crowd = Notice::Crowd { joined: 57, left: 3, online: 1203 };
        assert_eq!(crowd.to_string(), "57 joined, 3 left (1,203 online)");
    }

    #[test]
    fn what_is_never_printed_is_not_parsed() {
        for text in
            ["Online users (0)", "Online users (0): Bob", "Online users (01): Bob", "Welcome Bob"]
        {
            assert_eq!(Notice::parse(text), None, "{text:?}");
        }
        let odd = Notice::parse("Online users (1): Bob ... and 0 more");
        assert_eq!(odd, Some(Notice::Online { count: 1, names: "Bob ... and 0 more", more: 0 }));
    }

    #[test]
    fn every_fixed_notice_parses_back() {
        for notice in FIXED.into_iter().chain(Foreign::ALL.map(Notice::Foreign)) {
            assert!(notice.fixed().is_some(), "{notice:?}");
            assert_parses_back(notice);
        }
    }

    #[test]
    fn the_commands_are_named_alike_everywhere() {
        for Template(_, suffix) in [WELCOME, UNKNOWN] {
            assert!(suffix.ends_with(" @Name text, all text, list, help, quit"), "{suffix}");
        }
    }

    #[test]
    fn a_script_is_told_of_what_was_refused_and_of_nothing_else() {
        assert!(Notice::NotFound("Bob").is_refusal() && Notice::Full.is_refusal());
        assert!(!Notice::Joined("Bob").is_refusal() && !Notice::Help.is_refusal());
    }

    proptest! {
        #[test]
        fn every_notice_parses_back(
            name in "[A-Za-z'._!-]{1,12}",
            line in any::<String>(),
            (count, left, more) in any::<(u64, u64, u64)>(),
            bad in any::<char>(),
        ) {
            let line = quote(&line);
            let names = format!("{name}, Bob");
            let (count, more) = (count.max(1), more.min(count));
            for notice in [
                Notice::Welcome(&name),
                Notice::NameTaken(&name),
                Notice::Joined(&name),
                Notice::Left(&name),
                Notice::Undelivered(&name),
                Notice::NoMatch(&line),
                Notice::NotFound(&line),
                Notice::Unknown(&line),
                Notice::TooLong(count),
                Notice::Crowd { joined: count, left, online: more },
                Notice::Online { count, names: &names, more },
                Notice::NameRefused(NameError::Character(bad)),
                Notice::NameRefused(NameError::Marks),
            ] {
                assert_parses_back(notice);
            }
        }
    }

    #[test]
    fn a_notice_holds_nothing_unsafe() {
        use super::super::text::is_unsafe;
        for bad in ('\0'..=char::MAX).filter(|&c| is_unsafe(c)) {
            for error in [NameError::Character(bad), NameError::Context(bad)] {
                let text = Notice::NameRefused(error).to_string();
                assert!(!text.contains(is_unsafe), "{text:?}");
            }
        }
    }
}
