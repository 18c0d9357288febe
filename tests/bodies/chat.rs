//! The chat: a list of operations on the core without I/O, against the reference chat. Everyone's
//! stream is compared whole.

use std::time::Duration;

use arbitrary::{Arbitrary, Result, Unstructured};
use hubbub::chat::{Chat, FloodLimit, FloodLimits, Limits, Step};
use hubbub::outbound::{self, ClientId, Outbound};
use hubbub::wire::Frame;

use super::model::{Model, State};

const MAX_PEOPLE: usize = 12;
const MAX_OPERATIONS: usize = 300;
const MAX_LINE: usize = 64;
const LOGIN_TIMEOUT: Duration = Duration::from_secs(30);

/// Names and near-names, so that an evening gets going.
const NAMES: [&str; 12] = [
    "Ann",
    "ann",
    "Bob",
    "B0b",
    "Cy",
    "שרה",
    "Dan",
    "Eve",
    " Cy\t",
    "SERVER",
    "a b",
    "GET / HTTP/1.1",
];

/// What somebody does.
#[derive(Debug, Arbitrary)]
enum Operation<'a> {
    Connect,
    Name(u8, u8),
    All(u8, &'a str),
    Private(u8, u8, &'a str),
    List(u8),
    Quit(u8),
    Raw(u8, &'a [u8]),
    TooLong(u8),
    /// Reads at most so many bytes.
    Read(u8, u8),
    /// Ends its stream; what is due is still written.
    End(u8),
    /// Is gone at once.
    Disconnect(u8),
    /// So many tenths of a second pass.
    Pass(u8),
    ShutDown,
}

pub fn run(data: &[u8]) {
    // Bytes that make no operation end the list.
    let _ = play(&mut Unstructured::new(data));
}

fn play(u: &mut Unstructured<'_>) -> Result<()> {
    let mut room = Room::new(usize::from(u.int_in_range(0..=6_u8)?));
    for _ in 0..MAX_OPERATIONS {
        if u.is_empty() {
            break;
        }
        let Ok(operation) = Operation::arbitrary(u) else { break };
        if matches!(operation, Operation::ShutDown) {
            room.chat.handle_shutdown();
            room.model.shut_down();
            break;
        }
        room.does(&operation);
    }
    room.check();
    Ok(())
}

struct Room {
    chat: Chat,
    model: Model,
    /// What each has read, and whether it is still connected.
    read: Vec<(Vec<u8>, bool)>,
    now: Duration,
}

impl Room {
    fn new(announce_up_to: usize) -> Self {
        let limits = Limits {
            max_line: MAX_LINE,
            list_bytes: 1024,
            login_timeout: LOGIN_TIMEOUT,
            flood: FloodLimits::OFF,
            announce_up_to,
            announce: FloodLimit { rate: 5, burst: 20 },
        };
        let outbound = Outbound::new(outbound::Limits {
            log_bytes: 1 << 15,
            mailbox_bytes: 2048,
            mailbox_total: 1 << 20,
            out_budget: 512,
            flush_slice: 3,
            stall_timeout: Duration::from_secs(90),
            min_rate: 64 << 10,
        })
        .expect("memory for a log");
        let model = Model::new(announce_up_to, LOGIN_TIMEOUT);
        let now = Duration::from_secs(1000);
        Self { chat: Chat::new(limits, outbound), model, read: Vec::new(), now }
    }

    fn does(&mut self, operation: &Operation<'_>) {
        match *operation {
            Operation::Connect if self.read.len() < MAX_PEOPLE => {
                self.chat.handle_connect(id(self.read.len()), 0, self.now);
                self.model.connect(self.now);
                self.read.push((Vec::new(), true));
            }
            Operation::Name(who, name) => {
                self.says(who, NAMES[usize::from(name) % NAMES.len()].as_bytes());
            }
            Operation::All(who, text) => self.says(who, format!("all {text}").as_bytes()),
            Operation::Private(who, to, text) => {
                let to = NAMES[usize::from(to) % NAMES.len()];
                self.says(who, format!("@{to} {text}").as_bytes());
            }
            Operation::List(who) => self.says(who, b"list"),
            Operation::Quit(who) => self.says(who, b"quit"),
            Operation::Raw(who, bytes) => self.says(who, bytes),
            Operation::TooLong(who) => self.sends(who, None),
            Operation::Read(who, most) => {
                if let Some(who) = self.connected(who) {
                    self.read_some(who, usize::from(most));
                }
            }
            Operation::End(who) => {
                if let Some(who) = self.connected(who) {
                    self.chat.handle_end(id(who), self.now);
                    self.model.leave(who, self.now);
                }
            }
            Operation::Disconnect(who) => {
                if let Some(who) = self.connected(who) {
                    self.chat.handle_disconnect(id(who), self.now);
                    self.model.leave(who, self.now);
                    self.read[who].1 = false;
                }
            }
            Operation::Pass(tenths) => self.pass(Duration::from_millis(u64::from(tenths) * 100)),
            Operation::Connect | Operation::ShutDown => {}
        }
        assert_eq!(self.chat.online(), self.model.online());
    }

    fn connected(&self, who: u8) -> Option<usize> {
        let who = usize::from(who).checked_rem(self.read.len())?;
        self.read[who].1.then_some(who)
    }

    /// Says one line, whatever is in the bytes.
    fn says(&mut self, who: u8, bytes: &[u8]) {
        let end = bytes.iter().position(|&byte| byte == b'\n').unwrap_or(bytes.len());
        self.sends(who, Some(&bytes[..end.min(MAX_LINE - 1)]));
    }

    fn sends(&mut self, who: u8, line: Option<&[u8]>) {
        let Some(who) = self.connected(who) else { return };
        let frame = line.map_or(Frame::TooLong, Frame::Line);
        for attempt in 0.. {
            assert!(attempt < 3, "a line is never taken");
            match self.chat.handle_frame(id(who), frame, self.now) {
                Step::Next | Step::Close => break,
                // Everyone reads, and then there is room.
                Step::Hold | Step::Clogged => self.everyone_reads(),
                Step::Wait(_) => panic!("there is no flood limit"),
            }
        }
        self.model.line(who, line, MAX_LINE as u64, self.now);
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        for who in 0..self.read.len() {
            let _ = self.chat.handle_login_deadline(id(who), self.now);
        }
        self.chat.handle_news(self.now);
        self.model.tick(self.now);
    }

    fn everyone_reads(&mut self) {
        (0..self.read.len()).for_each(|who| self.read_some(who, usize::MAX));
        self.chat.outbound.begin_flush();
        while self.chat.outbound.poll_flush().is_some() {}
        self.chat.outbound.begin_flush();
    }

    fn read_some(&mut self, who: usize, most: usize) {
        let mut left = most;
        while left > 0 {
            let batch = self.chat.outbound.batch(id(who), left.min(512)).expect("not lapped");
            assert!(batch.len() <= left);
            if batch.is_empty() {
                break;
            }
            let bytes: Vec<u8> = batch.slices().iter().flat_map(|slice| slice.to_vec()).collect();
            self.chat.outbound.handle_written(id(who), bytes.len());
            left -= bytes.len();
            self.read[who].0.extend(bytes);
        }
    }

    fn check(mut self) {
        (0..self.read.len()).for_each(|who| self.read_some(who, usize::MAX));
        for (who, (bytes, connected)) in self.read.iter().enumerate() {
            // Who is gone may have read half a character.
            let text = bytes.escape_ascii().to_string();
            let person = &self.model.people[who];
            let due = &person.hears;
            if *connected {
                assert_eq!(bytes, due.as_bytes(), "person {who} heard {text}");
                let gone = person.state == State::Gone;
                assert_eq!(self.chat.outbound.is_finished(id(who)), gone, "person {who}");
            } else {
                assert!(
                    due.as_bytes().starts_with(bytes),
                    "person {who} heard {text}, not {due:?}"
                );
            }
        }
        assert!(self.chat.counters.undelivered == 0 && self.chat.counters.answers_dropped == 0);
    }
}

fn id(who: usize) -> ClientId {
    ClientId { key: u32::try_from(who).unwrap_or(u32::MAX), generation: 7 }
}
