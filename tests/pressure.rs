//! Clients that send more than is taken at once, or read less than they are owed: everything is
//! done in the end, and the others are served meanwhile.

use std::thread;
use std::time::Duration;

use crate::support::{Client, Server, now};

/// Lines of `all NUMBER`.
fn shouts(count: usize) -> String {
    (0..count).map(|number| format!("all {number}\n")).collect::<Vec<_>>().concat()
}

#[test]
fn ten_thousand_lines_before_the_end_of_the_stream_are_all_done() {
    let server = Server::start("");
    let [mut alice, mut bob] = server.room(["Alice", "Bob"]);
    alice.send_bytes(shouts(10_000).as_bytes());
    alice.send_bytes(b"@Bob that was all\nlist");
    alice.end();
    for number in 0..10_000 {
        alice.expect(&format!("[Alice]: {number}"));
        bob.expect(&format!("[Alice]: {number}"));
    }
    alice.expect("[SERVER] Online users (2): Alice, Bob");
    alice.expect_end();
    bob.expect("[From Alice]: that was all");
    bob.expect("[SERVER] Alice has left the chat.");
}

#[test]
fn a_pipe_beyond_the_flood_limit_is_done_before_it_is_closed() {
    let server = Server::start("--flood-rate 100 --flood-burst 5");
    let mut bob = server.login("Bob");
    let start = now();
    let mut alice = server.connect();
    alice.send_bytes(format!("Alice\n{}quit", shouts(50)).as_bytes());
    alice.end();
    let (lines, _) = alice.rest();
    assert_eq!(lines.len(), 52, "a prompt, a welcome and the lines: {lines:?}");
    assert!(now() - start >= Duration::from_millis(450));
    bob.expect("[SERVER] Alice has joined the chat!");
    for number in 0..50 {
        bob.expect(&format!("[Alice]: {number}"));
    }
    bob.expect("[SERVER] Alice has left the chat.");
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "it needs Linux: /proc")]
fn who_does_not_read_its_answers_is_not_read_until_it_does() {
    const LISTS: usize = 50_000;
    let server = Server::start("");
    let [mut alice, mut bob] = server.room(["Alice", "Bob"]);
    let answer = "[SERVER] Online users (2): Alice, Bob";
    // More than the system takes for a client; what the mailbox then holds is answered later.
    alice.send_bytes("list\n".repeat(LISTS).as_bytes());
    let memory = server.memory();
    bob.send("all hi\n@Alice psst");
    bob.expect("[Bob]: hi");
    let mut heard = Vec::new();
    for _ in 0..LISTS + 2 {
        let line = alice.line();
        if line != answer {
            heard.push(line);
        }
    }
    assert_eq!(heard, ["[Bob]: hi", "[From Bob]: psst"]);
    assert_eq!(server.counter("answers_dropped"), 0);
    let grown = server.memory().saturating_sub(memory);
    assert!(grown < 2 << 20, "memory has grown by {grown} bytes");
}

#[test]
fn one_chatty_client_does_not_starve_the_rest() {
    const LINES: usize = 50_000;
    let server = Server::start("");
    let [mut alice, mut bob] = server.room(["Alice", "Bob"]);
    alice.send_bytes(shouts(LINES).as_bytes());
    bob.expect("[Alice]: 0");
    bob.send("@Bob and me?");
    let mut heard = false;
    for number in 1..LINES {
        let mut line = bob.line();
        if line == "[From Bob]: and me?" {
            heard = true;
            line = bob.line();
        }
        assert_eq!(line, format!("[Alice]: {number}"));
    }
    assert!(heard, "Bob had to wait until Alice had said everything");
}

#[test]
fn eager_talkers_all_hear_everyone_in_the_same_order() {
    const TALKERS: usize = 8;
    const LINES: usize = 1_000;
    let server = Server::start("");
    let mut room = server.room(["A1", "B2", "C3", "D4", "E5", "F6", "G7", "H8"]);
    let heard: Vec<Vec<String>> = thread::scope(|scope| {
        let talk = |client: &mut Client| {
            client.send_bytes(shouts(LINES).as_bytes());
            (0..TALKERS * LINES).map(|_| client.line()).collect()
        };
        let talkers: Vec<_> =
            room.iter_mut().map(|client| scope.spawn(move || talk(client))).collect();
        talkers.into_iter().map(|talker| talker.join().expect("it hears everything")).collect()
    });
    assert!(heard.iter().all(|lines| *lines == heard[0]), "one order for all");
    for name in ["A1", "B2", "C3", "D4", "E5", "F6", "G7", "H8"] {
        let said = heard[0].iter().filter_map(|line| line.strip_prefix(&format!("[{name}]: ")));
        assert!(said.eq((0..LINES).map(|number| number.to_string()).collect::<Vec<_>>().iter()));
    }
}

#[test]
fn a_slow_reader_within_the_log_gets_everything_it_is_owed_before_the_end() {
    let server = Server::start("");
    let [mut alice, mut slow] = server.room(["Alice", "Slow"]);
    let text = "t".repeat(3_000);
    for number in 0..1_000 {
        alice.send(&format!("all {number} {text}"));
        alice.expect(&format!("[Alice]: {number} {text}"));
    }
    slow.send("quit");
    slow.end();
    alice.expect("[SERVER] Slow has left the chat.");
    for number in 0..1_000 {
        slow.expect(&format!("[Alice]: {number} {text}"));
    }
    slow.expect_end();
}
