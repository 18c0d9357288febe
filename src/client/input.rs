//! What a typed line means. Pure.
//!
//! Text goes to everyone. Commands begin with a slash; they are the entries of [`SLASH`], from
//! which the help and the completion are made too. Without a slash, `@Name text` is private,
//! exactly `list`, `help` and `quit` are commands, and `all text` is a broadcast as in the
//! protocol.
//! A line that begins with `@` or with a single slash never becomes a broadcast: somebody who
//! mistypes a private line does not tell it to everyone.

use std::fmt;

use crate::wire::{Command, DEFAULT_MAX_LINE};

/// How alike two words must be for one to be proposed in place of the other: 0 is not at all.
const ALIKE: f64 = 0.6;

/// The columns that the help keeps for what is to be typed.
const HELP_COLUMNS: usize = 18;

/// What somebody wants who typed a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Typed<'a> {
    /// The line is empty.
    Nothing,
    /// To send this line as it is: a broadcast, a private line or a question.
    Send(Command<'a>),
    /// To read which commands there are.
    Help,
    Quit,
}

/// Why a line is not sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// There is nothing in it but spaces.
    Blank,
    /// Its text has more bytes than this.
    TooLong(usize),
    /// It begins with `@`, but is no private line.
    Private,
    /// It begins with a slash, but not with a command; perhaps this one was meant.
    Unknown { word: String, meant: Option<&'static str> },
    /// It is this command with arguments that it does not take.
    Usage(&'static Slash),
}

/// A command that begins with a slash.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Slash {
    pub(super) name: &'static str,
    /// What follows the name, as the help writes it; empty for nothing.
    arguments: &'static str,
    help: &'static str,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Help,
    List,
    Message,
    Quit,
}

/// Every command that begins with a slash.
pub(super) static SLASH: [Slash; 4] = [
    Slash { name: "help", arguments: "", help: "shows this", kind: Kind::Help },
    Slash {
        name: "list",
        arguments: "[prefix]",
        help: "shows who is here, or whose names begin so",
        kind: Kind::List,
    },
    Slash {
        name: "msg",
        arguments: "Name text",
        help: "sends text to Name alone",
        kind: Kind::Message,
    },
    Slash { name: "quit", arguments: "", help: "leaves the chat", kind: Kind::Quit },
];

/// Finds out what a line means. It is one line, without a terminator.
pub(super) fn parse(line: &str) -> Result<Typed<'_>, Refusal> {
    let typed = meaning(line)?;
    if let Typed::Send(command) = &typed {
        check_length(command)?;
    }
    Ok(typed)
}

fn meaning(line: &str) -> Result<Typed<'_>, Refusal> {
    if line.is_empty() {
        return Ok(Typed::Nothing);
    }
    if is_blank(line) {
        return Err(Refusal::Blank);
    }
    if line.starts_with('@') {
        return private(line).ok_or(Refusal::Private);
    }
    if let Some(rest) = line.strip_prefix('/') {
        return if rest.starts_with('/') { Ok(everyone(rest)) } else { slash(rest) };
    }
    let word = line.trim_end_matches(' ');
    for (known, typed) in [
        ("list", Typed::Send(Command::List { prefix: "" })),
        ("help", Typed::Help),
        ("quit", Typed::Quit),
    ] {
        if word == known {
            return Ok(typed);
        }
    }
    match line.strip_prefix("all ") {
        Some(text) if !is_blank(text) => Ok(everyone(text)),
        _ => Ok(everyone(line)),
    }
}

fn everyone(text: &str) -> Typed<'_> {
    Typed::Send(Command::All { text })
}

/// A private line as the protocol writes it.
fn private(line: &str) -> Option<Typed<'_>> {
    match Command::parse(line.as_bytes()) {
        Ok(command @ Command::Private { .. }) => Some(Typed::Send(command)),
        _ => None,
    }
}

/// A command, without its slash.
fn slash(line: &str) -> Result<Typed<'_>, Refusal> {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    let Some(command) = SLASH.iter().find(|command| command.name.eq_ignore_ascii_case(word)) else {
        return Err(Refusal::Unknown { word: word.to_owned(), meant: closest(word) });
    };
    let rest = rest.trim_start_matches(' ');
    let typed = match command.kind {
        Kind::Help if is_blank(rest) => Some(Typed::Help),
        Kind::Quit if is_blank(rest) => Some(Typed::Quit),
        Kind::List => {
            let prefix = rest.trim_end_matches(' ');
            let prefix = prefix.strip_prefix('@').unwrap_or(prefix);
            (!prefix.contains(' ')).then_some(Typed::Send(Command::List { prefix }))
        }
        Kind::Message => message(rest),
        Kind::Help | Kind::Quit => None,
    };
    typed.ok_or(Refusal::Usage(command))
}

/// A private line from what stands behind `/msg `.
fn message(rest: &str) -> Option<Typed<'_>> {
    if rest.starts_with('@') {
        return private(rest);
    }
    let (to, text) = rest.split_once(' ')?;
    let to = to.trim_end_matches([':', ',']);
    (!to.is_empty() && !is_blank(text)).then_some(Typed::Send(Command::Private { to, text }))
}

/// The command that somebody meant who typed this word.
fn closest(word: &str) -> Option<&'static str> {
    let word = word.to_ascii_lowercase();
    let alike = |command: &Slash| {
        let is_begun = !word.is_empty() && command.name.starts_with(&word);
        if is_begun { 1.0 } else { strsim::normalized_damerau_levenshtein(&word, command.name) }
    };
    let best = SLASH.iter().max_by(|a, b| alike(a).total_cmp(&alike(b)))?;
    (alike(best) >= ALIKE).then_some(best.name)
}

/// Refuses what the server would not take, with the bytes that its text may have.
fn check_length(command: &Command<'_>) -> Result<(), Refusal> {
    let most = DEFAULT_MAX_LINE - 1;
    let length = command.to_string().len();
    if length <= most {
        return Ok(());
    }
    let text = match command {
        Command::All { text } | Command::Private { text, .. } => text.len(),
        _ => length,
    };
    Err(Refusal::TooLong(most.saturating_sub(length - text)))
}

fn is_blank(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' ' | b'\t'))
}

/// Whether a line may be kept for later sessions: it was for everyone, or is a question. A line
/// that was refused may be a private one that was mistyped.
pub(super) fn is_public(line: &str) -> bool {
    let public = |command: &Command<'_>| !matches!(command, Command::Private { .. });
    match parse(line) {
        Ok(Typed::Send(command)) => public(&command),
        Ok(Typed::Help) => true,
        Ok(Typed::Nothing | Typed::Quit) | Err(_) => false,
    }
}

/// The help, line by line.
pub(super) fn help() -> Vec<String> {
    let usages = SLASH.iter().map(|command| (command.usage(), command.help));
    let mut lines = vec!["What you type goes to everyone. Commands:".to_owned()];
    let first = [("@Name text".to_owned(), "sends text to Name alone")];
    for (usage, help) in first.into_iter().chain(usages) {
        lines.push(format!("  {usage:HELP_COLUMNS$} {help}"));
    }
    lines.push("To begin a text with /, type // in its place. Tab completes names.".to_owned());
    lines
}

impl Slash {
    /// How it is typed.
    fn usage(&self) -> String {
        let Self { name, arguments, .. } = self;
        format!("/{name} {arguments}").trim_end().to_owned()
    }

    /// What completion puts in: with a space where something follows.
    pub(super) fn completed(&self) -> String {
        format!("/{}{}", self.name, if self.arguments.is_empty() { "" } else { " " })
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Blank => f.write_str("Nothing but spaces: the line was not sent."),
            Self::TooLong(most) => write!(f, "Longer than {most} bytes: the line was not sent."),
            Self::Private => f.write_str(
                "The line was not sent: a private line is @Name text. To begin a text to everyone \
                 with @, type all @...",
            ),
            Self::Unknown { word, meant: Some(meant) } => {
                write!(f, "There is no command /{word}; did you mean /{meant}? ")?;
                write!(f, "/help shows all; // begins a text with a slash.")
            }
            Self::Unknown { word, meant: None } => {
                let names: Vec<_> =
                    SLASH.iter().map(|command| format!("/{}", command.name)).collect();
                write!(f, "There is no command /{word}; there are {}. ", names.join(", "))?;
                write!(f, "// begins a text with a slash.")
            }
            Self::Usage(command) => {
                write!(f, "The line was not sent. Use: {}", command.usage())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sent(line: &str) -> String {
        match parse(line) {
            Ok(Typed::Send(command)) => command.to_string(),
            other => panic!("{line:?} is {other:?}"),
        }
    }

    #[test]
    fn plain_text_goes_to_everyone() {
        for text in [
            "hello",
            "list al",
            "quit now",
            "help me",
            " all hi",
            "listing",
            "all",
            "all ",
            "All",
            "allegory",
            " @Bob hi",
            " /list",
            "שלום",
            "a/b",
            "x@y",
            "All right, see you",
            "Help",
            "QUIT",
        ] {
            assert_eq!(sent(text), format!("all {text}"));
        }
    }

    #[test]
    fn the_words_of_the_protocol_work_without_a_slash() {
        assert_eq!(sent("all hi  there "), "all hi  there ");
        assert_eq!(sent("@Bob hi"), "@Bob hi");
        assert_eq!(sent("list  "), "list");
        assert_eq!(parse("help "), Ok(Typed::Help));
        assert_eq!(parse("quit"), Ok(Typed::Quit));
        assert_eq!(parse(""), Ok(Typed::Nothing));
    }

    #[test]
    fn a_slash_begins_a_command_and_two_begin_a_text() {
        assert_eq!(sent("/list"), "list");
        assert_eq!(sent("/LIST al "), "list al");
        assert_eq!(sent("/list @al"), "list al");
        assert_eq!(sent("/msg Bob  two spaces"), "@Bob  two spaces");
        for line in ["/msg @Bob hi", "/msg Bob, hi", "/msg   Bob: hi"] {
            assert_eq!(sent(line), "@Bob hi", "{line:?}");
        }
        assert_eq!(sent("//list"), "all /list");
        assert_eq!(sent("///"), "all //");
        assert_eq!(parse("/help "), Ok(Typed::Help));
        assert_eq!(parse("/Quit"), Ok(Typed::Quit));
    }

    #[test]
    fn what_is_no_command_is_told_with_what_is() {
        let refusal = |line: &str| parse(line).unwrap_err().to_string();
        assert!(refusal("/lits").contains("did you mean /list?"), "{}", refusal("/lits"));
        assert!(refusal("/mgs Bob x").contains("did you mean /msg?"));
        assert!(refusal("/q").contains("did you mean /quit?"));
        for line in ["/", "/zzz", "/ list", "/home/bob"] {
            assert!(refusal(line).contains("there are /help, /list, /msg, /quit."), "{line:?}");
        }
        for (line, usage) in [
            ("/quit now", "/quit"),
            ("/list a b", "/list [prefix]"),
            ("/msg Bob", "/msg Name text"),
        ] {
            assert!(refusal(line).ends_with(&format!("Use: {usage}")), "{line:?}");
        }
    }

    #[test]
    fn half_a_private_line_is_never_told_to_everyone() {
        for line in ["@", "@Bob", "@Bob ", "@ hi", "@@"] {
            assert_eq!(parse(line), Err(Refusal::Private), "{line:?}");
        }
    }

    #[test]
    fn what_the_server_would_refuse_is_told_before() {
        for line in [" ", "\t ", "   "] {
            assert_eq!(parse(line), Err(Refusal::Blank));
        }
        let most = "x".repeat(4091);
        assert_eq!(sent(&most).len(), 4095);
        assert_eq!(parse(&format!("{most}x")), Err(Refusal::TooLong(4091)));
        assert!(parse(&format!("all {most}")).is_ok(), "the word does not count");
        assert_eq!(parse(&format!("@Bob {most}")), Err(Refusal::TooLong(4090)));
    }

    #[test]
    fn what_is_kept_for_later_was_for_everyone() {
        for line in ["hello", "all hi", "/list", "help", "//x"] {
            assert!(is_public(line), "{line:?}");
        }
        for line in ["@Bob hi", "/msg Bob hi", "/mgs Bob hi", "@Bob", "/msg Bob", "quit", "", " "] {
            assert!(!is_public(line), "{line:?}");
        }
    }

    #[test]
    fn the_help_has_every_command() {
        let help = help().join("\n");
        for command in &SLASH {
            assert!(help.contains(&command.usage()) && help.contains(command.help), "{help}");
        }
    }

    proptest! {
        #[test]
        fn only_text_becomes_a_broadcast(line in "[@/ a-z]{0,12}|\\PC{0,40}") {
            if let Ok(Typed::Send(Command::All { text })) = parse(&line) {
                prop_assert!(!line.starts_with('@'));
                prop_assert!(line.ends_with(text) && !is_blank(text));
                prop_assert!(!line.starts_with('/') || line.starts_with("//"));
            }
        }

        #[test]
        fn what_is_sent_means_the_same_to_the_server(line in "[@/ a-z]{0,12}|\\PC{0,40}") {
            if let Ok(Typed::Send(command)) = parse(&line) {
                let sent = command.to_string();
                prop_assert_eq!(Command::parse(sent.as_bytes()), Ok(command));
            }
        }
    }
}
