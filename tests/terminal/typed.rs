//! What a typed line means, what is shown of it, and completion.

use crate::support::{Pty, Server};

use super::{CTRL_C, CTRL_D, alice_and_bob};

#[test]
fn text_goes_to_everyone_and_is_shown_once() {
    let server = Server::start("");
    let (mut alice, mut bob) = alice_and_bob(&server);
    let texts = ["hello", "quit now", "list al", " all hi", "שלום 日本語 🍳", "all"];
    for text in texts {
        alice.enter(text);
        bob.expect(&format!("[Alice]: {text}"));
        alice.await_row(&format!("[Alice]: {text}"));
    }
    alice.enter("//slash");
    alice.enter("all as in the protocol");
    for text in ["/slash", "as in the protocol"] {
        bob.expect(&format!("[Alice]: {text}"));
        alice.await_row(&format!("[Alice]: {text}"));
    }
    let said = alice.screen().said("Alice");
    let mut want: Vec<_> = texts.iter().map(|text| format!("[Alice]: {text}")).collect();
    want.extend(["[Alice]: /slash".to_owned(), "[Alice]: as in the protocol".to_owned()]);
    assert_eq!(said[3..], want, "each once, and nothing of the prompt is left");
}

#[test]
fn ones_own_private_lines_are_shown_when_they_are_sent() {
    let server = Server::start("");
    let (mut alice, mut bob) = alice_and_bob(&server);
    alice.enter("@bob psst");
    alice.enter("/msg Bob two  spaces");
    alice.enter("@nobody hello?");
    bob.expect("[From Alice]: psst");
    bob.expect("[From Alice]: two  spaces");
    alice.await_row("[SERVER] User 'nobody' not found.");
    let want = [
        "[To Bob]: psst",
        "[To Bob]: two  spaces",
        "[To nobody]: hello?",
        "[SERVER] User 'nobody' not found.",
    ];
    assert_eq!(alice.screen().said("Alice")[3..], want);
}

#[test]
fn what_is_no_command_and_what_cannot_be_sent_is_told_by_the_client() {
    let server = Server::start("");
    let (mut alice, mut bob) = alice_and_bob(&server);
    for (line, told) in [
        ("/lits", "* There is no command /lits; did you mean /list? "),
        ("/msg Bob", "* The line was not sent. Use: /msg Name text"),
        ("   ", "* Nothing but spaces: the line was not sent."),
        ("@Bob", "* The line was not sent: a private line is @Name text. "),
    ] {
        alice.enter(line);
        alice.await_screen(told, |screen| {
            screen.rows().iter().any(|row| row.starts_with(told)).then_some(())
        });
    }
    alice.enter("/help");
    alice.await_row("*   /msg Name text     sends text to Name alone");
    bob.reads_nothing();
}

#[test]
fn a_line_that_the_server_holds_back_is_not_forgotten() {
    let server = Server::start("--flood-rate 1 --flood-burst 3");
    let mut alice = Pty::chat("Alice", server.address());
    // The answer to `list` costs a token, too.
    for number in 0..8 {
        alice.enter(&format!("line {number}"));
    }
    alice.await_screen("that lines are out", |screen| {
        let told = "yet shown to everyone";
        screen.rows().iter().any(|row| row.starts_with("* ") && row.contains(told)).then_some(())
    });
}

#[test]
fn ctrl_c_clears_a_half_typed_line_and_leaves_on_an_empty_one() {
    let server = Server::start("");
    let (mut alice, mut bob) = alice_and_bob(&server);
    alice.press("half a line");
    alice.await_typing("half a line");
    alice.press(CTRL_C);
    alice.await_typing("");
    // What is typed ahead of it is not lost.
    alice.press("more\u{3}whole\r");
    bob.expect("[Alice]: whole");
    alice.await_typing("");
    alice.press(CTRL_C);
    bob.expect("[SERVER] Alice has left the chat.");
    assert_eq!(alice.await_exit(), Some(0));
}

#[test]
fn tab_completes_everyone_who_is_here_and_never_oneself() {
    let server = Server::start("");
    let mut alfred = server.login("Alfred");
    let mut alice = server.login("Alice");
    let mut bob = Pty::chat("Bob", server.address());
    bob.await_row("[SERVER] Online users (3): Alfred, Alice, Bob");
    bob.await_typing("");
    bob.press("@ali\t");
    bob.await_typing("@Alice ");
    bob.press("psst\r");
    alice.expect("[SERVER] Bob has joined the chat!");
    alice.expect("[From Bob]: psst");
    bob.await_typing("");
    // The last private partner.
    bob.press("\t");
    bob.await_typing("@Alice ");
    bob.press(CTRL_C);
    bob.await_typing("");
    // Two fit: as far as they agree.
    bob.press("hi a\t");
    bob.await_typing("hi Al");
    bob.press("f\t");
    bob.await_typing("hi Alfred");
    bob.press("\r");
    alfred.lines_until("[Bob]: hi Alfred");
    bob.await_row("[Bob]: hi Alfred");
    // Joins and leaves are followed.
    let carol = server.login("Carol");
    bob.await_row("[SERVER] Carol has joined the chat!");
    bob.press("@c\t");
    bob.await_typing("@Carol ");
    bob.press(CTRL_C);
    drop(carol);
    bob.await_row("[SERVER] Carol has left the chat.");
    for typed in ["@c", "@b", "hi b", "/msg b"] {
        bob.await_typing("");
        bob.press(&format!("{typed}\t"));
        bob.await_typing(typed);
        bob.press(CTRL_C);
    }
    bob.await_typing("");
    for (typed, completed) in
        [("he\t", "help"), ("/l\t", "/list "), ("/msg alf\t", "/msg Alfred "), ("ali\t", "Alice: ")]
    {
        bob.press(typed);
        bob.await_typing(completed);
        bob.press(CTRL_C);
        bob.await_typing("");
    }
    bob.press(CTRL_D);
    assert_eq!(bob.await_exit(), Some(0));
}

#[test]
fn summaries_make_the_client_ask_who_is_here_without_a_word() {
    let server = Server::start("--announce-up-to 1");
    let mut alice = Pty::chat("Alice", server.address());
    alice.await_row("[SERVER] Online users (1): Alice");
    let mut bob = server.login("Bob");
    alice.await_screen("a summary", |screen| {
        screen.rows().iter().any(|row| row.ends_with("(2 online)")).then_some(())
    });
    // The answer comes before what is said later.
    bob.send("all hi");
    alice.await_row("[Bob]: hi");
    alice.await_typing("");
    alice.press("@b\t");
    alice.await_typing("@Bob ");
    let lists = |row: &&String| row.contains("Online users");
    assert_eq!(alice.screen().rows().iter().filter(lists).count(), 1, "nobody asked for another");
}
