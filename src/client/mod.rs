//! The threaded terminal client: `hubbub chat NAME [HOST[:PORT]]`.
//!
//! One thread listens to the server, one reads the keyboard:
//!
//! ```text
//! keyboard --(rustyline)--> terminal --------> socket
//! screen <--(printer thread) <--[bounded]-- listener <-- socket
//! ```
//!
//! * `dial`: connect, to whichever address of the server answers first.
//! * `addresses`: in which order the addresses are tried. Pure.
//! * `connection`: read lines of bounded length, log in.
//! * `input`: what a typed line means; the commands. Pure.
//! * [`screen`]: what a line of the server looks like. Pure; fuzzed.
//! * `colour`, `mention`: the colour of a name; whether a text mentions it. Pure.
//! * `names`: who is here, and completion. Pure.
//! * `echo`: what was said to everyone and has not come back yet. Pure.
//! * `backoff`: how long to wait before the next try. Pure; randomness is an argument.
//! * `link`: what goes out, over whichever connection there is: lines and heartbeats.
//! * `outgoing`: what goes out over one connection; whether anything of it is answered.
//! * `unconfirmed`: what was sent and is not known to have arrived. Pure.
//! * `diag`: what the system knows about what was sent.
//! * `listener`: reads what comes, and connects again when the server goes away.
//! * `terminal`: a session in a terminal, from the name to the goodbye.
//! * `keyboard`: lines are typed, and sent.
//! * `printer`: what comes is printed while a line is typed.
//! * `gate`: who has the screen, the printer or the keyboard.
//! * `look`: colours, times, the bell, the width of the terminal.
//! * `history`: the file with what was typed in earlier sessions.
//! * `pipe`: the same for a script: lines in, lines out, an exit code.
//!
//! Guarantees: no byte of the server steers the terminal; memory is bounded whatever the server
//! sends; a line that was not sent, or may not have arrived, is told so; no write waits without
//! end; an unterminated last line is never acted on.

mod addresses;
mod backoff;
pub mod colour;
mod connection;
mod diag;
mod dial;
mod echo;
mod gate;
mod history;
mod input;
mod keyboard;
mod link;
mod listener;
mod look;
mod mention;
mod names;
mod outgoing;
mod pipe;
mod printer;
pub mod screen;
mod terminal;
#[cfg(test)]
mod tests;
mod unconfirmed;

use std::io::{self, IsTerminal};
use std::time::Duration;

use thiserror::Error;

use crate::config::{Server, TimeFormat};

use connection::Connection;
pub use dial::DialError;

/// How long the server may take to answer a name.
const LOGIN_PATIENCE: Duration = Duration::from_secs(30);

/// Who one is, where one goes, and what it looks like there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The name to log in under; without one, a person is asked. What is a name is for the server
    /// to say.
    pub name: Option<String>,
    /// Where the server listens.
    pub server: Server,
    /// After how long without a line an empty one is sent, so that no proxy takes a quiet chat
    /// for a dead one; `None` for never.
    pub heartbeat: Option<Duration>,
    /// How the time before each line is written; without, there is none. Of a terminal only, as is
    /// everything below.
    pub times: Option<TimeFormat>,
    /// Whether a mention and a private line ring the bell.
    pub bell: bool,
    /// Whether what is typed is kept for later sessions.
    pub history: bool,
}

impl Options {
    /// For a program: a name, a server, and none of what a terminal has besides.
    pub fn plain(name: &str, server: Server) -> Self {
        Self {
            name: Some(name.to_owned()),
            server,
            heartbeat: None,
            times: None,
            bell: false,
            history: false,
        }
    }
}

/// How a session ended that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Everything was done as asked.
    Done,
    /// The server refused the name or, from a pipe, a line.
    Refused,
}

/// Why a session failed. Each text is one line for the person at the keyboard.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The name would not reach the server as one line.
    #[error("bad name: it must be one line of 1 to {} characters", crate::name::MAX_SCALARS)]
    Name,
    /// There is no name, and nobody who could be asked.
    #[error(
        "no name is given, and nobody can be asked where standard input or output is no terminal; \
         hubbub chat NAME would work"
    )]
    NoName,
    /// Nobody answered there.
    #[error("cannot connect to {server}: {source}; is `hubbub serve` running there?")]
    Connect {
        /// Host and port.
        server: String,
        /// What was tried, and why it did not do.
        source: DialError,
    },
    /// The connection ended before the name was accepted.
    #[error("cannot log in at {server}: {source}")]
    Login {
        /// Host and port.
        server: String,
        /// What the system says.
        source: io::Error,
    },
    /// The server ended the stream while there was more to send.
    #[error("the server closed the connection")]
    Closed,
    /// The server stopped while a pipe was connected.
    #[error("the server shut down and may not have taken every line")]
    ShutDown,
    /// The connection broke.
    #[error("the connection to {server} broke: {source}")]
    Broken {
        /// Host and port.
        server: String,
        /// What the system says.
        source: io::Error,
    },
    /// After a lost connection, somebody else holds the name.
    #[error("gave up: the name {name} is still taken at {server}")]
    NameHeld {
        /// The name.
        name: String,
        /// Host and port.
        server: String,
    },
    /// After a lost connection, the server does not accept the name any more.
    #[error("gave up: {server} refuses the name {name} now")]
    NameRefused {
        /// The name.
        name: String,
        /// Host and port.
        server: String,
    },
    /// Standard input cannot be read.
    #[error("cannot read the input: {0}")]
    Input(#[source] io::Error),
    /// Standard output cannot be written.
    #[error("cannot write the output: {0}")]
    Output(#[source] io::Error),
    /// The terminal does not work as one.
    #[error("cannot use the terminal: {0}")]
    Terminal(#[from] rustyline::error::ReadlineError),
    /// The system has no thread or signal handler to give.
    #[error("cannot start: {0}")]
    Start(#[source] io::Error),
}

/// Runs a session to its end: with a prompt when standard input and output are a terminal, as a
/// pipe otherwise.
///
/// # Errors
///
/// [`ClientError`], to be shown to the user.
pub fn run(options: &Options) -> Result<Outcome, ClientError> {
    options.name.as_deref().map_or(Ok(()), check_name)?;
    if io::stdin().is_terminal()
        && io::stdout().is_terminal()
        && let Some(terminal) = terminal::Terminal::open(options)?
    {
        return terminal.run(options);
    }
    pipe::run(options)
}

/// Refuses what would be another thing than a name on the wire: no line, or several. The rest is
/// for the server to judge.
fn check_name(name: &str) -> Result<(), ClientError> {
    let sensible = 1..=crate::name::MAX_TYPED;
    let sendable = sensible.contains(&name.chars().count()) && !name.contains(char::is_control);
    if sendable { Ok(()) } else { Err(ClientError::Name) }
}

/// The first connection. Later ones have patience; this one tells at once what is wrong.
fn connect(server: &Server, tell: &mut dyn FnMut(String)) -> Result<Connection, ClientError> {
    Connection::open(server, tell)
        .map_err(|source| ClientError::Connect { server: server.to_string(), source })
}

/// The end of a stream where there should have been an answer.
fn closed_early() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed the connection")
}
