//! The loop in a world in memory, in virtual time: the same seed gives the same run.

mod freeze;
mod limits;
mod model;
mod recorded;
mod runs;
mod shrink;
mod turns;

use std::time::Duration;

use hubbub::config::Settings;
use hubbub::net::{Exit, Server};

use crate::bodies::world::World;

/// More turns than any of these runs needs; whoever needs more has lost a wakeup, or spins.
const MAX_TURNS: usize = 20_000;

fn settings() -> Settings {
    Settings { flood_rate: 0, ..Settings::default() }
}

fn server(seed: u64, settings: Settings) -> Server<World> {
    Server::new(World::new(seed), settings, 1, 100).expect("memory for a log")
}

trait Run {
    /// Turns until there is nothing left to do.
    fn settle(&mut self);
    /// Turns until the clock has moved so far.
    fn pass(&mut self, time: Duration);
    /// One turn; a fatal error is a failure.
    fn step(&mut self) -> Option<Exit>;
    fn connect_as(&mut self, name: &str) -> usize;
    fn say(&mut self, peer: usize, text: &str);
    /// What a peer has received since the last call.
    fn hears(&mut self, peer: usize) -> Vec<String>;
}

impl Run for Server<World> {
    fn settle(&mut self) {
        for _ in 0..MAX_TURNS {
            self.step();
            if self.platform().quiet {
                return;
            }
        }
        panic!("no rest after {MAX_TURNS} turns");
    }

    fn pass(&mut self, time: Duration) {
        let end = self.platform().now + time;
        for _ in 0..MAX_TURNS {
            if self.platform().now >= end {
                return;
            }
            self.step();
        }
        panic!("time stands still");
    }

    fn step(&mut self) -> Option<Exit> {
        self.turn().expect("only EINTR, and that is nothing")
    }

    fn connect_as(&mut self, name: &str) -> usize {
        let peer = self.platform().connect();
        self.say(peer, name);
        self.settle();
        self.hears(peer);
        peer
    }

    fn say(&mut self, peer: usize, text: &str) {
        self.platform().send(peer, format!("{text}\n").as_bytes());
    }

    fn hears(&mut self, peer: usize) -> Vec<String> {
        let bytes = std::mem::take(&mut self.platform().peers[peer].received);
        let text = String::from_utf8(bytes).expect("the server speaks UTF-8");
        assert!(text.is_empty() || text.ends_with('\n'), "half a line: {text:?}");
        text.lines().map(str::to_owned).collect()
    }
}

#[test]
fn a_short_evening() {
    let mut server = server(1, settings());
    let alice = server.connect_as("Alice");
    let bob = server.connect_as("Bob");
    assert_eq!(server.hears(alice), ["[SERVER] Bob has joined the chat!"]);
    server.say(alice, "all hi\n@bob psst\nlist");
    server.settle();
    assert_eq!(server.hears(alice), ["[Alice]: hi", "[SERVER] Online users (2): Alice, Bob"]);
    assert_eq!(server.hears(bob), ["[Alice]: hi", "[From Alice]: psst"]);
    server.platform().end(alice);
    server.settle();
    assert_eq!(server.hears(bob), ["[SERVER] Alice has left the chat."]);
    assert!(server.platform().peers[alice].got_end);
    assert_eq!(server.connections(), 1);
}

#[test]
fn what_was_sent_before_the_end_is_done_and_answered() {
    let mut server = server(2, settings());
    let bot = server.platform().connect();
    let alice = server.connect_as("Alice");
    server.hears(bot);
    server.platform().send(bot, b"bot\n@Alice build is green\nlist");
    server.platform().end(bot);
    server.settle();
    let heard = server.hears(bot);
    assert_eq!(heard.last().unwrap(), "[SERVER] Online users (2): Alice, bot");
    assert!(server.hears(alice).contains(&"[From bot]: build is green".to_owned()));
    assert_eq!(server.connections(), 1, "and then closed");
}

#[test]
fn a_reset_is_a_leave_even_while_the_next_line_waits() {
    let settings = Settings { flood_rate: 1, flood_burst: 1, ..settings() };
    let mut server = server(3, settings);
    let alice = server.connect_as("Alice");
    let bob = server.connect_as("Bob");
    server.hears(alice);
    server.say(bob, "all 1\nall 2\nall 3");
    server.settle();
    server.platform().reset(bob);
    server.settle();
    assert_eq!(server.hears(alice), ["[Bob]: 1", "[SERVER] Bob has left the chat."]);
}

#[test]
fn a_connection_that_is_over_is_not_kept_until_its_lines_are_due() {
    let settings = Settings { flood_rate: 1, flood_burst: 1, ..settings() };
    let mut server = server(14, settings);
    let alice = server.connect_as("Alice");
    let bob = server.connect_as("Bob");
    server.hears(alice);
    server.say(bob, "@Alice 1\n@Alice 2\n@Alice 3");
    server.platform().reset(bob);
    server.settle();
    assert_eq!(server.hears(alice), ["[From Bob]: 1", "[SERVER] Bob has left the chat."]);
}

#[test]
fn a_flood_is_held_back_and_nothing_is_lost() {
    let mut server = server(4, Settings { flood_rate: 10, flood_burst: 5, ..settings() });
    let alice = server.connect_as("Alice");
    let lines: Vec<String> = (0..50).map(|n| format!("all {n}\n")).collect();
    server.platform().send(alice, lines.concat().as_bytes());
    server.platform().end(alice);
    server.pass(Duration::from_millis(1050));
    assert_eq!(server.hears(alice).len(), 15, "the burst, and a second's worth");
    server.pass(Duration::from_secs(4));
    assert_eq!(server.hears(alice).len(), 35);
    server.settle();
    assert_eq!(server.connections(), 0, "closed when all is done");
}

#[test]
fn who_sends_more_lines_at_once_than_one_turn_takes_gets_more_turns() {
    let mut server = server(15, settings());
    let alice = server.connect_as("Alice");
    let lines: Vec<String> = (0..300).map(|n| format!("all {n}\n")).collect();
    server.platform().send(alice, lines.concat().as_bytes());
    server.settle();
    assert_eq!(server.hears(alice).len(), 300);
}

#[test]
fn a_silent_connection_is_closed_and_told() {
    let mut server = server(5, settings());
    let silent = server.platform().connect();
    server.pass(Duration::from_secs(29));
    assert_eq!(server.hears(silent), ["[SERVER] Enter your name:"]);
    server.pass(Duration::from_secs(2));
    assert_eq!(server.hears(silent), ["[SERVER] You took too long to enter a name. Goodbye."]);
    assert!(server.platform().peers[silent].got_end);
    server.pass(Duration::from_secs(3));
    assert_eq!(server.connections(), 0, "it lingered for two seconds");
}

#[test]
fn who_stops_reading_delays_nobody_and_is_dropped_when_lapped() {
    let settings = Settings { log_bytes: 1 << 20, ..settings() };
    let mut server = server(6, settings);
    let alice = server.connect_as("Alice");
    let stalled = server.connect_as("Stalled");
    let bob = server.connect_as("Bob");
    server.hears(alice);
    server.platform().set_reads(stalled, false);
    let text = "x".repeat(100);
    for n in 0..11_000 {
        server.say(alice, &format!("all {n} {text}"));
        if n % 64 == 0 {
            server.settle();
        }
    }
    server.settle();
    let heard = server.hears(bob);
    let talk: Vec<_> = heard.iter().filter(|line| line.starts_with("[Alice]")).collect();
    assert_eq!(talk.len(), 11_000);
    assert!(talk.iter().enumerate().all(|(n, line)| line.starts_with(&format!("[Alice]: {n} x"))));
    assert!(heard.contains(&"[SERVER] Stalled has left the chat.".to_owned()));
    assert!(server.platform().peers[stalled].got_reset);
    assert_eq!(server.chat().counters.lapped, 1);
}

#[test]
fn who_takes_nothing_for_the_stall_time_out_is_dropped() {
    let mut server = server(7, settings());
    let alice = server.connect_as("Alice");
    let stalled = server.connect_as("Stalled");
    server.platform().set_reads(stalled, false);
    server.say(alice, &format!("all {}", "x".repeat(4000)));
    server.pass(Duration::from_secs(89));
    assert_eq!(server.connections(), 2);
    server.pass(Duration::from_secs(2));
    assert_eq!(server.connections(), 1);
    assert_eq!(server.chat().counters.stalled, 1);
}

#[test]
fn the_server_that_is_full_says_so_and_takes_the_next_when_somebody_goes() {
    let mut server = Server::new(World::new(8), settings(), 1, 2).expect("memory for a log");
    let alice = server.connect_as("Alice");
    let _bob = server.connect_as("Bob");
    let late: Vec<usize> = (0..20).map(|_| server.platform().connect()).collect();
    server.settle();
    assert_eq!(server.hears(late[0]), ["[SERVER] Server is full."]);
    assert!(server.hears(late[19]).is_empty(), "sixteen are told at one time; the others wait");
    for &peer in &late[..19] {
        server.platform().end(peer);
    }
    server.platform().end(alice);
    server.pass(Duration::from_secs(3));
    let carol = server.connect_as("Carol");
    server.say(carol, "list");
    server.settle();
    assert_eq!(server.hears(carol), ["[SERVER] Online users (2): Bob, Carol"]);
}

#[test]
fn a_stop_tells_everyone_writes_everything_and_ends() {
    let mut server = server(9, settings());
    let alice = server.connect_as("Alice");
    let newcomer = server.platform().connect();
    server.settle();
    server.hears(newcomer);
    server.platform().stop_server();
    let exit = (0..MAX_TURNS).find_map(|_| server.step());
    assert_eq!(exit, Some(Exit::Drained));
    for peer in [alice, newcomer] {
        assert_eq!(server.hears(peer), ["[SERVER] Server is shutting down."]);
    }
    assert!(!server.platform().listening);
}

#[test]
fn a_second_stop_does_not_wait() {
    let mut server = server(10, settings());
    let alice = server.connect_as("Alice");
    server.platform().set_reads(alice, false);
    server.platform().stop_server();
    assert_eq!(server.step(), None);
    server.platform().stop_server();
    assert_eq!(server.step(), Some(Exit::Forced));
}

#[test]
fn who_comes_late_is_asked_for_a_name_however_much_was_said_before() {
    let settings = Settings { log_bytes: 1 << 15, max_line: 64, ..settings() };
    let mut server = Server::new(World::new(11), settings, 1, 3).expect("memory for a log");
    let alice = server.connect_as("Alice");
    for n in 0..1000 {
        server.say(alice, &format!("all {n} and some more of it, to fill the log"));
        server.settle();
    }
    let late = server.platform().connect();
    server.settle();
    assert_eq!(server.hears(late), ["[SERVER] Enter your name:"]);
    assert_eq!(server.chat().counters.lapped, 0);
}

#[test]
fn talkers_who_wait_for_room_take_turns() {
    // Whoever's event comes first, and so is served first in the first turn.
    for seed in 0..8 {
        let settings = Settings { max_line: 64, out_budget: 320, ..settings() };
        let mut server = server(seed, settings);
        let (alice, bob) = (server.connect_as("Alice"), server.connect_as("Bob"));
        let endless: Vec<String> = (0..1000).map(|n| format!("all {n:08}\n")).collect();
        server.platform().send(alice, endless.concat().as_bytes());
        server.say(bob, "all me");
        server.settle();
        let heard = server.hears(bob);
        let before = heard.iter().position(|line| line == "[Bob]: me").unwrap();
        assert!(before < 100, "after {before} lines of one who never waits");
        assert_eq!(heard.len(), 1001);
    }
}

#[test]
fn those_over_the_limit_of_their_address_take_no_room_from_others() {
    let settings = Settings { max_per_address: Some(2), ..settings() };
    let mut server = Server::new(World::new(13), settings, 1, 4).expect("memory for a log");
    let greedy: Vec<usize> = (0..100).map(|_| server.platform().connect()).collect();
    server.settle();
    assert_eq!(server.hears(greedy[1]), ["[SERVER] Enter your name:"]);
    assert_eq!(server.hears(greedy[2]), ["[SERVER] Too many connections from your address."]);
    server.platform().address = [192, 0, 2, 1].into();
    let other = server.platform().connect();
    server.settle();
    assert_eq!(server.hears(other), ["[SERVER] Enter your name:"]);
    assert_eq!(server.connections(), 3 + 16, "so many are told at one time");
    server.pass(Duration::from_secs(3));
    assert_eq!(server.connections(), 3);
    assert_eq!(server.chat().counters.refused, 98);
}

#[test]
fn hogs_of_the_input_pool_silence_nobody_with_short_lines_and_give_back_what_they_keep() {
    let settings = Settings { input_bytes: 69_632, ..settings() };
    let mut server = server(14, settings);
    let alice = server.connect_as("Alice");
    let hogs: Vec<usize> = (0..12).map(|n| server.connect_as(&format!("hog{n}"))).collect();
    server.hears(alice);
    for &hog in &hogs {
        server.platform().send(hog, &[b'x'; 3500]);
    }
    server.settle();
    server.say(alice, "all short");
    server.settle();
    assert_eq!(server.hears(alice), ["[Alice]: short"]);
    server.say(alice, &format!("all {}", "long ".repeat(400)));
    server.settle();
    assert!(server.hears(alice).is_empty(), "it waits for room");
    for &hog in &hogs {
        server.platform().end(hog);
    }
    server.settle();
    let heard = server.hears(alice);
    assert_eq!(heard.iter().filter(|line| line.starts_with("[Alice]: long")).count(), 1);
    assert_eq!(server.connections(), 1, "their end was seen");
}
