//! A command: what parses prints as something that parses to the same, and a plain reference
//! parser agrees on every line.

use hubbub::wire::{Command, Malformed};

pub fn run(line: &[u8]) {
    let parsed = Command::parse(line);
    assert_eq!(parsed, reference(line), "{:?}", line.escape_ascii().to_string());
    if let Ok(command) = parsed {
        assert_eq!(Command::parse(command.to_string().as_bytes()), Ok(command));
    }
}

/// The grammar of PROTOCOL.md once more, without nom.
fn reference(line: &[u8]) -> Result<Command<'_>, Malformed<'_>> {
    let line = std::str::from_utf8(line).map_err(|_| Malformed::NotUtf8)?;
    let blank = |text: &str| text.trim_matches([' ', '\t']).is_empty();
    if let Some(rest) = line.strip_prefix('@') {
        return match rest.split_once(' ') {
            Some((to, text)) => match to.trim_end_matches([':', ',']) {
                to if !to.is_empty() && !blank(text) => Ok(Command::Private { to, text }),
                _ => Err(Malformed::Private),
            },
            None => Err(Malformed::Private),
        };
    }
    if blank(line) {
        return Ok(Command::Empty);
    }
    let (word, rest) = line.split_once(' ').map_or((line, None), |(w, rest)| (w, Some(rest)));
    let only_spaces = rest.is_none_or(|rest| rest.trim_matches(' ').is_empty());
    match (word.to_ascii_lowercase().as_str(), rest) {
        ("all", Some(text)) if !blank(text) => Ok(Command::All { text }),
        ("all", _) => Err(Malformed::All),
        ("help", _) => Ok(Command::Help),
        ("quit", _) if only_spaces => Ok(Command::Quit),
        ("quit", _) => Err(Malformed::Quit),
        ("list", rest) => {
            let prefix = rest.unwrap_or_default().trim_end_matches(' ');
            if prefix.contains(' ') {
                return Err(Malformed::Unknown(line));
            }
            Ok(Command::List { prefix })
        }
        _ => Err(Malformed::Unknown(line)),
    }
}
