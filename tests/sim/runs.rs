//! Whole evenings from a seed, with everything going wrong that can, and then nothing any more:
//! whatever can still be delivered has to arrive.

use std::collections::BTreeMap;
use std::panic::catch_unwind;
use std::time::{Duration, Instant};

use hubbub::config::Settings;
use hubbub::net::Server;

use super::shrink::{panics, shrunk};
use super::{MAX_TURNS, Run};
use crate::bodies::world::{Faults, World};

/// How many seeds are run. `HUBBUB_SEEDS` says otherwise; `HUBBUB_SEED` runs that one alone, and
/// `HUBBUB_STEPS` only those of its steps, by number.
const SEEDS: u64 = 256;

const STEPS: usize = 700;
const MAX_CLIENTS: usize = 12;
const MAX_LINE: usize = 200;
const MAILBOX_TOTAL: usize = 8192;

/// What one evening can make mailboxes allocate beyond their total: each may hold answers of a KiB,
/// allocates half as much again, and the notes of its letters.
const MAILBOX_RESERVE: usize = MAX_CLIENTS * 2048;

/// Everything that goes wrong at some time in so many seeds.
const KINDS: [&str; 19] = [
    "EAGAIN on write",
    "ECONNABORTED on accept",
    "ECONNRESET on read",
    "EINTR on accept",
    "EINTR on poll",
    "EINTR on read",
    "EINTR on write",
    "ENOTCONN on shutdown",
    "EPIPE on write",
    "event for a former occupant",
    "event without a reason",
    "leap of the clock",
    "no descriptor or no memory on accept",
    "readable and closed together",
    "short read",
    "short write",
    "slot reused within a batch",
    "traffic after shutdown",
    "two events for one socket",
];

#[test]
fn once_faults_stop_every_message_arrives_in_one_order() {
    #[expect(clippy::disallowed_methods, reason = "for the figures that are printed")]
    let begin = Instant::now();
    let setting = |name| std::env::var(name).ok();
    let number = |text: String| text.parse::<u64>().expect("a number");
    let (mut met, mut turns) = (BTreeMap::new(), 0_u64);
    let seeds = match setting("HUBBUB_SEED").map(number) {
        Some(seed) => seed..seed + 1,
        None => 0..setting("HUBBUB_SEEDS").map_or(SEEDS, number),
    };
    let steps = setting("HUBBUB_STEPS").map(|text| {
        text.split(',').map(|step| step.trim().parse().expect("a step's number")).collect()
    });
    for seed in seeds.clone() {
        let steps: Vec<usize> = steps.clone().unwrap_or_else(|| (0..STEPS).collect());
        let Ok(world) = catch_unwind(|| Evening::new(seed).play(&steps)) else {
            panic!("{}", report(seed, &steps));
        };
        turns += world.turns;
        for (kind, times) in world.met {
            *met.entry(kind).or_insert(0) += times;
        }
    }
    let count = seeds.end - seeds.start;
    let per_second = |what| u128::from(what) * 1000 / begin.elapsed().as_millis().max(1);
    println!(
        "{count} seeds, {} a second; {turns} turns, {} a second",
        per_second(count),
        per_second(turns)
    );
    for (kind, times) in &met {
        println!("{times:>12} {kind}");
    }
    if count >= SEEDS {
        assert!(met.keys().eq(&KINDS), "some kind of fault was never met: {met:?}");
    }
}

/// What a failing seed comes down to, and how to see it again.
fn report(seed: u64, steps: &[usize]) -> String {
    let these = |some: &[usize]| some.iter().map(|&at| steps[at]).collect::<Vec<_>>();
    let fails = |some: &[usize]| {
        panics(|| {
            Evening::new(seed).play(&these(some));
        })
    };
    let kept = these(&shrunk(steps.len(), fails));
    let evening = Evening::new(seed);
    let trace: Vec<String> =
        kept.iter().map(|&step| format!("{step:>4} {:?}", evening.steps[step])).collect();
    let numbers: Vec<String> = kept.iter().map(ToString::to_string).collect();
    format!(
        "with {:?}, these steps of seed {seed} are enough:\n{}\nto see it again: \
         HUBBUB_SEED={seed} HUBBUB_STEPS={} cargo test --test main sim::runs",
        evening.faults,
        trace.join("\n"),
        numbers.join(",")
    )
}

/// What a client does, or what happens. Clients are counted round those who came.
#[derive(Clone, Debug)]
enum Step {
    Connect,
    Send(usize, String),
    StopReading(usize),
    Read(usize),
    End(usize),
    /// After these words.
    Reset(usize, &'static str),
    StopServer,
    Turn,
}

/// All that a seed says.
struct Evening {
    seed: u64,
    settings: Settings,
    faults: Faults,
    steps: Vec<Step>,
}

impl Evening {
    fn new(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed ^ 0x5eed);
        let settings = Settings {
            flood_rate: random.choice([0, 0, 200]).unwrap(),
            max_line: MAX_LINE,
            log_bytes: 1 << 16,
            out_budget: 4096,
            list_bytes: 1024,
            mailbox_bytes: 4096,
            mailbox_total: MAILBOX_TOTAL,
            flush_slice: random.choice([0, 1, 3, 128]).unwrap(),
            close_timeout: Duration::from_millis(200),
            ..Settings::default()
        };
        let faults = Faults {
            short: random.u8(0..60),
            interrupted: random.u8(0..20),
            no_descriptor: random.u8(0..30),
            aborted: random.u8(0..20),
            spurious: random.u8(0..20),
            split: random.u8(0..50),
            leaps: random.choice([0, 0, 0, 1]).unwrap(),
        };
        // One evening in eight ends early.
        let stops_at = (random.u8(0..8) == 0).then(|| random.usize(0..STEPS));
        let mut connected = 0;
        let step = |number| match stops_at {
            Some(at) if at == number => Step::StopServer,
            _ => step(&mut random, number, &mut connected),
        };
        let steps = (0..STEPS).map(step).collect();
        Self { seed, settings, faults, steps }
    }

    /// Plays some of the steps, and then lets everything arrive that can.
    fn play(&self, steps: &[usize]) -> World {
        let world = World::new(self.seed);
        let mut server =
            Server::new(world, self.settings.clone(), 1, MAX_CLIENTS).expect("memory for a log");
        server.platform().faults = self.faults;
        let mut exit = None;
        for step in steps.iter().map(|&step| &self.steps[step]) {
            act(&mut server, step);
            if matches!(step, Step::Turn) && exit.is_none() {
                exit = server.step();
            }
            let mail = server.chat().outbound.mail_bytes();
            assert!(mail <= MAILBOX_TOTAL + MAILBOX_RESERVE, "{mail} bytes of mail");
        }
        server.platform().faults = Faults::default();
        if server.platform().was_stopped() {
            for _ in 0..MAX_TURNS {
                exit = exit.or_else(|| server.step());
            }
            assert!(exit.is_some(), "it does not stop");
        } else {
            // Whoever sent half a line ends it, and whoever still waits at the door comes in.
            everyone_reads_and_sends(&mut server, b"\n");
            everyone_reads_and_sends(&mut server, b"all over\n");
        }
        check(&mut server);
        std::mem::replace(server.platform(), World::new(0))
    }
}

fn step(random: &mut fastrand::Rng, number: usize, connected: &mut usize) -> Step {
    if *connected < 3 || random.u8(0..25) == 0 {
        *connected += 1;
        return Step::Connect;
    }
    let peer = random.usize(0..*connected);
    let to = random.usize(0..*connected);
    match random.u8(0..100) {
        0..12 => Step::Send(peer, format!("all n{number}\n")),
        12..16 => Step::Send(peer, format!("all n{number} {}\n", "y".repeat(150))),
        16..24 => Step::Send(peer, format!("@user{to} p{number}\n")),
        24..28 => Step::Send(peer, format!("all half{number}")),
        28..30 => Step::Send(peer, "list\n".to_owned()),
        30 => Step::Send(peer, format!("{}\n", "x".repeat(300))),
        31 => Step::Send(peer, "quit\n".to_owned()),
        32..34 => Step::StopReading(peer),
        34..36 => Step::Read(peer),
        36 => Step::End(peer),
        37 => Step::Reset(peer, random.choice(["", "quit\n"]).unwrap()),
        38 => Step::Send(peer, format!("all b{number}\n").repeat(100)),
        39 => Step::Send(peer, "help\n".repeat(100)),
        _ => Step::Turn,
    }
}

fn act(server: &mut Server<World>, step: &Step) {
    let world = server.platform();
    let count = world.peers.len();
    match step {
        Step::Connect => {
            let peer = world.connect();
            world.send(peer, format!("user{peer}\n").as_bytes());
        }
        Step::StopServer => world.stop_server(),
        Step::Turn => {}
        Step::Send(who, _)
        | Step::StopReading(who)
        | Step::Read(who)
        | Step::End(who)
        | Step::Reset(who, _) => {
            let Some(peer) = who.checked_rem(count).filter(|&peer| world.can_send(peer)) else {
                return;
            };
            match step {
                Step::Send(_, text) => world.send(peer, text.as_bytes()),
                Step::End(_) => world.end(peer),
                Step::Reset(_, last) => {
                    world.send(peer, last.as_bytes());
                    world.reset(peer);
                }
                _ => world.set_reads(peer, matches!(step, Step::Read(_))),
            }
        }
    }
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

/// Somebody who has heard everything until the end.
struct Witness {
    peer: usize,
    lines: Vec<String>,
    broadcasts: Vec<String>,
    /// What it has said to all, and to whom it has said something privately.
    said: Vec<String>,
    whispered: Vec<String>,
}

impl Witness {
    fn of(world: &World, peer: usize) -> Option<Self> {
        let text = world.text(peer);
        let state = &world.peers[peer];
        // A server whose grace is over leaves those who do not read in the middle of a line.
        let cut_off = state.reset || state.got_reset || (world.was_stopped() && !state.got_end);
        assert!(cut_off || text.is_empty() || text.ends_with('\n'), "half a line to {peer}");
        let is_whole = if world.was_stopped() {
            text.ends_with("[SERVER] Server is shutting down.\n")
        } else {
            !state.ended && !state.got_end
        };
        if cut_off || !is_whole || !text.contains("Welcome") {
            return None;
        }
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let broadcasts = lines.iter().filter(|line| line.starts_with("[user")).cloned().collect();
        let sent = String::from_utf8(state.sent.clone()).expect("nobody sends anything else");
        // The first line is the name.
        let sent = sent.lines().skip(1).filter(|line| line.len() < MAX_LINE);
        let said = sent.clone().filter_map(|line| line.strip_prefix("all "));
        let said = said.map(|text| format!("[user{peer}]: {text}")).collect();
        let whispered = sent.filter_map(|line| Some(line.strip_prefix('@')?.split_once(' ')?.0));
        let whispered = whispered.map(str::to_owned).collect();
        Some(Self { peer, lines, broadcasts, said, whispered })
    }

    fn heard(&self, what: &str) -> usize {
        self.lines.iter().filter(|line| line.starts_with(what)).count()
    }
}

fn check(server: &mut Server<World>) {
    let world = server.platform();
    let stopped = world.was_stopped();
    let witnesses: Vec<Witness> =
        (0..world.peers.len()).filter_map(|peer| Witness::of(world, peer)).collect();
    let longest = witnesses.iter().map(|witness| &witness.broadcasts).max_by_key(|all| all.len());
    for Witness { peer, broadcasts, said, .. } in &witnesses {
        assert!(longest.is_some_and(|all| all.ends_with(broadcasts)), "{peer} heard another order");
        let own = format!("[user{peer}]");
        let own: Vec<_> =
            broadcasts.iter().filter(|line| line.starts_with(&own)).cloned().collect();
        let (last, left) = (own.last(), said.len().saturating_sub(own.len()));
        assert!(said.starts_with(&own), "user{peer} said other things up to {last:?}");
        assert!(stopped || left == 0, "{left} lines of user{peer} are lost after {last:?}");
    }
    if stopped {
        return;
    }
    for peer in 0..server.platform().peers.len() {
        assert!(server.platform().is_accepted(peer), "user{peer} waits at the door for ever");
    }
    let counters = server.chat().counters;
    for from in &witnesses {
        for to in &witnesses {
            let name = format!("user{}", to.peer);
            let sent = from.whispered.iter().filter(|whispered| **whispered == name).count();
            let arrived = to.heard(&format!("[From user{}]", from.peer));
            let refused = from.heard(&format!("[SERVER] User '{name}' not found"))
                + from.heard(&format!("[SERVER] Message to {name} not delivered"));
            let told = counters.answers_dropped == 0;
            assert!(arrived + refused == sent || !told && arrived + refused < sent, "{name}");
        }
    }
    let open = server.connections();
    assert_eq!(counters.accepted, counters.closed + open as u64, "{counters:?}");
    assert_eq!(server.platform().open(), open, "a socket is left, or lost");
    assert_eq!(server.chat().online(), witnesses.len(), "{counters:?}");
}
