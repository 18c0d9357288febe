//! Each test is an exact list of what everyone reads, in virtual time.

use super::*;
use crate::outbound;
use crate::wire::{Foreign, Frame};

mod limits;

const START: Duration = Duration::from_secs(100);

fn limits() -> Limits {
    Limits {
        max_line: 4096,
        list_bytes: 65_536,
        login_timeout: Duration::from_secs(30),
        flood: FloodLimits::OFF,
        announce_up_to: 100,
        announce: FloodLimit { rate: 5, burst: 20 },
    }
}

/// Limits for what a client says, and no others.
fn flood(rate: u32, burst: u32) -> FloodLimits {
    FloodLimits { client: FloodLimit { rate, burst }, ..FloodLimits::OFF }
}

fn outbound_limits() -> outbound::Limits {
    outbound::Limits {
        log_bytes: 1 << 16,
        mailbox_bytes: 1 << 12,
        mailbox_total: 1 << 20,
        out_budget: 1 << 14,
        flush_slice: 0,
        stall_timeout: Duration::from_secs(90),
        min_rate: 64 << 10,
    }
}

/// A chat in which everyone reads everything at once.
struct Room {
    chat: Chat,
    now: Duration,
}

impl Room {
    fn new(limits: Limits) -> Self {
        Self { chat: Chat::new(limits, Outbound::new(outbound_limits()).unwrap()), now: START }
    }

    fn with(names: &[&str]) -> Self {
        let mut room = Self::new(limits());
        for (key, name) in names.iter().enumerate() {
            room.connect(key);
            room.says(key, name);
        }
        for key in 0..names.len() {
            room.reads(key);
        }
        room
    }

    fn connect(&mut self, key: usize) {
        self.chat.handle_connect(id(key), 0, self.now);
    }

    /// Says a line that is taken.
    fn says(&mut self, key: usize, line: &str) {
        assert_eq!(self.step(key, line), Step::Next, "{line:?}");
    }

    fn step(&mut self, key: usize, line: &str) -> Step {
        self.chat.handle_frame(id(key), Frame::Line(line.as_bytes()), self.now)
    }

    /// Everything that a client has to read.
    fn reads(&mut self, key: usize) -> Vec<String> {
        self.chat.outbound.begin_flush();
        while self.chat.outbound.poll_flush().is_some() {}
        let mut bytes = Vec::new();
        loop {
            let batch = self.chat.outbound.batch(id(key), 1 << 20).expect("not lapped");
            let Some(written) = std::num::NonZero::new(batch.len()) else { break };
            bytes.extend(batch.slices().iter().flat_map(|slice| slice.to_vec()));
            self.chat.outbound.handle_written(id(key), written.get());
        }
        String::from_utf8(bytes).unwrap().lines().map(str::to_owned).collect()
    }
}

fn id(key: usize) -> ClientId {
    ClientId { key: u32::try_from(key).unwrap(), generation: 1 }
}

#[test]
fn empty_lines_before_a_name_are_no_try_but_cost_a_token_unless_they_are_rare() {
    let mut room = Room::new(Limits { flood: flood(1, 5), ..limits() });
    room.connect(0);
    (0..6).for_each(|_| room.says(0, ""));
    assert_eq!(room.step(0, ""), Step::Wait(START + Duration::from_secs(1)));
    room.says(0, "Alice");
}

#[test]
fn two_people_meet_and_part() {
    let mut room = Room::new(limits());
    room.connect(0);
    room.says(0, "Alice");
    room.connect(1);
    room.says(1, "Bob");
    room.says(1, "all hello");
    room.says(0, "@bob psst");
    room.says(0, "list");
    assert_eq!(room.step(1, "quit"), Step::Close);
    assert_eq!(room.step(1, "all ghost"), Step::Close);
    let welcome = "! Commands: @Name text, all text, list, help, quit";
    assert_eq!(
        room.reads(0),
        [
            "[SERVER] Enter your name:",
            &format!("[SERVER] Welcome Alice{welcome}"),
            "[SERVER] Bob has joined the chat!",
            "[Bob]: hello",
            "[SERVER] Online users (2): Alice, Bob",
            "[SERVER] Bob has left the chat.",
        ]
    );
    assert_eq!(
        room.reads(1),
        [
            "[SERVER] Enter your name:",
            &format!("[SERVER] Welcome Bob{welcome}"),
            "[Bob]: hello",
            "[From Alice]: psst",
        ]
    );
    assert!(room.chat.outbound.is_finished(id(1)));
}

#[test]
fn what_makes_no_sense_gets_one_notice() {
    let mut room = Room::with(&["Alice"]);
    for line in ["@Nobody hi", "@Bob", "all ", "allegory", "", "\u{1b}[31m"] {
        room.says(0, line);
    }
    assert_eq!(room.chat.handle_frame(id(0), Frame::TooLong, room.now), Step::Next);
    assert_eq!(room.chat.handle_frame(id(0), Frame::Line(b"all \xff"), room.now), Step::Next);
    assert_eq!(
        room.reads(0),
        [
            "[SERVER] User 'Nobody' not found.",
            "[SERVER] Message format error. Use: @Name Message",
            "[SERVER] Message format error. Use: all Message",
            "[SERVER] Unknown command 'allegory'. Use: @Name text, all text, list, help, quit",
            "[SERVER] Unknown command '?[31m'. Use: @Name text, all text, list, help, quit",
            "[SERVER] Line dropped: it is longer than 4,096 bytes.",
            "[SERVER] Line dropped: it is not UTF-8 text.",
        ]
    );
}

#[test]
fn a_name_has_three_tries_and_its_holder_keeps_it() {
    let mut room = Room::with(&["Alice"]);
    room.connect(1);
    room.says(1, "");
    room.says(1, "two words");
    room.says(1, "aIice");
    assert_eq!(room.step(1, "SERVER"), Step::Close);
    assert_eq!(
        room.reads(1),
        [
            "[SERVER] Enter your name:",
            "[SERVER] Invalid name: it holds a space.",
            "[SERVER] Enter your name:",
            "[SERVER] Name already taken. Alice is online.",
            "[SERVER] Enter your name:",
            "[SERVER] Invalid name: it is a word that the server uses: SERVER.",
            "[SERVER] That was the last try. Goodbye.",
        ]
    );
    assert_eq!(
        room.reads(0),
        ["[SERVER] Somebody else asked for your name. It stays yours."],
        "and no word of who never was here"
    );
    room.now += Duration::from_secs(29);
    room.connect(2);
    room.says(2, "Alice");
    assert!(room.reads(0).is_empty(), "told once in 30 s");
    room.now += Duration::from_secs(1);
    room.says(2, "Alice");
    assert_eq!(room.reads(0).len(), 1);
}

#[test]
fn other_protocols_are_told_and_closed() {
    for (frame, word) in [
        (Frame::Line(b"POST / HTTP/1.1"), "[SERVER] This is not an HTTP server."),
        (Frame::Foreign(Foreign::Tls), "[SERVER] This is not a TLS server."),
    ] {
        let mut room = Room::new(limits());
        room.connect(0);
        assert_eq!(room.chat.handle_frame(id(0), frame, room.now), Step::Close);
        assert_eq!(room.reads(0), ["[SERVER] Enter your name:", word]);
    }
    let mut room = Room::new(limits());
    room.connect(0);
    room.says(0, "GET");
    assert_eq!(room.chat.online(), 1, "a user named GET is fine");
}

#[test]
fn only_a_first_line_is_taken_for_another_protocol() {
    let mut room = Room::new(limits());
    room.connect(0);
    room.says(0, "two words");
    room.says(0, "GET / HTTP/1.1");
    assert_eq!(room.reads(0)[3], "[SERVER] Invalid name: it holds a space.");
}

#[test]
fn a_newcomer_hears_nothing_and_runs_out_of_time() {
    let mut room = Room::with(&["Alice"]);
    room.connect(1);
    room.says(0, "all secret");
    let deadline = room.chat.login_deadline(id(1)).unwrap();
    assert_eq!(deadline, room.now + Duration::from_secs(30));
    assert_eq!(
        room.chat.handle_login_deadline(id(1), deadline.saturating_sub(Duration::from_millis(1))),
        Step::Next
    );
    assert_eq!(room.chat.handle_login_deadline(id(1), deadline), Step::Close);
    assert_eq!(
        room.reads(1),
        ["[SERVER] Enter your name:", "[SERVER] You took too long to enter a name. Goodbye."]
    );
    assert_eq!(room.chat.handle_login_deadline(id(0), room.now * 9), Step::Next);
}

#[test]
fn who_talks_too_fast_waits_and_loses_nothing() {
    let mut room = Room::new(Limits { flood: flood(10, 2), ..limits() });
    room.connect(0);
    room.says(0, "Alice");
    room.says(0, "all 1");
    room.says(0, "all 2");
    let Step::Wait(later) = room.step(0, "all 3") else { panic!("no wait") };
    assert_eq!(later, room.now + Duration::from_millis(100));
    room.now = later;
    room.says(0, "all 3");
    assert_eq!(room.reads(0)[2..], ["[Alice]: 1", "[Alice]: 2", "[Alice]: 3"]);
}

#[test]
fn who_does_not_read_its_answers_gets_no_more_of_them() {
    let mut room = Room::with(&["Alice", "Bob"]);
    let mut lines = 0;
    while room.step(0, "help") == Step::Next {
        lines += 1;
        assert!(lines < 1000);
    }
    assert_eq!(room.step(0, "help"), Step::Clogged);
    assert_eq!(room.reads(0).len(), lines);
    room.says(0, "help");
}

#[test]
fn a_full_mailbox_is_told_to_the_sender_and_costs_the_receiver_nothing() {
    let mut room = Room::with(&["Alice", "Bob"]);
    let text = "x".repeat(1000);
    for _ in 0..5 {
        room.says(0, &format!("@Bob {text}"));
    }
    assert_eq!(
        room.reads(0),
        ["[SERVER] Message to Bob not delivered: too much is waiting for them. Try again later.";
            1]
    );
    assert_eq!(room.reads(1).len(), 4);
    assert_eq!(room.chat.counters.undelivered, 1);
}

#[test]
fn talkers_are_held_until_there_is_room_and_their_clocks_stand_still() {
    let mut room = Room::with(&["Alice", "Bob"]);
    let text = format!("all {}", "x".repeat(4000));
    while room.step(0, &text) == Step::Next {}
    assert_eq!(room.step(0, &text), Step::Hold);
    room.says(1, "@Alice private lines go on");
    room.connect(2);
    assert_eq!(room.step(2, "Carol"), Step::Hold, "a joiner is announced, so it waits too");
    let deadline = room.chat.login_deadline(id(2)).unwrap();
    room.chat.handle_held(id(2), Duration::from_secs(4));
    assert_eq!(room.chat.login_deadline(id(2)), Some(deadline + Duration::from_secs(4)));
    room.reads(0);
    assert_eq!(room.step(0, &text), Step::Next);
}

#[test]
fn a_joiner_who_is_told_in_a_sum_is_not_held() {
    let mut room = Room::new(Limits { announce_up_to: 1, ..limits() });
    (0..2).for_each(|key| room.connect(key));
    room.says(0, "Alice");
    while room.step(0, &format!("all {}", "x".repeat(4000))) == Step::Next {}
    room.says(1, "Bob");
}

#[test]
fn a_big_room_is_told_in_sums_and_each_event_once() {
    let mut room = Room::new(Limits { announce_up_to: 2, ..limits() });
    for (key, name) in ["Ada", "Ben", "Cy", "Dan"].into_iter().enumerate() {
        room.connect(key);
        room.says(key, name);
    }
    room.chat.handle_disconnect(id(3), room.now);
    room.chat.handle_disconnect(id(2), room.now);
    room.chat.handle_disconnect(id(1), room.now);
    assert_eq!(room.chat.news_deadline(), Some(room.now + Duration::from_secs(1)));
    room.chat.handle_news(room.now);
    room.now += Duration::from_secs(1);
    room.chat.handle_news(room.now);
    assert_eq!(
        room.reads(0)[2..],
        ["[SERVER] Ben has joined the chat!", "[SERVER] 2 joined, 3 left (1 online)",]
    );
    assert_eq!(room.chat.news_deadline(), None);
}

#[test]
fn a_list_that_is_too_long_is_cut_and_counted() {
    let mut room = Room::new(Limits { list_bytes: 128 + 15, ..limits() });
    for (key, name) in ["Ada", "ada2", "Adam", "Bo", "Cy", "Dan"].into_iter().enumerate() {
        room.connect(key);
        room.says(key, name);
    }
    room.reads(0);
    for line in ["list", "list ada", "LIST x"] {
        room.says(0, line);
    }
    assert_eq!(
        room.reads(0),
        [
            "[SERVER] Online users (6): Ada, ada2, Adam ... and 3 more",
            "[SERVER] Online users (3): Ada, ada2, Adam",
            "[SERVER] Nobody online has a name that begins with 'x'.",
        ]
    );
}

#[test]
fn a_list_costs_a_token_for_each_kib_of_names() {
    let mut room = Room::new(Limits { flood: flood(1, 5), ..limits() });
    for key in 0..40 {
        room.connect(key);
        room.says(key, &format!("{key:030}"));
    }
    room.says(0, "list");
    (0..3).for_each(|_| room.says(0, "help"));
    assert_eq!(room.step(0, "help"), Step::Wait(START + Duration::from_secs(1)));
}

#[test]
fn who_is_refused_is_told_why_and_nothing_else() {
    let mut room = Room::with(&["Alice"]);
    for key in 1..3 {
        room.chat.handle_refused(id(key), Notice::Full);
        room.says(0, "all secret");
        assert_eq!(room.step(key, "Eve"), Step::Close);
        assert_eq!(room.reads(key), ["[SERVER] Server is full."]);
        assert!(room.chat.outbound.is_finished(id(key)));
    }
    assert_eq!((room.chat.online(), room.chat.counters.refused), (1, 2));
}

#[test]
fn who_is_expelled_is_told_why_and_has_left() {
    let mut room = Room::with(&["Alice", "Bob", "Cy"]);
    for (key, left) in
        [(1, "[SERVER] Bob has left the chat."), (2, "[SERVER] Cy has left the chat.")]
    {
        room.chat.handle_expelled(id(key), Notice::PendingFull, room.now);
        assert_eq!(room.reads(0), [left]);
        assert_eq!(room.step(key, "all ghost"), Step::Close);
    }
    let why = "[SERVER] Too many connections wait to log in. Try again later.";
    assert_eq!(room.reads(1), [why]);
    assert_eq!(room.chat.counters.refused, 2);
}

#[test]
fn who_ends_its_stream_has_left_and_reads_what_was_said_before() {
    let mut room = Room::with(&["Alice", "Bob"]);
    room.says(0, "all before");
    room.chat.handle_end(id(1), room.now);
    room.says(0, "all after");
    assert_eq!(room.reads(1), ["[Alice]: before"]);
    assert!(room.chat.outbound.is_finished(id(1)));
    let heard = ["[Alice]: before", "[SERVER] Bob has left the chat.", "[Alice]: after"];
    assert_eq!(room.reads(0), heard);
}

#[test]
fn what_happens_is_counted() {
    let mut room = Room::with(&["Alice", "Bob"]);
    for line in ["all one", "all two", "@Bob one", "@Bob two", "nonsense"] {
        room.says(0, line);
    }
    let counters = room.chat.counters;
    assert_eq!((counters.logins, counters.lines), (2, 5));
    assert_eq!((counters.broadcasts, counters.private_messages), (2, 2));
}

#[test]
fn answers_that_do_not_fit_are_dropped_and_counted() {
    let mut room = Room::with(&["Alice", "Bob"]);
    (0..4).for_each(|_| room.says(0, &format!("@Bob {}", "x".repeat(1000))));
    for key in 2..4 {
        room.connect(key);
        room.says(key, "Bob");
        room.now += Duration::from_secs(30);
    }
    assert_eq!(room.reads(1).len(), 4, "the word that his name is wanted had no room");
    assert_eq!(room.chat.counters.answers_dropped, 2);
}

#[test]
fn everyone_is_told_of_the_shutdown_and_nobody_of_the_leaving() {
    let mut room = Room::with(&["Alice", "Bob"]);
    room.connect(2);
    room.reads(2);
    room.chat.handle_shutdown();
    for key in 0..3 {
        assert_eq!(room.reads(key), ["[SERVER] Server is shutting down."]);
        assert!(room.chat.outbound.is_finished(id(key)));
    }
    assert_eq!(room.chat.online(), 0);
}
