//! Colours, times, the bell.

use crate::support::{Pty, Server};

use super::{CTRL_D, greeting};

#[test]
fn lines_have_colours_unless_nobody_wants_them() {
    let server = Server::start("");
    let mut bob = server.login("Bob");
    let settings: [(&[(&str, &str)], bool); 3] =
        [(&[], true), (&[("NO_COLOR", "1")], false), (&[("NO_COLOR", "")], true)];
    for (environment, coloured) in settings {
        let mut alice = Pty::chat_with("Alice", server.address(), environment);
        alice.enter("mine");
        alice.await_row("[Alice]: mine");
        bob.send("@alice psst\nall hi");
        alice.await_row("[Bob]: hi");
        alice.await_typing("");
        alice.press(CTRL_D);
        assert_eq!(alice.await_exit(), Some(0));
        let raw = alice.screen().raw();
        let [welcome, _] = greeting("Alice");
        let row = if coloured {
            format!("\u{200e}\u{1b}[36m{welcome}\u{1b}[0m\u{1b}[?7h\r\n")
        } else {
            format!("\u{200e}{welcome}\u{1b}[?7h\r\n")
        };
        assert!(raw.contains(&row), "{environment:?}: {raw:?}");
        // The name of Bob looks the same wherever it is a sender's.
        assert_eq!(raw.contains("\u{200e}[Bob]: hi\u{1b}[?7h\r\n"), !coloured, "{raw:?}");
        let is_colour = |look: &str| look.split(';').any(|code| code.starts_with('3'));
        let looks = raw.split("\u{1b}[").skip(1).filter_map(|rest| rest.split_once('m'));
        let looks = looks.filter(|(look, _)| look.chars().all(|c| c.is_ascii_digit() || c == ';'));
        assert_eq!(looks.into_iter().any(|(look, _)| is_colour(look)), coloured, "{raw:?}");
        bob.lines_until("[SERVER] Alice has left the chat.");
    }
}

#[test]
fn times_are_local_and_as_one_wants_them() {
    let server = Server::start("");
    let mut bob = server.login("Bob");
    let address = server.address().to_string();
    // Kolkata has half an hour, and no summer time: UTC and five and a half, every day.
    let formats: [(&[&str], &str, &str); 4] = [
        (&["--time-format", "%z %Z|"], "Asia/Kolkata", "+0530 IST| [Bob]: hi"),
        (&["--time-format", "%:z"], "<XYZ>-3:15", "+03:15 [Bob]: hi"),
        (&["--time-format", "%z"], "UTC", "+0000 [Bob]: hi"),
        (&["--no-times"], "Asia/Kolkata", "[Bob]: hi"),
    ];
    for (more, zone, row) in formats {
        let arguments = [more, &["--no-history", "Alice", &address]].concat();
        let mut alice = Pty::chat_as("Alice", &arguments, &[("TZ", zone)]);
        alice.await_typing("");
        bob.send("all hi");
        alice.await_row(row);
        alice.press(CTRL_D);
        assert_eq!(alice.await_exit(), Some(0));
        bob.lines_until("[SERVER] Alice has left the chat.");
    }
    // Without a word about it: hours and minutes.
    let alice = Pty::chat_as("Alice", &["--no-history", "Alice", &address], &[]);
    alice.await_typing("");
    bob.send("all hi");
    let is_time = |text: &str| {
        let digits: Vec<char> = text.chars().collect();
        matches!(digits[..], [a, b, ':', c, d] if [a, b, c, d].iter().all(char::is_ascii_digit))
    };
    alice.await_screen("a time", |screen| {
        let rows = screen.rows();
        let row = rows.iter().find_map(|row| row.strip_suffix(" [Bob]: hi"))?;
        is_time(row).then_some(())
    });
}

#[test]
fn a_mention_and_a_private_line_ring_the_bell_and_ones_own_lines_do_not() {
    let server = Server::start("");
    for (more, rings) in [(&[][..], 3), (&["--no-bell"], 0)] {
        let mut bob = server.login("Bob");
        let arguments = ["--no-times", "--no-history", "Alice", &server.address().to_string()];
        let mut alice = Pty::chat_as("Alice", &[more, &arguments].concat(), &[]);
        alice.await_row("[SERVER] Online users (2): Alice, Bob");
        let lines = [
            ("all hi Alicent", "[Bob]: hi Alicent"),
            ("all ask ALICE!", "[Bob]: ask ALICE!"),
            ("@alice psst", "[From Bob]: psst"),
            ("all שלום Alice", "[Bob]: שלום Alice"),
        ];
        for (line, row) in lines {
            bob.send(line);
            alice.await_row(row);
        }
        alice.enter("Alice is here");
        alice.await_row("[Alice]: Alice is here");
        assert_eq!(alice.screen().bells(), rings);
        alice.await_typing("");
        alice.press(CTRL_D);
        assert_eq!(alice.await_exit(), Some(0));
        bob.send("quit");
        bob.rest();
    }
}
