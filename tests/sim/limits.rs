//! Limits that only a few ever meet, in the world in memory.

use std::time::Duration;

use hubbub::config::Settings;
use hubbub::net::Server;

use super::{Run, server, settings};
use crate::bodies::world::World;

#[test]
fn beyond_max_pending_the_oldest_without_a_name_is_told_and_goes() {
    let mut server = server(20, Settings { max_pending: 2, ..settings() });
    let alice = server.connect_as("Alice");
    let newcomers: Vec<usize> = (0..3).map(|_| server.platform().connect()).collect();
    server.settle();
    let told = "[SERVER] Too many connections wait to log in. Try again later.";
    assert_eq!(server.hears(newcomers[0]), ["[SERVER] Enter your name:", told]);
    assert!(server.platform().peers[newcomers[0]].got_end);
    server.say(newcomers[2], "Carol");
    server.settle();
    assert_eq!(server.hears(alice), ["[SERVER] Carol has joined the chat!"]);
    assert_eq!(server.chat().counters.refused, 1);
}

#[test]
fn who_asks_and_does_not_read_is_not_read_until_it_does() {
    let settings = Settings { mailbox_bytes: 2048, list_bytes: 1024, ..settings() };
    let mut server = server(21, settings);
    let alice = server.connect_as("Alice");
    server.platform().set_reads(alice, false);
    server.platform().send(alice, "help\n".repeat(1000).as_bytes());
    server.settle();
    assert!(server.chat().outbound.mail_bytes() <= 2048);
    assert!(server.chat().counters.lines < 100, "{:?}", server.chat().counters);
    server.platform().set_reads(alice, true);
    server.settle();
    assert_eq!(server.hears(alice).len(), 1000);
    assert_eq!(server.chat().counters.answers_dropped, 0);
}

#[test]
fn who_goes_on_sending_after_quit_is_not_read_for_ever() {
    let settings = Settings { close_timeout: Duration::from_secs(3600), ..settings() };
    let mut server = server(22, settings);
    let alice = server.connect_as("Alice");
    server.say(alice, "quit");
    server.settle();
    assert_eq!(server.connections(), 1, "it lingers");
    server.platform().send(alice, &vec![b'x'; 60_000]);
    server.settle();
    assert_eq!(server.connections(), 1, "it may have been on its way");
    server.platform().send(alice, &vec![b'x'; 60_000]);
    server.settle();
    assert_eq!(server.connections(), 0);
}

/// A room where one says six lines of a KiB every ten milliseconds, and the slow take two KiB.
/// So the slow read some 200 KiB a second.
struct SlowRoom {
    server: Server<World>,
    fast: Vec<usize>,
    slow: Vec<usize>,
}

impl SlowRoom {
    const LINES: usize = 4002;
    const LINES_AT_ONCE: usize = 6;
    const TICK: Duration = Duration::from_millis(10);
    const TICKS: usize = 2500;

    fn new(seed: u64, fast: usize, slow: usize, min_rate: u32) -> Self {
        let settings = Settings { log_bytes: 1 << 20, min_rate, ..settings() };
        let mut server = server(seed, settings);
        let mut join = |from, to| (from..to).map(|n| server.connect_as(&format!("r{n}"))).collect();
        let (fast, slow) = (join(0, fast), join(fast, fast + slow));
        Self { server, fast, slow }
    }

    /// How many lines each has heard when the talker has said everything.
    fn evening(&mut self) -> [Vec<usize>; 2] {
        let talker = self.server.connect_as("Talker");
        let lines = format!("all {}\n", "x".repeat(1000)).repeat(Self::LINES_AT_ONCE);
        for tick in 0..Self::TICKS {
            if tick < Self::LINES.div_ceil(Self::LINES_AT_ONCE) {
                self.server.platform().send(talker, lines.as_bytes());
            }
            self.set_slow_read(false);
            let next = self.server.platform().now + Self::TICK;
            self.server.platform().horizon = Some(next);
            self.server.pass(Self::TICK);
            self.server.settle();
            self.set_slow_read(true);
            self.server.platform().deliver();
        }
        self.server.settle();
        let server = &mut self.server;
        [&self.fast, &self.slow].map(|group| {
            let lines = |peer: &usize| server.platform().text(*peer).matches("[Talker]: ").count();
            group.iter().map(lines).collect()
        })
    }

    fn set_slow_read(&mut self, reads: bool) {
        for &peer in &self.slow {
            self.server.platform().set_reads(peer, reads);
        }
    }
}

#[test]
fn whoever_keeps_up_the_minimum_rate_is_waited_for_and_stays() {
    for (seed, fast, slow) in [(23, 2, 5), (24, 12, 1)] {
        let mut room = SlowRoom::new(seed, fast, slow, 128 << 10);
        let heard = room.evening();
        assert_eq!(heard, [vec![SlowRoom::LINES; fast], vec![SlowRoom::LINES; slow]]);
        let counters = room.server.chat().counters;
        assert!(counters.holds > 0, "{counters:?}");
        assert_eq!(counters.closed, 0, "{counters:?}");
    }
}

#[test]
fn whoever_reads_below_the_minimum_rate_is_dropped_however_many_they_are() {
    for (seed, fast, slow) in [(25, 12, 2), (26, 2, 12)] {
        let mut room = SlowRoom::new(seed, fast, slow, 512 << 10);
        let [quick, sluggish] = room.evening();
        assert_eq!(quick, vec![SlowRoom::LINES; fast]);
        assert!(sluggish.iter().all(|&heard| 200 < heard && heard < SlowRoom::LINES));
        let counters = room.server.chat().counters;
        assert_eq!(counters.too_slow + counters.lapped, slow as u64, "{counters:?}");
    }
}
