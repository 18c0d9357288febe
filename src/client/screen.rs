//! What a line of the server looks like on a screen. Pure: a line in, text out.
//!
//! The server is not trusted, nor is anyone who speaks through it. Guarantees, each a property
//! test:
//!
//! * What comes out holds no control character but the newlines and colour codes of this module:
//!   nothing steers the terminal.
//! * Only the first row of a line begins at the left edge; the rows it is wrapped to are indented.
//!   So no text can imitate a notice by being as long as the screen is wide.
//! * Every row begins with a left-to-right mark, so that no text moves to the left edge by being
//!   written from right to left.
//! * Wrapping loses nothing: the rows, put together, are the text.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthChar;

use crate::wire::Reply;
use crate::wire::text::clean;

/// Where wrapped rows begin.
const INDENT: &str = "  ";

/// The fewest columns that are believed: the indent, a wide character and the last column.
const MIN_WIDTH: usize = 6;

/// Columns between two tab stops.
const TAB_STOP: usize = 8;

/// Keeps a row that begins with Hebrew or Arabic at the left.
const LEFT_TO_RIGHT: char = '\u{200e}';

/// Makes the character before it a picture, which some terminals then draw two columns wide.
const EMOJI_STYLE: char = '\u{fe0f}';

/// What a line is, as far as its colour goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Notice,
    Private,
    Own,
    Others,
    Word,
}

/// A screen that lines are laid out for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Screen {
    /// Columns. Fewer than 6 count as 6.
    pub width: usize,
    /// Whether lines are coloured.
    pub colour: bool,
}

impl Screen {
    /// A line of the server, without its terminator, as rows that each end in a newline. `me` is
    /// the name of who looks.
    pub fn line(&self, line: &str, me: &str) -> String {
        let line = clean(line);
        self.rows(&line, kind(&line, me))
    }

    /// What the client itself has to say, as rows that each end in a newline.
    pub fn word(&self, text: &str) -> String {
        self.rows(&format!("* {}", clean(text)), Kind::Word)
    }

    fn rows(&self, text: &str, kind: Kind) -> String {
        let (on, off) = if self.colour { kind.colour() } else { ("", "") };
        let mut out = String::with_capacity(text.len() + 32);
        for (i, row) in wrap(&expand_tabs(text), self.width).into_iter().enumerate() {
            let indent = if i == 0 { "" } else { INDENT };
            // Writing to a string cannot fail.
            let _ = writeln!(out, "{LEFT_TO_RIGHT}{on}{indent}{row}{off}");
        }
        out
    }
}

/// A line of the server for a program to read: sanitised, and one line.
pub fn plain(line: &str) -> String {
    let mut line = clean(line).into_owned();
    line.push('\n');
    line
}

impl Kind {
    /// What turns the colour on, and off.
    fn colour(self) -> (&'static str, &'static str) {
        match self {
            Self::Notice => ("\x1b[36m", "\x1b[0m"),
            Self::Private => ("\x1b[35m", "\x1b[0m"),
            Self::Own => ("\x1b[32m", "\x1b[0m"),
            Self::Word => ("\x1b[33m", "\x1b[0m"),
            Self::Others => ("", ""),
        }
    }
}

fn kind(line: &str, me: &str) -> Kind {
    match Reply::parse(line) {
        Some(Reply::Notice(_)) => Kind::Notice,
        Some(Reply::Private { .. }) => Kind::Private,
        Some(Reply::Broadcast { from, .. }) if from == me => Kind::Own,
        // A notice that only a newer server says.
        None if line.starts_with("[SERVER] ") => Kind::Notice,
        Some(Reply::Broadcast { .. }) | None => Kind::Others,
    }
}

/// Puts spaces for tabs: how far a tab goes is the terminal's affair, and a row must fit.
fn expand_tabs(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut column = 0;
    for c in text.chars() {
        if c == '\t' {
            let spaces = TAB_STOP - column % TAB_STOP;
            out.extend(std::iter::repeat_n(' ', spaces));
            column += spaces;
        } else {
            out.push(c);
            column += columns(c);
        }
    }
    out
}

/// Cuts a text to rows that fit, the indent of all but the first included, behind a space where one
/// is near. There is always a first row.
fn wrap(text: &str, width: usize) -> Vec<&str> {
    // A terminal may go to the next row as soon as the last column is written.
    let width = width.max(MIN_WIDTH) - 1;
    let mut rows = Vec::new();
    let mut rest = text;
    let mut room = width;
    while let Some(end) = overflow(rest, room) {
        // Half a row is left empty at most.
        let cut = rest[..end].rfind(' ').map_or(end, |space| space + 1);
        let cut = if cut * 2 > end { cut } else { end };
        let (row, after) = rest.split_at(cut);
        rows.push(row);
        rest = after;
        room = width - INDENT.len();
    }
    rows.push(rest);
    rows
}

/// Where the first character stands that does not fit; `None` when all do. `room` is at least 2, so
/// one character always fits.
fn overflow(text: &str, room: usize) -> Option<usize> {
    let mut column = 0;
    text.char_indices().find_map(|(at, c)| {
        column += columns(c);
        (column > room).then_some(at)
    })
}

/// The columns of a character by itself. Terminals differ on what joined characters take, and none
/// gives them more than their sum: a row may end early, and the terminal never wraps it.
fn columns(c: char) -> usize {
    if c == EMOJI_STYLE { 1 } else { c.width().unwrap_or(0) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WIDE: Screen = Screen { width: 80, colour: false };
    const COLOURED: Screen = Screen { width: 80, colour: true };

    #[test]
    fn each_kind_of_line_has_its_colour() {
        let lines = [
            ("[SERVER] Bob has joined the chat!", "\x1b[36m"),
            ("[SERVER] news of a later version", "\x1b[36m"),
            ("[From Bob]: psst", "\x1b[35m"),
            ("[Alice]: I said this", "\x1b[32m"),
        ];
        for (line, colour) in lines {
            let want = format!("\u{200e}{colour}{line}\x1b[0m\n");
            assert_eq!(COLOURED.line(line, "Alice"), want);
            assert_eq!(WIDE.line(line, "Alice"), format!("\u{200e}{line}\n"));
        }
        assert_eq!(COLOURED.line("[Bob]: hi", "Alice"), "\u{200e}[Bob]: hi\n");
        assert_eq!(WIDE.word("lost"), "\u{200e}* lost\n");
    }

    #[test]
    fn a_server_cannot_steer_the_terminal() {
        let shown = WIDE.line("[Bob]: \x1b[2J\x07\u{9b}1m\r\u{202e}x", "Alice");
        assert_eq!(shown, "\u{200e}[Bob]: ?[2J??1m?\u{fffd}x\n");
        assert_eq!(plain("a\x1b\tb\n"), "a?\tb?\n");
    }

    #[test]
    fn wrapped_rows_are_indented_and_break_behind_spaces() {
        let narrow = Screen { width: 17, colour: false };
        let shown = narrow.line("[Bob]: one two three four", "Alice");
        assert_eq!(shown, "\u{200e}[Bob]: one two \n\u{200e}  three four\n");
        let shown = narrow.line(&format!("[Bob]: {}[SERVER] hi", "x".repeat(9)), "Alice");
        assert_eq!(shown, "\u{200e}[Bob]: xxxxxxxxx\n\u{200e}  [SERVER] hi\n");
    }

    #[test]
    fn wide_characters_and_tabs_are_counted() {
        assert_eq!(wrap("日本語日本語", 9), ["日本語日", "本語"]);
        assert_eq!(expand_tabs("a\tb\t\tc"), format!("a{:7}b{:15}c", "", ""));
        assert_eq!(expand_tabs("日\tb"), format!("日{:6}b", ""));
        assert_eq!(wrap("", 80), [""]);
    }

    /// Text of the kinds that make trouble, at any length.
    fn text() -> impl Strategy<Value = String> {
        let troubles =
            "(.|[a ]|\t|\x1b\\[31m|\u{9b}|日|👩\u{200d}|\u{fe0f}|ש|\u{202e}|\u{301}){0,200}";
        prop_oneof![any::<String>(), troubles, "\\[SERVER\\] .{0,100}", "\\[Bob\\]: .{0,100}"]
    }

    proptest! {
        #[test]
        fn nothing_but_our_own_codes_steers(
            line in text(), width in 0..120usize, colour in any::<bool>(),
        ) {
            let mut shown = Screen { width, colour }.line(&line, "Bob");
            if colour {
                for code in ["\x1b[36m", "\x1b[35m", "\x1b[32m", "\x1b[0m"] {
                    shown = shown.replace(code, "");
                }
            }
            prop_assert!(shown.ends_with('\n'));
            prop_assert!(!shown.contains(|c: char| c != '\n' && c.is_control()), "{shown:?}");
        }

        #[test]
        fn rows_fit_and_only_the_first_begins_at_the_edge(line in text(), width in 0..120usize) {
            let shown = Screen { width, colour: false }.line(&line, "Bob");
            for (i, row) in shown.lines().enumerate() {
                let row = row.strip_prefix(LEFT_TO_RIGHT);
                prop_assert!(row.is_some_and(|row| i == 0 || row.starts_with(INDENT)));
                let row_columns: usize = row.unwrap().chars().map(columns).sum();
                prop_assert!(row_columns < width.max(MIN_WIDTH));
            }
        }

        #[test]
        fn wrapping_keeps_the_text(text in text(), width in 0..120usize) {
            let rows = wrap(&text, width);
            prop_assert_eq!(rows.concat(), text.as_str());
            prop_assert!(rows.iter().skip(1).all(|row| !row.is_empty()));
        }

        #[test]
        fn a_program_gets_one_line(line in text()) {
            let shown = plain(&line);
            let (end, rest) = shown.split_at(shown.len() - 1);
            prop_assert_eq!(rest, "\n");
            prop_assert!(!end.contains(|c: char| c != '\t' && c.is_control()));
        }
    }
}
