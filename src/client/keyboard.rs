//! The keyboard: lines are edited with rustyline, and sent.
//!
//! When a line is taken, its rows are removed from the screen, and what has become of it is shown
//! in their place: a broadcast when the server sends it back, in its order among the others; a
//! private line at once, as `[To Name]: text`; of anything else what the client has to say.

use std::borrow::Cow;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustyline::completion::Completer;
use rustyline::config::Config;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::DefaultHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Cmd, ColorMode, CompletionType, ConditionalEventHandler, Context, Editor, Event};
use rustyline::{EventContext, EventHandler, GraphemeClusterMode, Helper, KeyEvent, Movement};
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthChar;

use super::ClientError;
use super::connection::now;
use super::echo::Echoes;
use super::gate::Gate;
use super::history::{History, MAX_LINES};
use super::input::{self, Typed};
use super::link::{Link, NotSent};
use super::look::{Look, print_now};
use super::names::Names;
use crate::wire::Command;
use crate::wire::text::is_unsafe;

pub(super) type LineEditor = Editor<Assistant, DefaultHistory>;

/// Columns between two tab stops, as rustyline counts them.
const TAB_STOP: usize = 8;

/// An editor without an assistant: names can be asked with it.
pub(super) fn editor() -> Result<LineEditor, ReadlineError> {
    let config = Config::builder()
        .completion_type(CompletionType::List)
        .max_history_size(MAX_LINES)?
        .history_ignore_dups(true)?
        // Whether there are colours is decided elsewhere; the assistant has to see every drawing.
        .color_mode(ColorMode::Forced)
        .build();
    let mut editor = LineEditor::with_config(config)?;
    editor.bind_sequence(KeyEvent::ctrl('C'), EventHandler::Conditional(Box::new(ClearLine)));
    Ok(editor)
}

/// Ctrl-C clears a line that is half typed. On an empty one it interrupts, as always.
struct ClearLine;

impl ConditionalEventHandler for ClearLine {
    fn handle(&self, _: &Event, _: u16, _: bool, context: &EventContext<'_>) -> Option<Cmd> {
        (!context.line().is_empty()).then_some(Cmd::Kill(Movement::WholeBuffer))
    }
}

/// What the editor calls while it edits: it completes, and it hands over the screen.
pub(super) struct Assistant {
    pub(super) names: Arc<Mutex<Names>>,
    pub(super) gate: Arc<Gate>,
}

impl Helper for Assistant {}

/// The editor asks for a hint when it has the terminal and is about to draw the line.
impl Hinter for Assistant {
    type Hint = String;

    fn hint(&self, _: &str, _: usize, _: &Context<'_>) -> Option<String> {
        self.gate.open();
        None
    }
}

/// The editor asks how the prompt and the line look each time it draws them, and so whenever it has
/// printed what was handed over.
impl Highlighter for Assistant {
    fn highlight<'l>(&self, line: &'l str, _: usize) -> Cow<'l, str> {
        visible(line)
    }

    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(&'s self, prompt: &'p str, _: bool) -> Cow<'b, str> {
        self.gate.drawn();
        Cow::Borrowed(prompt)
    }
}

/// The editor asks for a judgement before it takes the line and gives the terminal back.
impl Validator for Assistant {
    fn validate(&self, _: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        self.gate.close();
        Ok(ValidationResult::Valid(None))
    }
}

impl Completer for Assistant {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        cursor: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        Ok(lock(&self.names).complete(line, cursor))
    }
}

/// What is shown of a line while it is typed: without what rustyline counts as no column, but a
/// terminal may not. Pasted text can hold such characters, and those that steer.
fn visible(line: &str) -> Cow<'_, str> {
    let joins = GraphemeClusterMode::from_env() == GraphemeClusterMode::Unicode;
    let hidden = |c: char| match c {
        '\n' | '\t' | '\u{200c}' | '\u{200e}' | '\u{200f}' => false,
        // Where joined emoji are counted one by one, they are drawn one by one.
        '\u{200d}' | '\u{fe0f}' => !joins,
        _ => is_unsafe(c) && c.width().unwrap_or(0) == 0,
    };
    if line.is_ascii() && !line.contains(hidden) || !line.contains(hidden) {
        return Cow::Borrowed(line);
    }
    Cow::Owned(line.replace(hidden, ""))
}

/// What comes after a line.
enum Next {
    /// The next line.
    Line,
    /// The user leaves.
    Leave,
    /// No other of the lines that were pasted with it: it was not sent, for this reason.
    Stop(String),
}

/// The keyboard of a session.
pub(super) struct Keyboard<'a> {
    pub(super) me: &'a str,
    pub(super) look: &'a Look,
    pub(super) link: &'a Link,
    pub(super) gate: &'a Gate,
    pub(super) names: &'a Mutex<Names>,
    pub(super) echoes: &'a Mutex<Echoes>,
    pub(super) history: Option<History>,
    pub(super) interrupted: &'a AtomicBool,
}

impl Keyboard<'_> {
    /// Reads lines and sends them, until the user or the listener has enough.
    pub(super) fn run(mut self, editor: &mut LineEditor) -> Result<(), ClientError> {
        self.load_history(editor)?;
        // The mark keeps the prompt at the left when the name is Hebrew or Arabic.
        let prompt = format!("\u{200e}{}> ", self.me);
        while !self.interrupted.load(Ordering::SeqCst) {
            let typed = editor.readline(&prompt);
            self.gate.close();
            match typed {
                Ok(text) => {
                    print_now(&erase(&prompt, &text, Look::columns()));
                    // Pasted text can hold several lines.
                    let mut lines = text.lines();
                    while let Some(line) = lines.next() {
                        editor.add_history_entry(line)?;
                        self.keep(line);
                        match self.take(line) {
                            Next::Line => {}
                            Next::Leave => return Ok(()),
                            Next::Stop(word) => self.stop(word, lines.by_ref().count()),
                        }
                    }
                }
                Err(ReadlineError::Eof | ReadlineError::Interrupted) => return Ok(()),
                Err(ReadlineError::Io(e)) if e.kind() == io::ErrorKind::InvalidData => {
                    self.say("That is not UTF-8 text: the line was not sent.");
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Does what a line asks.
    fn take(&self, line: &str) -> Next {
        match input::parse(line) {
            Ok(Typed::Nothing) => {}
            Ok(Typed::Quit) => return Next::Leave,
            Ok(Typed::Help) => input::help().iter().for_each(|line| self.say(line)),
            Ok(Typed::Send(command)) => {
                return self.send(command).map_or_else(Next::Stop, |()| Next::Line);
            }
            Err(refusal) => self.say(&refusal.to_string()),
        }
        Next::Line
    }

    /// Sends a line, or returns what is to be said when it was not sent.
    fn send(&self, command: Command<'_>) -> Result<(), String> {
        match command {
            Command::All { text } => lock(self.echoes).expect(text, now()),
            Command::List { prefix } => lock(self.names).ask(prefix),
            _ => {}
        }
        let sent = self.link.send(&command.to_string());
        if sent.is_err() && matches!(command, Command::All { .. }) {
            lock(self.echoes).take_back();
        }
        match sent {
            Ok(()) => {
                if let Command::Private { to, text } = command {
                    let name = lock(self.names).write_to(to);
                    let name = name.as_deref().unwrap_or(to);
                    print_now(&self.look.sent(name, text));
                }
                Ok(())
            }
            Err(NotSent::NotConnected) => Err("Not connected: the line was not sent.".to_owned()),
            Err(NotSent::Failed(error)) => Err(format!("The line was not sent: {error}.")),
            Err(NotSent::Full) => {
                let what = "the server does not take the lines that wait already";
                Err(format!("The line was not sent: {what}."))
            }
        }
    }

    /// Says why a line was not sent. What stands behind it is not sent either.
    fn stop(&self, word: String, behind: usize) {
        self.say(&match behind {
            0 => word,
            behind => format!("{word} Nor were the {behind} lines behind it."),
        });
    }

    /// Brings back what was typed in earlier sessions.
    fn load_history(&mut self, editor: &mut LineEditor) -> Result<(), ClientError> {
        let Some(history) = &self.history else { return Ok(()) };
        match history.load() {
            Ok(lines) => {
                for line in lines {
                    editor.add_history_entry(line)?;
                }
            }
            Err(error) => self.give_up_history("read", &error),
        }
        Ok(())
    }

    /// Keeps a line for later sessions, if it was for everyone.
    fn keep(&mut self, line: &str) {
        if let Some(history) = &self.history
            && input::is_public(line)
            && !line.contains(char::is_control)
            && let Err(error) = history.add(line)
        {
            self.give_up_history("written", &error);
        }
    }

    /// Says once why lines are not kept.
    fn give_up_history(&mut self, what: &str, error: &io::Error) {
        if let Some(history) = self.history.take() {
            let path = history.path().display();
            self.say(&format!("What you type is not kept: {path} cannot be {what}: {error}."));
        }
    }

    fn say(&self, word: &str) {
        print_now(&self.look.word(word));
    }
}

/// What removes the rows of a line that was taken, with its prompt: the cursor is in the row below.
fn erase(prompt: &str, text: &str, columns: usize) -> String {
    format!("\x1b[{}A\r\x1b[J", rows(&[prompt, text].concat(), columns))
}

/// How many rows a text takes that rustyline has drawn: it counts in this way.
fn rows(text: &str, columns: usize) -> usize {
    let mode = GraphemeClusterMode::from_env();
    let (mut rows, mut column) = (1, 0);
    for cluster in text.graphemes(true) {
        let width = match cluster {
            "\n" => {
                rows += 1;
                column = 0;
                continue;
            }
            "\t" => TAB_STOP - column % TAB_STOP,
            cluster => usize::from(mode.width(cluster)),
        };
        column += width;
        if column > columns {
            rows += 1;
            column = width;
        }
    }
    // It goes to the next row when one is full.
    rows + usize::from(column == columns)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_counted_as_they_are_drawn() {
        for (text, columns, count) in [
            ("", 10, 1),
            ("123456789", 10, 1),
            ("1234567890", 10, 2),
            ("12345678901", 10, 2),
            ("שלום עולם", 10, 1),
            ("日本語日本語", 10, 2),
            ("日本語日本", 10, 2),
            ("日本語日x", 9, 2),
            ("one\ntwo", 10, 2),
            ("a\tb", 10, 1),
            ("a\tbc", 10, 2),
        ] {
            assert_eq!(rows(text, columns), count, "{text:?} on {columns}");
        }
    }

    #[test]
    fn what_is_typed_shows_nothing_of_disputed_width() {
        assert!(matches!(visible("plain שלום 日本語"), Cow::Borrowed(_)));
        assert_eq!(visible("a\u{3164}b\u{7}\u{9b}\u{202e}\u{ad}\tc\n"), "ab\tc\n");
        assert_eq!(visible("می\u{200c}خواهم"), "می\u{200c}خواهم");
    }
}
