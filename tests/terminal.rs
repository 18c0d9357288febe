//! `hubbub chat` against the real server: at a keyboard, in a real pseudo-terminal, and in a pipe.

mod narrow;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Output, Stdio};
use std::thread::{self, JoinHandle};

use crate::support::{Client, DEADLINE, ENTER_NAME, Launch, Pty, Server, eventually};

const UP: &str = "\u{1b}[A";
const LEFT: &str = "\u{1b}[D";
const CTRL_C: &str = "\u{3}";
const CTRL_D: &str = "\u{4}";

const USAGE: &str = "@Name text, all text, list, help, quit";

fn welcome(name: &str) -> String {
    format!("[SERVER] Welcome {name}! Commands: {USAGE}")
}

/// Alice at a terminal, and Bob, who has read of her joining.
fn alice_and_bob(server: &Server) -> (Pty, Client) {
    let mut bob = server.login("Bob");
    let alice = Pty::chat("Alice", server.address());
    bob.expect("[SERVER] Alice has joined the chat!");
    alice.await_typing("");
    (alice, bob)
}

#[test]
fn what_arrives_does_not_tear_the_line_that_is_typed() {
    let server = Server::start("");
    let (mut alice, mut bob) = alice_and_bob(&server);
    alice.press("all שלום half ");
    alice.await_typing("all שלום half ");
    bob.send("all in between ✨\n@alice and in private");
    alice.await_row("[From Bob]: and in private");
    alice.await_typing("all שלום half ");
    // With the cursor inside the line, too.
    alice.press(&LEFT.repeat(5));
    bob.send("all once more");
    alice.await_row("[Bob]: once more");
    alice.press("X");
    alice.await_typing("all שלום Xhalf ");
    alice.press("\r");
    bob.expect("[Bob]: in between ✨");
    bob.expect("[Bob]: once more");
    bob.expect("[Alice]: שלום Xhalf ");
    alice.await_row("[Alice]: שלום Xhalf ");
    let want = [
        &welcome("Alice"),
        "[Bob]: in between ✨",
        "[From Bob]: and in private",
        "[Bob]: once more",
        "Alice> all שלום Xhalf ",
        "[Alice]: שלום Xhalf ",
    ];
    assert_eq!(alice.screen().rows(), want);
}

#[test]
fn a_flood_of_lines_does_not_tear_the_line_that_is_typed() {
    const LINES: usize = 2_000;
    let server = Server::start("");
    let (mut alice, mut bob) = alice_and_bob(&server);
    let flood = thread::spawn(move || {
        for number in 0..LINES {
            bob.send(&format!("all number {number}"));
            bob.expect(&format!("[Bob]: number {number}"));
        }
        bob
    });
    let typed = "all typed while it rains";
    for key in typed.chars() {
        alice.press(&key.to_string());
    }
    alice.await_typing(typed);
    let mut bob = flood.join().expect("the flood");
    alice.await_row(&format!("[Bob]: number {}", LINES - 1));
    alice.await_typing(typed);
    alice.press("\r");
    bob.expect("[Alice]: typed while it rains");
    alice.await_row("[Alice]: typed while it rains");
    let mut want = vec![welcome("Alice")];
    want.extend((0..LINES).map(|number| format!("[Bob]: number {number}")));
    want.push("[Alice]: typed while it rains".to_owned());
    let screen = alice.screen();
    assert!(screen.said("Alice") == want, "{:#?}", screen.said("Alice"));
    assert_eq!(screen.typed("Alice"), [typed]);
}

#[test]
fn tab_completes_names_and_commands() {
    let server = Server::start("");
    let mut alfred = server.login("Alfred");
    let mut alice = server.login("Alice");
    let mut bob = Pty::chat("Bob", server.address());
    // Bob has not seen any name until he asks.
    bob.enter("list");
    bob.await_row("[SERVER] Online users (3): Alfred, Alice, Bob");
    bob.await_typing("");
    bob.press("@ali\t");
    bob.await_typing("@Alice ");
    bob.press("psst\r");
    alice.expect("[SERVER] Bob has joined the chat!");
    alice.expect("[From Bob]: psst");
    bob.await_typing("");
    // Two fit: as far as they agree, and the list of both at the second stroke.
    bob.press("@a\t");
    bob.await_typing("@Al");
    bob.press("f\t");
    bob.await_typing("@Alfred ");
    bob.press("hi\r");
    alfred.expect("[SERVER] Alice has joined the chat!");
    alfred.expect("[SERVER] Bob has joined the chat!");
    alfred.expect("[From Bob]: hi");
    bob.await_typing("");
    bob.press("he\t");
    bob.await_typing("help");
}

#[test]
fn the_arrow_brings_back_what_was_typed() {
    let server = Server::start("");
    let (mut alice, mut bob) = alice_and_bob(&server);
    alice.enter("all first");
    alice.enter("all second");
    alice.await_row("[Alice]: second");
    alice.await_typing("");
    alice.press(UP);
    alice.await_typing("all second");
    alice.press(UP);
    alice.await_typing("all first");
    alice.press(" again\r");
    for text in ["first", "second", "first again"] {
        bob.expect(&format!("[Alice]: {text}"));
    }
}

#[test]
fn quit_and_both_keys_leave_cleanly() {
    let server = Server::start("");
    for keys in ["quit\r", CTRL_D, CTRL_C, "half a line\u{3}"] {
        let (mut alice, mut bob) = alice_and_bob(&server);
        alice.press(keys);
        bob.expect("[SERVER] Alice has left the chat.");
        assert_eq!(alice.await_exit(), Some(0), "{keys:?}");
        assert_eq!(alice.screen().said("Alice"), [welcome("Alice")], "{keys:?}");
        bob.send("quit");
        bob.expect_end();
    }
}

#[test]
fn the_terminal_is_given_back_as_it_was() {
    let server = Server::start("");
    let (mut alice, _bob) = alice_and_bob(&server);
    alice.press(CTRL_D);
    assert_eq!(alice.await_exit(), Some(0));
    let raw = alice.screen().raw();
    let (on, off) = (raw.matches("\u{1b}[?2004h").count(), raw.matches("\u{1b}[?2004l").count());
    assert_eq!(on, off, "bracketed paste: {raw:?}");
}

#[test]
fn a_name_that_is_taken_at_the_first_connection_is_a_refusal() {
    let server = Server::start("");
    let mut holder = server.login("Alice");
    let mut alice = Pty::chat("alice", server.address());
    assert_eq!(alice.await_exit(), Some(1));
    let refusal = "[SERVER] Name already taken. Alice is online.";
    assert_eq!(alice.screen().rows(), [refusal]);
    holder.expect("[SERVER] Somebody else asked for your name. It stays yours.");
}

#[test]
fn nobody_at_the_door_is_told_in_one_line() {
    let closed = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = closed.local_addr().expect("an address");
    drop(closed);
    let mut alice = Pty::chat("Alice", address);
    assert_eq!(alice.await_exit(), Some(1));
    let raw = alice.screen().raw();
    assert!(raw.starts_with(&format!("hubbub: cannot connect to {address}: ")), "{raw:?}");
    assert_eq!(raw.lines().count(), 1, "{raw:?}");
}

#[test]
fn a_server_that_crashes_and_comes_back_is_found_again() {
    // An address of its own: no other test's connection can happen to have this port there.
    let mut server = Launch::new("").listen(&["127.55.44.33:0"]).start();
    let address = server.address();
    let mut alice = Pty::chat("Alice", address);
    alice.enter("all before");
    alice.await_row("[Alice]: before");
    server.kill();
    let lost = format!("* Connection to {address} lost. Trying again in ");
    alice.await_screen("the loss", |screen| {
        screen.rows().iter().any(|row| row.starts_with(&lost)).then_some(())
    });
    alice.enter("all into the void");
    alice.await_row("* Not connected: the line was not sent.");
    alice.press("all half");
    alice.await_typing("all half");
    let again = Launch::new("").listen(&[&address.to_string()]).start();
    alice.await_row(&format!("* Connected to {address} again."));
    alice.await_typing("all half");
    let mut bob = again.login("Bob");
    alice.press(" and whole\r");
    bob.expect("[Alice]: half and whole");
    alice.await_row("[Alice]: half and whole");
    alice.await_typing("");
    alice.press(CTRL_D);
    assert_eq!(alice.await_exit(), Some(0));
    bob.expect("[SERVER] Alice has left the chat.");
}

/// A server that says this after the welcome, and returns what it read up to the end.
fn scripted(text: &'static [u8]) -> (SocketAddr, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let server = thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a client");
        stream.set_read_timeout(Some(DEADLINE)).expect("a socket");
        let mut reader = BufReader::new(stream);
        let mut name = String::new();
        reader.read_line(&mut name).expect("a name");
        let mut writer: &TcpStream = reader.get_ref();
        writer.write_all(format!("{}\n", welcome(name.trim_end())).as_bytes()).expect("it reads");
        writer.write_all(text).expect("it reads");
        let mut heard = String::new();
        reader.read_to_string(&mut heard).expect("the client ends in order");
        heard
    });
    (address, server)
}

const HOSTILE: &[u8] = b"\x1b[2J\x1b]0;owned\x07[Bob]: \x1b[31mred\x9b31m\r\x08\x08\x08over\n\
    [Bob]: \xe2\x80\xaereversed\xe2\x80\xa8[SERVER] forged\n\
    \x1b[6n\x1b[c\x1bP0;1|17/ab\x1b\\\n\
    \xff\xfe\x00\n\
    [Bob]: the end\n";

/// What is left of it, the marks of the rows aside.
const HARMLESS: [&str; 5] = [
    "\u{fffd}[2J\u{fffd}]0;owned\u{fffd}[Bob]: \u{fffd}[31mred\u{fffd}31m\
     \u{fffd}\u{fffd}\u{fffd}\u{fffd}over",
    "[Bob]: \u{fffd}reversed\u{fffd}[SERVER] forged",
    "\u{fffd}[6n\u{fffd}[c\u{fffd}P0;1|17/ab\u{fffd}\\",
    "\u{fffd}\u{fffd}\u{fffd}",
    "[Bob]: the end",
];

#[test]
fn a_hostile_server_cannot_send_escapes_to_the_screen() {
    let (address, server) = scripted(HOSTILE);
    let mut alice = Pty::chat("Alice", address);
    alice.await_row("[Bob]: the end");
    alice.await_typing("");
    alice.enter("all fine");
    alice.await_typing("");
    alice.press(CTRL_D);
    assert_eq!(server.join().expect("the server"), "all fine\nquit\n");
    assert_eq!(alice.await_exit(), Some(0));
    // The screen knows no escape but those of the client itself, and fails at any other.
    let screen = alice.screen();
    assert_eq!(screen.said("Alice")[1..], HARMLESS);
    assert!(!screen.raw().contains(['\u{7}', '\u{8}', '\u{9b}', '\u{0}', '\u{202e}']));
}

#[test]
fn lines_have_colours_unless_nobody_wants_them() {
    let server = Server::start("");
    let mut bob = server.login("Bob");
    let settings: [(&[(&str, &str)], bool); 3] =
        [(&[], true), (&[("NO_COLOR", "1")], false), (&[("NO_COLOR", "")], true)];
    for (environment, coloured) in settings {
        let mut alice = Pty::chat_with("Alice", server.address(), environment);
        alice.enter("all mine");
        alice.await_row("[Alice]: mine");
        bob.send("@alice psst\nall hi");
        alice.await_row("[Bob]: hi");
        alice.press(CTRL_D);
        assert_eq!(alice.await_exit(), Some(0));
        let raw = alice.screen().raw();
        let row = |colour: &str, text: &str| {
            let (on, off) = (format!("\u{1b}[{colour}m"), "\u{1b}[0m");
            let (on, off) = if coloured { (on.as_str(), off) } else { ("", "") };
            format!("\u{200e}{on}{text}{off}\r\n")
        };
        for (colour, text) in
            [("36", welcome("Alice").as_str()), ("32", "[Alice]: mine"), ("35", "[From Bob]: psst")]
        {
            assert!(raw.contains(&row(colour, text)), "{environment:?} {text}: {raw:?}");
        }
        assert!(raw.contains("\u{200e}[Bob]: hi\r\n"), "others have no colour: {raw:?}");
        bob.lines_until("[SERVER] Alice has left the chat.");
    }
}

/// `hubbub chat` between pipes, with all of its input at hand.
fn pipe(name: &str, server: SocketAddr, input: &str) -> Output {
    let mut child = chat(name, server).spawn().expect("the client starts");
    let mut stdin = child.stdin.take().expect("stdin is a pipe");
    let input = input.to_owned();
    let writer = thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().expect("it ends");
    // It may end without having read everything.
    let _ = writer.join().expect("the writer");
    output
}

fn chat(name: &str, server: SocketAddr) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hubbub"));
    command.args(["chat", name, &server.to_string()]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[track_caller]
fn assert_output(output: &Output, code: i32, stdout: &[&str], stderr: &str) {
    let printed = String::from_utf8_lossy(&output.stdout);
    assert_eq!(printed.lines().collect::<Vec<_>>(), stdout);
    assert!(printed.is_empty() || printed.ends_with('\n'), "{printed:?}");
    assert_eq!(String::from_utf8_lossy(&output.stderr), stderr);
    assert_eq!(output.status.code(), Some(code));
}

#[test]
fn a_pipe_delivers_its_lines_and_prints_the_answers() {
    let server = Server::start("");
    let mut alice = server.login("Alice");
    // The last line has no terminator, as `printf` leaves it.
    let output = pipe("bot", server.address(), "all deploy done\n@alice psst\nlist");
    let list = "[SERVER] Online users (2): Alice, bot";
    let want = [ENTER_NAME, &welcome("bot"), "[bot]: deploy done", list];
    assert_output(&output, 0, &want, "");
    alice.expect("[SERVER] bot has joined the chat!");
    alice.expect("[bot]: deploy done");
    alice.expect("[From bot]: psst");
    alice.expect("[SERVER] bot has left the chat.");
}

#[test]
fn a_pipe_without_input_logs_in_and_leaves() {
    let server = Server::start("");
    let output = pipe("bot", server.address(), "");
    assert_output(&output, 0, &[ENTER_NAME, &welcome("bot")], "");
}

#[test]
fn a_pipe_fails_when_the_server_refuses_anything() {
    let server = Server::start("");
    let mut alice = server.login("Alice");
    let taken = "[SERVER] Name already taken. Alice is online.";
    let output = pipe("alice", server.address(), "all not me\n");
    assert_output(&output, 1, &[ENTER_NAME, taken], "");
    let output = pipe("SERVER", server.address(), "all not me\n");
    let refused = "[SERVER] Invalid name: it is, or looks like, a word that the server uses.";
    assert_output(&output, 1, &[ENTER_NAME, refused], "");
    let not_found = "[SERVER] User 'nobody' not found.";
    let unknown = format!("[SERVER] Unknown command 'deploy done'. Use: {USAGE}");
    for (line, refusal) in [("@nobody hi", not_found), ("deploy done", &unknown)] {
        let output = pipe("bot", server.address(), &format!("all one\n{line}\nall two\n"));
        let want = [ENTER_NAME, &welcome("bot"), "[bot]: one", refusal, "[bot]: two"];
        assert_output(&output, 1, &want, "");
    }
    alice.expect("[SERVER] Somebody else asked for your name. It stays yours.");
}

#[test]
fn a_pipe_whose_reader_has_seen_enough_delivers_and_does_not_complain() {
    let server = Server::start("");
    let mut alice = server.login("Alice");
    let mut command = Command::new("sh");
    let script = "{ for i in 1 2 3 4 5 6 7 8 9; do echo all $i; done; } | \
                  { \"$0\" chat bot \"$1\"; echo $? >&2; } | head -1";
    command.args(["-c", script, env!("CARGO_BIN_EXE_hubbub"), &server.address().to_string()]);
    let output = command.output().expect("a shell");
    assert_output(&output, 0, &[ENTER_NAME], "0\n");
    alice.expect("[SERVER] bot has joined the chat!");
    for number in 1..=9 {
        alice.expect(&format!("[bot]: {number}"));
    }
    alice.expect("[SERVER] bot has left the chat.");
}

#[test]
fn two_thousand_lines_through_a_pipe_all_arrive() {
    const LINES: usize = 2_000;
    let server = Server::start("");
    let mut alice = server.login("Alice");
    let texts: Vec<String> = (0..LINES).map(|number| format!("שורה {number}")).collect();
    let input = format!("all {}\n", texts.join("\nall "));
    let address = server.address();
    let bot = thread::spawn(move || pipe("bot", address, &input));
    alice.expect("[SERVER] bot has joined the chat!");
    for text in &texts {
        alice.expect(&format!("[bot]: {text}"));
    }
    alice.expect("[SERVER] bot has left the chat.");
    let mut want = vec![ENTER_NAME.to_owned(), welcome("bot")];
    want.extend(texts.iter().map(|text| format!("[bot]: {text}")));
    let want: Vec<&str> = want.iter().map(String::as_str).collect();
    assert_output(&bot.join().expect("the pipe"), 0, &want, "");
}

#[test]
fn a_pipe_whose_server_goes_away_says_so() {
    let mut server = Server::start("");
    let mut alice = server.login("Alice");
    let mut child = chat("bot", server.address()).spawn().expect("the client starts");
    let mut stdin = child.stdin.take().expect("stdin is a pipe");
    stdin.write_all(b"all hi\n").expect("it reads");
    alice.lines_until("[bot]: hi");
    server.kill();
    let ended = eventually("its end", || child.try_wait().expect("it is our child"));
    assert_eq!(ended.code(), Some(1));
    drop(stdin);
    let output = child.wait_with_output().expect("it has ended");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.starts_with("hubbub: the ") && stderr.ends_with('\n'), "{stderr:?}");
    assert_eq!(stderr.lines().count(), 1, "{stderr:?}");
}

#[test]
fn a_pipe_does_not_hand_on_the_escapes_of_a_hostile_server() {
    let (address, server) = scripted(HOSTILE);
    let mut child = chat("bot", address).spawn().expect("the client starts");
    let mut stdin = child.stdin.take().expect("stdin is a pipe");
    stdin.write_all("all שלום\n".as_bytes()).expect("it reads");
    drop(stdin);
    assert_eq!(server.join().expect("the server"), "all שלום\n");
    let output = child.wait_with_output().expect("it ends");
    let mut want = vec![welcome("bot")];
    want.extend(HARMLESS.map(str::to_owned));
    let want: Vec<&str> = want.iter().map(String::as_str).collect();
    assert_output(&output, 0, &want, "");
}
