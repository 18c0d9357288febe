//! The check: what a client reads is all of what was sent, once, and in one order for everyone.
//!
//! The first to read a broadcast proves it: it has to be the next of its sender. It then stands in
//! the [`History`], and everyone else has to read the very same bytes there. So a delivery costs
//! one comparison of memory, and a message that is lost, doubled or out of order cannot get
//! through. A private message has to be the next of its sender, and always reach the same one.

use hubbub::wire::{Notice, Reply};
use memchr::memchr;
use thiserror::Error;

use super::dialect::Dialect;
use super::history::History;
use super::latency::Latency;
use super::message::Message;

/// What was read, and what follows from it.
#[derive(Debug)]
pub(super) struct Tally {
    /// Messages that somebody has read, once for each.
    pub(super) messages: u64,
    /// The same, once for each who has read it.
    pub(super) deliveries: u64,
    /// How long broadcasts were on their way, to each of their readers.
    pub(super) broadcasts: Latency,
    /// How long private messages were on their way.
    pub(super) whispers: Latency,
    /// How long those who came and went were here, from connecting to the end of the stream.
    pub(super) visits: Latency,
    /// How many others the first client was told of.
    pub(super) joined: u64,
    /// Whose message everyone has read who is to read it, once for each.
    pub(super) arrived: Vec<u32>,
}

impl Tally {
    pub(super) fn new() -> anyhow::Result<Self> {
        Ok(Self {
            messages: 0,
            deliveries: 0,
            broadcasts: Latency::new()?,
            whispers: Latency::new()?,
            visits: Latency::new()?,
            joined: 0,
            arrived: Vec::new(),
        })
    }

    /// Counts anew.
    pub(super) fn reset(&mut self) {
        (self.messages, self.deliveries) = (0, 0);
        for latency in [&mut self.broadcasts, &mut self.whispers, &mut self.visits] {
            latency.reset();
        }
    }
}

/// What must not happen.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum Problem {
    /// Something of the sender is missing before this message.
    #[error(
        "c{reader} read message {number} of c{sender} where message {due} was due: \
         what is in between was lost, or comes out of order"
    )]
    Missing { reader: u32, sender: u32, number: u32, due: u32 },
    /// The message had come before.
    #[error("c{reader} read message {number} of c{sender} again: it was doubled, or came late")]
    Doubled { reader: u32, sender: u32, number: u32 },
    /// Others have read something else here.
    #[error("c{reader} read message {number} of c{sender} where others read something else")]
    Reordered { reader: u32, sender: u32, number: u32 },
    /// A private message came to the wrong client.
    #[error("c{reader} read private message {number} of c{sender}, which is for c{partner}")]
    Misdirected { reader: u32, sender: u32, number: u32, partner: u32 },
    /// A notice that no client of a well-behaved load gets.
    #[error("c{reader} was told: {text}")]
    Notice { reader: u32, text: String },
    /// No message of ours.
    #[error("c{reader} read what no client of this load has sent: {text}")]
    Foreign { reader: u32, text: String },
    /// What the others have read is forgotten, so it cannot be compared.
    #[error("c{reader} is too far behind the others to be checked")]
    TooFarBehind { reader: u32 },
}

/// Who reads.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    /// The index of the client.
    pub(super) index: u32,
    /// How many broadcasts it has read.
    pub(super) read: &'a mut u64,
}

/// What of a sender has arrived so far.
#[derive(Clone, Copy, Debug, Default)]
struct Sender {
    broadcasts: u32,
    whispers: u32,
    /// Who its private messages are for: who should get them, or whoever got the first one.
    partner: Option<u32>,
}

/// The check of one crowd.
#[derive(Debug)]
pub(super) struct Check {
    dialect: Dialect,
    history: History,
    senders: Vec<Sender>,
    /// How many read what is said to everyone.
    readers: u32,
}

impl Check {
    /// For so many readers, and senders with these partners; without one, it is whoever reads
    /// their first message.
    pub(super) fn new(
        dialect: Dialect,
        readers: u32,
        partners: impl Iterator<Item = Option<u32>>,
    ) -> Self {
        let sender = |partner| Sender { partner, ..Sender::default() };
        let senders = partners.map(sender).collect();
        Self { dialect, history: History::default(), senders, readers }
    }

    /// Where somebody begins to read who is here from now on.
    pub(super) fn end(&self) -> u64 {
        self.history.end()
    }

    /// Takes what is whole at the front of `input`. Returns how many bytes they have.
    ///
    /// # Errors
    ///
    /// The first line that must not be there.
    pub(super) fn take(
        &mut self,
        reader: &mut Reader<'_>,
        input: &[u8],
        now_ns: u64,
        tally: &mut Tally,
    ) -> Result<usize, Problem> {
        let mut taken = 0;
        loop {
            taken += self.take_known(reader, &input[taken..], now_ns, tally)?;
            let rest = &input[taken..];
            let Some(unit) = self.dialect.first(rest) else { return Ok(taken) };
            if let Some(text) = unit.text {
                self.take_text(reader, text, &rest[..unit.length], now_ns, tally)?;
            }
            taken += unit.length;
        }
    }

    /// Takes what others have read before.
    fn take_known(
        &mut self,
        reader: &mut Reader<'_>,
        input: &[u8],
        now_ns: u64,
        tally: &mut Tally,
    ) -> Result<usize, Problem> {
        let matching = self.history.matching(*reader.read, input);
        let (count, bytes) = matching.ok_or(Problem::TooFarBehind { reader: reader.index })?;
        // What was sent in one write stands together: most lines cost no entry of their own.
        let (mut sent_ns, mut together) = (0, 0);
        for line in self.history.lines(*reader.read, count) {
            if line.message.sent_ns != sent_ns {
                tally.broadcasts.record_many(now_ns.saturating_sub(sent_ns), together);
                (sent_ns, together) = (line.message.sent_ns, 0);
            }
            together += 1;
            line.left = line.left.saturating_sub(1);
            if line.left == 0 {
                tally.arrived.push(line.message.sender);
            }
        }
        tally.broadcasts.record_many(now_ns.saturating_sub(sent_ns), together);
        *reader.read += count as u64;
        tally.deliveries += count as u64;
        Ok(bytes)
    }

    /// Takes a text, which stands in `whole`.
    fn take_text(
        &mut self,
        reader: &mut Reader<'_>,
        line: &[u8],
        whole: &[u8],
        now_ns: u64,
        tally: &mut Tally,
    ) -> Result<(), Problem> {
        if line.starts_with(b"[SERVER] ") {
            return take_notice(reader.index, line, tally);
        }
        let (from, is_private) = match line.strip_prefix(b"[From ") {
            Some(rest) => (rest, true),
            None => (line.get(1..).unwrap_or_default(), false),
        };
        let message = parse(from).ok_or_else(|| foreign(reader.index, line))?;
        let known = self.senders.get(message.sender as usize);
        let sender = *known.ok_or_else(|| foreign(reader.index, line))?;
        if is_private {
            self.take_whisper(reader.index, message, sender)?;
            tally.whispers.record(now_ns.saturating_sub(message.sent_ns));
            tally.arrived.push(message.sender);
            tally.messages += 1;
            tally.deliveries += 1;
            return Ok(());
        }
        if *reader.read < self.history.end() {
            return Err(self.diagnose(reader, message));
        }
        self.senders[message.sender as usize].broadcasts =
            next(reader.index, message, sender.broadcasts)?;
        self.history.append(whole, message, self.readers);
        tally.messages += 1;
        // Now it is known; its first reader takes it like everyone else.
        self.take_known(reader, whole, now_ns, tally).map(|_| ())
    }

    fn take_whisper(
        &mut self,
        reader: u32,
        message: Message,
        sender: Sender,
    ) -> Result<(), Problem> {
        let Message { sender: index, number, .. } = message;
        let partner = sender.partner.unwrap_or(reader);
        if partner != reader {
            return Err(Problem::Misdirected { reader, sender: index, number, partner });
        }
        let whispers = next(reader, message, sender.whispers)?;
        self.senders[index as usize] = Sender { whispers, partner: Some(partner), ..sender };
        Ok(())
    }

    /// Why this message does not stand where others have read another one.
    fn diagnose(&self, reader: &Reader<'_>, message: Message) -> Problem {
        let due = self.history.heard_before(*reader.read, message.sender);
        let Message { sender, number, .. } = message;
        let reordered = Problem::Reordered { reader: reader.index, sender, number };
        next(reader.index, message, due).err().unwrap_or(reordered)
    }
}

/// The number that follows, if the message has the one that is due.
fn next(reader: u32, message: Message, due: u32) -> Result<u32, Problem> {
    let Message { sender, number, .. } = message;
    if number < due {
        return Err(Problem::Doubled { reader, sender, number });
    }
    if number > due {
        return Err(Problem::Missing { reader, sender, number, due });
    }
    Ok(due.wrapping_add(1))
}

/// The message behind `cINDEX]: `, if that is its sender.
fn parse(line: &[u8]) -> Option<Message> {
    let end = memchr(b']', line)?;
    let name: u32 = str::from_utf8(line[..end].strip_prefix(b"c")?).ok()?.parse().ok()?;
    let text = line[end..].strip_prefix(b"]: ")?;
    Message::parse(text).filter(|message| message.sender == name)
}

/// Comings and goings are expected, everything else is not.
fn take_notice(reader: u32, line: &[u8], tally: &mut Tally) -> Result<(), Problem> {
    let text = String::from_utf8_lossy(line);
    let joined = match Reply::parse(&text) {
        Some(Reply::Notice(Notice::Joined(_))) => 1,
        Some(Reply::Notice(Notice::Crowd { joined, .. })) => joined,
        Some(Reply::Notice(Notice::Left(_))) => 0,
        _ => return Err(Problem::Notice { reader, text: text.into_owned() }),
    };
    if reader == 0 {
        tally.joined += joined;
    }
    Ok(())
}

fn foreign(reader: u32, line: &[u8]) -> Problem {
    let text = line.escape_ascii().to_string();
    Problem::Foreign { reader, text }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three clients, of whom c0 and c1 talk, to everyone or to each other.
    struct Room {
        check: Check,
        tally: Tally,
        read: [u64; 3],
    }

    impl Room {
        fn new() -> Self {
            let check = Check::new(Dialect::Hubbub, 3, [Some(1), Some(0)].into_iter());
            Self { check, tally: Tally::new().unwrap(), read: [0; 3] }
        }

        fn read(&mut self, index: u32, lines: &[String]) -> Result<usize, Problem> {
            let input = lines.concat();
            let mut reader = Reader { index, read: &mut self.read[index as usize] };
            let taken = self.check.take(&mut reader, input.as_bytes(), 1000, &mut self.tally)?;
            assert_eq!(taken, input.rfind('\n').map_or(0, |end| end + 1));
            Ok(taken)
        }
    }

    fn text(sender: u32, number: u32) -> String {
        let mut text = Vec::new();
        Message { sender, number, sent_ns: 500 }.write(64, &mut text);
        String::from_utf8(text).unwrap()
    }

    fn all(sender: u32, number: u32) -> String {
        format!("[c{sender}]: {}\n", text(sender, number))
    }

    fn private(sender: u32, number: u32) -> String {
        format!("[From c{sender}]: {}\n", text(sender, number))
    }

    #[test]
    fn one_order_for_everyone_is_well() {
        let mut room = Room::new();
        room.read(2, &[all(0, 0), all(1, 0)]).unwrap();
        room.read(0, &[all(0, 0), private(1, 0), all(1, 0), all(0, 1)]).unwrap();
        room.read(1, &[all(0, 0), all(1, 0), all(0, 1), all(1, 1), private(0, 0)]).unwrap();
        room.read(2, &[all(0, 1), all(1, 1)]).unwrap();
        room.read(0, &[all(1, 1)]).unwrap();
        assert_eq!((room.tally.messages, room.tally.deliveries), (4 + 2, 3 * 4 + 2));
        assert_eq!(room.read, [4; 3]);
        assert_eq!(room.tally.arrived, [1, 0, 1, 0, 0, 1], "when the last has read it");
        assert_eq!(room.tally.broadcasts.quantile(0.5), Some(500));
    }

    #[test]
    fn a_line_that_has_not_ended_waits() {
        let mut room = Room::new();
        let torn = all(0, 1).split_at(20).0.to_owned();
        assert_eq!(room.read(0, &[all(0, 0), torn.clone()]), Ok(all(0, 0).len()));
        assert_eq!(room.read(1, &[all(0, 0), torn]), Ok(all(0, 0).len()));
        assert_eq!(room.tally.deliveries, 2);
    }

    #[test]
    fn a_lost_message_is_seen_by_the_first_and_by_the_others() {
        let mut room = Room::new();
        let missing = |reader| Problem::Missing { reader, sender: 0, number: 1, due: 0 };
        assert_eq!(room.read(0, &[all(0, 1)]), Err(missing(0)));
        room.read(0, &[all(0, 0), all(0, 1)]).unwrap();
        assert_eq!(room.read(1, &[all(0, 1)]), Err(missing(1)));
        assert_eq!(room.read(1, &[private(0, 1)]), Err(missing(1)));
    }

    #[test]
    fn a_doubled_message_is_seen_by_the_first_and_by_the_others() {
        let mut room = Room::new();
        let doubled = |reader| Problem::Doubled { reader, sender: 0, number: 0 };
        assert_eq!(room.read(0, &[all(0, 0), all(0, 0)]), Err(doubled(0)));
        room.read(0, &[all(0, 1)]).unwrap();
        assert_eq!(room.read(1, &[all(0, 0), all(0, 0)]), Err(doubled(1)));
        assert_eq!(room.read(1, &[private(0, 0), private(0, 0)]), Err(doubled(1)));
    }

    #[test]
    fn another_order_is_seen_although_each_sender_keeps_its_own() {
        let mut room = Room::new();
        room.read(0, &[all(0, 0), all(1, 0)]).unwrap();
        let reordered = Problem::Reordered { reader: 2, sender: 1, number: 0 };
        assert_eq!(room.read(2, &[all(1, 0), all(0, 0)]), Err(reordered));
    }

    #[test]
    fn what_nobody_sent_to_this_client_is_seen() {
        let mut room = Room::new();
        let misdirected = Problem::Misdirected { reader: 2, sender: 0, number: 0, partner: 1 };
        assert_eq!(room.read(2, &[private(0, 0)]), Err(misdirected));
        let notice = "[SERVER] User 'c9' not found.";
        let told = Problem::Notice { reader: 2, text: notice.to_owned() };
        assert_eq!(room.read(2, &[format!("{notice}\n")]), Err(told));
        let forged = all(0, 0).replace("[c0]", "[c1]");
        for line in ["hello\n".to_owned(), "[Alice]: hello\n".to_owned(), all(2, 0), forged] {
            assert!(matches!(room.read(2, &[line]), Err(Problem::Foreign { reader: 2, .. })));
        }
    }

    #[test]
    fn comings_and_goings_stand_between_the_lines() {
        let mut room = Room::new();
        let notice = |text: &str| format!("[SERVER] {text}\n");
        let news = [
            notice("c7 has joined the chat!"),
            all(0, 0),
            notice("1,200 joined, 3 left (1,203 online)"),
            notice("c7 has left the chat."),
        ];
        for index in 0..3 {
            room.read(index, &news).unwrap();
        }
        assert_eq!((room.tally.joined, room.tally.deliveries), (1201, 3));
    }
}
