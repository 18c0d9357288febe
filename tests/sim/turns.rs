//! How long a turn takes, and whose turn it is, where what clients send takes the server long.

use std::time::Duration;

use hubbub::config::Settings;
use hubbub::net::Server;

use super::{Run, server, settings};
use crate::bodies::world::World;

/// What the server works on what one read gives it.
const READ_TAKES: Duration = Duration::from_millis(1);

/// How long a turn may take: 5 ms of input, and the read that goes beyond it.
const TURN: Duration = Duration::from_millis(6);

/// Turns until there is nothing to do; how long the longest turn took.
fn longest_turn(server: &mut Server<World>) -> Duration {
    let mut longest = Duration::ZERO;
    for _ in 0..super::MAX_TURNS {
        let before = server.platform().now;
        server.step();
        if server.platform().quiet {
            return longest;
        }
        longest = longest.max(server.platform().now.saturating_sub(before));
    }
    panic!("no rest");
}

#[test]
fn a_turn_takes_input_for_five_milliseconds_however_many_send() {
    let mut server = server(30, settings());
    let bystander = server.connect_as("Bystander");
    let senders: Vec<usize> = (0..80).map(|n| server.connect_as(&format!("user{n}"))).collect();
    server.hears(bystander);
    server.platform().read_takes = READ_TAKES;
    for &sender in &senders {
        server.platform().send(sender, b"@nobody 1\n@nobody 2\n");
    }
    server.say(bystander, "@bystander me?");
    let longest = longest_turn(&mut server);
    assert!(longest <= TURN + READ_TAKES, "{longest:?}");
    assert_eq!(server.hears(bystander), ["[From Bystander]: me?"]);
    for sender in senders {
        let heard = server.hears(sender);
        let told = heard.iter().filter(|line| line.contains("not found")).count();
        assert_eq!(told, 2, "nobody is left out");
    }
}

#[test]
fn those_for_whom_a_turn_had_no_time_come_first_in_the_next_one() {
    let mut server = server(31, settings());
    let senders: Vec<usize> = (0..20).map(|n| server.connect_as(&format!("user{n}"))).collect();
    for &sender in &senders {
        server.hears(sender);
    }
    server.platform().read_takes = READ_TAKES;
    for &sender in &senders {
        server.platform().send(sender, "help\n".repeat(500).as_bytes());
    }
    for _ in 0..60 {
        server.step();
        let heard = |server: &mut Server<World>, peer: usize| {
            server.platform().text(peer).matches("Commands: ").count()
        };
        let counts: Vec<usize> = senders.iter().map(|&peer| heard(&mut server, peer)).collect();
        let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
        assert!(most - least <= 2 * 64, "{counts:?}");
    }
}

#[test]
fn talkers_who_were_held_leave_time_to_the_others() {
    let settings = Settings { max_line: 64, out_budget: 448, ..settings() };
    let mut server = server(32, settings);
    let bystander = server.connect_as("Bystander");
    let talkers: Vec<usize> = (0..40).map(|n| server.connect_as(&format!("user{n}"))).collect();
    server.platform().read_takes = READ_TAKES;
    for &talker in &talkers {
        server.platform().send(talker, "all me too\n".repeat(200).as_bytes());
    }
    for _ in 0..20 {
        server.step();
    }
    server.hears(bystander);
    server.say(bystander, "@bystander me?");
    let before = server.platform().now;
    let mut heard = Vec::new();
    while !heard.contains(&"[From Bystander]: me?".to_owned()) {
        server.step();
        heard.extend(server.hears(bystander));
        assert!(server.platform().now < before + 50 * TURN, "it waits for the others");
    }
    let longest = longest_turn(&mut server);
    assert!(longest <= TURN + 2 * READ_TAKES, "{longest:?}");
}

#[test]
fn long_lines_have_as_many_bytes_of_a_turn_as_short_ones() {
    let mut server = server(33, settings());
    let (alice, bob) = (server.connect_as("Alice"), server.connect_as("Bob"));
    let line = format!("@Bob {}\n", "x".repeat(4000));
    server.platform().send(alice, line.repeat(14).as_bytes());
    server.step();
    let taken = server.chat().counters.private_messages;
    assert_eq!(taken, 4, "16 KiB of 56 KiB");
    server.settle();
    assert_eq!(server.chat().counters.private_messages, 14);
    assert!(server.platform().text(bob).matches('x').count() >= 14 * 4000);
}
