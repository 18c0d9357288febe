//! Text that somebody else wrote, made harmless before it is shown: names and messages of a table,
//! what a capture says of itself, names of files. What a tool quotes goes through here.
//!
//! Harmless is what cannot steer a terminal, turn the text around it, or begin a line of its own.
//! In JSON nothing is lost: there, such characters are escaped.

use std::fmt::{self, Write as _};
use std::io::{self, Write};
use std::path::Path;

use hubbub::wire::text::is_unsafe;
use serde::Serialize;

/// Characters that are kept of what a capture says of itself, and of names in it.
const MAX_SAID: usize = 64;

/// Text of bytes that cannot do harm: control characters of ASCII are written as in a program
/// (`\n`, `\x1b`), others, what reverses text, and what is no text become U+FFFD. Beyond `most`
/// characters it is cut.
pub fn text(bytes: &[u8], most: usize) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut shown = String::new();
    for c in text.chars().take(most) {
        push(&mut shown, c);
    }
    if text.chars().nth(most).is_some() {
        shown.push('…');
    }
    shown
}

/// The same, however long it is.
pub fn whole(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    text.chars().for_each(|c| push(&mut shown, c));
    shown
}

/// What a file is called.
pub fn path(path: &Path) -> String {
    whole(&path.to_string_lossy())
}

/// Text of several lines: their ends stay.
pub fn lines(text: &str) -> String {
    text.split('\n').map(whole).collect::<Vec<_>>().join("\n")
}

/// JSON in which nothing can do harm, and that means the same: the characters that JSON itself lets
/// through are escaped. They stand nowhere but in strings.
pub fn json(json: &str) -> String {
    let mut shown = String::with_capacity(json.len());
    for c in json.chars() {
        if is_unsafe(c) && c != '\n' {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // A string takes everything.
                let _ = write!(shown, "\\u{unit:04x}");
            }
        } else {
            shown.push(c);
        }
    }
    shown
}

fn push(shown: &mut String, c: char) {
    match c {
        '\r' => shown.push_str("\\r"),
        '\n' => shown.push_str("\\n"),
        '\t' => shown.push_str("\\t"),
        // A string takes everything.
        c if c.is_ascii_control() => drop(write!(shown, "\\x{:02x}", u32::from(c))),
        c if is_unsafe(c) => shown.push(char::REPLACEMENT_CHARACTER),
        c => shown.push(c),
    }
}

/// A character by itself, in the column of a dump; `None` when it has no width of its own.
pub fn glyph(c: char) -> Option<char> {
    let width = unicode_width::UnicodeWidthChar::width(c).unwrap_or(0);
    (c != '\t' && !is_unsafe(c) && width > 0).then_some(c)
}

/// What somebody else said, as it was said: it can be shown, harmless, or become JSON, and nothing
/// else.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Said(String);

impl Said {
    /// The beginning of a text, of at most 64 characters.
    pub fn quote(text: &str) -> Self {
        match text.char_indices().nth(MAX_SAID) {
            Some((end, _)) => Self(format!("{}…", text.get(..end).unwrap_or_default())),
            None => Self(text.to_owned()),
        }
    }

    /// All of a text whose length is bounded elsewhere.
    pub fn all(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&whole(&self.0))
    }
}

/// A stream that lets nothing through that could do harm, whoever forgot to make it harmless: what
/// tools say on standard output and standard error goes through one.
#[derive(Debug)]
pub struct Harmless<W>(pub W);

impl<W: Write> Write for Harmless<W> {
    /// What is written is whole characters: `write!` of texts.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_all(lines(&String::from_utf8_lossy(bytes)).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_steers_and_everything_else_stays() {
        let hostile = "\x1b[2Jx\u{202e}y\u{9b}z\u{2028}\r\n";
        assert_eq!(text(hostile.as_bytes(), 99), "\\x1b[2Jx\u{fffd}y\u{fffd}z\u{fffd}\\r\\n");
        assert_eq!(text("שלום 🫖".as_bytes(), 99), "שלום 🫖");
        assert_eq!(text(b"abc", 2), "ab…");
        assert_eq!(text(b"ab\xff", 3), "ab\u{fffd}");
        assert_eq!(lines("a\x07\nb\n"), "a\\x07\nb\n");
        assert_eq!(json("\"\u{202e}\u{e0001}\""), "\"\\u202e\\udb40\\udc01\"");
        assert_eq!(Said::quote(&"é".repeat(65)).to_string(), format!("{}…", "é".repeat(64)));
    }

    proptest! {
        #[test]
        fn whatever_is_said_is_harmless_and_json_means_the_same(said in any::<String>()) {
            prop_assert!(!whole(&said).contains(|c| is_unsafe(c) || c == '\t'));
            let mut out = Harmless(Vec::new());
            write!(out, "{said}").unwrap();
            let out = String::from_utf8(out.0).unwrap();
            prop_assert!(!out.contains(|c| is_unsafe(c) && c != '\n'));
            let escaped = json(&serde_json::to_string_pretty(&[Said::all(said.clone())]).unwrap());
            prop_assert!(!escaped.contains(|c| is_unsafe(c) && c != '\n'));
            let [again]: [String; 1] = serde_json::from_str(&escaped).unwrap();
            prop_assert_eq!(again, said);
        }
    }
}
