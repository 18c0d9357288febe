//! What both kinds of benchmark measure.

use std::hint::black_box;
use std::time::Duration;

use hubbub::chat::{Chat, FloodLimit, FloodLimits, Limits, Step};
use hubbub::outbound::{self, ClientId, Outbound};
use hubbub::wire::{Command, Frame, Framer, Malformed};

/// `all ` and 64 bytes, as they come from a socket.
pub(crate) const ASCII: &[u8] =
    b"all The quick brown fox jumps over the lazy dog, and then it sleeps.\n";

/// `all ` and 64 bytes of Hebrew.
pub(crate) const HEBREW: &[u8] = "all שועל חום זריז קופץ מעל כלב עצל והלך.\n".as_bytes();

const MAX_LINE: usize = 4096;
const NOW: Duration = Duration::from_secs(1000);

/// Framing, UTF-8 and grammar of the first line.
pub(crate) fn parse(mut input: &[u8]) -> Option<Result<Command<'_>, Malformed<'_>>> {
    let mut framer = Framer::Line;
    match framer.next(&mut input, MAX_LINE) {
        Some(Frame::Line(line)) => Some(Command::parse(line)),
        _ => None,
    }
}

/// A room where everyone follows what is said and has read all of it.
pub(crate) struct Room {
    chat: Chat,
}

impl Room {
    pub(crate) fn of(clients: u32) -> Self {
        let outbound = Outbound::new(outbound::Limits {
            log_bytes: 8 << 20,
            mailbox_bytes: 256 << 10,
            mailbox_total: 64 << 20,
            out_budget: 256 << 10,
            flush_slice: 0,
            stall_timeout: Duration::from_secs(90),
            min_rate: 64 << 10,
        })
        .expect("memory for a log");
        let limits = Limits {
            max_line: MAX_LINE,
            list_bytes: 64 << 10,
            login_timeout: Duration::from_secs(30),
            flood: FloodLimits::OFF,
            announce_up_to: 0,
            announce: FloodLimit::OFF,
        };
        let mut room = Self { chat: Chat::new(limits, outbound) };
        for client in 0..clients {
            room.chat.handle_connect(id(client), 0, NOW);
            let name = format!("user{client}");
            assert_eq!(room.handle(id(client), name.as_bytes()), Step::Next);
        }
        room.deliver();
        room
    }

    fn handle(&mut self, id: ClientId, line: &[u8]) -> Step {
        self.chat.handle_frame(id, Frame::Line(line), NOW)
    }

    /// The first client's line, from the socket's bytes to the log.
    pub(crate) fn say(&mut self, mut input: &[u8]) -> Step {
        let mut framer = Framer::Line;
        match framer.next(&mut input, MAX_LINE) {
            Some(frame) => self.chat.handle_frame(id(0), frame, NOW),
            None => Step::Close,
        }
    }

    /// What is due goes to everyone, by a socket that takes everything. How many bytes it was.
    pub(crate) fn deliver(&mut self) -> usize {
        let mut bytes = 0;
        self.chat.outbound.begin_flush();
        while let Some(id) = self.chat.outbound.poll_flush() {
            let Ok(batch) = self.chat.outbound.batch(id, 256 << 10) else { break };
            let count = black_box(batch.slices()).iter().map(|slice| slice.len()).sum();
            self.chat.outbound.handle_written(id, count);
            bytes += count;
        }
        bytes
    }
}

fn id(key: u32) -> ClientId {
    ClientId { key, generation: 1 }
}
