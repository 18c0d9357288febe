//! `hubbub chat` against the real server, in a real pseudo-terminal and in a pipe.

mod dial;
mod entry;
mod forged;
mod history;
mod leave;
mod look;
mod narrow;
mod pipe;
mod proxy;
mod typed;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};

use rustix::process::Signal;

use crate::support::{Client, DEADLINE, Launch, Pty, Server};

const UP: &str = "\u{1b}[A";
const LEFT: &str = "\u{1b}[D";
const CTRL_C: &str = "\u{3}";
const CTRL_D: &str = "\u{4}";

const USAGE: &str = "@Name text, all text, list, help, quit";

fn welcome(name: &str) -> String {
    format!("[SERVER] Welcome {name}! Commands: {USAGE}")
}

/// What the client shows of it, and says itself.
fn greeting(name: &str) -> [String; 2] {
    let hint = "* Text goes to everyone, @Name text to Name alone. /help tells more.";
    [format!("[SERVER] Welcome {name}!"), hint.to_owned()]
}

/// Alice at a terminal, and Bob, who has read of her joining.
fn alice_and_bob(server: &Server) -> (Pty, Client) {
    let mut bob = server.login("Bob");
    let alice = Pty::chat("Alice", server.address());
    bob.expect("[SERVER] Alice has joined the chat!");
    // The client asks who is here by itself.
    alice.await_row("[SERVER] Online users (2): Alice, Bob");
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
    let [welcome, hint] = greeting("Alice");
    let want = [
        &welcome,
        &hint,
        "[SERVER] Online users (2): Alice, Bob",
        "[Bob]: in between ✨",
        "[From Bob]: and in private",
        "[Bob]: once more",
        "[Alice]: שלום Xhalf ",
    ];
    assert_eq!(alice.screen().rows(), want);
}

#[test]
fn a_flood_of_lines_does_not_tear_the_lines_that_are_typed() {
    const LINES: usize = 2_000;
    let server = Server::start("");
    let mut carol = server.login("Carol");
    let mut bob = server.login("Bob");
    let mut alice = Pty::chat("Alice", server.address());
    bob.expect("[SERVER] Alice has joined the chat!");
    alice.await_row("[SERVER] Online users (3): Alice, Bob, Carol");
    let flood = thread::spawn(move || {
        for number in 0..LINES {
            bob.send(&format!("all number {number}"));
            bob.expect(&format!("[Bob]: number {number}"));
        }
        bob
    });
    let typed: Vec<String> = (0..40).map(|number| format!("@carol {number} שלום")).collect();
    for line in &typed {
        for key in line.chars() {
            alice.press(&key.to_string());
        }
        alice.enter_typed(line);
    }
    let _bob = flood.join().expect("the flood");
    alice.await_row(&format!("[Bob]: number {}", LINES - 1));
    alice.await_row("[To Carol]: 39 שלום");
    let mut want = greeting("Alice").to_vec();
    want.push("[SERVER] Online users (3): Alice, Bob, Carol".to_owned());
    want.extend((0..LINES).map(|number| format!("[Bob]: number {number}")));
    let (sent, said): (Vec<_>, Vec<_>) =
        alice.screen().said("Alice").into_iter().partition(|row| row.starts_with("[To "));
    assert!(said == want, "{said:#?}");
    assert_eq!(alice.screen().typed("Alice"), typed);
    let want: Vec<_> = typed.iter().map(|line| line.replace("@carol", "[To Carol]:")).collect();
    assert_eq!(sent, want);
    alice.await_typing("");
    alice.press(CTRL_D);
    let private = |line: &String| line.starts_with("[From");
    let heard = carol.lines_until("[SERVER] Alice has left the chat.");
    let want: Vec<String> =
        typed.iter().map(|line| line.replace("@carol", "[From Alice]:")).collect();
    assert_eq!(heard.into_iter().filter(private).collect::<Vec<_>>(), want);
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
fn pasted_lines_are_sent_one_by_one() {
    let server = Server::start("");
    let (mut alice, mut bob) = alice_and_bob(&server);
    alice.press("\u{1b}[200~all one\nall two\r\n@bob three\u{1b}[201~\r");
    for line in ["[Alice]: one", "[Alice]: two", "[From Alice]: three"] {
        bob.expect(line);
    }
}

#[test]
fn what_is_typed_ahead_is_sent() {
    let server = Server::start("");
    let (mut alice, mut bob) = alice_and_bob(&server);
    let lines: Vec<String> = (0..40).map(|number| format!("all line {number}\r")).collect();
    alice.press(&lines.concat());
    for number in 0..40 {
        bob.expect(&format!("[Alice]: line {number}"));
    }
}

#[test]
fn a_client_that_is_told_to_end_leaves_cleanly() {
    let server = Server::start("");
    let (mut alice, mut bob) = alice_and_bob(&server);
    alice.terminate();
    bob.expect("[SERVER] Alice has left the chat.");
    assert_eq!(alice.await_exit(), Some(0));
}

#[test]
fn a_line_that_is_too_long_is_not_sent_and_told() {
    let server = Server::start("");
    let (mut alice, mut bob) = alice_and_bob(&server);
    let longest = "x".repeat(4095 - "all ".len());
    alice.enter(&format!("all {longest}"));
    bob.expect(&format!("[Alice]: {longest}"));
    alice.enter(&format!("all {longest}x"));
    alice.await_row("* Longer than 4091 bytes: the line was not sent.");
    bob.reads_nothing();
}

#[test]
fn who_waits_for_a_server_that_has_stopped_can_leave() {
    let mut server = Server::start("");
    let (mut alice, bob) = alice_and_bob(&server);
    drop(bob);
    alice.await_row("[SERVER] Bob has left the chat.");
    server.signal(Signal::TERM);
    assert!(server.await_exit().success());
    let said = alice.await_said(6);
    assert_eq!(said[4], "[SERVER] Server is shutting down.");
    assert!(said[5].starts_with("* Connection to "), "{said:?}");
    alice.press(CTRL_D);
    assert_eq!(alice.await_exit(), Some(0));
}

#[test]
fn quit_and_both_keys_leave_cleanly() {
    let server = Server::start("");
    for keys in ["quit\r", "/Quit\r", CTRL_D, CTRL_C, "half a line\u{3}\u{3}"] {
        let (mut alice, mut bob) = alice_and_bob(&server);
        alice.press(keys);
        bob.expect("[SERVER] Alice has left the chat.");
        assert_eq!(alice.await_exit(), Some(0), "{keys:?}");
        let mut want = greeting("Alice").to_vec();
        want.push("[SERVER] Online users (2): Alice, Bob".to_owned());
        assert_eq!(alice.screen().said("Alice"), want, "{keys:?}");
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
    "?[2J?]0;owned?[Bob]: ?[31mred\u{fffd}31m????over",
    "[Bob]: \u{fffd}reversed\u{fffd}[SERVER] forged",
    "?[6n?[c?P0;1|17/ab?\\",
    "\u{fffd}\u{fffd}?",
    "[Bob]: the end",
];

#[test]
fn a_hostile_server_cannot_send_escapes_to_the_screen() {
    let (address, server) = scripted(HOSTILE);
    let mut alice = Pty::chat("Alice", address);
    alice.await_row("[Bob]: the end");
    alice.await_typing("");
    alice.enter("/list x");
    alice.await_typing("");
    alice.press(CTRL_D);
    assert_eq!(server.join().expect("the server"), "list\nlist x\nquit\n");
    assert_eq!(alice.await_exit(), Some(0));
    // The screen knows no escape but those of the client itself, and fails at any other.
    let screen = alice.screen();
    assert_eq!(screen.said("Alice")[2..], HARMLESS);
    assert!(!screen.raw().contains(['\u{7}', '\u{8}', '\u{9b}', '\u{0}', '\u{202e}']));
}
