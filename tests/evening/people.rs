//! The people of the evening: four clients with one face.

use std::borrow::Cow;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;

use super::script::{Kind, Way};
use crate::support::{Client, DEADLINE, ENTER_NAME, Pty, eventually, while_typed};

/// Somebody who has joined.
pub(super) struct Person {
    name: String,
    kind: Kind,
    voice: Voice,
    /// What they have read so far.
    heard: Vec<String>,
    /// How they left, if they did more than say `quit`.
    way: Option<Way>,
    /// What they typed.
    typed: Vec<String>,
}

/// What they speak through.
enum Voice {
    /// A socket of the test.
    Raw(Client),
    /// A socket that was closed or reset: there is nothing to read any more.
    Closed,
    /// A program with a pipe at either end.
    Program { child: Child, output: mpsc::Receiver<String> },
    /// `hubbub chat` in a pseudo-terminal.
    Screen(Pty),
}

impl Person {
    /// Connects and offers these names, all in one write.
    #[track_caller]
    pub(super) fn join(kind: Kind, names: &[String], server: SocketAddr) -> Self {
        let name = names.last().expect("a name").clone();
        let offer = names.join("\n");
        let voice = match kind {
            Kind::Raw => {
                let mut client = Client::connect(server);
                client.send(&offer);
                Voice::Raw(client)
            }
            Kind::Nc => {
                let mut nc = Command::new("nc");
                nc.args(["-N", &server.ip().to_string(), &server.port().to_string()]);
                let mut voice = start(&mut nc);
                voice.say(&offer);
                voice
            }
            Kind::Pipe => {
                let mut chat = Command::new(env!("CARGO_BIN_EXE_hubbub"));
                start(chat.args(["chat", &name, &server.to_string()]))
            }
            Kind::Screen => Voice::Screen(Pty::chat(&name, server)),
        };
        Self { name, kind, voice, heard: Vec::new(), way: None, typed: Vec::new() }
    }

    /// Types lines; a pipe and a socket get them in one write.
    #[track_caller]
    pub(super) fn enter(&mut self, text: &str) {
        self.typed.extend(text.lines().map(str::to_owned));
        self.voice.say(text);
    }

    /// Reads on to here, and nothing but this. A line too many fails the next time, or at the end.
    #[track_caller]
    pub(super) fn hear(&mut self, expected: &[String]) {
        let expected = self.shown(expected);
        while self.heard.len() < expected.len() {
            let at = self.heard.len();
            let who = &self.name;
            let line = match &mut self.voice {
                Voice::Raw(client) => client.line(),
                Voice::Program { output, .. } => {
                    let line = output.recv_timeout(DEADLINE);
                    line.unwrap_or_else(|e| panic!("{who} waits for {:?}: {e}", expected[at]))
                }
                Voice::Screen(pty) => pty.await_said(at + 1).swap_remove(at),
                Voice::Closed => panic!("{who} has closed and can read nothing"),
            };
            assert_eq!(line, expected[at], "line {at} of {who}");
            self.heard.push(line);
        }
    }

    /// Whether they type into `hubbub chat`, which is not the protocol.
    pub(super) fn is_at_a_screen(&self) -> bool {
        self.kind == Kind::Screen
    }

    /// Leaves without a word. The next thing is to read what is left.
    #[track_caller]
    pub(super) fn leave(&mut self, way: Way) {
        self.way = Some(way);
        match (&mut self.voice, way) {
            (Voice::Raw(client), Way::End) => client.end(),
            (Voice::Program { child, .. }, Way::End) => drop(child.stdin.take()),
            (Voice::Program { child, .. }, Way::Kill) => child.kill().expect("it runs"),
            (Voice::Screen(pty), Way::Kill) => pty.kill(),
            (Voice::Screen(pty), Way::CtrlD | Way::CtrlC) => {
                pty.await_typing("");
                self.typed.push(String::new());
                pty.press(if way == Way::CtrlD { "\u{4}" } else { "\u{3}" });
            }
            // To be killed is to be closed: a socket does so that stands in for nc.
            (voice @ Voice::Raw(_), Way::Reset | Way::Kill) => {
                if let Voice::Raw(client) = std::mem::replace(voice, Voice::Closed)
                    && way == Way::Reset
                {
                    client.reset();
                }
            }
            _ => panic!("{:?} {} cannot leave by {way:?}", self.kind, self.name),
        }
    }

    /// Reads to the end: everything that was read is exactly this.
    #[track_caller]
    pub(super) fn finish(mut self, expected: &[String]) {
        self.hear(expected);
        let expected: Vec<String> = self.shown(expected).into_iter().map(Cow::into_owned).collect();
        let (name, way) = (self.name.clone(), self.way);
        let exit = self.exit_code();
        let mut heard = self.heard;
        match self.voice {
            Voice::Raw(mut client) => client.expect_end(),
            Voice::Closed => {}
            Voice::Program { mut child, output } => {
                drop(child.stdin.take());
                while let Ok(line) = output.recv_timeout(DEADLINE) {
                    heard.push(line);
                }
                let ended = eventually("its end", || child.try_wait().expect("it is our child"));
                assert_eq!(ended.code(), exit, "{name}, who left by {way:?}");
            }
            Voice::Screen(mut pty) => {
                assert_eq!(pty.await_exit(), exit, "{name}, who left by {way:?}");
                let screen = pty.screen();
                heard = screen.said(&name);
                let typed: Vec<_> = self.typed.iter().map(|line| while_typed(line)).collect();
                assert_eq!(screen.typed(&name), typed, "what {name} typed");
            }
        }
        assert_eq!(heard, expected, "everything that {name} read");
    }

    /// What is shown of what the server sends: `hubbub chat` answers the question for the name
    /// itself, has commands of its own, and puts spaces for tabs.
    fn shown<'a>(&self, lines: &'a [String]) -> Vec<Cow<'a, str>> {
        const HINT: &str = "* Text goes to everyone, @Name text to Name alone. /help tells more.";
        if self.kind != Kind::Screen {
            return lines.iter().map(|line| Cow::Borrowed(line.as_str())).collect();
        }
        let lines = lines.iter().filter(|&line| line != ENTER_NAME);
        let show = |line: &'a String| match line.split_once("! Commands: ") {
            Some((welcome, _)) if line.starts_with("[SERVER] Welcome ") => {
                vec![Cow::Owned(format!("{welcome}!")), Cow::Borrowed(HINT)]
            }
            _ => vec![expand_tabs(line)],
        };
        lines.flat_map(show).collect()
    }

    /// What the program ends with; nothing if it is killed.
    fn exit_code(&self) -> Option<i32> {
        let refusals =
            ["User '", "Unknown command", "Message format error", "Line dropped", "Name already"];
        let refused = |line: &String| {
            let text = line.strip_prefix("[SERVER] ");
            text.is_some_and(|text| refusals.iter().any(|start| text.starts_with(start)))
        };
        let expelled = self.heard.last().is_some_and(|line| line.contains("shutting down"));
        match self.kind {
            _ if self.way == Some(Way::Kill) => None,
            // A script is told that something went wrong.
            Kind::Pipe => Some(i32::from(expelled || self.heard.iter().any(refused))),
            Kind::Nc | Kind::Raw | Kind::Screen => Some(0),
        }
    }
}

impl Voice {
    #[track_caller]
    fn say(&mut self, text: &str) {
        match self {
            Self::Raw(client) => client.send(text),
            Self::Program { child, .. } => {
                let stdin = child.stdin.as_mut().expect("it has not left");
                stdin.write_all(format!("{text}\n").as_bytes()).expect("it reads");
            }
            Self::Screen(pty) => text.lines().for_each(|line| pty.enter(line)),
            Self::Closed => panic!("it has left"),
        }
    }
}

/// As the screen has it, in a line whose characters before the last tab are a column wide each.
fn expand_tabs(line: &str) -> Cow<'_, str> {
    const TAB_STOP: usize = 8;
    if !line.contains('\t') {
        return Cow::Borrowed(line);
    }
    let mut shown = String::new();
    for c in line.chars() {
        shown.push(if c == '\t' { ' ' } else { c });
        while c == '\t' && !shown.chars().count().is_multiple_of(TAB_STOP) {
            shown.push(' ');
        }
    }
    Cow::Owned(shown)
}

/// Starts a program between two pipes, and reads what it prints line by line.
fn start(command: &mut Command) -> Voice {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().expect("the program starts");
    let stdout = child.stdout.take().expect("stdout is a pipe");
    let (sender, output) = mpsc::channel();
    thread::spawn(move || {
        let mut stdout = BufReader::new(stdout);
        let mut line = Vec::new();
        while stdout.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            // A last line without its end shows itself as one that nobody expects.
            let end = line.strip_suffix(b"\n").map_or(line.len(), <[u8]>::len);
            let text = String::from_utf8(line[..end].to_vec()).expect("the server speaks UTF-8");
            let text = if end == line.len() { format!("{text} (no end)") } else { text };
            if sender.send(text).is_err() {
                return;
            }
            line.clear();
        }
    });
    Voice::Program { child, output }
}
