//! The whole loop in a world in memory: operations and faults, against the reference chat.
//! Everyone's stream is compared whole.

use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use hubbub::config::Settings;
use hubbub::net::{Exit, Server};

use super::model::{Model, State};
use super::world::{Faults, World};

const MAX_PEERS: usize = 10;
const MAX_OPERATIONS: usize = 200;
const MAX_LINE: usize = 64;

/// Each of these needs fewer turns, or the server has lost a wakeup, or spins.
const MAX_TURNS: usize = 20_000;

/// Accept fails at most two times in three, and is tried again within two ticks.
const MAX_RETRIES: usize = 100;

/// A step of the clock. No time-out is near a multiple of it, so that it does not matter that the
/// server learns of things some microseconds after the model.
pub const TICK: Duration = Duration::from_millis(70);

const LOGIN_TIMEOUT: Duration = Duration::from_millis(30_053);

/// Names and near-names, so that an evening gets going.
pub const NAMES: [&str; 8] = ["Ann", "ann", "Bob", "B0b", "Cy", "שרה", "SERVER", "a b"];

/// What somebody does, or what goes wrong. Who is counted round those who are there.
#[derive(Clone, Debug, Arbitrary)]
pub enum Operation {
    Connect,
    Name(u8, u8),
    All(u8, String),
    Private(u8, u8, String),
    List(u8),
    Quit(u8),
    /// Bytes, with or without a newline.
    Raw(u8, Vec<u8>),
    End(u8),
    Reset(u8),
    StopReading(u8),
    Read(u8),
    /// So many ticks of the clock.
    Pass(u8),
    /// How often reads and writes are short, interrupted, told of without a reason, and how often
    /// accept finds no descriptor; in percent, up to 63.
    Faults(u8, u8, u8, u8),
    ShutDown,
}

pub fn run(data: &[u8]) {
    let mut u = Unstructured::new(data);
    let mut evening = Evening::new(u64::arbitrary(&mut u).unwrap_or_default());
    for _ in 0..MAX_OPERATIONS {
        let Ok(operation) = Operation::arbitrary(&mut u) else { break };
        evening.does(&operation);
        if u.is_empty() {
            break;
        }
    }
    evening.check();
}

/// A server, and what it should do.
pub struct Evening {
    server: Server<World>,
    model: Model,
    /// What each has sent of a line that has no end yet.
    partial: Vec<Vec<u8>>,
    /// Which person of the model a peer is; `None` for one that died in the backlog.
    person: Vec<Option<usize>>,
    exit: Option<Exit>,
}

impl Evening {
    pub fn new(seed: u64) -> Self {
        let settings = Settings {
            flood_rate: 0,
            max_line: MAX_LINE,
            log_bytes: 1 << 16,
            out_budget: 1024,
            list_bytes: 1024,
            flush_slice: 2,
            announce_up_to: 3,
            login_timeout: LOGIN_TIMEOUT,
            stall_timeout: Duration::from_secs(80_000),
            ..Settings::default()
        };
        let mut world = World::new(seed);
        world.horizon = Some(world.now);
        let model = Model::new(settings.announce_up_to, LOGIN_TIMEOUT);
        let server = Server::new(world, settings, 1, MAX_PEERS);
        Self { server, model, partial: Vec::new(), person: Vec::new(), exit: None }
    }

    pub fn does(&mut self, operation: &Operation) {
        if self.exit.is_some() {
            return;
        }
        match operation {
            Operation::Connect => self.connect(),
            Operation::Name(who, name) => self.line(*who, NAMES[usize::from(*name) % NAMES.len()]),
            Operation::All(who, text) => self.line(*who, &format!("all {text}")),
            Operation::Private(who, to, text) => {
                let to = NAMES[usize::from(*to) % NAMES.len()];
                self.line(*who, &format!("@{to} {text}"));
            }
            Operation::List(who) => self.line(*who, "list"),
            Operation::Quit(who) => self.line(*who, "quit"),
            Operation::Raw(who, bytes) => self.send(*who, bytes),
            Operation::End(who) => self.end(*who),
            Operation::Reset(who) => self.reset(*who),
            Operation::StopReading(who) => self.set_reads(*who, false),
            Operation::Read(who) => self.set_reads(*who, true),
            Operation::Pass(ticks) => self.pass(u32::from(*ticks)),
            Operation::Faults(short, interrupted, spurious, no_descriptor) => {
                let percent = |byte: &u8| byte % 64;
                self.server.platform().faults = Faults {
                    short: percent(short),
                    interrupted: percent(interrupted),
                    // Rare enough that there are turns in which nothing happens, and time goes by.
                    spurious: percent(spurious) / 32,
                    no_descriptor: percent(no_descriptor),
                    aborted: percent(no_descriptor) / 8,
                };
            }
            Operation::ShutDown => self.shut_down(),
        }
        assert_eq!(self.server.chat().online(), self.model.online(), "after {operation:?}");
    }

    fn connect(&mut self) {
        if self.server.connections() == MAX_PEERS || !self.server.platform().listening {
            return;
        }
        let peer = self.server.platform().connect();
        self.settle();
        for _ in 0..MAX_RETRIES {
            if self.server.platform().is_accepted(peer) {
                break;
            }
            self.pass(2);
        }
        assert!(self.server.platform().is_accepted(peer), "nobody tries accept again");
        let died = self.server.platform().peers[peer].closed;
        self.person.push((!died).then_some(self.model.people.len()));
        self.partial.push(Vec::new());
        if !died {
            let accepted_at = self.server.platform().peers[peer].accepted_at;
            self.model.connect(accepted_at);
        }
    }

    /// A peer that can send, and the person that it is.
    fn sender(&mut self, who: u8) -> Option<(usize, usize)> {
        let peer = usize::from(who).checked_rem(self.person.len())?;
        let person = self.person[peer]?;
        self.server.platform().can_send(peer).then_some((peer, person))
    }

    fn line(&mut self, who: u8, text: &str) {
        self.send(who, format!("{}\n", text.replace('\n', " ")).as_bytes());
    }

    fn send(&mut self, who: u8, bytes: &[u8]) {
        let Some((peer, person)) = self.sender(who) else { return };
        // A TLS hello has no lines to compare; the framer's own tests know it.
        let bytes: Vec<u8> = bytes.iter().map(|&b| if b == 0x16 { b'x' } else { b }).collect();
        self.server.platform().send(peer, &bytes);
        self.settle();
        let now = self.now();
        self.partial[peer].extend(bytes);
        while let Some(end) = self.partial[peer].iter().position(|&byte| byte == b'\n') {
            let line: Vec<u8> = self.partial[peer].drain(..=end).collect();
            self.hear(person, &line[..end], now);
        }
        // A line over the limit is told before it ends: the rest is compared when it has ended.
        if self.partial[peer].len() >= MAX_LINE {
            self.send(who, b"\n");
        }
    }

    fn hear(&mut self, person: usize, line: &[u8], now: Duration) {
        let fits = line.len() < MAX_LINE;
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        self.model.line(person, fits.then_some(line), MAX_LINE as u64, now);
    }

    fn end(&mut self, who: u8) {
        let Some((peer, person)) = self.sender(who) else { return };
        self.server.platform().end(peer);
        self.settle();
        let now = self.now();
        let last = std::mem::take(&mut self.partial[peer]);
        if !last.is_empty() {
            self.hear(person, &last, now);
        }
        self.model.leave(person, now);
    }

    fn reset(&mut self, who: u8) {
        let Some((peer, person)) = self.sender(who) else { return };
        self.server.platform().reset(peer);
        self.settle();
        let now = self.now();
        self.model.leave(person, now);
    }

    fn set_reads(&mut self, who: u8, reads: bool) {
        if let Some(peer) = usize::from(who).checked_rem(self.person.len()) {
            self.server.platform().set_reads(peer, reads);
            self.settle();
        }
    }

    fn pass(&mut self, ticks: u32) {
        let horizon = self.server.platform().horizon.unwrap_or_default() + TICK * ticks;
        self.server.platform().horizon = Some(horizon);
        for _ in 0..MAX_TURNS {
            self.turn();
            if self.exit.is_some() || self.server.platform().now >= horizon {
                self.settle();
                let now = self.now();
                return self.model.tick(now);
            }
        }
        panic!("time stands still");
    }

    fn shut_down(&mut self) {
        self.server.platform().stop_server();
        self.settle();
        self.model.shut_down();
    }

    fn settle(&mut self) {
        for _ in 0..MAX_TURNS {
            if self.exit.is_some() || self.turn() {
                return;
            }
        }
        panic!("no rest after {MAX_TURNS} turns");
    }

    /// One turn; whether there was nothing to do.
    fn turn(&mut self) -> bool {
        self.exit = self.server.turn().expect("only EINTR, and that is nothing");
        self.server.platform().quiet
    }

    fn now(&mut self) -> Duration {
        self.server.platform().now
    }

    pub fn check(mut self) {
        self.server.platform().faults = Faults::default();
        for peer in 0..self.person.len() {
            self.server.platform().set_reads(peer, true);
        }
        self.settle();
        // What the server has written before it ended can still be read.
        self.server.platform().deliver();
        for (peer, person) in self.person.iter().enumerate() {
            let Some(person) = person.map(|person| &self.model.people[person]) else { continue };
            let due: String = person.hears.iter().flat_map(|line| [line, "\n"]).collect();
            let state = &self.server.platform().peers[peer];
            let text = state.received.escape_ascii();
            // A reset, or a server whose grace is over, can end a stream anywhere.
            if state.reset || (self.exit.is_some() && !state.got_end) {
                assert!(due.as_bytes().starts_with(&state.received), "{peer} heard {text}");
            } else {
                assert_eq!(state.received, due.as_bytes(), "peer {peer} heard {text}, not {due:?}");
                assert_eq!(state.got_end, person.state == State::Gone, "peer {peer}");
            }
        }
        let counters = self.server.chat().counters;
        let open = self.server.connections() as u64;
        assert_eq!(counters.accepted, counters.closed + open, "{counters}");
    }
}
