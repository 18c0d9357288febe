//! Lines that are longer than the screen is wide.

use crate::support::{Pty, Server, picture};

use super::{CTRL_D, LEFT};

const WIDTH: u16 = 40;

/// What a line of 100 digits looks like below `[Bob]: `: each row but the first is indented, and
/// the last column stays empty.
const BOB: [&str; 3] = [
    "[Bob]: 01234567890123456789012345678901",
    "  2345678901234567890123456789012345678",
    "  9012345678901234567890123456789",
];

/// What is typed at the prompt as the terminal wraps it.
fn wrapped(name: &str, typed: &str) -> Vec<String> {
    let text: Vec<char> = format!("{name}> {typed}").chars().collect();
    let mut rows: Vec<String> =
        text.chunks(usize::from(WIDTH)).map(|row| row.iter().collect()).collect();
    // The editor goes to the next row when one is full.
    if text.len().is_multiple_of(usize::from(WIDTH)) {
        rows.push(String::new());
    }
    rows
}

#[test]
fn what_arrives_does_not_tear_a_line_of_any_length() {
    let server = Server::start("");
    let mut bob = server.login("Bob");
    let digits = "0123456789".repeat(10);
    let mut said = Vec::new();
    for length in [30, 32, 33, 34, 71, 72, 73, 74, 75, 150] {
        let mut alice = Pty::chat_on("Alice", server.address(), WIDTH);
        bob.expect("[SERVER] Alice has joined the chat!");
        alice.await_screen("who is here", |screen| {
            screen.raw().contains("Online users (2): Alice, Bob").then_some(())
        });
        let text: String = ('a'..='z').cycle().take(length).collect();
        let typed = format!("all {text}");
        // The cursor is where it is typed, and then in the middle.
        for back in [0, length / 2] {
            alice.press(if back == 0 { &typed } else { "" });
            alice.press(&LEFT.repeat(back));
            bob.send(&format!("all {digits}"));
            said.push(format!("[Bob]: {digits}"));
            alice.await_screen("Bob's line below the last one", |screen| {
                let (rows, cursor) = picture(&screen.raw(), WIDTH.into());
                let mut want = BOB.iter().map(ToString::to_string).collect::<Vec<_>>();
                want.extend(wrapped("Alice", &typed));
                let at = "Alice> ".len() + typed.len() - back;
                let first = rows.len().checked_sub(wrapped("Alice", &typed).len())?;
                let place = (first + at / usize::from(WIDTH), at % usize::from(WIDTH));
                (rows.ends_with(&want) && cursor == place).then_some(())
            });
        }
        alice.press("\r");
        said.push(format!("[Alice]: {text}"));
        for line in said.drain(..) {
            bob.expect(&line);
        }
        alice.await_typing("");
        alice.press(CTRL_D);
        assert_eq!(alice.await_exit(), Some(0));
        bob.expect("[SERVER] Alice has left the chat.");
    }
}
