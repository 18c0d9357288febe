//! Whole evenings from a seed, with everything going wrong that can, and then nothing any more:
//! whatever can still be delivered has to arrive.

use std::time::Duration;

use hubbub::config::Settings;
use hubbub::net::Server;

use super::Run;
use crate::bodies::world::{Faults, World};

/// How many seeds are run. `HUBBUB_SEEDS` says otherwise; `HUBBUB_SEED` runs that one alone.
const SEEDS: u64 = 256;

const STEPS: usize = 300;

#[test]
fn once_faults_stop_every_message_arrives_in_one_order() {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let seeds = match number("HUBBUB_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("HUBBUB_SEEDS").unwrap_or(SEEDS),
    };
    for seed in seeds {
        let run = std::panic::catch_unwind(|| evening(seed));
        assert!(run.is_ok(), "to see it again: HUBBUB_SEED={seed}");
    }
}

fn evening(seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed ^ 0x5eed);
    let flush_slice = random.choice([0, 1, 3, 128]).unwrap();
    let settings = Settings {
        flood_rate: random.choice([0, 0, 200]).unwrap(),
        max_line: 200,
        log_bytes: 1 << 16,
        out_budget: 4096,
        list_bytes: 1024,
        mailbox_bytes: 4096,
        flush_slice,
        close_timeout: Duration::from_millis(200),
        ..Settings::default()
    };
    let mut server = Server::new(World::new(seed), settings, 1, 12);
    server.platform().faults = Faults {
        short: random.u8(0..60),
        interrupted: random.u8(0..20),
        no_descriptor: random.u8(0..30),
        aborted: random.u8(0..20),
        spurious: random.u8(0..20),
    };
    let mut said = 0;
    for _ in 0..STEPS {
        act(&mut server, &mut random, &mut said);
        for _ in 0..random.u8(0..4) {
            server.step();
        }
    }
    server.platform().faults = Faults::default();
    // Whoever sent half a line ends it, and whoever still waits at the door comes in.
    everyone_reads_and_sends(&mut server, b"\n");
    everyone_reads_and_sends(&mut server, b"all over\n");
    check(&mut server);
}

fn everyone_reads_and_sends(server: &mut Server<World>, bytes: &[u8]) {
    for peer in 0..server.platform().peers.len() {
        server.platform().set_reads(peer, true);
        if server.platform().can_send(peer) {
            server.platform().send(peer, bytes);
        }
    }
    server.settle();
    server.pass(Duration::from_secs(5));
    server.settle();
}

/// Something that a client does.
fn act(server: &mut Server<World>, random: &mut fastrand::Rng, said: &mut u32) {
    let count = server.platform().peers.len();
    if count < 3 || random.u8(0..10) == 0 {
        let peer = server.platform().connect();
        server.say(peer, &format!("user{peer}"));
        return;
    }
    let peer = random.usize(0..count);
    if !server.platform().can_send(peer) {
        return;
    }
    *said += 1;
    match random.u8(0..40) {
        0..16 => server.say(peer, &format!("all n{said}")),
        16..24 => {
            let to = random.usize(0..count);
            server.say(peer, &format!("@user{to} p{said}"));
        }
        24..28 => server.platform().send(peer, format!("all half{said}").as_bytes()),
        28..30 => server.say(peer, "list"),
        30 => server.say(peer, &"x".repeat(300)),
        31..34 => server.platform().set_reads(peer, false),
        34..38 => server.platform().set_reads(peer, true),
        38 => server.platform().end(peer),
        _ => server.platform().reset(peer),
    }
}

fn check(server: &mut Server<World>) {
    let count = server.platform().peers.len();
    let mut longest: Vec<String> = Vec::new();
    let mut alive = Vec::new();
    for peer in 0..count {
        let text = server.platform().text(peer);
        let broadcasts: Vec<String> =
            text.lines().filter(|line| line.starts_with("[user")).map(str::to_owned).collect();
        let state = &server.platform().peers[peer];
        let cut_off = state.reset || state.got_reset || state.closed;
        assert!(cut_off || text.is_empty() || text.ends_with('\n'), "half a line to {peer}");
        if text.contains("Welcome") && !state.ended && !cut_off {
            if broadcasts.len() > longest.len() {
                longest.clone_from(&broadcasts);
            }
            alive.push((peer, broadcasts));
        }
    }
    let last = alive.iter().map(|(peer, _)| format!("[user{peer}]: over"));
    for word in last {
        for (peer, broadcasts) in &alive {
            let times = broadcasts.iter().filter(|line| **line == word).count();
            assert_eq!(times, 1, "user{peer} heard {word:?} {times} times");
        }
    }
    for (peer, broadcasts) in &alive {
        let common = broadcasts.len().min(longest.len());
        let ends = (&broadcasts[broadcasts.len() - common..], &longest[longest.len() - common..]);
        assert_eq!(ends.0, ends.1, "user{peer} heard another order");
    }
    let counters = server.chat().counters;
    assert_eq!(counters.accepted, counters.closed + server.connections() as u64);
    assert_eq!(server.chat().online(), alive.len(), "{counters}");
}
