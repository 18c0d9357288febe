//! The server is stopped for a while, and wakes up: nobody is judged for the time in between.

use std::time::Duration;

use hubbub::net::{Exit, Server};

use super::{Run, server, settings};
use crate::bodies::world::World;

const TOO_SLOW: &str = "[SERVER] You took too long to enter a name. Goodbye.";

/// Stops the server for so long. It wakes up with EINTR, and is not told of anything yet.
fn freeze(server: &mut Server<World>, time: Duration) {
    server.platform().freeze = Some(time);
    server.step();
}

#[test]
fn a_name_that_waits_in_the_socket_is_read_before_the_deadline_is_judged() {
    let mut server = server(30, settings());
    let newcomer = server.platform().connect();
    server.settle();
    // Less than a gap, and an interrupted poll: the deadline has passed, and no event was told.
    server.pass(Duration::from_millis(29_900));
    server.say(newcomer, "Alice");
    freeze(&mut server, Duration::from_millis(500));
    server.settle();
    let heard = server.hears(newcomer);
    assert!(heard[1].starts_with("[SERVER] Welcome Alice!"), "{heard:?}");
}

#[test]
fn the_time_to_log_in_stands_still_while_the_server_is_stopped() {
    let mut server = server(31, settings());
    let prompt = server.platform().connect();
    let silent = server.platform().connect();
    server.settle();
    freeze(&mut server, Duration::from_secs(3600));
    server.pass(Duration::from_secs(25));
    server.say(prompt, "Alice");
    server.pass(Duration::from_secs(1));
    assert!(server.hears(prompt)[1].starts_with("[SERVER] Welcome Alice!"));
    assert!(!server.hears(silent).contains(&TOO_SLOW.to_owned()));
    server.pass(Duration::from_secs(6));
    assert_eq!(server.hears(silent), [TOO_SLOW], "its own time is over all the same");
}

#[test]
fn who_read_everything_meanwhile_is_not_stalled() {
    let mut server = server(32, settings());
    let alice = server.connect_as("Alice");
    let reader = server.connect_as("Reader");
    let staller = server.connect_as("Staller");
    for peer in [reader, staller] {
        server.platform().set_reads(peer, false);
    }
    server.say(alice, &format!("all {}", "x".repeat(4000)));
    server.pass(Duration::from_millis(89_900));
    server.platform().set_reads(reader, true);
    // Less than a gap: the reader's socket takes bytes, and no event has told so.
    freeze(&mut server, Duration::from_millis(500));
    server.settle();
    assert!(server.hears(reader).iter().any(|line| line.starts_with("[Alice]: xxx")));
    assert_eq!(server.chat().counters.stalled, 1, "the one who still takes nothing");
    assert!(server.platform().peers[staller].got_reset);
}

#[test]
fn who_accepted_nothing_before_the_server_was_stopped_has_its_time_anew() {
    let mut server = server(33, settings());
    let alice = server.connect_as("Alice");
    let stalled = server.connect_as("Stalled");
    server.platform().set_reads(stalled, false);
    server.say(alice, &format!("all {}", "x".repeat(4000)));
    server.settle();
    freeze(&mut server, Duration::from_secs(3600));
    server.pass(Duration::from_secs(80));
    assert_eq!(server.chat().counters.stalled, 0);
    server.pass(Duration::from_secs(20));
    assert_eq!(server.chat().counters.stalled, 1);
}

#[test]
fn a_shutdown_that_is_stopped_midway_still_tells_everyone() {
    let mut server = server(34, settings());
    let slow = server.connect_as("Slow");
    server.platform().set_reads(slow, false);
    server.say(slow, &format!("all {}", "x".repeat(4000)));
    server.settle();
    server.platform().stop_server();
    assert_eq!(server.step(), None);
    freeze(&mut server, Duration::from_secs(60));
    server.platform().set_reads(slow, true);
    let exit = (0..100).find_map(|_| server.step());
    assert_eq!(exit, Some(Exit::Drained));
    assert_eq!(server.hears(slow).last().unwrap(), "[SERVER] Server is shutting down.");
}
