//! What a server sees of its own connections becomes frames, as it happens.
//!
//! Each connection has a number, and each thing that happens to it a time, the same for all and
//! never going back. The frames come out in strict order of time, so nothing has to wait.
//!
//! A server is told that there is a connection, what it says, and that it ended. The segments,
//! their numbers and what acknowledges them are made up; so is the handshake, which stands just
//! before the first thing that happens, and not where the connection was accepted: a file that
//! ends in between has nothing of a connection of which it would have no word.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use fastrand::Rng;

use super::conversation::Misuse;
use super::{Conversation, Frames, Mss, Numbers, Path, Side};

/// How far apart the frames of one happening are, in nanoseconds: as little as a file can tell. So
/// they are over before the next happening, which took the server a call of the system.
const STEP_NS: u64 = 1;

/// Sequence numbers begin below this: 2 GiB go by before one wraps to 0, and Wireshark takes an
/// acknowledgement of 0 for a repetition.
const FIRST_SEQUENCE_END: u32 = 1 << 31;

/// What can happen to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happening {
    /// It was accepted.
    Opened {
        /// Who connected.
        client: SocketAddr,
        /// To where.
        server: SocketAddr,
    },
    /// A side said something; the bytes come along.
    Said(Side),
    /// A side ended its stream; again is nothing new.
    Ended(Side),
    /// A side broke it off; the last word on who did stands. That is told when the server closes
    /// it: until then it may still read what was said before.
    Broke(Side),
    /// The server let go of it, which ends its stream if nothing did before.
    Closed,
}

/// A connection that the server has.
#[derive(Debug)]
struct Talk {
    path: Path,
    /// What the file has of it; none before its first word there.
    told: Option<Conversation>,
    /// An earlier file has a part of it.
    continued: bool,
    ended: [bool; 2],
    broke: Option<Side>,
}

/// All connections of a server. For each it keeps a few numbers.
#[derive(Debug)]
pub struct Recording {
    talks: BTreeMap<u64, Talk>,
    rng: Rng,
    last_ns: u64,
}

impl Recording {
    /// One without connections. Equal seeds, which stand for what a real stack would draw at
    /// random, and equal happenings give equal frames.
    pub fn new(seed: u64) -> Self {
        Self { talks: BTreeMap::new(), rng: Rng::with_seed(seed), last_ns: 0 }
    }

    /// Whether there are no connections.
    pub fn is_empty(&self) -> bool {
        self.talks.is_empty()
    }

    /// Something happens to the connection of this number, at a time in nanoseconds since 1970.
    /// Nothing that happens to one that is not known means anything.
    ///
    /// # Errors
    ///
    /// When a side says something that has ended its stream.
    pub fn take(
        &mut self,
        number: u64,
        time_ns: u64,
        what: Happening,
        bytes: &[u8],
        out: &mut Frames,
    ) -> Result<(), Misuse> {
        let time_ns = time_ns.max(self.last_ns + 1);
        let (talk, rng) = (self.talks.get_mut(&number), &mut self.rng);
        match (what, talk) {
            (Happening::Opened { client, server }, _) => {
                // The system connects no two families.
                if let Ok(path) = Path::new(client, server, None) {
                    self.talks.insert(number, Talk::new(path));
                }
            }
            (Happening::Said(side), Some(talk)) => {
                talk.tell(rng, time_ns, out)?.say(side, bytes, time_ns, out)?;
            }
            (Happening::Ended(side), Some(talk)) => talk.end(side, rng, time_ns, out)?,
            (Happening::Broke(side), Some(talk)) => talk.broke = Some(side),
            (Happening::Closed, Some(talk)) => {
                talk.close(rng, time_ns, out)?;
                self.talks.remove(&number);
            }
            (_, None) => {}
        }
        self.last_ns = out.last_ns().unwrap_or(self.last_ns).max(self.last_ns);
        Ok(())
    }

    /// Something of a connection was lost: nothing more is told of it.
    pub fn forget(&mut self, number: u64) {
        self.talks.remove(&number);
    }

    /// The file ends, and another begins: what is open is finished in this one, and opened in the
    /// next with the next thing that is said.
    ///
    /// # Errors
    ///
    /// None that can happen.
    pub fn turn_page(&mut self, out: &mut Frames) -> Result<(), Misuse> {
        for talk in self.talks.values_mut() {
            if let Some(mut conversation) = talk.told.take() {
                conversation.finish(Side::Server, self.last_ns + 1, out)?;
                talk.continued = true;
            }
            self.last_ns = out.last_ns().unwrap_or(self.last_ns).max(self.last_ns);
        }
        Ok(())
    }

    /// The server ends, and its system closes what is still open.
    ///
    /// # Errors
    ///
    /// None that can happen.
    pub fn finish(&mut self, out: &mut Frames) -> Result<(), Misuse> {
        while let Some((&number, _)) = self.talks.first_key_value() {
            self.take(number, self.last_ns, Happening::Closed, b"", out)?;
        }
        Ok(())
    }
}

impl Talk {
    fn new(path: Path) -> Self {
        Self { path, told: None, continued: false, ended: [false; 2], broke: None }
    }

    /// The conversation in this file. Where it is not open yet it is opened, and who has ended a
    /// stream in an earlier file does so again.
    fn tell(
        &mut self,
        rng: &mut Rng,
        time_ns: u64,
        out: &mut Frames,
    ) -> Result<&mut Conversation, Misuse> {
        if self.told.is_none() {
            let numbers = Numbers {
                sequence: [rng.u32(..FIRST_SEQUENCE_END), rng.u32(..FIRST_SEQUENCE_END)],
                id: [rng.u16(..), rng.u16(..)],
            };
            let conversation = Conversation::new(self.path, numbers, Mss::usual(&self.path));
            let mut conversation = conversation.with_step(STEP_NS);
            conversation.open(time_ns, out)?;
            for side in Side::BOTH {
                if self.ended[side.index()] {
                    conversation.close(side, time_ns, out)?;
                }
            }
            self.told = Some(conversation);
        }
        self.told.as_mut().ok_or(Misuse::NotOpen)
    }

    /// Whether only an earlier file has it: how it ends there is told already.
    fn is_asleep(&self) -> bool {
        self.told.is_none() && self.continued
    }

    fn end(
        &mut self,
        side: Side,
        rng: &mut Rng,
        time_ns: u64,
        out: &mut Frames,
    ) -> Result<(), Misuse> {
        if !self.ended[side.index()] && !self.is_asleep() {
            self.tell(rng, time_ns, out)?.close(side, time_ns, out)?;
        }
        self.ended[side.index()] = true;
        Ok(())
    }

    fn close(&mut self, rng: &mut Rng, time_ns: u64, out: &mut Frames) -> Result<(), Misuse> {
        let Some(side) = self.broke else { return self.end(Side::Server, rng, time_ns, out) };
        if self.is_asleep() {
            return Ok(());
        }
        let conversation = self.tell(rng, time_ns, out)?;
        if conversation.is_open() { conversation.reset(side, time_ns, out) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::{Packet, Payload};
    use Happening::{Broke, Closed, Ended, Said};
    use Side::{Client, Server};

    const START_NS: u64 = 1_700_000_000_000_000_000;

    /// A recording, and what it has written so far.
    struct Desk {
        recording: Recording,
        frames: Frames,
        time_ns: u64,
        /// When the last frame was.
        last_ns: u64,
    }

    impl Desk {
        fn new() -> Self {
            let (recording, frames) = (Recording::new(1), Frames::default());
            Self { recording, frames, time_ns: START_NS, last_ns: 0 }
        }

        /// Something happens a millisecond later.
        fn take(&mut self, number: u64, what: Happening, bytes: &str) {
            self.time_ns += 1_000_000;
            let (time_ns, bytes) = (self.time_ns, bytes.as_bytes());
            self.recording.take(number, time_ns, what, bytes, &mut self.frames).unwrap();
        }

        fn opens(&mut self, number: u16) {
            let client = SocketAddr::from(([192, 0, 2, 1], number));
            let server = "[::ffff:192.0.2.2]:12345".parse().unwrap();
            self.take(number.into(), Happening::Opened { client, server }, "");
        }

        /// What there is now and was not before, without plain acknowledgements: the client's port,
        /// `>` for what it sent and `<` for what it was sent.
        fn told(&mut self) -> Vec<String> {
            let mut told = Vec::new();
            for frame in self.frames.iter() {
                assert!(frame.time_ns > self.last_ns);
                self.last_ns = frame.time_ns;
                let packet = Packet::parse(frame.bytes).unwrap();
                let Payload::Tcp(segment) = packet.payload else { panic!("{packet:?}") };
                let (arrow, port) = match frame.from {
                    Client => ('>', packet.source.port()),
                    Server => ('<', packet.destination.port()),
                };
                let (flags, text) = (segment.flags, String::from_utf8_lossy(segment.payload));
                if flags != crate::capture::Flags::ACK || !text.is_empty() {
                    told.push(format!("{port} {arrow} {flags} {text}").trim_end().to_owned());
                }
            }
            self.frames.clear();
            told
        }
    }

    #[test]
    fn a_connection_is_told_from_its_first_word_to_its_close() {
        let mut desk = Desk::new();
        desk.opens(7);
        assert!(!desk.recording.is_empty());
        assert_eq!(desk.told(), [""; 0]);
        desk.take(7, Said(Server), "name?");
        assert_eq!(desk.told(), ["7 > SYN", "7 < SYN, ACK", "7 < PSH, ACK name?"]);
        desk.take(7, Said(Client), "Al");
        desk.take(7, Ended(Client), "");
        desk.take(7, Ended(Client), "");
        desk.take(7, Said(Server), "bye");
        desk.take(7, Closed, "");
        desk.take(7, Closed, "");
        let want = ["7 > PSH, ACK Al", "7 > FIN, ACK", "7 < PSH, ACK bye", "7 < FIN, ACK"];
        assert_eq!(desk.told(), want);
        assert!(desk.recording.is_empty());
    }

    #[test]
    fn what_was_said_before_a_reset_stands_before_it() {
        let mut desk = Desk::new();
        desk.opens(7);
        desk.take(7, Said(Server), "name?");
        desk.take(7, Broke(Client), "");
        desk.take(7, Said(Client), "Al");
        desk.take(7, Closed, "");
        assert_eq!(desk.told()[3..], ["7 > PSH, ACK Al", "7 > RST, ACK"]);
        desk.opens(8);
        desk.take(8, Said(Server), "name?");
        desk.take(8, Broke(Server), "");
        desk.take(8, Closed, "");
        assert_eq!(desk.told()[3..], ["8 < RST, ACK"]);
    }

    #[test]
    fn a_connection_of_which_there_is_no_word_is_told_when_it_closes() {
        let mut desk = Desk::new();
        desk.opens(7);
        desk.take(7, Closed, "");
        assert_eq!(desk.told(), ["7 > SYN", "7 < SYN, ACK", "7 < FIN, ACK"]);
    }

    #[test]
    fn a_page_ends_what_is_open_and_the_next_begins_with_the_next_word() {
        let mut desk = Desk::new();
        desk.opens(6);
        desk.opens(7);
        desk.opens(8);
        desk.take(7, Said(Server), "name?");
        desk.take(8, Said(Server), "name?");
        desk.take(8, Ended(Client), "");
        desk.told();
        desk.recording.turn_page(&mut desk.frames).unwrap();
        let finish = ["7 < FIN, ACK", "7 > FIN, ACK", "8 < FIN, ACK"];
        assert_eq!(desk.told(), finish, "nothing of 6, which has said nothing");
        desk.take(8, Said(Server), "bye");
        let again = ["8 > SYN", "8 < SYN, ACK", "8 > FIN, ACK", "8 < PSH, ACK bye"];
        assert_eq!(desk.told(), again, "the stream that had ended does so again");
        desk.take(7, Ended(Client), "");
        desk.take(7, Closed, "");
        assert_eq!(desk.told(), [""; 0], "its end is told in the page before");
        desk.recording.finish(&mut desk.frames).unwrap();
        assert_eq!(desk.told(), ["6 > SYN", "6 < SYN, ACK", "6 < FIN, ACK", "8 < FIN, ACK"]);
    }

    #[test]
    fn what_is_lost_has_no_end() {
        let mut desk = Desk::new();
        desk.opens(7);
        desk.take(7, Said(Server), "name?");
        desk.told();
        desk.recording.forget(7);
        desk.take(7, Said(Client), "Al");
        desk.recording.finish(&mut desk.frames).unwrap();
        assert_eq!(desk.told(), [""; 0]);
    }

    #[test]
    fn a_number_that_is_used_again_is_another_connection() {
        let mut desk = Desk::new();
        for _ in 0..2 {
            desk.opens(7);
            desk.take(7, Said(Server), "name?");
            desk.take(7, Closed, "");
            assert_eq!(desk.told()[0], "7 > SYN");
        }
    }

    #[test]
    fn times_grow_although_a_clock_stands_still_or_goes_back() {
        let mut desk = Desk::new();
        let mut last_ns = 0;
        for (number, time_ns) in [(7, START_NS), (8, START_NS), (9, START_NS - 5)] {
            desk.opens(number);
            let number = number.into();
            let frames = &mut desk.frames;
            desk.recording.take(number, time_ns, Said(Server), &[b'x'; 9000], frames).unwrap();
            for frame in desk.frames.iter() {
                assert!(frame.time_ns > last_ns);
                last_ns = frame.time_ns;
            }
            desk.frames.clear();
        }
        assert!(last_ns < START_NS + 100, "each frame takes a nanosecond");
    }
}
