//! The name: given, asked for, taken, refused.

use std::net::SocketAddr;

use crate::support::{Pty, Server};

use super::{CTRL_C, CTRL_D, pipe::chat_without_name};

/// Somebody who has given no name.
fn nameless(server: SocketAddr, user: &str) -> Pty {
    let arguments = ["--no-times", "--no-history", "--server", &server.to_string()];
    Pty::chat_as("Alice", &arguments, &[("USER", user)])
}

/// Waits until the name is asked for, and this is proposed.
fn await_question(pty: &Pty, proposal: &str) {
    let question = format!("Your name: {proposal}");
    pty.await_screen(&question, |screen| screen.shows_bare(&question).then_some(()));
}

#[test]
fn without_a_name_the_client_asks_and_proposes_that_of_the_user() {
    let server = Server::start("");
    let mut alice = nameless(server.address(), "alice");
    await_question(&alice, "alice");
    alice.press("\u{3}");
    await_question(&alice, "");
    alice.press("Alice\r");
    alice.await_row("[SERVER] Online users (1): Alice");
    alice.await_typing("");
    alice.press(CTRL_D);
    assert_eq!(alice.await_exit(), Some(0));
    // What is no name is not proposed.
    let mut nobody = nameless(server.address(), "list");
    await_question(&nobody, "");
    nobody.press(CTRL_C);
    assert_eq!(nobody.await_exit(), Some(0));
}

#[test]
fn a_name_that_is_taken_or_refused_is_asked_for_again() {
    let server = Server::start("");
    let mut holder = server.login("Alice");
    let mut alice = Pty::chat("alice", server.address());
    await_question(&alice, "alice");
    alice.await_row("[SERVER] Name already taken. Alice is online.");
    alice.await_row("* Type another name, or press Ctrl-D to leave.");
    alice.press("\u{3}no@name\r");
    // What is typed looks like the next question: that comes behind the answer.
    alice.await_row("[SERVER] Invalid name: it holds @ (U+0040).");
    await_question(&alice, "no@name");
    alice.press("\u{3}SERVER\r");
    alice.await_row("[SERVER] Invalid name: it is a word that the server uses: SERVER.");
    // That was the third try: the next one takes another connection.
    await_question(&alice, "SERVER");
    alice.press("\u{3}Bob\r");
    holder.expect("[SERVER] Somebody else asked for your name. It stays yours.");
    holder.expect("[SERVER] Bob has joined the chat!");
    alice.await_row("[SERVER] Online users (2): Alice, Bob");
    assert!(!alice.screen().rows().iter().any(|row| row.contains("last try")));
}

#[test]
fn who_gives_up_a_name_leaves() {
    let server = Server::start("");
    let _holder = server.login("Alice");
    let mut alice = Pty::chat("alice", server.address());
    await_question(&alice, "alice");
    alice.press("\u{3}\u{4}");
    assert_eq!(alice.await_exit(), Some(0));
}

#[test]
fn a_pipe_without_a_name_says_what_to_type() {
    let (code, stdout, stderr) = chat_without_name();
    assert_eq!((code, stdout.as_str()), (Some(2), ""));
    assert!(stderr.starts_with("hubbub: no name is given"), "{stderr}");
    assert!(stderr.contains("hubbub chat NAME would work"), "{stderr}");
}
