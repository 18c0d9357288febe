//! The whole loop in a world in memory: operations and faults, against the reference.
//! Everyone's stream is compared whole.

use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use hubbub::config::Settings;
use hubbub::net::record::Recorder;
use hubbub::net::record::calendar::Calendar;
use hubbub::net::{Exit, Server};

use super::tape::Tape;
use super::town::{ANNOUNCE_UP_TO, LOGIN_TIMEOUT, MAX_GUESTS, MAX_LINE, Operation, TICK, Town};
use super::world::{Faults, World};

/// When every evening begins.
const START: Duration = Duration::from_secs(1000);

/// When the world's clock was zero, in nanoseconds since 1970.
const WALL_NS: u64 = 1_700_000_000_000_000_000;

const MAX_OPERATIONS: usize = 200;

/// Each of these needs fewer turns, or the server has lost a wakeup, or spins.
const MAX_TURNS: usize = 20_000;

/// What no text holds begins an answer to Telnet, of so many bytes.
const IAC: u8 = 255;
const ANSWER: usize = 3;

/// Accept fails at most two times in three, and is tried again within two ticks.
const MAX_RETRIES: usize = 100;
const RETRY_TICKS: u32 = 2;

pub fn run(data: &[u8]) {
    let mut u = Unstructured::new(data);
    let seed = u64::arbitrary(&mut u).unwrap_or_default();
    let mut operations = Vec::new();
    while operations.len() < MAX_OPERATIONS
        && let Ok(operation) = Operation::arbitrary(&mut u)
    {
        operations.push(operation);
        if u.is_empty() {
            break;
        }
    }
    play(seed, &operations);
}

/// Plays a whole evening.
pub fn play(seed: u64, operations: &[Operation]) {
    let mut evening = Evening::new(seed);
    for operation in operations {
        evening.does(operation);
    }
    evening.stage.check_all(&evening.town);
}

/// A server, and what it should do.
struct Evening {
    stage: Stage,
    town: Town,
}

impl Evening {
    fn new(seed: u64) -> Self {
        Self { stage: Stage::new(seed, START), town: Town::new(START) }
    }

    fn does(&mut self, operation: &Operation) {
        if matches!(operation, Operation::Connect) {
            return self.connect();
        }
        self.stage.does(operation, &self.town);
        self.town.does(operation);
        self.stage.check(&self.town);
    }

    fn connect(&mut self) {
        if !self.town.is_open() {
            return;
        }
        let peer = self.stage.connect();
        for _ in 0..MAX_RETRIES {
            if self.stage.world().is_accepted(peer) {
                break;
            }
            self.stage.pass(RETRY_TICKS);
            self.town.pass(RETRY_TICKS);
        }
        let peer = &self.stage.world().peers[peer];
        match peer.accepted_at {
            Some(_) if peer.is_closed() => self.town.connect_and_die(),
            Some(at) => self.town.connect(at),
            None => panic!("nobody tries accept again"),
        }
    }
}

/// A server in a world in memory, before guests who do as they are told.
pub struct Stage {
    server: Server<Recorder<World>>,
    /// What the recorder writes down of the evening.
    tape: Tape,
    /// No wait lasts beyond this.
    horizon: Duration,
    exit: Option<Exit>,
    /// How much of what each guest has heard was compared.
    compared: [Compared; MAX_GUESTS],
}

/// How many bytes of text, and of answers to Telnet, which stand between them.
#[derive(Clone, Copy, Default)]
struct Compared {
    text: usize,
    answers: usize,
}

impl Compared {
    fn bytes(self) -> usize {
        self.text + self.answers
    }
}

impl Stage {
    pub fn new(seed: u64, start: Duration) -> Self {
        let settings = Settings {
            flood_rate: 0,
            max_line: MAX_LINE,
            log_bytes: 1 << 16,
            out_budget: 1024,
            list_bytes: 1024,
            flush_slice: 2,
            announce_up_to: ANNOUNCE_UP_TO,
            login_timeout: LOGIN_TIMEOUT,
            stall_timeout: Duration::from_secs(80_000),
            ..Settings::default()
        };
        let mut world = World::new(seed);
        (world.now, world.horizon, world.longest_wait) = (start, Some(start), Duration::MAX / 2);
        let (recorder, batches) = Recorder::new(world, Calendar::fixed(WALL_NS));
        let server = Server::new(recorder, settings, 1, MAX_GUESTS).expect("memory for a log");
        let tape = Tape::new(batches, seed);
        Self {
            server,
            tape,
            horizon: start,
            exit: None,
            compared: [Compared::default(); MAX_GUESTS],
        }
    }

    fn world(&mut self) -> &mut World {
        self.server.platform().platform()
    }

    /// Does what the guests of `town` do, and lets the server come to rest. The guests are those
    /// from before or after the operation.
    pub fn does(&mut self, operation: &Operation, town: &Town) {
        if let Some((who, bytes)) = operation.sends() {
            if let Some(guest) = town.guest(who)
                && self.world().can_send(guest)
            {
                self.world().send(guest, &bytes);
            }
            return self.settle();
        }
        match *operation {
            Operation::Pass(ticks) => self.pass(u32::from(ticks)),
            Operation::ShutDown => self.world().stop_server(),
            Operation::Faults(short, interrupted, spurious, no_descriptor) => {
                let percent = |byte: u8| byte % 64;
                self.world().faults = Faults {
                    short: percent(short),
                    interrupted: percent(interrupted),
                    // Rare enough that there are turns in which nothing happens, and time goes by.
                    spurious: percent(spurious) / 32,
                    no_descriptor: percent(no_descriptor),
                    aborted: percent(no_descriptor) / 8,
                    split: percent(spurious),
                    // Time is the town's.
                    leaps: 0,
                };
            }
            Operation::End(who) | Operation::Reset(who) => {
                if let Some(guest) = town.guest(who)
                    && self.world().can_send(guest)
                {
                    match operation {
                        Operation::End(_) => self.world().end(guest),
                        _ => self.world().reset(guest),
                    }
                }
            }
            Operation::StopReading(who) | Operation::Read(who) => {
                if let Some(guest) = town.guest(who) {
                    let reads = matches!(operation, Operation::Read(_));
                    self.world().set_reads(guest, reads);
                }
            }
            _ => {}
        }
        self.settle();
    }

    /// Somebody connects; the number of the peer.
    pub fn connect(&mut self) -> usize {
        let peer = self.world().connect();
        self.settle();
        peer
    }

    fn pass(&mut self, ticks: u32) {
        self.horizon += TICK * ticks;
        self.world().horizon = Some(self.horizon);
        for _ in 0..MAX_TURNS {
            self.turn();
            let now = self.world().now;
            if self.exit.is_some() || now >= self.horizon {
                return self.settle();
            }
        }
        panic!("time stands still");
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
        if self.exit.is_none() {
            self.exit = self.server.turn().expect("only EINTR, and that is nothing");
            self.tape.roll();
        }
        self.world().quiet
    }

    /// What holds at every moment.
    pub fn check(&mut self, town: &Town) {
        let counters = self.server.chat().counters;
        let open = self.server.connections();
        assert_eq!(counters.accepted, counters.closed + open as u64, "{counters:?}");
        assert_eq!(self.world().open(), open, "a socket is left, or lost");
        assert_eq!(self.server.chat().online(), town.chat.online());
        let running = self.exit.is_none();
        for (number, guest) in town.guests.iter().enumerate() {
            let Some((due, gone)) = town.due(number) else { continue };
            let mut compared = self.compared[number];
            let heard = self.world().peers[number].received.as_slice();
            let whys = || format!("{number} heard {}, not {due:?}", heard.escape_ascii());
            while let Some(&byte) = heard.get(compared.bytes()) {
                if byte == IAC {
                    let at = compared.bytes();
                    let Some(answer) = heard.get(at..at + ANSWER) else { break };
                    let right = town.answers(number).get(compared.answers..);
                    assert!(right.is_some_and(|due| due.starts_with(answer)), "{}", whys());
                    compared.answers += ANSWER;
                } else {
                    assert_eq!(due.as_bytes().get(compared.text), Some(&byte), "{}", whys());
                    compared.text += 1;
                }
            }
            let whole = running && guest.reads && guest.sends;
            assert!(!whole || compared.text == due.len(), "{}", whys());
            // What is behind its last line need not be answered.
            let answered = compared.answers == town.answers(number).len();
            assert!(!whole || gone || answered, "{}", whys());
            self.compared[number] = compared;
        }
    }

    /// What holds when everyone has read what there is, and when the server is gone.
    pub fn check_all(mut self, town: &Town) {
        self.world().faults = Faults::default();
        for guest in 0..town.guests.len() {
            self.world().set_reads(guest, true);
        }
        self.settle();
        // What the server has written before it ended can still be read.
        self.world().deliver();
        self.check(town);
        let over = self.exit.is_some();
        assert!(over || self.server.chat().outbound.mail_bytes() == 0, "mail is left");
        for number in 0..town.guests.len() {
            let Some((due, gone)) = town.due(number) else { continue };
            let heard = self.compared[number].text;
            let peer = &self.world().peers[number];
            // A reset, or a server whose grace is over, can end a stream anywhere.
            if !peer.reset && (peer.got_end || !over) {
                let text = peer.received.escape_ascii();
                assert_eq!(heard, due.len(), "{number} heard {text}, not {due:?}");
                assert_eq!(peer.got_end, gone, "guest {number}");
            }
        }
        assert_eq!(self.server.counters().uncaptured, 0);
        let peers = std::mem::take(&mut self.world().peers);
        drop(self.server);
        self.tape.check(&peers);
    }
}
