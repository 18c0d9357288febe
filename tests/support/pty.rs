//! `hubbub chat` in a pseudo-terminal.

use std::fs::File;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::process::Command;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;

use rexpect::process::{PtyProcess, Signal, WaitStatus};

use super::screen::Screen;
use super::{DEADLINE, eventually};

/// How long the program may ignore that it is told to end, in milliseconds.
const KILL_AFTER_MS: u64 = 1_000;

/// Sets the size before the program can look at it, then becomes the program.
const IN_A_TERMINAL: &str = "stty rows 50 cols \"$COLUMNS_WANTED\" && exec \"$0\" \"$@\"";

/// Nothing of this machine shows: neither its time nor what was typed on it.
const QUIET: [&str; 2] = ["--no-times", "--no-history"];

/// Wider than any line that the server can send.
const WIDE: u16 = 20_000;

/// Somebody at a terminal.
pub(crate) struct Pty {
    process: PtyProcess,
    keyboard: File,
    screen: Arc<(Mutex<Screen>, Condvar)>,
    name: String,
}

impl Pty {
    /// Joins under this name, in a terminal so wide that nothing wraps; without times, and without
    /// a file of what was typed.
    #[track_caller]
    pub(crate) fn chat(name: &str, server: SocketAddr) -> Self {
        Self::chat_on(name, server, WIDE)
    }

    /// The same, in a terminal of so many columns: then only its raw output tells what it shows.
    #[track_caller]
    pub(crate) fn chat_on(name: &str, server: SocketAddr, columns: u16) -> Self {
        Self::start(name, &[&QUIET, &[name, &server.to_string()][..]].concat(), columns, &[])
    }

    /// The same, with these variables in the environment.
    #[track_caller]
    pub(crate) fn chat_with(name: &str, server: SocketAddr, environment: &[(&str, &str)]) -> Self {
        let server = server.to_string();
        let arguments = [&QUIET, &[name, &server][..]].concat();
        Self::start(name, &arguments, WIDE, environment)
    }

    /// Runs `hubbub chat` with these arguments and variables; it is known under this name.
    #[track_caller]
    pub(crate) fn chat_as(name: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        Self::start(name, arguments, WIDE, environment)
    }

    #[track_caller]
    fn start(name: &str, arguments: &[&str], columns: u16, environment: &[(&str, &str)]) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", IN_A_TERMINAL, env!("CARGO_BIN_EXE_hubbub"), "chat"]);
        command.args(arguments).env("COLUMNS_WANTED", columns.to_string());
        for variable in ["NO_COLOR", "COLORTERM", "RUST_LOG", "LC_ALL", "LC_CTYPE", "USER"] {
            command.env_remove(variable);
        }
        command.env("TERM", "xterm").env("LANG", "C.UTF-8").env_remove("LOGNAME");
        command.envs(environment.iter().copied());
        Self::run(command, name)
    }

    /// Another program that speaks to the server.
    #[track_caller]
    pub(crate) fn program(program: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", IN_A_TERMINAL, program]).args(arguments);
        command.env("COLUMNS_WANTED", WIDE.to_string()).env("TERM", "xterm");
        Self::run(command, program)
    }

    #[track_caller]
    fn run(command: Command, name: &str) -> Self {
        let mut process = PtyProcess::new(command).expect("there is a pseudo-terminal");
        process.set_kill_timeout(Some(KILL_AFTER_MS));
        let keyboard = process.get_file_handle().expect("a terminal");
        let output = process.get_file_handle().expect("a terminal");
        let screen = Arc::default();
        watch(output, Arc::clone(&screen));
        Self { process, keyboard, screen, name: name.to_owned() }
    }

    /// Asks the program to end, as `kill` does.
    #[track_caller]
    pub(crate) fn terminate(&mut self) {
        self.process.signal(Signal::SIGTERM).expect("it runs");
    }

    /// Presses keys.
    #[track_caller]
    pub(crate) fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).expect("the terminal is there");
    }

    /// Types a line at an empty prompt, and waits until it is taken.
    #[track_caller]
    pub(crate) fn enter(&mut self, line: &str) {
        self.await_typing("");
        self.press(line);
        self.enter_typed(line);
    }

    /// Waits until this stands at the prompt, ends it, and waits until it is taken.
    #[track_caller]
    pub(crate) fn enter_typed(&mut self, line: &str) {
        self.await_typing(line);
        let before = self.screen().typed(&self.name).len();
        self.press("\r");
        let name = self.name.clone();
        self.await_screen("the line is taken", |screen| {
            (screen.typed(&name).len() > before).then_some(())
        });
    }

    /// Waits until this stands at the prompt.
    #[track_caller]
    pub(crate) fn await_typing(&self, line: &str) {
        let row = format!("{}> {}", self.name, while_typed(line));
        self.await_screen(&format!("{row:?}"), |screen| screen.shows(&row).then_some(()));
    }

    /// Waits until this row was printed.
    #[track_caller]
    pub(crate) fn await_row(&self, row: &str) {
        self.await_screen(&format!("{row:?}"), |screen| {
            screen.rows().iter().any(|shown| shown == row).then_some(())
        });
    }

    /// Waits until so many lines were said, and returns all that were.
    #[track_caller]
    pub(crate) fn await_said(&self, count: usize) -> Vec<String> {
        self.await_screen(&format!("{count} lines"), |screen| {
            Some(screen.said(&self.name)).filter(|said| said.len() >= count)
        })
    }

    /// Waits until the screen shows what is looked for.
    #[track_caller]
    pub(crate) fn await_screen<T>(
        &self,
        what: &str,
        mut look: impl FnMut(&Screen) -> Option<T>,
    ) -> T {
        let mut found = None;
        let unseen = |screen: &mut Screen| {
            found = look(screen);
            found.is_none() && !screen.has_ended()
        };
        let waited = self.screen.1.wait_timeout_while(self.screen(), DEADLINE, unseen);
        let (screen, _) = waited.expect("the watcher has not failed");
        if let Some(found) = found {
            return found;
        }
        let raw = screen.raw();
        drop(screen);
        panic!("{}'s screen never shows {what}: {raw:?}", self.name);
    }

    /// The screen of now.
    pub(crate) fn screen(&self) -> MutexGuard<'_, Screen> {
        self.screen.0.lock().expect("the watcher has not failed")
    }

    /// Kills it at once, as `kill -9` does.
    pub(crate) fn kill(&mut self) {
        self.process.signal(Signal::SIGKILL).expect("it runs");
    }

    /// Waits until it has ended by itself, with everything read; its exit code, if it has one.
    #[track_caller]
    pub(crate) fn await_exit(&mut self) -> Option<i32> {
        self.await_screen("the end", |screen| screen.has_ended().then_some(()));
        eventually("the end of the client", || match self.process.status() {
            Some(WaitStatus::StillAlive) => None,
            Some(WaitStatus::Exited(_, code)) => Some(Some(code)),
            _ => Some(None),
        })
    }
}

/// What the client shows of a line while it is typed: joined emoji one by one.
pub(crate) fn while_typed(line: &str) -> String {
    line.replace(['\u{200d}', '\u{fe0f}'], "")
}

/// Keeps the screen up to date until the program has ended.
fn watch(mut output: File, screen: Arc<(Mutex<Screen>, Condvar)>) {
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        loop {
            // The other side being gone is an error here: EIO.
            let read = output.read(&mut buffer).unwrap_or(0);
            let mut shown = screen.0.lock().expect("who looks at it has not failed");
            if read == 0 {
                shown.end();
            } else {
                shown.write(&buffer[..read]);
            }
            screen.1.notify_all();
            if read == 0 {
                return;
            }
        }
    });
}
