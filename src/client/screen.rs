//! What a line of the server looks like on a screen. Pure: a line in, text out.
//!
//! The server is not trusted, nor is anyone who speaks through it. Guarantees, each a property
//! test:
//!
//! * What comes out holds no control character but the newlines and escape sequences of this
//!   module: nothing steers the terminal.
//! * Only the first row of a line begins at the left edge, with words of the client or the server;
//!   the rows that it is broken into are indented. So no text can imitate a notice by being as long
//!   as the screen is wide.
//! * That holds whatever width the terminal gives to a character: while a line is drawn, the
//!   terminal's own wrapping is off (DECAWM). A row that comes out too wide loses its end, and no
//!   row begins that is not of this module.
//! * Every row begins with a left-to-right mark, so that no text moves to the left edge by being
//!   written from right to left.
//! * Breaking loses nothing: the rows, put together, are the text.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::ops::Range;

use unicode_width::UnicodeWidthChar;

use super::colour::Colours;
use super::mention::mentions;
use crate::wire::Reply;
use crate::wire::text::clean;

/// Where the rows after the first begin, at least.
const INDENT: usize = 2;

/// The fewest columns that are believed: the indent, a wide character and the last column.
const MIN_WIDTH: usize = 6;

/// The fewest columns that must be left of a row beside the time; the time is left out otherwise.
const MIN_BESIDE_TIME: usize = 20;

/// Columns between two tab stops.
const TAB_STOP: usize = 8;

/// Keeps a row that begins with Hebrew or Arabic at the left.
const LEFT_TO_RIGHT: char = '\u{200e}';

/// Turns the terminal's own wrapping off, and on (DECAWM, VT510 manual; xterm, tmux, screen, the
/// Linux console and xterm.js have it).
const WRAP_OFF: &str = "\x1b[?7l";
const WRAP_ON: &str = "\x1b[?7h";

/// SGR parameters (ECMA-48, 8.3.117) of what is neither coloured by name nor plain.
const NOTICE: &str = "36";
const PRIVATE: &str = "1;35";
const SENT: &str = "35";
const WORD: &str = "33";
const MENTION: &str = "1";
const MENTION_TAG: &str = "1;7";

/// A screen that lines are laid out for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Screen {
    /// Columns. Fewer than 6 count as 6.
    pub width: usize,
    /// How many colours it has.
    pub colours: Colours,
    /// Whether characters of ambiguous width (UAX 11) may take two columns, as in terminals that
    /// are set up for Chinese, Japanese or Korean.
    pub wide: bool,
}

/// What a line of the server is to the one who reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// What the server says itself.
    Notice,
    /// A private line from somebody.
    Private,
    /// Something said to everyone that names the reader.
    Mention,
    /// Something that the reader said to everyone.
    Own,
    /// Anything else that was said to everyone.
    Others,
}

/// A text and how its parts look.
struct Painted<'a> {
    text: Cow<'a, str>,
    /// The look of what is in no part: SGR parameters, or nothing.
    base: &'static str,
    /// Parts in order, which do not overlap.
    parts: Vec<(Range<usize>, String)>,
}

impl Screen {
    /// A line of the server, without its terminator, as rows that each end in a newline. `me` is
    /// the name of who looks, `time` is what stands before the line.
    pub fn line(&self, line: &str, me: &str, time: &str) -> String {
        let time = self.prefix(time);
        let text = self.expand_tabs(clean(line), &time);
        let kind = kind(&text, me);
        let base = match kind {
            Kind::Notice => NOTICE,
            Kind::Private => PRIVATE,
            Kind::Mention => MENTION,
            Kind::Own | Kind::Others => "",
        };
        let mut parts = Vec::new();
        let sender = match Reply::parse(&text) {
            Some(Reply::Broadcast { from, .. }) => Some(("[".len(), from)),
            Some(Reply::Private { from, .. }) => Some(("[From ".len(), from)),
            Some(Reply::Notice(_)) | None => None,
        };
        if let Some((at, from)) = sender {
            let colour = self.colours.of_name(from);
            let look = match kind {
                Kind::Mention if colour.is_empty() => MENTION_TAG.to_owned(),
                Kind::Mention => format!("{MENTION_TAG};{colour}"),
                _ if base.is_empty() => colour,
                _ if colour.is_empty() => base.to_owned(),
                _ => format!("1;{colour}"),
            };
            parts.push((at..at + from.len(), look));
        }
        self.rows(&Painted { text, base, parts }, &time)
    }

    /// A private line of one's own, to this name.
    pub fn sent(&self, to: &str, text: &str, time: &str) -> String {
        let line = format!("[To {to}]: {text}");
        let name = "[To ".len().."[To ".len() + to.len();
        // A name that had to be changed has no place of its own any more.
        let time = self.prefix(time);
        let text = self.expand_tabs(clean(&line), &time);
        let look = self.colours.of_name(to);
        let is_unchanged = text.get(name.clone()) == Some(to);
        let parts = if is_unchanged { vec![(name, look)] } else { Vec::new() };
        self.rows(&Painted { text, base: SENT, parts }, &time)
    }

    /// What the client itself has to say, as rows that each end in a newline.
    pub fn word(&self, text: &str, time: &str) -> String {
        let time = self.prefix(time);
        let text = format!("* {}", clean(text)).into();
        let text = self.expand_tabs(text, &time);
        self.rows(&Painted { text, base: WORD, parts: Vec::new() }, &time)
    }

    /// Lays out a text without tabs behind this prefix.
    fn rows(&self, painted: &Painted<'_>, prefix: &str) -> String {
        let before = self.columns_of(prefix);
        let width = self.width.max(MIN_WIDTH);
        let indent = if before > 0 { before + INDENT } else { INDENT };
        // A terminal may go to the next row as soon as the last column is written.
        let (first, later) = (width - 1 - before, width - 1 - indent.min(width - 1 - 2));
        let indent = width - 1 - later;
        let mut out = String::with_capacity(painted.text.len() + 48);
        out.push_str(WRAP_OFF);
        let mut at = 0;
        for (i, row) in self.wrap(&painted.text, first, later).into_iter().enumerate() {
            if i > 0 {
                out.push('\n');
            }
            out.push(LEFT_TO_RIGHT);
            if i == 0 {
                out.push_str(prefix);
            } else {
                out.extend(std::iter::repeat_n(' ', indent));
            }
            self.paint(&mut out, painted, at..at + row.len());
            at += row.len();
        }
        // The newline last: the editor adds one to what does not end in one.
        out.push_str(WRAP_ON);
        out.push('\n');
        out
    }

    /// The time and a space, where there is room for it.
    fn prefix(&self, time: &str) -> String {
        let time = clean(time).replace('\t', " ");
        if time.is_empty() || self.columns_of(&time) + MIN_BESIDE_TIME > self.width {
            return String::new();
        }
        format!("{time} ")
    }

    /// Writes a piece of a painted text, with its escape sequences.
    fn paint(&self, out: &mut String, painted: &Painted<'_>, piece: Range<usize>) {
        let mut at = piece.start;
        let mut write = |from: usize, to: usize, look: &str| {
            let text = &painted.text[from..to];
            if text.is_empty() {
                return;
            }
            let look = if self.colours == Colours::None { without_colour(look) } else { look };
            // Writing to a string cannot fail.
            let _ = if look.is_empty() {
                write!(out, "{text}")
            } else {
                write!(out, "\x1b[{look}m{text}\x1b[0m")
            };
        };
        for (part, look) in &painted.parts {
            let (start, end) = (part.start.clamp(at, piece.end), part.end.clamp(at, piece.end));
            write(at, start, painted.base);
            write(start, end, look);
            at = end;
        }
        write(at, piece.end, painted.base);
    }

    /// Puts spaces for tabs: how far a tab goes is the terminal's affair, and a row must fit.
    fn expand_tabs<'a>(&self, text: Cow<'a, str>, prefix: &str) -> Cow<'a, str> {
        if !text.contains('\t') {
            return text;
        }
        let mut out = String::with_capacity(text.len());
        let mut column = self.columns_of(prefix);
        for c in text.chars() {
            if c == '\t' {
                let spaces = TAB_STOP - column % TAB_STOP;
                out.extend(std::iter::repeat_n(' ', spaces));
                column += spaces;
            } else {
                out.push(c);
                column += self.columns(c);
            }
        }
        out.into()
    }

    /// Cuts a text to rows of so many columns, behind a space where one is near. There is always a
    /// first row.
    fn wrap<'a>(&self, text: &'a str, first: usize, later: usize) -> Vec<&'a str> {
        let mut rows = Vec::new();
        let mut rest = text;
        let mut room = first;
        while let Some(end) = self.overflow(rest, room) {
            // Half a row is left empty at most.
            let cut = rest[..end].rfind(' ').map_or(end, |space| space + 1);
            let cut = if cut * 2 > end { cut } else { end };
            let (row, after) = rest.split_at(cut);
            rows.push(row);
            rest = after;
            room = later;
        }
        rows.push(rest);
        rows
    }

    /// Where the first character stands that does not fit; `None` when all do. One character
    /// always fits.
    fn overflow(&self, text: &str, room: usize) -> Option<usize> {
        let mut column = 0;
        text.char_indices().find_map(|(at, c)| {
            column += self.columns(c);
            (column > room && at > 0).then_some(at)
        })
    }

    fn columns_of(&self, text: &str) -> usize {
        text.chars().map(|c| self.columns(c)).sum()
    }

    /// The most columns that terminals are known to give to a character. Joined characters take at
    /// most their sum. It is for rows that end early enough to show everything; that no row wraps
    /// does not depend on it.
    fn columns(&self, c: char) -> usize {
        if is_invisible(c) {
            return 1;
        }
        match c.width().unwrap_or(0) {
            1 if self.wide && !c.is_ascii() => 2,
            width => width,
        }
    }
}

/// What stays of a look where no colour is wanted: bold and reverse, which stand before a colour.
fn without_colour(look: &str) -> &str {
    if look.starts_with(MENTION_TAG) {
        MENTION_TAG
    } else if look.starts_with(MENTION) {
        MENTION
    } else {
        ""
    }
}

/// A line of the server for a program to read: sanitised, and one line.
pub fn plain(line: &str) -> String {
    let mut line = clean(line).into_owned();
    line.push('\n');
    line
}

/// What a line of the server is to `me`.
pub fn kind(line: &str, me: &str) -> Kind {
    match Reply::parse(line) {
        Some(Reply::Notice(_)) => Kind::Notice,
        Some(Reply::Private { .. }) => Kind::Private,
        Some(Reply::Broadcast { from, .. }) if from == me => Kind::Own,
        Some(Reply::Broadcast { text, .. }) if mentions(text, me) => Kind::Mention,
        // A notice that only a newer server says.
        None if line.starts_with("[SERVER] ") => Kind::Notice,
        Some(Reply::Broadcast { .. }) | None => Kind::Others,
    }
}

/// Whether a character does not show, but is needed by people, so that it is not cleaned away:
/// joiners, marks of direction, variation selectors, and the tags of flags. Terminals do not agree
/// on its width.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{34f}' | '\u{61c}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}')
        || matches!(c, '\u{fe00}'..='\u{fe0f}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests;
