//! How the session looks: colours, times, the bell, and the terminal as wide as it is now.

use std::env;
use std::io::{self, Write};

use jiff::Zoned;

use super::Options;
use super::colour::Colours;
use super::screen::{Kind, Screen, kind};
use crate::config::TimeFormat;

/// Languages whose terminals may draw characters of ambiguous width two columns wide.
const WIDE_LANGUAGES: [&str; 3] = ["ja", "ko", "zh"];

/// What was asked for, and what the terminal can do.
#[derive(Clone, Debug)]
pub(super) struct Look {
    colours: Colours,
    wide: bool,
    times: Option<TimeFormat>,
    bell: bool,
}

impl Look {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            colours: Colours::of_environment(),
            wide: is_wide_locale(),
            times: options.times.clone(),
            bell: options.bell,
        }
    }

    /// A line of the server as `me` sees it.
    pub(super) fn line(&self, line: &str, me: &str) -> String {
        self.screen().line(line, me, &self.time())
    }

    /// A private line of one's own.
    pub(super) fn sent(&self, to: &str, text: &str) -> String {
        self.screen().sent(to, text, &self.time())
    }

    /// What the client itself has to say.
    pub(super) fn word(&self, text: &str) -> String {
        self.screen().word(text, &self.time())
    }

    /// Whether a line of the server rings the bell of `me`.
    pub(super) fn rings(&self, line: &str, me: &str) -> bool {
        self.bell && matches!(kind(line, me), Kind::Mention | Kind::Private)
    }

    /// How many columns the terminal has now.
    pub(super) fn columns() -> usize {
        let width = rustix::termios::tcgetwinsize(io::stdout()).map_or(0, |size| size.ws_col);
        if width == 0 { 80 } else { width.into() }
    }

    fn screen(&self) -> Screen {
        Screen { width: Self::columns(), colours: self.colours, wide: self.wide }
    }

    fn time(&self) -> String {
        self.times.as_ref().map_or_else(String::new, |format| format.format(&Zoned::now()))
    }
}

/// Prints where no line is being typed.
pub(super) fn print_now(text: &str) {
    let mut output = io::stdout().lock();
    // A screen that is gone is noticed at the keyboard.
    let _ = output.write_all(text.as_bytes()).and_then(|()| output.flush());
}

/// Whether the language is one whose terminals may be set up for wide characters.
fn is_wide_locale() -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .find_map(|name| env::var(name).ok().filter(|value| !value.is_empty()));
    locale.is_some_and(|locale| WIDE_LANGUAGES.iter().any(|language| locale.starts_with(language)))
}
