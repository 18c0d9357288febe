//! Nobody can make a row of another's screen look like a line of somebody else, whatever width the
//! terminal gives to what they send. A real terminal judges: tmux, which has its own table of
//! widths.

use std::net::SocketAddr;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::{Client, Server, eventually, lacks};

/// Characters that terminals do not agree on: blank ones, ones that do not show, joined and changed
/// emoji, marks, letters of ambiguous width, those that break lines.
const DISPUTED: [&str; 30] = [
    "\u{3164}",
    "\u{ffa0}",
    "\u{115f}",
    "\u{1160}",
    "\u{1112}\u{1161}\u{11ab}",
    "\u{ad}",
    "\u{34f}",
    "\u{180e}",
    "\u{200b}",
    "\u{200d}",
    "\u{2060}",
    "\u{2064}",
    "\u{feff}",
    "\u{e0041}",
    "\u{e0fff}",
    "\u{fff3}",
    "\u{1d173}",
    "\u{301}",
    "\u{ac00}",
    "\u{1f469}\u{200d}\u{1f467}",
    "\u{2764}\u{fe0f}",
    "\u{263a}\u{fe0e}",
    "\u{1f44b}\u{1f3ff}",
    "\u{1f1ee}\u{1f1f1}",
    "\u{2e3b}",
    "\u{fdfd}",
    "\u{1f}",
    "\t",
    "א",
    "\u{2591}",
];

/// What Eve wants to be seen at the left edge.
const FORGED: [&str; 3] = ["[Bob]: forged", "[SERVER] forged", "* forged"];

/// A terminal of tmux, in a server of its own.
struct Tmux {
    socket: String,
}

impl Tmux {
    #[track_caller]
    fn start(columns: u16, rows: u16, command: &str) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let tmux = Self { socket: format!("hubbub-{}-{number}", std::process::id()) };
        let size = [columns.to_string(), rows.to_string()];
        tmux.run(&[
            "-f",
            "/dev/null",
            "new-session",
            "-d",
            "-x",
            &size[0],
            "-y",
            &size[1],
            command,
        ]);
        tmux
    }

    fn run(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("tmux");
        command.args(["-L", &self.socket, "-u"]).args(arguments);
        command.env("LC_ALL", "C.UTF-8").env("TERM", "xterm-256color").env_remove("TMUX");
        let output = command.output().expect("tmux runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Every row, with those that have left the screen.
    fn rows(&self) -> Vec<String> {
        let text = self.run(&["capture-pane", "-p", "-S", "-"]);
        text.lines().map(str::to_owned).collect()
    }

    #[track_caller]
    fn await_row(&self, what: &str) -> Vec<String> {
        eventually(what, || {
            let rows = self.rows();
            rows.iter().any(|row| row.contains(what)).then_some(rows)
        })
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        self.run(&["kill-server"]);
    }
}

fn chat(name: &str, server: SocketAddr) -> String {
    format!("{} chat --no-times --no-history {name} {server}", env!("CARGO_BIN_EXE_hubbub"))
}

/// Lines that put each of what is forged to the left edge, if the terminal gives as many columns to
/// each character as is guessed.
fn attacks(columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for disputed in DISPUTED {
        for guess in 1..=2 {
            for (i, forged) in FORGED.into_iter().enumerate() {
                let room = columns - "[Eve]: x".len();
                let (count, rest) = (room / guess, room % guess);
                // One column fewer or more, too.
                let rest = rest + i;
                lines.push(format!("x{}{}{forged}", " ".repeat(rest), disputed.repeat(count)));
            }
        }
    }
    lines
}

/// Nothing that Eve sent begins a row.
#[track_caller]
fn assert_not_forged(rows: &[String], columns: u16) {
    for row in rows {
        assert!(!FORGED.iter().any(|forged| row.starts_with(forged)), "{row:?} on {columns}");
        let client = ["Victim>", "[To ", "* Text "];
        let known = [&["[Eve]: ", "[From ", "[SERVER] ", "[Victim]: ", " "][..], &client].concat();
        assert!(row.is_empty() || known.iter().any(|start| row.starts_with(start)), "{row:?}");
    }
}

#[test]
fn no_character_of_disputed_width_forges_a_line() {
    if lacks("tmux") {
        return;
    }
    let server = Server::start("");
    let mut eve = server.login("Eve");
    for columns in [20, 37, 80] {
        let tmux = Tmux::start(columns, 24, &chat("Victim", server.address()));
        eve.lines_until("[SERVER] Victim has joined the chat!");
        for line in attacks(columns.into()) {
            eve.send(&format!("all {line}"));
            eve.send(&format!("@Victim {line}"));
            eve.line();
        }
        eve.send("all the end");
        let rows = tmux.await_row("[Eve]: the end");
        assert!(rows.len() > 100, "{} rows", rows.len());
        assert_not_forged(&rows, columns);
        drop(tmux);
        leave(&mut eve);
    }
}

/// Waits until the victim is gone.
fn leave(eve: &mut Client) {
    eve.lines_until("[SERVER] Victim has left the chat.");
}

#[test]
fn ones_own_lines_leave_nothing_at_the_left_edge() {
    if lacks("tmux") {
        return;
    }
    let server = Server::start("");
    let _eve = server.login("Eve");
    let columns = 40;
    let tmux = Tmux::start(columns, 24, &chat("Victim", server.address()));
    tmux.await_row("Online users (2)");
    for (prompt, pad) in [("", "\u{3164}"), ("@Eve ", "\u{3164}"), ("", "日"), ("@Eve ", "ש")] {
        // As if it were pasted: what somebody else wrote.
        let room = usize::from(columns) - "Victim> ".len() - prompt.len();
        let text = format!("{prompt}{}[Bob]: forged, {pad} at last", pad.repeat(room / 2));
        tmux.run(&["send-keys", "-l", &text]);
        tmux.run(&["send-keys", "Enter"]);
    }
    tmux.run(&["send-keys", "-l", "the end"]);
    tmux.run(&["send-keys", "Enter"]);
    let rows = tmux.await_row("[Victim]: the end");
    assert_not_forged(&rows, columns);
    let prompts = rows.iter().filter(|row| row.starts_with("Victim>")).count();
    assert_eq!(prompts, 1, "what was typed is removed: {rows:#?}");
    for said in ["[To Eve]: ", "[Victim]: "] {
        assert_eq!(
            rows.iter().filter(|row| row.starts_with(said)).count(),
            2 + usize::from(said == "[Victim]: "),
            "{rows:#?}"
        );
    }
}
