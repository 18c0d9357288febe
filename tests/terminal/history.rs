//! What was typed in earlier sessions.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::support::{Pty, Server};

use super::{CTRL_D, UP};

fn alice(server: &Server, state: &Path, more: &[&str]) -> Pty {
    let address = server.address().to_string();
    let arguments = [&["--no-times", "Alice", &address], more].concat();
    let state = state.to_str().expect("a path of text");
    let alice = Pty::chat_as("Alice", &arguments, &[("XDG_STATE_HOME", state)]);
    alice.await_typing("");
    alice
}

fn leave(mut alice: Pty) {
    alice.await_typing("");
    alice.press(CTRL_D);
    assert_eq!(alice.await_exit(), Some(0));
}

#[test]
fn what_was_typed_comes_back_in_the_next_session_but_for_private_lines() {
    let server = Server::start("");
    let state = tempfile::tempdir().expect("a folder");
    let mut first = alice(&server, state.path(), &[]);
    first.enter("hello");
    first.enter("@Alice secret one");
    // Pasted among others, too.
    first.press(
        "\u{1b}[200~pasted\n/msg Alice secret two\n/mgs Alice secret three\nlast\u{1b}[201~\r",
    );
    first.await_row("[Alice]: last");
    // In the session itself everything comes back.
    first.await_typing("");
    first.press(&UP.repeat(2));
    first.await_typing("/mgs Alice secret three");
    first.press("\u{3}");
    leave(first);
    let file = state.path().join("hubbub/history");
    assert_eq!(fs::read_to_string(&file).expect("it is there"), "hello\npasted\nlast\n");
    assert_eq!(fs::metadata(&file).expect("it is there").permissions().mode() & 0o777, 0o600);

    let mut second = alice(&server, state.path(), &[]);
    second.press(&UP.repeat(3));
    second.await_typing("hello");
    second.press("\u{3}");
    leave(second);

    let mut third = alice(&server, state.path(), &["--no-history"]);
    third.press(&format!("{UP}nothing"));
    third.await_typing("nothing");
    third.press("\r");
    third.await_row("[Alice]: nothing");
    leave(third);
    assert_eq!(fs::read_to_string(&file).expect("it is there"), "hello\npasted\nlast\n");
}

#[test]
fn a_history_that_cannot_be_had_is_no_reason_not_to_chat() {
    let server = Server::start("");
    let state = tempfile::tempdir().expect("a folder");
    fs::create_dir_all(state.path().join("hubbub/history")).expect("a folder in its place");
    let mut one = alice(&server, state.path(), &[]);
    one.await_screen("why", |screen| {
        let why = "* What you type is not kept: ";
        screen.rows().iter().any(|row| row.starts_with(why)).then_some(())
    });
    one.enter("hello");
    one.await_row("[Alice]: hello");
    leave(one);
}
