//! The town: who is connected, what each has sent, and, through the reference chat, what each has
//! to hear. It has no server and no sockets: it is the reference for the whole loop.

use std::time::Duration;

use arbitrary::Arbitrary;
use hubbub::wire::Foreign;

use super::model::{Model, Person, State};
use super::telnet::{self, Reference};

/// Connections in one evening; the server has room for all of them.
pub const MAX_GUESTS: usize = 24;

pub const MAX_LINE: usize = 64;

/// A step of the clock. No time-out is near a multiple of it, and no multiple of the 200 ms that a
/// greeting takes, so that it does not matter that the server learns of things some microseconds
/// after the town.
pub const TICK: Duration = Duration::from_micros(70_013);

pub const LOGIN_TIMEOUT: Duration = Duration::from_millis(30_053);
pub const ANNOUNCE_UP_TO: usize = 3;

/// Names and near-names, so that an evening gets going.
pub const NAMES: [&str; 8] = ["Ann", "ann", "Bob", "B0b", "Cy", "שרה", "SERVER", " Ann\t"];

/// What somebody does, or what goes wrong. Who is counted round all who ever came.
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

impl Operation {
    /// Who sends, and what.
    pub fn sends(&self) -> Option<(u8, Vec<u8>)> {
        let line =
            |who: u8, text: &str| (who, format!("{}\n", text.replace('\n', " ")).into_bytes());
        let name = |name: &u8| NAMES[usize::from(*name) % NAMES.len()];
        Some(match self {
            Self::Name(who, chosen) => line(*who, name(chosen)),
            Self::All(who, text) => line(*who, &format!("all {text}")),
            Self::Private(who, to, text) => line(*who, &format!("@{} {text}", name(to))),
            Self::List(who) => line(*who, "list"),
            Self::Quit(who) => line(*who, "quit"),
            Self::Raw(who, bytes) => (*who, bytes.clone()),
            _ => return None,
        })
    }
}

/// Somebody who connected.
#[derive(Clone, Debug)]
pub struct Guest {
    /// Who it is in the chat; `None` for one that died in the backlog.
    pub person: Option<usize>,
    pub reads: bool,
    /// Neither has it ended its stream nor reset the connection.
    pub sends: bool,
    /// What it has sent of a line that has no end yet; `None` once that is too long.
    partial: Option<Vec<u8>>,
    /// It has sent a whole line.
    began: bool,
    /// What its bytes are once Telnet has been taken out.
    telnet: Reference,
}

/// The town.
#[derive(Clone, Debug)]
pub struct Town {
    pub guests: Vec<Guest>,
    pub chat: Model,
    /// The server was told to stop.
    pub over: bool,
    now: Duration,
}

impl Town {
    pub fn new(now: Duration) -> Self {
        let chat = Model::new(ANNOUNCE_UP_TO, LOGIN_TIMEOUT);
        Self { guests: Vec::new(), chat, over: false, now }
    }

    /// What the operation does. Faults do nothing here.
    pub fn does(&mut self, operation: &Operation) {
        if let Some((who, bytes)) = operation.sends() {
            return self.send(who, &bytes);
        }
        match operation {
            Operation::Connect if self.is_open() => self.connect(self.now),
            Operation::End(who) => self.end(*who),
            Operation::Reset(who) => self.reset(*who),
            Operation::StopReading(who) => self.set_reads(*who, false),
            Operation::Read(who) => self.set_reads(*who, true),
            Operation::Pass(ticks) => self.pass(u32::from(*ticks)),
            Operation::ShutDown => {
                self.over = true;
                self.chat.shut_down();
            }
            _ => {}
        }
    }

    /// Whether one more can connect.
    pub fn is_open(&self) -> bool {
        !self.over && self.guests.len() < MAX_GUESTS
    }

    /// The number of a guest.
    pub fn guest(&self, who: u8) -> Option<usize> {
        usize::from(who).checked_rem(self.guests.len())
    }

    /// The number of a guest whose bytes can arrive.
    pub fn sender(&self, who: u8) -> Option<usize> {
        let guest = self.guest(who)?;
        self.guests[guest].sends.then_some(guest)
    }

    /// The guests of whom, and of whose place in the chat, something is true.
    pub fn who(&self, is: impl Fn(&Guest, &State) -> bool) -> Vec<u8> {
        let numbered = (0_u8..).zip(&self.guests);
        let known = numbered.filter(|(_, guest)| {
            guest.person.is_some_and(|person| is(guest, &self.chat.people[person].state))
        });
        known.map(|(number, _)| number).collect()
    }

    /// Who a guest is in the chat.
    pub fn person(&self, guest: usize) -> Option<&Person> {
        self.guests[guest].person.map(|person| &self.chat.people[person])
    }

    /// Somebody was accepted.
    pub fn connect(&mut self, now: Duration) {
        self.chat.connect(now);
        self.add(Some(self.chat.people.len() - 1));
    }

    /// Somebody was reset before it was accepted.
    pub fn connect_and_die(&mut self) {
        self.add(None);
    }

    fn add(&mut self, person: Option<usize>) {
        let (partial, sends) = (Some(Vec::new()), person.is_some());
        let telnet = Reference::default();
        let guest = Guest { person, reads: true, sends, partial, began: false, telnet };
        self.guests.push(guest);
    }

    fn send(&mut self, who: u8, bytes: &[u8]) {
        let Some(number) = self.sender(who) else { return };
        let telnet = &mut self.guests[number].telnet;
        let before = telnet.text.len();
        telnet.push(bytes);
        let text = telnet.text[before..].to_vec();
        for byte in text {
            let partial = &mut self.guests[number].partial;
            if byte == b'\n' {
                if let Some(line) = partial.replace(Vec::new()) {
                    self.hear(number, Some(&line));
                }
            } else if let Some(line) = partial {
                line.push(byte);
                let (foreign, is_full) = (Foreign::of_start(line), line.len() == MAX_LINE);
                if is_full {
                    *partial = None;
                    self.hear(number, None);
                }
                let Guest { began, person, .. } = &self.guests[number];
                if let (false, Some(foreign), Some(person)) = (began, foreign, *person) {
                    self.chat.dismiss(person, foreign, self.now);
                }
            }
        }
    }

    /// A line without its newline, or one that has become too long.
    fn hear(&mut self, number: usize, line: Option<&[u8]>) {
        let guest = &mut self.guests[number];
        let first = !std::mem::replace(&mut guest.began, true);
        let Some(person) = guest.person else { return };
        let mark = if first { "\u{feff}" } else { "" };
        let line = line.map(|line| line.strip_prefix(mark.as_bytes()).unwrap_or(line));
        let line = line.map(|line| telnet::edited(line.strip_suffix(b"\r").unwrap_or(line)));
        self.chat.line(person, line.as_deref(), MAX_LINE as u64, self.now);
    }

    fn end(&mut self, who: u8) {
        let Some(number) = self.sender(who) else { return };
        let last = self.guests[number].partial.take().unwrap_or_default();
        if !last.is_empty() {
            self.hear(number, Some(&last));
        }
        self.go(number);
    }

    fn reset(&mut self, who: u8) {
        if let Some(number) = self.sender(who) {
            self.go(number);
        }
    }

    fn go(&mut self, number: usize) {
        self.guests[number].sends = false;
        if let Some(person) = self.guests[number].person {
            self.chat.leave(person, self.now);
        }
    }

    fn set_reads(&mut self, who: u8, reads: bool) {
        if let Some(number) = self.guest(who) {
            self.guests[number].reads = reads;
        }
    }

    pub fn pass(&mut self, ticks: u32) {
        self.now += TICK * ticks;
        self.chat.tick(self.now);
    }

    /// What a guest's Telnet program has to be answered.
    pub fn answers(&self, guest: usize) -> &[u8] {
        &self.guests[guest].telnet.answers
    }

    /// Everything that a guest has to hear, if it hears all; and whether that is the end.
    pub fn due(&self, guest: usize) -> Option<(&str, bool)> {
        let person = self.person(guest)?;
        Some((&person.hears, person.state == State::Gone))
    }
}
